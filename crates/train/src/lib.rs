//! Train: a network's weights from fields with truth.
//!
//! Takes a dataset and a recipe; gives batches of augmented crops with what the network is to
//! answer, and weights that answer it. A batch is a pure function of the fields, the recipe and the
//! step, and so are the weights on one processor. Only `device`, `learner`, `model`, `ops` and
//! `plain` know burn.
//!
//! # Examples
//! A recipe has every number of a training, and a default for each:
//! ```
//! use cellgate_train::recipe::Recipe;
//!
//! let recipe = Recipe::of_json(br#"{"seed": 7}"#)?;
//! assert_eq!(recipe.seed, 7);
//! assert!(Recipe::of_json(br#"{"sede": 7}"#).is_err());
//! # Ok::<(), serde_json::Error>(())
//! ```

pub mod batch;
pub mod card;
pub mod checkpoint;
pub mod choice;
pub mod conclusion;
pub mod device;
pub mod division;
mod eosin;
pub mod held_out;
pub mod intensity;
pub mod judge;
pub mod learner;
pub mod loss;
pub mod model;
mod ops;
pub mod optimizer;
pub mod parameters;
mod plain;
pub mod preview;
pub mod recipe;
pub mod record;
pub mod run;
pub mod sample;
pub mod targets;
#[cfg(test)]
mod tests;
pub mod validation;
pub mod warp;
