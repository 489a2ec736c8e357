//! Search: the settings of the decoder that find nuclei best.

use super::{Decoder, Judged, Validation, judge, map_answers};
use crate::sample::Sample;
use cellgate_core::profile::Separation;
use cellgate_core::unet::decode::Decoding;
use cellgate_core::unet::feature_map::FeatureMap;
use cellgate_core::unet::plan::Network;
use rayon::prelude::*;

/// The settings that are tried, each with each.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Ways to separate touching nuclei.
    pub separations: Vec<Separation>,
    /// Least probabilities of foreground.
    pub nucleus_thresholds: Vec<f64>,
    /// Least rises of a center above the saddle to its neighbor.
    pub hs: Vec<f64>,
}

impl Default for Grid {
    fn default() -> Self {
        Self {
            separations: vec![Separation::Boundary, Separation::Distance],
            nucleus_thresholds: vec![0.4, 0.5, 0.6],
            hs: vec![0.05, 0.1, 0.2, 0.3, 0.4, 0.5],
        }
    }
}

impl Grid {
    /// All combinations; what they do not name is as in `start`.
    #[must_use]
    pub fn decodings(&self, start: Decoding) -> Vec<Decoding> {
        let mut decodings = Vec::new();
        for &separation in &self.separations {
            for &nucleus_threshold in &self.nucleus_thresholds {
                for &h in &self.hs {
                    decodings.push(Decoding { separation, nucleus_threshold, h, ..start });
                }
            }
        }
        decodings
    }
}

/// Settings that were tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The settings.
    pub decoding: Decoding,
    /// Validation with these settings.
    pub validation: Validation,
    /// See [`Validation::score`].
    pub score: f64,
}

/// The settings that score best.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The decoder with these settings.
    pub decoder: Decoder,
    /// Validation with this decoder.
    pub validation: Validation,
    /// All settings that were tried, the best first.
    pub trials: Vec<Trial>,
}

/// Tries settings on samples, and chooses those of the best [`Validation::score`].
///
/// The network answers once for each sample. `on_progress` is called after each sample with how
/// many are done. Of settings that score alike the first of the grid is chosen.
///
/// # Edge cases
/// `None` without samples or settings.
///
/// # Panics
/// As of [`Decoder::predict`].
#[must_use]
pub fn choose_decoder(
    network: &Network,
    samples: &[Sample],
    start: &Decoder,
    grid: &Grid,
    on_progress: &mut dyn FnMut(usize),
) -> Option<Choice> {
    let decodings = grid.decodings(start.decoding);
    let of_sample = |sample: &Sample, answer: &FeatureMap| -> Vec<Judged> {
        let judge_decoding =
            |&decoding: &Decoding| judge(sample, &Decoder { decoding, ..*start }.labels(answer));
        decodings.par_iter().map(judge_decoding).collect()
    };
    let mut trials: Vec<Trial> = decodings
        .iter()
        .map(|&decoding| Trial { decoding, validation: Validation::default(), score: 0.0 })
        .collect();
    for fields in map_answers(network, samples, start, of_sample, on_progress) {
        for (trial, field) in trials.iter_mut().zip(fields) {
            trial.validation.fields.push(field);
        }
    }
    for trial in &mut trials {
        trial.score = trial.validation.score()?;
    }
    // The sort is stable: of equals the first stays first.
    trials.sort_by(|one, other| other.score.total_cmp(&one.score));
    let best = trials.first()?;
    let decoder = Decoder { decoding: best.decoding, ..*start };
    Some(Choice { decoder, validation: best.validation.clone(), trials })
}
