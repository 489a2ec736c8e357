//! Accuracy: how well the nuclei that were found agree with the true ones.
//!
//! Takes two label images of one field and gives the scores of the segmentation literature, and
//! their means over fields. It never decides whether a score is good enough; `verdict` does.

use crate::overlap::{Nucleus, Overlaps, ShapesDiffer, Shared};
use crate::raster::Labels;

/// Overlaps (IoU) that nuclei are counted at, in twentieths: 0.5, 0.55, ... 0.95.
const IOU_TWENTIETHS: [u64; 10] = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19];

/// Scores of one field.
///
/// # Units
/// Scores are dimensionless, 0 to 1; 1 is perfect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FieldAccuracy {
    /// True nuclei.
    pub n_truth: u64,
    /// Nuclei that were found.
    pub n_found: u64,
    /// True nuclei with a partner at an overlap above 0.5.
    pub true_positives: u64,
    /// Found nuclei without a partner at an overlap above 0.5.
    pub false_positives: u64,
    /// True nuclei without a partner at an overlap above 0.5.
    pub false_negatives: u64,
    /// Average precision, TP / (TP + FP + FN), at overlaps above 0.5, 0.55, ... 0.95.
    pub ap: [f64; 10],
    /// The scores that are averaged over fields.
    pub scores: Scores,
}

/// The scores that fields are judged by.
///
/// # Units
/// Dimensionless, 0 to 1; 1 is perfect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores {
    /// 2 TP / (2 TP + FP + FN) at an overlap above 0.5.
    pub f1_at_50: f64,
    /// TP / (TP + FP + FN) at an overlap above 0.5.
    pub ap_at_50: f64,
    /// Mean of the average precision over overlaps of 0.5 to 0.95.
    pub map: f64,
    /// Aggregated Jaccard index.
    pub aji: f64,
    /// Panoptic quality: F1 times the mean overlap of the partners.
    pub pq: f64,
    /// 2 common pixels / (true pixels + found pixels) of the foreground.
    pub dice: f64,
}

impl Scores {
    /// The scores with their names, in the order of tables.
    #[must_use]
    pub fn entries(&self) -> [(&'static str, f64); 6] {
        [
            ("f1_at_50", self.f1_at_50),
            ("ap_at_50", self.ap_at_50),
            ("map", self.map),
            ("aji", self.aji),
            ("pq", self.pq),
            ("dice", self.dice),
        ]
    }
}

/// Scores the nuclei found in a field against the true ones.
///
/// Two nuclei are partners when their intersection over union exceeds the threshold; above one
/// half each has at most one partner, so no assignment is needed and order does not matter.
///
/// # Shapes
/// `truth` and `found`: same `[height, width]`.
///
/// # Edge cases
/// Two empty fields agree perfectly: every score is 1. When one of the two is empty, every score
/// is 0.
///
/// # Errors
/// [`ShapesDiffer`] when the label images are not of one shape.
///
/// # Sources
/// Precision and F1 by overlap: Caicedo et al. 2019, doi:10.1038/s41592-019-0612-7. AJI: Kumar et
/// al. 2017, doi:10.1109/TMI.2017.2677499, where a found nucleus may serve several true ones; of
/// equal overlaps the lowest label counts. PQ: Kirillov et al. 2019, doi:10.1109/CVPR.2019.00963.
///
/// # Examples
/// ```
/// use cellgate_core::accuracy::score_field;
/// use cellgate_core::labels;
///
/// // The first nucleus is found to the pixel, the second is missing.
/// let truth = labels![1, 1, 0, 2; 1, 1, 0, 2];
/// let found = labels![5, 5, 0, 0; 5, 5, 0, 0];
/// let accuracy = score_field(&truth, &found)?;
/// assert_eq!(accuracy.scores.f1_at_50, 2.0 / 3.0);
/// # Ok::<(), cellgate_core::overlap::ShapesDiffer>(())
/// ```
pub fn score_field(truth: &Labels, found: &Labels) -> Result<FieldAccuracy, ShapesDiffer> {
    let overlaps = Overlaps::count(truth, found)?;
    let (n_truth, n_found) = (overlaps.base.len() as u64, overlaps.head.len() as u64);
    let ap = IOU_TWENTIETHS.map(|twentieths| {
        let n_partners = partners(&overlaps, twentieths).count() as u64;
        fraction(n_partners, n_truth + n_found - n_partners)
    });
    let true_positives = partners(&overlaps, IOU_TWENTIETHS[0]).count() as u64;
    let f1_at_50 = fraction(2 * true_positives, n_truth + n_found);
    let sum_iou: f64 = partners(&overlaps, IOU_TWENTIETHS[0]).map(|pair| overlaps.iou(pair)).sum();
    let mean_iou = if true_positives == 0 { 1.0 } else { sum_iou / true_positives as f64 };
    let scores = Scores {
        f1_at_50,
        ap_at_50: ap[0],
        map: ap.iter().sum::<f64>() / ap.len() as f64,
        aji: aggregated_jaccard(&overlaps),
        pq: f1_at_50 * mean_iou,
        dice: dice(&overlaps),
    };
    Ok(FieldAccuracy {
        n_truth,
        n_found,
        true_positives,
        false_positives: n_found - true_positives,
        false_negatives: n_truth - true_positives,
        ap,
        scores,
    })
}

/// Averages scores over fields, each field with the same weight; `None` without fields.
#[must_use]
pub fn mean<'a>(fields: impl IntoIterator<Item = &'a Scores>) -> Option<Scores> {
    let fields: Vec<&Scores> = fields.into_iter().collect();
    let mean = |score: fn(&Scores) -> f64| {
        fields.iter().map(|scores| score(scores)).sum::<f64>() / fields.len() as f64
    };
    (!fields.is_empty()).then(|| Scores {
        f1_at_50: mean(|scores| scores.f1_at_50),
        ap_at_50: mean(|scores| scores.ap_at_50),
        map: mean(|scores| scores.map),
        aji: mean(|scores| scores.aji),
        pq: mean(|scores| scores.pq),
        dice: mean(|scores| scores.dice),
    })
}

