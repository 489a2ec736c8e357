//! Up-sampling: the transposed 2x2 convolution of stride 2, and its gradients.
//!
//! Weights are `[in][2][2][out]`: `weights[((input * 2 + row) * 2 + column) * outputs + output]`.

use super::feature_map::{FeatureMap, View};
use super::gemm::Rows;
use super::linear::{self, Matrix};
use rayon::prelude::*;

/// About how many pixels a thread takes at once.
const STRIP_PX: usize = 96;

/// The gradients of a loss by what [`forward`] took.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// By the input.
    pub input: FeatureMap,
    /// By the weights, `[in][2][2][out]`.
    pub weights: Vec<f32>,
    /// By the bias.
    pub bias: Vec<f32>,
}

/// Gives four pixels for each: `y[2r + dr, 2c + dc, o] = bias[o] + sum over i of
/// x[r, c, i] * w[i, dr, dc, o]`.
///
/// # Shapes
/// `bias`: one for each output channel. The result has twice the height and width.
#[must_use]
pub fn forward(input: View<'_>, weights: &[f32], bias: &[f32]) -> FeatureMap {
    let shape = input.shape.doubled().with_channels(bias.len());
    let mut output = FeatureMap::zeros(shape);
    Layer::new(weights, bias).run(input, &mut output);
    output
}

/// An up-sampling, prepared once and run many times.
#[derive(Debug, Clone)]
pub struct Layer {
    matrix: Matrix,
    /// Twice.
    bias: Vec<f32>,
}

impl Layer {
    /// Prepares weights and bias, shaped as [`forward`] takes them.
    #[must_use]
    pub fn new(weights: &[f32], bias: &[f32]) -> Self {
        let columns = 4 * bias.len();
        let inputs = weights.len() / columns;
        let matrix = Matrix::new(inputs, columns, |i, column| weights[i * columns + column]);
        Self { matrix, bias: bias.repeat(2) }
    }

    /// Does what [`forward`] does; what was in `output` is written over.
    pub fn run(&self, input: View<'_>, output: &mut FeatureMap) {
        let (inputs, outputs) = (input.shape.channels, self.bias.len() / 2);
        output.reshape(input.shape.doubled().with_channels(outputs));
        let width = input.shape.width;
        let strip = STRIP_PX.div_ceil(width.max(1)) * width;
        let strips = output.values.par_chunks_mut((strip * 4 * outputs).max(1));
        let strips = strips.zip(input.values.par_chunks((strip * inputs).max(1)));
        strips.for_each_init(Vec::new, |products, (output, input)| {
            self.matrix.multiply(Rows { values: input, stride: inputs }, products);
            let products = products.chunks_exact(self.matrix.width);
            for (pixel, product) in products.take(input.len() / inputs).enumerate() {
                for (row, pair) in product.chunks_exact(2 * outputs).take(2).enumerate() {
                    let pair = pair.iter().zip(&self.bias);
                    let to = &mut output[pair_start(pixel, width, row) * 2 * outputs..];
                    to.iter_mut().zip(pair).for_each(|(y, (product, bias))| *y = product + bias);
                }
            }
        });
    }
}

/// The gradients of a loss, from its gradient by the output of [`forward`].
///
/// # Shapes
/// `gradient` is shaped as the output.
#[must_use]
pub fn backward(input: View<'_>, weights: &[f32], gradient: View<'_>) -> Gradients {
    let (inputs, outputs) = (input.shape.channels, gradient.shape.channels);
    let columns = 4 * outputs;
    let matrix = Matrix::new(columns, inputs, |column, i| weights[i * columns + column]);
    let mut by_input = FeatureMap::zeros(input.shape);
    let part = (input.shape.batch * input.shape.height).div_ceil(linear::PARTS).max(1);
    let part = (part * input.shape.width).max(1);
    let parts = by_input.values.par_chunks_mut(part * inputs);
    let sources = input.values.par_chunks(part * inputs);
    let parts = parts.zip(sources.zip(gradient.values.par_chunks(part * columns)));
    let shape = input.shape;
    let sums = parts.map(|(by_input, (values, gradient))| {
        let mut sums = [vec![0.0; inputs * linear::padded_width(columns)], vec![0.0; columns]];
        add_part(&matrix, View { shape, values }, gradient, by_input, &mut sums);
        sums
    });
    let [by_weights, by_bias] = linear::sum_parts(sums.collect());
    let rows = by_weights.chunks_exact(linear::padded_width(columns));
    Gradients {
        input: by_input,
        weights: rows.flat_map(|row| &row[..columns]).copied().collect(),
        bias: (0..outputs).map(|o| by_bias.iter().skip(o).step_by(outputs).sum()).collect(),
    }
}

