//! Wire: the frames that deploy and agent exchange.
//!
//! A frame is two lengths, a checksum, a JSON header and raw bytes. `frame` turns frames into bytes
//! and back, `greeting` finds the other side behind a banner and agrees on a version, `message` says
//! what can be asked and answered, `pipe` widens what they go through. Every length is bounded before
//! anything is allocated. Knows neither SSH nor disks.

#[cfg(test)]
mod contract;
mod error;
mod frame;
mod greeting;
mod message;
mod owner;
mod pipe;
mod raw;
mod status;

pub use error::WireError;
pub use frame::{
    Frame, MAX_HEADER_BYTES, MAX_RAW_BYTES, read_frame, read_frame_async, write_frame,
    write_frame_async,
};
pub use greeting::{Greeting, MAGIC, MAX_NOISE_BYTES, NEWEST, OLDEST, Opening, greet, greet_async};
pub use message::{
    Base, CHUNK_BYTES, Envelope, Intent, Missing, Plan, Refusal, RefusalCode, Reply, Request,
    n_chunks,
};
pub use owner::{MAX_OWNER_CHARS, Owner};
pub use pipe::widen;
pub use raw::MAX_DEFLATED_BYTES;
pub use status::{Damage, LockStatus, PendingStatus, ServerStatus};
