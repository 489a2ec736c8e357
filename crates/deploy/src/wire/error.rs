//! Error: why the other side cannot be understood.

use std::io;

/// The other side cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The stream failed.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// The stream ended between two frames.
    #[error("the other side ended the connection")]
    Ended,
    /// The stream ended within a frame.
    #[error("the connection ended in the middle of a message")]
    Torn,
    /// A length beyond its bound.
    #[error("a message announces {0} bytes, more than the protocol allows")]
    TooLong(u64),
    /// Lengths, header or bytes are not what was sent.
    #[error("a message was damaged on its way")]
    Damaged,
    /// A header that is no message of this protocol.
    #[error("a message cannot be read: {0}")]
    Syntax(String),
    /// No greeting behind the noise.
    #[error("no cellgate agent answered; the other side says: `{0}`")]
    NoAgent(String),
    /// No common version.
    #[error(
        "this side speaks versions {} to {} of the protocol, the other {oldest} to {newest}: \
         bring the older of the two up to date",
        super::OLDEST,
        super::NEWEST
    )]
    Version {
        /// The oldest that the other side speaks.
        oldest: u32,
        /// The newest that the other side speaks.
        newest: u32,
    },
}
