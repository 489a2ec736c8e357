//! Command line: arguments in, text and an exit code out. A subcommand is a file.
//!
//! Only this floor prints and chooses the exit code; it computes nothing.

mod agent;
mod approve;
mod askpass;
mod change;
mod comment;
mod compare;
mod dataset;
mod demo;
mod deploy;
mod dial;
mod evaluate;
mod failure;
mod findings;
mod gate;
mod given;
mod hosts;
mod init;
mod inputs;
mod measure;
mod merge;
mod model;
mod output;
mod plan;
mod predict;
mod preparation;
mod progress;
mod pull;
mod report;
mod rollback;
mod schema;
mod segment;
mod status;
mod train;
#[cfg(feature = "train")]
mod training;
mod validate;

use cellgate_github::step::is_read_by_runner;
use clap::{CommandFactory as _, Parser, Subcommand};
use failure::Failure;
use output::Output;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

/// The gate for changes of cell parameters
///
/// Validates profiles, segments and measures a fixture dataset with base's and head's parameters,
/// compares the measurements and says whether the change may pass, and why.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 passed, 1 the tool failed, 2 usage, 3 nothing to check, 10 findings,\n  \
    11 drift, 12 accuracy below its floor, 13 not approved, 20 deploy refused, 21 deploy failed,\n  \
    22 a person is needed, 23 what is active is not known, 24 the target is unhealthy.\n\n\
    Example:\n  cellgate demo"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Threads to use; all cores without this
    #[arg(long, global = true, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print results only, no progress
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Demo(demo::Args),
    Validate(validate::Args),
    Schema(schema::Args),
    Dataset(dataset::Args),
    Segment(segment::Args),
    Predict(predict::Args),
    Model(model::Args),
    Measure(measure::Args),
    Evaluate(evaluate::Args),
    Train(train::Args),
    Gate(gate::Args),
    Plan(plan::Args),
    Merge(merge::Args),
    Compare(compare::Args),
    Comment(comment::Args),
    Approve(approve::Args),
    Deploy(deploy::Args),
    Rollback(rollback::Args),
    Status(status::Args),
    Agent(agent::Args),
    #[command(hide = true)]
    Dial(dial::Args),
}

/// Asks for small pages, here and in what is started from here: what needs little memory for a moment
/// waits longer for huge ones, which are cleared whole, than it computes.
fn small_pages() {
    // Where this cannot be had, everything is as it was.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Runs the command line.
pub(crate) fn main() -> ExitCode {
    if let Some(code) = askpass::answer() {
        return code;
    }
    let arguments = given::given(std::env::args_os(), Cli::command);
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(misused(&error)),
    };
    if let Some(threads) = cli.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(usize::from(threads));
        // What only computes does so on this thread, too, which then never hands its data over.
        let is_alone = matches!(cli.command, Command::Segment(_) | Command::Measure(_));
        let pool = if is_alone { pool.use_current_thread() } else { pool };
        if let Err(error) = pool.build_global() {
            return ExitCode::from(Failure::tool("threads cannot be started", &error).print());
        }
    }
    if let Command::Deploy(_) | Command::Rollback(_) | Command::Status(_) | Command::Agent(_) =
        cli.command
    {
        small_pages();
    }
    let out = io::stdout().lock();
    let is_frames = matches!(cli.command, Command::Agent(_));
    let out = if is_frames { Output::verbatim(out) } else { Output::new(out) };
    let mut out = io::BufWriter::new(out);
    let has_color = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let code = match &cli.command {
        Command::Init(args) => init::run(args, &mut out),
        Command::Demo(args) => demo::run(args, &mut out, cli.quiet),
        Command::Validate(args) => validate::run(args, &mut out, has_color).map_err(Failure::from),
        Command::Schema(args) => schema::run(args, &mut out),
        Command::Dataset(args) => dataset_command(args, &mut out, (has_color, cli.quiet)),
        Command::Segment(args) => segment::run(args, &mut out, cli.quiet),
        Command::Predict(args) => predict::run(args, &mut out, cli.quiet),
        Command::Model(args) => model::run(args, &mut out),
        Command::Measure(args) => measure::run(args, &mut out),
        Command::Evaluate(args) => evaluate::run(args, &mut out),
        Command::Train(args) => train::run(args, &mut out, cli.quiet),
        Command::Gate(args) => gate::run(args, &mut out, cli.quiet, has_color),
        Command::Plan(args) => plan::run(args, &mut out),
        Command::Compare(args) => compare::run(args, &mut out),
        Command::Merge(args) => merge::run(args, &mut out, cli.quiet, has_color),
        Command::Comment(args) => comment::run(args, &mut out),
        Command::Approve(args) => approve::run(args, &mut out),
        Command::Deploy(args) => deploy::run(args, &mut out, cli.quiet),
        Command::Rollback(args) => rollback::run(args, &mut out, cli.quiet),
        Command::Status(args) => status::run(args, &mut out),
        Command::Agent(args) => agent::run(args, &mut out),
        Command::Dial(args) => dial::run(args),
    };
    let flushed = out.flush();
    let code = match (code, flushed) {
        (Ok(code), Ok(())) => code,
        (Ok(_), Err(error)) => Failure::from(error).print(),
        (Err(failure), _) => failure.print(),
    };
    ExitCode::from(code)
}

/// Tells what is wrong with the arguments, or the help that they ask for.
fn misused(error: &clap::Error) -> u8 {
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    if code == 0 || !is_read_by_runner() {
        // Whoever closed the stream does not want to know.
        let _ = error.print();
        return code;
    }
    // Arguments come from a workflow's inputs, and the text quotes them.
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
    let failure = report::told(Err(Failure::Usage(text.to_owned())));
    failure.unwrap_or_else(|failure| failure.print())
}

fn dataset_command(
    args: &dataset::Args,
    out: &mut dyn io::Write,
    (has_color, is_quiet): (bool, bool),
) -> Result<u8, Failure> {
    let found = dataset::run(args, out, is_quiet).map_err(|error| match error {
        dataset::DatasetError::Pull(failure) => failure,
        error => Failure::tool("the dataset", &error),
    })?;
    if !found.is_empty() {
        findings::print(out, findings::Format::Human, (&found, &[], &[]), has_color)?;
    }
    Ok(findings::exit_code(&found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in Cli::command().get_subcommands().filter(|command| !command.has_subcommands())
        {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{}", command.get_name());
        }
    }
}
