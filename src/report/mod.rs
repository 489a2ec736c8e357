//! Report: verdicts, drift and accuracy as text, tables and pictures.
//!
//! One value, [`model::Report`], and its renderings. Nothing here decides anything.

pub mod explain;
pub mod html;
pub mod markdown;
pub mod model;
pub mod overlay;
