//! Card: the description of a model that accompanies its weights.
//!
//! A JSON file with the origin of the weights, their training data, their accuracy and their
//! limits. It is bound to the weights by their sha256. Takes and gives bytes; a card that
//! contradicts the weights is refused.

mod agree;
mod bounds;
#[cfg(test)]
mod tests;

use super::architecture::{Architecture, Output};
use super::decode::Decoding;
use super::input::InputScaling;
use super::weights::{Precision, WeightsError};
use crate::digest::Digest;
use crate::preparation::Steps;
use crate::profile::{Channel, Modality, Separation};
use serde::{Deserialize, Serialize};

/// The format that is written and read.
pub const SCHEMA: &str = "cellgate/model-card/v1";

/// Largest card.
pub const MAX_CARD_BYTES: usize = 1 << 20;

/// A model card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// [`SCHEMA`].
    pub schema: String,
    /// The model's name, as profiles name it.
    pub name: String,
    /// Objects that the model finds, in one or two sentences.
    pub description: String,
    /// Intended use of the model.
    pub intended_use: String,
    /// Uses that the model is not for, and known failures.
    pub limits: String,
    /// License of the weights, an SPDX expression.
    pub license: String,
    /// Where the weights can be fetched, when they are published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The file of the weights.
    pub weights: WeightsFile,
    /// The form of the network.
    pub architecture: Architecture,
    /// Input of the network.
    pub input: Input,
    /// Meaning of the network's answer, channel by channel.
    pub outputs: Vec<OutputMeaning>,
    /// How the answer is best turned into nuclei, as found on the validation images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoding: Option<CardDecoding>,
    /// Datasets and course of the training; absent for weights of unknown training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
    /// How well it does.
    pub figures: Figures,
}

/// The file that a card is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsFile {
    /// The file's name, in the card's folder.
    pub file: String,
    /// Its digest: the weights' identity.
    pub sha256: Digest,
    /// Its size.
    pub bytes: u64,
    /// How exactly the numbers are written.
    pub precision: Precision,
}

/// Input of a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The channels for each modality that the network was trained on; nuclei are bright in them.
    pub channels: Vec<ModalityChannels>,
    /// How their values are scaled.
    pub scaling: InputScaling,
    /// Preparation of images before they are scaled.
    pub preparation: Steps,
}

/// The channels of one modality.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModalityChannels {
    /// The modality.
    pub modality: Modality,
    /// Its channels, in the order of the network's inputs.
    pub channels: Vec<Channel>,
}

/// Meaning of one channel of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputMeaning {
    /// Its name.
    pub name: String,
    /// Its meaning, with its range.
    pub meaning: String,
}

/// How an answer is best turned into nuclei.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardDecoding {
    /// Part of the answer that separates touching nuclei.
    pub separation: Separation,
    /// Least probability of foreground.
    pub nucleus_threshold: f64,
    /// Least rise of a center above the saddle to its neighbor, as a probability.
    pub h: f64,
}

impl From<Decoding> for CardDecoding {
    fn from(decoding: Decoding) -> Self {
        let Decoding { separation, nucleus_threshold, h, .. } = decoding;
        Self { separation, nucleus_threshold, h }
    }
}

/// How a network was trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// The datasets.
    pub datasets: Vec<TrainingDataset>,
    /// Images that were trained on.
    pub n_images: u64,
    /// Nuclei in them.
    pub n_nuclei: u64,
    /// How images were kept apart for validation and test.
    pub split: TrainingSplit,
    /// Every number that steered the training.
    pub recipe: serde_json::Map<String, serde_json::Value>,
    /// Where all random numbers came from.
    pub seed: u64,
    /// Steps of the optimizer.
    pub steps: u64,
    /// Version of cellgate.
    pub cellgate: String,
    /// Time that passed.
    pub wall_s: f64,
    /// Time that processors computed.
    pub cpu_s: f64,
    /// Threads.
    pub n_threads: u32,
}

