//! Score: one row of numbers for each field, as pathologists read them.
//!
//! Takes the nuclei of a field with their classes; gives percentages and scores, `None` where they
//! are undefined.

use crate::measure::{Class, Nuclei};
use crate::nuclei::signal::brightness_sum;
use crate::raster::{Image, Labels};
use crate::units::PixelSize;
use crate::vectors::dispatch_simd;

/// Numbers that sum up one field.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Summary {
    /// Columns of the field.
    pub width_px: u32,
    /// Rows of the field.
    pub height_px: u32,
    /// Number of nuclei.
    pub n_nuclei: u32,
    /// Nuclei by square millimeter; `None` without a pixel size.
    pub density_per_mm2: Option<f64>,
    /// Fraction of the field that nuclei cover, 0 to 1.
    pub area_fraction: f64,
    /// Positive nuclei, in percent; `None` without classes or nuclei.
    pub positive_percent: Option<f64>,
    /// H-score, 0 to 300; `None` without three thresholds or without nuclei.
    pub h_score: Option<f64>,
    /// Allred total, 0 to 8; `None` without three thresholds or without nuclei.
    pub allred: Option<u32>,
    /// Mean brightness of the whole field, 0 to 1.
    pub brightness_mean: f64,
}

impl Summary {
    /// The numbers by their column's name, in the order of `fields.csv`.
    #[must_use]
    pub fn metrics(&self) -> [(&'static str, Option<f64>); 9] {
        [
            ("width_px", Some(f64::from(self.width_px))),
            ("height_px", Some(f64::from(self.height_px))),
            ("nuclei", Some(f64::from(self.n_nuclei))),
            ("density_per_mm2", self.density_per_mm2),
            ("area_fraction", Some(self.area_fraction)),
            ("positive_percent", self.positive_percent),
            ("h_score", self.h_score),
            ("allred", self.allred.map(f64::from)),
            ("brightness_mean", Some(self.brightness_mean)),
        ]
    }
}

/// Sums a field up.
///
/// # Shapes
/// `labels` and `image`: same width and height; `nuclei` has one row for each label.
///
/// # Edge cases
/// A field without nuclei has no percentages and scores, but an area fraction of 0.
///
/// # Examples
/// ```
/// use cellgate_core::labels;
/// use cellgate_core::measure::Nuclei;
/// use cellgate_core::raster::{Image, Raster};
/// use cellgate_core::score::summarize;
/// use cellgate_core::units::PixelSize;
///
/// let labels = labels![1, 1, 0, 0];
/// let nuclei = Nuclei { labels: vec![1], columns: Vec::new(), classes: None };
/// let image = Image::Gray8(Raster::filled(4, 1, 255));
/// let summary = summarize(&labels, &nuclei, &image, PixelSize::from_um(0.5));
/// assert_eq!((summary.n_nuclei, summary.area_fraction), (1, 0.5));
/// assert_eq!(summary.density_per_mm2, Some(1e6));
/// ```
#[must_use]
pub fn summarize(
    labels: &Labels,
    nuclei: &Nuclei,
    image: &Image,
    pixel_size: Option<PixelSize>,
) -> Summary {
    let n_px = labels.n_px().max(1) as f64;
    let n_covered = dispatch_simd!({
        let mut n_covered = 0_u64;
        for &label in labels.samples() {
            n_covered += u64::from(label != 0);
        }
        n_covered
    });
    let counts = nuclei.classes.as_deref().map(ClassCounts::of);
    Summary {
        width_px: labels.width(),
        height_px: labels.height(),
        n_nuclei: nuclei.len() as u32,
        density_per_mm2: pixel_size.map(|pixel| nuclei.len() as f64 / pixel.area_mm2(n_px)),
        area_fraction: n_covered as f64 / n_px,
        positive_percent: counts.and_then(|counts| counts.positive_percent()),
        h_score: counts.and_then(|counts| counts.h_score()),
        allred: counts.and_then(|counts| counts.allred()),
        brightness_mean: brightness_sum(image) as f64 / (65_535.0 * n_px),
    }
}

/// How many nuclei there are of each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassCounts {
    /// Below the lowest threshold.
    pub negative: u64,
    /// Above the only threshold.
    pub positive: u64,
    /// Weak.
    pub one_plus: u64,
    /// Moderate.
    pub two_plus: u64,
    /// Strong.
    pub three_plus: u64,
}

