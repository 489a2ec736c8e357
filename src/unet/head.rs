//! Head: the 1x1 convolution at a network's end, and its gradients.
//!
//! Weights are `[in][out]`: `weights[input * outputs + output]`.

use super::feature_map::{FeatureMap, View};

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
    let mut output = FeatureMap::zeros(input.shape.with_channels(outputs));
    let pixels = output.values.chunks_exact_mut(outputs).zip(input.values.chunks_exact(inputs));
    for (y, x) in pixels {
        y.copy_from_slice(bias);
        for (x, w) in x.iter().zip(weights.chunks_exact(outputs)) {
            y.iter_mut().zip(w).for_each(|(y, w)| *y += x * w);
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
    let pixels = input.values.chunks_exact(inputs).zip(gradient.values.chunks_exact(outputs));
    for ((x, dy), dx) in pixels.zip(result.input.values.chunks_exact_mut(inputs)) {
        result.bias.iter_mut().zip(dy).for_each(|(bias, dy)| *bias += dy);
        let rows = weights.chunks_exact(outputs).zip(result.weights.chunks_exact_mut(outputs));
        for ((x, dx), (w, dw)) in x.iter().zip(dx).zip(rows) {
            *dx = dy.iter().zip(w).map(|(dy, w)| dy * w).sum();
            dw.iter_mut().zip(dy).for_each(|(dw, dy)| *dw += x * dy);
        }
    }
    result
}
