//! `cellgate deploy`: brings the approved release of this commit onto a target.

use crate::ui::Ui;
use crate::ui::failure::{Failure, append_causes};
use crate::ui::hosts::{Format, TargetArgs, options, report, root, with_hosts};
use crate::ui::inputs::CACHE_FOLDER;
use cellgate_approval::ApprovalStatus;
use cellgate_core::digest::Digest;
use cellgate_deploy::bootstrap::bootstrap;
use cellgate_deploy::commit::{Asked, CommitError, deploy_commit, plan_commit};
use cellgate_deploy::pack::{self, PackError, Packed};
use cellgate_deploy::preview::{KeptPlan, MAX_PLAN_BYTES, Preview};
use cellgate_deploy::session::Options;
use cellgate_deploy::target::{HostTransport, Hosts};
use cellgate_gate::exit::ExitCode;
use cellgate_inputs::revision::{Tree, git_folder};
use cellgate_run::cache::Cache;
use cellgate_run::write::replace;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bring the approved release of this commit onto a target's hosts, or leave them as they were
///
/// Packs the commit that is checked out: the gated profiles, the policy, the approvals and the
/// program. All hosts are prepared first; the first one is switched and confirmed alone, then the
/// others. What is not confirmed goes back by itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 deployed or there already, 20 refused before anything \
    changed,\n  21 failed and the former release is active, 22 manual repair is needed, 23 not known.\n\n\
    Examples:\n  cellgate deploy --target production --plan\n  \
    cellgate deploy --target production --plan-out plan.json\n  \
    cellgate deploy --target production plan.json\n  cellgate deploy --target local:server")]
pub(crate) struct Args {
    /// A plan that was kept by `--plan-out`: refused where a host has moved since
    #[arg(value_name = "PLAN", conflicts_with_all = ["plan", "plan_out"])]
    kept: Option<PathBuf>,
    #[command(flatten)]
    target: TargetArgs,
    /// Show what would change, change nothing
    #[arg(long)]
    plan: bool,
    /// Show what would change, and keep it in a file for a later deploy
    #[arg(long, value_name = "FILE")]
    plan_out: Option<PathBuf>,
    /// Install the program on bare servers, where the key still opens a shell, and print the line for
    /// `authorized_keys` that leaves it nothing but deploys; deploys nothing
    #[arg(long, conflicts_with_all = ["plan", "plan_out", "kept"])]
    bootstrap: bool,
    /// The program for the server, when it is not this one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Where the log of approvals stands, when it is not the branch `cellgate-approvals`
    #[arg(long, value_name = "REV")]
    approvals: Option<String>,
    /// Seconds that a server waits for the confirmation before it goes back
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    window: u64,
    /// Seconds to wait while somebody else deploys
    #[arg(long, value_name = "SECONDS", default_value = "0")]
    #[arg(value_parser = clap::value_parser!(u64).range(..=86_400))]
    wait: u64,
    /// Folder where the gate keeps its results
    #[arg(long, value_name = "DIR", env = "CELLGATE_CACHE")]
    cache: Option<PathBuf>,
    /// File that the outcome is added to as Markdown
    #[arg(long, value_name = "FILE", env = "GITHUB_STEP_SUMMARY")]
    summary: Option<PathBuf>,
}

/// Packs, asks or brings, prints; gives the exit code.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let (out, is_quiet) = (&mut *ui.out, ui.is_quiet);
    let root = root();
    if args.bootstrap {
        return install(args, &root, out);
    }
    let plan = args.kept.as_deref().map(read_plan).transpose()?;
    if let Some(plan) = plan.as_ref().filter(|plan| plan.target != args.target.target) {
        let text = format!("the plan is about target `{}`", plan.target);
        return Err(Failure::Deploy(ExitCode::DeployRefused, text));
    }
    let packing = Asked::start(request(args, &root)?);
    let is_plan = args.plan || args.plan_out.is_some();
    let name = &args.target.target;
    let mut buffer = Vec::new();
    let code = with_hosts(name, &root, async |hosts: &mut Hosts, switching| {
        let options = |release: Digest| Options {
            window: Duration::from_secs(args.window),
            lock_wait: Duration::from_secs(args.wait),
            ..options(&release.to_string(), switching, is_quiet)
        };
        if is_plan {
            let (packed, previews) =
                plan_commit(packing, hosts, options).await.map_err(commit_failure)?;
            if let Some(path) = &args.plan_out {
                let plan = KeptPlan::new(name, packed.package.release().id(), &previews);
                let json = serde_json::to_vec_pretty(&plan);
                replace(path, &json.map_err(|error| Failure::tool("the plan", &error))?)?;
            }
            return print_plan(args, &packed, &previews, &mut buffer);
        }
        let (packed, record) = deploy_commit(packing, name, hosts, plan.as_ref(), options)
            .await
            .map_err(commit_failure)?;
        if args.target.format == Format::Human {
            print_packed(&packed, &mut buffer)?;
        }
        report(&record, args.target.format, args.summary.as_deref(), &mut buffer)
    });
    out.write_all(&buffer)?;
    code
}

