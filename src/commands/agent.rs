//! `cellgate agent`: the server side of deploy, on standard input and output.

use crate::ui::Ui;
use crate::ui::failure::Failure;
use cellgate_deploy::agent::fault::Fault;
use cellgate_deploy::agent::{Refused, Settings, World, examine, guard, serve, watch};
use cellgate_deploy::wire::{RefusalCode, widen};
use cellgate_gate::exit::ExitCode;
use clap::Subcommand;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

/// Serve deploys on standard input and output, as sshd starts it
///
/// The line of the key in `authorized_keys` on the server reads
/// `restrict,command="/usr/local/bin/cellgate agent --root /srv/cellgate" ssh-ed25519 …`. The agent
/// owns everything below the root, keeps a journal there and starts no shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cellgate agent --root /srv/cellgate\n  \
    cellgate agent guard --root /srv/cellgate")]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Option<Act>,
    /// Folder that the agent owns
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    #[command(flatten)]
    trial: Trial,
}

/// Settings for tests of faults; no server has any of them.
#[derive(Debug, clap::Args)]
struct Trial {
    /// Let a step fail
    #[arg(long, global = true, hide = true, value_name = "POINT:ACTION[:N]")]
    fault: Option<Fault>,
    /// Tell every step on standard error
    #[arg(long, global = true, hide = true)]
    trace: bool,
    /// Name of the machine's start
    #[arg(long, global = true, hide = true)]
    boot: Option<String>,
    /// After how long a silent holder of the lock counts as stalled
    #[arg(long, global = true, hide = true)]
    lease_ms: Option<u64>,
    /// After how long the other side counts as gone
    #[arg(long, global = true, hide = true)]
    silence_ms: Option<u64>,
    /// Milliseconds that the clock is ahead, or behind
    #[arg(long, global = true, hide = true, default_value_t = 0)]
    ahead_ms: i64,
    /// Tell every change of the disk to a file
    #[arg(long, global = true, hide = true, value_name = "FILE")]
    record: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Roll back what was not confirmed in time or before a restart
    ///
    /// A timer and the start of the machine call this. Exit code 0 when nothing waits any more, 20
    /// while a deploy is at work, 22 when manual repair is needed.
    Guard,
    /// Examine a release with this program, and print what it finds as JSON
    SelfTest {
        /// Folder of the release
        release: PathBuf,
    },
}

/// Serves, guards or examines; gives the exit code.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let out = &mut *ui.out;
    if let Some(Act::SelfTest { release }) = &args.act {
        let json = serde_json::to_string(&examine(release)).map_err(io::Error::from)?;
        writeln!(out, "{json}")?;
        return Ok(ExitCode::Passed);
    }
    let Some(root) = &args.root else {
        return Err(Failure::Usage(
            "`--root DIR` is missing: the folder that the agent owns".into(),
        ));
    };
    let settings = Settings {
        fault: args.trial.fault,
        is_traced: args.trial.trace,
        boot: args.trial.boot.clone(),
        lease_ms: args.trial.lease_ms,
        silence_ms: args.trial.silence_ms,
        ahead_ms: args.trial.ahead_ms,
        record: args.trial.record.clone(),
    };
    let world = World::open(root, &settings)
        .map_err(|error| Failure::tool(&format!("`{}`", root.display()), &error))?;
    match args.act {
        Some(Act::Guard) => match guard(&world) {
            Ok(status) => {
                let active = status.active.map_or_else(|| "nothing".to_owned(), |id| id.short());
                writeln!(out, "{active} is active")?;
                Ok(ExitCode::Passed)
            }
            Err(refusal) => print_refusal(&refusal, out),
        },
        Some(Act::SelfTest { .. }) | None => {
            widen(io::stdin());
            let switched = serve(&world, io::stdin(), &mut *out)
                .map_err(|error| Failure::tool("the conversation", &error))?;
            let Some(token) = switched else { return Ok(ExitCode::Passed) };
            detach_stdio()?;
            watch(&world, token)
                .map_or_else(|refusal| print_refusal(&refusal, out), |()| Ok(ExitCode::Passed))
        }
    }
}

/// Lets go of the connection, whose other end must not wait for what goes on here.
fn detach_stdio() -> io::Result<()> {
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nowhere)?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    Ok(rustix::stdio::dup2_stderr(&nowhere)?)
}

fn print_refusal(refusal: &Refused, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    writeln!(out, "{refusal}")?;
    Ok(match refusal.code {
        RefusalCode::Stranded => ExitCode::PersonNeeded,
        RefusalCode::Locked => ExitCode::DeployRefused,
        _ => ExitCode::ToolFailed,
    })
}
