//! Project: `cellgate.yaml` and the policy that a change is judged by.

mod policy;

pub use policy::{AccuracyFloors, ApprovalPolicy, Policy, StructureLimits, Tolerance, Tolerances};
