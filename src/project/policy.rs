//! Policy: tolerances, accuracy floors and who may approve. Always read from base.

use crate::digest::{Digest, DigestError};
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

/// How far measurements may move.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tolerances {
    /// By measurement: a column of `nuclei.csv` or of `fields.csv`. A measurement without one is
    /// reported and not judged.
    pub measurements: BTreeMap<String, Tolerance>,
    /// Limits on what happens to nuclei.
    pub structure: StructureLimits,
    /// With fewer fields than this a drift cannot be decided.
    pub min_fields: u32,
}

/// How far one measurement may move: the larger of the two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tolerance {
    /// In the measurement's own unit; 0 when only the fraction counts.
    pub absolute: f64,
    /// As a fraction of base's mean; 0 when only the absolute value counts.
    pub relative_fraction: f64,
}

/// Limits on what happens to nuclei, as fractions of base's nuclei, and on fields.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StructureLimits {
    /// Nuclei of base without any partner in head.
    pub max_vanished_fraction: f64,
    /// Nuclei of head without any partner in base.
    pub max_appeared_fraction: f64,
    /// Nuclei of base that fell apart.
    pub max_split_fraction: f64,
    /// Nuclei of base that grew together.
    pub max_merged_fraction: f64,
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
