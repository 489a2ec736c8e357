//! `cellgate plan`: how the gate's runs are spread over machines.

use crate::ui::Ui;
use crate::ui::change::ChangeArgs;
use crate::ui::failure::Failure;
use crate::ui::report::{failure, report_failure, runner_error};
use cellgate_gate::exit::ExitCode;
use cellgate_gate::verdict::FailOn;
use cellgate_gate::{Approvals, GateError, MAX_SHARES, PlannedShare, plan_shares};
use cellgate_github::step::{Step, is_read_by_runner};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::io::Write;

/// Spread the gate's runs over several machines, balanced by pixels
///
/// Gives a matrix for `strategy.matrix` of a workflow, by `fromJSON`: one entry for each shard, at
/// least one, never more than there are fields. In a workflow it becomes the step's output
/// `matrix`. Where there is nothing to gate it has one entry, whose `gate` then says so.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cellgate plan --shards 4 --base origin/main --format json")]
pub(crate) struct Args {
    #[command(flatten)]
    change: ChangeArgs,
    /// Most shards
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_SHARES as i64))]
    shards: u16,
    /// Form of the plan; `github` in a workflow, else `human`
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each shard
    Human,
    /// The matrix as JSON, in one line
    Json,
    /// The matrix as the step's output, and a line for each shard
    Github,
}

/// Plans and prints.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let out = &mut *ui.out;
    report_failure(run_plan(args, out))
}

fn run_plan(args: &Args, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let request =
        args.change.open()?.request(None, Approvals::none(), FailOn::default(), &|_, _, _| {});
    let shares = match plan_shares(&request, usize::from(args.shards)) {
        Ok(shares) => shares,
        Err(GateError::Nothing(_)) => Vec::new(),
        Err(error) => return Err(failure(error)),
    };
    let matrix = matrix(&shares);
    let by_place = if is_read_by_runner() { Format::Github } else { Format::Human };
    let format = args.format.unwrap_or(by_place);
    let step = Step::from_env();
    if format == Format::Github && step.output.is_none() {
        let text =
            "`--format github` writes to the file that `GITHUB_OUTPUT` names, and it is not set";
        return Err(Failure::Usage(text.to_owned()));
    }
    step.set(&[("matrix", matrix.to_string())]).map_err(|error| runner_error(&error))?;
    if format == Format::Json {
        writeln!(out, "{matrix}")?;
        return Ok(ExitCode::Passed);
    }
    for PlannedShare { share, n_fields, n_px } in &shares {
        writeln!(out, "shard {share}: {n_fields} fields, {n_px} px")?;
    }
    if shares.is_empty() {
        writeln!(out, "nothing to gate")?;
    }
    Ok(ExitCode::Passed)
}

/// The matrix; GitHub refuses an empty one.
fn matrix(shares: &[PlannedShare]) -> Value {
    let entry =
        |share: &PlannedShare| json!({"shard": share.share.to_string(), "fields": share.n_fields});
    let entries: Vec<Value> = shares.iter().map(entry).collect();
    let nothing = || vec![json!({"shard": "1/1", "fields": 0})];
    json!({"include": if entries.is_empty() { nothing() } else { entries }})
}
