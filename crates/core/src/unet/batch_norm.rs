//! Batch normalization followed by ReLU, in training, and its gradients.
//!
//! Takes maps and a scale and shift for each channel; gives maps whose channels have, before scale
//! and shift, mean 0 and variance 1 over all pixels of the batch. Running statistics are the
//! caller's. Sums are cut the same way on any number of threads, so bits do not depend on it.
//! Ioffe and Szegedy 2015, arXiv 1502.03167.

use super::architecture;
use super::feature_map::{FeatureMap, View};
use super::periods::{self, Period};
use crate::vectors;
use rayon::prelude::*;

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
    let period = Period::new(channels);
    // Numbers are taken relative to those of the first pixel, lest squares of far means drown them.
    let origin = &input.values[..channels];
    let [from] = period.repeat([origin]);
    let n = input.shape.n_px() as f64;
    let sums = period.sums(input.values, input.values, |x, _, sums, squares| {
        for (((x, from), sum), square) in x.iter().zip(&from).zip(sums).zip(squares) {
            let x = x - from;
            *sum += x;
            *square += x * x;
        }
    });
    let each = sums[0].iter().zip(&sums[1]).zip(origin).map(|((sum, square), origin)| {
        let mean = sum / n;
        (f64::from(*origin) + mean, (square / n - mean * mean).max(0.0))
    });
    let (mean, variance) = each.map(|(mean, variance)| (mean as f32, variance as f32)).unzip();
    Statistics { mean, variance }
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
    let (factor, offset) = affine_coefficients(statistics, scale, shift);
    let period = Period::new(input.shape.channels);
    let [factor, offset] = period.repeat([&factor, &offset]);
    let mut output = FeatureMap::zeros(input.shape);
    let pieces = output.values.par_chunks_mut(period.piece());
    pieces.zip(input.values.par_chunks(period.piece())).for_each(|(y, x)| {
        vectors::dispatch_simd!({
            for (y, x) in y.chunks_mut(factor.len()).zip(x.chunks(factor.len())) {
                for (((y, x), factor), offset) in y.iter_mut().zip(x).zip(&factor).zip(&offset) {
                    *y = (x * factor + offset).max(0.0);
                }
            }
        });
    });
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
    let n = input.shape.n_px() as f64;
    let (factor, offset) = affine_coefficients(statistics, scale, shift);
    let period = Period::new(input.shape.channels);
    let [factors, offsets, means] = period.repeat([&factor, &offset, &statistics.mean]);
    let sums = period.sums(input.values, gradient.values, |x, dy, sums, products| {
        let lines = factors.iter().zip(&offsets).zip(&means);
        for ((((x, dy), line), sum), product) in x.iter().zip(dy).zip(lines).zip(sums).zip(products)
        {
            let ((factor, offset), mean) = line;
            let dy = if x * factor + offset > 0.0 { *dy } else { 0.0 };
            *sum += dy;
            *product += dy * (x - mean);
        }
    });
    let roots = inverse_deviations(statistics);
    // dx = factor * (dy - mean of dy - (x - mean) / variance * mean of dy * (x - mean)).
    let pulls = factor.iter().zip(&roots).zip(sums[0].iter().zip(&sums[1]));
    let (still, slope): (Vec<_>, Vec<_>) = pulls
        .map(|((factor, root), (sum, product))| {
            let (factor, root) = (f64::from(*factor), f64::from(*root));
            ((-factor * sum / n) as f32, (-factor * root * root * product / n) as f32)
        })
        .unzip();
    let [still, slope] = period.repeat([&still, &slope]);
    let mut output = FeatureMap::zeros(input.shape);
    let pieces = output.values.par_chunks_mut(period.piece());
    let sources =
        input.values.par_chunks(period.piece()).zip(gradient.values.par_chunks(period.piece()));
    pieces.zip(sources).for_each(|(dx, (x, dy))| {
        vectors::dispatch_simd!({
            let length = factors.len();
            let sources = x.chunks(length).zip(dy.chunks(length));
            for (dx, (x, dy)) in dx.chunks_mut(length).zip(sources) {
                let lines = factors.iter().zip(&offsets).zip(&means).zip(still.iter().zip(&slope));
                for ((dx, (x, dy)), line) in dx.iter_mut().zip(x.iter().zip(dy)).zip(lines) {
                    let (((factor, offset), mean), (still, slope)) = line;
                    let dy = if x * factor + offset > 0.0 { *dy } else { 0.0 };
                    *dx = dy * factor + ((x - mean) * slope + still);
                }
            }
        });
    });
    let by_scale = sums[1].iter().zip(&roots).map(|(sum, root)| (sum * f64::from(*root)) as f32);
    Gradients {
        input: output,
        scale: by_scale.collect(),
        shift: periods::to_single_precision(&sums[0]),
    }
}

/// One over the root of each variance.
fn inverse_deviations(statistics: &Statistics) -> Vec<f32> {
    let root = |variance: &f32| (variance + architecture::NORMALIZATION_EPSILON).sqrt().recip();
    statistics.variance.iter().map(root).collect()
}

