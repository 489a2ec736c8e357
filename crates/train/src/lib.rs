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
//! let recipe = Recipe::from_json(br#"{"seed": 7}"#)?;
//! assert_eq!(recipe.seed, 7);
//! assert!(Recipe::from_json(br#"{"sede": 7}"#).is_err());
//! # Ok::<(), serde_json::Error>(())
//! ```

// What is trained on: pure functions of fields, recipe and step.
pub mod recipe;
pub mod sample;
pub mod choice;
mod eosin;
pub mod intensity;
pub mod warp;
pub mod targets;
pub mod batch;
pub mod division;

// What learns.
pub mod parameters;
pub mod loss;
mod plain;
mod ops;
pub mod model;
pub mod optimizer;
pub mod device;
pub mod learner;

// A training from its beginning to its card.
pub mod record;
pub mod card;
pub mod checkpoint;
pub mod held_out;
pub mod validation;
pub mod judge;
pub mod run;
pub mod conclusion;
pub mod preview;

#[cfg(test)]
mod tests;
