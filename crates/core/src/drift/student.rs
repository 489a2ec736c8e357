//! Student's t distribution for whole degrees of freedom, in closed form.
//!
//! Own code so that every machine gives the same bits: finite sums, the square root, and one
//! arctangent from `libm`.
//!
//! Source: Abramowitz and Stegun 1964, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.

use std::f64::consts::FRAC_2_PI;

/// Probability that a t-distributed value with `n_free` degrees of freedom is at most `t`.
///
/// # Edge cases
/// Infinite `t` gives 0 or 1. `n_free` of 0 is read as 1.
pub(super) fn cumulative_probability(t: f64, n_free: u32) -> f64 {
    let n_free = n_free.max(1);
    if t.is_infinite() {
        return if t > 0.0 { 1.0 } else { 0.0 };
    }
    0.5 + 0.5 * central_probability(t, n_free)
}

/// Probability of lying between -t and t, with the sign of `t`.
fn central_probability(t: f64, n_free: u32) -> f64 {
    let root = f64::from(n_free).sqrt();
    let hypotenuse = (f64::from(n_free) + t * t).sqrt();
    let (sin, cos) = (t / hypotenuse, root / hypotenuse);
    let is_odd = n_free % 2 == 1;
    // Terms 1, 1/2 cos², 1·3/2·4 cos⁴ ... for even, cos, 2/3 cos³ ... for odd degrees of freedom.
    let mut term = if is_odd { cos } else { 1.0 };
    let mut sum = if n_free == 1 { 0.0 } else { term };
    let mut power = if is_odd { 3 } else { 2 };
    while power < n_free {
        term *= f64::from(power - 1) / f64::from(power) * cos * cos;
        sum += term;
        power += 2;
    }
    if is_odd { FRAC_2_PI * (libm::atan(t / root) + sin * sum) } else { sin * sum }
}

/// The value that a t-distributed one stays below with probability 0.95.
///
/// # Edge cases
/// `n_free` of 0 is read as 1. Past 1000 degrees of freedom the value of 1000 is given: it differs
/// from the normal distribution's by one part in a thousand, to the wide side.
pub(super) fn quantile_95(n_free: u32) -> f64 {
    let n_free = n_free.clamp(1, 1000);
    // The quantile falls from 6.314 at 1 degree of freedom to 1.646 at 1000.
    let (mut low, mut high) = (1.6, 6.4);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if cumulative_probability(middle, n_free) < 0.95 { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_agree_with_printed_tables() {
        // Abramowitz and Stegun, table 26.10.
        let table = [(1, 6.314), (2, 2.920), (5, 2.015), (9, 1.833), (10, 1.812), (30, 1.697)];
        for (n_free, expected) in table {
            assert!((quantile_95(n_free) - expected).abs() < 5e-4, "{n_free}");
        }
        assert!((quantile_95(120) - 1.658).abs() < 5e-4);
        assert_eq!(quantile_95(5000).to_bits(), quantile_95(1000).to_bits());
    }

    #[test]
    fn one_and_two_degrees_have_their_closed_forms() {
        for t in [-40.0, -3.0, -0.2, 0.0, 0.7, 2.5, 1e6] {
            let cauchy = 0.5 + libm::atan(t) / std::f64::consts::PI;
            assert!((cumulative_probability(t, 1) - cauchy).abs() < 1e-15, "{t}");
            let two = 0.5 + 0.5 * t / (2.0 + t * t).sqrt();
            assert!((cumulative_probability(t, 2) - two).abs() < 1e-15, "{t}");
        }
    }

    #[test]
    fn distribution_is_symmetric_and_complete() {
        for n_free in [1, 2, 3, 4, 7, 50, 151] {
            for t in [0.1, 1.0, 4.0] {
                let both = cumulative_probability(t, n_free) + cumulative_probability(-t, n_free);
                assert!((both - 1.0).abs() < 1e-15, "{n_free}, {t}");
            }
            assert_eq!(cumulative_probability(f64::INFINITY, n_free), 1.0);
            assert_eq!(cumulative_probability(f64::NEG_INFINITY, n_free), 0.0);
        }
    }
}
