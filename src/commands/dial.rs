//! `cellgate dial`: makes a connection for ssh, which starts this as its way to a server.

use crate::ui::Ui;
use crate::ui::failure::Failure;
use cellgate_deploy::ssh::{dial, hand_over};
use cellgate_gate::exit::ExitCode;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// Connect to a server and hand the connection over to the ssh that asks
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  ssh -o ProxyUseFdpass=yes -o 'ProxyCommand=cellgate dial %h %p' \
    server"
)]
pub(crate) struct Args {
    /// Name or address
    host: String,
    /// Port
    port: u16,
    /// How long to try
    #[arg(long, value_name = "N", default_value_t = 15)]
    seconds: u64,
    /// File to add what failed to; without it, standard error
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// Connects and hands over; gives the exit code.
pub(crate) fn run(_: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    // Without the ssh that asked nobody waits for the connection.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))
        .map_err(std::io::Error::from)?;
    let connection = dial(&args.host, args.port, Duration::from_secs(args.seconds));
    let result = connection.and_then(|connection| hand_over(&connection, rustix::stdio::stdout()));
    let Err(error) = result else { return Ok(ExitCode::Passed) };
    match &args.log {
        Some(log) => {
            let mut log = OpenOptions::new().append(true).create(true).open(log)?;
            writeln!(log, "{error}")?;
        }
        None => writeln!(std::io::stderr(), "{error}")?,
    }
    Ok(ExitCode::ToolFailed)
}
