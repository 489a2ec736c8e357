//! `cellgate status`: the active release of a target.

use crate::ui::Ui;
use crate::ui::failure::Failure;
use crate::ui::hosts::{Format, TargetArgs, options, root, with_hosts};
use cellgate_core::digest::Digest;
use cellgate_deploy::Failure as DeployFailure;
use cellgate_deploy::session::{Options, Session};
use cellgate_deploy::target::Hosts;
use cellgate_deploy::wire::ServerStatus;
use cellgate_gate::exit::ExitCode;
use std::io::Write;

/// Tell what is active on a target, and whether it is what was deployed
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all is well, 20 a host cannot be asked, 24 files differ or manual \
    repair is needed.\n\nExamples:\n  cellgate status --target production\n  \
    cellgate status --target production --verify"
)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// Read every deployed byte again, and name the files that differ
    #[arg(long)]
    verify: bool,
}

/// Asks every host, prints; gives the exit code.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let out = &mut *ui.out;
    let mut statuses: Vec<(String, Result<ServerStatus, DeployFailure>)> = Vec::new();
    with_hosts(&args.target.target, &root(), async |hosts: &mut Hosts, switching| {
        let options = options("status", switching, true);
        for host in &hosts.hosts {
            let status = query_status(&host.way, &options, args.verify).await;
            statuses.push((host.name.clone(), status));
        }
        Ok(())
    })?;
    match args.target.format {
        Format::Json => print_json(args, &statuses, out)?,
        Format::Human => {
            for (host, status) in &statuses {
                print_status(host, status, args.verify, out)?;
            }
        }
    }
    let code = |status: &Result<ServerStatus, DeployFailure>| match status {
        Err(_) => ExitCode::DeployRefused,
        Ok(status) if status.stranded.is_some() || !status.damages.is_empty() => {
            ExitCode::Unhealthy
        }
        Ok(_) => ExitCode::Passed,
    };
    Ok(statuses.iter().map(|(_, status)| code(status)).max().unwrap_or(ExitCode::Passed))
}

async fn query_status(
    way: &cellgate_deploy::target::HostTransport,
    options: &Options,
    verify: bool,
) -> Result<ServerStatus, DeployFailure> {
    Session::open(way, options.clone()).await?.status(verify).await
}

fn print_json(
    args: &Args,
    statuses: &[(String, Result<ServerStatus, DeployFailure>)],
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let host = |(host, status): &(String, Result<ServerStatus, DeployFailure>)| match status {
        Ok(status) => serde_json::json!({"host": host, "status": status}),
        Err(failure) => serde_json::json!({"host": host, "error": failure.message}),
    };
    let hosts: Vec<serde_json::Value> = statuses.iter().map(host).collect();
    let document = serde_json::json!({
        "schema": "cellgate/status/v1",
        "target": args.target.target,
        "is_verified": args.verify,
        "hosts": hosts,
    });
    writeln!(out, "{document:#}")?;
    Ok(())
}

fn print_status(
    host: &str,
    status: &Result<ServerStatus, DeployFailure>,
    is_verified: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let status = match status {
        Ok(status) => status,
        Err(failure) => {
            writeln!(out, "{host}: cannot be asked: {failure}")?;
            return Ok(());
        }
    };
    let full = |id: Option<Digest>| id.map_or_else(|| "nothing".to_owned(), |id| id.to_string());
    writeln!(out, "{host}: active {}", full(status.active))?;
    writeln!(out, "  before it {}", full(status.previous))?;
    for id in &status.good {
        if Some(*id) != status.active && Some(*id) != status.previous {
            writeln!(out, "  also there {id}")?;
        }
    }
    if let Some(pending) = &status.pending {
        let seconds = pending.left_ms / 1000;
        writeln!(out, "  {} waits for its confirmation, {seconds} s left", pending.release)?;
    }
    if let Some(lock) = &status.lock {
        let seconds = lock.age_ms / 1000;
        let owner = &lock.owner;
        writeln!(
            out,
            "  {} deploys for {seconds} s {} {}",
            owner.who, owner.machine, owner.run_url
        )?;
    }
    if let Some(failure) = &status.last_failure {
        writeln!(out, "  the last deploy that failed: {failure}")?;
    }
    if let Some(reason) = &status.stranded {
        writeln!(out, "  manual repair is needed: {reason}")?;
    }
    for damage in &status.damages {
        writeln!(out, "  differs: `{}` {}", damage.path, damage.what)?;
    }
    if is_verified && status.damages.is_empty() {
        writeln!(out, "  every deployed byte is what was deployed")?;
    }
    writeln!(out, "  cellgate {}, {} bytes free", status.cellgate, status.free_bytes)?;
    Ok(())
}
