//! Subject: parameters of a phantom, and the random numbers that it is drawn with.

use crate::dataset::random::{Noise, Random};
use cellgate_core::profile::Modality;
use cellgate_core::units::PixelSize;

/// Purposes of random numbers; each has a stream of its own.
pub(super) mod purpose {
    pub(in super::super) const SUBJECT: u64 = 0;
    pub(in super::super) const LAYOUT: u64 = 1;
    pub(in super::super) const STAIN: u64 = 2;
    pub(in super::super) const CHROMATIN: u64 = 3;
    pub(in super::super) const TISSUE: u64 = 4;
    pub(in super::super) const CAMERA: u64 = 5;
    pub(in super::super) const POSITIVITY: u64 = 6;
    /// Purposes of one modality; the next one's follow.
    pub(in super::super) const COUNT: u64 = 7;
}

/// Parameters of a phantom; the same values always give the same pixels.
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

    /// Random numbers of this phantom for one purpose.
    pub(super) fn random(&self, purpose: u64) -> Random {
        Random::new(self.seed, self.stream(purpose))
    }

    /// Smooth noise of this phantom for one purpose.
    pub(super) fn noise(&self, purpose: u64) -> Noise {
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
