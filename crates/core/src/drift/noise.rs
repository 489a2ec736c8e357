//! Noise floor: differences between runs of an unchanged profile.
//!
//! Takes the same profile run twice on the same fields (with another number of threads) as base
//! and head. The classical path is bit-identical, so there every difference is a defect.

use super::side::{FieldPair, Side};
use std::collections::BTreeMap;

/// Differences between two runs of the same profile.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NoiseFloor {
    /// Fields that were run twice.
    pub n_fields: u32,
    /// Fields whose labels or tables differ in any bit.
    pub differing_fields: Vec<String>,
    /// Pixels whose object number differs, over all fields.
    pub n_differing_px: u64,
    /// Largest difference of each measurement that differs, in its own unit: numbers of fields,
    /// and of nuclei that have the same label in both runs.
    pub largest: BTreeMap<String, f64>,
}

impl NoiseFloor {
    /// Whether both runs are the same to the bit.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.differing_fields.is_empty()
    }
}

/// Compares two runs of the same profile to the bit.
///
/// # Edge cases
/// Without fields nothing differs; `n_fields` says that nothing was tried. Labels of different
/// shape differ in every pixel.
#[must_use]
pub fn noise_floor(fields: &[FieldPair<'_>]) -> NoiseFloor {
    let mut floor = NoiseFloor::default();
    for field in fields {
        let (once, again) = (&field.base, &field.head);
        let n_differing_px = if once.labels.has_same_shape(again.labels) {
            let pairs = once.labels.samples().iter().zip(again.labels.samples());
            pairs.filter(|(a, b)| a != b).count() as u64
        } else {
            once.labels.n_px().max(again.labels.n_px()) as u64
        };
        let is_same =
            n_differing_px == 0 && once.nuclei == again.nuclei && once.summary == again.summary;
        floor.n_fields += 1;
        floor.n_differing_px += n_differing_px;
        if !is_same {
            floor.differing_fields.push(field.name.to_owned());
            for (name, difference) in differences(once, again) {
                let largest = floor.largest.entry(name).or_insert(difference);
                *largest = largest.max(difference);
            }
        }
    }
    floor
}

/// Every number that both runs have and that differs, by the size of its difference.
fn differences(once: &Side<'_>, again: &Side<'_>) -> Vec<(String, f64)> {
    let metrics = once.summary.metrics().into_iter().zip(again.summary.metrics());
    let mut numbers: Vec<(String, Option<f64>, Option<f64>)> =
        metrics.map(|((name, a), (_, b))| (name.to_owned(), a, b)).collect();
    for column in &once.nuclei.columns {
        let Some(values) = again.nuclei.column(&column.name) else { continue };
        for (label, value) in once.nuclei.labels.iter().zip(&column.values) {
            let row = again.nuclei.labels.binary_search(label).ok();
            let other = row.and_then(|row| values.get(row).copied().flatten());
            numbers.push((column.name.clone(), *value, other));
        }
    }
    let difference = |(name, a, b): (String, Option<f64>, Option<f64>)| {
        let difference = (a? - b?).abs();
        (difference > 0.0).then_some((name, difference))
    };
    numbers.into_iter().filter_map(difference).collect()
}