/// Sets the input's gradient for whole rows of pixels and adds what they give to the weights' and
/// the bias's.
fn add_part(
    matrix: &Matrix,
    input: View<'_>,
    gradient: &[f32],
    by_input: &mut [f32],
    [by_weights, by_bias]: &mut [Vec<f32>; 2],
) {
    let (width, inputs, columns) = (input.shape.width, input.shape.channels, by_bias.len());
    let stride = linear::padded_width(columns);
    let strip = STRIP_PX.div_ceil(width) * width;
    let mut rows = vec![0.0; strip * stride];
    let mut products = Vec::new();
    let strips = by_input.chunks_mut(strip * inputs).zip(input.values.chunks(strip * inputs));
    for ((by_input, input), gradient) in strips.zip(gradient.chunks(strip * columns)) {
        let rows = &mut rows[..input.len() / inputs * stride];
        for (pixel, row) in rows.chunks_exact_mut(stride).enumerate() {
            for (part, pair) in row[..columns].chunks_exact_mut(columns / 2).enumerate() {
                let from = pair_start(pixel, width, part) * columns / 2;
                pair.copy_from_slice(&gradient[from..][..columns / 2]);
            }
            by_bias.iter_mut().zip(&*row).for_each(|(sum, dy)| *sum += dy);
        }
        let rows = Rows { values: rows, stride };
        linear::add_products(Rows { values: input, stride: inputs }, inputs, rows, by_weights);
        matrix.multiply(rows, &mut products);
        let products = products.chunks_exact(matrix.width);
        for (by_input, product) in by_input.chunks_exact_mut(inputs).zip(products) {
            by_input.copy_from_slice(&product[..inputs]);
        }
    }
}

/// Where the pair of output pixels in row 0 or 1 below an input pixel lies, counted in pairs from
/// the first row that belongs to the input's first pixel.
fn pair_start(pixel: usize, width: usize, row: usize) -> usize {
    (2 * (pixel / width) + row) * width + pixel % width
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unet::noise::{check_close, noise, noise_map};

    #[track_caller]
    fn check([batch, height, width, inputs]: [usize; 4], outputs: usize) {
        let input = noise_map([batch, height, width, inputs], 1);
        let gradient = noise_map([batch, 2 * height, 2 * width, outputs], 2);
        let (weights, bias) = (noise(4 * inputs * outputs, 3), noise(outputs, 4));
        let mut output = vec![0.0; gradient.values.len()];
        let mut by_input = vec![0.0; input.values.len()];
        let mut by_weights = vec![0.0; weights.len()];
        let mut by_bias = vec![0.0; outputs];
        for (pixel, part) in (0..input.shape.n_px()).flat_map(|p| (0..4).map(move |part| (p, part)))
        {
            let (row, column) = (pixel / width * 2 + part / 2, pixel % width * 2 + part % 2);
            for o in 0..outputs {
                let to = (row * 2 * width + column) * outputs + o;
                let dy = f64::from(gradient.values[to]);
                by_bias[o] += dy;
                output[to] = f64::from(bias[o]);
                for i in 0..inputs {
                    let (from, at) = (pixel * inputs + i, (i * 4 + part) * outputs + o);
                    let (x, w) = (f64::from(input.values[from]), f64::from(weights[at]));
                    output[to] += x * w;
                    by_input[from] += dy * w;
                    by_weights[at] += dy * x;
                }
            }
        }
        let found = forward(input.view(), &weights, &bias);
        assert_eq!(found.shape, gradient.shape);
        check_close("output", &found.values, &output, 1e-5);
        let gradients = backward(input.view(), &weights, gradient.view());
        check_close("by input", &gradients.input.values, &by_input, 1e-5);
        check_close("by weights", &gradients.weights, &by_weights, 1e-5);
        check_close("by bias", &gradients.bias, &by_bias, 1e-5);
    }

    #[test]
    fn output_and_gradients_are_those_of_the_definition() {
        check([2, 4, 6, 16], 8);
        check([1, 5, 3, 32], 16);
        check([3, 1, 1, 2], 3);
        check([2, 3, 130, 8], 4);
    }
}
