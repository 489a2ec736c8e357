//! Stats: inference from a few differences, one a field, to all fields of their kind.
//!
//! Takes paired differences (head minus base) and a margin; gives an interval and a verdict. The
//! field is the unit: nuclei of one field resemble each other and would feign certainty.

use super::student;

/// Number of bootstrap resamples.
pub const N_RESAMPLES: u32 = 2000;

/// Confidence of the intervals: two one-sided tests at 5 % each.
pub const CONFIDENCE: f64 = 0.90;

/// Probability of calling something drifted, anywhere in the table, that has not drifted.
const FALSE_ALARM: f64 = 0.05;

/// More fields than this are not asked for.
const MAX_FIELDS_ASKED: u32 = 100_000;

/// Estimate of one shift from the fields.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// Mean of the differences; the estimate.
    pub mean: f64,
    /// Where the true shift lies, with a confidence of 90 %; with too few fields the range of the
    /// differences.
    pub interval: Interval,
    /// Number of fields that have a difference.
    pub n_fields: u32,
    /// Whether `interval` is a confidence interval; false means the range of the fields.
    pub is_decidable: bool,
    /// Standard deviation of the differences; 0 for one field.
    pub sd: f64,
}

/// A closed interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// How a shift stands to its margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Movement {
    /// No difference at all, in any field.
    Unchanged,
    /// The interval lies within the margin: proven not to matter.
    Equivalent,
    /// Neither proven; more fields would decide.
    Inconclusive,
    /// The interval lies outside the margin: proven to matter.
    Drifted,
    /// Base has the measurement, head has not.
    Missing,
}

impl Movement {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Equivalent => "equivalent",
            Self::Inconclusive => "inconclusive",
            Self::Drifted => "drifted",
            Self::Missing => "missing",
        }
    }
}

/// Estimates the shift of all fields from the differences of some; `None` without any.
///
/// The interval is the union of Student's t interval and the percentile bootstrap interval over
/// fields. The bootstrap alone is too narrow for few fields (its spread is short by
/// √((n-1)/n), and it takes normal in the place of t quantiles); t alone ignores skew. The union
/// errs to the wide side, which is the side that proves less.
///
/// # Edge cases
/// Fewer than `min_fields` differences, and a single one always, cannot decide: the interval is
/// their range.
///
/// # Sources
/// Hesterberg 2015, doi:10.1080/00031305.2015.1089789. Fields and not nuclei as the unit:
/// Saravanan et al. 2020, Neurons Behav. Data Anal. Theory 3(5).
#[must_use]
pub(super) fn estimate(differences: &[f64], min_fields: u32, seed: u64) -> Option<Shift> {
    let n_fields = u32::try_from(differences.len()).unwrap_or(u32::MAX);
    let range = Interval {
        low: differences.iter().copied().reduce(f64::min)?,
        high: differences.iter().copied().reduce(f64::max)?,
    };
    if range.low == range.high {
        // Stated apart: rounding in the mean of equal numbers must not look like a spread.
        let is_decidable = n_fields >= min_fields.max(2);
        return Some(Shift { mean: range.low, interval: range, n_fields, is_decidable, sd: 0.0 });
    }
    let n = f64::from(n_fields);
    let mean = differences.iter().sum::<f64>() / n;
    let squares: f64 = differences.iter().map(|d| (d - mean) * (d - mean)).sum();
    let sd = (squares / (n - 1.0)).sqrt();
    if n_fields < min_fields.max(2) {
        return Some(Shift { mean, interval: range, n_fields, is_decidable: false, sd });
    }
    let reach = student::quantile_95(n_fields - 1) * sd / n.sqrt();
    let resampled = percentile_bootstrap(differences, seed);
    let interval =
        Interval { low: resampled.low.min(mean - reach), high: resampled.high.max(mean + reach) };
    Some(Shift { mean, interval, n_fields, is_decidable: true, sd })
}

/// The 5th and 95th percentile of the means of resampled differences.
fn percentile_bootstrap(differences: &[f64], seed: u64) -> Interval {
    let mut random = SplitMix64(seed);
    let n = differences.len();
    let mut means: Vec<f64> = (0..N_RESAMPLES)
        .map(|_| (0..n).map(|_| differences[random.next_below(n)]).sum::<f64>() / n as f64)
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    let rank = means.len() / 20;
    Interval { low: means[rank], high: means[means.len() - 1 - rank] }
}

/// Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195: a small generator whose sequence is
/// fixed by its seed on every machine.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `n`, by the high half of a product; its bias is below n / 2⁶⁴.
    fn next_below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

