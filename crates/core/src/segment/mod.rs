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
///
/// # Examples
/// ```
/// # use cellgate_core::{raster::{Image, Raster}, units::{Area, Length}};
/// # use cellgate_core::profile::*;
/// use cellgate_core::segment::segment;
/// # let classical = Classical {
/// #     channel: Channel::Gray,
/// #     background: Background::None,
/// #     smoothing: Smoothing { median_radius: Length::Px(0.0), sigma: Length::Px(1.0) },
/// #     threshold: Threshold {
/// #         method: ThresholdMethod::Otsu,
/// #         correction_factor: 1.0,
/// #         bounds: [0.0, 1.0],
/// #         log_transform: false,
/// #     },
/// #     split: Split { method: SplitMethod::Shape, suppression: Suppression::Auto, h: 0.75 },
/// # };
/// # let profile = Profile {
/// #     name: "p".to_owned(),
/// #     description: None,
/// #     image: ImageSpec {
/// #         modality: Modality::Fluorescence,
/// #         pixel_size: None,
/// #         working_pixel_size: None,
/// #     },
/// #     stains: None,
/// #     method: Method::Classical(classical),
/// #     morphology: Morphology {
/// #         open_radius: Length::Px(0.0),
/// #         close_radius: Length::Px(0.0),
/// #         fill_holes_max_area: Area::Px2(0.0),
/// #         min_area: Area::Px2(10.0),
/// #         max_area: None,
/// #         exclude_border: false,
/// #     },
/// #     classify: None,
/// #     measure: vec![MeasureGroup::Shape],
/// # };
/// # let disk = |x: u32, y: u32| x.abs_diff(20).pow(2) + y.abs_diff(20).pow(2) < 100;
/// # let image = Image::Gray8(Raster::from_fn(40, 40, |x, y| if disk(x, y) { 200 } else { 20 }));
/// // A bright disk on a dark image, `profile` as of a file that has defaults alone.
/// let labels = segment(&image, &profile, None)?;
/// assert_eq!((labels.at(20, 20), labels.at(0, 0)), (1, 0));
/// # Ok::<(), cellgate_core::segment::SegmentError>(())
/// ```
pub fn segment(
    image: &Image,
    profile: &Profile,
    pixel_size: Option<PixelSize>,
) -> Result<Labels, SegmentError> {
    Stages::without_cache().segment_classical(image, profile, pixel_size)
}
