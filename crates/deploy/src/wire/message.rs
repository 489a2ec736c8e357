//! Message: the requests of deploy and the replies of the agent.
//!
//! Every request may be sent again: what was done for the same deploy (its `key`) is answered as
//! done, not done twice. Times are lengths of time, never points of a clock that both would have to
//! agree on.

use super::owner::Owner;
use super::status::{Damage, ServerStatus};
use cellgate_core::digest::Digest;
use serde::{Deserialize, Serialize};

/// Bytes of a chunk of a blob; the last one of a blob may be shorter.
pub const CHUNK_BYTES: u64 = 1 << 20;
/// A request and the number that its answers carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope<T> {
    /// Number of the request, counted by its sender.
    pub id: u64,
    /// The request or the reply.
    pub body: T,
}

/// Request to the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Shows that the sender is there.
    Ping,
    /// Asks what is active.
    Status {
        /// Whether every byte of the active release is read and compared.
        verify: bool,
    },
    /// Asks what a deploy would send and whether it would be refused; changes nothing. Raw bytes:
    /// the manifest, which the connection remembers.
    Plan,
    /// Begins a deploy: takes the lock and keeps the manifest. It is the one that was planned last on
    /// this connection, or for a way back one that the server has. May be asked together with the
    /// plan: where the release is active already, or the plan finds a reason to refuse, there is no
    /// lock.
    Lock {
        /// Name of the deploy, the same for each attempt.
        key: String,
        /// Who deploys.
        owner: Owner,
        /// The release.
        release: Digest,
        /// Release that must be active.
        base: Base,
        /// Forward or back.
        intent: Intent,
    },
    /// A chunk of a blob, on any connection; answered only when it fails. Raw bytes: the chunk.
    Chunk {
        /// Token of the lock.
        token: u64,
        /// The blob.
        sha256: Digest,
        /// Bytes of the whole blob.
        size: u64,
        /// Where the chunk begins: a multiple of [`CHUNK_BYTES`].
        offset: u64,
    },
    /// Asks whether every chunk sent on this connection was kept.
    Flush,
    /// Verifies every blob by reading it back, and builds the release next to the active one.
    Stage {
        /// Token of the lock.
        token: u64,
    },
    /// Lets the staged release test itself.
    SelfTest {
        /// Token of the lock.
        token: u64,
    },
    /// Makes the staged release the active one until it is confirmed or the time is over.
    Switch {
        /// Token of the lock.
        token: u64,
        /// How long the confirmation may take, in milliseconds.
        window_ms: u64,
    },
    /// Keeps the release that was switched to; must come over another connection.
    Confirm {
        /// Token of the lock.
        token: u64,
    },
    /// Ends a deploy: gives the lock back, or rolls back what is not confirmed.
    Abort {
        /// Token of the lock.
        token: u64,
        /// Why.
        reason: String,
    },
    /// Removes releases that nobody needs.
    Prune {
        /// How many confirmed releases stay besides the active and the previous one.
        keep: u32,
    },
    /// Reads every kept byte and compares it.
    Scrub,
    /// Asks for the last records of the journal.
    Log {
        /// Most records.
        max: u32,
    },
    /// Asks for a small file of the active release.
    Read {
        /// Its path in the release.
        path: String,
    },
}

/// Release that must be active for a deploy to begin; a server that moved since stays unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// The release that was active at the last plan on this connection, or none.
    Planned,
    /// This release, or none.
    Active(Option<Digest>),
}

/// Whether a deploy goes forward or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    /// A release that is not older than the active one.
    Deploy,
    /// A release that was confirmed here before.
    Rollback,
}