/// Installs the program on every host of a target.
fn install(args: &Args, root: &Path, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let program = program(args)?;
    let mut buffer = Vec::new();
    let result = with_hosts(&args.target.target, root, async |hosts: &mut Hosts, _| {
        for host in &hosts.hosts {
            let HostTransport::Ssh(way) = &host.way else {
                let text = "a local target needs no bootstrap: deploy to it".to_owned();
                return Err(Failure::Deploy(ExitCode::DeployRefused, text));
            };
            let installed = bootstrap(way, &program).await;
            let installed = installed.map_err(|error| {
                Failure::Deploy(ExitCode::DeployRefused, format!("{}: {error}", host.name))
            })?;
            writeln!(buffer, "{}: installed as {}", host.name, installed.path)?;
            if let Some(line) = installed.line {
                writeln!(
                    buffer,
                    "put this line in place of the key's line in `~/.ssh/authorized_keys` there:\n{line}"
                )?;
            }
        }
        Ok(ExitCode::Passed)
    });
    out.write_all(&buffer)?;
    result
}

fn program(args: &Args) -> Result<PathBuf, Failure> {
    match &args.binary {
        Some(path) => Ok(path.clone()),
        None => std::env::current_exe()
            .map_err(|error| Failure::tool("this program's own path is not known", &error)),
    }
}

/// Request to pack the commit that is checked out.
fn request(args: &Args, root: &Path) -> Result<pack::Request, Failure> {
    let program = program(args)?;
    let folder = args.cache.clone().or_else(|| Some(git_folder(root).ok()?.join(CACHE_FOLDER)));
    Ok(pack::Request {
        repository: root.to_owned(),
        program,
        approvals: args.approvals.clone(),
        cache: folder.map(Cache::new),
    })
}

/// Why a commit was not brought to a target, as a failure of the command.
fn commit_failure(error: CommitError) -> Failure {
    match error {
        CommitError::Pack(PackError::Invalid(findings)) => Failure::Findings(findings),
        CommitError::Preview(failure) => {
            Failure::Deploy(failure.ended.exit_code(), failure.message)
        }
        CommitError::Lost => Failure::Tool(error.to_string()),
        CommitError::Plan(error) => Failure::Deploy(ExitCode::DeployRefused, error.to_string()),
        CommitError::Pack(_) => {
            let mut text = error.to_string();
            append_causes(&mut text, &error);
            Failure::Deploy(ExitCode::DeployRefused, text)
        }
    }
}

fn read_plan(path: &Path) -> Result<KeptPlan, Failure> {
    let refusal = |text: String| {
        Failure::Deploy(ExitCode::DeployRefused, format!("`{}`: {text}", path.display()))
    };
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let bytes = Tree::Folder(folder.to_owned()).read(&name, MAX_PLAN_BYTES);
    let bytes = bytes.map_err(|error| refusal(error.to_string()))?;
    KeptPlan::parse(&bytes).map_err(|error| refusal(error.to_string()))
}

/// Prints the release and who approved it.
fn print_packed(packed: &Packed, out: &mut dyn Write) -> Result<(), Failure> {
    let release = packed.package.release();
    writeln!(
        out,
        "release {}: commit {}, {} files, {} bytes, for {}",
        release.id().short(),
        release.commit.get(..12).unwrap_or(&release.commit),
        release.files.len(),
        release.n_bytes(),
        release.target_triple
    )?;
    for (name, standing) in &packed.standings {
        if let ApprovalStatus::Approved { by } = standing {
            let approvers: Vec<String> = by
                .iter()
                .map(|approval| {
                    format!("{} ({}): {}", approval.who, approval.when.as_str(), approval.why)
                })
                .collect();
            writeln!(out, "  {name}: approved by {}", approvers.join("; "))?;
        }
    }
    Ok(())
}

/// Prints the changes that a deploy would make; exit code 20 when a host would refuse.
fn print_plan(
    args: &Args,
    packed: &Packed,
    previews: &[Preview],
    out: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let is_refused = previews.iter().any(|preview| !preview.plan.refusals.is_empty());
    if args.target.format == Format::Json {
        let plan = KeptPlan::new(&args.target.target, packed.package.release().id(), previews);
        let json = serde_json::to_string_pretty(&cellgate_deploy::preview::json(&plan, previews));
        writeln!(out, "{}", json.map_err(|error| Failure::tool("the plan", &error))?)?;
        return Ok(if is_refused { ExitCode::DeployRefused } else { ExitCode::Passed });
    }
    print_packed(packed, out)?;
    for Preview { host, plan, difference, parameters, n_bytes } in previews {
        let active = plan.active.map_or_else(|| "nothing".to_owned(), |id| id.short());
        if plan.is_active {
            writeln!(out, "{host}: {active} is active already; nothing would change")?;
            continue;
        }
        writeln!(out, "{host}: {active} is active; {n_bytes} bytes would be sent")?;
        let lists =
            [("+", &difference.added), ("-", &difference.removed), ("~", &difference.changed)];
        for (sign, path) in
            lists.iter().flat_map(|(sign, paths)| paths.iter().map(move |path| (sign, path)))
        {
            writeln!(out, "  {sign} {path}")?;
        }
        for (profile, changes) in parameters {
            for change in changes {
                writeln!(out, "  {profile}: {}: {} -> {}", change.key, change.base, change.head)?;
            }
        }
        for refusal in &plan.refusals {
            writeln!(out, "  would be refused: {refusal}")?;
        }
    }
    Ok(if is_refused { ExitCode::DeployRefused } else { ExitCode::Passed })
}
