//! Overlap: how many pixels the nuclei of two label images share.
//!
//! Takes two label images of one shape and gives a sparse table in one pass. Pairing and accuracy
//! both read it. It never compares label numbers and never decides what a partner is.

use crate::raster::Labels;

/// The label images have different shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "label images differ in shape: {}x{} px against {}x{} px; both must come from the same field \
     at the same resolution",
    .base.0, .base.1, .head.0, .head.1
)]
pub struct ShapesDiffer {
    /// Width and height of the first image.
    pub base: (u32, u32),
    /// Width and height of the second image.
    pub head: (u32, u32),
}

/// One nucleus of a label image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nucleus {
    /// Its object number.
    pub label: u32,
    /// Its number of pixels.
    pub n_px: u64,
}

/// Pixels that one nucleus of base and one of head have in common; always at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shared {
    /// Index into [`Overlaps::base`].
    pub base: usize,
    /// Index into [`Overlaps::head`].
    pub head: usize,
    /// Number of common pixels.
    pub n_px: u64,
}

/// The sparse overlap table of two label images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlaps {
    /// Nuclei of base, labels rising.
    pub base: Vec<Nucleus>,
    /// Nuclei of head, labels rising.
    pub head: Vec<Nucleus>,
    /// Pairs that share pixels, ordered by base and then by head.
    pub shared: Vec<Shared>,
}

impl Overlaps {
    /// Counts the common pixels of every two nuclei.
    ///
    /// Time is that of one pass over the pixels and of sorting the runs of equal pixels; no table
    /// of all pairs is made, and labels may be any numbers.
    ///
    /// # Edge cases
    /// Fields without nuclei give empty lists.
    ///
    /// # Errors
    /// [`ShapesDiffer`] when the images are not of one shape.
    pub fn count(base: &Labels, head: &Labels) -> Result<Self, ShapesDiffer> {
        if !base.same_shape(head) {
            let shape = |labels: &Labels| (labels.width(), labels.height());
            return Err(ShapesDiffer { base: shape(base), head: shape(head) });
        }
        let pairs = sorted_counts(runs(base, head));
        let base = nuclei(pairs.iter().map(|&((base, _), n_px)| (base, n_px)));
        let head = nuclei(pairs.iter().map(|&((_, head), n_px)| (head, n_px)));
        let index = |nuclei: &[Nucleus], label| {
            nuclei.binary_search_by_key(&label, |nucleus| nucleus.label).ok()
        };
        let shared = pairs.iter().filter_map(|&((b, h), n_px)| {
            Some(Shared { base: index(&base, b)?, head: index(&head, h)?, n_px })
        });
        let shared = shared.collect();
        Ok(Self { base, head, shared })
    }

    /// Number of pixels that either nucleus of a pair covers.
    #[must_use]
    pub fn union_px(&self, shared: Shared) -> u64 {
        self.base[shared.base].n_px + self.head[shared.head].n_px - shared.n_px
    }

    /// Intersection over union of a pair.
    ///
    /// # Units
    /// Dimensionless, (0, 1].
    #[must_use]
    pub fn iou(&self, shared: Shared) -> f64 {
        shared.n_px as f64 / self.union_px(shared) as f64
    }

    /// Whether the intersection over union of a pair exceeds `twentieths` / 20, without rounding.
    #[must_use]
    pub fn iou_exceeds(&self, shared: Shared, twentieths: u64) -> bool {
        20 * shared.n_px > twentieths * self.union_px(shared)
    }

    /// Whether a pair shares at least half of its smaller nucleus.
    #[must_use]
    pub fn contains_half_of_smaller(&self, shared: Shared) -> bool {
        let smaller = self.base[shared.base].n_px.min(self.head[shared.head].n_px);
        2 * shared.n_px >= smaller
    }
}

type Counted = ((u32, u32), u64);

/// Stretches of a row-by-row walk on which both labels stay the same, background left out.
fn runs(base: &Labels, head: &Labels) -> Vec<Counted> {
    let mut runs: Vec<Counted> = Vec::new();
    let mut last = (0, 0);
    for pair in base.samples().iter().copied().zip(head.samples().iter().copied()) {
        match runs.last_mut() {
            Some(run) if pair == last && pair != (0, 0) => run.1 += 1,
            _ if pair != (0, 0) => runs.push((pair, 1)),
            _ => {}
        }
        last = pair;
    }
    runs
}

fn sorted_counts(mut counts: Vec<Counted>) -> Vec<Counted> {
    counts.sort_unstable_by_key(|&(pair, _)| pair);
    counts.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            kept.1 += later.1;
        }
        same
    });
    counts
}

fn nuclei(counts: impl Iterator<Item = (u32, u64)>) -> Vec<Nucleus> {
    let mut nuclei: Vec<Nucleus> = counts
        .filter(|&(label, _)| label != 0)
        .map(|(label, n_px)| Nucleus { label, n_px })
        .collect();
    nuclei.sort_unstable_by_key(|nucleus| nucleus.label);
    nuclei.dedup_by(|later, kept| {
        let same = later.label == kept.label;
        if same {
            kept.n_px += later.n_px;
        }
        same
    });
    nuclei
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels;

    #[test]
    fn counts_shared_pixels_of_any_labels() {
        let base = labels![7, 7, 0, 0; 7, 7, 0, 900];
        let head = labels![0, 4_000_000_000, 4_000_000_000, 0; 0, 4_000_000_000, 0, 0];
        let overlaps = Overlaps::count(&base, &head).unwrap();
        let nucleus = |label, n_px| Nucleus { label, n_px };
        assert_eq!(overlaps.base, [nucleus(7, 4), nucleus(900, 1)]);
        assert_eq!(overlaps.head, [nucleus(4_000_000_000, 3)]);
        let shared = Shared { base: 0, head: 0, n_px: 2 };
        assert_eq!(overlaps.shared, [shared]);
        assert_eq!(overlaps.iou(shared), 0.4);
        assert!(overlaps.iou_exceeds(shared, 7) && !overlaps.iou_exceeds(shared, 8));
        assert!(overlaps.contains_half_of_smaller(shared));
    }

    #[test]
    fn background_has_no_nuclei() {
        let empty = Labels::filled(5, 4, 0);
        let overlaps = Overlaps::count(&empty, &empty).unwrap();
        assert!(overlaps.base.is_empty() && overlaps.head.is_empty() && overlaps.shared.is_empty());
    }

    #[test]
    fn a_nucleus_in_pieces_is_one_nucleus() {
        let labels = labels![1, 0, 1; 2, 2, 1];
        let overlaps = Overlaps::count(&labels, &labels).unwrap();
        assert_eq!(overlaps.base.iter().map(|n| n.n_px).collect::<Vec<_>>(), [3, 2]);
        assert!(overlaps.shared.iter().all(|&shared| overlaps.iou(shared) == 1.0));
    }

    #[test]
    fn different_shapes_are_an_error() {
        let error =
            Overlaps::count(&Labels::filled(2, 3, 0), &Labels::filled(3, 2, 0)).unwrap_err();
        assert_eq!((error.base, error.head), ((2, 3), (3, 2)));
        assert!(error.to_string().contains("2x3 px against 3x2 px"));
    }
}
