//! Grid: connected parts, masks, distances and cut-out pieces of a raster of pixels.
//!
//! What segmenting, networks, measuring and training share; knows no image, no profile and no
//! nucleus.

pub mod components;
pub mod disk;
pub mod distance;
pub mod mask;
pub mod patch;
