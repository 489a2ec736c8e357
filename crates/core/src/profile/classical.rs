//! Classical: how the classical path finds nuclei, as a profile says it.

use super::image::Channel;
use super::morphology::Suppression;
use super::words::{BackgroundWord, SplitWord, ThresholdWord};
use crate::units::Length;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the classical path finds nuclei.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Classical {
    /// Channel that nuclei are detected on; they are bright in it.
    pub channel: Channel,
    /// Removal of uneven background.
    pub background: Background,
    /// Noise removal before the threshold.
    pub smoothing: Smoothing,
    /// Threshold above which pixels are foreground.
    pub threshold: Threshold,
    /// Separation of touching nuclei.
    pub split: Split,
}

/// Removal of uneven background from the detection channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Background {
    /// Leaves the channel as it is.
    None,
    /// Subtracts the opening by a disk: max over disks of the min inside.
    Opening {
        /// Radius of the disk; larger than any nucleus's.
        radius: Length,
    },
    /// Subtracts the reconstruction by dilation of the erosion by a disk.
    Reconstruction {
        /// Radius of the disk; larger than any nucleus's.
        radius: Length,
    },
}

impl Background {
    /// The word of the key `background.method`.
    #[must_use]
    pub fn word(self) -> BackgroundWord {
        match self {
            Self::None => BackgroundWord::None,
            Self::Opening { .. } => BackgroundWord::Opening,
            Self::Reconstruction { .. } => BackgroundWord::Reconstruction,
        }
    }

    /// Radius of the disk; `None` where the channel is left as it is.
    #[must_use]
    pub fn radius(self) -> Option<Length> {
        match self {
            Self::None => None,
            Self::Opening { radius } | Self::Reconstruction { radius } => Some(radius),
        }
    }
}

/// Noise removal before the threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Smoothing {
    /// Radius of the disk whose median replaces each pixel; 0 leaves it out.
    pub median_radius: Length,
    /// Standard deviation of the Gaussian; 0 leaves it out.
    pub sigma: Length,
}

/// Threshold above which pixels are foreground.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// How the threshold is found.
    pub method: ThresholdMethod,
    /// Factor that the found threshold is multiplied with.
    pub correction_factor: f64,
    /// Lowest and highest threshold, in the channel's unit.
    pub bounds: [f64; 2],
    /// Whether the threshold is sought among logarithms of the values.
    pub log_transform: bool,
}

/// How a threshold is found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ThresholdMethod {
    /// A fixed value, in the channel's unit.
    Manual {
        /// The value.
        value: f64,
    },
    /// Otsu 1979: maximizes the variance between two classes.
    Otsu,
    /// Otsu with three classes.
    Otsu3 {
        /// Where the class in the middle belongs.
        middle_class: MiddleClass,
    },
    /// Li and Lee 1993, by Li and Tam 1998: minimizes cross-entropy.
    Li,
    /// Zack 1977: farthest from the line between the histogram's peak and its tail.
    Triangle,
    /// Mean of a square window around each pixel.
    LocalMean {
        /// Edge of the window.
        window: Length,
        /// Lowest local threshold, as a fraction of the image's Otsu threshold.
        global_fraction: f64,
    },
    /// Sauvola 2000: mean of the window, lowered where its contrast is low.
    Sauvola {
        /// Edge of the window.
        window: Length,
        /// Weight of the contrast.
        k: f64,
        /// Lowest local threshold, as a fraction of the image's Otsu threshold.
        global_fraction: f64,
    },
}

impl ThresholdMethod {
    /// The word of the key `threshold.method`.
    #[must_use]
    pub fn word(self) -> ThresholdWord {
        match self {
            Self::Manual { .. } => ThresholdWord::Manual,
            Self::Otsu => ThresholdWord::Otsu,
            Self::Otsu3 { .. } => ThresholdWord::Otsu3,
            Self::Li => ThresholdWord::Li,
            Self::Triangle => ThresholdWord::Triangle,
            Self::LocalMean { .. } => ThresholdWord::LocalMean,
            Self::Sauvola { .. } => ThresholdWord::Sauvola,
        }
    }

    /// Edge of the window around each pixel; `None` for one threshold for the whole image.
    #[must_use]
    pub fn window(self) -> Option<Length> {
        match self {
            Self::LocalMean { window, .. } | Self::Sauvola { window, .. } => Some(window),
            Self::Manual { .. } | Self::Otsu | Self::Otsu3 { .. } | Self::Li | Self::Triangle => {
                None
            }
        }
    }
}

/// Where the middle class of three belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MiddleClass {
    /// With the nuclei: the lower of the two thresholds counts.
    Foreground,
    /// With the background: the upper of the two thresholds counts.
    Background,
}

/// Separation of touching nuclei.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// Quantity that the separation follows.
    pub method: SplitMethod,
    /// How close two centers of nuclei may be.
    pub suppression: Suppression,
    /// How much a center must rise above the saddle to its neighbor: in pixels of the working
    /// resolution for `shape`, in the channel's unit for `intensity` and `log`.
    pub h: f64,
}

/// Quantity that the separation of touching nuclei follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SplitMethod {
    /// One nucleus for each connected region.
    None,
    /// Distance to the background: necks divide.
    Shape,
    /// The smoothed channel: dark valleys divide.
    Intensity,
    /// The negative Laplacian of a Gaussian: blobs of its scale.
    Log {
        /// Standard deviation of the Gaussian.
        sigma: Length,
    },
}

impl SplitMethod {
    /// The word of the key `split.method`.
    #[must_use]
    pub fn word(self) -> SplitWord {
        match self {
            Self::None => SplitWord::None,
            Self::Shape => SplitWord::Shape,
            Self::Intensity => SplitWord::Intensity,
            Self::Log { .. } => SplitWord::Log,
        }
    }

    /// Standard deviation of the Gaussian; `None` where no Laplacian is followed.
    #[must_use]
    pub fn log_sigma(self) -> Option<Length> {
        match self {
            Self::Log { sigma } => Some(sigma),
            Self::None | Self::Shape | Self::Intensity => None,
        }
    }
}
