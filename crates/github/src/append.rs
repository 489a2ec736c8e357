//! Append: adds to a file on a branch of its own, whoever else does so at the same time.
//!
//! Reads the branch, lets the caller add, commits, and moves the branch forward from where it was
//! read; when somebody was faster, all of it starts over. What stood there stays: only an addition
//! is written.

use super::client::Client;
use super::error::GitHubError;
use super::pace::backoff;

/// How often it starts over.
const N_ROUNDS: u32 = 6;

/// A file that grows is read up to this size, in bytes.
pub const MAX_BYTES: usize = 8 << 20;

/// Nothing was added.
#[derive(Debug, thiserror::Error)]
pub enum AppendError<E: std::error::Error + 'static> {
    /// GitHub did not do it.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
    /// The caller does not want to add.
    #[error(transparent)]
    Edit(E),
    /// The caller changed what stood there.
    #[error("`{path}` only grows: what stood in it must stay")]
    Rewritten {
        /// The file.
        path: String,
    },
    /// Somebody else was faster each time.
    #[error("`{branch}` was moved by others {N_ROUNDS} times in a row; try again later")]
    Contended {
        /// The branch.
        branch: String,
    },
}

/// Where something is added, and what the commit says.
#[derive(Debug, Clone, Copy)]
pub struct Addition<'a> {
    /// The branch; made without history when it is not there.
    pub branch: &'a str,
    /// The file on it.
    pub path: &'a str,
    /// The commit's message.
    pub message: &'a str,
}

impl Client {
    /// Adds to a file on a branch and gives the commit that holds the addition.
    ///
    /// `edit` is given the file's bytes (none for a new file) and gives them with the addition; it
    /// is asked again with the new bytes whenever somebody else was faster.
    ///
    /// # Edge cases
    /// When `edit` adds nothing, nothing is committed and the branch's commit is given.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append_to_branch<E: std::error::Error + 'static>(
        &self,
        addition: Addition<'_>,
        mut edit: impl FnMut(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Option<String>, AppendError<E>> {
        let Addition { branch, path, message } = addition;
        for round in 0..N_ROUNDS {
            let tip = self.branch(branch).await?;
            let content = match &tip {
                Some(tip) => self.file_at(path, tip, MAX_BYTES).await?.unwrap_or_default(),
                None => Vec::new(),
            };
            let new_content = edit(&content).map_err(AppendError::Edit)?;
            if !new_content.starts_with(&content) {
                return Err(AppendError::Rewritten { path: path.to_owned() });
            }
            if new_content == content {
                return Ok(tip);
            }
            let files = [(path.to_owned(), new_content)];
            match self.commit_on(tip.as_deref(), branch, message, &files).await {
                Ok(commit) => return Ok(Some(commit)),
                Err(GitHubError::Moved { .. }) => self.wait(backoff(round)).await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(AppendError::Contended { branch: branch.to_owned() })
    }

    /// Commits files on a branch that was seen at `tip`, or makes the branch without history.
    ///
    /// # Errors
    /// [`GitHubError::Moved`] when somebody was faster; all others.
    pub(super) async fn commit_on(
        &self,
        tip: Option<&str>,
        branch: &str,
        message: &str,
        files: &[(String, Vec<u8>)],
    ) -> Result<String, GitHubError> {
        let mut blobs = Vec::with_capacity(files.len());
        for (path, content) in files {
            blobs.push((path.clone(), self.create_blob(content).await?));
        }
        let base = match tip {
            Some(tip) => Some(self.tree_of(tip).await?),
            None => None,
        };
        let tree = self.create_tree(base.as_deref(), &blobs).await?;
        let parents: Vec<&str> = tip.into_iter().collect();
        let commit = self.create_commit(message, &tree, &parents).await?;
        match tip {
            Some(_) => self.advance_branch(branch, &commit).await?,
            None => self.create_branch(branch, &commit).await?,
        }
        Ok(commit)
    }
}
