//! Head: the 1x1 convolution at a network's end, and its gradients.
//!
//! Weights are `[in][out]`: `weights[input * outputs + output]`.

use super::feature_map::{FeatureMap, View};
use super::gemm::Rows;
use super::linear::{self, Matrix};
use rayon::prelude::*;

/// Pixels that a thread takes at once, a multiple of six.
const STRIP_PX: usize = 192;

/// The gradients of a loss by what [`forward`] took.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// By the input.
    pub input: FeatureMap,
    /// By the weights, `[in][out]`.
    pub weights: Vec<f32>,
    /// By the bias.
    pub bias: Vec<f32>,
}

/// Mixes channels: `y[p, o] = bias[o] + sum over i of x[p, i] * w[i, o]`.
///
/// # Shapes
/// `bias`: one for each output channel. The result has the height and width of `input`.
#[must_use]
pub fn forward(input: View<'_>, weights: &[f32], bias: &[f32]) -> FeatureMap {
    let (inputs, outputs) = (input.shape.channels, bias.len());
    let matrix = Matrix::new(inputs, outputs, |i, o| weights[i * outputs + o]);
    let mut output = FeatureMap::zeros(input.shape.with_channels(outputs));
    let strips = output.values.par_chunks_mut(STRIP_PX * outputs);
    let strips = strips.zip(input.values.par_chunks(STRIP_PX * inputs));
    strips.for_each_init(Vec::new, |products, (output, input)| {
        matrix.multiply(Rows { values: input, stride: inputs }, products);
        let products = products.chunks_exact(matrix.width);
        for (output, product) in output.chunks_exact_mut(outputs).zip(products) {
            let sums = product.iter().zip(bias);
            output.iter_mut().zip(sums).for_each(|(y, (product, bias))| *y = product + bias);
        }
    });
    output
}

/// The gradients of a loss, from its gradient by the output of [`forward`].
///
/// # Shapes
/// `gradient` is shaped as the output.
#[must_use]
pub fn backward(input: View<'_>, weights: &[f32], gradient: View<'_>) -> Gradients {
    let (inputs, outputs) = (input.shape.channels, gradient.shape.channels);
    let matrix = Matrix::new(outputs, inputs, |o, i| weights[i * outputs + o]);
    let width = linear::padded_width(outputs);
    let mut by_input = FeatureMap::zeros(input.shape);
    let part = input.shape.n_px().div_ceil(linear::PARTS).next_multiple_of(STRIP_PX);
    let parts = by_input.values.par_chunks_mut(part * inputs);
    let sources = input.values.par_chunks(part * inputs);
    let parts = parts.zip(sources.zip(gradient.values.par_chunks(part * outputs)));
    let sums = parts.map(|(by_input, (input, gradient))| {
        let [mut by_weights, mut by_bias] = [vec![0.0; inputs * width], vec![0.0; outputs]];
        let (mut rows, mut products) = (vec![0.0; STRIP_PX * width], Vec::new());
        let strips = input.chunks(STRIP_PX * inputs).zip(gradient.chunks(STRIP_PX * outputs));
        for (by_input, (input, gradient)) in by_input.chunks_mut(STRIP_PX * inputs).zip(strips) {
            let rows = &mut rows[..input.len() / inputs * width];
            for (row, dy) in rows.chunks_exact_mut(width).zip(gradient.chunks_exact(outputs)) {
                row[..outputs].copy_from_slice(dy);
                by_bias.iter_mut().zip(dy).for_each(|(sum, dy)| *sum += dy);
            }
            let rows = Rows { values: rows, stride: width };
            let left = Rows { values: input, stride: inputs };
            linear::add_products(left, inputs, rows, &mut by_weights);
            matrix.multiply(rows, &mut products);
            let products = products.chunks_exact(matrix.width);
            for (by_input, product) in by_input.chunks_exact_mut(inputs).zip(products) {
                by_input.copy_from_slice(&product[..inputs]);
            }
        }
        [by_weights, by_bias]
    });
    let [by_weights, bias] = linear::sum_parts(sums.collect());
    let rows = by_weights.chunks_exact(width);
    let weights = rows.flat_map(|row| &row[..outputs]).copied().collect();
    Gradients { input: by_input, weights, bias }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unet::noise::{check_close, noise, noise_map};

    #[track_caller]
    fn check([batch, height, width, inputs]: [usize; 4], outputs: usize) {
        let input = noise_map([batch, height, width, inputs], 1);
        let gradient = noise_map([batch, height, width, outputs], 2);
        let (weights, bias) = (noise(inputs * outputs, 3), noise(outputs, 4));
        let mut output = vec![0.0; gradient.values.len()];
        let mut by_input = vec![0.0; input.values.len()];
        let mut by_weights = vec![0.0; weights.len()];
        let mut by_bias = vec![0.0; outputs];
        for (pixel, o) in (0..input.shape.n_px()).flat_map(|p| (0..outputs).map(move |o| (p, o))) {
            let to = pixel * outputs + o;
            let dy = f64::from(gradient.values[to]);
            by_bias[o] += dy;
            output[to] = f64::from(bias[o]);
            for i in 0..inputs {
                let (from, at) = (pixel * inputs + i, i * outputs + o);
                let (x, w) = (f64::from(input.values[from]), f64::from(weights[at]));
                output[to] += x * w;
                by_input[from] += dy * w;
                by_weights[at] += dy * x;
            }
        }
        check_close("output", &forward(input.view(), &weights, &bias).values, &output, 1e-5);
        let gradients = backward(input.view(), &weights, gradient.view());
        check_close("by input", &gradients.input.values, &by_input, 1e-5);
        check_close("by weights", &gradients.weights, &by_weights, 1e-5);
        check_close("by bias", &gradients.bias, &by_bias, 1e-5);
    }

    #[test]
    fn output_and_gradients_are_those_of_the_definition() {
        check([2, 7, 9, 16], 3);
        check([1, 40, 30, 8], 1);
        check([3, 1, 1, 5], 20);
    }
}
