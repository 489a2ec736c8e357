//! Worktree: uncommitted paths of the working tree, and the time of a commit.

use super::git::{TreeError, git};
use std::path::Path;

/// Paths that differ from `HEAD`, untracked ones among them, sorted; ignored ones are not asked for.
///
/// # Errors
/// [`TreeError::Git`] when the folder stands in no repository.
pub fn uncommitted_paths(folder: &Path) -> Result<Vec<String>, TreeError> {
    let listing = git(folder, &["status", "--porcelain=v1", "-z", "--untracked-files=all"])?;
    let mut paths = Vec::new();
    let mut entries = listing.split('\0');
    while let Some(entry) = entries.next() {
        let Some((state, path)) = entry.split_at_checked(3) else { continue };
        paths.push(path.to_owned());
        if state.starts_with(['R', 'C']) {
            // The path it was renamed or copied from comes as an entry of its own.
            paths.extend(entries.next().map(str::to_owned));
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// When a commit was made, in seconds since 1970.
///
/// # Errors
/// [`TreeError::Git`] when the commit is not there.
pub fn commit_time(folder: &Path, commit: &str) -> Result<u64, TreeError> {
    let text = git(folder, &["show", "--no-patch", "--format=%ct", "--end-of-options", commit])?;
    let time_error = || TreeError::Git(format!("the time of commit `{commit}` cannot be read"));
    text.trim().parse().map_err(|_| time_error())
}
