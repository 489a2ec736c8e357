//! Agree: whether a card is about the weights beside it.

use super::super::weights::{Precision, Weights};
use super::{Card, CardError, WeightsFile};
use crate::digest::Digest;

impl WeightsFile {
    /// Entry of a card for a file of weights.
    #[must_use]
    pub fn of(file: &str, bytes: &[u8], precision: Precision) -> Self {
        let (sha256, n_bytes) = (Digest::of_bytes(bytes), bytes.len() as u64);
        Self { file: file.to_owned(), sha256, bytes: n_bytes, precision }
    }
}

impl Card {
    /// Reads the weights that the card is about.
    ///
    /// # Errors
    /// [`CardError::Disagrees`] with everything in which card and file differ;
    /// [`CardError::Weights`] when the file agrees but cannot be used, or cannot be used at all.
    pub fn weights_of(&self, bytes: &[u8]) -> Result<Weights, CardError> {
        let mut differences = Vec::new();
        let n_bytes = bytes.len() as u64;
        if n_bytes != self.weights.bytes {
            differences.push(format!(
                "the card says {} bytes, the file has {n_bytes}",
                self.weights.bytes
            ));
        }
        let digest = Digest::of_bytes(bytes);
        if digest != self.weights.sha256 {
            let (expected, found) = (self.weights.sha256.short(), digest.short());
            differences.push(format!("the card says sha256 {expected}…, the file has {found}…"));
        }
        let weights = Weights::read(bytes);
        if let Ok(weights) = &weights {
            self.compare(weights, bytes, &mut differences);
        }
        match weights {
            Ok(weights) if differences.is_empty() => Ok(weights),
            Err(error) if differences.is_empty() => Err(error.into()),
            _ => Err(CardError::Disagrees(differences)),
        }
    }

    /// Compares the card's description of the network with the file's.
    fn compare(&self, weights: &Weights, bytes: &[u8], differences: &mut Vec<String>) {
        let (expected, found) = (&self.architecture, weights.architecture());
        if expected != found {
            differences.push(format!("the card says {expected}, the weights are of {found}"));
        }
        let (expected, found) = (&self.input.scaling, weights.input());
        if expected != found {
            differences.push(format!(
                "the card scales percentiles {} to {} and clips at {} and {}, the weights {} to {} \
                and {} and {}",
                expected.low_percentile,
                expected.high_percentile,
                expected.clip_low,
                expected.clip_high,
                found.low_percentile,
                found.high_percentile,
                found.clip_low,
                found.clip_high
            ));
        }
        let (expected, found) = (&self.input.preparation, weights.preparation());
        if expected != found {
            differences.push(format!(
                "the card's preparation is `{expected}`, that of the weights `{found}`"
            ));
        }
        // Only a file that cellgate wrote shows how: others may mix precisions.
        for precision in [Precision::Half, Precision::Single] {
            let is_written = weights.to_bytes(precision).is_ok_and(|file| file == bytes);
            if is_written && precision != self.weights.precision {
                differences.push(format!(
                    "the card says {} precision, the file has {}",
                    self.weights.precision, precision
                ));
            }
        }
    }
}
