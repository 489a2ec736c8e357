//! Approvals: the log that a gate believes, read from git, and records appended to it.
//!
//! The log stands on a branch of its own, never in the working tree and never in head, so that no
//! change brings its own approval. Appending writes objects and moves the branch if nobody else
//! has; no checkout is touched. git is asked by its command line.

use cellgate_approval::signature::{SignatureError, sign};
use cellgate_approval::{BRANCH, Binding, Entry, FILE, Log, LogError, MAX_BYTES, Record};
use cellgate_inputs::finding::{Code, Finding};
use cellgate_inputs::revision::{Tree, TreeError};
use cellgate_inputs::source::Place;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::GateError;
use super::sides::OneSide;
use cellgate_core::digest::Digest;

/// Where a clone keeps what the server's branch holds.
const REMOTE: &str = "refs/remotes/origin/cellgate-approvals";
const LOCAL: &str = "refs/heads/cellgate-approvals";

/// Commits of the branch that are verified at most.
const MAX_COMMITS: usize = 1_000;

/// The approvals that a gate believes.
#[derive(Debug)]
pub struct Approvals {
    /// The log, or why it cannot be believed.
    pub log: Result<Log, Unreadable>,
    /// Where it was read; `None` when there is no branch of approvals.
    pub revision: Option<String>,
    /// Who made the change, where it is known.
    pub author: Option<String>,
    /// Remarks about the branches.
    pub warnings: Vec<Finding>,
}

/// The log cannot be believed.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A line is wrong.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The branch does not hold a log, or not one of an acceptable size.
    #[error("on `{revision}` {source}")]
    File {
        /// Where it was looked for.
        revision: String,
        /// Error from reading the log.
        source: TreeError,
    },
}

/// A record cannot be appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The log as it is cannot be believed, or the record is not acceptable.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The local and the remote branch have each records of their own.
    #[error(
        "`{BRANCH}` and `origin/{BRANCH}` have each records of their own: take the remote's with \
         `git branch --force {BRANCH} origin/{BRANCH}`, and approve again"
    )]
    Diverged,
    /// git failed, or somebody moved the branch in the meantime.
    #[error(transparent)]
    Git(#[from] TreeError),
}

/// The branch of approvals did not always only grow.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A commit took records away or changed them.
    #[error(
        "commit {commit} took records out of the log or changed them: restore the log from the \
         commit before it"
    )]
    Rewritten {
        /// The commit.
        commit: String,
    },
    /// An earlier state cannot be believed.
    #[error("as of commit {commit}: {source}")]
    Unreadable {
        /// The commit.
        commit: String,
        /// Why not.
        source: Unreadable,
    },
    /// git failed.
    #[error(transparent)]
    Git(#[from] TreeError),
}

/// A branch and its log.
struct Branch {
    commit: String,
    log: Result<Log, Unreadable>,
}

impl Approvals {
    /// No approvals at all, for a change outside of any repository.
    #[must_use]
    pub fn none() -> Self {
        Self { log: Ok(Log::default()), revision: None, author: None, warnings: Vec::new() }
    }

    /// Reads the log at a revision, or else the remote's branch, or the local one where it is the
    /// remote's with records added.
    ///
    /// # Edge cases
    /// Without any branch there are no approvals. A local branch that does not extend the remote's
    /// is left aside, with a warning.
    ///
    /// # Errors
    /// [`TreeError`] when a revision is named and is no commit.
    pub fn read(repository: &Path, revision: Option<&str>) -> Result<Self, TreeError> {
        let from_branch = |revision: &str, branch: Branch| Self {
            log: branch.log,
            revision: Some(revision.to_owned()),
            ..Self::none()
        };
        if let Some(revision) = revision {
            let branch = read_branch(Tree::of_revision(repository, revision)?, revision);
            return Ok(from_branch(revision, branch));
        }
        Ok(match (find_branch(repository, REMOTE), find_branch(repository, LOCAL)) {
            (None, None) => Self::none(),
            (Some(remote), None) => from_branch(REMOTE, remote),
            (None, Some(local)) => from_branch(LOCAL, local),
            (Some(remote), Some(local)) => match is_local_newer(&remote, &local) {
                Some(true) => from_branch(LOCAL, local),
                Some(false) => from_branch(REMOTE, remote),
                None => Self { warnings: vec![diverged_finding()], ..from_branch(REMOTE, remote) },
            },
        })
    }
}

/// Whether the local log is the one to take; `None` when neither extends the other.
///
/// A log that cannot be read is taken, so that its error is reported.
fn is_local_newer(remote: &Branch, local: &Branch) -> Option<bool> {
    match (&remote.log, &local.log) {
        (Err(_), _) => Some(false),
        (_, Err(_)) => Some(true),
        (Ok(remote), Ok(local)) if remote.extends(local) => Some(false),
        (Ok(remote), Ok(local)) => local.extends(remote).then_some(true),
    }
}

fn diverged_finding() -> Finding {
    let message =
        format!("the local branch `{BRANCH}` does not extend the remote's and is not read");
    let help = format!("take the remote's with `git branch --force {BRANCH} origin/{BRANCH}`");
    Finding::warning(Code::ApprovalsDiverged, Place::file(FILE), message).help(help)
}

fn find_branch(repository: &Path, name: &str) -> Option<Branch> {
    Tree::in_repository(repository, name).ok().map(|tree| read_branch(tree, name))
}

