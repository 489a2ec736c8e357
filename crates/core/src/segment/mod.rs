//! Segment: from an image to labels, by the classical pipeline.
//!
//! Takes a decoded image, a profile and the pixel size; gives instance labels. Its stages, in this
//! order: signal, resample, smooth and background, threshold, cleaning of the mask, components, split,
//! paint. Those that networks need, too, stand in `nuclei` and `grid`. Everything is integer arithmetic, or floats in a fixed order, so that the same
//! image gives the same labels on every machine and any number of threads.

mod background;
mod histogram;
mod smooth;
mod threshold;

pub use crate::nuclei::SegmentError;
pub use smooth::gaussian;

use crate::grid::components::Components;
use crate::nuclei::cleaning::Cleaning;
use crate::nuclei::flood::{Apart, Standing};
use crate::nuclei::resample::Resampling;
use crate::nuclei::signal::Signal;
use crate::nuclei::split::{Guide, Region, split};
use crate::profile::{Background, Profile, SplitMethod, ThresholdMethod};
use crate::raster::{Image, Labels};
use crate::units::{Length, PixelSize};

/// Segments an image.
///
/// # Shapes
/// Labels have the image's width and height, whatever the working resolution; nuclei are numbered
/// from 1 in the order of their first pixel.
///
/// # Units
/// `pixel_size` of the image; `None` when nobody knows it.
///
/// # Edge cases
/// A constant image has no nuclei, except under a manual threshold.
///
/// # Errors
/// [`SegmentError`], before any pixel is touched.
pub fn segment(
    image: &Image,
    profile: &Profile,
    pixel_size: Option<PixelSize>,
) -> Result<Labels, SegmentError> {
    let resampling = Resampling::between(pixel_size, profile.image.working_pixel_size);
    let plan = Plan::new(profile, resampling.working_pixel_size(pixel_size))?;
    let signal = Signal::of_image(image, profile)?;
    let signal = Signal { raster: resampling.shrink(signal.raster), ..signal };
    let nuclei = plan.nuclei(signal);
    let (width, height) = (image.width(), image.height());
    Ok(resampling.paint(&nuclei, width, height))
}

/// A profile with its lengths in pixels of the working resolution.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan<'a> {
    profile: &'a Profile,
    median_radius_px: f64,
    sigma_px: f64,
    background_radius_px: f64,
    window_px: f64,
    /// What is done to the foreground and to the nuclei.
    pub cleaning: Cleaning,
    log_sigma_px: f64,
    apart: Apart,
}

impl<'a> Plan<'a> {
    /// Converts a profile's lengths.
    ///
    /// # Errors
    /// [`SegmentError::PixelSizeMissing`] when a length is in micrometers and `working` is `None`.
    pub fn new(profile: &'a Profile, working: Option<PixelSize>) -> Result<Self, SegmentError> {
        let px = |length: Length| length.px(working).ok_or(SegmentError::PixelSizeMissing);
        Ok(Self {
            profile,
            median_radius_px: px(profile.smoothing.median_radius)?,
            sigma_px: px(profile.smoothing.sigma)?,
            background_radius_px: match profile.background {
                Background::None => 0.0,
                Background::Opening { radius } | Background::Reconstruction { radius } => {
                    px(radius)?
                }
            },
            window_px: match profile.threshold.method {
                ThresholdMethod::LocalMean { window, .. }
                | ThresholdMethod::Sauvola { window, .. } => px(window)?,
                ThresholdMethod::Manual { .. }
                | ThresholdMethod::Otsu
                | ThresholdMethod::Otsu3 { .. }
                | ThresholdMethod::Li
                | ThresholdMethod::Triangle => 0.0,
            },
            cleaning: Cleaning::new(&profile.morphology, working)?,
            log_sigma_px: match profile.split.method {
                SplitMethod::Log { sigma } => px(sigma)?,
                SplitMethod::None | SplitMethod::Shape | SplitMethod::Intensity => 0.0,
            },
            apart: Apart::of(profile.split.suppression, working)?,
        })
    }

    /// The nuclei of a signal, in the order of their first pixel.
    #[must_use]
    pub fn nuclei(&self, signal: Signal) -> Vec<Region> {
        let size = (signal.raster.width(), signal.raster.height());
        let signal = self.flatten(signal);
        let relief = self.relief(&signal);
        let signal = Signal { raster: smooth::gaussian(signal.raster, self.sigma_px), ..signal };
        let components = self.foreground(&signal);
        let landscape = self.landscape(signal, relief);
        self.cleaning.keep(self.split(&components, size, &landscape), size)
    }

    /// Removes speckles and uneven background.
    #[must_use]
    pub fn flatten(&self, signal: Signal) -> Signal {
        let despeckled = smooth::median(signal.raster, self.median_radius_px);
        let raster = match self.profile.background {
            Background::None => despeckled,
            Background::Opening { .. } => {
                background::subtract_opening(&despeckled, self.background_radius_px)
            }
            Background::Reconstruction { .. } => {
                background::subtract_reconstruction(&despeckled, self.background_radius_px)
            }
        };
        Signal { raster, ..signal }
    }

    /// What a split by Laplacian follows: the signal, blurred to the scale of nuclei.
    fn relief(&self, flat: &Signal) -> Option<Signal> {
        let is_log = matches!(self.profile.split.method, SplitMethod::Log { .. });
        is_log.then(|| Signal {
            raster: smooth::gaussian(flat.raster.clone(), self.log_sigma_px),
            steps_per_unit: flat.steps_per_unit,
        })
    }

    /// Thresholds a smooth signal and cleans the foreground.
    #[must_use]
    pub fn foreground(&self, signal: &Signal) -> Components {
        let cut = threshold::find(signal, &self.profile.threshold, self.window_px);
        self.cleaning.regions(threshold::apply(&signal.raster, cut))
    }

    /// What the profile's split follows, of a smooth signal and its relief.
    #[must_use]
    pub fn landscape(&self, signal: Signal, relief: Option<Signal>) -> Landscape {
        match (self.profile.split.method, relief) {
            (SplitMethod::Shape, _) => Landscape::Distance,
            (SplitMethod::Intensity, _) => Landscape::Signal(signal),
            (SplitMethod::Log { .. }, Some(relief)) => Landscape::Laplacian(relief),
            (SplitMethod::None | SplitMethod::Log { .. }, _) => Landscape::Whole,
        }
    }

    /// Divides touching nuclei.
    ///
    /// # Shapes
    /// `size`: width and height of the signal that the components were found in.
    #[must_use]
    pub fn split(
        &self,
        components: &Components,
        size: (u32, u32),
        landscape: &Landscape,
    ) -> Vec<Region> {
        let (guide, steps_per_unit) = match landscape {
            Landscape::Whole => (Guide::Whole, 1.0),
            Landscape::Distance => (Guide::Distance, 1.0),
            Landscape::Signal(signal) => (Guide::Signal(&signal.raster), signal.steps_per_unit),
            Landscape::Laplacian(relief) => {
                (Guide::Laplacian(&relief.raster), relief.steps_per_unit)
            }
        };
        let h = self.profile.split.h * steps_per_unit;
        split(components, size, guide, Standing { h, apart: self.apart })
    }
}

/// What a split follows; a signal that it does not follow takes no more room.
#[derive(Debug, Clone)]
pub enum Landscape {
    /// Nothing: regions stay whole.
    Whole,
    /// Distance to the background.
    Distance,
    /// The smooth signal.
    Signal(Signal),
    /// The Laplacian of a signal that is blurred to the scale of nuclei.
    Laplacian(Signal),
}
