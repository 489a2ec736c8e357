//! Distribution: how the values of all nuclei are spread, on both sides.
//!
//! For reading and not for judging: it shows what a mean hides.

/// Number of bins of a histogram.
pub const N_BINS: usize = 32;

/// Fraction of values left out of the histogram's range at either end, so that one giant nucleus
/// does not squeeze all others into one bin; they are counted in the outermost bins.
const TAIL_FRACTION: f64 = 0.005;

/// Values of one measurement over all nuclei of all fields, on the same bins.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// Lower end of the first bin.
    pub low: f64,
    /// Upper end of the last bin.
    pub high: f64,
    /// Nuclei of base in each bin.
    pub base: [u32; N_BINS],
    /// Nuclei of head in each bin.
    pub head: [u32; N_BINS],
    /// Quantiles of base; `None` without values.
    pub base_quantiles: Option<Quantiles>,
    /// Quantiles of head; `None` without values.
    pub head_quantiles: Option<Quantiles>,
}

/// Three quantiles, each the value at the rank next below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantiles {
    /// 10 % of nuclei lie below.
    pub q10: f64,
    /// The median.
    pub q50: f64,
    /// 90 % of nuclei lie below.
    pub q90: f64,
}

impl Distribution {
    /// Counts the values of both sides; `None` when there are none.
    pub(super) fn of(mut base: Vec<f64>, mut head: Vec<f64>) -> Option<Self> {
        base.sort_unstable_by(f64::total_cmp);
        head.sort_unstable_by(f64::total_cmp);
        let ends = |values: &[f64]| {
            Some((quantile(values, TAIL_FRACTION)?, quantile(values, 1.0 - TAIL_FRACTION)?))
        };
        let (low, high) = match (ends(&base), ends(&head)) {
            (Some(base), Some(head)) => (base.0.min(head.0), base.1.max(head.1)),
            (Some(ends), None) | (None, Some(ends)) => ends,
            (None, None) => return None,
        };
        let count = |values: &[f64]| {
            let mut bins = [0; N_BINS];
            for value in values {
                let place = (value - low) / (high - low) * N_BINS as f64;
                // A constant measurement has no width: its 0/0 lands in the first bin.
                bins[(place as usize).min(N_BINS - 1)] += 1;
            }
            bins
        };
        let (counts_base, counts_head) = (count(&base), count(&head));
        Some(Self {
            low,
            high,
            base: counts_base,
            head: counts_head,
            base_quantiles: Quantiles::of(&base),
            head_quantiles: Quantiles::of(&head),
        })
    }
}

impl Quantiles {
    fn of(sorted: &[f64]) -> Option<Self> {
        Some(Self {
            q10: quantile(sorted, 0.1)?,
            q50: quantile(sorted, 0.5)?,
            q90: quantile(sorted, 0.9)?,
        })
    }
}

/// The value at a fraction of the ranks.
fn quantile(sorted: &[f64], fraction: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((fraction * last as f64) as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_once() {
        let base: Vec<f64> = (0..1000).map(f64::from).collect();
        let head = vec![-1e9, 500.0, 1e9];
        let distribution = Distribution::of(base, head).unwrap();
        assert_eq!(distribution.base.iter().sum::<u32>(), 1000);
        assert_eq!(distribution.head.iter().sum::<u32>(), 3);
        assert_eq!(
            distribution.base_quantiles,
            Some(Quantiles { q10: 99.0, q50: 499.0, q90: 899.0 })
        );
    }

    #[test]
    fn constant_values_lie_in_one_bin() {
        let distribution = Distribution::of(vec![2.0; 5], Vec::new()).unwrap();
        assert_eq!(distribution.base[0], 5);
        assert_eq!(distribution.head_quantiles, None);
        assert_eq!(Distribution::of(Vec::new(), Vec::new()), None);
    }
}
