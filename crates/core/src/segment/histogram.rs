//! Histogram: counts of all values of a signal, and the thresholds that follow from them.

use crate::raster::Raster;
use crate::vectors::dispatch_simd;

/// Classes of three-class Otsu are sought among this many bins between the extremes.
const OTSU3_BINS: usize = 512;

/// Bins of the triangle method between the extremes, as scikit-image has them.
const TRIANGLE_BINS: usize = 256;

/// How often each value occurs.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    /// Counts from 0 to the largest value that occurs.
    counts: Vec<u64>,
    low: u16,
    high: u16,
}

impl Histogram {
    /// Counts the values of a raster.
    #[must_use]
    pub(super) fn of(raster: &Raster<u16>) -> Self {
        let highest =
            dispatch_simd!(raster.samples().iter().fold(0, |highest, &value| value.max(highest)));
        // Two tables keep runs of equal values from waiting for each other's counter.
        let mut tables = vec![[0_u32; 2]; usize::from(highest) + 1];
        let (blocks, rest) = raster.samples().as_chunks::<2>();
        for block in blocks {
            for (lane, &value) in block.iter().enumerate() {
                tables[usize::from(value)][lane] += 1;
            }
        }
        for &value in rest {
            tables[usize::from(value)][0] += 1;
        }
        Self::of_counts(
            tables.iter().map(|lanes| lanes.iter().map(|&n| u64::from(n)).sum()).collect(),
        )
    }

    fn of_counts(counts: Vec<u64>) -> Self {
        let low = counts.iter().position(|&n| n > 0).unwrap_or(0) as u16;
        let high = counts.iter().rposition(|&n| n > 0).unwrap_or(0) as u16;
        Self { counts, low, high }
    }

    /// Smallest and largest value that occur.
    #[must_use]
    pub(super) fn range(&self) -> (u16, u16) {
        (self.low, self.high)
    }

    /// Whether there is at most one value.
    #[must_use]
    pub(super) fn is_constant(&self) -> bool {
        self.low == self.high
    }

    /// The same pixels on a logarithmic scale.
    #[must_use]
    pub(super) fn on_scale(&self, scale: &LogScale) -> Self {
        let mut counts = vec![0; 65_536];
        for (value, &n) in self.counts.iter().enumerate() {
            counts[usize::from(scale.positions[value])] += n;
        }
        Self::of_counts(counts)
    }

    /// The value that a fraction of the pixels does not exceed.
    #[must_use]
    pub(super) fn quantile(&self, fraction: f64) -> u16 {
        let total: u64 = self.counts.iter().sum();
        let rank = (fraction * total as f64) as u64;
        let mut n_below = 0;
        let reached = self.counts.iter().position(|&n| {
            n_below += n;
            n_below > rank
        });
        reached.map_or(self.high, |value| value as u16)
    }

    /// The threshold after Otsu 1979: the value that divides the pixels with the largest variance
    /// between the two classes, exactly; of several the middle.
    #[must_use]
    pub(super) fn otsu(&self) -> f64 {
        let (total, sum) = self.totals();
        let (mut below, mut sum_below) = (0_u64, 0_u64);
        let (mut best, mut is_best) = (0.0, false);
        let (mut first, mut last) = (self.low, self.low);
        for value in self.low..self.high {
            let n = self.counts[usize::from(value)];
            if n == 0 {
                // Nothing changes sides: this value is as good as the one before.
                last = if is_best { value } else { last };
                continue;
            }
            below += n;
            sum_below += n * u64::from(value);
            let above = total - below;
            let gap = sum_below as f64 / below as f64 - (sum - sum_below) as f64 / above as f64;
            let variance = below as f64 * above as f64 * gap * gap;
            is_best = variance >= best;
            if variance > best {
                (best, first) = (variance, value);
            }
            last = if is_best { value } else { last };
        }
        (f64::from(first) + f64::from(last)) / 2.0
    }

