//! Phantoms: fields drawn from a seed, with exact truth.
//!
//! Nuclei are deformed ellipses that stand alone, touch or overlap, with chromatin, uneven light,
//! camera noise, specks of dirt and nuclei out of focus (which are in no truth). The same phantom
//! has the same pixels on every machine: integer random numbers, floats in a fixed order, and
//! transcendental functions from `libm` alone.

mod subject;
mod brightfield;
mod fluorescence;
mod layout;
mod nucleus;
mod optics;

pub use subject::{CameraBits, Intensity, Phantom};

use cellgate_core::digest::Digest;
use cellgate_core::profile::Modality;
use cellgate_core::raster::{Image, Labels};
use subject::purpose;

/// A drawn phantom: the picture and the truth about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// The picture.
    pub image: Image,
    /// The visible part of each nucleus, numbered from 1; each number is one connected piece.
    pub truth: Labels,
    /// The nuclei by their number less 1.
    pub nuclei: Vec<DrawnNucleus>,
}

/// The truth about one nucleus.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DrawnNucleus {
    /// Strength of its DAB; negative in other modalities.
    pub intensity: Intensity,
    /// Mean optical density of DAB over its visible part; 0 in other modalities.
    pub dab_od_mean: f64,
}

impl Phantom {
    /// Draws the phantom.
    ///
    /// # Edge cases
    /// A side below [`Phantom::MIN_SIDE_PX`] is drawn with that many pixels.
    #[must_use]
    pub fn draw(&self) -> Drawing {
        let phantom = Self {
            width: self.width.max(Self::MIN_SIDE_PX),
            height: self.height.max(Self::MIN_SIDE_PX),
            ..*self
        };
        let mut random = phantom.random(purpose::LAYOUT);
        let vesicular_fraction = if phantom.modality == Modality::He { 0.6 } else { 0.4 };
        let layout = layout::place(
            phantom.width,
            phantom.height,
            phantom.n_nuclei,
            vesicular_fraction,
            &mut random,
        );
        let n_nuclei = layout.nuclei.len();
        let negative = DrawnNucleus { intensity: Intensity::Negative, dab_od_mean: 0.0 };
        let (image, nuclei) = match phantom.modality {
            Modality::Fluorescence => {
                (fluorescence::draw(&phantom, &layout), vec![negative; n_nuclei])
            }
            Modality::He => (brightfield::draw_he(&phantom, &layout), vec![negative; n_nuclei]),
            Modality::IhcHdab => {
                let intensities = phantom.intensities(n_nuclei);
                let (image, means) = brightfield::draw_hdab(&phantom, &layout, &intensities);
                let truth = |(intensity, dab_od_mean)| DrawnNucleus { intensity, dab_od_mean };
                (image, intensities.into_iter().zip(means).map(truth).collect())
            }
        };
        Drawing { image, truth: layout.truth, nuclei }
    }

    /// Strengths of DAB in random order: the positive fraction as near as whole nuclei allow, with
    /// the three strengths in equal parts.
    fn intensities(&self, n_nuclei: usize) -> Vec<Intensity> {
        let n_positive =
            (self.positive_fraction.clamp(0.0, 1.0) * n_nuclei as f64).round() as usize;
        let positive = [Intensity::Weak, Intensity::Moderate, Intensity::Strong];
        let strength =
            |index| if index < n_positive { positive[index % 3] } else { Intensity::Negative };
        let mut intensities: Vec<_> = (0..n_nuclei).map(strength).collect();
        self.random(purpose::POSITIVITY).shuffle(&mut intensities);
        intensities
    }
}

/// Digest of an image's samples: kind, size and little-endian values.
#[must_use]
pub fn digest_of_samples(image: &Image) -> Digest {
    let little_endian =
        |samples: &[u16]| -> Vec<u8> { samples.iter().flat_map(|s| s.to_le_bytes()).collect() };
    let (kind, samples) = match image {
        Image::Gray8(raster) => ("gray8", raster.samples().to_vec()),
        Image::Gray16(raster) => ("gray16", little_endian(raster.samples())),
        Image::Rgb8(raster) => ("rgb8", raster.samples().as_flattened().to_vec()),
        Image::Rgb16(raster) => ("rgb16", little_endian(raster.samples().as_flattened())),
    };
    let mut bytes = format!("{kind} {} {}\n", image.width(), image.height()).into_bytes();
    bytes.extend(samples);
    Digest::of_bytes(&bytes)
}

/// Digest of labels: size and little-endian values.
#[must_use]
pub fn digest_of_labels(labels: &Labels) -> Digest {
    let mut bytes = format!("labels {} {}\n", labels.width(), labels.height()).into_bytes();
    bytes.extend(labels.samples().iter().flat_map(|label| label.to_le_bytes()));
    Digest::of_bytes(&bytes)
}

#[cfg(test)]
mod tests;