/// Reply of the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reply {
    /// The agent is there.
    Pong,
    /// The request goes on; further answers follow.
    Progress {
        /// Name of the step that runs.
        step: String,
        /// Bytes or other units done.
        done: u64,
        /// Of how many; 0 when unknown.
        total: u64,
    },
    /// Status of the server.
    Status(Box<ServerStatus>),
    /// Plan of a deploy.
    Plan(Plan),
    /// The lock is taken.
    Locked {
        /// Goes with every further request; a later lock has a higher one.
        token: u64,
        /// Blobs with chunks that are to be sent.
        missing: Vec<Missing>,
    },
    /// Every chunk was kept.
    Flushed {
        /// How many there were on this connection.
        n_chunks: u64,
    },
    /// The release is built, next to the active one.
    Staged,
    /// Blobs were not what their digests say; they are to be sent again.
    Damaged {
        /// Blobs with chunks that are to be sent.
        missing: Vec<Missing>,
    },
    /// The release tested itself.
    SelfTested {
        /// How long it took, in milliseconds.
        took_ms: u64,
    },
    /// The release is active until the time is over.
    Pending {
        /// How long the confirmation may still take, in milliseconds.
        left_ms: u64,
    },
    /// The release is active for good.
    Confirmed {
        /// Its name.
        release: Digest,
    },
    /// The deploy is ended.
    Aborted {
        /// Release that is active.
        active: Option<Digest>,
    },
    /// Releases and blobs that were removed.
    Pruned {
        /// Releases.
        releases: Vec<Digest>,
        /// Blobs.
        n_blobs: u64,
        /// Bytes of these blobs.
        n_bytes: u64,
    },
    /// Every kept byte was read and compared.
    Scrubbed {
        /// Bytes that were read.
        n_bytes: u64,
        /// Damages that were found.
        damages: Vec<Damage>,
    },
    /// Records of the journal as lines of JSON, oldest first.
    Log {
        /// The lines.
        records: Vec<String>,
    },
    /// A file. Raw bytes: its content.
    Content,
    /// No.
    Refused(Refusal),
}

/// Plan of a deploy: the blobs that it would send, and the refusals that it would meet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Release that is active.
    pub active: Option<Digest>,
    /// Whether the release of the manifest is active, confirmed and undamaged.
    pub is_active: bool,
    /// Blobs with chunks that would be sent.
    pub missing: Vec<Missing>,
    /// Why the deploy would be refused, all of it.
    pub refusals: Vec<Refusal>,
    /// Bytes free for the agent.
    pub free_bytes: u64,
}

/// A blob of which something is to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// The blob.
    pub sha256: Digest,
    /// Its bytes.
    pub size: u64,
    /// Indices of the chunks that are not there yet.
    pub chunks: Vec<u32>,
}

/// The number of chunks of a blob; an empty blob has one.
#[must_use]
pub fn n_chunks(size: u64) -> u64 {
    size.div_ceil(CHUNK_BYTES).max(1)
}

/// Why the agent refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields)]
#[error("{message}; {help}")]
pub struct Refusal {
    /// Kind of refusal.
    pub code: RefusalCode,
    /// What, where and why, as a lowercase fragment.
    pub message: String,
    /// Advice on the next step.
    pub help: String,
    /// After how long another attempt may do, in milliseconds; none when it would not.
    pub retry_ms: Option<u64>,
}

/// Kind of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalCode {
    /// Somebody else deploys.
    Locked,
    /// A release waits for its confirmation.
    Pending,
    /// The release is active already.
    Active,
    /// The server has moved since the plan.
    Moved,
    /// The release is older than what was confirmed.
    Replayed,
    /// The server cannot take the release: space, owner, platform.
    Preflight,
    /// No approval names the release's digests, or the log was rewritten.
    NotApproved,
    /// The manifest is no release.
    Invalid,
    /// There is no such release here.
    Unknown,
    /// A later deploy has the lock.
    Fenced,
    /// Blobs are missing or are not what their digests say.
    Incomplete,
    /// The release's own test failed.
    SelfTest,
    /// The release was rolled back; the former one is active.
    RolledBack,
    /// Manual repair is needed.
    Stranded,
    /// The request does not fit here.
    Protocol,
    /// The server's disk or system failed.
    Failed,
    /// The other side is gone.
    Cancelled,
}

#[cfg(test)]
mod tests {
    use super::super::owner::MAX_OWNER_CHARS;
    use super::*;

    #[test]
    fn chunks_cover_a_blob() {
        let counts = [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1].map(n_chunks);
        assert_eq!(counts, [1, 1, 1, 2]);
    }

    #[test]
    fn requests_have_a_stable_form() {
        let request = Envelope { id: 3, body: Request::Confirm { token: 7 } };
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(text, r#"{"id":3,"body":{"confirm":{"token":7}}}"#);
        let unknown = text.replace("token", "tokens");
        assert!(serde_json::from_str::<Envelope<Request>>(&unknown).is_err());
    }

    #[test]
    fn an_owner_is_kept_short_and_printable() {
        let owner = Owner { who: "a\x1b[2J".repeat(200), ..Owner::default() }.bounded();
        assert_eq!(owner.who.chars().count(), MAX_OWNER_CHARS);
        assert!(!owner.who.contains('\x1b'));
    }
}
