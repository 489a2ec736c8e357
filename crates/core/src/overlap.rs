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
    /// Its first pixel in a row-by-row walk from the top left.
    pub first_px: u64,
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
        if !base.has_same_shape(head) {
            let shape = |labels: &Labels| (labels.width(), labels.height());
            return Err(ShapesDiffer { base: shape(base), head: shape(head) });
        }
        let mut counts = runs(base, head);
        merge_counts(&mut counts, |count| (count.base, count.head));
        let side = |label: fn(&Count) -> u32| {
            let mut side: Vec<Count> = counts.iter().copied().filter(|c| label(c) != 0).collect();
            merge_counts(&mut side, label);
            let nucleus =
                |c: &Count| Nucleus { label: label(c), n_px: c.n_px, first_px: c.first_px };
            side.iter().map(nucleus).collect::<Vec<_>>()
        };
        let (base, head) = (side(|count| count.base), side(|count| count.head));
        let index = |nuclei: &[Nucleus], label| {
            nuclei.binary_search_by_key(&label, |nucleus| nucleus.label).ok()
        };
        let shared = counts.iter().filter_map(|count| {
            let (base, head) = (index(&base, count.base)?, index(&head, count.head)?);
            Some(Shared { base, head, n_px: count.n_px })
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

/// Pixels that have one label in base and one in head, either of them perhaps background.
#[derive(Debug, Clone, Copy)]
struct Count {
    base: u32,
    head: u32,
    n_px: u64,
    first_px: u64,
}

/// Stretches of a row-by-row walk on which both labels stay the same, background left out.
fn runs(base: &Labels, head: &Labels) -> Vec<Count> {
    let mut runs: Vec<Count> = Vec::new();
    let mut last = (0, 0);
    let pairs = base.samples().iter().copied().zip(head.samples().iter().copied());
    for (pair, first_px) in pairs.zip(0..) {
        match runs.last_mut() {
            _ if pair == (0, 0) => {}
            Some(run) if pair == last => run.n_px += 1,
            _ => runs.push(Count { base: pair.0, head: pair.1, n_px: 1, first_px }),
        }
        last = pair;
    }
    runs
}

/// Sorts counts by a key and adds up those with the same key.
fn merge_counts<K: Ord>(counts: &mut Vec<Count>, key: impl Fn(&Count) -> K) {
    counts.sort_unstable_by_key(|count| (key(count), count.first_px));
    counts.dedup_by(|later, earlier| {
        let same = key(later) == key(earlier);
        if same {
            earlier.n_px += later.n_px;
        }
        same
    });
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
        let nucleus = |label, n_px, first_px| Nucleus { label, n_px, first_px };
        assert_eq!(overlaps.base, [nucleus(7, 4, 0), nucleus(900, 1, 7)]);
        assert_eq!(overlaps.head, [nucleus(4_000_000_000, 3, 1)]);
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