fn read_branch(tree: Tree, revision: &str) -> Branch {
    let bytes = tree
        .read(FILE, MAX_BYTES as u64)
        .map_err(|source| Unreadable::File { revision: revision.to_owned(), source });
    let log = bytes.and_then(|bytes| Ok(Log::parse(&bytes)?));
    let commit = match tree {
        Tree::Commit { commit, .. } => commit,
        Tree::Folder(_) => String::new(),
    };
    Branch { commit, log }
}

/// Verifies that the commits of a branch only ever added records; gives how many were looked at.
///
/// # Edge cases
/// The newest 1000 commits are looked at; one without the file ends the walk.
///
/// # Errors
/// [`HistoryError`] for the newest commit that did not only add.
pub fn verify_history(repository: &Path, revision: &str) -> Result<usize, HistoryError> {
    let count = format!("--max-count={MAX_COMMITS}");
    let walk = ["rev-list", "--first-parent", &count, "--end-of-options", revision];
    let commits = git(repository, &walk, b"")?;
    let mut child: Option<(&str, Log)> = None;
    let mut n_commits = 0;
    for commit in commits.lines() {
        let tree = Tree::of_commit(repository, commit);
        if !tree.has_file(FILE)? {
            break;
        }
        let log = read_branch(tree, revision).log;
        let to_error = |source| HistoryError::Unreadable { commit: commit.to_owned(), source };
        let log = log.map_err(to_error)?;
        if let Some((after, _)) = child.as_ref().filter(|(_, child)| !child.extends(&log)) {
            return Err(HistoryError::Rewritten { commit: (*after).to_owned() });
        }
        child = Some((commit, log));
        n_commits += 1;
    }
    Ok(n_commits)
}

/// Mail address of who wrote the commit that is checked out; `None` where nothing is.
#[must_use]
pub fn author_of_head(repository: &Path) -> Option<String> {
    let address = git(repository, &["log", "-1", "--format=%ae", "HEAD"], b"").ok()?;
    Some(address).filter(|address| !address.is_empty())
}

/// Binding of an approval of a tree as it is: every profile in it, gated or not.
///
/// # Errors
/// [`GateError::Invalid`] when an input of the tree is invalid.
pub fn binding_of(tree: &Tree, engine: Digest) -> Result<Binding, GateError> {
    let side = OneSide::load(tree, None);
    if cellgate_inputs::finding::has_errors(&side.findings) {
        return Err(GateError::Invalid(side.findings));
    }
    let Some(project) = &side.project else {
        return Err(GateError::Nothing(format!("`{}` is missing", cellgate_inputs::project::FILE)));
    };
    side.binding(side.profiles.keys().map(String::as_str), project.policy(), engine)
}

/// Appends a record to the local branch, on top of the remote's where that is ahead.
///
/// The branch is made when there is none. With a `key` the record is signed.
///
/// # Errors
/// [`AppendError`]; the branch is then as it was.
pub fn append(
    repository: &Path,
    entry: Entry,
    key: Option<&Path>,
) -> Result<(Log, Record), AppendError> {
    let (remote, local) = (find_branch(repository, REMOTE), find_branch(repository, LOCAL));
    let old_commit = local.as_ref().map(|local| local.commit.clone());
    let top = match (remote, local) {
        (None, None) => None,
        (Some(branch), None) | (None, Some(branch)) => Some(branch),
        (Some(remote), Some(local)) => match is_local_newer(&remote, &local) {
            Some(true) => Some(local),
            Some(false) => Some(remote),
            None => return Err(AppendError::Diverged),
        },
    };
    let (parent, mut log) = match top {
        None => (None, Log::default()),
        Some(top) => (Some(top.commit), top.log?),
    };
    let message = format!("{} {}", entry.action.as_str(), entry.report_digest.short());
    let record = match key {
        None => log.append(entry),
        Some(key) => log.append_signed(entry, |message| -> Result<String, SignatureError> {
            sign(message, key)
        }),
    };
    let record = record.map_err(Unreadable::from)?.clone();
    let commit = write_commit(repository, log.as_bytes(), parent.as_deref(), &message)?;
    let null_commit = "0".repeat(commit.len());
    let old_commit = old_commit.unwrap_or(null_commit);
    git(repository, &["update-ref", "-m", &message, LOCAL, &commit, &old_commit], b"")?;
    Ok((log, record))
}

/// Writes the log as the one file of a commit, which no branch points to yet.
fn write_commit(
    repository: &Path,
    log: &[u8],
    parent: Option<&str>,
    message: &str,
) -> Result<String, TreeError> {
    let blob = git(repository, &["hash-object", "-w", "--stdin"], log)?;
    let entry = format!("100644 blob {blob}\t{FILE}\n");
    let tree = git(repository, &["mktree"], entry.as_bytes())?;
    let mut arguments = vec!["commit-tree", "--no-gpg-sign", &tree, "-m", message];
    if let Some(parent) = parent {
        arguments.extend(["-p", parent]);
    }
    git(repository, &arguments, b"")
}

/// Runs git with a text on its standard input; gives what it says, without the line break.
pub(super) fn git(
    repository: &Path,
    arguments: &[&str],
    input: &[u8],
) -> Result<String, TreeError> {
    let to_error = |error: std::io::Error| TreeError::Git(format!("it cannot be run: {error}"));
    let mut child = Command::new("git")
        .arg("-C")
        .arg(repository)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env("LC_ALL", "C")
        .spawn()
        .map_err(to_error)?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(input) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            result => result.map_err(to_error)?,
        }
    }
    let output = child.wait_with_output().map_err(to_error)?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(TreeError::Git(stderr.trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
