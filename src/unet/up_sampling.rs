//! Up-sampling: the transposed 2x2 convolution of stride 2, and its gradients.
//!
//! Weights are `[in][2][2][out]`: `weights[((input * 2 + row) * 2 + column) * outputs + output]`.

use super::feature_map::{FeatureMap, Shape, View};

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
    let (inputs, outputs) = (input.shape.channels, bias.len());
    let mut output = FeatureMap::zeros(doubled(input.shape, outputs));
    for pixel in 0..input.shape.n_px() {
        for part in 0..4 {
            let y = &mut output.values[target(input.shape, pixel, part) * outputs..][..outputs];
            y.copy_from_slice(bias);
            for (i, x) in input.values[pixel * inputs..][..inputs].iter().enumerate() {
                let w = &weights[(i * 4 + part) * outputs..][..outputs];
                y.iter_mut().zip(w).for_each(|(y, w)| *y += x * w);
            }
        }
    }
    output
}

/// The gradients of a loss, from its gradient by the output of [`forward`].
///
/// # Shapes
/// `gradient` is shaped as the output.
#[must_use]
pub fn backward(input: View<'_>, weights: &[f32], gradient: View<'_>) -> Gradients {
    let (inputs, outputs) = (input.shape.channels, gradient.shape.channels);
    let mut result = Gradients {
        input: FeatureMap::zeros(input.shape),
        weights: vec![0.0; weights.len()],
        bias: vec![0.0; outputs],
    };
    for pixel in 0..input.shape.n_px() {
        for part in 0..4 {
            let dy = &gradient.values[target(input.shape, pixel, part) * outputs..][..outputs];
            result.bias.iter_mut().zip(dy).for_each(|(bias, dy)| *bias += dy);
            for i in 0..inputs {
                let place = (i * 4 + part) * outputs;
                let w = &weights[place..][..outputs];
                let sum: f32 = dy.iter().zip(w).map(|(dy, w)| dy * w).sum();
                result.input.values[pixel * inputs + i] += sum;
                let x = input.values[pixel * inputs + i];
                let dw = &mut result.weights[place..][..outputs];
                dw.iter_mut().zip(dy).for_each(|(dw, dy)| *dw += x * dy);
            }
        }
    }
    result
}

/// The shape after up-sampling.
fn doubled(input: Shape, channels: usize) -> Shape {
    Shape { height: 2 * input.height, width: 2 * input.width, channels, ..input }
}

/// The pixel that one of the four parts of an input pixel goes to.
fn target(input: Shape, pixel: usize, part: usize) -> usize {
    let (row, column) = (pixel / input.width, pixel % input.width);
    (2 * row + part / 2) * 2 * input.width + 2 * column + part % 2
}
