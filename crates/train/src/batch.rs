//! Batch: the crops, targets and weights that a network learns from in one step.

use super::choice::Choice;
use super::eosin::Eosin;
use super::intensity::Relight;
use super::recipe::{IntensityRecipe, Recipe};
use super::sample::Sample;
use super::targets::{Made, Scratch, Truth, fill};
use super::warp::{Crop, Warp};
use cellgate_core::profile::Channel;
use cellgate_core::unet::architecture::OUTPUTS;
use cellgate_core::unet::feature_map::{FeatureMap, Shape};
use cellgate_inputs::dataset::random::Random;
use rayon::prelude::*;

/// All batches of a training.
#[derive(Debug, Clone)]
pub struct Batches {
    samples: Vec<Sample>,
    recipe: Recipe,
    choice: Choice,
}

/// Crops, what a network is to answer to them, and how much each pixel counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// `[batch][crop][crop][inputs]`.
    pub input: FeatureMap,
    /// `[batch][crop][crop][OUTPUTS]`, see [`Output`](cellgate_core::unet::architecture::Output).
    pub targets: FeatureMap,
    /// `[batch][crop][crop][1]`, at least 1.
    pub weights: FeatureMap,
}

/// Places of the parts of a crop that random numbers are drawn for.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Field = 0,
    Geometry = 1,
    Intensity = 2,
    Eosin = 3,
}

/// Channels that eosin has a color in.
const RED_GREEN_BLUE: [Channel; 3] = [Channel::OdRed, Channel::OdGreen, Channel::OdBlue];

/// Crops of a batch that are told apart in the random numbers' seed.
const CROPS_OF_STEP: u64 = 1 << 16;

impl Batches {
    /// Takes the fields to learn from, and clears them of the specks that the recipe leaves out.
    ///
    /// # Edge cases
    /// `None` without a field.
    #[must_use]
    pub fn new(samples: Vec<Sample>, recipe: Recipe) -> Option<Self> {
        if samples.is_empty() {
            return None;
        }
        let least_px = recipe.targets.least_nucleus_px;
        let samples: Vec<Sample> =
            samples.into_par_iter().map(|sample| sample.without_specks(least_px)).collect();
        let choice = Choice::new(&samples, &recipe.sampling);
        Some(Self { samples, recipe, choice })
    }

    /// The fields.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The batch of a step: the same for the same fields, recipe and step, on any number of threads.
    #[must_use]
    pub fn batch(&self, step: u64) -> Batch {
        self.make_batch(step, self.recipe.intensity_at(step))
    }

    /// Batch `n` of those that are no step's, lit as those of the step before `step`.
    #[must_use]
    pub fn statistics_batch(&self, n: u64, step: u64) -> Batch {
        self.make_batch(u64::MAX - n, self.recipe.intensity_at(step.saturating_sub(1)))
    }

    fn make_batch(&self, place: u64, intensity: &IntensityRecipe) -> Batch {
        let edge = self.recipe.sampling.crop_px as usize;
        let inputs = self.recipe.architecture.in_channels as usize;
        let n_crops = self.recipe.sampling.batch as usize;
        let shape = Shape { batch: n_crops, height: edge, width: edge, channels: inputs };
        let mut batch = Batch {
            input: FeatureMap::zeros(shape),
            targets: FeatureMap::zeros(shape.with_channels(OUTPUTS as usize)),
            weights: FeatureMap::zeros(shape.with_channels(1)),
        };
        let px = edge * edge;
        let crops = (batch.input.values.par_chunks_mut(px * inputs))
            .zip(batch.targets.values.par_chunks_mut(px * OUTPUTS as usize))
            .zip(batch.weights.values.par_chunks_mut(px));
        crops.enumerate().for_each_init(
            || (Crop::default(), Scratch::default()),
            |(crop, scratch), (index, ((input, targets), weights))| {
                self.sample((place, index as u64), intensity, crop);
                broadcast_channels(&crop.values, input, inputs);
                let truth = Truth { labels: &crop.labels, depths: &crop.depths };
                fill(&self.recipe.targets, truth, edge, scratch, Made { targets, weights });
            },
        );
        batch
    }