impl ClassCounts {
    /// Counts classes.
    #[must_use]
    pub fn of(classes: &[Class]) -> Self {
        let n = |counted: Class| classes.iter().filter(|&&class| class == counted).count() as u64;
        Self {
            negative: n(Class::Negative),
            positive: n(Class::Positive),
            one_plus: n(Class::OnePlus),
            two_plus: n(Class::TwoPlus),
            three_plus: n(Class::ThreePlus),
        }
    }

    fn n_graded(self) -> u64 {
        self.one_plus + self.two_plus + self.three_plus
    }

    /// Positive nuclei in percent of all; `None` without nuclei.
    #[must_use]
    pub fn positive_percent(self) -> Option<f64> {
        let positive = self.positive + self.n_graded();
        let all = positive + self.negative;
        (all > 0).then(|| 100.0 * positive as f64 / all as f64)
    }

    /// H-score, 0 to 300: `100 (n1 + 2 n2 + 3 n3) / n`; `None` without nuclei or with nuclei that
    /// have no grade.
    ///
    /// # Sources
    /// McCarty et al. 1985; as QuPath's `DetectionPathClassCounts`.
    #[must_use]
    pub fn h_score(self) -> Option<f64> {
        let all = self.negative + self.n_graded();
        let weighed = self.one_plus + 2 * self.two_plus + 3 * self.three_plus;
        (all > 0 && self.positive == 0).then(|| 100.0 * weighed as f64 / all as f64)
    }

    /// Allred total, 0 to 8: proportion 0 to 5 plus intensity 0 to 3; `None` as for the H-score.
    ///
    /// # Sources
    /// Allred et al. 1998; limits as QuPath's `DetectionPathClassCounts`.
    #[must_use]
    pub fn allred(self) -> Option<u32> {
        let (all, graded) = (self.negative + self.n_graded(), self.n_graded());
        if all == 0 || self.positive > 0 {
            return None;
        }
        // Fractions are compared in whole numbers: exact at every limit.
        let proportion = match graded {
            0 => return Some(0),
            n if 3 * n >= 2 * all => 5,
            n if 3 * n >= all => 4,
            n if 10 * n >= all => 3,
            n if 100 * n >= all => 2,
            _ => 1,
        };
        let weighed = self.one_plus + 2 * self.two_plus + 3 * self.three_plus;
        let intensity = match () {
            () if 3 * weighed > 7 * graded => 3,
            () if 3 * weighed > 5 * graded => 2,
            () => 1,
        };
        Some(proportion + intensity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(negative: u64, [one_plus, two_plus, three_plus]: [u64; 3]) -> ClassCounts {
        ClassCounts { negative, positive: 0, one_plus, two_plus, three_plus }
    }

    #[test]
    fn h_score_spans_0_to_300() {
        assert_eq!(counts(10, [0, 0, 0]).h_score(), Some(0.0));
        assert_eq!(counts(0, [0, 0, 7]).h_score(), Some(300.0));
        // 100 (4 + 0 + 18) / 65.
        assert_eq!(counts(55, [4, 0, 6]).h_score(), Some(100.0 * 22.0 / 65.0));
    }

    #[test]
    fn allred_adds_proportion_and_intensity() {
        let cases = [
            (counts(10, [0, 0, 0]), 0),
            (counts(55, [4, 0, 6]), 3 + 2),
            (counts(84, [5, 8, 9]), 3 + 2),
            (counts(1, [2, 0, 0]), 5 + 1),
            (counts(2, [0, 0, 1]), 4 + 3),
            (counts(999, [1, 0, 0]), 1 + 1),
            (counts(99, [1, 0, 0]), 2 + 1),
        ];
        for (counts, expected) in cases {
            assert_eq!(counts.allred(), Some(expected), "{counts:?}");
        }
    }

    #[test]
    fn nothing_is_scored_without_nuclei_or_grades() {
        let none = ClassCounts::default();
        assert_eq!((none.positive_percent(), none.h_score(), none.allred()), (None, None, None));
        let ungraded = ClassCounts { negative: 3, positive: 1, ..none };
        assert_eq!(ungraded.positive_percent(), Some(25.0));
        assert_eq!((ungraded.h_score(), ungraded.allred()), (None, None));
    }
}
