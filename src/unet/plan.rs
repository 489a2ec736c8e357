//! Plan: a network ready to predict.
//!
//! Takes trained weights and turns them into what the way through the network needs: normalization
//! is folded into the convolutions before it, axes lie as the kernels read them, both ways of
//! up-sampling become one. Gives probabilities for images of any size. Computes on all threads of
//! the pool that it is called in, with the same bits for any number of them.

use super::architecture::{
    Architecture, NORMALIZATION_EPSILON, Normalization, OUTPUTS, UpSampling,
};
use super::feature_map::{FeatureMap, View};
use super::input::InputScaling;
use super::mirror;
use super::weights::Weights;
use super::{conv, head, pooling, up_sampling};
use rayon::prelude::*;

/// A network ready to predict.
#[derive(Debug, Clone)]
pub struct Network {
    architecture: Architecture,
    input: InputScaling,
    encoder: Vec<[Convolution; 2]>,
    /// From the bottom to the top.
    decoder: Vec<Step>,
    head: Mixing,
}

/// A 3x3 convolution and the bias that is added to it, before ReLU.
#[derive(Debug, Clone)]
struct Convolution {
    /// `[3][3][in][out]`.
    weights: Vec<f32>,
    bias: Vec<f32>,
}

/// One level on the way up.
#[derive(Debug, Clone)]
struct Step {
    /// `[in][2][2][out]` and its bias.
    up: Mixing,
    block: [Convolution; 2],
}

/// Weights and bias of a convolution that mixes the channels of single pixels.
#[derive(Debug, Clone)]
struct Mixing {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Network {
    /// Prepares trained weights.
    #[must_use]
    pub fn new(weights: &Weights) -> Self {
        let architecture = *weights.architecture();
        let encoder = (0..=architecture.depth)
            .map(|level| block(weights, &format!("encoder.{level}")))
            .collect();
        let step = |level| {
            let name = format!("decoder.{level}");
            Step { up: up(weights, &name), block: block(weights, &name) }
        };
        let decoder = (0..architecture.depth).rev().map(step).collect();
        let head = Mixing {
            weights: turned(weights.tensor("head.weight"), OUTPUTS as usize),
            bias: weights.tensor("head.bias").to_vec(),
        };
        Self { architecture, input: *weights.input(), encoder, decoder, head }
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
        assert_eq!(input.shape.channels, self.architecture.in_channels as usize);
        let outputs = OUTPUTS as usize;
        if input.values.is_empty() {
            return FeatureMap::zeros(input.shape.with_channels(outputs));
        }
        let stride = self.architecture.stride();
        let (height, width) = (input.shape.height, input.shape.width);
        let padded = mirror::padded(input, stride);
        let logits = self.logits(padded.as_ref().unwrap_or(input));
        let mut answer = mirror::cropped(logits, height, width);
        answer.values.par_chunks_mut(1 << 14).for_each(|values| {
            values.iter_mut().for_each(|value| *value = logistic(*value));
        });
        answer
    }

    /// The way through the network.
    fn logits(&self, input: &FeatureMap) -> FeatureMap {
        let mut skips: Vec<FeatureMap> = Vec::new();
        let mut map = convolve_twice(&[input.view()], &self.encoder[0]);
        for block in &self.encoder[1..] {
            let pooled = pooling::forward(map.view()).0;
            skips.push(map);
            map = convolve_twice(&[pooled.view()], block);
        }
        for (step, skip) in self.decoder.iter().zip(skips.into_iter().rev()) {
            let up = up_sampling::forward(map.view(), &step.up.weights, &step.up.bias);
            drop(map);
            map = convolve_twice(&[skip.view(), up.view()], &step.block);
        }
        head::forward(map.view(), &self.head.weights, &self.head.bias)
    }
}

/// Two convolutions, each with its bias and ReLU.
fn convolve_twice(inputs: &[View<'_>], [one, two]: &[Convolution; 2]) -> FeatureMap {
    let first = convolve(inputs, one);
    convolve(&[first.view()], two)
}

fn convolve(inputs: &[View<'_>], convolution: &Convolution) -> FeatureMap {
    let Convolution { weights, bias } = convolution;
    let mut map = conv::forward(inputs, weights, bias.len());
    map.values.par_chunks_mut(bias.len() * 1024).for_each(|pixels| {
        for pixel in pixels.chunks_exact_mut(bias.len()) {
            pixel.iter_mut().zip(bias).for_each(|(value, bias)| *value = (*value + bias).max(0.0));
        }
    });
    map
}

/// The two convolutions of a block, each with its normalization folded in.
fn block(weights: &Weights, name: &str) -> [Convolution; 2] {
    [1, 2].map(|number| {
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
                folded(scale, bias, mean, variance)
            }
        };
        Convolution { weights: of_taps(weight, &factors), bias }
    })
}

/// Factor and bias that do what a batch normalization does.
fn folded(scale: &[f32], bias: &[f32], mean: &[f32], variance: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let factor = |(scale, variance): (&f32, &f32)| {
        f64::from(*scale) / (f64::from(*variance) + f64::from(NORMALIZATION_EPSILON)).sqrt()
    };
    let factors: Vec<f64> = scale.iter().zip(variance).map(factor).collect();
    let shifts = factors.iter().zip(mean).map(|(factor, mean)| factor * f64::from(*mean));
    let bias = bias.iter().zip(shifts).map(|(bias, shift)| (f64::from(*bias) - shift) as f32);
    (factors.iter().map(|&factor| factor as f32).collect(), bias.collect())
}

/// From PyTorch's `[out][in][3][3]`, each output times its factor, to `[3][3][in][out]`.
fn of_taps(weight: &[f32], factors: &[f32]) -> Vec<f32> {
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
fn up(weights: &Weights, name: &str) -> Mixing {
    let weight = weights.tensor(&format!("{name}.up.weight"));
    let bias = weights.tensor(&format!("{name}.up.bias")).to_vec();
    let outputs = bias.len();
    let weights = match weights.architecture().up_sampling {
        // `[in][out][2][2]`: outputs and parts change places.
        UpSampling::Transposed => {
            weight.chunks_exact(4 * outputs).flat_map(|input| turned(input, outputs)).collect()
        }
        // `[out][in]`.
        UpSampling::Nearest => turned(weight, outputs)
            .chunks_exact(outputs)
            .flat_map(|input| input.repeat(4))
            .collect(),
    };
    Mixing { weights, bias }
}

/// The transpose of a matrix with so many rows.
fn turned(matrix: &[f32], n_rows: usize) -> Vec<f32> {
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