impl Shift {
    /// Whether every field has exactly the difference 0.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.mean == 0.0 && self.interval == Interval { low: 0.0, high: 0.0 }
    }

    /// Whether the whole interval lies within the margin, its ends included.
    #[must_use]
    pub fn is_within(&self, margin: f64) -> bool {
        -margin <= self.interval.low && self.interval.high <= margin
    }

    /// Whether the whole interval lies outside the margin.
    #[must_use]
    pub fn is_outside(&self, margin: f64) -> bool {
        margin < self.interval.low || self.interval.high < -margin
    }

    /// Probability of a shift as large as this if the true one were at the margin.
    ///
    /// # Units
    /// Dimensionless, 0 to 1.
    fn p_value(&self, margin: f64) -> f64 {
        let beyond = self.mean.abs() - margin;
        if self.sd == 0.0 {
            return if beyond > 0.0 { 0.0 } else { 1.0 };
        }
        let t = beyond / (self.sd / f64::from(self.n_fields).sqrt());
        student::cumulative_probability(-t, self.n_fields.saturating_sub(1))
    }

    /// How many fields of this spread would decide; `None` when no number is likely to.
    #[must_use]
    pub fn fields_needed(&self, margin: f64) -> Option<u32> {
        let distance = (self.mean.abs() - margin).abs();
        let decides =
            |n: u32| student::quantile_95(n - 1) * self.sd <= distance * f64::from(n).sqrt();
        if distance == 0.0 || !decides(MAX_FIELDS_ASKED) {
            return None;
        }
        let (mut low, mut high) = (2, MAX_FIELDS_ASKED);
        while low < high {
            let middle = low + (high - low) / 2;
            if decides(middle) { high = middle } else { low = middle + 1 }
        }
        Some(low)
    }
}

