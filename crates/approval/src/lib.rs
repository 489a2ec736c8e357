//! Approval: records that bind the digests of a change to the person who let it pass.
//!
//! Takes and gives lines of an append-only log in which each record names the digest of the line
//! before it; says who approved what, and where a change differs from what was approved. Knows
//! neither network nor clock, and reads no file; [`signature`] alone starts a program.
//!
//! # Examples
//! A log is a chain from its first line on, and an empty one has no records:
//! ```
//! use cellgate_approval::Log;
//!
//! assert!(Log::parse(b"").unwrap().records().is_empty());
//! assert_eq!(Log::parse(b"{}\n").unwrap_err().line, 1);
//! ```

mod timestamp;
mod binding;
mod entry;
mod log;
pub mod signature;
mod status;

pub use binding::{Binding, Difference, Part, ProfileBinding, Subject};
pub use entry::{Action, DigestPrefix, Entry, EntryError, MAX_WHY_CHARS, Permission};
pub use log::{
    BRANCH, FILE, Fault, Log, LogError, MAX_BYTES, MAX_LINE_BYTES, MAX_RECORDS, NamesNoReport,
    Record, SCHEMA,
};
pub use status::{ApprovalStatus, Approver};
pub use timestamp::{Timestamp, TimestampSyntax};

#[cfg(test)]
mod tests;
