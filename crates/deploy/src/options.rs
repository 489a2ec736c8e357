//! Options: how a deploy is done, and who hears what is being done.

use crate::wire::Owner;
use std::sync::Arc;
use std::time::Duration;

/// How a deploy is done.
#[derive(Clone)]
pub struct Options {
    /// Name of the deploy, the same for each attempt: a second one takes the place of the first.
    pub key: String,
    /// Who deploys.
    pub owner: Owner,
    /// How long the confirmation may take before the server rolls back.
    pub window: Duration,
    /// How much longer than the window the server is asked what became of a switch.
    pub grace: Duration,
    /// How long to wait for another deploy to end.
    pub lock_wait: Duration,
    /// Most channels for large blobs besides the control channel, over a long way; 0 sends
    /// everything there.
    pub n_channels: usize,
    /// How many confirmed releases stay on the server besides the active and the previous one.
    pub keep: u32,
    /// Hears what is being done.
    pub progress: Arc<dyn Fn(Progress) + Send + Sync>,
}

impl Options {
    /// Options of a deploy with that name, by somebody, with nobody listening.
    #[must_use]
    pub fn new(key: impl Into<String>, owner: Owner) -> Self {
        Self {
            key: key.into(),
            owner,
            window: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            lock_wait: Duration::ZERO,
            n_channels: 8,
            keep: 5,
            progress: Arc::new(|_| {}),
        }
    }
}

/// Current step of a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Another deploy has the lock.
    Waiting,
    /// Bytes are sent.
    Sending {
        /// How many.
        n_bytes: u64,
        /// Of how many.
        of: u64,
    },
    /// The server reads the blobs back and builds the release.
    Staging,
    /// The release tests itself.
    Testing,
    /// The release becomes the active one.
    Switching,
    /// The server is asked over a new connection.
    Confirming,
}
