//! Prepared: a host that waits for the switch.

use cellgate_core::digest::Digest;

/// A host that is ready to be switched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Token of the lock.
    pub token: u64,
    /// The release.
    pub release: Digest,
    /// Active release; none on a bare host.
    pub base: Option<Digest>,
    /// Bytes that were sent.
    pub n_sent: u64,
}
