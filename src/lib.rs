//! cellgate: the gate that a change of cell parameters passes on its way to the server.
//!
//! The list of modules is the floor plan: a module uses only what stands above it in the list.

// Foundations.
pub mod digest;
pub mod units;

pub mod source;

pub mod finding;

pub mod yaml;

pub mod raster;

// Inputs.
pub mod revision;

pub mod params;

pub mod project;

pub mod dataset;

// Pixels.
pub mod segment;

pub mod measure;

pub mod score;

// Judgement.
pub mod drift;

pub mod accuracy;

pub mod verdict;

// Words.
pub mod report;

// Stories.
pub mod run;

pub mod gate;

pub mod demo;
