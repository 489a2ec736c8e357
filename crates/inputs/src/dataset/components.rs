//! Components: numbers the connected parts of a mask.
//!
//! Pixels that touch at a side or a corner belong together. The pixel path has its own, on runs;
//! here, where datasets are prepared, imageproc's serves.

use cellgate_core::raster::{Labels, Raster};
use image::{GrayImage, Luma};
use imageproc::region_labelling::{Connectivity, connected_components};

/// Numbers the 8-connected parts of a mask from 1 in the order of their first pixels.
///
/// # Edge cases
/// An empty mask gives labels of 0.
#[must_use]
pub fn label_components(mask: &Raster<bool>) -> Labels {
    let (width, height) = (mask.width(), mask.height());
    let picture = GrayImage::from_fn(width, height, |x, y| Luma([u8::from(mask.at(x, y))]));
    let parts = connected_components(&picture, Connectivity::Eight, Luma([0]));
    Labels::from_fn(width, height, |x, y| parts.get_pixel(x, y).0[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellgate_core::labels;

    #[track_caller]
    fn check(mask: Labels, expected: Labels) {
        assert_eq!(label_components(&mask.map(|sample| sample > 0)), expected);
    }

    #[test]
    fn corners_connect_and_numbers_rise_from_the_top_left() {
        check(
            labels![1, 0, 0, 1; 0, 1, 0, 0; 0, 0, 0, 1],
            labels![1, 0, 0, 2; 0, 1, 0, 0; 0, 0, 0, 3],
        );
    }

    #[test]
    fn branches_that_meet_later_are_one_component() {
        check(
            labels![1, 0, 1, 0, 1; 1, 0, 1, 0, 1; 1, 1, 1, 1, 1; 0, 0, 0, 0, 0; 1, 0, 0, 0, 1],
            labels![1, 0, 1, 0, 1; 1, 0, 1, 0, 1; 1, 1, 1, 1, 1; 0, 0, 0, 0, 0; 2, 0, 0, 0, 3],
        );
    }

    #[test]
    fn empty_mask_has_no_component() {
        check(labels![0, 0; 0, 0], labels![0, 0; 0, 0]);
    }
}
