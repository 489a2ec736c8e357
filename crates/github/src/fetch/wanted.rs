//! Wanted: a file to bring, and how long that may take.

use super::address::Address;
use cellgate_core::digest::Digest;
use std::path::PathBuf;
use std::time::Duration;

/// A file to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Where it is.
    pub address: Address,
    /// Its digest.
    pub sha256: Digest,
    /// It has no more bytes than this.
    pub max_bytes: u64,
    /// Where it goes.
    pub path: PathBuf,
}

/// How long is waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For a connection.
    pub connect: Duration,
    /// For the next bytes.
    pub idle: Duration,
    /// For one answer as a whole.
    pub whole: Duration,
    /// After the first failure; twice as long after each further one.
    pub pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            idle: Duration::from_secs(60),
            whole: Duration::from_secs(3600),
            pause: Duration::from_secs(1),
        }
    }
}
