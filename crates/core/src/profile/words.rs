//! Words: the choices of a profile's file that say how the other keys of their section are read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How nuclei are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MethodWord {
    /// By the steps that the sections of this file describe.
    Classical,
    /// By a trained network.
    Unet,
}

/// How the background is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackgroundWord {
    /// The channel is left as it is.
    None,
    /// The opening by a disk is subtracted.
    Opening,
    /// The reconstruction by dilation of the erosion by a disk is subtracted.
    Reconstruction,
}

/// How the threshold is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdWord {
    /// The fixed `value`.
    Manual,
    /// Otsu 1979: two classes with the largest variance between them.
    Otsu,
    /// Otsu with three classes.
    Otsu3,
    /// Li and Lee 1993: minimum cross-entropy.
    Li,
    /// Zack 1977: farthest from the line between the histogram's peak and its tail.
    Triangle,
    /// Mean of a window around each pixel.
    LocalMean,
    /// Sauvola 2000: mean of the window, lowered where its contrast is low.
    Sauvola,
}

/// Quantity that the separation follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SplitWord {
    /// One nucleus for each connected region.
    None,
    /// Distance to the background: necks divide.
    Shape,
    /// The smoothed channel: dark valleys divide.
    Intensity,
    /// The negative Laplacian of a Gaussian: blobs of its scale.
    Log,
}

/// The word `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AutoWord {
    /// Found from the image.
    Auto,
}
