//! Train: a network's weights from fields with truth.
//!
//! Takes a dataset and a recipe; gives batches of augmented crops with what the network is to
//! answer, and weights that answer it. A batch is a pure function of the fields, the recipe and the
//! step, and so are the weights on one processor. Only `device`, `learner`, `model`, `ops` and
//! `plain` know burn, which stands behind the feature `train`.

pub mod batch;
#[cfg(feature = "train")]
pub mod card;
#[cfg(feature = "train")]
pub mod checkpoint;
pub mod choice;
#[cfg(feature = "train")]
pub mod conclusion;
#[cfg(feature = "train")]
pub mod device;
pub mod division;
mod eosin;
#[cfg(feature = "train")]
pub mod held_out;
pub mod intensity;
#[cfg(feature = "train")]
pub mod judge;
#[cfg(feature = "train")]
pub mod learner;
pub mod loss;
#[cfg(feature = "train")]
pub mod model;
#[cfg(feature = "train")]
mod ops;
pub mod optimizer;
pub mod parameters;
#[cfg(feature = "train")]
mod plain;
pub mod preview;
pub mod recipe;
#[cfg(feature = "train")]
pub mod record;
#[cfg(feature = "train")]
pub mod run;
pub mod sample;
pub mod targets;
#[cfg(feature = "train")]
#[cfg(test)]
mod tests;
pub mod validation;
pub mod warp;
