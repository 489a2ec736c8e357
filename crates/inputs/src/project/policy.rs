//! Policy: tolerances, accuracy floors and who may approve. Always read from base.

use cellgate_core::digest::{Digest, DigestError};
use cellgate_core::tolerances::Tolerances;
use serde::Serialize;
use std::collections::BTreeMap;

/// Everything that a verdict depends on beside the measurements.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Policy {
    /// How far measurements may move.
    pub tolerances: Tolerances,
    /// Lowest accuracy, by profile.
    pub accuracy_floors: BTreeMap<String, AccuracyFloors>,
    /// Who may approve.
    pub approval: ApprovalPolicy,
}

impl Policy {
    /// Digest of the canonical form: comments, order and formatting of the files do not change it.
    ///
    /// # Errors
    /// [`DigestError`] when a limit is not finite, which no policy read from files is.
    pub fn digest(&self) -> Result<Digest, DigestError> {
        Digest::of_canonical(self)
    }
}

/// Lowest accuracy against truth, as means over fields; `None` is no floor.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct AccuracyFloors {
    /// F1 at an overlap (IoU) of 0.5.
    pub f1_at_50: Option<f64>,
    /// Average precision at an overlap of 0.5.
    pub ap_at_50: Option<f64>,
    /// Mean average precision over 0.5 to 0.95.
    pub map: Option<f64>,
    /// Aggregated Jaccard index.
    pub aji: Option<f64>,
    /// Panoptic quality.
    pub pq: Option<f64>,
    /// Dice coefficient of the foreground.
    pub dice: Option<f64>,
}

/// Who may approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApprovalPolicy {
    /// Lowest permission on the repository.
    pub permission: String,
    /// Whether the author of a change may approve it.
    pub allow_author: bool,
    /// How many people must approve.
    pub count: u32,
}
