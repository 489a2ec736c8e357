//! Record: what happened in a training, step by step.

use super::learner::Losses;
use super::loss::PARTS;
use crate::digest::Digest;
use serde::{Deserialize, Serialize};

/// Steps that one row of the losses stands for.
pub const ROW_STEPS: u64 = 20;

/// What happened so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Mean losses, row by row.
    pub losses: Vec<LossRow>,
    /// Validations.
    pub validations: Vec<Validation>,
    /// The best of them.
    pub best: Option<Best>,
    /// Sums of the steps that have no row yet.
    open: Sums,
}

/// Mean losses over some steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossRow {
    /// The last of the steps, from 1.
    pub step: u64,
    /// Learning rate of the last of the steps.
    pub rate: f64,
    /// The parts, in the order of [`super::loss::Part`].
    pub parts: [f64; PARTS],
    /// Their weighted sum.
    pub total: f64,
    /// Norm of the gradient before it was clipped.
    pub gradient_norm: f64,
}

/// How well the weights of a step do on fields that no step sees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// The step, from 1.
    pub step: u64,
    /// The more the better.
    pub score: f64,
}

/// The best weights so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// The validation that found them.
    pub validation: Validation,
    /// Digest of their file.
    pub weights: Digest,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Sums {
    n: u64,
    parts: [f64; PARTS],
    total: f64,
    gradient_norm: f64,
}

impl Record {
    /// Takes what a step lost; gives the row that it completes.
    pub fn add(&mut self, step: u64, losses: &Losses) -> Option<LossRow> {
        let sums = &mut self.open;
        sums.n += 1;
        sums.parts.iter_mut().zip(losses.parts).for_each(|(sum, part)| *sum += f64::from(part));
        sums.total += f64::from(losses.total);
        // JSON has no infinity, and a gradient of this norm changed nothing.
        sums.gradient_norm += losses.gradient_norm.min(f64::MAX / ROW_STEPS as f64);
        if sums.n < ROW_STEPS {
            return None;
        }
        let n = sums.n as f64;
        let row = LossRow {
            step,
            rate: losses.rate,
            parts: sums.parts.map(|sum| sum / n),
            total: sums.total / n,
            gradient_norm: sums.gradient_norm / n,
        };
        self.open = Sums::default();
        self.losses.push(row);
        Some(row)
    }

    /// Takes a validation and the digest of the validated weights; says whether they are the best.
    pub fn validated(&mut self, validation: Validation, weights: Digest) -> bool {
        self.validations.push(validation);
        let is_best = self.best.is_none_or(|best| validation.score > best.validation.score);
        if is_best {
            self.best = Some(Best { validation, weights });
        }
        is_best
    }

    /// How many validations came after the best.
    #[must_use]
    pub fn n_since_best(&self) -> u32 {
        let best = self.best.map_or(0, |best| best.validation.step);
        let later = self.validations.iter().filter(|validation| validation.step > best);
        later.count() as u32
    }
}
