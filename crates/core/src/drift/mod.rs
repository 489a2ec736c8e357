//! Drift: how far head's nuclei and numbers moved from base's.
//!
//! Takes the labels and tables of the same fields on both sides, and tolerances; gives fates of
//! nuclei, a shift with an interval for each measurement, and what exceeds a limit. It reads and
//! writes no file, and it does not decide whether the change may pass: `verdict` does.

mod side;
mod distribution;
mod field;
mod measurements;
mod noise;
mod pairing;
mod stats;
mod structure;
mod student;

pub use distribution::{Distribution, N_BINS, Quantiles};
pub use measurements::{MeasurementDrift, Parts, known_measurements};
pub use noise::{NoiseFloor, noise_floor};
pub use pairing::{Fate, Pair, Pairing, pair};
pub use side::{FieldDrift, FieldPair, Side};
pub use stats::{CONFIDENCE, Interval, Movement, N_RESAMPLES, Shift};
pub use structure::{Breach, FateCounts, Rule};

use crate::overlap::{Overlaps, ShapesDiffer};
use crate::tolerances::Tolerances;
use field::FieldRows;
use rayon::prelude::*;

/// How far head moved from base, over all fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// Every field, in the order given.
    pub fields: Vec<FieldDrift>,
    /// Every measurement: numbers of fields first, then columns of the table of nuclei.
    pub measurements: Vec<MeasurementDrift>,
    /// Fates of the nuclei of all fields together.
    pub nuclei: FateCounts,
    /// Limits on the fates of nuclei that are exceeded.
    pub breaches: Vec<Breach>,
    /// Fields that are needed at least for deciding.
    pub min_fields: u32,
    /// Seed of the resampling.
    pub seed: u64,
}

impl Drift {
    /// Whether there are fields, and all of them are the same on both sides.
    #[must_use]
    pub fn is_identical(&self) -> bool {
        !self.fields.is_empty() && self.fields.iter().all(|field| field.is_identical)
    }
}

/// A field cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to compare field `{field}`")]
pub struct DriftError {
    /// The field's name.
    pub field: String,
    /// Why not.
    pub source: ShapesDiffer,
}

/// Compares what base and head made of the same fields.
///
/// # Edge cases
/// Without fields the result is empty, and `verdict` calls it broken. Label numbers do not matter.
/// Swapping the sides turns the sign of every shift.
///
/// # Errors
/// [`DriftError`] when the label images of a field differ in shape.
///
/// # Examples
/// ```
/// use cellgate_core::drift::{FieldPair, Side, compare};
/// use cellgate_core::labels;
/// use cellgate_core::measure::{Column, Nuclei};
/// use cellgate_core::score::Summary;
/// use cellgate_core::tolerances::Tolerances;
///
/// let (base, head) = (labels![1, 0, 2], labels![1, 0, 0]);
/// let nuclei = |labels: Vec<u32>| {
///     let values = vec![Some(1.0); labels.len()];
///     let columns = vec![Column { name: "area_px2".to_owned(), values }];
///     Nuclei { labels, columns, classes: None }
/// };
/// let (of_base, of_head) = (nuclei(vec![1, 2]), nuclei(vec![1]));
/// let summary = Summary::default();
/// let pair = FieldPair {
///     name: "A01",
///     base: Side { labels: &base, nuclei: &of_base, summary: &summary },
///     head: Side { labels: &head, nuclei: &of_head, summary: &summary },
/// };
/// let drift = compare(&[pair], &Tolerances::default(), 1)?;
/// assert_eq!((drift.nuclei.matched, drift.nuclei.vanished), (1, 1));
/// # Ok::<(), cellgate_core::drift::DriftError>(())
/// ```
pub fn compare(
    fields: &[FieldPair<'_>],
    tolerances: &Tolerances,
    seed: u64,
) -> Result<Drift, DriftError> {
    let rows: Vec<FieldRows<'_>> = fields
        .par_iter()
        .map(|field| {
            let overlaps = Overlaps::count(field.base.labels, field.head.labels);
            let overlaps =
                overlaps.map_err(|source| DriftError { field: field.name.to_owned(), source })?;
            Ok(FieldRows::new(*field, pair(&overlaps)))
        })
        .collect::<Result<_, DriftError>>()?;
    let measurements = measurements::compare(&rows, tolerances, seed);
    let fields: Vec<FieldDrift> = rows.into_iter().map(FieldRows::into_drift).collect();
    let nuclei = fields.iter().map(|field| field.nuclei).sum();
    Ok(Drift {
        breaches: structure::breaches(&nuclei, &tolerances.structure),
        fields,
        measurements,
        nuclei,
        min_fields: tolerances.min_fields,
        seed,
    })
}

#[cfg(test)]
mod tests;
