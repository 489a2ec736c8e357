//! The one integration-test binary: what the parts do together, on real files.

mod measure_reference;
mod phantom_accuracy;
mod profiles;
mod segment_determinism;
mod segment_edge_cases;
mod tidy;
