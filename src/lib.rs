//! cellgate: the gate that a change of cell parameters passes on its way to the server.
//!
//! The list of modules below is the floor plan: a module uses only what stands above it.

pub mod dataset;
pub mod digest;
pub mod finding;
pub mod measure;
pub mod params;
pub mod project;
pub mod raster;
pub mod revision;
pub mod score;
pub mod segment;
pub mod source;
pub mod units;
pub mod yaml;
