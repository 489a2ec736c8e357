//! Cleaning: morphological repair of a mask, and the selection of nuclei.
//!
//! Takes the foreground of any method; gives regions without holes, specks and ragged rims, and
//! later drops the nuclei that a profile does not want.

use super::SegmentError;
use super::split::Region;
use crate::grid::components::{Components, Run, fill_holes};
use crate::grid::mask::Mask;
use crate::profile::Morphology;
use crate::units::{Area, Length, PixelSize};

/// The morphology of a profile, in pixels of the working resolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cleaning {
    /// Radius of the disk of the opening.
    pub open_radius_px: f64,
    /// Radius of the disk of the closing.
    pub close_radius_px: f64,
    /// Holes up to this area are filled.
    pub fill_holes_max_px2: f64,
    /// Smaller nuclei are dropped.
    pub min_area_px2: f64,
    /// Larger nuclei are dropped; infinity keeps every size.
    pub max_area_px2: f64,
    /// Whether nuclei that touch the border are dropped.
    pub exclude_border: bool,
}

impl Cleaning {
    /// Converts a profile's lengths and areas.
    ///
    /// # Errors
    /// [`SegmentError::PixelSizeMissing`] when one is in micrometers and `working` is `None`.
    pub fn new(morphology: &Morphology, working: Option<PixelSize>) -> Result<Self, SegmentError> {
        let px = |length: Length| length.px(working).ok_or(SegmentError::PixelSizeMissing);
        let px2 = |area: Area| area.px2(working).ok_or(SegmentError::PixelSizeMissing);
        Ok(Self {
            open_radius_px: px(morphology.open_radius)?,
            close_radius_px: px(morphology.close_radius)?,
            fill_holes_max_px2: px2(morphology.fill_holes_max_area)?,
            min_area_px2: px2(morphology.min_area)?,
            max_area_px2: morphology.max_area.map_or(Ok(f64::INFINITY), px2)?,
            exclude_border: morphology.exclude_border,
        })
    }

    /// The regions of a mask after filling holes, opening and closing, without the small ones.
    #[must_use]
    pub fn regions(&self, mut mask: Mask) -> Components {
        fill_holes(&mut mask, self.fill_holes_max_px2);
        let mask = mask.opened(self.open_radius_px).closed(self.close_radius_px);
        let mut components = Components::of_foreground(&mask);
        components.retain(|runs| self.min_area_px2 <= n_px(runs));
        components
    }

    /// Drops nuclei that are too small, too large, or cut by the border of an image of `width`
    /// times `height` pixels.
    #[must_use]
    pub fn keep(&self, mut nuclei: Vec<Region>, (width, height): (u32, u32)) -> Vec<Region> {
        let at_border =
            |run: &Run| run.y == 0 || run.y + 1 == height || run.start == 0 || run.end == width;
        nuclei.retain(|runs| {
            (self.min_area_px2..=self.max_area_px2).contains(&n_px(runs))
                && !(self.exclude_border && runs.iter().any(at_border))
        });
        nuclei
    }
}

fn n_px(runs: &[Run]) -> f64 {
    runs.iter().map(|run| f64::from(run.n_px())).sum()
}
