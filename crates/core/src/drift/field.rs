//! One field on both sides: which rows of its tables belong together, and what they add up to.

use super::pairing::{Fate, Pair, Pairing};
use super::side::{FieldDrift, FieldPair};
use super::structure::FateCounts;
use crate::measure::Nuclei;

/// A field, its pairing, and the pairing in terms of rows of the tables.
pub(super) struct FieldRows<'a> {
    pub(super) field: FieldPair<'a>,
    pairing: Pairing,
    matched: Vec<(usize, usize)>,
    modified: Vec<(usize, usize)>,
    base_fates: Vec<Fate>,
    head_fates: Vec<Fate>,
}

/// Values of one column, sorted by what became of their nuclei.
///
/// Every sum is taken over sorted values, so that the order of rows, which follows label numbers,
/// does not reach a result.
pub(super) struct FieldValues {
    /// Mean over all nuclei of base.
    pub(super) base: Option<f64>,
    /// Mean over all nuclei of head.
    pub(super) head: Option<f64>,
    /// Mean of head minus base over matched nuclei.
    pub(super) matched: Option<f64>,
    /// Parts of head's mean minus base's; defined where both means are.
    pub(super) parts: Option<Parts>,
}

/// Parts of a shift of the mean over all nuclei, in the measurement's unit.
///
/// The five add up to the shift. With m the mean of base in a field and n the nuclei of head, each
/// nucleus of head adds (x − m) / n and each of base takes (x − m) / n away; the two of a pair are
/// taken together.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Parts {
    /// Change of matched nuclei: the outline or the intensity moved.
    pub matched: f64,
    /// Change of nuclei that overlap little.
    pub modified: f64,
    /// Nuclei that were split or merged, or that have a value on one side only.
    pub regrouped: f64,
    /// Nuclei that appeared.
    pub appeared: f64,
    /// Nuclei that vanished.
    pub vanished: f64,
}

impl Parts {
    /// All parts with their names, in the order of the sum.
    #[must_use]
    pub fn entries(&self) -> [(&'static str, f64); 5] {
        [
            ("matched", self.matched),
            ("modified", self.modified),
            ("regrouped", self.regrouped),
            ("appeared", self.appeared),
            ("vanished", self.vanished),
        ]
    }

    /// The mean over fields.
    pub(super) fn mean(fields: &[Self]) -> Option<Self> {
        let mean = |part: fn(&Self) -> f64| mean(fields.iter().map(part).collect());
        Some(Self {
            matched: mean(|parts| parts.matched)?,
            modified: mean(|parts| parts.modified)?,
            regrouped: mean(|parts| parts.regrouped)?,
            appeared: mean(|parts| parts.appeared)?,
            vanished: mean(|parts| parts.vanished)?,
        })
    }
}

/// The mean; `None` of nothing. The order of the values does not matter.
pub(super) fn mean(values: Vec<f64>) -> Option<f64> {
    let n_values = values.len();
    (n_values > 0).then(|| sum(values) / n_values as f64)
}

fn sum(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.iter().sum()
}

impl<'a> FieldRows<'a> {
    pub(super) fn new(field: FieldPair<'a>, pairing: Pairing) -> Self {
        let (base, head) = (field.base.nuclei, field.head.nuclei);
        let rows = |pairs: &[Pair]| {
            let rows = |pair: &Pair| {
                Some((
                    base.labels.binary_search(&pair.base).ok()?,
                    head.labels.binary_search(&pair.head).ok()?,
                ))
            };
            pairs.iter().filter_map(rows).collect()
        };
        Self {
            field,
            matched: rows(&pairing.matched),
            modified: rows(&pairing.modified),
            base_fates: fates(base, &pairing.base),
            head_fates: fates(head, &pairing.head),
            pairing,
        }
    }

    pub(super) fn into_drift(self) -> FieldDrift {
        let class = |nuclei: &Nuclei, row: usize| {
            nuclei.classes.as_ref().and_then(|classes| classes.get(row).copied())
        };
        let (base, head) = (self.field.base.nuclei, self.field.head.nuclei);
        let is_reclassified = |&&(b, h): &&(usize, usize)| {
            class(base, b).zip(class(head, h)).is_some_and(|(base, head)| base != head)
        };
        let reclassified = self.matched.iter().filter(is_reclassified).count() as u64;
        FieldDrift {
            name: self.field.name.to_owned(),
            nuclei: FateCounts::new(&self.pairing, reclassified),
            is_identical: reclassified == 0 && self.is_identical(),
            pairing: self.pairing,
        }
    }

