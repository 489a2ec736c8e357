//! Loss: how far logits are from what a network is to answer, and which way is better.
//!
//! Takes logits, targets and weights of a batch; gives the parts of the loss, each a mean of order
//! one, and their gradient by the logits. Sums are made crop by crop in double precision and added
//! in order, so that the number of threads changes no bit.
//!
//! Nuclei and boundaries are told by weighted binary cross-entropy, nuclei also by the Dice
//! coefficient of the whole batch (Milletari et al. 2016, doi:10.1109/3DV.2016.79), distances by
//! cross-entropy with what it cannot fall below subtracted, within nuclei only.

use cellgate_core::unet::architecture::Output;
use cellgate_core::unet::feature_map::{FeatureMap, View};
use rayon::prelude::*;

/// A part of the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Cross-entropy of nuclei.
    Nucleus = 0,
    /// One less the Dice coefficient of nuclei.
    Dice = 1,
    /// Cross-entropy of boundaries.
    Boundary = 2,
    /// Divergence of distances within nuclei.
    Distance = 3,
}

/// How many parts the loss has.
pub const PARTS: usize = 4;

/// Pixels added to both sides of the Dice coefficient, so that a batch without nuclei has one.
const SMOOTH_PX: f64 = 1.0;

const NUCLEUS: usize = Output::Nucleus as usize;
const BOUNDARY: usize = Output::Boundary as usize;
const DISTANCE: usize = Output::Distance as usize;

/// Channels of logits and of targets.
const CHANNELS: usize = 3;

/// The parts of the loss.
///
/// # Shapes
/// `logits` and `targets`: a channel for each [`Output`]. `weights`: one channel, or one for each
/// output.
///
/// # Edge cases
/// A batch without nuclei has distances of 0.
#[must_use]
pub fn parts(logits: View<'_>, targets: View<'_>, weights: View<'_>) -> [f32; PARTS] {
    sums(logits, targets, weights).parts().map(|part| part as f32)
}

/// The gradient by the logits of the sum of all parts, each times a factor.
///
/// # Shapes
/// As [`parts`]; the result is shaped as `logits`.
#[must_use]
pub fn gradient(
    logits: View<'_>,
    targets: View<'_>,
    weights: View<'_>,
    factors: [f32; PARTS],
) -> FeatureMap {
    let sums = sums(logits, targets, weights);
    let n_weights = weights.shape.channels;
    let factors = factors.map(f64::from);
    let over = |sum: f64| if sum > 0.0 { sum.recip() } else { 0.0 };
    let nucleus = (factors[Part::Nucleus as usize] * over(sums.nucleus_weight)) as f32;
    let boundary = (factors[Part::Boundary as usize] * over(sums.boundary_weight)) as f32;
    let distance = (factors[Part::Distance as usize] * over(sums.inside_weight)) as f32;
    // By a probability p with target t, 1 - (2 A + s) / (B + s) changes by
    // ((2 A + s) / (B + s) - 2 t) / (B + s), where A is the sum of p t and B that of p + t.
    let below = sums.total + SMOOTH_PX;
    let dice = factors[Part::Dice as usize] / below;
    let (dice, coefficient) = (dice as f32, ((2.0 * sums.shared + SMOOTH_PX) / below) as f32);
    let mut result = FeatureMap::zeros(logits.shape);
    let px = CHANNELS * logits.shape.width;
    result.values.par_chunks_mut(px).enumerate().for_each(|(row, result)| {
        let first = row * logits.shape.width;
        for (place, by) in result.chunks_exact_mut(CHANNELS).enumerate() {
            let x = pixel(logits.values, first + place);
            let t = pixel(targets.values, first + place);
            let w = weight(weights.values, n_weights, first + place);
            let p = x.map(logistic);
            let steep = p[NUCLEUS] * (1.0 - p[NUCLEUS]);
            by[NUCLEUS] = nucleus * w[NUCLEUS] * (p[NUCLEUS] - t[NUCLEUS])
                + dice * steep * (coefficient - 2.0 * t[NUCLEUS]);
            by[BOUNDARY] = boundary * w[BOUNDARY] * (p[BOUNDARY] - t[BOUNDARY]);
            if is_inside(t) {
                by[DISTANCE] = distance * w[DISTANCE] * (p[DISTANCE] - t[DISTANCE]);
            }
        }
    });
    result
}

