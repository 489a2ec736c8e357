//! The profile: cell parameters for one type of image, in the words of the field.
//!
//! `keys` is the one table of what may stand in a profile's file; reading, the schema, the reference
//! page, the digest and the stages of segmentation follow it.

mod image;
mod words;
mod morphology;
mod measurement;
mod classical;
mod unet;
pub mod keys;

pub use classical::{
    Background, Classical, MiddleClass, Smoothing, Split, SplitMethod, Threshold, ThresholdMethod,
};
pub use image::{Channel, ImageSpec, Modality, Stains};
pub use measurement::{ClassMeasurement, Classify, MeasureGroup, Statistic};
pub use morphology::{Morphology, Suppression};
pub use unet::{Normalization, Separation, Unet, UpSampling};
pub use words::{AutoWord, BackgroundWord, MethodWord, SplitWord, ThresholdWord};

/// Cell parameters for one type of image.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Name: the file's name without its ending.
    pub name: String,
    /// Purpose of the profile, in the author's words.
    pub description: Option<String>,
    /// Kind of image that the profile is for.
    pub image: ImageSpec,
    /// Stain vectors; present exactly for brightfield modalities.
    pub stains: Option<Stains>,
    /// How nuclei are found.
    pub method: Method,
    /// Cleaning of the foreground and of the nuclei, whatever finds them.
    pub morphology: Morphology,
    /// Positivity; absent when nuclei are not classified.
    pub classify: Option<Classify>,
    /// Groups of measurements to take, sorted and without repetition.
    pub measure: Vec<MeasureGroup>,
}

impl Profile {
    /// How the classical path finds nuclei; `None` when a network does.
    #[must_use]
    pub fn classical(&self) -> Option<&Classical> {
        match &self.method {
            Method::Classical(classical) => Some(classical),
            Method::Unet(_) => None,
        }
    }

    /// How a network finds nuclei; `None` when the classical path does.
    #[must_use]
    pub fn unet(&self) -> Option<&Unet> {
        match &self.method {
            Method::Classical(_) => None,
            Method::Unet(unet) => Some(unet),
        }
    }
}

/// How nuclei are found.
#[derive(Debug, Clone, PartialEq)]
pub enum Method {
    /// By channel, background, blur, threshold and split.
    Classical(Classical),
    /// By a trained network.
    Unet(Unet),
}
