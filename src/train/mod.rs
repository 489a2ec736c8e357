//! Train: from fields with truth to batches that a network learns from.
//!
//! Takes a dataset and a recipe; gives batches of augmented crops with what the network is to
//! answer. A batch is a pure function of the fields, the recipe and the step. Knows no framework.

pub mod batch;
pub mod choice;
pub mod division;
pub mod intensity;
pub mod preview;
pub mod recipe;
pub mod sample;
pub mod targets;
pub mod warp;
