//! Run: a whole training, from the first step or from a checkpoint to the last.
//!
//! Takes samples, a recipe and a folder; writes the checkpoint and the best weights there. It goes
//! on as long as it is let: what stops it is asked between steps, and what was reached stands in
//! the checkpoint.

use super::batch::Batches;
use super::checkpoint::{Checkpoint, CheckpointError, Origin};
use super::learner::{LearnError, Learner, Losses};
use super::optimizer::State;
use super::parameters::Parameter;
use super::record::{LossRow, Record, Spent, Validation};
use cellgate_core::digest::Digest;
use cellgate_core::unet::weights::{Precision, Weights, WeightsError};
use cellgate_run::write::{WriteError, replace_synced};
use std::path::{Path, PathBuf};

/// The checkpoint's file.
pub const CHECKPOINT_FILE: &str = "checkpoint.safetensors";

/// The best weights' file, in single precision.
pub const BEST_FILE: &str = "best.safetensors";

/// Steps between checkpoints.
const CHECKPOINT_STEPS: u64 = 100;

/// A training ended otherwise than it should.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A step could not be made.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// The checkpoint could not be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Weights could not be written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The loss is not a number.
    #[error("the loss is no longer finite at step {0}; lower the rate or lengthen the warm-up")]
    Diverged(u64),
}

/// Observer of a training, which may also stop it.
pub trait Watch {
    /// Whether another step may be made.
    fn should_continue(&mut self) -> bool;
    /// A step was made.
    fn on_step(&mut self, step: u64, losses: &Losses, row: Option<&LossRow>);
    /// Weights were validated, and are the best so far or not.
    fn on_validation(&mut self, validation: &Validation, is_best: bool);
    /// Time that was spent since the training began or went on.
    fn elapsed(&self) -> Spent;
}

/// How a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All steps were made.
    Complete,
    /// It did not get better for as long as the recipe has patience.
    NoBetter,
    /// It was stopped; it can go on from its checkpoint.
    Stopped,
}

/// Judges the weights of a step.
pub type Validate<'a> = &'a dyn Fn(u64, &Weights) -> Validation;

/// A training: what it learns from, by what it is judged, where it writes.
pub struct Training<'a> {
    /// Makes the steps.
    pub learner: &'a Learner,
    /// Batches to learn from.
    pub batches: &'a Batches,
    /// Judges weights, by what is not learned from.
    pub validate: Validate<'a>,
    /// Digests of everything that the training depends on.
    pub of: Origin,
    /// Folder that is written to.
    pub folder: &'a Path,
}

impl Training<'_> {
    /// A training that has made no step.
    #[must_use]
    pub fn start(&self, parameters: Vec<Parameter>) -> Checkpoint {
        Checkpoint { of: self.of, state: State::new(parameters), record: Record::default() }
    }

    /// Makes the steps that are left.
    ///
    /// # Errors
    /// [`TrainError`].
    pub fn run(
        &self,
        checkpoint: &mut Checkpoint,
        watch: &mut dyn Watch,
    ) -> Result<Ended, TrainError> {
        let recipe = &self.learner.recipe().optimization;
        let before = checkpoint.record.spent;
        let mut next = self.batches.batch(checkpoint.state.step);
        while checkpoint.state.step < recipe.steps {
            let (past, _) = recipe.restarts_around(checkpoint.state.step);
            let since = past.last().map_or(0, |restart| restart.step);
            if checkpoint.record.n_since_best(since) >= recipe.patience {
                return Ok(Ended::NoBetter);
            }
            if !watch.should_continue() {
                checkpoint.record.spent = before.plus(watch.elapsed());
                self.write_checkpoint(checkpoint)?;
                return Ok(Ended::Stopped);
            }
            let Checkpoint { state, record, .. } = &mut *checkpoint;
            let step = state.step;
            let (losses, prepared) =
                rayon::join(|| self.learner.step(state, next), || self.batches.batch(step + 1));
            next = prepared;
            let (losses, step) = (losses?, step + 1);
            if !losses.total.is_finite() {
                return Err(TrainError::Diverged(step));
            }
            watch.on_step(step, &losses, record.add(step, &losses).as_ref());
            // The end of a fall is always validated: the training may have ended there once.
            let mut ends = recipe.restarts.iter().map(|restart| restart.step).chain([recipe.steps]);
            let is_due = step.is_multiple_of(recipe.validate_every) || ends.any(|end| end == step);
            if is_due {
                self.validate(checkpoint, watch)?;
            }
            if is_due || step.is_multiple_of(CHECKPOINT_STEPS) {
                checkpoint.record.spent = before.plus(watch.elapsed());
                self.write_checkpoint(checkpoint)?;
            }
        }
        Ok(Ended::Complete)
    }

    fn validate(
        &self,
        checkpoint: &mut Checkpoint,
        watch: &mut dyn Watch,
    ) -> Result<(), TrainError> {
        let weights = self.learner.weights(&checkpoint.state, self.batches)?;
        let validation = (self.validate)(checkpoint.state.step, &weights);
        let bytes = weights.to_bytes(Precision::Single)?;
        let is_best =
            checkpoint.record.add_validation(validation.clone(), Digest::of_bytes(&bytes));
        if is_best {
            replace_synced(&self.folder.join(BEST_FILE), &bytes)?;
        }
        watch.on_validation(&validation, is_best);
        Ok(())
    }

    fn write_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        replace_synced(&self.path(), &checkpoint.to_bytes()?)?;
        Ok(())
    }

    /// Where the checkpoint lies.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join(CHECKPOINT_FILE)
    }
}