fn partners(overlaps: &Overlaps, twentieths: u64) -> impl Iterator<Item = Shared> {
    let exceeds = move |pair: &Shared| overlaps.iou_exceeds(*pair, twentieths);
    overlaps.shared.iter().copied().filter(exceeds)
}

/// A fraction of two counts; nothing of nothing is everything.
fn fraction(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

fn aggregated_jaccard(overlaps: &Overlaps) -> f64 {
    let (mut intersection, mut union) = (0, 0);
    let mut used = vec![false; overlaps.head.len()];
    let mut has_partner = vec![false; overlaps.base.len()];
    for pairs in overlaps.shared.chunk_by(|a, b| a.base == b.base) {
        let best = pairs
            .iter()
            .copied()
            .reduce(|best, pair| if overlaps.iou(pair) > overlaps.iou(best) { pair } else { best });
        let Some(best) = best else { continue };
        intersection += best.n_px;
        union += overlaps.union_px(best);
        used[best.head] = true;
        has_partner[best.base] = true;
    }
    let unpaired = |nuclei: &[Nucleus], paired: &[bool]| -> u64 {
        nuclei.iter().zip(paired).filter(|&(_, &paired)| !paired).map(|(n, _)| n.n_px).sum()
    };
    union += unpaired(&overlaps.base, &has_partner) + unpaired(&overlaps.head, &used);
    fraction(intersection, union)
}

fn dice(overlaps: &Overlaps) -> f64 {
    let common: u64 = overlaps.shared.iter().map(|pair| pair.n_px).sum();
    let n_px = |nuclei: &[Nucleus]| nuclei.iter().map(|n| n.n_px).sum::<u64>();
    fraction(2 * common, n_px(&overlaps.base) + n_px(&overlaps.head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels;
    use proptest::prelude::*;

    /// Expected scores in the order of [`Scores::named`].
    #[track_caller]
    fn check(truth: &Labels, found: &Labels, tp_fp_fn: [u64; 3], expected: [f64; 6]) {
        let field = score_field(truth, found).unwrap();
        let counts = [field.true_positives, field.false_positives, field.false_negatives];
        assert_eq!(counts, tp_fp_fn);
        for ((name, score), expected) in field.scores.entries().into_iter().zip(expected) {
            assert!((score - expected).abs() < 1e-15, "{name}: {score}, expected {expected}");
        }
    }

    // Numbers of the matrices below: an independent implementation in numpy 2.4.
    #[test]
    fn mixed_field_agrees_with_the_reference() {
        let truth = labels![
            1, 1, 1, 0, 0, 0, 0, 0; 1, 1, 1, 0, 2, 2, 2, 2; 1, 1, 1, 0, 2, 2, 2, 2;
            0, 0, 0, 0, 2, 2, 2, 2; 5, 5, 0, 0, 0, 0, 0, 0; 5, 5, 0, 9, 9, 9, 0, 0
        ];
        let found = labels![
            3, 3, 3, 0, 0, 0, 0, 0; 3, 3, 3, 0, 0, 8, 8, 8; 3, 3, 0, 0, 4, 8, 8, 8;
            0, 0, 0, 0, 4, 4, 8, 8; 0, 0, 0, 0, 0, 0, 0, 6; 0, 0, 0, 0, 9, 9, 9, 6
        ];
        let expected = [
            0.444_444_444_444_444_4,
            0.285_714_285_714_285_7,
            0.164_285_714_285_714_28,
            0.529_411_764_705_882_4,
            0.345_679_012_345_678_94,
            0.807_692_307_692_307_7,
        ];
        check(&truth, &found, [2, 3, 2], expected);
    }

    #[test]
    fn shifted_bar_has_the_overlap_of_its_shift() {
        let truth = labels![1, 1, 1, 1, 0, 0];
        check(&truth, &labels![0, 1, 1, 1, 1, 0], [1, 0, 0], [1.0, 1.0, 0.2, 0.6, 0.6, 0.75]);
    }

    #[test]
    fn overlap_of_exactly_one_half_is_no_partner() {
        check(&labels![1, 1], &labels![1, 0], [0, 1, 1], [0.0, 0.0, 0.0, 0.5, 0.0, 2.0 / 3.0]);
    }

    #[test]
    fn jaccard_lets_one_found_nucleus_serve_two_true_ones() {
        let truth = labels![1, 1, 1, 2, 2, 2, 0];
        let found = labels![7, 7, 7, 7, 7, 7, 0];
        check(&truth, &found, [0, 1, 2], [0.0, 0.0, 0.0, 0.5, 0.0, 1.0]);
    }

    #[test]
    fn jaccard_takes_the_lowest_label_of_equal_overlaps() {
        let found = labels![5, 5, 6, 6, 0];
        check(&labels![1, 1, 1, 1, 0], &found, [0, 2, 1], [0.0, 0.0, 0.0, 1.0 / 3.0, 0.0, 1.0]);
    }

    #[test]
    fn empty_fields_agree_and_half_empty_ones_do_not() {
        let (empty, full) = (labels![0, 0], labels![1, 1]);
        check(&empty, &empty, [0, 0, 0], [1.0; 6]);
        check(&full, &empty, [0, 0, 1], [0.0; 6]);
        check(&empty, &full, [0, 1, 0], [0.0; 6]);
    }

    #[test]
    fn mean_weighs_fields_alike() {
        let perfect = score_field(&labels![1, 0], &labels![1, 0]).unwrap().scores;
        let missed = score_field(&labels![1, 0], &labels![0, 0]).unwrap().scores;
        let half = mean([&perfect, &missed]).unwrap();
        assert!(half.entries().into_iter().all(|(_, score)| score == 0.5));
        assert_eq!(mean([]), None);
    }

    fn field() -> impl Strategy<Value = Labels> {
        prop::collection::vec(0..5_u32, 48)
            .prop_map(|samples| Labels::from_samples(8, 6, samples).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_field_agrees_with_itself(labels in field()) {
            let scores = score_field(&labels, &labels).unwrap().scores;
            prop_assert!(scores.entries().into_iter().all(|(_, score)| score == 1.0));
        }

        #[test]
        fn renaming_found_nuclei_changes_no_count(truth in field(), found in field()) {
            let renamed = found.map(|label| [0, 90, 7, 4_000_000_000, 1][label as usize]);
            let before = score_field(&truth, &found).unwrap();
            let after = score_field(&truth, &renamed).unwrap();
            prop_assert_eq!(before.ap, after.ap);
            prop_assert_eq!(before.scores.dice, after.scores.dice);
        }

        #[test]
        fn scores_lie_between_0_and_1(truth in field(), found in field()) {
            let scores = score_field(&truth, &found).unwrap().scores;
            prop_assert!(scores.entries().into_iter().all(|(_, score)| (0.0..=1.0).contains(&score)));
        }
    }
}
