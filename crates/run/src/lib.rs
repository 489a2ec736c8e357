//! Run: one profile on one field or dataset, from image to labels, table and summary.
//!
//! Calls segment or the network, measure and score in order, and keeps results that were computed
//! before. Decides nothing.
//!
//! # Examples
//! A drawn image, a profile, and what is found:
//! ```
//! use cellgate_core::accuracy::score_field;
//! use cellgate_core::profile::Modality;
//! use cellgate_inputs::dataset::phantom::Phantom;
//! use cellgate_inputs::params::of_text;
//! use cellgate_inputs::source::Source;
//! use cellgate_run::run_field;
//!
//! let text = "schema: cellgate/profile/v1
//! name: p
//! image: {modality: fluorescence}
//! background: {method: opening, radius_um: 15}
//! smoothing: {sigma_um: 0.5}
//! threshold: {method: otsu, correction_factor: 0.8}
//! split: {method: shape, h: 0.3}
//! ";
//! let profile = of_text(&Source::new("p.yaml", text)).unwrap();
//! let drawing = Phantom::new(Modality::Fluorescence, 1).draw();
//! let run = run_field(&drawing.image, &profile.params, Phantom::pixel_size())?;
//! let accuracy = score_field(&drawing.truth, &run.labels)?;
//! assert!(accuracy.scores.f1_at_50 > 0.8, "{:?}", accuracy.scores);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// What is kept of a run.
pub mod write;
pub mod tables;
pub mod field;
pub mod cache;

// One image.
pub mod models;
pub mod ready;
pub mod fingerprint;
pub mod record;
pub mod rehearsal;

// Many.
pub mod many;
pub mod files;

pub use field::{FieldRun, digest_of, pixel_size};
pub use ready::{RunError, run_field};
