//! Ui: the common parts of commands: where they print, how findings, failures, progress and the
//! outcome of a deploy look, and arguments that several take.

pub(crate) mod askpass;
pub(crate) mod change;
pub(crate) mod dataset;
pub(crate) mod failure;
pub(crate) mod findings;
pub(crate) mod given;
pub(crate) mod hosts;
pub(crate) mod inputs;
pub(crate) mod output;
pub(crate) mod preparation;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod value;

use cellgate_gate::exit::ExitCode;
use cellgate_inputs::finding::Finding;
use failure::Failure;
use std::io::Write;

/// Where a command prints, and how.
pub(crate) struct Ui<'a> {
    /// Standard output.
    pub(crate) out: &'a mut dyn Write,
    /// Results only, no progress.
    pub(crate) is_quiet: bool,
    /// Whether standard output shows colors.
    pub(crate) has_color: bool,
}

impl Ui<'_> {
    /// Prints findings about what a command was given; gives the exit code that they ask for.
    pub(crate) fn print_findings(&mut self, found: &[Finding]) -> Result<ExitCode, Failure> {
        if !found.is_empty() {
            let format = findings::Format::Human;
            findings::print(self.out, format, found, &[], &[], self.has_color)?;
        }
        Ok(findings::exit_code(found))
    }
}
