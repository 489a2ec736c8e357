//! `cellgate init`: the files of a new project.

use crate::init::{SHIPPED, Shipped, Wishes, files, write};
use crate::ui::Ui;
use crate::ui::failure::Failure;
use cellgate_core::profile::Modality;
use cellgate_gate::exit::ExitCode;
use cellgate_inputs::finding::closest;
use cellgate_inputs::revision::{folder_in_repository, repository_root};
use clap::ValueEnum;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Write the files of a new project: project file, profiles, tolerances, workflows
///
/// Never writes over a file that is there, and says which it left. The project passes
/// `cellgate validate` and, once it is committed, `cellgate gate`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cellgate init\n  cellgate init --profile ihc-hdab,he-tissue --no-deploy --dry-run"
)]
pub(crate) struct Args {
    /// Profiles to start from; all that ship without this
    #[arg(long, value_name = "NAME", value_delimiter = ',', conflicts_with = "modality")]
    profile: Vec<String>,
    /// Take the profiles for this kind of image alone
    #[arg(long, value_enum)]
    modality: Option<Kind>,
    /// Folder of the project; workflows go to the top of its repository
    #[arg(long, value_name = "DIR", default_value = ".")]
    root: PathBuf,
    /// Leave out what deploys to a server
    #[arg(long)]
    no_deploy: bool,
    /// Add the workflow that trains networks
    #[arg(long)]
    train: bool,
    /// Only say what would be written
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Kind {
    /// Bright nuclei on dark ground
    Fluorescence,
    /// Hematoxylin and eosin
    He,
    /// Hematoxylin and DAB
    IhcHdab,
}

impl Kind {
    fn modality(self) -> Modality {
        match self {
            Self::Fluorescence => Modality::Fluorescence,
            Self::He => Modality::He,
            Self::IhcHdab => Modality::IhcHdab,
        }
    }
}

/// Writes the files and says what comes next.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let out = &mut *ui.out;
    let profiles = profiles(args)?;
    if !args.root.is_dir() {
        return Err(Failure::Usage(format!("`--root {}` is no folder", args.root.display())));
    }
    // Outside of a repository the folder is the top of the one that will be.
    let top = repository_root(&args.root).unwrap_or_else(|_| args.root.clone());
    let below = folder_in_repository(&args.root).unwrap_or_default();
    let top = if below.is_empty() { args.root.clone() } else { top };
    let wishes = Wishes { deploys: !args.no_deploy, trains: args.train };
    let results = write(&files(&profiles, wishes), &args.root, &top, args.dry_run)
        .map_err(|error| Failure::tool("the project cannot be written", &error))?;
    let word = if args.dry_run { "would write" } else { "wrote" };
    for (path, is_written) in &results {
        let display = path.strip_prefix(".").unwrap_or(path).display();
        match is_written {
            true => writeln!(out, "{word} {display}")?,
            false => writeln!(out, "left {display}, which is there already")?,
        }
    }
    if !args.dry_run {
        let is_crowded = results.iter().any(|(path, is_written)| {
            !is_written && path.parent().is_some_and(|folder| folder.ends_with("workflows"))
        });
        print_next_steps(args, &below, is_crowded, out)?;
    }
    Ok(ExitCode::Passed)
}

fn profiles(args: &Args) -> Result<Vec<Shipped>, Failure> {
    if let Some(kind) = args.modality {
        let has_modality = |profile: &Shipped| profile.modality == kind.modality();
        return Ok(SHIPPED.into_iter().filter(has_modality).collect());
    }
    let names = SHIPPED.map(|profile| profile.name);
    for name in &args.profile {
        if !names.contains(&name.as_str()) {
            let help = match closest(name, names) {
                Some(suggestion) => format!("did you mean `{suggestion}`?"),
                None => format!("these ship: {}", names.join(", ")),
            };
            return Err(Failure::Usage(format!("no profile `{name}` ships; {help}")));
        }
    }
    let is_wanted = |profile: &Shipped| args.profile.iter().any(|name| name == profile.name);
    Ok(SHIPPED
        .into_iter()
        .filter(|profile| args.profile.is_empty() || is_wanted(profile))
        .collect())
}

fn print_next_steps(
    args: &Args,
    below: &str,
    is_crowded: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let root_option = if args.root == Path::new(".") {
        String::new()
    } else {
        format!(" --root {}", args.root.display())
    };
    writeln!(out, "\nnext:")?;
    writeln!(out, "  git add --all && git commit -m 'Gate cell parameters'")?;
    writeln!(out, "  cellgate gate{root_option}             # passes: nothing has changed yet")?;
    writeln!(out, "  cellgate dataset prepare --help  # your own images in the place of phantoms")?;
    writeln!(out, "  make the check `cellgate / verdict` required for the default branch")?;
    if is_crowded {
        writeln!(
            out,
            "  a workflow of that name was there: fetch cellgate's with `cellgate init --root DIR` \
             into an empty folder\n  and put it beside under another name"
        )?;
    }
    if !below.is_empty() {
        writeln!(out, "  add `with: {{root: {below}}}` to the jobs in .github/workflows/,")?;
        writeln!(out, "  but for comment.yml, which needs none")?;
    }
    if !args.no_deploy {
        writeln!(
            out,
            "  give the environment `production` the secrets that deploy.yml names, or \
             delete\n  deploy.yml, monitor.yml and `targets:` where nothing is deployed"
        )?;
    }
    Ok(())
}
