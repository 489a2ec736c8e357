//! Phantoms: fields drawn from a seed, with exact truth.
//!
//! Nuclei are deformed ellipses that stand alone, touch or overlap, with chromatin, uneven light,
//! camera noise, specks of dirt and nuclei out of focus (which are in no truth). The same phantom
//! has the same pixels on every machine: integer random numbers, floats in a fixed order, and
//! transcendental functions from `libm` alone.

mod brightfield;
mod fluorescence;
mod layout;
mod nucleus;
mod optics;

use crate::dataset::random::{Noise, Random};
use cellgate_core::digest::Digest;
use cellgate_core::profile::Modality;
use cellgate_core::raster::{Image, Labels};
use cellgate_core::units::PixelSize;

/// What random numbers are drawn for; each purpose has a stream of its own.
mod purpose {
    pub(super) const SUBJECT: u64 = 0;
    pub(super) const LAYOUT: u64 = 1;
    pub(super) const STAIN: u64 = 2;
    pub(super) const CHROMATIN: u64 = 3;
    pub(super) const TISSUE: u64 = 4;
    pub(super) const CAMERA: u64 = 5;
    pub(super) const POSITIVITY: u64 = 6;
    /// Purposes of one modality; the next one's follow.
    pub(super) const COUNT: u64 = 7;
}

/// What a phantom shows; the same values always give the same pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Phantom {
    /// How the image would have come about.
    pub modality: Modality,
    /// Where the random numbers start.
    pub seed: u64,
    /// Columns, 32 or more.
    pub width: u32,
    /// Rows, 32 or more.
    pub height: u32,
    /// Nuclei to place; fewer are drawn where there is no room.
    pub n_nuclei: u32,
    /// Positive nuclei among them, 0 to 1; of H-DAB only.
    pub positive_fraction: f64,
    /// The camera of a fluorescence microscope; brightfield is always recorded in 8 bit color.
    pub camera: CameraBits,
}

/// How finely a camera records brightness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameraBits {
    /// 0 to 255.
    Eight,
    /// 0 to 4,095, in 16 bit samples.
    Twelve,
}

/// How strongly a nucleus is stained with DAB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Intensity {
    /// Not stained, or below notice.
    Negative,
    /// 1+.
    Weak,
    /// 2+.
    Moderate,
    /// 3+.
    Strong,
}

impl Intensity {
    /// The class as it stands in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Negative => "negative",
            Self::Weak => "1+",
            Self::Moderate => "2+",
            Self::Strong => "3+",
        }
    }

    /// Lowest and highest mean optical density of DAB that a nucleus of this intensity is drawn
    /// with: well inside the classes of the thresholds 0.2, 0.4 and 0.6.
    #[must_use]
    pub fn dab_od_range(self) -> (f64, f64) {
        match self {
            Self::Negative => (0.01, 0.06),
            Self::Weak => (0.27, 0.33),
            Self::Moderate => (0.47, 0.53),
            Self::Strong => (0.70, 0.90),
        }
    }
}

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
    /// Smallest width and height.
    pub const MIN_SIDE_PX: u32 = 32;

    /// Edge length of a phantom's pixel, in micrometers.
    pub const PIXEL_SIZE_UM: f64 = 0.5;

    /// A phantom of the size that the embedded dataset has.
    #[must_use]
    pub fn new(modality: Modality, seed: u64) -> Self {
        let camera = if seed.is_multiple_of(2) { CameraBits::Twelve } else { CameraBits::Eight };
        let (width, height) = (256, 256);
        let blank =
            Self { modality, seed, width, height, n_nuclei: 0, positive_fraction: 0.0, camera };
        let mut random = blank.random(purpose::SUBJECT);
        let n_nuclei = 25 + random.below(21) as u32;
        Self { n_nuclei, positive_fraction: random.between(0.2, 0.6), ..blank }
    }

    /// The pixel size of every phantom.
    #[must_use]
    pub fn pixel_size() -> Option<PixelSize> {
        PixelSize::from_um(Self::PIXEL_SIZE_UM)
    }

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

    /// Random numbers of this phantom for one purpose.
    fn random(&self, purpose: u64) -> Random {
        Random::new(self.seed, self.stream(purpose))
    }

    /// Smooth noise of this phantom for one purpose.
    fn noise(&self, purpose: u64) -> Noise {
        Noise::new(self.seed, self.stream(purpose))
    }

    /// Phantoms of the same seed and another modality have nothing in common.
    fn stream(&self, purpose: u64) -> u64 {
        let modality = match self.modality {
            Modality::Fluorescence => 0,
            Modality::He => 1,
            Modality::IhcHdab => 2,
        };
        modality * purpose::COUNT + purpose
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
