//! `cellgate schema`: JSON Schemas for editors, and the reference of profiles.

use crate::ui::Ui;
use crate::ui::failure::Failure;
use cellgate_gate::exit::ExitCode;
use cellgate_inputs::{dataset, params, project};
use clap::ValueEnum;

/// Print the JSON Schema of a file, which editors use to complete and check it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cellgate schema > params/profile.schema.json\n  \
    cellgate schema project\n  cellgate schema profile --format markdown > params/README.md\n\n\
    In a profile, let the editor find it by a first line:\n  \
    # yaml-language-server: $schema=profile.schema.json")]
pub(crate) struct Args {
    /// Which file
    #[arg(value_enum, default_value_t = File::Profile)]
    file: File,
    /// Form of the output; Markdown exists for profiles
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum File {
    /// A profile: `params/NAME.yaml`
    Profile,
    /// The project file: `cellgate.yaml`
    Project,
    /// Tolerances: `params/tolerances.yaml`
    Tolerances,
    /// A dataset's manifest: `dataset.yaml`
    Dataset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// JSON Schema, draft 2020-12
    Json,
    /// A page with a table of every key
    Markdown,
}

/// Prints; gives the exit code.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let out = &mut *ui.out;
    match (args.format, args.file) {
        (Format::Markdown, File::Profile) => {
            write!(out, "{}", params::reference_markdown())?;
            return Ok(ExitCode::Passed);
        }
        (Format::Markdown, File::Project | File::Tolerances | File::Dataset) => {
            let text = "there is a Markdown page for `profile` alone; leave `--format` out";
            return Err(Failure::Usage(text.to_owned()));
        }
        (Format::Json, _) => {}
    }
    let schema = match args.file {
        File::Profile => params::schema(),
        File::Project => project::schema(),
        File::Tolerances => project::tolerances_schema(),
        File::Dataset => dataset::manifest::manifest_schema(),
    };
    writeln!(out, "{schema:#}")?;
    Ok(ExitCode::Passed)
}
