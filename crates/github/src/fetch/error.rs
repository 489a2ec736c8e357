//! Error: why a file was not brought.

use crate::connect::ConnectError;
use cellgate_core::digest::Digest;
use std::path::{Path, PathBuf};

/// A file cannot be fetched; nothing stands in its place.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is no way to the network.
    #[error("nothing can be fetched: {0}")]
    Client(#[source] ConnectError),
    /// The answer was a refusal.
    #[error("`{address}` answers with status {status}; correct the address, or ask who keeps it")]
    Refused {
        /// Where it was asked.
        address: String,
        /// The answer.
        status: u16,
    },
    /// The answers lead on and on, or somewhere unsafe.
    #[error("`{address}` leads elsewhere {why}")]
    Redirected {
        /// Where it was asked first.
        address: String,
        /// Fault of the redirect.
        why: String,
    },
    /// The file is too large.
    #[error("`{address}` has more than {max_bytes} bytes")]
    TooLarge {
        /// Where it was asked.
        address: String,
        /// The bound.
        max_bytes: u64,
    },
    /// The fetched content has another digest.
    #[error("`{address}` has sha256 {found} instead of {expected}; nothing of it was kept")]
    Digest {
        /// Where it was asked.
        address: String,
        /// Digest that it must have.
        expected: Digest,
        /// Digest that it has.
        found: Digest,
    },
    /// The connection fails again and again.
    #[error(
        "`{address}` was not brought after {attempts} attempts: {why}; run it again, it goes on \
         where it ended"
    )]
    Lost {
        /// Where it was asked.
        address: String,
        /// How often.
        attempts: u32,
        /// Cause of the last failure.
        why: String,
    },
    /// Another process fetches the same file.
    #[error("another cellgate is fetching `{}`; wait for it", .0.display())]
    Busy(PathBuf),
    /// Another file stands in its place.
    #[error(
        "`{}` is there with another content and is left as it is; move it away", .0.display()
    )]
    Taken(PathBuf),
    /// The disk failed.
    #[error("`{}`: {source}", .path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// Error of the system.
        source: std::io::Error,
    },
}

pub(super) fn disk_error(path: &Path) -> impl Fn(std::io::Error) -> FetchError + use<> {
    let path = path.to_owned();
    move |source| FetchError::Disk { path: path.clone(), source }
}
