//! Pooling: the greatest of each 2x2 pixels, and its gradient.
//!
//! A last odd row or column is left out, as in PyTorch.

use super::feature_map::{FeatureMap, Shape, View};

/// Takes the greatest of each 2x2 pixels, channel by channel, and says which it was: 0 and 1 in the
/// first row, 2 and 3 in the second; the first of equals.
///
/// # Shapes
/// The results have half the height and width, rounded down.
#[must_use]
pub fn forward(input: View<'_>) -> (FeatureMap, Vec<u8>) {
    let shape = pooled(input.shape);
    let mut output = FeatureMap::zeros(shape);
    let mut places = vec![0; shape.n_values()];
    for (index, (y, place)) in output.values.iter_mut().zip(&mut places).enumerate() {
        *y = f32::NEG_INFINITY;
        for candidate in 0..4 {
            let x = input.values[source(input.shape, index, candidate)];
            if x > *y {
                (*y, *place) = (x, candidate);
            }
        }
    }
    (output, places)
}

/// The gradient of a loss by the input, from its gradient by the output of [`forward`].
///
/// # Shapes
/// `places` as from [`forward`]; the result is shaped as `input`.
#[must_use]
pub fn backward(gradient: View<'_>, places: &[u8], input: Shape) -> FeatureMap {
    let mut result = FeatureMap::zeros(input);
    for (index, (dy, place)) in gradient.values.iter().zip(places).enumerate() {
        result.values[source(input, index, *place)] = *dy;
    }
    result
}

/// The shape after pooling.
fn pooled(input: Shape) -> Shape {
    Shape { height: input.height / 2, width: input.width / 2, ..input }
}

/// Where one of the four candidates for a pooled number lies in the input.
fn source(input: Shape, index: usize, candidate: u8) -> usize {
    let Shape { height, width, channels, .. } = pooled(input);
    let (pixel, channel) = (index / channels, index % channels);
    let (row, column, map) = (pixel / width % height, pixel % width, pixel / width / height);
    let (row, column) =
        (2 * row + usize::from(candidate / 2), 2 * column + usize::from(candidate % 2));
    ((map * input.height + row) * input.width + column) * channels + channel
}
