//! `cellgate merge`: the verdict on what shards have run.

use super::change::{ApprovalArgs, ChangeArgs, teller};
use super::failure::Failure;
use super::progress::Progress;
use super::report::{ReportArgs, failure, told};
use cellgate_gate::merge;
use std::io::Write;
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
pub(crate) fn run(
    args: &Args,
    out: &mut dyn Write,
    is_quiet: bool,
    has_color: bool,
) -> Result<u8, Failure> {
    told(merged(args, out, is_quiet, has_color))
}

fn merged(
    args: &Args,
    out: &mut dyn Write,
    is_quiet: bool,
    has_color: bool,
) -> Result<u8, Failure> {
    let change = args.change.open()?;
    let approvals = args.approvals.open(&change)?;
    let head_commit = change.head_commit();
    let progress = Progress::new(is_quiet);
    let tell = teller(&progress);
    let request = change.request(None, approvals, args.report.fail_on, &tell);
    let outcome = merge(&request, head_commit.as_deref(), &args.shards).map_err(failure)?;
    progress.finish();
    args.report.publish(&outcome, out, has_color)
}
