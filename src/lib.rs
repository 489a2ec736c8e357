//! cellgate: the gate that a change of cell parameters passes on its way to the server.
//!
//! The order of the modules below is the floor plan: a module uses only what stands above it.
//! `tests/it/tidy.rs` reads this list and fails on an import that runs the other way.

// Floor 0, foundations: small things that do not know the word nucleus.
pub mod digest;
pub mod secret;
pub mod units;
pub mod source;
pub mod finding;
pub mod yaml;
pub mod raster;
pub mod vectors;

// Floor 1, inputs: what people wrote and what microscopes saw.
pub mod revision;
pub mod params;
pub mod project;
pub mod preparation;
pub mod dataset;

// Floor 2, pixels: from image to labels to numbers.
pub mod stain;
pub mod segment;
pub mod unet;
pub mod measure;
pub mod score;

// Floor 3, judgement: compare and decide.
pub mod overlap;
pub mod drift;
pub mod accuracy;
pub mod verdict;
pub mod approval;

// Floor 4, words: values become text, tables and pictures.
pub mod report;

// Floor 5, stories: the floors below, in order.
pub mod run;
pub mod validate;
pub mod train;
pub mod gate;
pub mod compare;
pub mod init;

// Floor 6, world: other machines and people.
pub mod fetch;
pub mod github;
pub mod release;
pub mod wire;
pub mod agent;
pub mod deploy;

// The tour through the whole house.
pub mod demo;
