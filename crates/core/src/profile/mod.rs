//! The profile: cell parameters for one type of image, in the words of the field.

mod physical;
mod unet;

pub use unet::{Normalization, Separation, Unet, UpSampling};

use crate::units::{Area, Length, PixelSize};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Cell parameters for one type of image.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Name: the file's name without its ending.
    pub name: String,
    /// What the profile is for, in the author's words.
    pub description: Option<String>,
    /// What kind of image it is.
    pub image: ImageSpec,
    /// Stain vectors; present exactly for brightfield modalities.
    pub stains: Option<Stains>,
    /// How a trained network finds nuclei; absent when the classical path does.
    ///
    /// Where it is there, the channel of `detection`, `background`, `smoothing`, `threshold` and
    /// `split` do nothing and hold values that leave an image as it is.
    pub unet: Option<Unet>,
    /// What nuclei are detected on.
    pub detection: Detection,
    /// Removal of uneven background.
    pub background: Background,
    /// Noise removal before the threshold.
    pub smoothing: Smoothing,
    /// What counts as foreground.
    pub threshold: Threshold,
    /// Cleaning of the foreground and of the nuclei.
    pub morphology: Morphology,
    /// Separation of touching nuclei.
    pub split: Split,
    /// Positivity; absent when nuclei are not classified.
    pub classify: Option<Classify>,
    /// Groups of measurements to take, sorted and without repetition.
    pub measure: Vec<MeasureGroup>,
}

/// What kind of image a profile is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageSpec {
    /// How the image came about.
    pub modality: Modality,
    /// Pixel size to use when neither the caller, the dataset nor the image file knows one.
    pub pixel_size: Option<PixelSize>,
    /// Resolution to segment at; finer images are averaged down, coarser ones are left alone.
    pub working_pixel_size: Option<PixelSize>,
}

/// How an image came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Modality {
    /// Bright nuclei on a dark background.
    Fluorescence,
    /// Hematoxylin and eosin in transmitted light.
    He,
    /// Hematoxylin and diaminobenzidine in transmitted light.
    IhcHdab,
}

impl Modality {
    /// Whether light passes through the tissue, so that stains absorb it.
    #[must_use]
    pub fn is_brightfield(self) -> bool {
        !matches!(self, Self::Fluorescence)
    }
}

/// Stain vectors: the optical density that each stain gives to red, green and blue.
///
/// Vectors are kept as written and normalized where they are used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stains {
    /// Hematoxylin.
    pub hematoxylin: [f64; 3],
    /// Diaminobenzidine, for `ihc_hdab`.
    pub dab: Option<[f64; 3]>,
    /// Eosin, for `he`.
    pub eosin: Option<[f64; 3]>,
    /// Red, green and blue of clear glass, 1 to 255.
    pub background: [f64; 3],
}

/// What nuclei are detected on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detection {
    /// The channel; nuclei are bright in it.
    pub channel: Channel,
}

/// One number for each pixel, made from its color.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Brightness, 0 to 1: gray, or 0.2125 red + 0.7154 green + 0.0721 blue.
    Gray,
    /// Amount of hematoxylin, in optical density.
    HematoxylinOd,
    /// Amount of DAB, in optical density.
    DabOd,
    /// Amount of eosin, in optical density.
    EosinOd,
    /// Hematoxylin plus DAB (or eosin), negatives counted as 0, in optical density.
    StainSum,
    /// Optical density of red, green and blue together.
    OdSum,
    /// Optical density of red.
    OdRed,
    /// Optical density of green.
    OdGreen,
    /// Optical density of blue.
    OdBlue,
}

impl Channel {
    /// The channel as it stands in profiles and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gray => "gray",
            Self::HematoxylinOd => "hematoxylin_od",
            Self::DabOd => "dab_od",
            Self::EosinOd => "eosin_od",
            Self::StainSum => "stain_sum",
            Self::OdSum => "od_sum",
            Self::OdRed => "od_red",
            Self::OdGreen => "od_green",
            Self::OdBlue => "od_blue",
        }
    }

    /// Whether images of a modality have the channel.
    #[must_use]
    pub fn exists_in(self, modality: Modality) -> bool {
        match self {
            Self::Gray => modality == Modality::Fluorescence,
            Self::DabOd => modality == Modality::IhcHdab,
            Self::EosinOd => modality == Modality::He,
            Self::HematoxylinOd
            | Self::StainSum
            | Self::OdSum
            | Self::OdRed
            | Self::OdGreen
            | Self::OdBlue => modality.is_brightfield(),
        }
    }
}

impl std::fmt::Display for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
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

/// Noise removal before the threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Smoothing {
    /// Radius of the disk whose median replaces each pixel; 0 leaves it out.
    pub median_radius: Length,
    /// Standard deviation of the Gaussian; 0 leaves it out.
    pub sigma: Length,
}

/// What counts as foreground: pixels above the threshold.
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

/// Where the middle class of three belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MiddleClass {
    /// With the nuclei: the lower of the two thresholds counts.
    Foreground,
    /// With the background: the upper of the two thresholds counts.
    Background,
}

/// Cleaning of the foreground and of the nuclei.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Morphology {
    /// Radius of the disk of the opening; 0 leaves it out.
    pub open_radius: Length,
    /// Radius of the disk of the closing; 0 leaves it out.
    pub close_radius: Length,
    /// Holes up to this area are filled; 0 fills none.
    pub fill_holes_max_area: Area,
    /// Smaller nuclei are dropped.
    pub min_area: Area,
    /// Larger nuclei are dropped; `None` keeps every size.
    pub max_area: Option<Area>,
    /// Whether nuclei that touch the image's border are dropped.
    pub exclude_border: bool,
}

/// Separation of touching nuclei.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// What the separation follows.
    pub method: SplitMethod,
    /// How close two centers of nuclei may be.
    pub suppression: Suppression,
    /// How much a center must rise above the saddle to its neighbor: in pixels of the working
    /// resolution for `shape`, in the channel's unit for `intensity` and `log`.
    pub h: f64,
}

/// What the separation of touching nuclei follows.
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

/// How close two centers of nuclei may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Suppression {
    /// Follows the image's own nuclei.
    Auto,
    /// A fixed distance.
    Distance(Length),
}

/// Positivity: the class of a nucleus by one of its measurements.
#[derive(Debug, Clone, PartialEq)]
pub struct Classify {
    /// The measurement that decides.
    pub measurement: ClassMeasurement,
    /// One threshold (negative, positive) or three (negative, 1+, 2+, 3+), rising; a value at a
    /// threshold belongs above it.
    pub thresholds: Vec<f64>,
}

/// An intensity measurement: a statistic of one channel inside the nucleus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassMeasurement {
    /// The channel.
    pub channel: Channel,
    /// The statistic.
    pub statistic: Statistic,
}

/// A statistic of one channel inside a nucleus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// Arithmetic mean.
    Mean,
    /// Largest value.
    Max,
}

/// A group of measurements.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MeasureGroup {
    /// Size and form.
    Shape,
    /// Mean, standard deviation, minimum, maximum (and sum) of each channel.
    Intensity,
    /// Perimeter by the Crofton formula.
    Crofton,
    /// Median and quartiles of each channel.
    Quartiles,
    /// Largest, mean and median distance to the outside.
    Radius,
    /// Seven moments after Hu 1962.
    Hu,
}
