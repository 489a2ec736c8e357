//! Tests of whole steps and trainings, on a tiny network.

use super::batch::Batches;
use super::checkpoint::{Checkpoint, CheckpointError, Origin};
#[cfg(feature = "wgpu")]
use super::device::Gpu;
use super::learner::{Learner, Losses};
use super::optimizer::State;
use super::parameters;
use super::recipe::{IntensityRecipe, Optimization, Recipe, Restart, Sampling};
use super::record::{LossRow, Spent, Validation};
use super::run::{CHECKPOINT_FILE, Ended, Training, Watch};
use super::sample::Sample;
use super::sample::tests::sample_of;
use super::{ops, plain};
use burn::tensor::{Device, Tensor, TensorData};
use cellgate_core::digest::Digest;
use cellgate_core::raster::Labels;
use cellgate_core::unet::architecture::{Architecture, Normalization, UpSampling};
use cellgate_core::unet::batch_norm::Statistics;
use cellgate_core::unet::weights::Weights;
use std::collections::BTreeMap;

/// Bright disks on a dim ground.
fn disks() -> Vec<Sample> {
    let truth = Labels::from_fn(96, 96, |x, y| {
        let (dx, dy) = ((x % 24) as i32 - 12, (y % 24) as i32 - 12);
        if dx * dx + dy * dy < 9 * 9 { 1 + 4 * (y / 24) + x / 24 } else { 0 }
    });
    let label_of = truth.clone();
    vec![sample_of(truth, move |x, y| {
        if label_of.at(x, y) > 0 { 900 } else { 100 + (x * 7 + y * 3) as u16 % 90 }
    })]
}

fn recipe() -> Recipe {
    let architecture = Architecture {
        in_channels: 3,
        base_width: 8,
        depth: 2,
        normalization: Normalization::Batch,
        up_sampling: UpSampling::Transposed,
    };
    let sampling = Sampling { batch: 2, crop_px: 32, ..Sampling::default() };
    let optimization = Optimization {
        steps: 6,
        warm_up_steps: 2,
        rate: 1e-2,
        ema_decay: 0.5,
        validate_every: 3,
        ..Optimization::default()
    };
    Recipe { architecture, sampling, optimization, ..Recipe::default() }
}

fn batches(recipe: &Recipe) -> Batches {
    Batches::new(disks(), recipe.clone()).unwrap()
}

/// Parameters after some steps, and the losses of each.
fn steps(learner: &Learner, n: u64) -> (State, Vec<f32>) {
    let recipe = learner.recipe();
    let batches = batches(recipe);
    let mut state = State::new(parameters::initialize(&recipe.architecture, recipe.seed));
    let losses = (0..n).map(|step| learner.step(&mut state, batches.batch(step)).unwrap().total);
    let losses = losses.collect();
    (state, losses)
}

#[track_caller]
fn check_engines(device: &Device, change: impl Fn(&mut Recipe)) {
    let mut recipe = recipe();
    change(&mut recipe);
    let burn = Learner::with_burn(recipe.clone(), device.clone());
    let kernels = Learner::new(recipe);
    let ((_, ours_lost), (_, theirs_lost)) = (steps(&kernels, 3), steps(&burn, 3));
    for (ours, theirs) in ours_lost.iter().zip(&theirs_lost) {
        assert!((ours - theirs).abs() < 1e-4 * theirs.abs(), "{ours_lost:?} {theirs_lost:?}");
    }
    // Gradients of the first step: where moments begin, the sign of one near 0 decides a step.
    let ((ours, _), (theirs, _)) = (steps(&kernels, 1), steps(&burn, 1));
    for ((ours, theirs), parameter) in ours.mean.iter().zip(&theirs.mean).zip(&ours.parameters) {
        let greatest = theirs.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        for (one, other) in ours.iter().zip(theirs) {
            assert!(
                (one - other).abs() < 2e-3 * greatest + 1e-6,
                "{}: {one} {other}",
                parameter.name
            );
        }
    }
}

