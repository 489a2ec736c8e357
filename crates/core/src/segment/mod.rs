//! Segment: from an image to labels, by the classical pipeline.
//!
//! Takes a decoded image, a profile and the pixel size; gives instance labels. Its stages, in this
//! order: signal, background, smooth, threshold, mask, split, clean. Those that networks need, too,
//! stand in `nuclei` and `grid`; [`Stages`] runs both, and keeps what a changed key leaves as it is.
//! Everything is integer arithmetic, or floats in a fixed order, so that the same image gives the
//! same labels on every machine and any number of threads.

mod background;
mod histogram;
mod smooth;
mod threshold;
mod plan;
mod stages;

pub use crate::nuclei::SegmentError;
pub use plan::{Landscape, Plan};
pub use smooth::gaussian;
pub use stages::{Stages, Subject};

use crate::profile::Profile;
use crate::raster::{Image, Labels};
use crate::units::PixelSize;

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
    Stages::without_cache().segment_classical(image, profile, pixel_size)
}
