//! Nuclei: the steps that the classical path (`segment`) and the network's (`unet`) share.
//!
//! `signal` is the channel that is looked at and `resample` its resolution; `split` separates
//! touching nuclei, by an elevation map (`elevation`) that `flood` divides; `cleaning` drops
//! regions that are not nuclei.

mod error;
pub mod cleaning;
pub mod elevation;
pub mod flood;
pub mod resample;
pub mod signal;
pub mod split;

pub use error::SegmentError;
