//! Error: why a gate could not do its work. What is wrong with inputs is a finding, not an error.

use cellgate_core::digest::DigestError;
use cellgate_inputs::finding::Finding;
use cellgate_run::write::WriteError;

/// The gate could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// Nothing was there to check.
    #[error("nothing to check: {0}")]
    Nothing(String),
    /// An input is invalid, where there is no gate to report it.
    #[error("an input is invalid")]
    Invalid(Vec<Finding>),
    /// A digest cannot be taken.
    #[error("a digest cannot be taken")]
    Digest(#[from] DigestError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Shares are missing or do not belong together.
    #[error(transparent)]
    Shards(#[from] ShardError),
}

/// A profile has no result on a field. The reason is in words, as shares of a gate carry it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotRun(pub(super) String);

/// At most so many reasons are listed.
const MAX_TOLD: usize = 20;

/// Shares cannot be merged.
#[derive(Debug, thiserror::Error)]
#[error("the shards cannot be merged: {}", join_reasons(.0))]
pub struct ShardError(pub(super) Vec<String>);

fn join_reasons(reasons: &[String]) -> String {
    let mut text = reasons.iter().take(MAX_TOLD).cloned().collect::<Vec<_>>().join("; ");
    if let Some(n_more) = reasons.len().checked_sub(MAX_TOLD).filter(|n_more| *n_more > 0) {
        text.push_str(&format!("; and {n_more} more"));
    }
    text
}
