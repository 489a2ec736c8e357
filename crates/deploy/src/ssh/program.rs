//! Program: other programs, which see nothing of the environment but where they are found.

use std::process::Stdio;
use tokio::process::Command;

/// A program of OpenSSH that sees nothing of this machine's environment but where programs are.
pub(super) fn program(name: &'static str) -> Command {
    let mut command = Command::new(name);
    command.env_clear().env("LC_ALL", "C").kill_on_drop(true).stdin(Stdio::null());
    for name in ["PATH", "HOME"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}
