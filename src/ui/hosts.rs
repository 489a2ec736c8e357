//! Hosts: the parts that deploy, rollback and status share: the target, who asks, signals, the
//! outcome.

use super::failure::Failure;
use cellgate_core::digest::Digest;
use cellgate_deploy::cancel::unless_cancelled;
use cellgate_deploy::record::DeployRecord;
use cellgate_deploy::session::{Options, Progress};
use cellgate_deploy::target::{self, Hosts};
use cellgate_deploy::wire::Owner;
use cellgate_gate::exit::ExitCode;
use cellgate_inputs::finding::has_errors;
use cellgate_inputs::project::{FILE, Project};
use cellgate_inputs::revision::{Tree, repository_root};
use clap::ValueEnum;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long closing connections may take when somebody ends this process.
const CLOSING: Duration = Duration::from_secs(3);

/// Form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Lines for people
    Human,
    /// A record for programs
    Json,
}

/// Which target, and how it is reached.
#[derive(Debug, clap::Args)]
pub(crate) struct TargetArgs {
    /// Name under `targets:` of cellgate.yaml, or `local:DIR`
    #[arg(long, value_name = "NAME")]
    pub(crate) target: String,
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Top of the repository; this folder where there is none.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(".");
    repository_root(&here).unwrap_or(here)
}

/// Finds a target and prepares the ways to its hosts; runs the work until a signal comes.
///
/// The work gets the hosts and a switch that it sets when what is active may change.
pub(crate) fn with_hosts<T>(
    name: &str,
    root: &Path,
    work: impl AsyncFnOnce(&mut Hosts, &Arc<AtomicBool>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let refusal = |text: String| Failure::Deploy(ExitCode::DeployRefused, text);
    let program = std::env::current_exe()
        .map_err(|error| Failure::tool("this program's own path is not known", &error))?;
    let tree = Tree::Folder(root.to_owned());
    let project = match tree.has_file(FILE) {
        Ok(true) => Some(Project::load(&tree).map_err(Failure::Findings)?),
        _ => None,
    };
    if let Some(project) = project.as_ref().filter(|project| has_errors(&project.warnings)) {
        return Err(Failure::Findings(project.warnings.clone()));
    }
    let target =
        target::find(name, project.as_ref()).map_err(|error| refusal(error.to_string()))?;
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::tool("the runtime cannot be started", &error))?;
    let variable = |name: &str| std::env::var(name).ok();
    let switching = Arc::new(AtomicBool::new(false));
    runtime.block_on(async {
        let opened = unless_cancelled(target::open(&target, root, &program, &variable)).await;
        let mut hosts = opened
            .map_err(|error| refusal(error.to_string()))?
            .map_err(|error| refusal(error.to_string()))?;
        print_repairs(&hosts);
        let result = unless_cancelled(work(&mut hosts, &switching)).await;
        let _ = tokio::time::timeout(CLOSING, hosts.close()).await;
        result.unwrap_or_else(|cancelled| {
            let is_open = switching.load(Ordering::Relaxed);
            let (code, text) = if is_open {
                (ExitCode::Unknown, "what is active is not known: the servers go back unless it was confirmed; ask by `cellgate status`")
            } else {
                (ExitCode::DeployFailed, "nothing was switched")
            };
            Err(Failure::Deploy(code, format!("{cancelled}: {text}")))
        })
    })
}

#[expect(clippy::print_stderr, reason = "what was put right is no result")]
fn print_repairs(hosts: &Hosts) {
    for repair in &hosts.repairs {
        eprintln!("note: {repair}; it was put right for this run, correct the secret");
    }
}

/// Who asks, from what CI and the system say.
fn owner() -> Owner {
    let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let who = variable("GITHUB_ACTOR").or_else(|| variable("USER"));
    let run = ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"].map(variable);
    let run_url = match run {
        [Some(server), Some(repository), Some(run)] => {
            format!("{server}/{repository}/actions/runs/{run}")
        }
        _ => String::new(),
    };
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Owner { who: who.unwrap_or_else(|| "somebody".to_owned()), run_url, machine }
}

/// Options of a deploy: `name` tells apart what is deployed, the owner who does it.
pub(crate) fn options(name: &str, switching: &Arc<AtomicBool>, is_quiet: bool) -> Options {
    let owner = owner();
    let by = if owner.run_url.is_empty() { &owner.machine } else { &owner.run_url };
    // One name for each attempt of the same run; the server wants a plain word.
    let key = Digest::of_bytes(format!("{name} {} {by}", owner.who).as_bytes()).to_string();
    let switching = Arc::clone(switching);
    let mut options = Options::new(key, owner);
    options.progress = Arc::new(move |progress| {
        if progress == Progress::Switching {
            switching.store(true, Ordering::Relaxed);
        }
        if !is_quiet {
            print_progress(progress);
        }
    });
    options
}

#[expect(clippy::print_stderr, reason = "progress is no result")]
fn print_progress(progress: Progress) {
    match progress {
        // Told by the bytes of each chunk, which would be thousands of lines.
        Progress::Sending { n_bytes, of } if n_bytes < of => {}
        Progress::Sending { of, .. } => eprintln!("sent {of} bytes"),
        Progress::Waiting => eprintln!("waiting: another deploy has the lock"),
        Progress::Staging => eprintln!("the server verifies what it has"),
        Progress::Testing => eprintln!("the release tests itself"),
        Progress::Switching => eprintln!("switching"),
        Progress::Confirming => eprintln!("confirming over a new connection"),
    }
}

/// Prints what became of a deploy, adds it to the job's summary, gives the exit code.
pub(crate) fn report(
    record: &DeployRecord,
    format: Format,
    summary: Option<&Path>,
    out: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    match format {
        Format::Json => {
            let json = record.to_json().map_err(|error| Failure::tool("the record", &error))?;
            writeln!(out, "{json}")?;
        }
        Format::Human => print_record(record, out)?,
    }
    if let Some(path) = summary {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        let result = file.and_then(|mut file| file.write_all(record.to_markdown().as_bytes()));
        result.map_err(|error| Failure::tool("the job's summary cannot be written", &error))?;
    }
    Ok(record.exit_code)
}

fn print_record(record: &DeployRecord, out: &mut dyn Write) -> Result<(), Failure> {
    for host in &record.hosts {
        let short = |id: Option<Digest>| id.map_or_else(|| "nothing".to_owned(), |id| id.short());
        match host.outcome {
            "done" => writeln!(
                out,
                "{}: {} is active, before it {}; {} bytes sent",
                host.host,
                short(host.active),
                short(host.before),
                host.n_sent_bytes
            )?,
            "unchanged" => {
                writeln!(out, "{}: {} was active already", host.host, short(host.active))?
            }
            outcome => writeln!(out, "{}: {outcome}: {}", host.host, host.message)?,
        }
        for warning in &host.warnings {
            writeln!(out, "  warning: {warning}")?;
        }
    }
    Ok(())
}