    /// Samples one crop and changes how it is lit.
    fn sample(&self, (place, index): (u64, u64), intensity: &IntensityRecipe, crop: &mut Crop) {
        let Recipe { seed, sampling, warp, input, .. } = &self.recipe;
        let random = |purpose: Purpose| {
            let place = place.wrapping_mul(CROPS_OF_STEP).wrapping_add(index);
            Random::new(*seed, place.wrapping_mul(4).wrapping_add(purpose as u64))
        };
        let sample = &self.samples[self.choice.draw(&mut random(Purpose::Field))];
        let edge = sampling.crop_px as usize;
        let warp = Warp::draw(warp, sampling, sample, &mut random(Purpose::Geometry));
        warp.sample(sample, edge, crop);
        if sample.is_brightfield
            && input.color_channels == RED_GREEN_BLUE
            && let Some(eosin) = Eosin::draw(intensity, &mut random(Purpose::Eosin))
        {
            eosin.apply(&mut crop.values, &crop.depths, edge);
        }
        let generator = &mut random(Purpose::Intensity);
        let relight = Relight::draw(intensity, sample.is_brightfield, generator);
        let clip = [input.scaling.clip_low as f32, input.scaling.clip_high as f32];
        relight.apply(&mut crop.values, edge, sample.n_kept, clip);
    }
}