    fn is_identical(&self) -> bool {
        let (base, head) = (&self.field.base, &self.field.head);
        let n_nuclei = self.pairing.base.len();
        let same_pixels = self.pairing.matched.len() == n_nuclei
            && self.pairing.head.len() == n_nuclei
            && self.pairing.matched.iter().all(|pair| pair.iou == 1.0);
        let same_rows = base.nuclei.len() == head.nuclei.len()
            && self.matched.len() == base.nuclei.len()
            && base.nuclei.classes.is_some() == head.nuclei.classes.is_some()
            && base.nuclei.columns.len() == head.nuclei.columns.len();
        same_pixels
            && same_rows
            && base.summary == head.summary
            && base.nuclei.columns.iter().zip(&head.nuclei.columns).all(|(base, head)| {
                let same = |&(b, h): &(usize, usize)| base.values.get(b) == head.values.get(h);
                base.name == head.name && self.matched.iter().all(same)
            })
    }

    /// Sums up one column of the tables.
    pub(super) fn values(&self, column: &str) -> FieldValues {
        let base =
            Values { values: self.field.base.nuclei.column(column), fates: &self.base_fates };
        let head =
            Values { values: self.field.head.nuclei.column(column), fates: &self.head_fates };
        let (base_mean, head_mean) = (mean(base.all()), mean(head.all()));
        let differences = |pairs: &[(usize, usize)]| -> Vec<f64> {
            let difference = |&(b, h): &(usize, usize)| Some(head.at(h)? - base.at(b)?);
            pairs.iter().filter_map(difference).collect()
        };
        let matched = differences(&self.matched);
        let parts = base_mean.zip(head_mean).map(|(base_mean, _)| {
            let n_head = head.all().len() as f64;
            let sum_of = |side: &Values<'_>, fate| {
                let values = side.with_fate(fate).into_iter();
                sum(values.map(|value| value - base_mean).collect()) / n_head
            };
            let one_sided = |pairs: &[(usize, usize)]| {
                let value = |&(b, h): &(usize, usize)| match (base.at(b), head.at(h)) {
                    (Some(base), None) => Some(base_mean - base),
                    (None, Some(head)) => Some(head - base_mean),
                    (Some(_), Some(_)) | (None, None) => None,
                };
                sum(pairs.iter().filter_map(value).collect()) / n_head
            };
            let regrouped =
                [Fate::Split, Fate::Merged].map(|fate| sum_of(&head, fate) - sum_of(&base, fate));
            Parts {
                matched: sum(matched.clone()) / n_head,
                modified: sum(differences(&self.modified)) / n_head,
                regrouped: regrouped[0]
                    + regrouped[1]
                    + one_sided(&self.matched)
                    + one_sided(&self.modified),
                appeared: sum_of(&head, Fate::Alone),
                vanished: 0.0 - sum_of(&base, Fate::Alone),
            }
        });
        FieldValues { base: base_mean, head: head_mean, matched: mean(matched), parts }
    }
}

/// Fate of each row; a row that has no pixels stands alone.
fn fates(nuclei: &Nuclei, fates: &[(u32, Fate)]) -> Vec<Fate> {
    let fate = |label: &u32| {
        let index = fates.binary_search_by_key(label, |&(label, _)| label);
        index.map_or(Fate::Alone, |index| fates[index].1)
    };
    nuclei.labels.iter().map(fate).collect()
}

/// One column of one side, perhaps absent, and the fates of its rows.
struct Values<'a> {
    values: Option<&'a [Option<f64>]>,
    fates: &'a [Fate],
}

impl Values<'_> {
    fn at(&self, row: usize) -> Option<f64> {
        self.values?.get(row).copied().flatten()
    }

    fn all(&self) -> Vec<f64> {
        self.values.into_iter().flatten().copied().flatten().collect()
    }

    fn with_fate(&self, fate: Fate) -> Vec<f64> {
        let rows = self.fates.iter().enumerate().filter(|&(_, &found)| found == fate);
        rows.filter_map(|(row, _)| self.at(row)).collect()
    }
}
