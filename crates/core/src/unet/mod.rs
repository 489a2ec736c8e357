//! U-Net: from an image to labels, by a trained network.
//!
//! Takes a decoded image, a profile and the network's weights; gives instance labels, through the
//! same seeds, watershed and cleaning as the classical path. Knows neither files nor training.

pub mod architecture;
pub mod feature_map;
pub mod batch_norm;
mod gemm;
mod linear;
pub mod conv;
pub mod head;
mod periods;
pub mod pooling;
pub mod up_sampling;
pub mod input;
pub mod weights;
pub mod card;
pub mod mirror;
pub mod plan;
pub mod tiles;
pub mod decode;
#[cfg(test)]
mod noise;
#[cfg(test)]
mod tests;

use crate::nuclei::SegmentError;
use crate::nuclei::cleaning::Cleaning;
use crate::nuclei::resample::Resampling;
use crate::preparation::{PrepareError, resize_labels};
use crate::profile::{Profile, Unet};
use crate::raster::{Image, Labels};
use crate::units::PixelSize;
use architecture::Architecture;
use decode::Decoding;
use feature_map::FeatureMap;
use input::Planes;
use plan::Network;
use std::collections::HashMap;

/// An image cannot be segmented with a network.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum UnetError {
    /// The image cannot give the channels, or the pixel size is missing.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The image cannot be prepared as the network needs it.
    #[error("the network's images are prepared: {0}")]
    Prepare(#[from] PrepareError),
    /// The network's size for images is not in this image's proportions.
    #[error(
        "the network's images have one size, and to this one it gives pixels that are longer one \
        way than the other; give the profile's lengths in px"
    )]
    Bent,
    /// The profile is for the classical path.
    #[error("the profile names no network; give it `method: unet` and the section `unet`")]
    NoSection,
    /// The weights are of another network than the profile says.
    #[error(
        "the weights are of a network with {found}, the profile says {expected}; take the \
        architecture from the model's card"
    )]
    Architecture {
        /// The form that the profile says.
        expected: Architecture,
        /// The form of the weights.
        found: Architecture,
    },
}

/// Segments an image with a network.
///
/// # Shapes
/// Labels have the image's width and height, whatever the working resolution; nuclei are numbered
/// from 1 in the order of their first pixel.
///
/// # Units
/// `pixel_size` of the image; `None` when nobody knows it.
///
/// # Errors
/// [`UnetError`], before anything is predicted.
pub fn segment(
    image: &Image,
    profile: &Profile,
    network: &Network,
    pixel_size: Option<PixelSize>,
) -> Result<Labels, UnetError> {
    let prediction = Prediction::of_image(image, profile, network, pixel_size)?;
    prediction.labels(profile, (image.width(), image.height()))
}

/// Answer of a network for an image, and the resolution that it saw.
#[derive(Debug, Clone)]
pub struct Prediction {
    answer: FeatureMap,
    resampling: Resampling,
    /// Pixel size of the answer.
    working: Option<PixelSize>,
    /// Whether the network's size for images made pixels longer one way than the other.
    is_bent: bool,
    /// Width and height of the image as it was prepared.
    prepared_size: (u32, u32),
}

impl Prediction {
    /// Predicts what lies where in an image.
    ///
    /// # Errors
    /// [`UnetError`], before anything is predicted; that of [`Self::labels`] among them.
    pub fn of_image(
        image: &Image,
        profile: &Profile,
        network: &Network,
        pixel_size: Option<PixelSize>,
    ) -> Result<Self, UnetError> {
        let prepared = network.preparation().apply(image, pixel_size)?;
        let resampling = Resampling::between(prepared.pixel_size, profile.image.working_pixel_size);
        let working = resampling.working_pixel_size(prepared.pixel_size);
        let is_bent = pixel_size.is_some() && prepared.pixel_size.is_none();
        decoding_and_cleaning(profile, working, is_bent)?;
        let answer = predict(&prepared.image, profile, network, resampling)?;
        let prepared_size = (prepared.image.width(), prepared.image.height());
        Ok(Self { answer, resampling, working, is_bent, prepared_size })
    }

    /// The labels of the nuclei, for an image of `size`, width and height.
    ///
    /// # Errors
    /// [`UnetError::NoSection`], and for lengths in micrometers [`SegmentError::PixelSizeMissing`] or
    /// [`UnetError::Bent`].
    pub fn labels(&self, profile: &Profile, size: (u32, u32)) -> Result<Labels, UnetError> {
        let (decoding, cleaning) = decoding_and_cleaning(profile, self.working, self.is_bent)?;
        let nuclei = decoding.nuclei(&self.answer, &cleaning);
        let labels = self.resampling.paint(&nuclei, self.prepared_size.0, self.prepared_size.1);
        if self.prepared_size == size {
            return Ok(labels);
        }
        Ok(renumber(resize_labels(&labels, size.0, size.1)))
    }
}

/// Decoding and cleaning that a profile asks for, with lengths in pixels.
fn decoding_and_cleaning(
    profile: &Profile,
    working: Option<PixelSize>,
    is_bent: bool,
) -> Result<(Decoding, Cleaning), UnetError> {
    let unet = profile.unet().ok_or(UnetError::NoSection)?;
    // Lengths in micrometers have no length where pixels are longer across than down.
    let of_lengths = |error| if is_bent { UnetError::Bent } else { UnetError::Segment(error) };
    let cleaning = Cleaning::new(&profile.morphology, working).map_err(of_lengths)?;
    let decoding = Decoding::new(unet, working).map_err(of_lengths)?;
    Ok((decoding, cleaning))
}

/// Labels from 1 in the order of their first pixel: nuclei that fell between pixels leave no gap.
fn renumber(mut labels: Labels) -> Labels {
    let mut numbers = HashMap::new();
    for label in labels.samples_mut().iter_mut().filter(|label| **label > 0) {
        let next = numbers.len() as u32 + 1;
        *label = *numbers.entry(*label).or_insert(next);
    }
    labels
}

/// Answer of a network for an image that was prepared for it, at the working resolution.
///
/// # Shapes
/// One map with the channels of [`architecture::Output`].
///
/// # Errors
/// [`UnetError`], before anything is predicted.
pub fn predict(
    image: &Image,
    profile: &Profile,
    network: &Network,
    resampling: Resampling,
) -> Result<FeatureMap, UnetError> {
    let unet = profile.unet().ok_or(UnetError::NoSection)?;
    check(unet, network)?;
    let planes = Planes::of_image(image, &unet.channels, profile.stains.as_ref())?;
    let input = planes.shrunk(resampling).scaled(network.input());
    Ok(tiles::predict(network, &input, unet.tile_px as usize, unet.mirror_averaging))
}

/// Whether a network is the one that a profile describes.
///
/// # Errors
/// [`UnetError::Architecture`].
pub fn check(unet: &Unet, network: &Network) -> Result<(), UnetError> {
    let (expected, found) = (Architecture::from(unet), *network.architecture());
    if expected == found { Ok(()) } else { Err(UnetError::Architecture { expected, found }) }
}
