//! Tolerances: how far measurements may move between two runs, and what may happen to nuclei.
//!
//! Only the values and their defaults; the file is read elsewhere.

use serde::Serialize;
use std::collections::BTreeMap;

/// Below six fields a confidence interval over fields says next to nothing.
pub const MIN_FIELDS: u32 = 6;

/// As in `params/tolerances.yaml`, which says why; a test keeps the two equal.
pub const STRUCTURE: StructureLimits = StructureLimits {
    max_vanished_fraction: 0.03,
    max_appeared_fraction: 0.03,
    max_split_fraction: 0.02,
    max_merged_fraction: 0.02,
};

/// Measurements that are judged when nobody says which: column, absolute, fraction of base.
const MEASUREMENTS: [(&str, f64, f64); 13] = [
    ("nuclei", 1.0, 0.03),
    ("area_um2", 0.0, 0.04),
    ("area_px2", 0.0, 0.04),
    ("area_fraction", 0.003, 0.04),
    ("circularity", 0.02, 0.0),
    ("eccentricity", 0.02, 0.0),
    ("solidity", 0.02, 0.0),
    ("gray_mean", 0.002, 0.03),
    ("hematoxylin_od_mean", 0.01, 0.03),
    ("eosin_od_mean", 0.01, 0.03),
    ("dab_od_mean", 0.01, 0.03),
    ("positive_percent", 2.0, 0.0),
    ("h_score", 5.0, 0.0),
];

impl Default for Tolerances {
    fn default() -> Self {
        let tolerance = |(name, absolute, relative_fraction): (&str, f64, f64)| {
            (name.to_owned(), Tolerance { absolute, relative_fraction })
        };
        Self {
            measurements: MEASUREMENTS.into_iter().map(tolerance).collect(),
            structure: STRUCTURE,
            min_fields: MIN_FIELDS,
        }
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
