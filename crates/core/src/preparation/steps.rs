//! Steps: the changes to an image as one value, kept where they must be repeated.
//!
//! `dataset prepare` makes them to a folder of images, a training to its samples, and a network's
//! weights carry them, so that they are made to every image that the network sees.

use super::histogram::{Histogram, MatchError};
use super::resize::resize_image;
use super::size::{MAX_EDGE_PX, Size, is_edge, pixel_size_after};
use crate::raster::Image;
use crate::units::PixelSize;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// Changes to an image: to its histogram first, then to its size.
///
/// # Edge cases
/// Repeated steps change nothing more, except for one level of an equalized histogram: prepared and
/// unprepared images can be given to the same network.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Steps {
    /// Change to the histogram.
    pub histogram: Histogram,
    /// Change to the size.
    pub size: Size,
}

/// An image after the steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared<'a> {
    /// The image.
    pub image: Cow<'a, Image>,
    /// Its pixel size; `None` where nobody knew it, or its sides were scaled by other factors.
    pub pixel_size: Option<PixelSize>,
}

/// The steps cannot be done to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// A size by micrometers.
    #[error("nobody knows the image's pixel size, so it cannot be brought to one")]
    PixelSizeMissing,
    /// A size that cannot be.
    #[error("edges of 1 to {MAX_EDGE_PX} pixels are possible")]
    Size,
    /// A histogram of another kind of image.
    #[error(transparent)]
    Match(#[from] MatchError),
}

impl Steps {
    /// Whether images stay as they are.
    #[must_use]
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether every image that is not empty could come to the size.
    #[must_use]
    pub fn are_possible(&self) -> bool {
        match self.size {
            Size::Px { width, height } => [width, height].map(is_edge) == [true; 2],
            Size::Kept | Size::Pixel(_) => true,
        }
    }

