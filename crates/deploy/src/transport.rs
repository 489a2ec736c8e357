//! Transport: how channels to an agent are opened.
//!
//! The protocol runs over any two byte streams. SSH and a child process of this machine are the two
//! ways to get them; tests add one that cuts and damages. Knows nothing of frames.

use std::future::Future;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};

/// Most bytes that are kept of what the other side says outside the protocol.
const MAX_SAID_BYTES: usize = 16 << 10;

/// Purpose of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Requests; one for each deploy, open until the switch.
    Control,
    /// Chunks of blobs besides the control channel; may be refused, then there is just one channel.
    Data,
    /// The confirmation: over a connection of its own from the ground up, with a login of its own and an
    /// agent that was started for it, so that it shows that the server can still be reached.
    Confirm,
}

/// Two byte streams to an agent.
///
/// Dropping it ends the agent's input, which the agent takes as the end of the conversation.
pub struct Channel {
    /// Stream from the agent.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// Stream to the agent.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// Text outside the protocol: standard error of ssh or of the agent.
    pub said: Said,
    /// Whatever must live as long as the channel: a child process, a session.
    pub keep: Box<dyn Send + Sync>,
}

/// Bounded text that is gathered while a channel is open.
#[derive(Debug, Clone, Default)]
pub struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    /// Adds to the text; what exceeds the bound is dropped.
    pub fn add(&self, bytes: &[u8]) {
        if let Ok(mut text) = self.0.lock() {
            let room = MAX_SAID_BYTES.saturating_sub(text.len());
            text.extend(&bytes[..bytes.len().min(room)]);
        }
    }

    /// The text, with line ends but without other control characters.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes = self.0.lock().map(|text| text.clone()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        text.chars().filter(|&letter| letter == '\n' || !letter.is_control()).collect()
    }
}

/// A channel could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {help}")]
pub struct TransportError {
    /// The failure, its place and its cause.
    pub message: String,
    /// The remedy.
    pub help: String,
    /// Whether another attempt may do.
    pub is_transient: bool,
}

/// A way to an agent.
pub trait Transport: Sync {
    /// Opens a channel.
    ///
    /// # Errors
    /// [`TransportError`].
    fn open(
        &self,
        purpose: Purpose,
    ) -> impl Future<Output = Result<Channel, TransportError>> + Send;

    /// Begins the login for the next [`Purpose::Confirm`], where there is one, and does not wait for
    /// it. What fails is tried again when it is needed.
    fn log_in_ahead(&self) {}
}
