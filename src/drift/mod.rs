//! Drift: how far head's nuclei and numbers moved from base's.

mod pairing;

pub use pairing::{Fate, Pair, Pairing, pair};
