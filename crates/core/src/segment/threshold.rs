//! Threshold: which pixels of the signal are foreground.
//!
//! Global thresholds are found on the exact histogram of all 65,536 values, in integers where the
//! method allows; a pixel is foreground when it lies above the threshold.

use super::histogram::{Histogram, LogScale};
use crate::grid::components::Run;
use crate::grid::mask::Mask;
use crate::nuclei::signal::Signal;
use crate::profile::{MiddleClass, Threshold, ThresholdMethod};
use crate::raster::Raster;
use rayon::prelude::*;

/// A threshold, ready to be applied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cut {
    /// The same for every pixel, in steps of the signal.
    Global(u16),
    /// By the mean of the window around each pixel.
    Local(Window),
}

/// A local threshold: `factor * mean * (1 + k * (deviation / range - 1))`, kept within bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    /// Half the edge of the window, in pixels.
    pub half_px: u32,
    /// Correction factor.
    pub factor: f64,
    /// Weight of the contrast; 0 for the plain mean.
    pub k: f64,
    /// Largest standard deviation that a window can have, in steps.
    pub range: f64,
    /// Lowest and highest threshold, in steps.
    pub bounds: [f64; 2],
}

/// Finds the threshold of a signal.
///
/// # Units
/// `window_px`: edge of the window of local methods, in pixels of the signal.
///
/// # Edge cases
/// A constant signal has no foreground under any method but `manual`.
#[must_use]
pub(super) fn find(signal: &Signal, threshold: &Threshold, window_px: f64) -> Cut {
    let histogram = Histogram::of(&signal.raster);
    let steps = |value: f64| value * signal.steps_per_unit;
    let bounds = threshold.bounds.map(steps);
    let factor = threshold.correction_factor;
    let global = |level: f64| (level * factor).clamp(bounds[0], bounds[1].max(bounds[0]));
    let cut = |level: f64| Cut::Global(level.clamp(0.0, 65_535.0) as u16);
    let local = |k: f64, fraction: f64| {
        let (low, high) = histogram.range();
        let floor = fraction * histogram.otsu();
        Cut::Local(Window {
            half_px: (window_px / 2.0) as u32,
            factor,
            k,
            range: (f64::from(high - low) / 2.0).max(1.0),
            bounds: [bounds[0].max(floor), bounds[1]],
        })
    };
    match threshold.method {
        ThresholdMethod::Manual { value } => cut(global(steps(value))),
        _ if histogram.is_constant() => Cut::Global(65_535),
        ThresholdMethod::LocalMean { global_fraction, .. } => local(0.0, global_fraction),
        ThresholdMethod::Sauvola { k, global_fraction, .. } => local(k, global_fraction),
        method if threshold.log_transform => {
            let scale = LogScale::of(&histogram);
            let level = global_level(&histogram.on_scale(&scale), method);
            cut(global(f64::from(scale.value_at(level as u16))))
        }
        method => cut(global(global_level(&histogram, method))),
    }
}

fn global_level(histogram: &Histogram, method: ThresholdMethod) -> f64 {
    match method {
        ThresholdMethod::Otsu3 { middle_class } => {
            let [lower, upper] = histogram.otsu3();
            if middle_class == MiddleClass::Foreground { lower } else { upper }
        }
        ThresholdMethod::Li => histogram.li(),
        ThresholdMethod::Triangle => histogram.triangle(),
        ThresholdMethod::Otsu
        | ThresholdMethod::Manual { .. }
        | ThresholdMethod::LocalMean { .. }
        | ThresholdMethod::Sauvola { .. } => histogram.otsu(),
    }
}

/// Marks the pixels above a threshold.
#[must_use]
pub(super) fn apply(raster: &Raster<u16>, cut: Cut) -> Mask {
    match cut {
        Cut::Global(level) => Mask::of(raster, |value| value > level),
        Cut::Local(window) => apply_local(raster, &window),
    }
}

/// Rows whose column sums are carried along in one piece of work.
const BAND_ROWS: u32 = 128;

fn apply_local(raster: &Raster<u16>, window: &Window) -> Mask {
    let n_bands = raster.height().div_ceil(BAND_ROWS);
    let bands: Vec<Vec<Run>> = (0..n_bands)
        .into_par_iter()
        .map(|band| {
            let first = band * BAND_ROWS;
            local_runs(raster, window, first, (first + BAND_ROWS).min(raster.height()))
        })
        .collect();
    let mut mask = Mask::empty(raster.width(), raster.height());
    bands.iter().flatten().for_each(|run| mask.set_run(run.y, run.start, run.end));
    mask
}

