//! Grid: connected parts, masks, distances and cut-out pieces of a raster of pixels.
//!
//! Segmentation, networks, measurement and training share it; it knows no image, no profile and no
//! nucleus.

pub mod components;
pub mod disk;
pub mod distance;
pub mod mask;
pub mod patch;
