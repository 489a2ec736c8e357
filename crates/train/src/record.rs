//! Record: losses and validations of a training, step by step.

use super::learner::Losses;
use super::loss::{PARTS, Part};
use cellgate_core::digest::Digest;
use cellgate_gate::report::curves::{Curves, Series};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Steps that one row of the losses stands for.
pub const ROW_STEPS: u64 = 20;

/// Course of a training so far.
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
    /// Time that was spent, over all parts of an interrupted training.
    #[serde(default, skip_serializing_if = "Spent::is_nothing")]
    pub spent: Spent,
}

/// Time that a training took.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// Time that passed, in seconds.
    pub wall_s: f64,
    /// Time that processors computed, in seconds.
    pub cpu_s: f64,
}

impl Spent {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { wall_s: self.wall_s + other.wall_s, cpu_s: self.cpu_s + other.cpu_s }
    }
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// The step, from 1.
    pub step: u64,
    /// Score that weights are chosen by: the higher, the better; 0 where there is nothing to
    /// validate on.
    pub score: f64,
    /// Mean loss on crops of these fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out_loss: Option<f64>,
    /// Mean average precision by type of image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mean_ap: BTreeMap<String, f64>,
}

/// The best weights so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Of equals the later are better: they learned for longer.
    pub fn add_validation(&mut self, validation: Validation, weights: Digest) -> bool {
        let best = self.best.as_ref().map(|best| best.validation.score);
        let is_best = best.is_none_or(|best| best <= validation.score);
        self.validations.push(validation.clone());
        if is_best {
            self.best = Some(Best { validation, weights });
        }
        is_best
    }

    /// How many validations came after the best of those later than a step.
    #[must_use]
    pub fn n_since_best(&self, later_than: u64) -> u32 {
        let first = self.validations.partition_point(|one| one.step <= later_than);
        let mut best = f64::NEG_INFINITY;
        self.validations[first..].iter().fold(0, |n_since, validation| {
            let is_best = best <= validation.score;
            best = best.max(validation.score);
            if is_best { 0 } else { n_since + 1 }
        })
    }

    /// How losses fell and scores rose.
    #[must_use]
    pub fn curves(&self) -> Curves {
        let of_rows = |name: &str, value: &dyn Fn(&LossRow) -> f64| Series {
            name: name.to_owned(),
            points: self.losses.iter().map(|row| (row.step, value(row))).collect(),
        };
        let of_validations = |name: String, value: &dyn Fn(&Validation) -> Option<f64>| Series {
            name,
            points: (self.validations.iter())
                .filter_map(|validation| Some((validation.step, value(validation)?)))
                .collect(),
        };
        let part = |name: &str, part: Part| of_rows(name, &|row| row.parts[part as usize]);
        let types: BTreeSet<&String> =
            self.validations.iter().flat_map(|validation| validation.mean_ap.keys()).collect();
        let score = of_validations("score".to_owned(), &|validation| Some(validation.score));
        let of_type = |name: &&String| {
            of_validations(format!("mean AP of {name}"), &|one| one.mean_ap.get(*name).copied())
        };
        Curves {
            losses: vec![
                of_rows("total", &|row| row.total),
                part("nucleus", Part::Nucleus),
                part("dice", Part::Dice),
                part("boundary", Part::Boundary),
                part("distance", Part::Distance),
                of_validations("held out".to_owned(), &|validation| validation.held_out_loss),
            ],
            scores: std::iter::once(score).chain(types.iter().map(of_type)).collect(),
            others: vec![
                of_rows("rate", &|row| row.rate),
                of_rows("gradient norm", &|row| row.gradient_norm),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_begins_anew_after_a_restart() {
        let mut record = Record::default();
        for (step, score) in [(1, 0.5), (2, 0.7), (3, 0.4), (4, 0.6), (5, 0.5)] {
            let validation =
                Validation { step, score, held_out_loss: None, mean_ap: BTreeMap::new() };
            record.add_validation(validation, Digest::of_bytes(b""));
        }
        assert_eq!([0, 1, 2, 3, 4, 5].map(|step| record.n_since_best(step)), [3, 3, 1, 1, 0, 0]);
        assert_eq!(Record::default().n_since_best(0), 0);
    }
}
