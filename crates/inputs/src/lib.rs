//! What people wrote and what microscopes saw: profiles, project files, datasets, images and
//! commits, each checked before anybody relies on it.
//!
//! Every remark about an input is a [`finding::Finding`] with a code, a place and a help line, and all
//! of them are given at once. Sizes are bounded before anything is allocated.
//!
//! The order of the modules is the floor plan of the crate: a module uses only what stands above it.

// Foundations.
pub mod secret;
pub mod source;
pub mod finding;
pub mod yaml;

// Inputs.
pub mod revision;
pub mod params;
pub mod project;
pub mod dataset;