/// A dataset that a network was trained on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingDataset {
    /// Its name.
    pub name: String,
    /// Digest of its manifest, which names the digest of every image.
    pub manifest_sha256: Digest,
    /// Licenses of its images, SPDX expressions.
    pub licenses: Vec<String>,
    /// Sources to cite when the model is used.
    pub sources: Vec<String>,
}

/// How images were kept apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSplit {
    /// The rule, in words.
    pub rule: String,
    /// Groups and images that were trained on.
    pub training: SplitCounts,
    /// Groups and images that chose among steps and settings.
    pub validation: SplitCounts,
    /// Groups and images that chose nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<SplitCounts>,
}

/// Size of one part of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitCounts {
    /// Groups: specimens, slides, or whatever must not be divided.
    pub n_groups: u64,
    /// Images.
    pub n_images: u64,
}

/// How well a network does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// On images that chose among steps and settings.
    pub validation: Vec<Accuracy>,
    /// On images that chose nothing.
    pub test: Vec<Accuracy>,
}

/// Mean accuracy over the images of one type, each between 0 and 1; definitions as in
/// `cellgate evaluate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// The type of image.
    pub image_type: String,
    /// Images.
    pub n_images: u64,
    /// Nuclei in their truth.
    pub n_nuclei: u64,
    /// F1 at an overlap of 0.5.
    pub f1_at_50: f64,
    /// Mean average precision over overlaps from 0.5 to 0.95.
    pub mean_ap: f64,
    /// Aggregated Jaccard index.
    pub aji: f64,
    /// Panoptic quality.
    pub pq: f64,
    /// Dice of the foreground.
    pub dice: f64,
}

/// A card cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CardError {
    /// It is too large to be looked at.
    #[error("the card has {bytes} bytes; cards have at most {MAX_CARD_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It is not a card, or one of another version.
    #[error("the card cannot be read: {reason}")]
    Unreadable {
        /// Error of the reader.
        reason: String,
    },
    /// It has values that cannot be right.
    #[error("the card cannot be right: {}", .0.join("; "))]
    Impossible(Vec<String>),
    /// It says something else than the weights.
    #[error(
        "card and weights do not belong together: {}; bring the pair that was published together",
        .0.join("; ")
    )]
    Disagrees(Vec<String>),
    /// The weights cannot be used.
    #[error("weights of the card: {0}")]
    Weights(#[from] WeightsError),
}

impl Card {
    /// Reads a card.
    ///
    /// # Errors
    /// [`CardError`] when it is too large, has an unknown or no key, is of another version, or says
    /// what cannot be: all at once.
    pub fn read(bytes: &[u8]) -> Result<Self, CardError> {
        if MAX_CARD_BYTES < bytes.len() {
            return Err(CardError::TooLarge { bytes: bytes.len() });
        }
        let unreadable =
            |error: serde_json::Error| CardError::Unreadable { reason: error.to_string() };
        let card: Self = serde_json::from_slice(bytes).map_err(unreadable)?;
        let problems = bounds::problems(&card);
        if problems.is_empty() { Ok(card) } else { Err(CardError::Impossible(problems)) }
    }

    /// The file, for people and programs.
    ///
    /// # Errors
    /// [`CardError`] for a card that [`Self::read`] would refuse.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CardError> {
        let problems = bounds::problems(self);
        if !problems.is_empty() {
            return Err(CardError::Impossible(problems));
        }
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| CardError::Unreadable { reason: error.to_string() })?;
        Ok((text + "\n").into_bytes())
    }

    /// The channels that a modality's images give the network.
    #[must_use]
    pub fn channels(&self, modality: Modality) -> Option<&[Channel]> {
        let of_modality = self.input.channels.iter().find(|known| known.modality == modality);
        of_modality.map(|known| known.channels.as_slice())
    }
}

impl OutputMeaning {
    /// Meanings of the channels that every network of this format gives.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let meaning = |output: Output| Self {
            name: output.as_str().to_owned(),
            meaning: output.meaning().to_owned(),
        };
        Output::ALL.map(meaning).to_vec()
    }
}
