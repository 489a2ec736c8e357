//! Layer: a 3x3 convolution with bias and ReLU, prepared once and run many times.

use super::bands;
use super::channels::{Widened, contiguous_indices, padded_indices};
use super::tiles;
use super::weights::Packed;
use crate::unet::feature_map::{FeatureMap, View};

/// A 3x3 convolution with zero padding, a bias and ReLU.
#[derive(Debug, Clone)]
pub struct Layer {
    packed: Packed,
    /// Padded with zeros.
    bias: Vec<f32>,
}

impl Layer {
    /// Prepares weights.
    ///
    /// # Shapes
    /// `weights`: `[3][3][in][out]`, whose inputs are told off to maps with `inputs` channels;
    /// `bias`: one for each output, a number that is a multiple of 8.
    #[must_use]
    pub fn new(weights: &[f32], bias: &[f32], inputs: &[usize]) -> Self {
        let (n_inputs, outputs) = (inputs.iter().sum::<usize>(), bias.len());
        let (from, to) = (padded_indices(inputs), contiguous_indices(outputs));
        let packed = Packed::new(&from, &to, |tap, input, output| {
            weights[(tap * n_inputs + input) * outputs + output]
        });
        let mut bias = bias.to_vec();
        bias.resize(outputs.next_multiple_of(tiles::LANES), 0.0);
        Self { packed, bias }
    }

    /// Runs: `y = max(0, bias + convolution of the inputs)`; where `pooled` is given, it becomes
    /// the greatest of each 2x2 pixels of the output.
    ///
    /// # Shapes
    /// `inputs` as prepared for, alike but for their channels. `output` and `pooled` become maps of
    /// as many channels as there are outputs, the latter of half the height and width, rounded
    /// down; what was in them is written over.
    pub fn run(
        &self,
        inputs: &[View<'_>],
        output: &mut FeatureMap,
        mut pooled: Option<&mut FeatureMap>,
    ) {
        let shape = inputs[0].shape.with_channels(self.bias.len());
        output.reshape(shape);
        if let Some(pooled) = &mut pooled {
            pooled.reshape(shape.halved());
        }
        let inputs: Vec<_> = inputs.iter().map(|input| Widened::new(*input)).collect();
        let mut bands = bands::cut(std::slice::from_mut(output), pooled);
        super::convolve_into(&inputs, &self.packed, Some(&self.bias), &mut bands);
    }
}
