//! Drift: how far head's nuclei and numbers moved from base's.

mod pairing;
mod stats;
mod student;

pub use pairing::{Fate, Pair, Pairing, pair};
pub use stats::{CONFIDENCE, Interval, Movement, N_RESAMPLES, Shift};
