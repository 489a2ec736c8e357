//! The part of the report about one profile.

use super::approval::ApprovalReport;
use super::lines::ReasonLine;
use super::words::verdict_word;
use crate::verdict::Verdict;
use cellgate_core::drift::N_BINS;
use serde::{Deserialize, Serialize};

/// One profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileReport {
    /// Its name.
    pub name: String,
    /// How head stands to base.
    #[serde(with = "verdict_word")]
    pub verdict: Verdict,
    /// Digests of the validated profiles.
    pub params_digest: Sides<Option<String>>,
    /// Whether somebody must agree.
    pub needs_approval: bool,
    /// Whether somebody has.
    pub approved: bool,
    /// Who has, or what is missing; absent where nobody must and nobody has.
    pub approval: Option<ApprovalReport>,
    /// Keys whose value changed.
    pub changed_keys: Vec<ChangedKey>,
    /// Why the verdict is what it is, the gravest first.
    pub reasons: Vec<ReasonLine>,
    /// How far numbers moved.
    pub measurements: Vec<MeasurementReport>,
    /// Counts of nuclei by fate; absent without a comparison.
    pub nuclei: Option<NucleiReport>,
    /// Agreement with truth; absent without truth.
    pub accuracy: Option<AccuracyReport>,
    /// Every field that was compared.
    pub fields: Vec<FieldReport>,
}

/// The same thing on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sides<T> {
    /// Before the change.
    pub base: T,
    /// After the change.
    pub head: T,
}

/// A key of the profile whose value changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangedKey {
    /// Route to it: `threshold.correction_factor`.
    pub key: String,
    /// Its value in base; absent when base does not have it.
    pub base: Option<String>,
    /// Its value in head; absent when head does not have it.
    pub head: Option<String>,
}

/// How far one measurement moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasurementReport {
    /// Column of `fields.csv` or `nuclei.csv`.
    pub name: String,
    /// Its unit; absent for counts and ratios.
    pub unit: Option<String>,
    /// Base's mean over fields.
    pub base: Option<f64>,
    /// Head's mean over fields.
    pub head: Option<f64>,
    /// Head minus base.
    pub shift: Option<f64>,
    /// The shift as a fraction of base.
    pub relative_shift: Option<f64>,
    /// 90 % interval of the shift; absent with too few fields.
    pub ci: Option<[f64; 2]>,
    /// Smallest and largest shift of a field, in the place of `ci` with too few fields.
    pub range: Option<[f64; 2]>,
    /// How far it may move; absent when it is not judged.
    pub margin: Option<f64>,
    /// `unchanged`, `equivalent`, `inconclusive`, `drifted`, `missing`; absent when not judged.
    pub verdict: Option<String>,
    /// Fields with a shift.
    pub n_fields: u32,
    /// Fields that would decide.
    pub fields_needed: Option<u32>,
    /// Shift of matched nuclei alone.
    pub matched: Option<MatchedReport>,
    /// Parts of the shift.
    pub parts: Option<PartsReport>,
    /// Shift in each field, in the order of `fields`; empty when it is not judged.
    pub by_field: Vec<Option<f64>>,
    /// Undefined values of nuclei.
    pub undefined: Sides<u64>,
    /// How the values of nuclei are spread; absent when it is not judged.
    pub histogram: Option<HistogramReport>,
}

/// Shift of matched nuclei alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchedReport {
    /// Head minus base.
    pub shift: f64,
    /// 90 % interval; absent with too few fields.
    pub ci: Option<[f64; 2]>,
}

/// Parts of a shift of the mean over all nuclei; the five add up to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartsReport {
    /// Matched nuclei changed.
    pub matched: f64,
    /// Nuclei that overlap little changed.
    pub modified: f64,
    /// Nuclei were split or merged.
    pub regrouped: f64,
    /// Nuclei appeared.
    pub appeared: f64,
    /// Nuclei vanished.
    pub vanished: f64,
}

/// Values of all nuclei in bins of one width.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistogramReport {
    /// Lower end of the first bin.
    pub low: f64,
    /// Upper end of the last bin.
    pub high: f64,
    /// Nuclei of base by bin.
    pub base: [u32; N_BINS],
    /// Nuclei of head by bin.
    pub head: [u32; N_BINS],
    /// Quantiles 0.1, 0.5 and 0.9 of base.
    pub base_quantiles: Option<[f64; 3]>,
    /// Quantiles 0.1, 0.5 and 0.9 of head.
    pub head_quantiles: Option<[f64; 3]>,
}

/// Counts of nuclei, in total and by fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NucleiReport {
    /// Nuclei of base.
    pub base: u64,
    /// Nuclei of head.
    pub head: u64,
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

/// Agreement with truth, as means over fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccuracyReport {
    /// `unchanged`, `toward truth`, `away from truth` or `mixed`; absent without both sides.
    pub direction: Option<String>,
    /// Every score.
    pub scores: Vec<ScoreReport>,
}

/// One score against truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreReport {
    /// Its name.
    pub name: String,
    /// Base's.
    pub base: Option<f64>,
    /// Head's.
    pub head: Option<f64>,
    /// Lowest value allowed.
    pub floor: Option<f64>,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldReport {
    /// Its name.
    pub name: String,
    /// Whether both sides are the same.
    pub identical: bool,
    /// Counts of its nuclei by fate.
    pub nuclei: NucleiReport,
}

impl ProfileReport {
    /// Indices of the fields, the most changed first: emptied ones, then by the fraction of nuclei
    /// that are not matched; equal ones keep their order.
    #[must_use]
    pub fn worst_fields(&self) -> Vec<usize> {
        let extent = |field: &FieldReport| {
            let n = &field.nuclei;
            let n_changed = n.modified + n.split + n.merged + n.vanished + n.appeared;
            let is_emptied = n.base > 0 && n.head == 0;
            (is_emptied, n_changed as f64 / n.base.max(n.head).max(1) as f64)
        };
        let mut order: Vec<usize> = (0..self.fields.len()).collect();
        order.sort_by(|&a, &b| {
            let (a, b) = (extent(&self.fields[a]), extent(&self.fields[b]));
            b.0.cmp(&a.0).then(b.1.total_cmp(&a.1))
        });
        order
    }
}
