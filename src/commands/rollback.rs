//! `cellgate rollback`: goes back to a release that a target had before.

use crate::ui::Ui;
use crate::ui::failure::Failure;
use crate::ui::hosts::{TargetArgs, options, report, root, with_hosts};
use cellgate_core::digest::Digest;
use cellgate_deploy::fleet::roll_out;
use cellgate_deploy::record::DeployRecord;
use cellgate_deploy::target::Hosts;
use cellgate_deploy::whole::Wanted;
use cellgate_gate::exit::ExitCode;
use std::path::PathBuf;
use std::time::Duration;

/// Go back to a release that a target had before
///
/// Without `--to` to the one before the active one. The release lies on the servers already; it is
/// verified, tests itself, and is confirmed like any other.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cellgate rollback --target production\n  \
    cellgate rollback --target production --to 3f9a1c…")]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// The release, with all of its 64 digits; `cellgate status` names those that are there
    #[arg(long, value_name = "RELEASE")]
    to: Option<String>,
    /// Seconds that a server waits for the confirmation before it returns
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    window: u64,
    /// File that the outcome is added to as Markdown
    #[arg(long, value_name = "FILE", env = "GITHUB_STEP_SUMMARY")]
    summary: Option<PathBuf>,
}

/// Goes back, prints; gives the exit code.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let (out, is_quiet) = (&mut *ui.out, ui.is_quiet);
    let to: Option<Digest> = match &args.to {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| {
            let help = "give all 64 digits, as `cellgate status` shows them";
            Failure::Deploy(ExitCode::DeployRefused, format!("`{text}` is no release: {help}"))
        })?),
    };
    let name = &args.target.target;
    let mut buffer = Vec::new();
    let code = with_hosts(name, &root(), async |hosts: &mut Hosts, switching| {
        let mut options = options("rollback", switching, is_quiet);
        options.window = Duration::from_secs(args.window);
        options.keep = hosts.keep;
        let outcomes = roll_out(&hosts.hosts, Wanted::Former(to), &options).await;
        let record = DeployRecord::new("rollback", name, to, &outcomes);
        report(&record, args.target.format, args.summary.as_deref(), &mut buffer)
    });
    out.write_all(&buffer)?;
    code
}
