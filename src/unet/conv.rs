//! Conv: 3x3 convolution with zero padding, and its two gradients.
//!
//! Takes one or more inputs, which count as one whose channels follow each other, and weights
//! `[3][3][in][out]`: `weights[((row * 3 + column) * inputs + input) * outputs + output]`.

use super::feature_map::{FeatureMap, Shape, View};

/// Convolves: `y[r, c, o] = sum over dr, dc, i of x[r + dr - 1, c + dc - 1, i] * w[dr, dc, i, o]`.
///
/// # Shapes
/// `inputs`: at least one, alike but for their channels. The result has their height and width and
/// `outputs` channels.
#[must_use]
pub fn forward(inputs: &[View<'_>], weights: &[f32], outputs: usize) -> FeatureMap {
    let shape = inputs[0].shape;
    let n_inputs = channels(inputs);
    let mut output = FeatureMap::zeros(shape.with_channels(outputs));
    visit(shape, |tap, from, to| {
        let y = &mut output.values[to * outputs..][..outputs];
        for (i, x) in at(inputs, from).enumerate() {
            let w = &weights[(tap * n_inputs + i) * outputs..][..outputs];
            y.iter_mut().zip(w).for_each(|(y, w)| *y += x * w);
        }
    });
    output
}

/// The gradients of a loss by the inputs, from its gradient by the output.
///
/// # Shapes
/// `inputs`: the channels of each input. The results have the height and width of `gradient`.
#[must_use]
pub fn input_gradients(gradient: View<'_>, weights: &[f32], inputs: &[usize]) -> Vec<FeatureMap> {
    let outputs = gradient.shape.channels;
    let n_inputs = inputs.iter().sum::<usize>();
    let zeros = |channels: &usize| FeatureMap::zeros(gradient.shape.with_channels(*channels));
    let mut results: Vec<_> = inputs.iter().map(zeros).collect();
    visit(gradient.shape, |tap, from, to| {
        let dy = &gradient.values[to * outputs..][..outputs];
        let mut first = 0;
        for result in &mut results {
            let n = result.shape.channels;
            for (i, dx) in result.values[from * n..][..n].iter_mut().enumerate() {
                let w = &weights[(tap * n_inputs + first + i) * outputs..][..outputs];
                *dx += dy.iter().zip(w).map(|(dy, w)| dy * w).sum::<f32>();
            }
            first += n;
        }
    });
    results
}

/// The gradient of a loss by the weights, from its gradient by the output.
///
/// # Shapes
/// `[3][3][in][out]`, like the weights.
#[must_use]
pub fn weight_gradient(inputs: &[View<'_>], gradient: View<'_>) -> Vec<f32> {
    let (n_inputs, outputs) = (channels(inputs), gradient.shape.channels);
    let mut result = vec![0.0; 9 * n_inputs * outputs];
    visit(gradient.shape, |tap, from, to| {
        let dy = &gradient.values[to * outputs..][..outputs];
        for (i, x) in at(inputs, from).enumerate() {
            let w = &mut result[(tap * n_inputs + i) * outputs..][..outputs];
            w.iter_mut().zip(dy).for_each(|(w, dy)| *w += x * dy);
        }
    });
    result
}

/// Channels of all inputs together.
fn channels(inputs: &[View<'_>]) -> usize {
    inputs.iter().map(|input| input.shape.channels).sum()
}

/// The numbers of all inputs at a pixel.
fn at(inputs: &[View<'_>], pixel: usize) -> impl Iterator<Item = f32> {
    inputs.iter().flat_map(move |input| {
        let n = input.shape.channels;
        input.values[pixel * n..][..n].iter().copied()
    })
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
