//! Image: the kind of image that a profile is for, its stains, and the channels made from them.

use crate::units::PixelSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kind of image that a profile is for.
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