/// Line that combines normalization, scale and shift: a factor and an offset for each channel.
fn affine_coefficients(
    statistics: &Statistics,
    scale: &[f32],
    shift: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let roots = inverse_deviations(statistics);
    let factor: Vec<f32> = roots.iter().zip(scale).map(|(root, s)| root * s).collect();
    let offset = shift.iter().zip(&statistics.mean).zip(&factor);
    let offset = offset.map(|((shift, mean), factor)| shift - mean * factor).collect();
    (factor, offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unet::noise::{check_close, noise, noise_map};

    /// Each channel's numbers.
    fn channel(values: &[f32], channels: usize, channel: usize) -> Vec<f64> {
        values.iter().skip(channel).step_by(channels).map(|x| f64::from(*x)).collect()
    }

    /// Output and gradients of one channel as their definitions say: output, by input, by scale, by
    /// shift, mean and variance.
    fn reference_results(
        x: &[f64],
        dy: &[f64],
        scale: f64,
        shift: f64,
    ) -> (Vec<f64>, Vec<f64>, [f64; 4]) {
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        let root = (variance + f64::from(architecture::NORMALIZATION_EPSILON)).sqrt();
        let standard: Vec<_> = x.iter().map(|x| (x - mean) / root).collect();
        let line = |x: &f64| scale * x + shift;
        let passed = standard.iter().zip(dy).map(|(x, dy)| if line(x) > 0.0 { *dy } else { 0.0 });
        let passed: Vec<_> = passed.collect();
        let by_shift = passed.iter().sum::<f64>();
        let by_scale = passed.iter().zip(&standard).map(|(dy, x)| dy * x).sum::<f64>();
        let by_input = passed.iter().zip(&standard);
        let by_input =
            by_input.map(|(dy, x)| scale / root * (dy - by_shift / n - x * by_scale / n));
        let output = standard.iter().map(|x| line(x).max(0.0)).collect();
        (output, by_input.collect(), [by_scale, by_shift, mean, variance])
    }

    #[track_caller]
    fn check(shape: [usize; 4], far: f32) {
        let mut input = noise_map(shape, 1);
        input.values.iter_mut().for_each(|x| *x += far);
        let gradient = noise_map(shape, 2);
        let channels = shape[3];
        let (scale, shift) = (noise(channels, 3), noise(channels, 4));
        let statistics = statistics(input.view());
        let output = forward(input.view(), &statistics, &scale, &shift);
        let gradients = backward(input.view(), &statistics, &scale, &shift, gradient.view());
        for number in 0..channels {
            let of = |values: &[f32]| channel(values, channels, number);
            let single = |values: &[f32]| of(values).iter().map(|x| *x as f32).collect::<Vec<_>>();
            let (scale, shift) = (f64::from(scale[number]), f64::from(shift[number]));
            let (y, dx, [by_scale, by_shift, mean, variance]) =
                reference_results(&of(&input.values), &of(&gradient.values), scale, shift);
            check_close("mean", &[1.0, statistics.mean[number]], &[1.0, mean], 1e-6);
            check_close("variance", &[statistics.variance[number]], &[variance], 1e-5);
            check_close("output", &single(&output.values), &y, 1e-4);
            check_close("by input", &single(&gradients.input.values), &dx, 1e-4);
            check_close("by scale", &[gradients.scale[number]], &[by_scale], 1e-3);
            check_close("by shift", &[gradients.shift[number]], &[by_shift], 1e-3);
        }
    }

    #[test]
    fn output_and_gradients_are_those_of_the_definition() {
        check([2, 5, 7, 16], 0.0);
        check([1, 40, 50, 24], 0.5);
        check([3, 4, 4, 3], -0.25);
    }

    #[test]
    fn far_means_do_not_drown_the_variance() {
        let mut input = noise_map([2, 64, 64, 8], 1);
        input.values.iter_mut().for_each(|x| *x = *x / 16.0 + 64.0);
        let found = statistics(input.view());
        for number in 0..8 {
            let (_, _, [.., variance]) =
                reference_results(&channel(&input.values, 8, number), &[0.0], 1.0, 0.0);
            check_close("variance", &[found.variance[number]], &[variance], 1e-5);
        }
    }

    #[test]
    fn a_constant_channel_gives_its_shift() {
        let shape = crate::unet::feature_map::Shape { batch: 1, height: 4, width: 4, channels: 8 };
        let input = FeatureMap { shape, values: vec![3.0; shape.n_values()] };
        let output = forward(input.view(), &statistics(input.view()), &[1.0; 8], &[0.5; 8]);
        assert!(output.values.iter().all(|y| *y == 0.5));
    }

    #[test]
    fn bits_do_not_depend_on_the_number_of_threads() {
        let (input, gradient) = (noise_map([4, 64, 64, 16], 1), noise_map([4, 64, 64, 16], 2));
        let numbers = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let statistics = statistics(input.view());
                let line = (&[1.0; 16], &[0.1; 16]);
                (backward(input.view(), &statistics, line.0, line.1, gradient.view()), statistics)
            })
        };
        assert!(numbers(1) == numbers(3));
    }
}
