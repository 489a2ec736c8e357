//! Commands: the command line, a file for each subcommand.
//!
//! A command takes its arguments, calls the library, prints what came out, and gives the exit code.

mod agent;
mod approve;
mod comment;
mod compare;
mod dataset;
mod demo;
mod deploy;
mod dial;
mod evaluate;
mod gate;
mod init;
mod measure;
mod merge;
mod model;
mod plan;
mod predict;
mod rollback;
mod schema;
mod segment;
mod status;
mod train;
mod validate;

use crate::ui::Ui;
use crate::ui::failure::Failure;
use cellgate_gate::exit::ExitCode;
use clap::{Parser, Subcommand};

/// Widest line of the help that is written here.
const HELP_WIDTH: usize = 84;

/// The gate for changes of cell parameters
///
/// Validates profiles, segments and measures a fixture dataset with base's and head's parameters,
/// compares the measurements and says whether the change may pass, and why.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, propagate_version = true)]
#[command(after_help = after_help())]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Threads to use; all cores without this
    #[arg(long, global = true, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Print results only, no progress
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
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

/// Text below the help: exit codes and an example.
fn after_help() -> String {
    let codes = ExitCode::sentence("Exit codes:", HELP_WIDTH);
    format!("{codes}\n\nExample:\n  cellgate demo")
}

impl Cli {
    /// Runs the command.
    pub(crate) fn run(&self, ui: &mut Ui<'_>) -> Result<ExitCode, Failure> {
        match &self.command {
            Command::Init(args) => init::run(ui, args),
            Command::Demo(args) => demo::run(ui, args),
            Command::Validate(args) => validate::run(ui, args),
            Command::Schema(args) => schema::run(ui, args),
            Command::Dataset(args) => dataset::run(ui, args),
            Command::Segment(args) => segment::run(ui, args),
            Command::Predict(args) => predict::run(ui, args),
            Command::Model(args) => model::run(ui, args),
            Command::Measure(args) => measure::run(ui, args),
            Command::Evaluate(args) => evaluate::run(ui, args),
            Command::Train(args) => train::run(ui, args),
            Command::Gate(args) => gate::run(ui, args),
            Command::Plan(args) => plan::run(ui, args),
            Command::Merge(args) => merge::run(ui, args),
            Command::Compare(args) => compare::run(ui, args),
            Command::Comment(args) => comment::run(ui, args),
            Command::Approve(args) => approve::run(ui, args),
            Command::Deploy(args) => deploy::run(ui, args),
            Command::Rollback(args) => rollback::run(ui, args),
            Command::Status(args) => status::run(ui, args),
            Command::Agent(args) => agent::run(ui, args),
            Command::Dial(args) => dial::run(ui, args),
        }
    }

    /// Whether the command only computes: it does so on this thread, too, which then never hands its
    /// data over.
    pub(crate) fn is_compute_only(&self) -> bool {
        matches!(self.command, Command::Segment(_) | Command::Measure(_))
    }

    /// Whether the command needs little memory for a moment, and talks.
    pub(crate) fn is_network_bound(&self) -> bool {
        matches!(
            self.command,
            Command::Deploy(_) | Command::Rollback(_) | Command::Status(_) | Command::Agent(_)
        )
    }

    /// Whether what the command prints is for a program, byte by byte.
    pub(crate) fn has_framed_output(&self) -> bool {
        matches!(self.command, Command::Agent(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

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
