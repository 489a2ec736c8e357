//! Share: which fields one of several machines runs, the same on every machine that asks.
//!
//! The unit of work is a field of a profile, with all its runs, so that base and head of a field
//! are made by the same machine. Shares are balanced by pixels.

use super::sides::{Case, selected_fields};
use cellgate_core::digest::{Digest, DigestError};
use cellgate_inputs::revision::Tree;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// Most shares: GitHub starts at most so many jobs from one matrix.
pub const MAX_SHARES: usize = 256;

/// One share of the work: the how-manieth of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    index: usize,
    count: usize,
}

/// The text names no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a share: `I/N` is needed, with I from 1 to N and N at most {MAX_SHARES}")]
pub struct ShareSyntax;

impl Share {
    /// The `index`-th share of `count`, from 1.
    ///
    /// # Errors
    /// [`ShareSyntax`] when the numbers are out of range.
    pub fn new(index: usize, count: usize) -> Result<Self, ShareSyntax> {
        let is_right = (1..=count).contains(&index) && count <= MAX_SHARES;
        if is_right { Ok(Self { index, count }) } else { Err(ShareSyntax) }
    }

    /// Which share it is, from 1.
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }

    /// How many shares there are.
    #[must_use]
    pub fn count(self) -> usize {
        self.count
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Share {
    type Err = ShareSyntax;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (index, count) = text.split_once('/').ok_or(ShareSyntax)?;
        let number = |text: &str| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
            if is_plain { text.parse().map_err(|_| ShareSyntax) } else { Err(ShareSyntax) }
        };
        Self::new(number(index)?, number(count)?)
    }
}

/// One share as it is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedShare {
    /// Which one.
    pub share: Share,
    /// Fields that it runs; a field that two profiles run counts twice.
    pub n_fields: usize,
    /// Pixels that it runs through; each run of a field counts.
    pub n_px: u64,
}

/// One field of one profile.
struct Unit {
    case: usize,
    /// Place among the case's fields.
    field: usize,
    /// Pixels of all its runs.
    n_px: u64,
}

/// Every field of every case, in order.
fn units(cases: &[Case], head: &Tree, base: &Tree) -> Vec<Unit> {
    let mut units = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let (base_digest, head_digest) = (digest_of(&case.base), digest_of(&case.head));
        // Base runs twice; head does when it is something else.
        let is_head_new = head_digest.is_some() && head_digest != base_digest;
        let n_runs = 2 * u64::from(base_digest.is_some()) + u64::from(is_head_new);
        let entries = case.trials.iter().flat_map(selected_fields);
        units.extend(entries.enumerate().map(|(field, entry)| {
            let n_px = entry.n_px(head).or_else(|| entry.n_px(base)).unwrap_or(1);
            Unit { case: index, field, n_px: (n_px * n_runs).max(1) }
        }));
    }
    units
}

/// The share of each unit, from 0: the largest first, each to the one with least to do.
fn assign(units: &[Unit], n_shares: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..units.len()).collect();
    order.sort_by_key(|&unit| std::cmp::Reverse(units[unit].n_px));
    let mut loads = vec![0_u64; n_shares];
    let mut shares = vec![0; units.len()];
    for unit in order {
        if let Some((share, load)) = loads.iter_mut().enumerate().min_by_key(|(_, load)| **load) {
            *load += units[unit].n_px;
            shares[unit] = share;
        }
    }
    shares
}

/// Plans at most `n_shares` shares; never more than there are fields, never none.
pub(super) fn plan(cases: &[Case], head: &Tree, base: &Tree, n_shares: usize) -> Vec<PlannedShare> {
    let units = units(cases, head, base);
    let count = n_shares.min(units.len()).clamp(1, MAX_SHARES);
    let shares = assign(&units, count);
    (1..=count)
        .map(|index| {
            let own_units = shares.iter().zip(&units).filter(|(share, _)| **share + 1 == index);
            PlannedShare {
                share: Share { index, count },
                n_fields: own_units.clone().count(),
                n_px: own_units.map(|(_, unit)| unit.n_px).sum(),
            }
        })
        .collect()
}

/// Which fields of which case belong to a share.
pub(super) struct Taken(Vec<Vec<bool>>);

impl Taken {
    /// Fields that a share takes.
    pub(super) fn of_share(share: Share, cases: &[Case], head: &Tree, base: &Tree) -> Self {
        let units = units(cases, head, base);
        let shares = assign(&units, share.count);
        let mut taken: Vec<Vec<bool>> = cases.iter().map(|_| Vec::new()).collect();
        for (unit, owner) in units.iter().zip(shares) {
            taken[unit.case].push(owner + 1 == share.index);
            debug_assert_eq!(taken[unit.case].len(), unit.field + 1, "fields stand in order");
        }
        Self(taken)
    }

    /// Whether it takes a field of a case, by its place among the case's fields.
    pub(super) fn has_field(&self, case: usize, field: usize) -> bool {
        self.0.get(case).and_then(|fields| fields.get(field)).copied().unwrap_or(false)
    }
}

/// Digest of the whole list of work: every profile's digests and every field's.
pub(super) fn work_digest(cases: &[Case]) -> Result<Digest, DigestError> {
    #[derive(Serialize)]
    struct Line<'a> {
        profile: &'a str,
        base: Option<String>,
        head: Option<String>,
        dataset: &'a str,
        field: &'a str,
        sha256: String,
    }
    let lines: Vec<Line<'_>> = cases
        .iter()
        .flat_map(|case| {
            let of_trial = |trial| selected_fields(trial).map(move |entry| (trial, entry));
            case.trials.iter().flat_map(of_trial).map(|(trial, entry)| Line {
                profile: &case.name,
                base: digest_of(&case.base),
                head: digest_of(&case.head),
                dataset: &trial.name,
                field: &entry.name,
                sha256: entry.sha256.to_string(),
            })
        })
        .collect();
    Digest::of_canonical(&lines)
}

fn digest_of(side: &Option<cellgate_inputs::params::Loaded>) -> Option<String> {
    side.as_ref().map(|loaded| loaded.params.digest().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_written_as_they_are_read() {
        for text in ["1/1", "3/4", "256/256"] {
            assert_eq!(text.parse::<Share>().map(|share| share.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "1", "0/1", "2/1", "1/0", "1/257", "+1/2", "01/2", "1/2/3", " 1/2", "1/-2"]
        {
            assert_eq!(text.parse::<Share>(), Err(ShareSyntax), "{text}");
        }
    }

    #[track_caller]
    fn check(n_px: &[u64], n_shares: usize, expected_loads: &[u64]) {
        let unit = |(field, &n_px): (usize, &u64)| Unit { case: 0, field, n_px };
        let units: Vec<Unit> = n_px.iter().enumerate().map(unit).collect();
        let mut loads = vec![0; n_shares];
        for (unit, share) in units.iter().zip(assign(&units, n_shares)) {
            loads[share] += unit.n_px;
        }
        assert_eq!(loads, expected_loads);
    }

    #[test]
    fn loads_are_balanced_by_pixels() {
        check(&[1, 1, 1, 1], 2, &[2, 2]);
        check(&[1, 1, 6, 1, 1, 2], 2, &[6, 6]);
        check(&[5], 3, &[5, 0, 0]);
        check(&[], 2, &[0, 0]);
        check(&[7, 5, 4, 4, 3, 1], 3, &[8, 8, 8]);
    }
}
