//! Conv: 3x3 convolution with zero padding, and its two gradients.
//!
//! Weights are `[3][3][in][out]`: `weights[((row * 3 + column) * inputs + input) * outputs + output]`.

use super::feature_map::{FeatureMap, Shape};

/// Convolves: `y[r, c, o] = sum over dr, dc, i of x[r + dr - 1, c + dc - 1, i] * w[dr, dc, i, o]`.
///
/// # Shapes
/// The result has the height and width of `input` and `outputs` channels.
#[must_use]
pub fn forward(input: &FeatureMap, weights: &[f32], outputs: usize) -> FeatureMap {
    let mut output = FeatureMap::zeros(input.shape.with_channels(outputs));
    visit(input.shape, |tap, from, to| {
        let x = &input.values[from * input.shape.channels..][..input.shape.channels];
        let y = &mut output.values[to * outputs..][..outputs];
        for (i, x) in x.iter().enumerate() {
            let w = &weights[(tap * input.shape.channels + i) * outputs..][..outputs];
            y.iter_mut().zip(w).for_each(|(y, w)| *y += x * w);
        }
    });
    output
}

/// The gradient of a loss by the input, from its gradient by the output.
///
/// # Shapes
/// The result has the height and width of `gradient` and `inputs` channels.
#[must_use]
pub fn input_gradient(gradient: &FeatureMap, weights: &[f32], inputs: usize) -> FeatureMap {
    let outputs = gradient.shape.channels;
    let mut result = FeatureMap::zeros(gradient.shape.with_channels(inputs));
    visit(gradient.shape, |tap, from, to| {
        let dy = &gradient.values[to * outputs..][..outputs];
        for i in 0..inputs {
            let w = &weights[(tap * inputs + i) * outputs..][..outputs];
            let sum: f32 = dy.iter().zip(w).map(|(dy, w)| dy * w).sum();
            result.values[from * inputs + i] += sum;
        }
    });
    result
}

/// The gradient of a loss by the weights, from its gradient by the output.
///
/// # Shapes
/// `[3][3][in][out]`, like the weights.
#[must_use]
pub fn weight_gradient(input: &FeatureMap, gradient: &FeatureMap) -> Vec<f32> {
    let (inputs, outputs) = (input.shape.channels, gradient.shape.channels);
    let mut result = vec![0.0; 9 * inputs * outputs];
    visit(input.shape, |tap, from, to| {
        let dy = &gradient.values[to * outputs..][..outputs];
        for i in 0..inputs {
            let x = input.values[from * inputs + i];
            let w = &mut result[(tap * inputs + i) * outputs..][..outputs];
            w.iter_mut().zip(dy).for_each(|(w, dy)| *w += x * dy);
        }
    });
    result
}

/// Calls with each tap, the input pixel that it reads and the output pixel that it adds to.
fn visit(shape: Shape, mut call: impl FnMut(usize, usize, usize)) {
    let (height, width) = (shape.height, shape.width);
    for map in 0..shape.batch {
        for (row, column) in (0..height).flat_map(|row| (0..width).map(move |column| (row, column)))
        {
            for tap in 0..9 {
                let (from_row, from_column) = (row + tap / 3, column + tap % 3);
                if (1..=height).contains(&from_row) && (1..=width).contains(&from_column) {
                    let at = |row: usize, column: usize| (map * height + row) * width + column;
                    call(tap, at(from_row - 1, from_column - 1), at(row, column));
                }
            }
        }
    }
}
