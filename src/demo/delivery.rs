//! Delivery: the demo's second half. The good change is approved and deployed to a folder that
//! stands for a server, the drifting one is refused, and what was good before comes back.
//!
//! Takes the folder in which the changes were gated; makes a repository and a server of its own in
//! it. Goes the way of `cellgate approve`, `deploy`, `rollback` and `status --verify`, without a
//! network and without anybody's settings of git.

use super::{DemoError, EDITS, Edit, run_gate, write_project};
use cellgate_approval::Timestamp;
use cellgate_deploy::local::Local;
use cellgate_deploy::pack::{PackError, Request, pack};
use cellgate_deploy::session::{Options, Session};
use cellgate_deploy::whole::{Deployed, deploy, rollback};
use cellgate_deploy::wire::{Owner, ServerStatus};
use cellgate_gate::report::model::Report;
use cellgate_gate::{Word, approve};
use cellgate_run::cache::Cache;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Folder of the repository in the demo's folder.
pub(crate) const REPOSITORY: &str = "repository";

/// Folder that stands for a server.
pub(crate) const SERVER: &str = "server";

/// Variables by which git would take another repository for the demo's.
const ELSEWHERE: [&str; 6] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
];

/// Settings of the repository, whatever its user has set elsewhere.
const SETTINGS: [[&str; 2]; 5] = [
    ["user.name", "Ada"],
    ["user.email", "ada@example.org"],
    ["commit.gpgsign", "false"],
    ["core.autocrlf", "false"],
    ["core.hooksPath", "/dev/null"],
];

/// Folder, program and time of a delivery.
#[derive(Debug, Clone)]
pub(crate) struct Order<'a> {
    /// The demo's folder.
    pub folder: &'a Path,
    /// cellgate itself: what is deployed, and the agent of the server.
    pub program: &'a Path,
    /// When the changes are approved.
    pub when: Timestamp,
}

/// Outcome of the delivery.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// It was done.
    Done(Box<Delivered>),
    /// It cannot be done here: why.
    LeftOut(String),
}

/// Each step of a delivery.
#[derive(Debug)]
pub(crate) struct Delivered {
    /// The parameters before any change.
    pub first: Deployed,
    /// The good change.
    pub good: Deployed,
    /// Why the drifting change was refused.
    pub refusal: String,
    /// The way back.
    pub back: Deployed,
    /// Status of the server at the end, every byte compared.
    pub status: ServerStatus,
}

/// Approves and deploys the good change, tries the drifting one, and goes back.
///
/// `report` is the report of the good change, which Ada has seen.
///
/// # Edge cases
/// Without git, or where git's variables point to another repository, it is left out. A folder that
/// had a delivery before goes on from there.
///
/// # Errors
/// [`DemoError`]; also when the drifting change is not refused.
pub(crate) async fn deliver(order: &Order<'_>, report: &Report) -> Result<Delivery, DemoError> {
    if let Some(name) = ELSEWHERE.into_iter().find(|name| std::env::var_os(name).is_some()) {
        return Ok(Delivery::LeftOut(format!("`{name}` points git to another repository")));
    }
    if let Err(error) = Command::new("git").arg("--version").stdout(Stdio::null()).status() {
        return Ok(Delivery::LeftOut(format!("git cannot be started: {error}")));
    }
    let repository = order.folder.join(REPOSITORY);
    let [good, drifting] = &EDITS;
    let base = run_gate(order.folder, &order.folder.join("base"), "base", &|_, _, _| {})?.report;
    write_project(&repository, &[])?;
    start(&repository)?;
    let nothing = Change { title: "The parameters as they are", edits: &[] };
    let first = approve_and_deploy(order, &repository, &nothing, &base).await?;
    let better = Change { title: good.title, edits: &[good] };
    let deployed = approve_and_deploy(order, &repository, &better, report).await?;
    let drift = Change { title: drifting.title, edits: &[good, drifting] };
    let refusal = try_unapproved(order, &repository, &drift)?;
    let way = Local::new(order.program, order.folder.join(SERVER));
    let back = rollback(&way, None, &options("back")).await.map_err(DemoError::Deploy)?;
    let session = Session::open(&way, options("status")).await;
    let status = session.map_err(DemoError::Deploy)?.status(true).await;
    let status = status.map_err(DemoError::Deploy)?;
    Ok(Delivery::Done(Box::new(Delivered { first, good: deployed, refusal, back, status })))
}

