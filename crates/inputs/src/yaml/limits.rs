//! Limits: how much of a document is read and told.

/// Deepest nesting of lists and mappings that is read.
pub const MAX_DEPTH: usize = 32;

/// Most findings about one document; a last one tells that there are more.
pub(super) const MAX_FINDINGS: usize = 100;
