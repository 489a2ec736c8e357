//! Plain: the network's operations by burn's own, for any of its backends.
//!
//! The same results as `ops`, slower on a processor: what a graphics card trains by, and what the
//! kernels are tested against.

use super::loss;
use burn::tensor::Tensor;
use burn::tensor::activation;
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use cellgate_core::unet::architecture::{NORMALIZATION_EPSILON, Output};
use cellgate_core::unet::batch_norm::Statistics;

/// As `ops::conv`.
pub(super) fn conv(input: Tensor<4>, weights: Tensor<4>) -> Tensor<4> {
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    let weights = weights.permute([3, 2, 0, 1]);
    conv2d(input.permute([0, 3, 1, 2]), weights, None, options).permute([0, 2, 3, 1])
}

/// As `ops::conv_of_two`.
pub(super) fn conv_of_two(first: Tensor<4>, second: Tensor<4>, weights: Tensor<4>) -> Tensor<4> {
    conv(Tensor::cat(vec![first, second], 3), weights)
}

/// As `ops::normalize`.
pub(super) fn normalize(input: Tensor<4>, scale: Tensor<1>, shift: Tensor<1>) -> Tensor<4> {
    let dims = input.dims();
    let [batch, height, width, channels] = dims;
    let pixels = input.reshape([batch * height * width, channels]);
    let apart = pixels.clone() - pixels.mean_dim(0);
    let variance = (apart.clone() * apart.clone()).mean_dim(0);
    let standard = apart / (variance + NORMALIZATION_EPSILON).sqrt();
    let row = |values: Tensor<1>| values.reshape([1, channels]);
    activation::relu(standard * row(scale) + row(shift)).reshape(dims)
}

/// Mean and variance of each channel over a batch; empty where the device loses them.
pub(super) fn statistics(input: Tensor<4>) -> Statistics {
    let [batch, height, width, channels] = input.dims();
    let pixels = input.reshape([batch * height * width, channels]);
    let mean = pixels.clone().mean_dim(0);
    let apart = pixels - mean.clone();
    let variance = (apart.clone() * apart).mean_dim(0);
    let values = |row: Tensor<2>| row.into_data().try_into_vec::<f32>().unwrap_or_default();
    Statistics { mean: values(mean), variance: values(variance) }
}

/// Adds a bias, then ReLU.
pub(super) fn shift(input: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    let [channels] = bias.dims();
    activation::relu(input + bias.reshape([1, 1, 1, channels]))
}

/// As `ops::pool`.
pub(super) fn pool(input: Tensor<4>) -> Tensor<4> {
    let input = input.permute([0, 3, 1, 2]);
    max_pool2d(input, MaxPoolOptions::new([2, 2])).permute([0, 2, 3, 1])
}

/// As `ops::up`.
pub(super) fn up(input: Tensor<4>, weights: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    let [batch, height, width, inputs] = input.dims();
    let [_, _, _, outputs] = weights.dims();
    let pixels = input.reshape([batch * height * width, inputs]);
    let parts = pixels.matmul(weights.reshape([inputs, 4 * outputs]));
    let parts = parts.reshape([batch, height, width, 2, 2, outputs]).permute([0, 1, 3, 2, 4, 5]);
    let maps = parts.reshape([batch, 2 * height, 2 * width, outputs]);
    maps + bias.reshape([1, 1, 1, outputs])
}

/// As `ops::head`.
pub(super) fn head(input: Tensor<4>, weights: Tensor<2>, bias: Tensor<1>) -> Tensor<4> {
    let [batch, height, width, inputs] = input.dims();
    let [_, outputs] = weights.dims();
    let mixed = input.reshape([batch * height * width, inputs]).matmul(weights);
    (mixed + bias.reshape([1, outputs])).reshape([batch, height, width, outputs])
}

/// As `ops::loss`.
pub(super) fn loss(logits: Tensor<4>, targets: Tensor<4>, weights: Tensor<4>) -> Tensor<1> {
    let [_, _, _, n_weights] = weights.dims();
    let channel = |maps: &Tensor<4>, output: Output| maps.clone().narrow(3, output as usize, 1);
    let weight =
        |output: Output| weights.clone().narrow(3, (output as usize).min(n_weights - 1), 1);
    let cross = |output: Output| {
        let (x, t) = (channel(&logits, output), channel(&targets, output));
        // The logarithm of 1 + exp(-|x|) is finite for every x.
        activation::relu(x.clone()) - x.clone() * t + x.abs().neg().exp().log1p()
    };
    let mean = |sum: Tensor<1>, weight: Tensor<1>| sum / weight.clamp_min(f32::MIN_POSITIVE);
    let weighted = |output| mean((cross(output) * weight(output)).sum(), weight(output).sum());
    let nuclei = channel(&targets, Output::Nucleus);
    let p = activation::sigmoid(channel(&logits, Output::Nucleus));
    let shared = (p.clone() * nuclei.clone()).sum();
    let dice = (shared * 2.0 + 1.0) / ((p + nuclei.clone()).sum() + 1.0);
    let inside = nuclei.greater_elem(0.5).float() * weight(Output::Distance);
    let distance = channel(&targets, Output::Distance);
    let part = |p: Tensor<4>| p.clone() * p.clamp_min(f32::MIN_POSITIVE).log();
    let own = (part(distance.clone()) + part(distance.neg() + 1.0)).neg();
    let apart = ((cross(Output::Distance) - own) * inside.clone()).sum();
    let parts: [Tensor<1>; loss::PARTS] = [
        weighted(Output::Nucleus),
        dice.neg() + 1.0,
        weighted(Output::Boundary),
        mean(apart, inside.sum()),
    ];
    Tensor::cat(parts.to_vec(), 0)
}