    /// Both thresholds of three classes after Otsu 1979, among 512 bins between the extremes.
    #[must_use]
    pub(super) fn otsu3(&self) -> [f64; 2] {
        let bins = self.bin_counts(OTSU3_BINS);
        let mut below = vec![(0_u64, 0_u64)];
        for (bin, &n) in bins.iter().enumerate() {
            let (pixels, sum) = below[bin];
            below.push((pixels + n, sum + n * bin as u64));
        }
        // The sum of a class's values squared over its pixels: largest where classes lie apart.
        let spread = |from: usize, to: usize| {
            let (pixels, sum) = (below[to].0 - below[from].0, below[to].1 - below[from].1);
            if pixels == 0 { 0.0 } else { sum as f64 * sum as f64 / pixels as f64 }
        };
        let (mut best, mut cuts) = (-1.0, [0, 0]);
        for lower in 1..OTSU3_BINS - 1 {
            let bottom = spread(0, lower);
            for upper in lower + 1..OTSU3_BINS {
                let variance = bottom + spread(lower, upper) + spread(upper, OTSU3_BINS);
                if variance > best {
                    (best, cuts) = (variance, [lower, upper]);
                }
            }
        }
        cuts.map(|cut| self.bin_end(cut - 1, OTSU3_BINS))
    }

    /// The threshold of minimum cross-entropy after Li and Lee 1993.
    ///
    /// # Sources
    /// The iteration of Li and Tam 1998, Pattern Recognition Letters 19, 771,
    /// doi:10.1016/S0167-8655(98)00057-9, from the mean, on values counted from the smallest.
    #[must_use]
    pub(super) fn li(&self) -> f64 {
        let mut below = vec![(0_u64, 0_u64)];
        for (value, &n) in self.counts.iter().enumerate() {
            let (pixels, sum) = below[value];
            let above_low = (value as u64).saturating_sub(u64::from(self.low));
            below.push((pixels + n, sum + n * above_low));
        }
        let n_values = self.counts.len();
        let (total, sum) = below[n_values];
        let mut level = sum as f64 / total as f64;
        for _ in 0..1_000 {
            let cut = (level as usize + usize::from(self.low) + 1).min(n_values);
            let (n_back, sum_back) = below[cut];
            let (n_fore, sum_fore) = (total - n_back, sum - sum_back);
            if n_back == 0 || n_fore == 0 || sum_back == 0 {
                break;
            }
            let back = sum_back as f64 / n_back as f64;
            let fore = sum_fore as f64 / n_fore as f64;
            let next = (back - fore) / (libm::log(back) - libm::log(fore));
            let is_settled = (next - level).abs() < 0.5;
            level = next;
            if is_settled {
                break;
            }
        }
        level + f64::from(self.low)
    }

    /// The threshold after Zack 1977: the bin farthest from the line between the histogram's peak
    /// and the end of its longer tail.
    ///
    /// # Sources
    /// Zack, Rogers and Latt 1977, doi:10.1177/25.7.70454; as scikit-image 0.26
    /// `filters.threshold_triangle`.
    #[must_use]
    pub(super) fn triangle(&self) -> f64 {
        let mut bins = self.bin_counts(TRIANGLE_BINS);
        let peak_count = bins.iter().copied().max().unwrap_or(0);
        let peak = bins.iter().position(|&n| n == peak_count).unwrap_or(0);
        let is_flipped = peak < TRIANGLE_BINS - 1 - peak;
        let mirror = |bin: usize| if is_flipped { TRIANGLE_BINS - 1 - bin } else { bin };
        if is_flipped {
            bins.reverse();
        }
        let peak = mirror(peak);
        let (run, rise) = (peak as f64, peak_count as f64);
        let norm = (run * run + rise * rise).sqrt();
        let distance = |bin: usize| rise / norm * bin as f64 - run / norm * bins[bin] as f64;
        let mut farthest = 0;
        for bin in 1..peak {
            if distance(bin) > distance(farthest) {
                farthest = bin;
            }
        }
        let step = f64::from(self.high - self.low) / TRIANGLE_BINS as f64;
        f64::from(self.low) + step * (mirror(farthest) as f64 + 0.5)
    }

    fn totals(&self) -> (u64, u64) {
        let weighed = self.counts.iter().enumerate();
        weighed.fold((0, 0), |(total, sum), (value, &n)| (total + n, sum + n * value as u64))
    }

