//! Preparation: changes to images before segmentation and training.
//!
//! Histograms are made flat or like another image's, and images brought to one size or one pixel
//! size. Integers in, integers out: the same image gives the same samples on every machine. Knows
//! neither files nor the contents of the images.
//!
//! # Sources
//! Berezsky et al. 2023 prepare their dataset in these ways.

mod size;
mod histogram;
mod resize;
mod steps;

pub use histogram::{Histogram, MatchError, Reference, equalize_histogram, match_histogram};
pub use resize::{resize_image, resize_labels};
pub use size::{MAX_EDGE_PX, Size, pixel_size_after};
pub use steps::{PrepareError, Prepared, Steps};
