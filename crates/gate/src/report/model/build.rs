//! Builds the report from verdict, drift and accuracy.

use super::lines::{FindingLine, ReasonLine};
use super::{
    AccuracyReport, ApprovalReport, ApprovalsReport, ChangedKey, Engine, FieldReport,
    HistogramReport, MatchedReport, MeasurementReport, NoiseReport, NucleiReport, PartsReport,
    ProfileReport, Report, Revision, SCHEMA, ScoreReport, Sides, Statistics,
};
use crate::verdict::{AccuracyCase, FailOn, GateJudgement, Judgement, Need, Reason};
use cellgate_approval::{ApprovalStatus, Binding};
use cellgate_core::drift::{
    CONFIDENCE, Distribution, Drift, FateCounts, MeasurementDrift, N_RESAMPLES, NoiseFloor, Parts,
    Quantiles, Shift,
};
use cellgate_inputs::finding::Finding;
use cellgate_inputs::project::ApprovalPolicy;

/// Everything about the gate that is not about one profile.
#[derive(Debug, Clone)]
pub struct Gate<'a> {
    /// Decision about the whole change.
    pub judgement: &'a GateJudgement,
    /// From which verdict on the gate fails.
    pub fail_on: FailOn,
    /// The engine that ran both sides.
    pub engine: Engine,
    /// Before the change.
    pub base: Revision,
    /// After the change.
    pub head: Revision,
    /// Digest of the dataset that both sides ran on.
    pub dataset_digest: String,
    /// Digest of the policy that judged.
    pub policy_digest: String,
    /// Digests that an approval holds for.
    pub binding: Binding,
    /// The approvals that were read.
    pub approvals: ApprovalsReport,
    /// Who may approve.
    pub approval_policy: ApprovalPolicy,
    /// Base run twice, when it was.
    pub noise: Option<&'a NoiseFloor>,
    /// Fields needed at least for deciding.
    pub min_fields: u32,
    /// Seed of the resampling.
    pub seed: u64,
    /// Remarks about inputs.
    pub findings: &'a [Finding],
    /// The verdicts as remarks on lines.
    pub remarks: &'a [Finding],
}

/// Everything about one profile.
#[derive(Debug, Clone)]
pub struct ProfileParts<'a> {
    /// Decision about the profile.
    pub judgement: &'a Judgement,
    /// How it stands with the approvals; `None` when they cannot be believed.
    pub standing: Option<&'a ApprovalStatus>,
    /// How the sides compare; `None` when they could not be compared.
    pub drift: Option<&'a Drift>,
    /// Agreement with truth.
    pub accuracy: AccuracyCase,
    /// Digests of the validated profiles.
    pub params_digest: Sides<Option<String>>,
    /// Keys whose value changed.
    pub changed_keys: Vec<ChangedKey>,
}

impl Report {
    /// Puts a report together.
    #[must_use]
    pub fn new(gate: &Gate<'_>, profiles: &[ProfileParts<'_>]) -> Self {
        let needed = gate.approval_policy.count;
        Self {
            schema: SCHEMA.to_owned(),
            verdict: gate.judgement.verdict,
            exit_code: gate.judgement.exit_code(gate.fail_on),
            fail_on: gate.fail_on.as_str().to_owned(),
            engine: gate.engine.clone(),
            base: gate.base.clone(),
            head: gate.head.clone(),
            dataset_digest: gate.dataset_digest.clone(),
            policy_digest: gate.policy_digest.clone(),
            binding: gate.binding.clone(),
            approvals: gate.approvals.clone(),
            reasons: gate.judgement.reasons.iter().map(ReasonLine::from).collect(),
            profiles: profiles.iter().map(|one| ProfileReport::new(one, needed)).collect(),
            statistics: Statistics {
                confidence: CONFIDENCE,
                resamples: N_RESAMPLES,
                seed: gate.seed,
                min_fields: gate.min_fields,
            },
            noise_floor: gate.noise.map(|noise| NoiseReport {
                n_fields: noise.n_fields,
                differing_fields: noise.differing_fields.clone(),
                n_differing_px: noise.n_differing_px,
                largest: noise.largest.clone(),
            }),
            findings: gate.findings.iter().map(FindingLine::from).collect(),
            remarks: gate.remarks.iter().map(FindingLine::from).collect(),
        }
    }
}

