//! Nuclei: what both ways to nuclei share, the classical one (`segment`) and the network's (`unet`).
//!
//! `signal` is the channel that is looked at and `resample` its resolution; `split` separates what
//! touches, by a `relief` that `flood` divides; `cleaning` drops what is no nucleus.

mod error;
pub mod cleaning;
pub mod flood;
pub mod relief;
pub mod resample;
pub mod signal;
pub mod split;

pub use error::SegmentError;