#[track_caller]
fn check_device(device: &Device) {
    check_engines(device, |_| ());
    check_engines(device, |recipe| recipe.architecture.up_sampling = UpSampling::Nearest);
    check_engines(device, |recipe| recipe.architecture.normalization = Normalization::None);
}

#[test]
fn kernels_and_burns_own_operations_learn_alike() {
    check_device(&Device::flex());
}

/// Whoever builds the feature wants to know it of the card at hand.
#[cfg(feature = "wgpu")]
#[test]
fn a_graphics_card_learns_and_measures_as_the_processor_does() {
    let device = Gpu::find().unwrap().device;
    check_device(&device);
    let recipe = recipe();
    let (state, _) = steps(&Learner::new(recipe.clone()), 2);
    let batches = batches(&recipe);
    let here = Learner::new(recipe.clone()).weights(&state, &batches).unwrap();
    let there = Learner::with_burn(recipe.clone(), device).weights(&state, &batches).unwrap();
    for spec in recipe.architecture.tensors() {
        let pairs = here.tensor(&spec.name).iter().zip(there.tensor(&spec.name));
        for (one, other) in pairs {
            assert!((one - other).abs() < 1e-3 * (1.0 + one.abs()), "{}: {one} {other}", spec.name);
        }
    }
}

#[test]
fn statistics_by_burns_own_operations_are_those_of_the_kernels() {
    let values = (0..2 * 4 * 6 * 3).map(|index| (index * 37 % 101) as f32 / 10.0).collect();
    let data = TensorData::new::<f32, _>(values, [2, 4, 6, 3]);
    let maps = Tensor::<4>::from_data(data, &Device::flex());
    let (ours, theirs) = (ops::statistics(maps.clone()).unwrap(), plain::statistics(maps));
    let all = |of: &Statistics| [of.mean.clone(), of.variance.clone()].concat();
    assert_eq!(all(&theirs).len(), 6);
    for (one, other) in all(&ours).iter().zip(all(&theirs)) {
        assert!((one - other).abs() < 1e-4, "{one} {other}");
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let run = |n| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        pool.install(|| steps(&Learner::new(recipe()), 3))
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(3));
    let (other, _) = steps(&Learner::new(Recipe { seed: 2, ..recipe() }), 3);
    assert_ne!(one.0.parameters, other.parameters);
}

/// Stops after some steps, and keeps the rows that it gets.
struct Stop {
    /// Steps before it stops.
    n_steps: u64,
    rows: Vec<LossRow>,
}

impl Watch for Stop {
    fn should_continue(&mut self) -> bool {
        let goes_on = self.n_steps > 0;
        self.n_steps = self.n_steps.saturating_sub(1);
        goes_on
    }

    fn on_step(&mut self, _: u64, _: &Losses, row: Option<&LossRow>) {
        self.rows.extend(row);
    }

    fn on_validation(&mut self, _: &Validation, _: bool) {}

    fn elapsed(&self) -> Spent {
        Spent::default()
    }
}

fn origin(dataset: &[u8]) -> Origin {
    Origin { recipe: recipe().digest().unwrap(), dataset: Digest::of_bytes(dataset), init: None }
}

/// Scores weights by one of their numbers.
fn score(step: u64, weights: &Weights) -> Validation {
    let score = f64::from(weights.tensor("head.weight")[0]);
    Validation { step, score, held_out_loss: None, mean_ap: BTreeMap::new() }
}

