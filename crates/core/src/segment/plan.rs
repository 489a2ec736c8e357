//! Plan: a classical profile with its lengths in pixels, and what each stage does with it.

use super::threshold::Cut;
use super::{background, smooth, threshold};
use crate::grid::components::Components;
use crate::nuclei::SegmentError;
use crate::nuclei::cleaning::Cleaning;
use crate::nuclei::flood::{MinPeakDistance, PeakCriteria};
use crate::nuclei::signal::Signal;
use crate::nuclei::split::{Guide, Region, split};
use crate::profile::{Background, Channel, Classical, Profile, SplitMethod};
use crate::units::{Length, PixelSize};

/// A profile with its lengths in pixels of the working resolution.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan<'a> {
    classical: &'a Classical,
    median_radius_px: f64,
    sigma_px: f64,
    background_radius_px: f64,
    window_px: f64,
    /// Cleaning of the foreground and of the nuclei.
    pub cleaning: Cleaning,
    log_sigma_px: f64,
    min_peak_distance: MinPeakDistance,
}

impl<'a> Plan<'a> {
    /// Converts a profile's lengths.
    ///
    /// # Errors
    /// [`SegmentError::PixelSizeMissing`] when a length is in micrometers and `working` is `None`;
    /// [`SegmentError::NeedsNetwork`].
    pub fn new(profile: &'a Profile, working: Option<PixelSize>) -> Result<Self, SegmentError> {
        let classical = profile.classical().ok_or(SegmentError::NeedsNetwork)?;
        let px = |length: Length| length.px(working).ok_or(SegmentError::PixelSizeMissing);
        // A length that the method does not have is not looked at.
        let px_if = |length: Option<Length>| length.map_or(Ok(0.0), px);
        Ok(Self {
            classical,
            median_radius_px: px(classical.smoothing.median_radius)?,
            sigma_px: px(classical.smoothing.sigma)?,
            background_radius_px: px_if(classical.background.radius())?,
            window_px: px_if(classical.threshold.method.window())?,
            cleaning: Cleaning::new(&profile.morphology, working)?,
            log_sigma_px: px_if(classical.split.method.log_sigma())?,
            min_peak_distance: MinPeakDistance::of(classical.split.suppression, working)?,
        })
    }

    /// The channel that nuclei are detected on.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.classical.channel
    }

    /// Removes speckles and uneven background.
    #[must_use]
    pub fn flatten(&self, signal: Signal) -> Signal {
        let despeckled = smooth::median(signal.raster, self.median_radius_px);
        let raster = match self.classical.background {
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

    /// Blurs a flat signal.
    #[must_use]
    pub fn smooth(&self, flat: Signal) -> Signal {
        Signal { raster: smooth::gaussian(flat.raster, self.sigma_px), ..flat }
    }

    /// Finds the threshold of a smooth signal.
    pub(super) fn cut(&self, smooth: &Signal) -> Cut {
        threshold::find(smooth, &self.classical.threshold, self.window_px)
    }

    /// Cleans what lies above a threshold of a smooth signal.
    pub(super) fn mask(&self, smooth: &Signal, cut: Cut) -> Components {
        self.cleaning.regions(threshold::apply(&smooth.raster, cut))
    }

    /// Thresholds a smooth signal and cleans the foreground.
    #[must_use]
    pub fn foreground(&self, smooth: &Signal) -> Components {
        self.mask(smooth, self.cut(smooth))
    }

    /// Which signal the profile's split follows; [`Self::landscape`] takes it.
    #[must_use]
    pub fn split_signal(&self) -> Followed {
        match self.classical.split.method {
            SplitMethod::None | SplitMethod::Shape => Followed::None,
            SplitMethod::Intensity => Followed::Smooth,
            SplitMethod::Log { .. } => Followed::Flat,
        }
    }

    /// Landscape that the profile's split follows.
    ///
    /// # Edge cases
    /// Without the signal of [`Self::split_signal`] regions stay whole.
    #[must_use]
    pub fn landscape(&self, followed: Option<Signal>) -> Landscape {
        match (self.classical.split.method, followed) {
            (SplitMethod::Shape, _) => Landscape::Distance,
            (SplitMethod::Intensity, Some(smooth)) => Landscape::Signal(smooth),
            // The signal, blurred to the scale of nuclei.
            (SplitMethod::Log { .. }, Some(flat)) => Landscape::Laplacian(Signal {
                raster: smooth::gaussian(flat.raster, self.log_sigma_px),
                steps_per_unit: flat.steps_per_unit,
            }),
            (SplitMethod::None | SplitMethod::Intensity | SplitMethod::Log { .. }, _) => {
                Landscape::Whole
            }
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
            Landscape::Laplacian(elevation) => {
                (Guide::Laplacian(&elevation.raster), elevation.steps_per_unit)
            }
        };
        let h = self.classical.split.h * steps_per_unit;
        let criteria = PeakCriteria { h, min_peak_distance: self.min_peak_distance };
        split(components, size, guide, criteria)
    }
}

/// Landscape that a split follows; it holds no signal that the split does not need.
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

/// Which signal a split follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// None.
    None,
    /// The signal without uneven background.
    Flat,
    /// The signal that the threshold was found in.
    Smooth,
}
