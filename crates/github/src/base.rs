//! Base: which commit a run on GitHub compares its change with.
//!
//! Takes the event and the clone, gives a commit that is there. A base that would make a change
//! pass unseen is refused: a clone without the commits that are needed, a checkout of something
//! else than the event's change.

use super::event::{Event, PullRequest, Trigger};
use cellgate_inputs::revision::{
    TreeError, has_commit, head_commit, is_ancestor, is_shallow, merge_base,
    merge_base_with_default, parents,
};
use std::path::Path;

/// No base can be told.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// git does not know.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The checkout does not hold the pull request's commit.
    #[error(
        "`HEAD` ({head}) does not hold the pull request's commit {wanted}: check out the pull request \
         (event `pull_request`, not `pull_request_target`), or name a base with `--base REV`"
    )]
    NotThePullRequest {
        /// Commit that is checked out.
        head: String,
        /// Head of the pull request.
        wanted: String,
    },
    /// A commit is not in the clone.
    #[error(
        "commit {0}, which the event names as base, is not here: check out with `fetch-depth: 0`"
    )]
    Missing(String),
}

/// The base of what is checked out in `folder`.
///
/// Of a pull request: when `HEAD` is the merge commit that GitHub made, its first parent; else
/// where `HEAD` left the event's base. Of a merge group: the event's base. Of a push: what the
/// branch was before, or `HEAD`'s first parent when it was rewritten. Else where `HEAD` left the
/// default branch.
///
/// # Errors
/// [`BaseError`], with what to fetch or to check out.
pub fn base_of(event: Option<&Event>, folder: &Path) -> Result<String, BaseError> {
    match event.map(|event| &event.trigger) {
        Some(Trigger::PullRequest(pull)) => base_of_pull_request(pull, folder),
        Some(Trigger::MergeGroup { base_sha, .. }) => check_present(base_sha, folder),
        Some(Trigger::Push { before, .. }) => base_of_push(before.as_deref(), folder),
        Some(
            Trigger::WorkflowRun(_)
            | Trigger::IssueComment(_)
            | Trigger::Schedule
            | Trigger::WorkflowDispatch
            | Trigger::Other(_),
        )
        | None => Ok(merge_base_with_default(folder)?),
    }
}

fn base_of_pull_request(pull: &PullRequest, folder: &Path) -> Result<String, BaseError> {
    let head = head_commit(folder)?;
    if let [first, second] = parents(folder, &head)?.as_slice()
        && *second == pull.head_sha
    {
        return check_present(first, folder);
    }
    if !is_ancestor(folder, &pull.head_sha, "HEAD") {
        return Err(BaseError::NotThePullRequest { head, wanted: pull.head_sha.clone() });
    }
    let base = check_present(&pull.base_sha, folder)?;
    Ok(merge_base(folder, &base)?)
}

fn base_of_push(before: Option<&str>, folder: &Path) -> Result<String, BaseError> {
    if let Some(before) = before {
        if is_ancestor(folder, before, "HEAD") {
            return Ok(before.to_owned());
        }
        // A shallow clone cannot tell a rewritten branch from one that it knows too little of.
        if is_shallow(folder)? {
            return Err(BaseError::Missing(before.to_owned()));
        }
    }
    match parents(folder, &head_commit(folder)?)?.first() {
        Some(parent) => check_present(parent, folder),
        None => Ok(merge_base_with_default(folder)?),
    }
}

fn check_present(commit: &str, folder: &Path) -> Result<String, BaseError> {
    if has_commit(folder, commit) {
        Ok(commit.to_owned())
    } else {
        Err(BaseError::Missing(commit.to_owned()))
    }
}
