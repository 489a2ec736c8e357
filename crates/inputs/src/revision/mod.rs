//! Revision: one view on files, in a folder or in a commit of a git repository.
//!
//! Base is read from a commit, head from the working tree, both through [`Tree`]. Paths are
//! relative to the tree's root, `/` separated, and cannot lead out of it. git itself is asked, by
//! its command line, with its replies bounded.

mod git;
mod history;
mod objects;
mod worktree;

pub use git::TreeError;
use git::git;
pub use history::{
    has_commit, head_commit, is_ancestor, is_shallow, merge_base, merge_base_with_default, parents,
};
pub use worktree::{commit_time, uncommitted_paths};

use objects::Object;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Files as they stand in a folder or in a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// A folder on disk.
    Folder(PathBuf),
    /// A commit.
    Commit {
        /// The top folder of the repository.
        repository: PathBuf,
        /// The commit's full id.
        commit: String,
        /// The tree's root inside the repository; empty for its top.
        below: String,
    },
}

impl Tree {
    /// Opens the commit that a revision names.
    ///
    /// # Errors
    /// [`TreeError::Git`] when the folder is in no repository or the revision names no commit, with
    /// what to do about a shallow clone.
    pub fn of_revision(folder: &Path, revision: &str) -> Result<Self, TreeError> {
        Self::in_repository(&repository_root(folder)?, revision)
    }

    /// As [`Tree::of_revision`], for the repository with this top folder.
    ///
    /// # Errors
    /// [`TreeError::Git`].
    pub fn in_repository(repository: &Path, revision: &str) -> Result<Self, TreeError> {
        let spec = format!("{revision}^{{commit}}");
        let id = git(repository, &["rev-parse", "--verify", "--quiet", "--end-of-options", &spec]);
        let commit = id.map_err(|_| {
            let hint = "in a shallow clone fetch it first, on GitHub with `fetch-depth: 0`";
            TreeError::Git(format!("revision `{revision}` is not a commit here; {hint}"))
        })?;
        Ok(Self::of_commit(repository, commit.trim()))
    }

    /// A commit by its full id, in the repository with this top folder.
    #[must_use]
    pub fn of_commit(repository: &Path, id: &str) -> Self {
        let (repository, commit) = (repository.to_owned(), id.to_owned());
        Self::Commit { repository, commit, below: String::new() }
    }

