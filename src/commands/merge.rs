//! `cellgate merge`: the verdict on what shards have run.

use crate::ui::Ui;
use crate::ui::change::{ApprovalArgs, ChangeArgs, progress_callback};
use crate::ui::failure::Failure;
use crate::ui::progress::Progress;
use crate::ui::report::{ReportArgs, failure, report_failure};
use cellgate_gate::exit::ExitCode;
use cellgate_gate::merge;
use std::path::PathBuf;

/// Judge what all shards of a gate have run
///
/// Takes the folders that `cellgate gate --shard` wrote, or folders of such folders, and does what
/// `cellgate gate` does, without a single run of its own: the report is the same to the byte. A
/// shard that is missing, damaged, or rests on another commit, dataset, policy or engine fails the
/// merge. Give the flags that the shards were given.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cellgate merge shards --base origin/main --out report")]
pub(crate) struct Args {
    /// Folders of shards
    #[arg(required = true, value_name = "DIR")]
    shards: Vec<PathBuf>,
    #[command(flatten)]
    change: ChangeArgs,
    #[command(flatten)]
    approvals: ApprovalArgs,
    #[command(flatten)]
    report: ReportArgs,
}

/// Merges, writes the report, prints the verdict.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    report_failure(run_merge(ui, args))
}

fn run_merge(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let change = args.change.open()?;
    let approvals = args.approvals.open(&change)?;
    let head_commit = change.head_commit();
    let progress = Progress::new(ui.is_quiet);
    let on_progress = progress_callback(&progress);
    let request = change.request(None, approvals, args.report.fail_on, &on_progress);
    let outcome = merge(&request, head_commit.as_deref(), &args.shards).map_err(failure)?;
    progress.finish();
    args.report.publish(ui, &outcome)
}
