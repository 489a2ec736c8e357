//! Status: the state of a server, as the agent reports it.

use super::owner::Owner;
use cellgate_core::digest::Digest;
use serde::{Deserialize, Serialize};

/// Status of a server: its releases, its deploys and its disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerStatus {
    /// Version of the agent's program.
    pub cellgate: String,
    /// Release that is active.
    pub active: Option<Digest>,
    /// Release that was active before.
    pub previous: Option<Digest>,
    /// Confirmed releases that are still there, oldest first.
    pub good: Vec<Digest>,
    /// Highest sequence that was confirmed.
    pub sequence: u64,
    /// A release that waits for its confirmation.
    pub pending: Option<PendingStatus>,
    /// Who holds the lock.
    pub lock: Option<LockStatus>,
    /// How the last deploy that did not end well ended.
    pub last_failure: Option<String>,
    /// Why manual repair is needed.
    pub stranded: Option<String>,
    /// Files of the active release that are not what they should be; only when asked to verify.
    pub damages: Vec<Damage>,
    /// Bytes free for the agent.
    pub free_bytes: u64,
    /// Digest of the journal's last record.
    pub journal_head: Option<Digest>,
    /// Manifest of the active release, in canonical form.
    pub manifest: Option<String>,
}

/// A release that waits for its confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingStatus {
    /// The release.
    pub release: Digest,
    /// Release that was active before.
    pub base: Option<Digest>,
    /// The deploy it belongs to.
    pub key: String,
    /// Token of its lock.
    pub token: u64,
    /// How long the confirmation may still take, in milliseconds.
    pub left_ms: u64,
}

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockStatus {
    /// Who.
    pub owner: Owner,
    /// For how long, in milliseconds.
    pub age_ms: u64,
}

/// Something on the disk that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Damage {
    /// Where, below the root.
    pub path: String,
    /// The fault.
    pub what: String,
}
