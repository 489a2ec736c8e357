//! `cellgate demo`: the whole path on the embedded phantoms.

use super::approve::now;
use crate::demo::delivery::{Delivered, Delivery, Order, REPOSITORY, SERVER, deliver, places};
use crate::demo::{self, Story};
use crate::ui::Ui;
use crate::ui::failure::Failure;
use crate::ui::progress::Progress;
use crate::ui::report::print;
use cellgate_deploy::whole::Deployed;
use cellgate_gate::exit::ExitCode;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Take the whole path on the embedded phantoms: gate a good and a drifting change, deploy the good one
///
/// Everything lies in one folder: two reports to open, a repository with the changes and their
/// approvals, and a folder that stands for the server. Needs no network.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cellgate demo --out demo")]
pub(crate) struct Args {
    /// Folder to write to; a new temporary folder without this
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the demo and says where the reports lie.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let (out, is_quiet) = (&mut *ui.out, ui.is_quiet);
    let to_failure = |error: demo::DemoError| Failure::tool("the demo failed", &error);
    let folder = match &args.out {
        Some(folder) => folder.clone(),
        None => demo::new_folder().map_err(to_failure)?,
    };
    let progress = Progress::new(is_quiet);
    let on_progress =
        |n_done: usize, n_total: usize, item: &str| progress.update(n_done, n_total, item);
    let stories = demo::gate_changes(&folder, &on_progress).map_err(to_failure)?;
    progress.finish();
    let mut is_as_promised = true;
    for Story { title, change, expected, outcome, page } in &stories {
        writeln!(out, "\n{title}: {change}")?;
        print(outcome, out, false)?;
        writeln!(out, "report: {}", page.display())?;
        is_as_promised &= outcome.report.verdict == *expected;
    }
    if !is_as_promised {
        let text = "a change of the demo got another verdict than it must get";
        return Err(Failure::Tool(text.to_owned()));
    }
    let program = std::env::current_exe();
    let program =
        program.map_err(|error| Failure::tool("this program's own path is not known", &error))?;
    let order = Order { folder: &folder, program: &program, when: now()? };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(deliver(&order, &stories[0].outcome.report)).map_err(to_failure)? {
        Delivery::LeftOut(reason) => {
            writeln!(out, "\nThe good change is not approved and deployed, since {reason}.")?;
        }
        Delivery::Done(delivered) => print_delivery(&folder, &delivered, out)?,
    }
    writeln!(out, "\nThe good change passes, the drifting one is stopped. Look around:")?;
    for (path, description) in places(&folder).iter().filter(|(path, _)| path.exists()) {
        writeln!(out, "  {}\n    {description}", path.display())?;
    }
    Ok(ExitCode::Passed)
}

/// Reports the deploy of the good change, the refusal of the drifting one and the rollback.
fn print_delivery(
    folder: &Path,
    Delivered { first, good, refusal, back, status }: &Delivered,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    writeln!(out, "\nDeploy: `{SERVER}` stands for the server; the same happens over SSH")?;
    let mut active = |description: &str, deployed: &Deployed| {
        let Deployed { release, n_sent, .. } = deployed;
        let sent = if *n_sent == 0 { "nothing".to_owned() } else { format_bytes(*n_sent) };
        writeln!(out, "  {description:<30} {} is active, {sent} sent", release.short())
    };
    active("the parameters as they are:", first)?;
    active("the good change, approved:", good)?;
    writeln!(out, "  {:<30} refused (exit code 20)", "the drifting change:")?;
    writeln!(out, "    {refusal}")?;
    let id = back.release.short();
    writeln!(out, "  {:<30} {id} is active again, nothing sent", "rollback:")?;
    if !status.damages.is_empty() || status.active != Some(back.release) {
        let text = "the server of the demo does not have what was deployed";
        return Err(Failure::Tool(text.to_owned()));
    }
    writeln!(out, "  {:<30} every deployed byte is what was deployed", "status --verify:")?;
    let repository = folder.join(REPOSITORY);
    let repository = repository.canonicalize().unwrap_or(repository);
    let cellgate = program_name();
    writeln!(out, "Ask it yourself:\n  cd {}", repository.display())?;
    writeln!(
        out,
        "  {cellgate} approve --list\n  {cellgate} status --target local:../{SERVER} --verify"
    )?;
    writeln!(
        out,
        "  {cellgate} deploy --target local:../{SERVER}    # refused: nobody has approved it"
    )?;
    Ok(())
}

/// How this program is called from another folder.
fn program_name() -> String {
    let name = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    let is_found_by_name = name.components().count() == 1;
    let path = if is_found_by_name { Ok(name) } else { std::env::current_exe() };
    path.map_or_else(|_| "cellgate".to_owned(), |path| path.display().to_string())
}

/// A number of bytes, as people say it.
fn format_bytes(n_bytes: u64) -> String {
    match n_bytes {
        0..1_000_000 => format!("{:.1} kB", n_bytes as f64 / 1e3),
        _ => format!("{:.1} MB", n_bytes as f64 / 1e6),
    }
}
