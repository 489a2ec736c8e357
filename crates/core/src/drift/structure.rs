//! Structure: fates of nuclei, counted and held to limits.
//!
//! These rules need no statistics: they hold for the fields that were looked at.

use super::pairing::{Fate, Pairing};
use crate::tolerances::StructureLimits;
use std::iter::Sum;

/// Fates of nuclei, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FateCounts {
    /// Nuclei of base.
    pub n_base: u64,
    /// Nuclei of head.
    pub n_head: u64,
    /// Pairs with an overlap above 0.5.
    pub matched: u64,
    /// Pairs with less overlap.
    pub modified: u64,
    /// Nuclei of base that fell apart.
    pub split: u64,
    /// Nuclei of base that grew together.
    pub merged: u64,
    /// Nuclei of head without a partner.
    pub appeared: u64,
    /// Nuclei of base without a partner.
    pub vanished: u64,
    /// Matched nuclei whose class changed.
    pub reclassified: u64,
}

impl FateCounts {
    pub(super) fn new(pairing: &Pairing, reclassified: u64) -> Self {
        Self {
            n_base: pairing.base.len() as u64,
            n_head: pairing.head.len() as u64,
            matched: pairing.matched.len() as u64,
            modified: pairing.modified.len() as u64,
            split: pairing.n_base(Fate::Split),
            merged: pairing.n_base(Fate::Merged),
            appeared: pairing.n_head(Fate::Alone),
            vanished: pairing.n_base(Fate::Alone),
            reclassified,
        }
    }
}

impl Sum for FateCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |a, b| Self {
            n_base: a.n_base + b.n_base,
            n_head: a.n_head + b.n_head,
            matched: a.matched + b.matched,
            modified: a.modified + b.modified,
            split: a.split + b.split,
            merged: a.merged + b.merged,
            appeared: a.appeared + b.appeared,
            vanished: a.vanished + b.vanished,
            reclassified: a.reclassified + b.reclassified,
        })
    }
}

/// Fate of nuclei that a limit is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Nuclei of base without a partner.
    Vanished,
    /// Nuclei of head without a partner.
    Appeared,
    /// Nuclei of base that fell apart.
    Split,
    /// Nuclei of base that grew together.
    Merged,
}

impl Rule {
    /// The past participle, as it stands in sentences about nuclei.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vanished => "vanished",
            Self::Appeared => "appeared",
            Self::Split => "split",
            Self::Merged => "merged",
        }
    }
}

/// A limit that is exceeded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Breach {
    /// Fate that the limit is on.
    pub rule: Rule,
    /// How many nuclei it concerns.
    pub n_nuclei: u64,
    /// Nuclei of base, the whole of the fraction.
    pub n_base: u64,
    /// Largest fraction allowed, 0 to 1.
    pub limit: f64,
}

/// The limits that are exceeded; a count at its limit is within it.
pub(super) fn breaches(nuclei: &FateCounts, limits: &StructureLimits) -> Vec<Breach> {
    let rules = [
        (Rule::Vanished, nuclei.vanished, limits.max_vanished_fraction),
        (Rule::Appeared, nuclei.appeared, limits.max_appeared_fraction),
        (Rule::Split, nuclei.split, limits.max_split_fraction),
        (Rule::Merged, nuclei.merged, limits.max_merged_fraction),
    ];
    let breach = |(rule, n_nuclei, limit): (Rule, u64, f64)| {
        let exceeds = n_nuclei as f64 > limit * nuclei.n_base as f64;
        exceeds.then_some(Breach { rule, n_nuclei, n_base: nuclei.n_base, limit })
    };
    rules.into_iter().filter_map(breach).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: StructureLimits = StructureLimits {
        max_vanished_fraction: 0.05,
        max_appeared_fraction: 0.1,
        max_split_fraction: 0.02,
        max_merged_fraction: 0.0,
    };

    #[track_caller]
    fn check(nuclei: FateCounts, expected: &[Rule]) {
        let rules: Vec<Rule> = breaches(&nuclei, &LIMITS).iter().map(|b| b.rule).collect();
        assert_eq!(rules, expected);
    }

    #[test]
    fn a_count_at_its_limit_is_allowed_and_one_more_is_not() {
        let of_100 = FateCounts { n_base: 100, n_head: 100, ..FateCounts::default() };
        check(of_100, &[]);
        check(FateCounts { vanished: 5, appeared: 10, split: 2, ..of_100 }, &[]);
        check(FateCounts { vanished: 6, ..of_100 }, &[Rule::Vanished]);
        check(FateCounts { appeared: 11, merged: 1, ..of_100 }, &[Rule::Appeared, Rule::Merged]);
        check(FateCounts { split: 3, ..of_100 }, &[Rule::Split]);
    }

    #[test]
    fn without_nuclei_in_base_any_appearance_exceeds() {
        check(FateCounts::default(), &[]);
        check(FateCounts { n_head: 1, appeared: 1, ..FateCounts::default() }, &[Rule::Appeared]);
    }
}