/// Sums that the parts are made of.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    nucleus: f64,
    nucleus_weight: f64,
    boundary: f64,
    boundary_weight: f64,
    inside: f64,
    inside_weight: f64,
    /// Of probability times target.
    shared: f64,
    /// Of probability and target.
    total: f64,
}

impl Sums {
    fn add(self, other: Self) -> Self {
        Self {
            nucleus: self.nucleus + other.nucleus,
            nucleus_weight: self.nucleus_weight + other.nucleus_weight,
            boundary: self.boundary + other.boundary,
            boundary_weight: self.boundary_weight + other.boundary_weight,
            inside: self.inside + other.inside,
            inside_weight: self.inside_weight + other.inside_weight,
            shared: self.shared + other.shared,
            total: self.total + other.total,
        }
    }

    fn parts(self) -> [f64; PARTS] {
        let mean = |sum: f64, weight: f64| if weight > 0.0 { sum / weight } else { 0.0 };
        [
            mean(self.nucleus, self.nucleus_weight),
            1.0 - (2.0 * self.shared + SMOOTH_PX) / (self.total + SMOOTH_PX),
            mean(self.boundary, self.boundary_weight),
            mean(self.inside, self.inside_weight),
        ]
    }
}

fn sums(logits: View<'_>, targets: View<'_>, weights: View<'_>) -> Sums {
    let n_weights = weights.shape.channels;
    let (width, rows) = (logits.shape.width, logits.shape.batch * logits.shape.height);
    let of_row = |row: usize| {
        let mut sums = Sums::default();
        for place in row * width..(row + 1) * width {
            let (x, t) = (pixel(logits.values, place), pixel(targets.values, place));
            let w = weight(weights.values, n_weights, place);
            let entropy =
                |channel: usize| f64::from(w[channel] * cross_entropy(x[channel], t[channel]));
            sums.nucleus += entropy(NUCLEUS);
            sums.nucleus_weight += f64::from(w[NUCLEUS]);
            sums.boundary += entropy(BOUNDARY);
            sums.boundary_weight += f64::from(w[BOUNDARY]);
            if is_inside(t) {
                let least = w[DISTANCE] * binary_entropy(t[DISTANCE]);
                sums.inside += entropy(DISTANCE) - f64::from(least);
                sums.inside_weight += f64::from(w[DISTANCE]);
            }
            let p = logistic(x[NUCLEUS]);
            sums.shared += f64::from(p * t[NUCLEUS]);
            sums.total += f64::from(p + t[NUCLEUS]);
        }
        sums
    };
    let rows: Vec<Sums> = (0..rows).into_par_iter().map(of_row).collect();
    rows.into_iter().fold(Sums::default(), Sums::add)
}

fn pixel(values: &[f32], place: usize) -> [f32; CHANNELS] {
    std::array::from_fn(|channel| values[place * CHANNELS + channel])
}

fn weight(values: &[f32], n_weights: usize, place: usize) -> [f32; CHANNELS] {
    std::array::from_fn(|channel| values[place * n_weights + channel.min(n_weights - 1)])
}

fn is_inside(targets: [f32; CHANNELS]) -> bool {
    targets[NUCLEUS] > 0.5
}

fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-x))
}

/// Cross-entropy of the logistic function of `x` with `t`, finite for every `x`.
fn cross_entropy(x: f32, t: f32) -> f32 {
    x.max(0.0) - x * t + libm::log1pf(libm::expf(-x.abs()))
}

