//! Plan: a network ready to predict.
//!
//! Takes trained weights and turns them into what the way through the network needs: normalization
//! is folded into the convolutions before it, axes lie as the kernels read them, both ways of
//! up-sampling become one. Gives probabilities for images of any size. Computes on all threads of
//! the pool that it is called in, with the same bits for any number of them.

use super::architecture::{
    Architecture, NORMALIZATION_EPSILON, Normalization, OUTPUTS, UpSampling,
};
use super::feature_map::FeatureMap;
use super::input::InputScaling;
use super::mirror;
use super::weights::Weights;
use super::{conv, head, up_sampling};
use crate::preparation::Steps;
use rayon::prelude::*;

/// A network ready to predict.
#[derive(Debug, Clone)]
pub struct Network {
    architecture: Architecture,
    input: InputScaling,
    preparation: Steps,
    /// From the top to the bottom.
    encoder: Vec<Block>,
    /// From the bottom to the top.
    decoder: Vec<Step>,
    head: Mixing,
}

/// Two 3x3 convolutions, each with its bias and ReLU.
#[derive(Debug, Clone)]
struct Block {
    first: conv::Layer,
    second: conv::Layer,
}

/// One level on the way up.
#[derive(Debug, Clone)]
struct Step {
    up: up_sampling::Layer,
    block: Block,
}

/// Weights and bias of a convolution that mixes the channels of single pixels.
#[derive(Debug, Clone)]
struct Mixing {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

/// Maps on the way through a network; those of one prediction serve the next.
#[derive(Debug, Default)]
pub struct Room {
    /// From the top to the bottom. Each level has its own, for a map that shrinks and grows again
    /// is filled with zeros each time.
    levels: Vec<Level>,
}

/// Maps of one level.
#[derive(Debug, Default)]
struct Level {
    /// Pooled map from the level above.
    pooled: FeatureMap,
    /// Between the two convolutions of a block.
    middle: FeatureMap,
    /// Map of the encoder.
    skip: FeatureMap,
    /// Up-sampled map from the level below, then the map of the decoder.
    up: FeatureMap,
}

impl Network {
    /// Prepares trained weights.
    #[must_use]
    pub fn new(weights: &Weights) -> Self {
        let architecture = *weights.architecture();
        let down = |level: u32| {
            let above = level.checked_sub(1).map(|level| architecture.width(level));
            let inputs = above.unwrap_or(architecture.in_channels as usize);
            block(weights, &format!("encoder.{level}"), &[inputs])
        };
        let encoder = (0..=architecture.depth).map(down).collect();
        let step = |level| {
            let name = format!("decoder.{level}");
            let up = load_up_sampling(weights, &name);
            let up = up_sampling::Layer::new(&up.weights, &up.bias);
            Step { up, block: block(weights, &name, &[architecture.width(level); 2]) }
        };
        let decoder = (0..architecture.depth).rev().map(step).collect();
        let head = Mixing {
            weights: transpose(weights.tensor("head.weight"), OUTPUTS as usize),
            bias: weights.tensor("head.bias").to_vec(),
        };
        let (input, preparation) = (*weights.input(), weights.preparation().clone());
        Self { architecture, input, preparation, encoder, decoder, head }
    }

    /// The form of the network.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// How images are scaled for the network.
    #[must_use]
    pub fn input(&self) -> &InputScaling {
        &self.input
    }

    /// Preparation of images before they are scaled.
    #[must_use]
    pub fn preparation(&self) -> &Steps {
        &self.preparation
    }

    /// Predicts what each pixel is, for a batch of any size.
    ///
    /// # Shapes
    /// `input` has the channels of the architecture. The result has its height and width and a
    /// channel for each [`super::architecture::Output`], from 0 to 1.
    ///
    /// # Edge cases
    /// Height and width are filled up to a multiple of [`Architecture::stride`] by mirroring, at
    /// the bottom and on the right.
    ///
    /// # Panics
    /// When `input` has another number of channels.
    #[must_use]
    pub fn predict(&self, input: &FeatureMap) -> FeatureMap {
        self.predict_in(&mut Room::default(), input)
    }

    /// Does what [`Self::predict`] does, in room that was used before.
    #[must_use]
    pub fn predict_in(&self, room: &mut Room, input: &FeatureMap) -> FeatureMap {
        assert_eq!(input.shape.channels, self.architecture.in_channels as usize);
        let outputs = OUTPUTS as usize;
        if input.values.is_empty() {
            return FeatureMap::zeros(input.shape.with_channels(outputs));
        }
        let stride = self.architecture.stride();
        let (height, width) = (input.shape.height, input.shape.width);
        let padded = mirror::pad(input, stride);
        let logits = self.logits(room, padded.as_ref().unwrap_or(input));
        let mut answer = mirror::crop(logits, height, width);
        answer.values.par_chunks_mut(1 << 14).for_each(|values| {
            values.iter_mut().for_each(|value| *value = logistic(*value));
        });
        answer
    }