/// A change of the project.
struct Change<'a> {
    title: &'a str,
    edits: &'a [&'a Edit],
}

/// Commits a change, approves what its report tells, and deploys it.
async fn approve_and_deploy(
    order: &Order<'_>,
    repository: &Path,
    change: &Change<'_>,
    report: &Report,
) -> Result<Deployed, DemoError> {
    commit(repository, change)?;
    let word = Word {
        repository,
        root: repository,
        why: format!("{}: seen in the demo", change.title),
        when: order.when.clone(),
        key: None,
    };
    approve(&word, report).map_err(Box::new)?;
    let packed = pack(&request(order, repository)).map_err(Box::new)?;
    let way = Local::new(order.program, order.folder.join(SERVER));
    let result = deploy(&way, &Arc::new(packed.package), &options("deploy")).await;
    result.map_err(DemoError::Deploy)
}

/// Commits a change that nobody approved, and tries to pack it; gives why that is refused.
fn try_unapproved(
    order: &Order<'_>,
    repository: &Path,
    change: &Change<'_>,
) -> Result<String, DemoError> {
    commit(repository, change)?;
    match pack(&request(order, repository)) {
        Err(refusal @ PackError::NotApproved(_)) => Ok(refusal.to_string()),
        Err(error) => Err(Box::new(error).into()),
        Ok(_) => Err(DemoError::NotRefused),
    }
}

fn request(order: &Order<'_>, repository: &Path) -> Request {
    Request {
        repository: repository.to_owned(),
        program: order.program.to_owned(),
        approvals: None,
        cache: Some(Cache::new(order.folder.join("cache"))),
    }
}

fn options(step: &str) -> Options {
    let owner = Owner { who: "Ada".to_owned(), ..Owner::default() };
    Options::new(format!("demo-{step}"), owner)
}

/// Makes the repository, with settings of its own.
fn start(repository: &Path) -> Result<(), DemoError> {
    git(repository, &["init", "--quiet", "--template=", "--initial-branch=main"])?;
    for [key, value] in SETTINGS {
        git(repository, &["config", "--local", key, value])?;
    }
    Ok(())
}

fn commit(repository: &Path, change: &Change<'_>) -> Result<(), DemoError> {
    write_project(repository, change.edits)?;
    git(repository, &["add", "--all"])?;
    git(repository, &["commit", "--quiet", "--allow-empty", "--message", change.title])
}

fn git(repository: &Path, arguments: &[&str]) -> Result<(), DemoError> {
    let mut command = Command::new("git");
    command.arg("-C").arg(repository).args(arguments).stdin(Stdio::null());
    // Nobody's settings, templates or hooks have a say in the demo's repository.
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = command.output().map_err(|error| DemoError::Git(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    Err(DemoError::Git(message.trim().to_owned()))
}

/// Where the parts of a delivery lie, in the order in which they are worth a look.
#[must_use]
pub(crate) fn places(folder: &Path) -> [(PathBuf, &'static str); 4] {
    [
        (folder.join("good/cellgate-report/report.html"), "the page of a change that may pass"),
        (
            folder.join("drifting/cellgate-report/report.html"),
            "of one that may not: which nuclei vanish, which grow together",
        ),
        (folder.join(REPOSITORY), "the changes as commits, the approvals on a branch of their own"),
        (folder.join(SERVER).join("current"), "what a server has: program, profiles, approvals"),
    ]
}
