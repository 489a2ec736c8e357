//! Batch normalization followed by ReLU, in training, and its gradients.
//!
//! Takes maps and a scale and shift for each channel; gives maps whose channels have, before scale
//! and shift, mean 0 and variance 1 over all pixels of the batch. Running statistics are the
//! caller's. Ioffe and Szegedy 2015, arXiv 1502.03167.

use super::architecture;
use super::feature_map::{FeatureMap, View};

/// Mean and variance of each channel over a batch; the variance divides by the number of pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// Means.
    pub mean: Vec<f32>,
    /// Variances.
    pub variance: Vec<f32>,
}

/// The gradients of a loss by what [`forward`] took.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// By the input.
    pub input: FeatureMap,
    /// By the scale.
    pub scale: Vec<f32>,
    /// By the shift.
    pub shift: Vec<f32>,
}

/// Mean and variance of each channel.
#[must_use]
pub fn statistics(input: View<'_>) -> Statistics {
    let channels = input.shape.channels;
    let n = input.shape.n_px() as f64;
    let mut mean = vec![0.0_f64; channels];
    for pixel in input.values.chunks_exact(channels) {
        mean.iter_mut().zip(pixel).for_each(|(mean, x)| *mean += f64::from(*x) / n);
    }
    let mut variance = vec![0.0_f64; channels];
    for pixel in input.values.chunks_exact(channels) {
        for ((variance, mean), x) in variance.iter_mut().zip(&mean).zip(pixel) {
            *variance += (f64::from(*x) - mean).powi(2) / n;
        }
    }
    let single = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
    Statistics { mean: single(mean), variance: single(variance) }
}

/// Normalizes, scales, shifts and sets what is negative to 0:
/// `y = max(0, scale * (x - mean) / sqrt(variance + epsilon) + shift)`.
///
/// # Shapes
/// `scale` and `shift`: one for each channel. The result is shaped as `input`.
#[must_use]
pub fn forward(
    input: View<'_>,
    statistics: &Statistics,
    scale: &[f32],
    shift: &[f32],
) -> FeatureMap {
    let (factor, offset) = line(statistics, scale, shift);
    let mut output = FeatureMap::zeros(input.shape);
    let channels = input.shape.channels;
    let pixels = output.values.chunks_exact_mut(channels).zip(input.values.chunks_exact(channels));
    for (y, x) in pixels {
        for (channel, (y, x)) in y.iter_mut().zip(x).enumerate() {
            *y = (x * factor[channel] + offset[channel]).max(0.0);
        }
    }
    output
}

/// The gradients of a loss, from its gradient by the output of [`forward`]; the statistics are
/// taken as what they are, functions of the input.
///
/// # Shapes
/// As for [`forward`]; `gradient` is shaped as `input`.
#[must_use]
pub fn backward(
    input: View<'_>,
    statistics: &Statistics,
    scale: &[f32],
    shift: &[f32],
    gradient: View<'_>,
) -> Gradients {
    let channels = input.shape.channels;
    let n = input.shape.n_px() as f64;
    let (factor, offset) = line(statistics, scale, shift);
    let root = roots(statistics);
    let passed = |channel: usize, x: f32, dy: f32| {
        if x * factor[channel] + offset[channel] > 0.0 { f64::from(dy) } else { 0.0 }
    };
    let standard =
        |channel: usize, x: f32| f64::from(x - statistics.mean[channel]) * f64::from(root[channel]);
    let (mut by_scale, mut by_shift) = (vec![0.0_f64; channels], vec![0.0_f64; channels]);
    for (place, (x, dy)) in input.values.iter().zip(gradient.values).enumerate() {
        let channel = place % channels;
        let dy = passed(channel, *x, *dy);
        by_scale[channel] += dy * standard(channel, *x);
        by_shift[channel] += dy;
    }
    let by_input = input.values.iter().zip(gradient.values).enumerate().map(|(place, (x, dy))| {
        let channel = place % channels;
        let pull = by_shift[channel] / n + standard(channel, *x) * by_scale[channel] / n;
        (f64::from(factor[channel]) * (passed(channel, *x, *dy) - pull)) as f32
    });
    let single = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
    Gradients {
        input: FeatureMap { shape: input.shape, values: by_input.collect() },
        scale: single(by_scale),
        shift: single(by_shift),
    }
}

/// One over the root of each variance.
fn roots(statistics: &Statistics) -> Vec<f32> {
    let root = |variance: &f32| (variance + architecture::NORMALIZATION_EPSILON).sqrt().recip();
    statistics.variance.iter().map(root).collect()
}

/// What normalization, scale and shift come to: a factor and an offset for each channel.
fn line(statistics: &Statistics, scale: &[f32], shift: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let factor: Vec<f32> = roots(statistics).iter().zip(scale).map(|(root, s)| root * s).collect();
    let offset = shift.iter().zip(&statistics.mean).zip(&factor);
    let offset = offset.map(|((shift, mean), factor)| shift - mean * factor).collect();
    (factor, offset)
}
