//! Units: pixel size, lengths and areas, and the only place that converts between them.
//!
//! A bare number never says whether it counts pixels or micrometers; these types do.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Edge length of one square pixel, in micrometers.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct PixelSize(f64);

impl fmt::Display for PixelSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} µm a pixel", self.0)
    }
}

impl From<PixelSize> for f64 {
    fn from(size: PixelSize) -> Self {
        size.0
    }
}

impl TryFrom<f64> for PixelSize {
    type Error = &'static str;

    fn try_from(um: f64) -> Result<Self, Self::Error> {
        Self::from_um(um).ok_or("a pixel size is 0.01 to 100 micrometers")
    }
}

impl PixelSize {
    /// Smallest and largest edge length that a light microscope's camera gives, in micrometers.
    pub const RANGE_UM: (f64, f64) = (0.01, 100.0);

    /// Makes a pixel size of an edge length in micrometers; `None` outside [`Self::RANGE_UM`].
    ///
    /// # Examples
    /// ```
    /// use cellgate_core::units::{Length, PixelSize};
    ///
    /// let pixel = PixelSize::from_um(0.5);
    /// assert_eq!(Length::Um(3.0).px(pixel), Some(6.0));
    /// assert_eq!(Length::Um(3.0).px(None), None, "nobody knows the pixel size");
    /// assert_eq!(PixelSize::from_um(-1.0), None);
    /// ```
    #[must_use]
    pub fn from_um(um: f64) -> Option<Self> {
        (Self::RANGE_UM.0..=Self::RANGE_UM.1).contains(&um).then_some(Self(um))
    }

    /// Edge length in micrometers.
    #[must_use]
    pub fn um(self) -> f64 {
        self.0
    }

    /// How many of these pixels fit along one meter.
    #[must_use]
    pub fn px_per_m(self) -> f64 {
        1e6 / self.0
    }

    /// How many of these pixels fit along one pixel of `other`.
    #[must_use]
    pub fn pixels_per(self, other: Self) -> f64 {
        other.0 / self.0
    }

    /// Whether two pixel sizes are the same within 1 %.
    #[must_use]
    pub fn agrees_with(self, other: Self) -> bool {
        (self.0 - other.0).abs() <= 0.01 * self.0.max(other.0)
    }

    /// The size of pixels that are `factor` times as long; `None` outside [`Self::RANGE_UM`].
    #[must_use]
    pub fn scaled(self, factor: f64) -> Option<Self> {
        Self::from_um(self.0 * factor)
    }

    /// A length of `px` pixels in micrometers.
    #[must_use]
    pub fn length_um(self, px: f64) -> f64 {
        px * self.0
    }

    /// An area of `px2` pixels in square micrometers.
    #[must_use]
    pub fn area_um2(self, px2: f64) -> f64 {
        px2 * self.0 * self.0
    }

    /// An area of `px2` pixels in square millimeters.
    #[must_use]
    pub fn area_mm2(self, px2: f64) -> f64 {
        self.area_um2(px2) / 1e6
    }
}

/// A length as it was written: in pixels or in micrometers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Length {
    /// Pixels of the working resolution.
    Px(f64),
    /// Micrometers.
    Um(f64),
}

impl Length {
    /// The length in pixels; `None` for micrometers without a pixel size.
    #[must_use]
    pub fn px(self, pixel: Option<PixelSize>) -> Option<f64> {
        match self {
            Self::Px(px) => Some(px),
            Self::Um(um) => pixel.map(|p| um / p.0),
        }
    }

    /// The number as written, without its unit.
    #[must_use]
    pub fn number(self) -> f64 {
        match self {
            Self::Px(number) | Self::Um(number) => number,
        }
    }

    /// Whether the length is written in micrometers.
    #[must_use]
    pub fn is_physical(self) -> bool {
        matches!(self, Self::Um(_))
    }
}

/// An area as it was written: in pixels or in square micrometers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Area {
    /// Pixels of the working resolution.
    Px2(f64),
    /// Square micrometers.
    Um2(f64),
}

impl Area {
    /// The area in pixels; `None` for square micrometers without a pixel size.
    #[must_use]
    pub fn px2(self, pixel: Option<PixelSize>) -> Option<f64> {
        match self {
            Self::Px2(px2) => Some(px2),
            Self::Um2(um2) => pixel.map(|p| um2 / (p.0 * p.0)),
        }
    }

    /// The number as written, without its unit.
    #[must_use]
    pub fn number(self) -> f64 {
        match self {
            Self::Px2(number) | Self::Um2(number) => number,
        }
    }

    /// Whether the area is written in square micrometers.
    #[must_use]
    pub fn is_physical(self) -> bool {
        matches!(self, Self::Um2(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn micrometers_need_a_pixel_size() {
        let half = PixelSize::from_um(0.5);
        assert_eq!(Length::Um(1.0).px(half), Some(2.0));
        assert_eq!(Length::Um(1.0).px(None), None);
        assert_eq!(Area::Um2(10.0).px2(half), Some(40.0));
        assert_eq!(Length::Px(3.0).px(None), Some(3.0));
    }

    #[test]
    fn impossible_pixel_sizes_are_refused() {
        for um in [0.0, -1.0, f64::NAN, f64::INFINITY, 101.0] {
            assert_eq!(PixelSize::from_um(um), None, "{um}");
        }
    }

    #[test]
    fn one_percent_apart_still_agrees() {
        let at = |um| PixelSize::from_um(um).unwrap();
        assert!(at(0.5).agrees_with(at(0.504)));
        assert!(!at(0.5).agrees_with(at(0.51)));
    }
}
