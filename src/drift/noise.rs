//! Noise floor: what differs when nothing was changed.
//!
//! Takes the same profile run twice on the same fields (with another number of threads) as base
//! and head. The classical path is bit-identical, so there every difference is a defect.

use super::FieldPair;

/// What two runs of the same profile differ in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NoiseFloor {
    /// Fields that were run twice.
    pub n_fields: u32,
    /// Fields whose labels or tables differ in any bit.
    pub differing_fields: Vec<String>,
    /// Pixels whose object number differs, over all fields.
    pub n_differing_px: u64,
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
        let n_differing_px = if once.labels.same_shape(again.labels) {
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
        }
    }
    floor
}