    /// Counts in equal bins between the extremes; the last bin holds the largest value, too.
    fn bin_counts(&self, n_bins: usize) -> Vec<u64> {
        let mut bins = vec![0; n_bins];
        let span = usize::from(self.high - self.low).max(1);
        let occurring = &self.counts[usize::from(self.low)..=usize::from(self.high)];
        for (offset, &n) in occurring.iter().enumerate() {
            bins[(offset * n_bins / span).min(n_bins - 1)] += n;
        }
        bins
    }

    /// The last value that falls into a bin.
    fn bin_end(&self, bin: usize, n_bins: usize) -> f64 {
        let span = usize::from(self.high - self.low);
        f64::from(self.low) + (((bin + 1) * span).div_ceil(n_bins) as f64 - 1.0).max(0.0)
    }
}

/// A logarithmic scale over the values of a signal, from its background to its maximum.
#[derive(Debug, Clone)]
pub(super) struct LogScale {
    positions: Vec<u16>,
}

impl LogScale {
    /// Makes the scale of a histogram: the first percentile is its zero, a fiftieth of the span to
    /// the 99.5th percentile its softening.
    #[must_use]
    pub(super) fn of(histogram: &Histogram) -> Self {
        let zero = f64::from(histogram.quantile(0.01));
        let soft = (0.02 * (f64::from(histogram.quantile(0.995)) - zero)).max(1.0);
        let place = |value: f64| libm::log(1.0 + (value - zero).max(0.0) / soft);
        let end = place(f64::from(histogram.high)).max(f64::MIN_POSITIVE);
        let position =
            |value: u16| libm::round(65_535.0 * (place(f64::from(value)) / end).min(1.0)) as u16;
        Self { positions: (0..=u16::MAX).map(position).collect() }
    }

    /// The largest value that stands at or before a position.
    #[must_use]
    pub(super) fn value_at(&self, position: u16) -> u16 {
        self.positions.partition_point(|&other| other <= position).saturating_sub(1) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_peaks() -> Raster<u16> {
        Raster::from_fn(100, 10, |x, y| match x {
            0..70 => 1_000 + (x + 7 * y) as u16 % 100,
            _ => 20_000 + (x * 13 + y) as u16 % 3_000,
        })
    }

    #[test]
    fn every_method_finds_the_gap_between_two_peaks() {
        let histogram = Histogram::of(&two_peaks());
        for level in [histogram.otsu(), histogram.li(), histogram.triangle()] {
            assert!((1_099.0..20_000.0).contains(&level), "{level}");
        }
    }

    #[test]
    fn three_classes_are_told_apart() {
        let raster =
            Raster::from_fn(90, 4, |x, _| [100, 5_000, 30_000][x as usize / 30] + x as u16 % 30);
        let [lower, upper] = Histogram::of(&raster).otsu3();
        assert!((130.0..5_000.0).contains(&lower), "{lower}");
        assert!((5_030.0..30_000.0).contains(&upper), "{upper}");
    }

    /// Values of scikit-image 0.26: `threshold_otsu` 162, `threshold_li` 128.26457941279136,
    /// `threshold_triangle` 215 and `threshold_multiotsu` 116, 235 on integers of the same image.
    #[test]
    fn thresholds_agree_with_scikit_image() {
        let raster = Raster::from_fn(64, 64, |x, y| {
            let lift = if (x / 16 + y / 16) % 3 == 0 { 150 } else { 0 };
            ((x * x * 37 + y * y * 91 + x * y * 13) % 211 + lift) as u16
        });
        let histogram = Histogram::of(&raster);
        assert_eq!(histogram.otsu(), 162.0);
        assert!((histogram.li() - 128.264_579_412_791_36).abs() < 1e-9, "{}", histogram.li());
        assert!((histogram.triangle() - 215.0).abs() <= 1.5, "{}", histogram.triangle());
        let [lower, upper] = histogram.otsu3();
        assert!((lower - 116.0).abs() <= 1.0 && (upper - 235.0).abs() <= 1.0, "{lower} {upper}");
    }

    #[test]
    fn log_scale_round_trips_near_every_value() {
        let histogram = Histogram::of(&two_peaks());
        let scale = LogScale::of(&histogram);
        for value in [1_010_u16, 1_500, 9_000, 21_000] {
            let back = scale.value_at(scale.positions[usize::from(value)]);
            assert!(back.abs_diff(value) <= 2 + value / 2_000, "{value} {back}");
        }
    }
}