    /// The way through the network.
    fn logits(&self, room: &mut Room, input: &FeatureMap) -> FeatureMap {
        let levels = &mut room.levels;
        levels.resize_with(self.encoder.len(), Level::default);
        for (level, block) in self.encoder.iter().enumerate() {
            let (here, below) = levels[level..].split_at_mut(1);
            let Level { pooled, middle, skip, .. } = &mut here[0];
            let input = if level == 0 { input } else { &*pooled };
            block.first.run(&[input.view()], middle, None);
            let next = below.first_mut().map(|next| &mut next.pooled);
            block.second.run(&[middle.view()], skip, next);
        }
        let bottom = self.decoder.len();
        for (number, Step { up: layer, block }) in self.decoder.iter().enumerate() {
            let level = bottom - 1 - number;
            let (here, below) = levels.split_at_mut(level + 1);
            let Level { middle, skip, up, .. } = &mut here[level];
            let found = if level + 1 == bottom { &below[0].skip } else { &below[0].up };
            layer.run(found.view(), up);
            block.first.run(&[skip.view(), up.view()], middle, None);
            block.second.run(&[middle.view()], up, None);
        }
        head::forward(levels[0].up.view(), &self.head.weights, &self.head.bias)
    }
}

/// The two convolutions of a block, each with its normalization folded in; the first takes maps of
/// so many channels.
fn block(weights: &Weights, name: &str, inputs: &[usize]) -> Block {
    let layer = |number: u32, inputs: Option<&[usize]>| {
        let tensor = |part: &str| weights.tensor(&format!("{name}.{part}"));
        let weight = tensor(&format!("conv{number}.weight"));
        let (factors, bias) = match weights.architecture().normalization {
            Normalization::None => {
                let bias = tensor(&format!("conv{number}.bias"));
                (vec![1.0; bias.len()], bias.to_vec())
            }
            Normalization::Batch => {
                let [scale, bias, mean, variance] =
                    ["weight", "bias", "running_mean", "running_var"]
                        .map(|part| tensor(&format!("norm{number}.{part}")));
                fold_normalization(scale, bias, mean, variance)
            }
        };
        conv::Layer::new(&weights_by_tap(weight, &factors), &bias, inputs.unwrap_or(&[bias.len()]))
    };
    Block { first: layer(1, Some(inputs)), second: layer(2, None) }
}

/// Factor and bias that do what a batch normalization does.
fn fold_normalization(
    scale: &[f32],
    bias: &[f32],
    mean: &[f32],
    variance: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let factor = |(scale, variance): (&f32, &f32)| {
        f64::from(*scale) / (f64::from(*variance) + f64::from(NORMALIZATION_EPSILON)).sqrt()
    };
    let factors: Vec<f64> = scale.iter().zip(variance).map(factor).collect();
    let shifts = factors.iter().zip(mean).map(|(factor, mean)| factor * f64::from(*mean));
    let bias = bias.iter().zip(shifts).map(|(bias, shift)| (f64::from(*bias) - shift) as f32);
    (factors.iter().map(|&factor| factor as f32).collect(), bias.collect())
}

/// From PyTorch's `[out][in][3][3]`, each output times its factor, to `[3][3][in][out]`.
fn weights_by_tap(weight: &[f32], factors: &[f32]) -> Vec<f32> {
    let outputs = factors.len();
    let inputs = weight.len() / (9 * outputs);
    let mut taps = vec![0.0; weight.len()];
    for (output, (weight, factor)) in weight.chunks_exact(9 * inputs).zip(factors).enumerate() {
        for (input, kernel) in weight.chunks_exact(9).enumerate() {
            for (tap, value) in kernel.iter().enumerate() {
                taps[(tap * inputs + input) * outputs + output] = value * factor;
            }
        }
    }
    taps
}

/// The up-sampling of a step as a transposed convolution, `[in][2][2][out]`.
///
/// Repeating pixels and mixing them afterwards is the same as a transposed convolution whose four
/// parts are alike.
fn load_up_sampling(weights: &Weights, name: &str) -> Mixing {
    let weight = weights.tensor(&format!("{name}.up.weight"));
    let bias = weights.tensor(&format!("{name}.up.bias")).to_vec();
    let outputs = bias.len();
    let weights = match weights.architecture().up_sampling {
        // `[in][out][2][2]`: outputs and parts change places.
        UpSampling::Transposed => {
            weight.chunks_exact(4 * outputs).flat_map(|input| transpose(input, outputs)).collect()
        }
        // `[out][in]`.
        UpSampling::Nearest => transpose(weight, outputs)
            .chunks_exact(outputs)
            .flat_map(|input| input.repeat(4))
            .collect(),
    };
    Mixing { weights, bias }
}

/// The transpose of a matrix with so many rows.
fn transpose(matrix: &[f32], n_rows: usize) -> Vec<f32> {
    let n_columns = matrix.len() / n_rows;
    let column = |column| (0..n_rows).map(move |row| matrix[row * n_columns + column]);
    (0..n_columns).flat_map(column).collect()
}

/// The logistic function; exact at both ends.
fn logistic(value: f32) -> f32 {
    // Only a negative argument is exponentiated, so that nothing overflows.
    let small = libm::expf(-value.abs());
    if value < 0.0 { small / (1.0 + small) } else { 1.0 / (1.0 + small) }
}
