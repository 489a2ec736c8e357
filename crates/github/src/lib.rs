//! GitHub: the event, the client, the comment, the check run, approvals on a branch.
//!
//! Every call goes one bounded way: `transport` sends it, `pace` says when to ask again, `client`
//! decides what may be repeated and where the token may go. The rooms above hold strict types of
//! just what is read. Words of strangers are escaped where they land.
//!
//! # Examples
//! The command in a comment on a pull request:
//! ```
//! use cellgate_github::spoken::Spoken;
//!
//! let comment = "/cellgate approve 0123456789ab nuclei are rounder, as they should be";
//! let spoken = Spoken::parse(comment);
//! assert!(matches!(spoken, Spoken::Command(command) if command.why.starts_with("nuclei are")));
//! assert_eq!(Spoken::parse("looks good to me"), Spoken::NotForUs);
//! ```

mod connect;
pub mod fetch;
pub mod address;
pub mod event;
mod payload;
pub mod base;
pub mod step;
pub mod permission;
pub mod error;
pub mod pace;
mod transport;
pub mod client;
mod pages;
pub mod comments;
pub mod pulls;
pub mod checks;
pub mod runs;
pub mod archive;
pub mod git;
pub mod append;
pub mod deployments;
pub mod history;
pub mod comment;
pub mod check;
pub mod pictures;
pub mod target;
pub mod publish;
pub mod spoken;
pub mod approve;

pub use address::RepositoryName;
pub use client::Client;
pub use connect::ConnectError;
pub use error::GitHubError;
