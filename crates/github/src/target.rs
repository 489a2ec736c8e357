//! Target: the commit and the pull request that a run may speak about.
//!
//! Taken from the event and from GitHub's own answers alone, never from what the run left behind:
//! that was made by whoever wrote the change. A pull request counts only if it is the one whose
//! head is that commit of that repository, now.

use super::client::Client;
use super::error::GitHubError;
use super::event::{Event, PullRequest, Trigger, WorkflowRun};
use super::pulls::Pull;
use std::fmt;

/// Commit and pull request that a run may speak about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The commit that was judged.
    pub head_sha: String,
    /// The gate's workflow run and its attempt.
    pub run: (u64, u64),
    /// How that run ended; absent inside of it and while it runs.
    pub conclusion: Option<String>,
    /// Whether this run holds rights that the change's author does not have.
    pub is_privileged: bool,
    /// The pull request, or why there is none.
    pub pull: Result<u64, NoPull>,
}

/// Why no pull request is spoken about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPull {
    /// The run was not for one.
    NotAsked(String),
    /// There is none open with this head.
    Missing,
    /// It has a newer head.
    Moved(u64),
    /// There are several with this head.
    Several(Vec<u64>),
}

impl fmt::Display for NoPull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked(event) => write!(f, "the run was started by `{event}`"),
            Self::Missing => f.write_str("no open pull request has this commit as its head"),
            Self::Moved(number) => {
                write!(f, "pull request {number} has a newer head, whose own run speaks for it")
            }
            Self::Several(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                let numbers = numbers.join(", ");
                write!(
                    f,
                    "pull requests {numbers} have the same head, and nobody can tell for which of \
                     them the run was: close all but one"
                )
            }
        }
    }
}

/// Nothing may be said.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The event holds rights that code of the change must not come near.
    #[error(
        "a run of `{0}` is not trusted to tell which change it judged: let the gate run on \
         `pull_request`"
    )]
    Untrusted(String),
    /// The event is about nothing that could be judged.
    #[error(
        "nothing can be posted for event `{0}`: run this on `pull_request`, or on `workflow_run` \
         of the gate's workflow"
    )]
    Event(String),
    /// The event belongs to another repository.
    #[error("the event is of `{event}`, but `GITHUB_REPOSITORY` is `{repository}`")]
    Repository {
        /// Where it happened.
        event: String,
        /// Where this run is.
        repository: String,
    },
    /// GitHub did not answer.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
}

/// Finds out what may be spoken about. `own_run` is this run and its attempt.
///
/// # Errors
/// [`TargetError`].
pub async fn find(
    client: &Client,
    event: &Event,
    own_run: (u64, u64),
) -> Result<Target, TargetError> {
    let repository = event.repository.as_deref().unwrap_or_default();
    if !client.repository().is_same(repository) {
        let (event, repository) = (repository.to_owned(), client.repository().to_string());
        return Err(TargetError::Repository { event, repository });
    }
    match &event.trigger {
        Trigger::PullRequest(pull) if pull.is_privileged => {
            Err(TargetError::Untrusted("pull_request_target".to_owned()))
        }
        Trigger::PullRequest(pull) => Ok(target_of_pull_request(client, pull, own_run).await?),
        Trigger::WorkflowRun(run) => target_of_run(client, run).await,
        Trigger::MergeGroup { head_sha, .. } => {
            Ok(target_of_commit("merge_group", head_sha, own_run))
        }
        Trigger::Push { after: Some(sha), .. } => Ok(target_of_commit("push", sha, own_run)),
        Trigger::Push { after: None, .. } => Err(TargetError::Event("push".to_owned())),
        Trigger::IssueComment(_) => Err(TargetError::Event("issue_comment".to_owned())),
        Trigger::Schedule => Err(TargetError::Event("schedule".to_owned())),
        Trigger::WorkflowDispatch => Err(TargetError::Event("workflow_dispatch".to_owned())),
        Trigger::Other(name) => Err(TargetError::Event(name.clone())),
    }
}

fn target_of_commit(event: &str, head_sha: &str, own_run: (u64, u64)) -> Target {
    Target {
        head_sha: head_sha.to_owned(),
        run: own_run,
        conclusion: None,
        is_privileged: false,
        pull: Err(NoPull::NotAsked(event.to_owned())),
    }
}

async fn target_of_pull_request(
    client: &Client,
    pull: &PullRequest,
    own_run: (u64, u64),
) -> Result<Target, GitHubError> {
    let current = client.pull(pull.number).await?;
    let is_current = current.head.sha == pull.head_sha;
    let found = if is_current { Ok(pull.number) } else { Err(NoPull::Moved(pull.number)) };
    Ok(Target { pull: found, ..target_of_commit("pull_request", &pull.head_sha, own_run) })
}

async fn target_of_run(client: &Client, run: &WorkflowRun) -> Result<Target, TargetError> {
    let pull = match run.event.as_str() {
        "pull_request" => match &run.head_repository {
            Some(head) => find_pull(client, &run.head_sha, head).await?,
            None => Err(NoPull::Missing),
        },
        "push" | "merge_group" | "schedule" | "workflow_dispatch" => {
            Err(NoPull::NotAsked(run.event.clone()))
        }
        // Of a `pull_request_target` run, `head_sha` is the base's, not the change's.
        other => return Err(TargetError::Untrusted(other.to_owned())),
    };
    Ok(Target {
        head_sha: run.head_sha.clone(),
        run: (run.id, run.attempt),
        conclusion: run.conclusion.clone(),
        is_privileged: true,
        pull,
    })
}

/// The one open pull request whose head is this commit.
async fn find_pull(
    client: &Client,
    head_sha: &str,
    head_repository: &str,
) -> Result<Result<u64, NoPull>, GitHubError> {
    let repository = client.repository();
    let is_into_us = |pull: &Pull| {
        pull.base.repo.as_ref().is_some_and(|base| repository.is_same(&base.full_name))
    };
    let is_of_head = |pull: &Pull| {
        let head = pull.head.repo.as_ref();
        head.is_some_and(|head| head.full_name.eq_ignore_ascii_case(head_repository))
    };
    let mut pulls = client.pulls_of_commit(head_sha).await?;
    let is_match = |pull: &&Pull| is_into_us(pull) && pull.is_at(head_sha, head_repository);
    if !pulls.iter().any(|pull| is_match(&pull)) {
        // GitHub does not connect every commit of a fork with its pull request.
        let open_pulls = client.open_pulls().await?;
        pulls.extend(open_pulls.into_iter().filter(|pull| is_match(&pull)));
    }
    let mut numbers: Vec<u64> = pulls.iter().filter(is_match).map(|pull| pull.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let is_moved = |pull: &&Pull| is_into_us(pull) && is_of_head(pull) && pull.state == "open";
    Ok(match numbers.as_slice() {
        [number] => Ok(*number),
        [] => Err(pulls.iter().find(is_moved).map_or(NoPull::Missing, |p| NoPull::Moved(p.number))),
        _ => Err(NoPull::Several(numbers)),
    })
}