/// Writes kept channels to a network's inputs; one channel goes to all of them.
fn broadcast_channels(values: &[f32], input: &mut [f32], inputs: usize) {
    if values.len() == input.len() {
        input.copy_from_slice(values);
        return;
    }
    for (pixel, value) in input.chunks_exact_mut(inputs).zip(values) {
        pixel.fill(*value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Restart, Sampling, WarpRecipe};
    use crate::sample::tests::sample_of;
    use cellgate_core::raster::Labels;
    use cellgate_core::unet::architecture::Output;

    /// Disks of brightness on a dim ground.
    fn disks(n: u32) -> Sample {
        let truth = Labels::from_fn(96, 96, |x, y| {
            let (column, row) = (x / 24, y / 24);
            let (dx, dy) = ((x % 24) as i32 - 12, (y % 24) as i32 - 12);
            if dx * dx + dy * dy < 9 * 9 { 1 + n + 4 * row + column } else { 0 }
        });
        let label_of = truth.clone();
        sample_of(truth, move |x, y| if label_of.at(x, y) > 0 { 900 } else { 100 + (x % 3) as u16 })
    }

    fn recipe() -> Recipe {
        let sampling = Sampling { batch: 3, crop_px: 64, ..Sampling::default() };
        Recipe { sampling, ..Recipe::default() }
    }

    fn batches(recipe: Recipe) -> Batches {
        Batches::new(vec![disks(0), disks(3)], recipe).unwrap()
    }

    #[test]
    fn a_batch_is_a_function_of_seed_and_step() {
        let one = batches(recipe());
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        for step in [0, 7, u64::MAX] {
            assert_eq!(one.batch(step), alone.install(|| batches(recipe()).batch(step)));
        }
        assert_ne!(one.batch(1).input, one.batch(2).input);
        let other = batches(Recipe { seed: 2, ..recipe() });
        assert_ne!(one.batch(1).input, other.batch(1).input);
        let crops = one.batch(1).input.values;
        assert_ne!(crops[..64 * 64 * 3], crops[64 * 64 * 3..2 * 64 * 64 * 3]);
    }

    #[test]
    fn input_and_targets_stay_in_step_whatever_the_warp() {
        let batches = batches(Recipe { intensity: IntensityRecipe::NONE, ..recipe() });
        for step in 0..10 {
            let batch = batches.batch(step);
            let pixels =
                batch.input.values.chunks_exact(3).zip(batch.targets.values.chunks_exact(3));
            let mut n_nucleus = 0;
            for (pixel, answer) in pixels {
                assert_eq!(pixel, [pixel[0]; 3]);
                let nucleus = answer[Output::Nucleus as usize];
                // Bright inside, dim outside, in between where four pixels are mixed.
                assert!((pixel[0] > 0.4) == (nucleus > 0.5) || (0.1..0.9).contains(&pixel[0]));
                assert!((answer[Output::Distance as usize] > 0.0) == (nucleus > 0.5));
                n_nucleus += usize::from(nucleus > 0.5);
            }
            assert!(n_nucleus > 100);
            assert!(batch.weights.values.iter().all(|weight| (1.0..=7.0).contains(weight)));
        }
    }

    #[test]
    fn without_augmentation_a_crop_is_cut_out_of_the_image() {
        let plain = Recipe { warp: WarpRecipe::NONE, intensity: IntensityRecipe::NONE, ..recipe() };
        let batches = batches(plain);
        let batch = batches.batch(4);
        for crop in batch.input.values.chunks_exact(64 * 64 * 3) {
            let is_cut_out = |sample: &Sample, left: usize, top: usize| {
                (0..64 * 64).step_by(97).all(|at| {
                    let pixel = (top + at / 64) * 96 + left + at % 64;
                    (crop[at * 3] - sample.scale.apply(sample.values[pixel])).abs() < 1e-5
                })
            };
            let found = batches.samples().iter().any(|sample| {
                (0..=32).any(|top| (0..=32).any(|left| is_cut_out(sample, left, top)))
            });
            assert!(found);
        }
    }

    #[test]
    fn a_restart_changes_how_crops_are_lit_from_its_step_on() {
        let intensity = Some(IntensityRecipe::NONE);
        let mut changed = recipe();
        changed.optimization.restarts = vec![Restart { step: 5, rate: 1e-3, intensity }];
        let changed = batches(changed);
        let plain = Recipe { intensity: IntensityRecipe::NONE, ..recipe() };
        let (before, after) = (batches(recipe()), batches(plain));
        assert_eq!(changed.batch(4), before.batch(4));
        assert_eq!(changed.batch(5), after.batch(5));
        assert_ne!(changed.batch(5), before.batch(5));
        // The step that leads to the fifth is the fourth.
        assert_eq!(changed.statistics_batch(0, 5), before.statistics_batch(0, 5));
        assert_eq!(changed.statistics_batch(0, 6), after.statistics_batch(0, 6));
    }

    #[test]
    fn eosin_is_for_red_green_and_blue_alone() {
        let stained = || {
            let gray = disks(0);
            let values = gray.values.iter().flat_map(|value| [*value; 3]).collect();
            Sample { is_brightfield: true, n_kept: 3, values, ..gray }
        };
        let of = |sample: Sample, eosin_chance: f64, channels: [Channel; 3]| {
            let intensity = IntensityRecipe { eosin_chance, eosin: 2.0, ..IntensityRecipe::NONE };
            let mut recipe = Recipe { intensity, ..recipe() };
            recipe.input.color_channels = channels.to_vec();
            Batches::new(vec![sample], recipe).unwrap().batch(2)
        };
        assert_eq!(of(disks(0), 1.0, RED_GREEN_BLUE), of(disks(0), 0.0, RED_GREEN_BLUE));
        let [with, without] =
            [1.0, 0.0].map(|eosin_chance| of(stained(), eosin_chance, RED_GREEN_BLUE));
        assert_ne!(with.input, without.input);
        assert_eq!((with.targets, with.weights), (without.targets, without.weights));
        let sums = [Channel::OdSum; 3];
        assert_eq!(of(stained(), 1.0, sums), of(stained(), 0.0, sums));
    }

    #[test]
    fn nothing_to_learn_from_gives_no_batches() {
        assert!(Batches::new(Vec::new(), recipe()).is_none());
    }
}
