//! Askpass: cellgate as the program that answers `ssh-add`, in a process that `ssh-add` starts.
//!
//! Not a subcommand: `ssh-add` gives its question as the only argument.

use cellgate_deploy::ssh::{ASKPASS_REPLY, askpass_answer};
use cellgate_inputs::secret::Secret;
use std::io::Write as _;
use std::process::ExitCode;

/// Answers and gives the exit code; `None` when nobody asks.
pub(crate) fn answer() -> Option<ExitCode> {
    let reply = Secret::from_env(ASKPASS_REPLY)?;
    let question = std::env::args().nth(1).unwrap_or_default();
    let Some(text) = askpass_answer(&question, &reply) else {
        return Some(ExitCode::FAILURE);
    };
    let is_written = writeln!(std::io::stdout(), "{text}").is_ok();
    Some(if is_written { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
