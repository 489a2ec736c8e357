//! The part of the report about approvals, and the digest by which people approve it.

use super::{Report, ReportError};
use crate::verdict::ReasonCode;
use cellgate_approval::{Approver, Difference, Standing};
use cellgate_core::digest::Digest;
use cellgate_inputs::finding::Severity;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The approvals that a gate read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalsReport {
    /// The git revision that holds them; absent when there is none.
    pub revision: Option<String>,
    /// How many records it holds.
    pub records: usize,
}

/// Who has approved a profile, or what is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalReport {
    /// `approved`, `missing`, `stale`, `revoked`, `too-few`, `by-author` or `permission-too-low`.
    pub state: String,
    /// Who has approved, or who did what `state` says; of `stale`, who approved something else.
    pub by: Vec<ApproverReport>,
    /// How many people must approve.
    pub needed: u32,
    /// The permission that counts, where it was too low.
    pub permission: Option<String>,
    /// Of `stale`, in which digests that approval differs.
    pub differences: Vec<DifferenceReport>,
}

/// A person who approved or revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproverReport {
    /// Login or mail address.
    pub who: String,
    /// What that person could do on the repository.
    pub permission: String,
    /// Why.
    pub why: String,
    /// When, in UTC.
    pub when: String,
    /// Digest of the report that was seen.
    pub report_digest: String,
    /// The pull request; absent where there was none.
    pub pull_request: Option<u64>,
}

/// A digest that was approved otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DifferenceReport {
    /// `params`, `dataset`, `policy` or `engine`.
    pub part: String,
    /// The one that was approved; absent when there was none.
    pub approved: Option<String>,
    /// The one that is there now; absent when there is none.
    pub present: Option<String>,
}

/// No approval would let this change pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotApprovable {
    /// An input is invalid.
    #[error("an input is invalid: {0}")]
    Invalid(String),
    /// There is a reason that no approval changes.
    #[error("no approval changes this: {0}")]
    Beyond(String),
}

/// Reasons that no approval changes.
const BEYOND: [ReasonCode; 5] = [
    ReasonCode::AccuracyBelowFloor,
    ReasonCode::AccuracyUnknown,
    ReasonCode::EngineNondeterministic,
    ReasonCode::HeadInvalid,
    ReasonCode::FindingsPresent,
];

/// Reasons that come and go with the log of approvals.
const OF_THE_LOG: [ReasonCode; 2] = [ReasonCode::EngineChanged, ReasonCode::ApprovalsBroken];

impl Report {
    /// The digest that names this report: what people approve.
    ///
    /// It is the sha256 of the report's canonical form (RFC 8785) without what the approvals
    /// themselves change: `exit_code`, `approvals`, `remarks`, `engine.approved_fingerprint`, of
    /// each profile `needs_approval`, `approved` and `approval`, and reasons about the approved
    /// engine or a broken log. So an approved report keeps its name, and a second person approves
    /// the same.
    ///
    /// # Errors
    /// [`ReportError`] when the report has no JSON form.
    pub fn digest(&self) -> Result<Digest, ReportError> {
        let mut value = serde_json::to_value(self).map_err(ReportError::Write)?;
        remove(&mut value, &["exit_code", "approvals", "remarks"]);
        remove(&mut value["engine"], &["approved_fingerprint"]);
        if let Some(reasons) = value["reasons"].as_array_mut() {
            let is_of_log =
                |reason: &Value| OF_THE_LOG.iter().any(|code| reason["code"] == code.as_str());
            reasons.retain(|reason| !is_of_log(reason));
        }
        for profile in value["profiles"].as_array_mut().into_iter().flatten() {
            remove(profile, &["needs_approval", "approved", "approval"]);
        }
        Digest::of_canonical(&value).map_err(ReportError::Digest)
    }

    /// Whether somebody must approve and has not.
    #[must_use]
    pub fn awaits_approval(&self) -> bool {
        self.profiles.iter().any(|profile| profile.needs_approval && !profile.approved)
    }

