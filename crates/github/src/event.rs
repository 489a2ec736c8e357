//! Event: the GitHub event that started this run, as the runner recorded it.
//!
//! Takes the event's name and its payload, a JSON file of GitHub's; gives the few values that
//! cellgate reads, each checked for its form. Titles, branches and comments in it were written by
//! strangers: unchecked values are marked so. Asks nobody and decides nothing.
//!
//! # Sources
//! GitHub Docs, Events that trigger workflows; Webhook events and payloads.

use std::fmt;
use std::path::PathBuf;

/// Larger payloads are refused, in bytes; GitHub caps its own at 25 MB and sends far less.
pub const MAX_BYTES: u64 = 16 << 20;

/// Event that started this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The repository that the workflow runs in, `OWNER/NAME`.
    pub repository: Option<String>,
    /// Login of who caused the event.
    pub actor: Option<String>,
    /// Kind of the event, with its values.
    pub trigger: Trigger,
}

/// Kind of an event, with the values that cellgate reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// A pull request was opened or changed: `pull_request` or `pull_request_target`.
    PullRequest(PullRequest),
    /// A merge queue asks: `merge_group`.
    MergeGroup {
        /// The commit that would become the branch's head.
        head_sha: String,
        /// The commit that it is merged onto.
        base_sha: String,
    },
    /// Commits were pushed: `push`.
    Push {
        /// The branch's head before; absent for a new branch.
        before: Option<String>,
        /// The branch's head after; absent for a deleted branch.
        after: Option<String>,
    },
    /// Another workflow ended: `workflow_run`.
    WorkflowRun(WorkflowRun),
    /// Somebody commented: `issue_comment`.
    IssueComment(IssueComment),
    /// The clock: `schedule`.
    Schedule,
    /// A person or a program started it: `workflow_dispatch`.
    WorkflowDispatch,
    /// Any other event, by name.
    Other(String),
}

/// A pull request as its event tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// Action on it: `opened`, `synchronize`.
    pub action: String,
    /// Its number.
    pub number: u64,
    /// Head of the branch to be merged.
    pub head_sha: String,
    /// Head of the branch to merge into, when the event was sent.
    pub base_sha: String,
    /// Where head's branch lives, `OWNER/NAME`; absent when that repository was deleted.
    pub head_repository: Option<String>,
    /// Whether head's branch lives elsewhere; a deleted repository counts as elsewhere.
    pub is_from_fork: bool,
    /// Login of who opened it.
    pub author: String,
    /// Whether the event is `pull_request_target`, which runs with the repository's rights.
    pub is_privileged: bool,
}

/// A workflow run that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowRun {
    /// Its id, which artifacts hang on.
    pub id: u64,
    /// Which attempt it was, from 1.
    pub attempt: u64,
    /// Name of the event that had started it.
    pub event: String,
    /// How it ended: `success`, `failure`, `cancelled`.
    pub conclusion: Option<String>,
    /// The commit that it ran for: of a pull request its head, not the merge commit.
    pub head_sha: String,
    /// Where that commit comes from, `OWNER/NAME`; absent when that repository was deleted.
    pub head_repository: Option<String>,
    /// Whether that is another repository than the workflow's.
    pub is_from_fork: bool,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueComment {
    /// Action on it: `created`, `edited`, `deleted`.
    pub action: String,
    /// Number of the issue or pull request.
    pub number: u64,
    /// Whether the number is a pull request's.
    pub is_on_pull_request: bool,
    /// The comment's id.
    pub comment_id: u64,
    /// Text of the comment; anybody may write anything.
    pub body: String,
    /// Login of who wrote it.
    pub author: String,
}

/// The event cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// A variable that the runner sets is missing.
    #[error("`{0}` is not set together with `GITHUB_EVENT_NAME`; the runner sets both")]
    Variable(&'static str),
    /// The payload's file cannot be read.
    #[error("the event's payload `{}` cannot be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Error of the system.
        source: std::io::Error,
    },
    /// The payload is too large.
    #[error("the event's payload has more than {MAX_BYTES} bytes")]
    TooLarge,
    /// The payload is not what the event's name promises.
    #[error("the payload is not that of event `{name}`")]
    Syntax {
        /// The event's name.
        name: String,
        /// Error of the parser.
        source: serde_json::Error,
    },
    /// A value does not have its form.
    #[error("the event's `{key}` is not {wanted}")]
    Form {
        /// Path of the value in the payload.
        key: &'static str,
        /// Form that it must have.
        wanted: Wanted,
    },
}

/// The form that a value of an event must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// 40 or 64 lowercase hexadecimal digits.
    Commit,
    /// `OWNER/NAME`.
    Repository,
    /// A login.
    Login,
    /// A lowercase word with underscores.
    Word,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Commit => "the id of a commit",
            Self::Repository => "a repository's `OWNER/NAME`",
            Self::Login => "a login",
            Self::Word => "a lowercase word",
        })
    }
}

impl Event {
    /// The commit that the event is about; `None` where the event does not say.
    #[must_use]
    pub fn head_sha(&self) -> Option<&str> {
        match &self.trigger {
            Trigger::PullRequest(pull) => Some(&pull.head_sha),
            Trigger::MergeGroup { head_sha, .. } => Some(head_sha),
            Trigger::Push { after, .. } => after.as_deref(),
            Trigger::WorkflowRun(run) => Some(&run.head_sha),
            Trigger::IssueComment(_)
            | Trigger::Schedule
            | Trigger::WorkflowDispatch
            | Trigger::Other(_) => None,
        }
    }

    /// The commit that it is compared with; `None` where the event does not say.
    #[must_use]
    pub fn base_sha(&self) -> Option<&str> {
        match &self.trigger {
            Trigger::PullRequest(pull) => Some(&pull.base_sha),
            Trigger::MergeGroup { base_sha, .. } => Some(base_sha),
            Trigger::Push { before, .. } => before.as_deref(),
            Trigger::WorkflowRun(_)
            | Trigger::IssueComment(_)
            | Trigger::Schedule
            | Trigger::WorkflowDispatch
            | Trigger::Other(_) => None,
        }
    }

    /// Number of the pull request that the event says it is about.
    ///
    /// A workflow run is asked about by its commit instead: what it says of pull requests is empty
    /// for forks.
    #[must_use]
    pub fn pull_request_number(&self) -> Option<u64> {
        match &self.trigger {
            Trigger::PullRequest(pull) => Some(pull.number),
            Trigger::IssueComment(comment) => comment.is_on_pull_request.then_some(comment.number),
            Trigger::MergeGroup { .. }
            | Trigger::Push { .. }
            | Trigger::WorkflowRun(_)
            | Trigger::Schedule
            | Trigger::WorkflowDispatch
            | Trigger::Other(_) => None,
        }
    }

    /// Whether the event's commit comes from another repository.
    #[must_use]
    pub fn is_from_fork(&self) -> bool {
        match &self.trigger {
            Trigger::PullRequest(pull) => pull.is_from_fork,
            Trigger::WorkflowRun(run) => run.is_from_fork,
            Trigger::MergeGroup { .. }
            | Trigger::Push { .. }
            | Trigger::IssueComment(_)
            | Trigger::Schedule
            | Trigger::WorkflowDispatch
            | Trigger::Other(_) => false,
        }
    }
}
