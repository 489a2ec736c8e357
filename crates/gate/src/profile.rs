//! Profile: everything that a gate knows of one profile, from its files to its judgement.

use super::fields::ProfileRuns;
use super::networks::{self, WEIGHTS_KEY};
use super::sides::Case;
use crate::report::model::{ChangedKey, ProfileParts, Sides};
use crate::verdict::{AccuracyCase, Comparison, FailedField, Judgement, ProfileCase};
use cellgate_approval::ApprovalStatus;
use cellgate_core::drift::{Drift, DriftError, compare};
use cellgate_inputs::project::{AccuracyFloors, Policy};
use cellgate_run::models::Models;

/// Seed of the resampling of fields; printed in every report.
pub(super) const SEED: u64 = 20_260_101;

/// A profile that ran and is not judged yet.
pub(super) struct TriedProfile {
    pub(super) case: Case,
    pub(super) runs: ProfileRuns,
    /// `None` where one of the two sides is not there.
    pub(super) drift: Option<Result<Drift, DriftError>>,
    /// How it stands with the approvals; `None` when they cannot be believed.
    pub(super) standing: Option<ApprovalStatus>,
    failed_fields: Vec<FailedField>,
    accuracy: AccuracyCase,
}

/// A profile with its judgement.
pub(super) struct GatedProfile {
    pub(super) tried: TriedProfile,
    pub(super) judgement: Judgement,
}

impl TriedProfile {
    /// Compares what ran.
    pub(super) fn new(
        case: Case,
        runs: ProfileRuns,
        standing: Option<ApprovalStatus>,
        policy: &Policy,
    ) -> Self {
        let drift = runs.has_both_sides.then(|| compare(&runs.pairs(), &policy.tolerances, SEED));
        let floors = policy.accuracy_floors.get(&case.name).copied();
        let (base, head) = runs.accuracy();
        let floors = floors.unwrap_or_else(AccuracyFloors::default);
        let accuracy = AccuracyCase { base, head, floors };
        Self { drift, standing, failed_fields: runs.failed_fields(), accuracy, case, runs }
    }

    /// Inputs for judging the profile.
    pub(super) fn to_judge(&self) -> ProfileCase<'_> {
        ProfileCase {
            name: &self.case.name,
            comparison: self.comparison(),
            failed_fields: &self.failed_fields,
            accuracy: self.accuracy,
            is_approved: self.standing.as_ref().is_some_and(ApprovalStatus::is_approved),
        }
    }

    fn comparison(&self) -> Comparison<'_> {
        let case = &self.case;
        match (case.is_invalid_in_base, case.is_invalid_in_head, &self.drift) {
            (_, true, _) => Comparison::HeadInvalid,
            (true, false, _) => Comparison::BaseInvalid,
            (_, _, Some(Ok(drift))) => Comparison::Drift(drift),
            (_, _, Some(Err(error))) => Comparison::Impossible { why: error.to_string() },
            (_, _, None) if case.base.is_none() => Comparison::New,
            (_, _, None) => Comparison::Deleted,
        }
    }
}

impl GatedProfile {
    /// How the sides compare; `None` when they could not be compared.
    pub(super) fn drift(&self) -> Option<&Drift> {
        self.tried.drift.as_ref()?.as_ref().ok()
    }

    /// The profile's parts of the report; `models` find the networks of base and head.
    pub(super) fn parts(&self, models: Sides<Models<'_>>) -> ProfileParts<'_> {
        let case = &self.tried.case;
        ProfileParts {
            judgement: &self.judgement,
            standing: self.tried.standing.as_ref(),
            drift: self.drift(),
            accuracy: self.tried.accuracy,
            params_digest: Sides {
                base: case.base.as_ref().map(|loaded| loaded.params.digest().to_string()),
                head: case.head.as_ref().map(|loaded| loaded.params.digest().to_string()),
            },
            changed_keys: changed_keys(case, models),
        }
    }
}

fn changed_keys(case: &Case, models: Sides<Models<'_>>) -> Vec<ChangedKey> {
    let Some((base, head)) = case.base.as_ref().zip(case.head.as_ref()) else { return Vec::new() };
    let keys = base.params.changed_keys(&head.params).into_iter();
    keys.map(|change| {
        if change.key == WEIGHTS_KEY {
            let base = networks::describe_network(base, models.base, change.base);
            let head = networks::describe_network(head, models.head, change.head);
            return ChangedKey { key: change.key, base: Some(base), head: Some(head) };
        }
        ChangedKey { key: change.key, base: Some(change.base), head: Some(change.head) }
    })
    .collect()
}
