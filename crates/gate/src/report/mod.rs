//! Report: verdicts, drift, accuracy and findings as text, tables and pictures.
//!
//! Verdicts are one value, [`model::Report`], and its renderings. Nothing here decides anything.

pub mod findings;
pub mod consent;
pub mod curves;
pub mod explain;
pub mod geojson;
pub mod html;
pub mod markdown;
pub mod model;
pub mod model_card;
pub mod overlay;
pub mod probabilities;
