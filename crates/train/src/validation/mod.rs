//! Validation: how well a network finds nuclei in fields that it did not learn from.
//!
//! Takes a network, samples and how answers become nuclei; gives the scores of `accuracy` for each
//! field, their means by type of image, the settings that score best, a report and pictures. Whether
//! a score is good enough is not said here.

pub mod picture;
pub mod report;
pub mod search;
#[cfg(test)]
mod tests;

use super::sample::Sample;
use cellgate_core::accuracy::{FieldAccuracy, Scores, mean, score_field};
use cellgate_core::nuclei::cleaning::Cleaning;
use cellgate_core::nuclei::flood::AUTO_MIN_PEAK_DISTANCE;
use cellgate_core::nuclei::resample::Resampling;
use cellgate_core::profile::Separation;
use cellgate_core::raster::Labels;
use cellgate_core::unet::card::Accuracy;
use cellgate_core::unet::decode::Decoding;
use cellgate_core::unet::feature_map::FeatureMap;
use cellgate_core::unet::plan::Network;
use cellgate_core::unet::tiles;
use std::collections::BTreeMap;

/// The name of the row for all fields.
pub const ALL: &str = "all";

/// How a network's answers become nuclei, in pixels of the image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decoder {
    /// Where nuclei are, and what separates them.
    pub decoding: Decoding,
    /// Which of them are kept.
    pub cleaning: Cleaning,
    /// Edge of the tiles that large images are predicted in.
    pub tile_px: usize,
    /// Whether the answers for the image and its mirror images are averaged.
    pub is_mirrored: bool,
}

impl Default for Decoder {
    /// Defaults of a profile; sizes fit images of any resolution that a network is trained on, as
    /// these have no common pixel size.
    fn default() -> Self {
        Self {
            decoding: Decoding {
                separation: Separation::Distance,
                nucleus_threshold: 0.5,
                h: 0.3,
                min_peak_distance: AUTO_MIN_PEAK_DISTANCE,
            },
            cleaning: Cleaning {
                open_radius_px: 0.0,
                close_radius_px: 0.0,
                fill_holes_max_px2: 100.0,
                min_area_px2: 15.0,
                max_area_px2: f64::INFINITY,
                exclude_border: false,
            },
            tile_px: 1024,
            is_mirrored: false,
        }
    }
}

impl Decoder {
    /// The network's answer for a sample.
    ///
    /// # Shapes
    /// One map of the sample's size.
    ///
    /// # Panics
    /// When the sample keeps several channels, and not as many as the network has inputs.
    #[must_use]
    pub fn predict(&self, network: &Network, sample: &Sample) -> FeatureMap {
        let input = sample.to_input(network.architecture().in_channels as usize);
        tiles::predict(network, &input, self.tile_px, self.is_mirrored)
    }

    /// The nuclei of an answer, numbered from 1.
    #[must_use]
    pub fn labels(&self, answer: &FeatureMap) -> Labels {
        let (width, height) = (answer.shape.width as u32, answer.shape.height as u32);
        let nuclei = self.decoding.nuclei(answer, &self.cleaning);
        Resampling::between(None, None).paint(&nuclei, width, height)
    }
}

/// How well a network does on one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The field.
    pub name: String,
    /// Type of the image.
    pub image_type: String,
    /// Its scores.
    pub accuracy: FieldAccuracy,
}

/// How well a network does on each field, in the order of the samples.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Validation {
    /// The fields.
    pub fields: Vec<Judged>,
}

/// Judges a network by samples.
///
/// # Edge cases
/// No samples give no fields.
///
/// # Panics
/// As of [`Decoder::predict`].
#[must_use]
pub fn validate(network: &Network, samples: &[Sample], decoder: &Decoder) -> Validation {
    let judge_sample =
        |sample: &Sample, answer: &FeatureMap| judge(sample, &decoder.labels(answer));
    Validation { fields: map_answers(network, samples, decoder, judge_sample, &mut |_| ()) }
}

impl Validation {
    /// Means over the fields of each type, by name of the type.
    #[must_use]
    pub fn by_type(&self) -> Vec<Accuracy> {
        let mut types: BTreeMap<&str, Vec<&Judged>> = BTreeMap::new();
        for field in &self.fields {
            types.entry(&field.image_type).or_default().push(field);
        }
        types.into_iter().filter_map(|(name, fields)| mean_accuracy(name, &fields)).collect()
    }

    /// Means over all fields, each with the same weight; `None` without a field.
    #[must_use]
    pub fn overall(&self) -> Option<Accuracy> {
        mean_accuracy(ALL, &self.fields.iter().collect::<Vec<_>>())
    }

    /// Score that weights and settings are chosen by: the mean over types of the mean average
    /// precision.
    ///
    /// Each type counts alike, so that a common type does not drown a rare one. `None` without a
    /// field.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        let types = self.by_type();
        let sum: f64 = types.iter().map(|figures| figures.mean_ap).sum();
        (!types.is_empty()).then(|| sum / types.len() as f64)
    }

    /// The fields, that with the least mean average precision first.
    #[must_use]
    pub fn worst(&self) -> Vec<&Judged> {
        let mut fields: Vec<&Judged> = self.fields.iter().collect();
        fields.sort_by(|one, other| one.accuracy.scores.map.total_cmp(&other.accuracy.scores.map));
        fields
    }
}

fn mean_accuracy(name: &str, fields: &[&Judged]) -> Option<Accuracy> {
    let scores = mean(fields.iter().map(|field| &field.accuracy.scores))?;
    let Scores { f1_at_50, map, aji, pq, dice, .. } = scores;
    Some(Accuracy {
        image_type: name.to_owned(),
        n_images: fields.len() as u64,
        n_nuclei: fields.iter().map(|field| field.accuracy.n_truth).sum(),
        f1_at_50,
        mean_ap: map,
        aji,
        pq,
        dice,
    })
}

/// Scores labels that were found in a sample.
fn judge(sample: &Sample, found: &Labels) -> Judged {
    let accuracy = score_field(&sample.truth(), found).expect("labels have the sample's size");
    Judged { name: sample.name.clone(), image_type: sample.image_type.clone(), accuracy }
}

/// Makes something of the answer to each sample, in their order.
///
/// Two answers are held at a time: one is predicted while the one before is used.
fn map_answers<T: Send>(
    network: &Network,
    samples: &[Sample],
    decoder: &Decoder,
    make: impl Fn(&Sample, &FeatureMap) -> T + Sync,
    on_progress: &mut dyn FnMut(usize),
) -> Vec<T> {
    let mut results = Vec::with_capacity(samples.len());
    let mut before: Option<(&Sample, FeatureMap)> = None;
    for next in samples.iter().map(Some).chain([None]) {
        let (of_before, answer) = rayon::join(
            || before.as_ref().map(|(sample, answer)| make(sample, answer)),
            || next.map(|sample| (sample, decoder.predict(network, sample))),
        );
        before = answer;
        if let Some(of_before) = of_before {
            results.push(of_before);
            on_progress(results.len());
        }
    }
    results
}
