//! History: which commit came from which.
//!
//! Asks git, and knows what a shallow clone cannot tell: there the missing past must not be taken
//! for no past.

use super::git::{TreeError, git};
use std::path::Path;

/// Help for missing commits.
const DEEPEN: &str = "fetch the whole history, on GitHub with `fetch-depth: 0`";

/// The full id of the commit that `HEAD` is at.
///
/// # Errors
/// [`TreeError::Git`] when there is no commit yet.
pub fn head_commit(folder: &Path) -> Result<String, TreeError> {
    let id = git(folder, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]);
    let id = id.map_err(|_| TreeError::Git("there is no commit at `HEAD`".to_owned()))?;
    Ok(id.trim().to_owned())
}

/// The commits that a commit was made from, as it says itself: in a shallow clone they are named,
/// too, though they are not there.
///
/// # Errors
/// [`TreeError::Git`] when the commit is not there.
pub fn parents(folder: &Path, commit: &str) -> Result<Vec<String>, TreeError> {
    let text = git(folder, &["cat-file", "commit", commit])?;
    let header = text.lines().take_while(|line| !line.is_empty());
    Ok(header.filter_map(|line| line.strip_prefix("parent ")).map(str::to_owned).collect())
}

/// Whether a commit is there.
#[must_use]
pub fn has_commit(folder: &Path, commit: &str) -> bool {
    git(folder, &["cat-file", "-e", &format!("{commit}^{{commit}}")]).is_ok()
}

/// Whether the clone lacks a part of the history.
///
/// # Errors
/// [`TreeError::Git`] when the folder stands in no repository.
pub fn is_shallow(folder: &Path) -> Result<bool, TreeError> {
    Ok(git(folder, &["rev-parse", "--is-shallow-repository"])?.trim() == "true")
}

/// Whether one commit is another or came before it, as far as the clone knows.
#[must_use]
pub fn is_ancestor(folder: &Path, earlier: &str, later: &str) -> bool {
    git(folder, &["merge-base", "--is-ancestor", earlier, later]).is_ok()
}

/// The commit where `HEAD` left the line that leads to another commit.
///
/// # Edge cases
/// In a shallow clone only the other commit itself is known to be the right one: a better one may
/// be missing.
///
/// # Errors
/// [`TreeError::Git`] when the other commit is not there, when both share nothing, or when a
/// shallow clone cannot tell; it says what to fetch.
pub fn merge_base(folder: &Path, other: &str) -> Result<String, TreeError> {
    if is_ancestor(folder, other, "HEAD") {
        let id =
            git(folder, &["rev-parse", "--verify", "--quiet", &format!("{other}^{{commit}}")])?;
        return Ok(id.trim().to_owned());
    }
    if is_shallow(folder)? {
        let why = format!("this clone is too shallow to tell where `HEAD` left `{other}`");
        return Err(TreeError::Git(format!("{why}: {DEEPEN}")));
    }
    let base = git(folder, &["merge-base", "HEAD", other]).map_err(|_| {
        TreeError::Git(format!("`HEAD` and `{other}` share no commit here: {DEEPEN}"))
    })?;
    Ok(base.trim().to_owned())
}

/// The commit where `HEAD` left the default branch: what a change is compared with when nobody says.
///
/// # Errors
/// [`TreeError::Git`] when no default branch is found, when it shares nothing with `HEAD`, or when
/// a shallow clone cannot tell.
pub fn merge_base_with_default(folder: &Path) -> Result<String, TreeError> {
    let remote = git(folder, &["symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD"]);
    let default_branch = remote.ok().map(|name| name.trim().to_owned());
    let candidates = default_branch.iter().map(String::as_str).chain([
        "origin/main",
        "origin/master",
        "main",
        "master",
    ]);
    let mut failure = None;
    for candidate in candidates.filter(|candidate| has_commit(folder, candidate)) {
        match merge_base(folder, candidate) {
            Ok(base) => return Ok(base),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    let message = "no default branch to compare with; name a base with `--base REV`";
    Err(match failure {
        Some(failure) => failure,
        None if is_shallow(folder)? => TreeError::Git(format!("{message}, or {DEEPEN}")),
        None => TreeError::Git(message.to_owned()),
    })
}