/// Runs a training by a recipe from a checkpoint, or from nothing, for as many steps as are let.
fn train(recipe: &Recipe, from: Option<&[u8]>, n_steps: u64) -> (Ended, Checkpoint, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let (learner, batches) = (Learner::new(recipe.clone()), batches(recipe));
    let of = Origin { recipe: recipe.digest().unwrap(), ..origin(b"d") };
    let training = Training {
        learner: &learner,
        batches: &batches,
        validate: &score,
        of,
        folder: folder.path(),
    };
    let beginnings: Vec<_> =
        recipe.beginnings().map(|beginning| beginning.digest().unwrap()).collect();
    let mut checkpoint = match from {
        Some(bytes) => Checkpoint::read(bytes, &recipe.architecture, &of, &beginnings).unwrap(),
        None => training.start(parameters::initialize(&recipe.architecture, recipe.seed)),
    };
    let outcome = training.run(&mut checkpoint, &mut Stop { n_steps, rows: Vec::new() }).unwrap();
    // As after a kill: nothing but the file is left.
    let bytes = std::fs::read(folder.path().join(CHECKPOINT_FILE)).unwrap();
    (outcome, checkpoint, bytes)
}

#[test]
fn a_resumed_training_comes_to_the_same_bits() {
    let recipe = recipe();
    let (outcome, whole, _) = train(&recipe, None, u64::MAX);
    assert_eq!(outcome, Ended::Complete);
    let (outcome, _, bytes) = train(&recipe, None, 4);
    assert_eq!(outcome, Ended::Stopped);
    let (_, resumed, _) = train(&recipe, Some(&bytes), u64::MAX);
    assert_eq!(resumed, whole);
    let (learner, batches) = (Learner::new(recipe.clone()), batches(&recipe));
    let weights = |at: &Checkpoint| learner.weights(&at.state, &batches).unwrap();
    assert_eq!(weights(&resumed), weights(&whole));
    assert_eq!(whole.record.validations.len(), 2);
}

#[test]
fn a_training_that_came_to_its_end_goes_on_with_a_restart_to_the_same_bits() {
    let once = recipe();
    let mut twice = once.clone();
    let intensity = Some(IntensityRecipe::NONE);
    twice.optimization.restarts = vec![Restart { step: 6, rate: 5e-3, intensity }];
    twice.optimization.steps = 10;
    assert_eq!(twice.problems(), []);
    let (_, whole, _) = train(&twice, None, u64::MAX);
    let (outcome, _, bytes) = train(&once, None, u64::MAX);
    assert_eq!(outcome, Ended::Complete);
    let (outcome, went_on, _) = train(&twice, Some(&bytes), u64::MAX);
    assert_eq!((outcome, went_on.state.step), (Ended::Complete, 10));
    assert_eq!(went_on, whole);
    // Another first part is another training.
    twice.optimization.rate = 2e-2;
    let beginnings: Vec<_> = twice.beginnings().map(|one| one.digest().unwrap()).collect();
    let of = Origin { recipe: twice.digest().unwrap(), ..origin(b"d") };
    let error = Checkpoint::read(&bytes, &twice.architecture, &of, &beginnings).unwrap_err();
    assert!(matches!(error, CheckpointError::Foreign { what: "recipe", .. }), "{error}");
}

#[test]
fn damaged_and_foreign_checkpoints_are_refused() {
    let recipe = recipe();
    let checkpoint = Checkpoint {
        of: origin(b"d"),
        state: State::new(parameters::initialize(&recipe.architecture, 1)),
        record: Default::default(),
    };
    let bytes = checkpoint.to_bytes().unwrap();
    let read = |bytes: &[u8]| Checkpoint::read(bytes, &recipe.architecture, &checkpoint.of, &[]);
    assert_eq!(read(&bytes).unwrap(), checkpoint);
    for place in (0..bytes.len()).step_by(bytes.len() / 97) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        assert!(read(&damaged).is_err(), "{place}");
        assert!(read(&bytes[..place]).is_err(), "{place}");
    }
    let of = origin(b"e");
    let error = Checkpoint::read(&bytes, &recipe.architecture, &of, &[]).unwrap_err();
    assert!(matches!(error, CheckpointError::Foreign { what: "dataset", .. }), "{error}");
}