impl ProfileReport {
    /// Puts one profile's part together; `needed` people must approve.
    #[must_use]
    pub fn new(parts: &ProfileParts<'_>, needed: u32) -> Self {
        let judgement = parts.judgement;
        let measurements = parts.drift.map(|drift| drift.measurements.as_slice());
        let fields = parts.drift.map(|drift| drift.fields.as_slice());
        let is_asked = judgement.need > Need::None || judgement.is_approved;
        let approval = parts.standing.filter(|_| is_asked);
        let field = |field: &cellgate_core::drift::FieldDrift| FieldReport {
            name: field.name.clone(),
            identical: field.is_identical,
            nuclei: field.nuclei.into(),
        };
        Self {
            name: judgement.name.clone(),
            verdict: judgement.verdict,
            params_digest: parts.params_digest.clone(),
            needs_approval: judgement.need > Need::None,
            approved: judgement.is_approved,
            approval: approval.map(|standing| ApprovalReport::new(standing, needed)),
            changed_keys: parts.changed_keys.clone(),
            reasons: judgement.reasons.iter().map(ReasonLine::from).collect(),
            measurements: measurements.into_iter().flatten().map(MeasurementReport::from).collect(),
            nuclei: parts.drift.map(|drift| drift.nuclei.into()),
            accuracy: accuracy(&parts.accuracy, judgement),
            fields: fields.into_iter().flatten().map(field).collect(),
        }
    }
}

fn accuracy(case: &AccuracyCase, judgement: &Judgement) -> Option<AccuracyReport> {
    let reference = case.head.or(case.base)?;
    let floors = &case.floors;
    let floors = [floors.f1_at_50, floors.ap_at_50, floors.map, floors.aji, floors.pq, floors.dice];
    let scores =
        reference.entries().into_iter().enumerate().map(|(index, (name, _))| ScoreReport {
            name: name.to_owned(),
            base: case.base.map(|scores| scores.entries()[index].1),
            head: case.head.map(|scores| scores.entries()[index].1),
            floor: floors[index],
        });
    let direction = judgement.direction.map(|direction| direction.as_str().to_owned());
    Some(AccuracyReport { direction, scores: scores.collect() })
}

impl From<&Reason> for ReasonLine {
    fn from(reason: &Reason) -> Self {
        Self {
            code: reason.code.as_str().to_owned(),
            severity: reason.severity,
            text: reason.text.clone(),
        }
    }
}

impl From<&Finding> for FindingLine {
    fn from(finding: &Finding) -> Self {
        Self {
            code: finding.code.as_str().to_owned(),
            severity: finding.severity,
            path: finding.place.path.to_string(),
            line: finding.place.span.map(|span| span.line),
            column: finding.place.span.map(|span| span.column),
            message: finding.message.clone(),
            help: finding.help.clone(),
        }
    }
}

impl From<FateCounts> for NucleiReport {
    fn from(counts: FateCounts) -> Self {
        Self {
            base: counts.n_base,
            head: counts.n_head,
            matched: counts.matched,
            modified: counts.modified,
            split: counts.split,
            merged: counts.merged,
            appeared: counts.appeared,
            vanished: counts.vanished,
            reclassified: counts.reclassified,
        }
    }
}

impl From<&MeasurementDrift> for MeasurementReport {
    fn from(drift: &MeasurementDrift) -> Self {
        let ends = |shift: Shift| [shift.interval.low, shift.interval.high];
        let is_decidable = |shift: &Shift| shift.is_decidable;
        let is_judged = drift.margin.is_some();
        let matched = |shift: Shift| MatchedReport {
            shift: shift.mean,
            ci: Some(shift).filter(is_decidable).map(ends),
        };
        Self {
            name: drift.name.clone(),
            unit: drift.unit.map(str::to_owned),
            base: drift.base,
            head: drift.head,
            shift: drift.population.map(|shift| shift.mean),
            relative_shift: drift.relative_shift(),
            ci: drift.population.filter(is_decidable).map(ends),
            range: drift.population.filter(|shift| !shift.is_decidable).map(ends),
            margin: drift.margin,
            verdict: drift.movement.map(|movement| movement.as_str().to_owned()),
            n_fields: drift.population.map_or(0, |shift| shift.n_fields),
            fields_needed: drift.fields_needed,
            matched: drift.matched.map(matched),
            parts: drift.parts.map(PartsReport::from),
            by_field: if is_judged { drift.by_field.clone() } else { Vec::new() },
            undefined: Sides { base: drift.n_undefined.0, head: drift.n_undefined.1 },
            histogram: drift.distribution.as_ref().filter(|_| is_judged).map(HistogramReport::from),
        }
    }
}

impl From<Parts> for PartsReport {
    fn from(parts: Parts) -> Self {
        Self {
            matched: parts.matched,
            modified: parts.modified,
            regrouped: parts.regrouped,
            appeared: parts.appeared,
            vanished: parts.vanished,
        }
    }
}

impl From<&Distribution> for HistogramReport {
    fn from(distribution: &Distribution) -> Self {
        let quantiles = |quantiles: Quantiles| [quantiles.q10, quantiles.q50, quantiles.q90];
        Self {
            low: distribution.low,
            high: distribution.high,
            base: distribution.base,
            head: distribution.head,
            base_quantiles: distribution.base_quantiles.map(quantiles),
            head_quantiles: distribution.head_quantiles.map(quantiles),
        }
    }
}
