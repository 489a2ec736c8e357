//! The one integration-test binary: what the parts do together, on real files.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bad_files;
mod bad_inputs;
mod commands;
mod deploy;
mod deploy_disks;
mod deploy_faults;
mod deploy_locks;
mod deploy_mishaps;
mod deploy_refusals;
mod deploy_rig;
mod desk;
mod drift_sense;
mod event;
mod gate;
mod gate_results;
mod measure_reference;
mod phantom_accuracy;
mod profiles;
mod real_accuracy;
mod real_fields;
mod repository;
mod segment_determinism;
mod segment_edge_cases;
mod tidy;
