//! Inputs: profiles, project files, datasets, images and commits, each checked before use.
//!
//! Every remark about an input is a [`finding::Finding`] with a code, a place and a help line, and all
//! of them are given at once. Sizes are bounded before anything is allocated.
//!
//! # Examples
//! A slip in a profile is named with its place and with what was meant:
//! ```
//! use cellgate_inputs::params::of_text;
//! use cellgate_inputs::source::Source;
//!
//! let text = "schema: cellgate/profile/v1\nname: mine\nimage: {modality: fluorescense}\n";
//! let findings = of_text(&Source::new("mine.yaml", text)).unwrap_err();
//! assert_eq!(findings[0].place.span.map(|span| (span.line, span.column)), Some((3, 19)));
//! assert!(findings[0].help.as_deref().unwrap_or("").contains("`fluorescence`"));
//! ```
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
