//! `cellgate demo`: the whole path on the embedded phantoms.

use super::failure::Failure;
use super::progress::Progress;
use super::report::print;
use cellgate::demo::{self, Story};
use std::io::Write;
use std::path::PathBuf;

/// Take the whole path on the embedded phantoms: validate, gate a good and a drifting change
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cellgate demo --out demo")]
pub(crate) struct Args {
    /// Folder to write to; a new temporary folder without this
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the demo and says where the reports lie.
pub(crate) fn run(args: &Args, out: &mut dyn Write, is_quiet: bool) -> Result<u8, Failure> {
    let failed = |error: demo::DemoError| Failure::tool("the demo failed", &error);
    let folder = match &args.out {
        Some(folder) => folder.clone(),
        None => demo::new_folder().map_err(failed)?,
    };
    let progress = Progress::new(is_quiet);
    let tell = |n_done: usize, n_total: usize, what: &str| progress.tell(n_done, n_total, what);
    let stories = demo::tell(&folder, &tell).map_err(failed)?;
    progress.finish();
    let mut is_as_promised = true;
    for Story { title, change, expected, outcome, page } in &stories {
        writeln!(out, "\n{title}: {change}")?;
        print(outcome, out, false)?;
        writeln!(out, "report: {}", page.display())?;
        is_as_promised &= outcome.report.verdict == *expected;
    }
    writeln!(out)?;
    if is_as_promised {
        writeln!(
            out,
            "The good change passes, the drifting one is stopped. Open the reports above."
        )?;
        Ok(0)
    } else {
        Err(Failure::Tool("a change of the demo got another verdict than it must get".to_owned()))
    }
}
