//! `cellgate validate`: all problems of profiles, project file, tolerances and datasets at once.

use crate::ui::Ui;
use crate::ui::failure::Failure;
use crate::ui::findings::{self, Format};
use crate::ui::inputs;
use cellgate_gate::exit::ExitCode;
use cellgate_gate::validate::{Checked, folder, selection};
use std::path::Path;

/// Check profiles, project file, tolerances and datasets, and tell all problems at once
///
/// Without paths: `cellgate.yaml` and everything that it names, or else the profiles in `params`.
/// Exit code 0 without errors, 10 with errors, 3 when there is nothing to check.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cellgate validate\n  cellgate validate params/ihc-hdab.yaml\n  \
    cellgate validate 'params/*.yaml' --format sarif > findings.sarif"
)]
pub(crate) struct Args {
    /// Files, folders or globs
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// Checks and prints; gives the exit code.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let (out, has_color) = (&mut *ui.out, ui.has_color);
    let cache = inputs::open_cache(Path::new("."));
    let cache = cache.as_ref();
    let checked = match args.paths.as_slice() {
        [] if Path::new(cellgate_inputs::project::FILE).is_file() => folder(Path::new("."), cache),
        [] if Path::new("params").is_dir() => folder(Path::new("params"), cache),
        paths => selection(paths, cache),
    };
    let Checked { findings: found, files, sources } = &checked;
    findings::print(out, args.format, found, files, sources, has_color)?;
    let is_empty = checked.files.is_empty() && checked.findings.is_empty();
    Ok(if is_empty { ExitCode::NothingToCheck } else { findings::exit_code(&checked.findings) })
}