/// Judges shifts against their margins, all of one table together.
///
/// Within the margin: the two one-sided tests of equivalence at 5 %. "All are equivalent" needs
/// every one of them, an intersection-union claim, so no correction is made. Outside the margin:
/// "some have drifted" is an alarm by any of them, so their chances are held to Holm's bounds,
/// beside the interval lying outside.
///
/// # Edge cases
/// A shift that cannot be decided is `Inconclusive`, unless it is zero everywhere.
///
/// # Sources
/// Schuirmann 1987, doi:10.1007/BF01068419. Berger 1982, doi:10.1080/00401706.1982.10487790. Holm
/// 1979, Scand. J. Stat. 6(2).
#[must_use]
pub(super) fn judge(shifts: &[(Shift, f64)]) -> Vec<Movement> {
    let mut by_p_value: Vec<(f64, usize)> = shifts
        .iter()
        .enumerate()
        .filter(|(_, (shift, _))| shift.is_decidable)
        .map(|(index, (shift, margin))| (shift.p_value(*margin), index))
        .collect();
    by_p_value.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let n_tests = by_p_value.len();
    let mut is_alarm = vec![false; shifts.len()];
    for (rank, (p_value, index)) in by_p_value.into_iter().enumerate() {
        if p_value > FALSE_ALARM / (n_tests - rank) as f64 {
            break;
        }
        is_alarm[index] = true;
    }
    let movement = |((shift, margin), is_alarm): (&(Shift, f64), bool)| match shift {
        _ if shift.is_zero() => Movement::Unchanged,
        _ if !shift.is_decidable => Movement::Inconclusive,
        _ if shift.is_within(*margin) => Movement::Equivalent,
        _ if shift.is_outside(*margin) && is_alarm => Movement::Drifted,
        _ => Movement::Inconclusive,
    };
    shifts.iter().zip(is_alarm).map(movement).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEED: u64 = 1;

    fn shift(differences: &[f64]) -> Shift {
        estimate(differences, 3, SEED).unwrap()
    }

    #[track_caller]
    fn check(differences: &[f64], margin: f64, expected: Movement) {
        assert_eq!(judge(&[(shift(differences), margin)]), [expected]);
    }

    #[test]
    fn generator_gives_its_published_sequence() {
        // First numbers of SplitMix64 with seed 1234567, as printed with the reference code.
        let mut random = SplitMix64(1_234_567);
        let first = [random.next(), random.next(), random.next()];
        let expected = [6457827717110365317, 3203168211198807973, 9817491932198370423];
        assert_eq!(first, expected);
    }

    #[test]
    fn interval_holds_students_interval() {
        // Mean 3, standard deviation √2.5, t quantile 2.132 for 4 degrees of freedom.
        let shift = shift(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        let reach = 2.132 * 2.5_f64.sqrt() / 5.0_f64.sqrt();
        assert!((shift.interval.low - (3.0 - reach)).abs() < 1e-3);
        assert!((shift.interval.high - (3.0 + reach)).abs() < 1e-3);
    }

    #[test]
    fn skewed_fields_widen_the_interval_on_their_side() {
        let mut differences = [0.0; 12];
        differences[0] = 12.0;
        let shift = shift(&differences);
        let reach = student::quantile_95(11) * shift.sd / 12.0_f64.sqrt();
        assert!(shift.interval.high > 1.0 + reach);
        assert_eq!(shift.interval.low, 1.0 - reach);
    }

    #[test]
    fn zero_everywhere_is_unchanged_even_with_one_field() {
        check(&[0.0; 5], 0.0, Movement::Unchanged);
        check(&[0.0], 0.0, Movement::Unchanged);
    }

    #[test]
    fn a_constant_shift_is_judged_at_the_margin() {
        check(&[1.0; 4], 1.0 + 1e-12, Movement::Equivalent);
        check(&[1.0; 4], 1.0, Movement::Equivalent);
        check(&[1.0; 4], 1.0 - 1e-12, Movement::Drifted);
        check(&[-1.0; 4], 1.0 - 1e-12, Movement::Drifted);
    }

    #[test]
    fn the_interval_and_not_the_mean_is_held_to_the_margin() {
        let differences = [0.9, 1.0, 1.1, 0.95, 1.05];
        let interval = shift(&differences).interval;
        check(&differences, interval.high, Movement::Equivalent);
        check(&differences, interval.high - 1e-9, Movement::Inconclusive);
        check(&differences, 1.0, Movement::Inconclusive);
        check(&differences, interval.low, Movement::Inconclusive);
        check(&differences, interval.low - 1e-9, Movement::Drifted);
    }

    #[test]
    fn too_few_fields_cannot_decide_and_show_their_range() {
        let few = shift(&[5.0, 7.0]);
        assert!(!few.is_decidable);
        assert_eq!(few.interval, Interval { low: 5.0, high: 7.0 });
        check(&[5.0, 7.0], 1000.0, Movement::Inconclusive);
        check(&[5.0, 7.0], 1.0, Movement::Inconclusive);
        assert_eq!(estimate(&[], 3, SEED), None);
    }

    #[test]
    fn one_alarm_among_many_measurements_must_be_stronger() {
        let shaky = shift(&[1.2, 1.9, 1.4, 2.3, 0.9]);
        assert!(shaky.is_outside(1.0));
        assert_eq!(judge(&[(shaky, 1.0)]), [Movement::Drifted]);
        let calm = shift(&[0.01, -0.02, 0.015, 0.0, -0.01]);
        let mut table = vec![(calm, 1.0); 40];
        table.push((shaky, 1.0));
        let movements = judge(&table);
        assert_eq!(movements[40], Movement::Inconclusive);
        assert!(movements[..40].iter().all(|movement| *movement == Movement::Equivalent));
    }

    #[test]
    fn fields_needed_follow_from_spread_and_distance() {
        let shift = shift(&[-1.0, 0.0, 1.0, -1.0, 1.0]);
        let n = shift.fields_needed(0.5).unwrap();
        let half_width = |n: u32| student::quantile_95(n - 1) * shift.sd / f64::from(n).sqrt();
        assert!(half_width(n) <= 0.5 && half_width(n - 1) > 0.5);
        assert_eq!(shift.fields_needed(0.0), None);
    }

    /// How often six fields whose true shift lies at the margin are called what they are not.
    #[track_caller]
    fn check_false_calls(skew: fn(f64) -> f64, true_shift: f64) {
        let mut random = SplitMix64(42);
        let mut draw = || {
            skew(
                (0..12)
                    .map(|_| random.next_below(1 << 20) as f64 / f64::from(1 << 20))
                    .sum::<f64>()
                    - 6.0,
            )
        };
        let n_trials = 400;
        let mut n_false = [0, 0];
        for _ in 0..n_trials {
            let fields: Vec<f64> = (0..6).map(|_| draw()).collect();
            let movement = judge(&[(shift(&fields), true_shift)])[0];
            n_false[0] += u32::from(movement == Movement::Equivalent);
            n_false[1] += u32::from(movement == Movement::Drifted);
        }
        // 5 % and two standard errors of the simulation.
        assert!(
            n_false.iter().all(|&n| f64::from(n) <= 0.072 * f64::from(n_trials)),
            "{n_false:?}"
        );
    }

    #[test]
    fn six_fields_at_the_margin_are_rarely_called_either_way() {
        check_false_calls(|normal| 3.0 + normal, 3.0);
        check_false_calls(|normal| 30.0 - normal, 30.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn turning_the_signs_turns_the_estimate(
            differences in prop::collection::vec(-10.0..10.0_f64, 3..12)
        ) {
            let turned: Vec<f64> = differences.iter().map(|d| -d).collect();
            let (forth, back) = (shift(&differences), shift(&turned));
            prop_assert_eq!(forth.mean, -back.mean);
            prop_assert!((forth.interval.low + back.interval.high).abs() < 1e-12);
            prop_assert!((forth.interval.high + back.interval.low).abs() < 1e-12);
        }

        #[test]
        fn a_wider_margin_never_leads_to_drifted(
            differences in prop::collection::vec(-10.0..10.0_f64, 3..12), margin in 0.0..10.0_f64
        ) {
            let rank = |margin| judge(&[(shift(&differences), margin)])[0];
            prop_assert!(rank(margin + 1.0) <= rank(margin));
        }
    }
}
