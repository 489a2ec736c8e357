//! cellgate's engine: from the pixels of a microscope image to labeled nuclei, their measurements,
//! and how far two runs or a run and the truth lie apart.
//!
//! Images and profiles in, labels and numbers out: nothing here reads files, asks the clock or
//! the network, or starts programs. Equal inputs give equal bytes, on every thread count and every
//! machine.
//!
//! The order of the modules is the floor plan of the crate: a module uses only what stands above it.
//!
//! # Examples
//! See `examples` below: this is completed by the crate-level example.

// Foundations: small things that do not know the word nucleus.
pub mod digest;
pub mod raster;
pub mod units;
pub mod vectors;
pub mod preparation;

// What people ask for: the cell parameters, and how far measurements may move.
pub mod profile;
pub mod tolerances;

// Pixels: from image to labels to numbers.
pub mod stain;
pub mod segment;
pub mod unet;
pub mod measure;
pub mod score;

// Judgement: compare, decide nothing.
pub mod overlap;
pub mod accuracy;
pub mod drift;
