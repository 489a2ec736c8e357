//! Git: replies of the git program, and reasons why a tree cannot be read.

use std::path::Path;
use std::process::{Command, Stdio};

/// A file could not be read from a tree.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The path is absolute, has `..` in it, or is empty.
    #[error("`{0}` leads out of its folder")]
    Outside(String),
    /// There is no such file.
    #[error("`{0}` does not exist")]
    Missing(String),
    /// The file is larger than allowed.
    #[error("`{path}` has {bytes} bytes; at most {max_bytes} are read")]
    TooLarge {
        /// The path in the tree.
        path: String,
        /// Its size.
        bytes: u64,
        /// The limit.
        max_bytes: u64,
    },
    /// The disk failed.
    #[error("`{path}` cannot be read")]
    Io {
        /// The path in the tree.
        path: String,
        /// Error of the system.
        source: std::io::Error,
    },
    /// git failed.
    #[error("git failed: {0}")]
    Git(String),
}

pub(super) fn git(folder: &Path, arguments: &[&str]) -> Result<String, TreeError> {
    let reply = git_bytes(folder, arguments)?;
    String::from_utf8(reply).map_err(|_| TreeError::Git("its reply is not UTF-8 text".to_owned()))
}

pub(super) fn git_bytes(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, TreeError> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        .output()
        .map_err(|error| TreeError::Git(format!("it cannot be started: {error}")))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(TreeError::Git(stderr.trim().to_owned()));
    }
    Ok(output.stdout)
}