/// Foreground of the rows `first..end`, as runs.
fn local_runs(raster: &Raster<u16>, window: &Window, first: u32, end: u32) -> Vec<Run> {
    let mut columns = ColumnSums::new(raster.width());
    let half = window.half_px;
    (first.saturating_sub(half)..(first + half).min(raster.height()))
        .for_each(|y| columns.add(raster.row(y)));
    let mut runs: Vec<Run> = Vec::new();
    for y in first..end {
        if y + half < raster.height() {
            columns.add(raster.row(y + half));
        }
        if let Some(row_above) = y.checked_sub(half + 1).filter(|_| y > first) {
            columns.remove(raster.row(row_above));
        }
        columns.for_each_window(half, |x, moments| {
            if f64::from(raster.at(x, y)) <= moments.threshold(window) {
                return;
            }
            match runs.last_mut() {
                Some(run) if run.y == y && run.end == x => run.end += 1,
                _ => runs.push(Run { y, start: x, end: x + 1 }),
            }
        });
    }
    runs
}

/// Sums of the samples of each column over the rows of a window, and of their squares.
struct ColumnSums {
    sums: Vec<u64>,
    squares: Vec<u64>,
    n_rows: u64,
}

impl ColumnSums {
    fn new(width: u32) -> Self {
        Self { sums: vec![0; width as usize], squares: vec![0; width as usize], n_rows: 0 }
    }

    fn add(&mut self, row: &[u16]) {
        self.n_rows += 1;
        for ((sum, square), &value) in self.sums.iter_mut().zip(&mut self.squares).zip(row) {
            *sum += u64::from(value);
            *square += u64::from(value) * u64::from(value);
        }
    }

    fn remove(&mut self, row: &[u16]) {
        self.n_rows -= 1;
        for ((sum, square), &value) in self.sums.iter_mut().zip(&mut self.squares).zip(row) {
            *sum -= u64::from(value);
            *square -= u64::from(value) * u64::from(value);
        }
    }

    /// Visits the window around each column, clipped at the border.
    fn for_each_window(&self, half: u32, mut visit: impl FnMut(u32, WindowMoments)) {
        let (width, half) = (self.sums.len(), half as usize);
        let (mut sum, mut square) = (0, 0);
        for entering in 0..half.min(width) {
            sum += self.sums[entering];
            square += self.squares[entering];
        }
        for x in 0..width {
            if x + half < width {
                sum += self.sums[x + half];
                square += self.squares[x + half];
            }
            if x > half {
                sum -= self.sums[x - half - 1];
                square -= self.squares[x - half - 1];
            }
            let n_columns = (x + half + 1).min(width) - x.saturating_sub(half);
            visit(x as u32, WindowMoments { n: n_columns as u64 * self.n_rows, sum, square });
        }
    }
}

/// Number, sum and sum of squares of the samples in a window.
#[derive(Clone, Copy)]
struct WindowMoments {
    n: u64,
    sum: u64,
    square: u64,
}

impl WindowMoments {
    fn threshold(self, window: &Window) -> f64 {
        let mean = self.sum as f64 / self.n as f64;
        let contrast = if window.k == 0.0 {
            1.0
        } else {
            let variance = (self.square as f64 / self.n as f64 - mean * mean).max(0.0);
            1.0 + window.k * (variance.sqrt() / window.range - 1.0)
        };
        (window.factor * mean * contrast).max(window.bounds[0]).min(window.bounds[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient_with_spots() -> Raster<u16> {
        Raster::from_fn(160, 300, |x, y| {
            let is_spot = x % 20 < 6 && y % 20 < 6;
            1_000 + 40 * x as u16 + if is_spot { 1_500 } else { 0 }
        })
    }

    #[test]
    fn local_mean_sees_spots_on_a_slope() {
        let raster = gradient_with_spots();
        let window =
            Window { half_px: 15, factor: 1.1, k: 0.0, range: 1.0, bounds: [0.0, 65_535.0] };
        let mask = apply(&raster, Cut::Local(window));
        assert!(mask.at(3, 3) && mask.at(143, 203));
        assert!(!mask.at(12, 12) && !mask.at(152, 212));
    }

    #[test]
    fn window_sums_are_those_of_the_definition() {
        let raster = Raster::from_fn(40, 290, |x, y| ((x * 37 + y * 91) * 7919 % 65_521) as u16);
        let window =
            Window { half_px: 7, factor: 1.0, k: 0.3, range: 30_000.0, bounds: [0.0, 65_535.0] };
        let mask = apply(&raster, Cut::Local(window));
        for (x, y) in [(0_u32, 0_u32), (39, 289), (20, 127), (20, 128), (5, 140)] {
            let columns = x.saturating_sub(7)..(x + 8).min(40);
            let rows = y.saturating_sub(7)..(y + 8).min(290);
            let values: Vec<f64> = rows
                .flat_map(|y| columns.clone().map(move |x| (x, y)))
                .map(|(x, y)| f64::from(raster.at(x, y)))
                .collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let spread =
                values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
            let threshold = mean * (1.0 + 0.3 * (spread.sqrt() / 30_000.0 - 1.0));
            assert_eq!(mask.at(x, y), f64::from(raster.at(x, y)) > threshold, "({x}, {y})");
        }
    }
}
