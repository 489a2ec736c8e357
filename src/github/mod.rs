//! GitHub: the event, the client, the comment, the check run, approvals on a branch.

pub mod base;
pub mod event;

mod payload;
