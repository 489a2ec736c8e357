//! Noise: numbers for the tests of the kernels, and how they are compared.

use super::feature_map::{FeatureMap, Shape};

/// Numbers in [-0.5, 0.5), the same every time.
pub(super) fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 16_777_216.0 - 0.5
    };
    (0..n).map(|_| next()).collect()
}

/// A batch of noise.
pub(super) fn noise_map(shape: [usize; 4], seed: u64) -> FeatureMap {
    let [batch, height, width, channels] = shape;
    let shape = Shape { batch, height, width, channels };
    FeatureMap { shape, values: noise(shape.n_values(), seed) }
}

/// Fails where numbers differ by more than a share of the greatest.
#[track_caller]
pub(super) fn check_close(name: &str, numbers: &[f32], expected: &[f64], share: f64) {
    assert_eq!(numbers.len(), expected.len(), "{name}");
    let most = expected.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    for (place, (number, expected)) in numbers.iter().zip(expected).enumerate() {
        let apart = (f64::from(*number) - expected).abs();
        assert!(apart <= share * most, "{name} at {place}: {number}, not {expected}");
    }
}
