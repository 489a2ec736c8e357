//! The one integration-test binary: what the parts do together, on real files.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bad_files;
mod bad_inputs;
mod commands;
mod desk;
mod drift_sense;
mod gate;
mod gate_results;
mod real_fields;
mod repository;
