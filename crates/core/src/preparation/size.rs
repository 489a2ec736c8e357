//! Size: how large an image is made, and how large its pixels are then.

use crate::units::PixelSize;
use serde::{Deserialize, Serialize};

/// Longest edge that an image is brought to, in pixels.
pub const MAX_EDGE_PX: u32 = 20_000;

/// Change to an image's size.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// It stays.
    #[default]
    Kept,
    /// So many pixels.
    Px {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// So many pixels that each has this size.
    #[serde(rename = "um_per_px")]
    Pixel(PixelSize),
}

impl Size {
    /// The width and height that an image comes to; `None` when that needs the pixel size and
    /// nobody knows it, or would be longer than [`MAX_EDGE_PX`].
    #[must_use]
    pub fn of(self, (width, height): (u32, u32), known: Option<PixelSize>) -> Option<(u32, u32)> {
        let (width, height) = match self {
            Self::Kept => return Some((width, height)),
            Self::Px { width, height } => (width, height),
            Self::Pixel(target) => {
                let factor = known?.pixels_per(target);
                let edge = |n_px: u32| (f64::from(n_px) / factor).round().max(1.0);
                let (width, height) = (edge(width), edge(height));
                if f64::from(MAX_EDGE_PX) < width.max(height) {
                    return None;
                }
                (width as u32, height as u32)
            }
        };
        (is_edge(width) && is_edge(height)).then_some((width, height))
    }
}

/// The pixel size of an image that was brought from one size to another; `None` when its sides were
/// scaled by factors more than 1 % apart.
#[must_use]
pub fn pixel_size_after(
    before: PixelSize,
    (width, height): (u32, u32),
    (new_width, new_height): (u32, u32),
) -> Option<PixelSize> {
    let across = before.scaled(f64::from(width) / f64::from(new_width))?;
    let down = before.scaled(f64::from(height) / f64::from(new_height))?;
    across.agrees_with(down).then_some(across)
}

/// Whether an edge is neither nothing nor too long.
pub(super) fn is_edge(n_px: u32) -> bool {
    (1..=MAX_EDGE_PX).contains(&n_px)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_from_pixels_or_from_the_pixel_size() {
        let um = |um| PixelSize::from_um(um);
        let pixel = |target_um| Size::Pixel(um(target_um).unwrap());
        assert_eq!(Size::Kept.of((7, 5), None), Some((7, 5)));
        assert_eq!(Size::Px { width: 4, height: 2 }.of((7, 5), None), Some((4, 2)));
        assert_eq!(Size::Px { width: 0, height: 2 }.of((7, 5), None), None);
        assert_eq!(pixel(0.5).of((100, 50), um(0.25)), Some((50, 25)));
        assert_eq!(pixel(0.25).of((100, 50), um(0.5)), Some((200, 100)));
        assert_eq!(pixel(0.5).of((100, 50), None), None);
        assert_eq!(pixel(0.01).of((10_000, 50), um(1.0)), None);
    }

    #[test]
    fn the_pixel_size_is_kept_with_the_proportions() {
        let half = PixelSize::from_um(0.5).unwrap();
        assert_eq!(pixel_size_after(half, (100, 50), (50, 25)), PixelSize::from_um(1.0));
        assert_eq!(pixel_size_after(half, (100, 50), (50, 50)), None);
    }
}