/// The least that cross-entropy with `t` can be.
fn binary_entropy(t: f32) -> f32 {
    let part = |p: f32| if p > 0.0 { -p * libm::logf(p) } else { 0.0 };
    part(t) + part(1.0 - t)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellgate_core::unet::feature_map::Shape;

    fn map(width: usize, channels: usize, values: &[f32]) -> FeatureMap {
        let shape = Shape { batch: 1, height: 1, width, channels };
        assert_eq!(shape.n_values(), values.len());
        FeatureMap { shape, values: values.to_vec() }
    }

    #[track_caller]
    fn check(logits: &[f32], targets: &[f32], weights: &[f32], expected: [f32; PARTS]) {
        let width = logits.len() / 3;
        let (logits, targets) = (map(width, 3, logits), map(width, 3, targets));
        let weights = map(width, weights.len() / width, weights);
        let parts = parts(logits.view(), targets.view(), weights.view());
        for (part, expected) in parts.iter().zip(expected) {
            assert!((part - expected).abs() < 1e-6, "{parts:?}");
        }
    }

    #[test]
    fn a_network_that_knows_nothing_loses_one_bit_a_pixel() {
        let bit = 2.0_f32.ln();
        // Every probability is one half: shared 0.5, total 1 + 1, and 1 - (1 + 1) / (2 + 1).
        check(&[0.0; 6], &[1.0, 0.0, 0.5, 0.0, 0.0, 0.0], &[1.0, 1.0], [bit, 1.0 / 3.0, bit, 0.0]);
        // A distance of 1 within the nucleus costs a bit, one outside nothing.
        check(&[0.0; 6], &[1.0, 0.0, 1.0, 0.0, 0.0, 1.0], &[1.0, 1.0], [bit, 1.0 / 3.0, bit, bit]);
    }

    #[test]
    fn weights_weigh_pixels_and_channels() {
        let (sure, not) = ((1.0 + (-2.0_f32).exp()).ln(), (1.0 + 2.0_f32.exp()).ln());
        let p = 1.0 / (1.0 + (-2.0_f32).exp());
        let dice = 1.0 - (2.0 * p + 1.0) / (2.0 * p + 2.0);
        let logits = [2.0, 2.0, 0.0, 2.0, 2.0, 0.0];
        let targets = [1.0, 1.0, 0.5, 0.0, 0.0, 0.0];
        let nucleus = (sure + 3.0 * not) / 4.0;
        check(&logits, &targets, &[1.0, 3.0], [nucleus, dice, nucleus, 0.0]);
        let boundary = (5.0 * sure + not) / 6.0;
        let by_channel = [1.0, 5.0, 1.0, 3.0, 1.0, 1.0];
        check(&logits, &targets, &by_channel, [nucleus, dice, boundary, 0.0]);
    }

    #[test]
    fn logits_beyond_reason_give_finite_losses() {
        let logits = map(1, 3, &[1e30, -1e30, 300.0]);
        let targets = map(1, 3, &[0.0, 1.0, 0.0]);
        let weights = map(1, 1, &[1.0]);
        let (logits, targets, weights) = (logits.view(), targets.view(), weights.view());
        assert!(parts(logits, targets, weights).iter().all(|part| part.is_finite()));
        let gradient = gradient(logits, targets, weights, [1.0; PARTS]);
        assert!(gradient.values.iter().all(|by| by.is_finite()));
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        let mut logits = map(3, 3, &[0.3, -1.0, 0.4, -0.2, 1.2, -0.8, 2.0, 0.1, 0.6]);
        let targets = map(3, 3, &[1.0, 0.0, 0.7, 0.0, 1.0, 0.0, 1.0, 0.0, 0.2]);
        let weights = map(3, 1, &[1.0, 2.5, 0.5]);
        let factors = [1.0, 0.7, 1.3, 0.4];
        let by = gradient(logits.view(), targets.view(), weights.view(), factors);
        let total = |logits: &FeatureMap| {
            let parts = sums(logits.view(), targets.view(), weights.view()).parts();
            parts.iter().zip(factors).map(|(part, factor)| part * f64::from(factor)).sum::<f64>()
        };
        for place in 0..9 {
            let (here, step) = (logits.values[place], 1.0 / 64.0);
            logits.values[place] = here + step;
            let above = total(&logits);
            logits.values[place] = here - step;
            let below = total(&logits);
            logits.values[place] = here;
            let slope = (above - below) / f64::from(2.0 * step);
            assert!((slope - f64::from(by.values[place])).abs() < 1e-4, "{place}: {slope}");
        }
    }
}