    /// Says why no approval would let this change pass, if so.
    ///
    /// # Errors
    /// [`NotApprovable`] with the first reason.
    pub fn check_approvable(&self) -> Result<(), NotApprovable> {
        let of_profiles = self.profiles.iter().flat_map(|profile| &profile.reasons);
        let mut reasons = self.reasons.iter().chain(of_profiles);
        if let Some(finding) = self.findings.iter().find(|one| one.severity == Severity::Error) {
            return Err(NotApprovable::Invalid(finding.message.clone()));
        }
        let is_beyond = |code: &str| BEYOND.iter().any(|beyond| beyond.as_str() == code);
        match reasons.find(|reason| is_beyond(&reason.code)) {
            Some(reason) => Err(NotApprovable::Beyond(reason.text.clone())),
            None if self.profiles.is_empty() || self.binding.profiles.is_empty() => {
                Err(NotApprovable::Beyond("no profile was compared".to_owned()))
            }
            None => Ok(()),
        }
    }
}

fn remove(value: &mut Value, keys: &[&str]) {
    if let Some(object) = value.as_object_mut() {
        keys.iter().for_each(|key| drop(object.remove(*key)));
    }
}

impl ApprovalReport {
    /// Puts the part about one profile together; `needed` people must approve.
    #[must_use]
    pub fn new(standing: &Standing, needed: u32) -> Self {
        let (by, permission, differences): (&[Approver], _, &[Difference]) = match standing {
            Standing::Missing => (&[], None, &[]),
            Standing::Approved { by } | Standing::TooFew { by, .. } => (by, None, &[]),
            Standing::Revoked { by } | Standing::ByAuthor { by } => {
                (std::slice::from_ref(by), None, &[])
            }
            Standing::PermissionTooLow { by, needed } => {
                (std::slice::from_ref(by), Some(needed.to_string()), &[])
            }
            Standing::Stale { nearest, differences } => {
                (std::slice::from_ref(nearest), None, differences)
            }
        };
        Self {
            state: standing.as_str().to_owned(),
            by: by.iter().map(ApproverReport::from).collect(),
            needed,
            permission,
            differences: differences.iter().map(DifferenceReport::from).collect(),
        }
    }
}

impl From<&Approver> for ApproverReport {
    fn from(approver: &Approver) -> Self {
        Self {
            who: approver.who.clone(),
            permission: approver.permission.to_string(),
            why: approver.why.clone(),
            when: approver.when.to_string(),
            report_digest: approver.report_digest.to_string(),
            pull_request: approver.pull_request,
        }
    }
}

impl From<&Difference> for DifferenceReport {
    fn from(difference: &Difference) -> Self {
        let text = |digest: Option<Digest>| digest.map(|digest| digest.to_string());
        Self {
            part: difference.part.as_str().to_owned(),
            approved: text(difference.approved),
            present: text(difference.present),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn an_approval_does_not_change_the_digest_and_a_number_does() {
        let report = sample::report();
        let digest = report.digest().unwrap();
        let mut approved = report.clone();
        approved.exit_code = crate::exit::ExitCode::Passed;
        approved.approvals.records = 7;
        approved.engine.approved_fingerprint = Some("e".repeat(64));
        approved.profiles[0].approved = true;
        approved.profiles[0].approval = None;
        assert_eq!(approved.digest().unwrap(), digest);
        let mut other = report.clone();
        other.profiles[0].measurements[0].shift = Some(0.123);
        assert_ne!(other.digest().unwrap(), digest);
        let again = Report::from_json(report.to_json().unwrap().as_bytes()).unwrap();
        assert_eq!(again.digest().unwrap(), digest);
    }

    #[test]
    fn what_no_approval_changes_is_told() {
        let report = sample::report();
        assert_eq!(report.check_approvable(), Ok(()));
        let mut below = report.clone();
        below.profiles[0].reasons[0].code = ReasonCode::AccuracyBelowFloor.as_str().to_owned();
        assert!(matches!(below.check_approvable(), Err(NotApprovable::Beyond(_))));
        let empty = Report { profiles: Vec::new(), ..report };
        assert!(matches!(empty.check_approvable(), Err(NotApprovable::Beyond(_))));
    }
}