    /// Does the steps to an image whose pixel size is `known`, or `None`.
    ///
    /// # Errors
    /// [`PrepareError`].
    ///
    /// # Examples
    /// ```
    /// use cellgate_core::preparation::{Size, Steps};
    /// use cellgate_core::raster::{Image, Raster};
    /// use cellgate_core::units::PixelSize;
    ///
    /// let steps = Steps { size: Size::Px { width: 2, height: 1 }, ..Steps::default() };
    /// let image = Image::Gray8(Raster::filled(4, 2, 9));
    /// let prepared = steps.apply(&image, PixelSize::from_um(0.5)).unwrap();
    /// assert_eq!(*prepared.image, Image::Gray8(Raster::filled(2, 1, 9)));
    /// assert_eq!(prepared.pixel_size, PixelSize::from_um(1.0));
    /// ```
    pub fn apply<'a>(
        &self,
        image: &'a Image,
        known: Option<PixelSize>,
    ) -> Result<Prepared<'a>, PrepareError> {
        let before = (image.width(), image.height());
        let after = self.size.of(before, known).ok_or(match (self.size, known) {
            (Size::Pixel(_), None) => PrepareError::PixelSizeMissing,
            _ => PrepareError::Size,
        })?;
        let image = self.histogram.apply(image)?;
        if after == before {
            return Ok(Prepared { image, pixel_size: known });
        }
        Ok(Prepared {
            image: Cow::Owned(resize_image(&image, after.0, after.1)),
            pixel_size: known.and_then(|known| pixel_size_after(known, before, after)),
        })
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let histogram = match self.histogram {
            Histogram::Kept => None,
            Histogram::Equalized => Some("histogram equalized"),
            Histogram::Matched(_) => Some("histogram matched"),
        };
        let size = match self.size {
            Size::Kept => None,
            Size::Px { width, height } => Some(format!("{width} x {height} px")),
            Size::Pixel(size) => Some(size.to_string()),
        };
        match (histogram, size) {
            (None, None) => f.write_str("none"),
            (Some(histogram), None) => f.write_str(histogram),
            (None, Some(size)) => f.write_str(&size),
            (Some(histogram), Some(size)) => write!(f, "{histogram}, {size}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reference;
    use super::*;
    use crate::raster::Raster;

    fn image(width: u32, height: u32) -> Image {
        Image::Gray8(Raster::from_fn(width, height, |x, y| (7 * x + 13 * y) as u8))
    }

    #[track_caller]
    fn check_json(steps: &Steps, json: &str) {
        assert_eq!(serde_json::to_string(steps).unwrap(), json);
        assert_eq!(serde_json::from_str::<Steps>(json).unwrap(), *steps);
    }

    #[test]
    fn steps_are_written_and_read() {
        let um = |um| PixelSize::from_um(um).unwrap();
        check_json(&Steps::default(), r#"{"histogram":"kept","size":"kept"}"#);
        let size = Size::Px { width: 512, height: 256 };
        let both = Steps { histogram: Histogram::Equalized, size };
        check_json(&both, r#"{"histogram":"equalized","size":{"px":{"width":512,"height":256}}}"#);
        assert_eq!(both.to_string(), "histogram equalized, 512 x 256 px");
        let fine = Steps { size: Size::Pixel(um(0.5)), ..Steps::default() };
        check_json(&fine, r#"{"histogram":"kept","size":{"um_per_px":0.5}}"#);
        assert_eq!(fine.to_string(), "0.5 µm a pixel");
        let matched = Histogram::Matched(Box::new(Reference::of(&image(3, 2))));
        let matched = Steps { histogram: matched, ..Steps::default() };
        let text = serde_json::to_string(&matched).unwrap();
        assert_eq!(serde_json::from_str::<Steps>(&text).unwrap(), matched);
        assert_eq!(
            [Steps::default().to_string(), matched.to_string()],
            ["none", "histogram matched"]
        );
    }

    #[test]
    fn histograms_that_cannot_be_and_pixels_of_no_size_are_refused() {
        let counts = |first: u64, n_levels: usize| {
            let mut counts = vec![9_u64; n_levels];
            counts[0] = first;
            serde_json::json!({"histogram": {"matched": {"channels": [counts]}}})
        };
        assert!(serde_json::from_value::<Steps>(counts(0, 256)).is_ok());
        assert!(serde_json::from_value::<Steps>(counts(10, 256)).is_err(), "it falls");
        assert!(serde_json::from_value::<Steps>(counts(0, 255)).is_err(), "too short");
        assert!(serde_json::from_value::<Steps>(counts(u64::MAX, 256)).is_err(), "too many pixels");
        for size in [r#"{"size":{"um_per_px":0}}"#, r#"{"size":{"um_per_px":-1e400}}"#] {
            assert!(serde_json::from_str::<Steps>(size).is_err(), "{size}");
        }
        let flat = Steps { size: Size::Px { width: 9, height: 0 }, ..Steps::default() };
        assert!(!flat.are_possible());
    }

    #[test]
    fn what_was_done_is_not_done_again() {
        let known = PixelSize::from_um(0.25);
        let image = image(40, 30);
        let sizes =
            [Size::Px { width: 20, height: 15 }, Size::Pixel(PixelSize::from_um(0.5).unwrap())];
        for size in sizes {
            let reference = Reference::of(&Image::Gray8(Raster::from_fn(20, 15, |x, _| x as u8)));
            let histogram = Histogram::Matched(Box::new(reference));
            let steps = Steps { histogram, size };
            let once = steps.apply(&image, known).unwrap();
            assert_eq!((once.image.width(), once.image.height()), (20, 15));
            assert_eq!(once.pixel_size, PixelSize::from_um(0.5));
            let size_alone = Steps { size, ..Steps::default() };
            let twice = size_alone.apply(&once.image, once.pixel_size).unwrap();
            assert!(matches!(twice.image, Cow::Borrowed(_)), "nothing is copied");
        }
    }

    #[test]
    fn what_cannot_be_done_is_told() {
        let size = Size::Pixel(PixelSize::from_um(0.5).unwrap());
        let by_um = Steps { size, ..Steps::default() };
        assert_eq!(by_um.apply(&image(4, 4), None), Err(PrepareError::PixelSizeMissing));
        let color = Image::Rgb8(Raster::filled(2, 2, [1, 2, 3]));
        let histogram = Histogram::Matched(Box::new(Reference::of(&color)));
        let of_color = Steps { histogram, ..Steps::default() };
        assert!(matches!(of_color.apply(&image(4, 4), None), Err(PrepareError::Match(_))));
    }
}
