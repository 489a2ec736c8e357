//! U-Net: from an image to labels, by a trained network.
//!
//! Takes a decoded image, a profile and the network's weights; gives instance labels, through the
//! same seeds, watershed and cleaning as the classical path. Knows neither files nor training.

pub mod architecture;
pub mod feature_map;
pub mod batch_norm;
mod gemm;
mod winograd;
pub mod conv;
pub mod head;
pub mod pooling;
pub mod up_sampling;
pub mod input;
pub mod weights;
