//! Unet: how a trained network finds nuclei, as a profile says it.

use super::image::Channel;
use super::morphology::Suppression;
use crate::digest::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a network finds nuclei: which one, what it is given, and how its answer becomes nuclei.
#[derive(Debug, Clone, PartialEq)]
pub struct Unet {
    /// The model's name: its files are `NAME.safetensors` and `NAME.card.json` in the folder of
    /// models. Changes no number.
    pub model: String,
    /// Digest of the weights' file; the weights' identity.
    pub weights: Digest,
    /// Input channels of the network, one to eight; nuclei are bright in all of them.
    pub channels: Vec<Channel>,
    /// How many times the resolution is halved, 1 to 5.
    pub depth: u32,
    /// Channels of the first level, a multiple of 8, 8 to 64.
    pub base_width: u32,
    /// Normalization after each 3x3 convolution.
    pub normalization: Normalization,
    /// How resolution comes back.
    pub up_sampling: UpSampling,
    /// Part of the network's answer that separates touching nuclei.
    pub separation: Separation,
    /// Pixels of at least this probability of lying in a nucleus are foreground, 0 to 1.
    pub nucleus_threshold: f64,
    /// How much a center must rise above the saddle to its neighbor, as a probability, 0 to 1.
    pub h: f64,
    /// How close two centers of nuclei may be.
    pub suppression: Suppression,
    /// Whether the answers for the image and its mirror images are averaged.
    pub mirror_averaging: bool,
    /// Edge of the tiles that large images are predicted in, overlap included, in pixels of the
    /// working resolution; a multiple of `1 << depth`.
    pub tile_px: u32,
}

/// Normalization after a 3x3 convolution, before ReLU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// Batch normalization.
    Batch,
    /// The convolution's own bias.
    None,
}

/// How resolution is doubled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpSampling {
    /// 2x2 transposed convolution with stride 2.
    Transposed,
    /// Each pixel four times, then a 1x1 convolution.
    Nearest,
}

/// Part of a network's answer that separates touching nuclei.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Separation {
    /// The probability of lying in a nucleus, lowered along rims: borders divide.
    Boundary,
    /// The distance to the nucleus's own border: necks divide.
    Distance,
}
