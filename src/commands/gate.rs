//! `cellgate gate`: may the change pass, and why.

use crate::ui::Ui;
use crate::ui::change::{ApprovalArgs, CacheArgs, ChangeArgs, progress_callback};
use crate::ui::failure::Failure;
use crate::ui::output::write_commands;
use crate::ui::progress::Progress;
use crate::ui::report::{ReportArgs, failure, report_failure, runner_error};
use cellgate_gate::exit::ExitCode;
use cellgate_gate::report::findings::{annotations, human, summary_line};
use cellgate_gate::{Partial, Share, gate, run_share};
use cellgate_github::step::{Step, outputs_without_report};
use std::path::PathBuf;

/// Compare the working tree's parameters with base's on the fixture dataset, and judge
///
/// Reads `cellgate.yaml` of the project, see `--root`. Policy and fields come from base. Writes
/// `report.json`, `report.md`, `report.html`, `junit.xml` and `report.sarif`; in a workflow on
/// GitHub also annotations, the step's outputs and its summary.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cellgate gate --base origin/main\n  cellgate gate --fail-on never --out report\n  \
    cellgate gate --shard 1/4 --out shard-1"
)]
pub(crate) struct Args {
    #[command(flatten)]
    change: ChangeArgs,
    #[command(flatten)]
    approvals: ApprovalArgs,
    #[command(flatten)]
    cache: CacheArgs,
    #[command(flatten)]
    report: ReportArgs,
    /// Make only this share of the runs, for `cellgate merge`; gives no verdict
    #[arg(long, value_name = "I/N")]
    shard: Option<Share>,
}

/// Gates, writes the report, prints the verdict.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    report_failure(run_gate(ui, args))
}

fn run_gate(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let change = args.change.open()?;
    let cache = args.cache.open(&change)?;
    let approvals = args.approvals.open(&change)?;
    let head_commit = change.head_commit();
    let progress = Progress::new(ui.is_quiet);
    let on_progress = progress_callback(&progress);
    let request = change.request(cache, approvals, args.report.fail_on, &on_progress);
    let Some(share) = args.shard else {
        let outcome = gate(&request).map_err(failure)?;
        progress.finish();
        return args.report.publish(ui, &outcome);
    };
    let folder = args.report.out.clone();
    let folder =
        folder.unwrap_or_else(|| PathBuf::from(format!("cellgate-shard-{}", share.index())));
    let partial = run_share(&request, share, head_commit.as_deref(), &folder).map_err(failure)?;
    progress.finish();
    let runs = partial.n_runs;
    print_findings(ui, args, &partial)?;
    writeln!(
        ui.out,
        "shard {share}: {} runs computed, {} known before, written to {}",
        runs.computed,
        runs.known,
        folder.display()
    )?;
    let outputs = outputs_without_report("partial", partial.findings.len(), partial.exit_code);
    Step::from_env().set(&outputs).map_err(|error| runner_error(&error))?;
    Ok(partial.exit_code)
}

fn print_findings(ui: &mut Ui<'_>, args: &Args, partial: &Partial) -> Result<(), Failure> {
    if partial.findings.is_empty() {
        return Ok(());
    }
    if args.report.annotates() {
        write_commands(ui.out, &annotations(&partial.findings))?;
    }
    write!(ui.out, "{}", human(&partial.findings, &partial.sources, ui.has_color))?;
    writeln!(ui.out, "{}", summary_line(&partial.findings))?;
    Ok(())
}