    /// The tree of a folder inside of this one; of nothing, this one.
    ///
    /// # Errors
    /// [`TreeError::Outside`] when the folder leads out.
    pub fn below(self, folder: &str) -> Result<Self, TreeError> {
        if folder.is_empty() {
            return Ok(self);
        }
        let folder = normalize(folder).ok_or_else(|| TreeError::Outside(folder.to_owned()))?;
        Ok(match self {
            Self::Folder(root) => Self::Folder(root.join(folder)),
            Self::Commit { repository, commit, below } => {
                Self::Commit { repository, commit, below: join(&below, &folder) }
            }
        })
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// See [`TreeError`].
    pub fn read(&self, path: &str, max_bytes: u64) -> Result<Vec<u8>, TreeError> {
        let path = normalize(path).ok_or_else(|| TreeError::Outside(path.to_owned()))?;
        match self {
            Self::Folder(root) => read_file(&root.join(&path), &path, max_bytes),
            Self::Commit { repository, commit, below } => {
                let object = format!("{commit}:{}", join(below, &path));
                match objects::read(repository, &object, max_bytes)? {
                    Object::File(bytes) => Ok(bytes),
                    Object::Missing => Err(TreeError::Missing(path)),
                    Object::TooLarge(bytes) => Err(TreeError::TooLarge { path, bytes, max_bytes }),
                }
            }
        }
    }

    /// Whether a file exists.
    ///
    /// # Errors
    /// [`TreeError::Outside`] for a path that leads out of the tree.
    pub fn has_file(&self, path: &str) -> Result<bool, TreeError> {
        let path = normalize(path).ok_or_else(|| TreeError::Outside(path.to_owned()))?;
        Ok(match self {
            Self::Folder(root) => root.join(path).is_file(),
            Self::Commit { repository, commit, below } => {
                let object = format!("{commit}:{}", join(below, &path));
                objects::is_file(repository, &object)
            }
        })
    }

    /// Names of the files directly in a folder, sorted; an absent folder has none.
    ///
    /// # Errors
    /// See [`TreeError`].
    pub fn list(&self, folder: &str) -> Result<Vec<String>, TreeError> {
        let folder = normalize(folder).ok_or_else(|| TreeError::Outside(folder.to_owned()))?;
        let mut names = match self {
            Self::Folder(root) => list_folder(&root.join(&folder), &folder)?,
            Self::Commit { repository, commit, below } => {
                let object = format!("{commit}:{}", join(below, &folder));
                match git(repository, &["ls-tree", "-z", &object]) {
                    Ok(listing) => listing.split('\0').filter_map(blob_name).collect(),
                    Err(_) => Vec::new(),
                }
            }
        };
        names.sort_unstable();
        Ok(names)
    }
}

/// The top folder of the repository that a folder stands in.
///
/// # Errors
/// [`TreeError::Git`] when it stands in none.
pub fn repository_root(folder: &Path) -> Result<PathBuf, TreeError> {
    let top = git(folder, &["rev-parse", "--show-toplevel"]).map_err(|_| {
        TreeError::Git(format!("`{}` is not in a git repository", folder.display()))
    })?;
    Ok(PathBuf::from(top.trim_end_matches('\n')))
}

/// The folder of a repository's own files, which all its working trees share.
///
/// # Errors
/// [`TreeError::Git`] when the folder stands in no repository.
pub fn git_folder(folder: &Path) -> Result<PathBuf, TreeError> {
    let shared = git(folder, &["rev-parse", "--path-format=absolute", "--git-common-dir"])?;
    Ok(PathBuf::from(shared.trim_end_matches('\n')))
}

/// Where a folder stands inside its repository: `a/b`, or nothing for the repository's top.
///
/// # Errors
/// [`TreeError::Git`] when the folder stands in no repository.
pub fn folder_in_repository(folder: &Path) -> Result<String, TreeError> {
    let prefix = git(folder, &["rev-parse", "--show-prefix"])?;
    Ok(prefix.trim_end_matches('\n').trim_end_matches('/').to_owned())
}

/// A path without `.` parts; `None` when it is absolute, climbs or has a NUL in it.
#[must_use]
pub fn normalize(path: &str) -> Option<String> {
    if path.is_empty() || path.starts_with('/') || path.contains(['\0', '\\']) {
        return None;
    }
    let parts: Vec<&str> =
        path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return None;
    }
    Some(if parts.is_empty() { ".".to_owned() } else { parts.join("/") })
}

/// Two paths as one; of which either may be nothing or `.`.
fn join(folder: &str, path: &str) -> String {
    let parts = [folder, path].into_iter().filter(|part| !part.is_empty() && *part != ".");
    parts.collect::<Vec<_>>().join("/")
}

fn read_file(file: &Path, path: &str, max_bytes: u64) -> Result<Vec<u8>, TreeError> {
    let to_error = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
            TreeError::Missing(path.to_owned())
        }
        _ => TreeError::Io { path: path.to_owned(), source },
    };
    let handle = std::fs::File::open(file).map_err(to_error)?;
    let bytes = handle.metadata().map_err(to_error)?.len();
    if bytes > max_bytes {
        return Err(TreeError::TooLarge { path: path.to_owned(), bytes, max_bytes });
    }
    let mut content = Vec::with_capacity(bytes as usize);
    // The bound holds for a file that grows while it is read, too.
    handle.take(max_bytes + 1).read_to_end(&mut content).map_err(to_error)?;
    if content.len() as u64 > max_bytes {
        return Err(TreeError::TooLarge {
            path: path.to_owned(),
            bytes: content.len() as u64,
            max_bytes,
        });
    }
    Ok(content)
}

fn list_folder(folder: &Path, display: &str) -> Result<Vec<String>, TreeError> {
    let to_error = |source| TreeError::Io { path: display.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(to_error(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(to_error)?;
        if entry.path().is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// The name in one line of `git ls-tree`, when it is a file's.
fn blob_name(entry: &str) -> Option<String> {
    let (meta, name) = entry.split_once('\t')?;
    (meta.split(' ').nth(1) == Some("blob") && !meta.starts_with("120000")).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_cannot_lead_out() {
        for path in ["", "/etc/passwd", "../x", "a/../../x", "a\\b", "a\0b"] {
            assert_eq!(normalize(path), None, "{path:?}");
        }
        assert_eq!(normalize("./a//b/./c").as_deref(), Some("a/b/c"));
        assert_eq!(normalize(".").as_deref(), Some("."));
    }
}
