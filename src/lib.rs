//! cellgate: the gate that a change of cell parameters passes on its way to the server.
//!
//! The list below is the floor plan: a module uses only what stands above it.

// Floor 0, foundations: know no nucleus.
pub mod digest;
pub mod units;
pub mod source;
pub mod finding;
pub mod yaml;
pub mod raster;

// Floor 1, inputs: read local files and git objects.
pub mod revision;
pub mod project;
pub mod params;
pub mod dataset;

// Floor 2, pixels: compute.
pub mod segment;
pub mod measure;
pub mod score;

// Floor 3, judgement: compare and decide.
pub mod overlap;
pub mod drift;
pub mod accuracy;
pub mod verdict;

// Floor 4, words: turn values into text, tables and pictures.
pub mod report;

// Floor 5, stories: call the floors below in order.
pub mod run;
pub mod gate;
pub mod demo;
