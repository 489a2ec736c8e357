//! Learner: one step of a training, and the weights that its parameters come to.

use super::batch::{Batch, Batches};
use super::model::{Engine, Unet, tensor};
use super::optimizer::{State, rate};
use super::parameters;
use super::parameters::ForeignParameters;
use super::recipe::Recipe;
use super::{loss, ops, plain};
use burn::tensor::{Device, Tensor, TensorData};
use cellgate_core::unet::batch_norm::Statistics;
use cellgate_core::unet::weights::{Weights, WeightsError};
use std::collections::BTreeMap;

/// Batches that the statistics of normalization are measured on.
const STATISTICS_BATCHES: u64 = 8;

/// Losses of a step, with the norm of its gradient and its learning rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Losses {
    /// The parts, in the order of [`loss::Part`].
    pub parts: [f32; loss::PARTS],
    /// Their sum, weighted by the recipe.
    pub total: f32,
    /// Norm of the gradient before it was clipped.
    pub gradient_norm: f64,
    /// The learning rate.
    pub rate: f64,
}

/// A step could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// The parameters are not the network's.
    #[error(transparent)]
    Foreign(#[from] ForeignParameters),
    /// Training left the numbers that weights can have.
    #[error("training came to weights that cannot be kept; lower the rate")]
    Weights(#[from] WeightsError),
}

/// Makes steps of a training.
#[derive(Debug)]
pub struct Learner {
    recipe: Recipe,
    engine: Engine,
    device: Device,
}

impl Learner {
    /// Learns by our kernels on this machine's processor.
    #[must_use]
    pub fn new(recipe: Recipe) -> Self {
        Self { recipe, engine: Engine::Kernels, device: Device::flex() }
    }

    /// The same by burn's own operations, on any device.
    #[must_use]
    pub fn with_burn(recipe: Recipe, device: Device) -> Self {
        Self { recipe, engine: Engine::Burn, device }
    }

    /// The recipe.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Makes one step.
    ///
    /// # Errors
    /// [`LearnError::Foreign`].
    pub fn step(&self, state: &mut State, batch: Batch) -> Result<Losses, LearnError> {
        let device = self.device.clone().autodiff();
        let architecture = &self.recipe.architecture;
        let model = Unet::new(architecture, &state.parameters, &device)?;
        let logits = model.forward(tensor(batch.input, &device), self.engine, &mut |_| {});
        let (targets, weights) = (tensor(batch.targets, &device), tensor(batch.weights, &device));
        let parts = match self.engine {
            Engine::Kernels => ops::loss(logits, targets, weights),
            Engine::Burn => plain::loss(logits, targets, weights),
        };
        let factors = TensorData::new(self.factors().to_vec(), [loss::PARTS]);
        let total = (parts.clone() * Tensor::from_data(factors, &device)).sum();
        let gradients = model.gradients(total.backward());
        let rate = rate(state.step, &self.recipe.optimization);
        let gradient_norm = state.advance(&gradients, &self.recipe.optimization);
        let parts = loss_parts(parts);
        let weighted = parts.iter().zip(self.factors()).map(|(part, factor)| part * factor);
        Ok(Losses { parts, total: weighted.sum(), gradient_norm, rate })
    }

    /// Weights of the averaged parameters. What normalization does at prediction is measured on
    /// batches that no step sees: each layer's statistics over all of them.
    ///
    /// # Errors
    /// [`LearnError`].
    ///
    /// # Sources
    /// Wu, Johnson 2021, Rethinking "batch" in batch normalization, section 3, arXiv 2105.07576.
    pub fn weights(&self, state: &State, batches: &Batches) -> Result<Weights, LearnError> {
        let Recipe { architecture, optimization, input, .. } = &self.recipe;
        let averaged = state.averaged_parameters(optimization);
        let model = Unet::new(architecture, &averaged, &self.device)?;
        let mut measured = Measured::default();
        for n in 0..STATISTICS_BATCHES {
            let batch = batches.statistics_batch(n, state.step);
            let mut layer = 0;
            let mut see = |maps: &Tensor<4>| {
                measured.add(layer, maps);
                layer += 1;
            };
            model.forward(tensor(batch.input, &self.device), self.engine, &mut see);
        }
        let mut values = averaged.into_iter().map(|parameter| parameter.values);
        let mut statistics = measured.means_and_variances().into_iter();
        let mut tensors = BTreeMap::new();
        for spec in architecture.tensors() {
            let found = if parameters::is_parameter(&spec) {
                &mut values
            } else {
                &mut statistics as &mut dyn Iterator<Item = Vec<f32>>
            };
            let values = found.next().unwrap_or_default();
            tensors.insert(spec.name.clone(), parameters::to_pytorch(&spec, &values));
        }
        let weights = Weights::new(*architecture, input.scaling, tensors)?;
        Ok(weights.after(input.preparation.clone())?)
    }

    /// Factor of each part of the loss.
    #[must_use]
    pub fn factors(&self) -> [f32; loss::PARTS] {
        let recipe = &self.recipe.optimization;
        [
            1.0,
            recipe.dice_weight as f32,
            recipe.boundary_weight as f32,
            recipe.distance_weight as f32,
        ]
    }
}

fn loss_parts(parts: Tensor<1>) -> [f32; loss::PARTS] {
    let mut numbers = [f32::NAN; loss::PARTS];
    if let Ok(values) = parts.into_data().try_into_vec::<f32>() {
        numbers.iter_mut().zip(values).for_each(|(number, value)| *number = value);
    }
    numbers
}

/// Sums of each layer's means, and of its mean squares, over batches.
#[derive(Debug, Default)]
struct Measured {
    layers: Vec<Vec<[f64; 2]>>,
    n: u64,
}

impl Measured {
    fn add(&mut self, layer: usize, maps: &Tensor<4>) {
        let Statistics { mean, variance } = statistics(maps);
        if self.layers.len() <= layer {
            self.layers.push(vec![[0.0; 2]; mean.len()]);
        }
        self.n += u64::from(layer == 0);
        for ([sum, square], (mean, variance)) in
            self.layers[layer].iter_mut().zip(mean.iter().zip(&variance))
        {
            let mean = f64::from(*mean);
            *sum += mean;
            *square += f64::from(*variance) + mean * mean;
        }
    }

    /// Mean and variance of each layer, one after the other.
    fn means_and_variances(&self) -> Vec<Vec<f32>> {
        let n = self.n.max(1) as f64;
        let of_layer = |layer: &Vec<[f64; 2]>| {
            let means = layer.iter().map(|[sum, _]| (sum / n) as f32).collect();
            let variance = |[sum, square]: &[f64; 2]| (square / n - (sum / n).powi(2)).max(0.0);
            [means, layer.iter().map(|sums| variance(sums) as f32).collect()]
        };
        self.layers.iter().flat_map(of_layer).collect()
    }
}

/// Mean and variance of each channel, on any device.
fn statistics(maps: &Tensor<4>) -> Statistics {
    ops::statistics(maps.clone()).unwrap_or_else(|| plain::statistics(maps.clone()))
}
