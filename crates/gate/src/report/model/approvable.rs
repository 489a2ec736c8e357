//! Approvable: the digest by which people approve a report, and why one cannot be approved.

use super::{Report, ReportError};
use crate::verdict::ReasonCode;
use cellgate_core::digest::Digest;
use cellgate_inputs::finding::Severity;
use serde_json::Value;

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
        if let Some(finding) = self.findings.iter().find(|line| line.severity == Severity::Error) {
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

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn an_approval_does_not_change_the_digest_and_a_number_does() {
        let report = sample::report();
        let digest = report.digest().unwrap();
        let mut approved_report = report.clone();
        approved_report.exit_code = crate::exit::ExitCode::Passed;
        approved_report.approvals.records = 7;
        approved_report.engine.approved_fingerprint = Some("e".repeat(64));
        approved_report.profiles[0].approved = true;
        approved_report.profiles[0].approval = None;
        assert_eq!(approved_report.digest().unwrap(), digest);
        let mut changed_report = report.clone();
        changed_report.profiles[0].measurements[0].shift = Some(0.123);
        assert_ne!(changed_report.digest().unwrap(), digest);
        let parsed = Report::from_json(report.to_json().unwrap().as_bytes()).unwrap();
        assert_eq!(parsed.digest().unwrap(), digest);
    }

    #[test]
    fn what_no_approval_changes_is_told() {
        let report = sample::report();
        assert_eq!(report.check_approvable(), Ok(()));
        let mut inaccurate = report.clone();
        inaccurate.profiles[0].reasons[0].code = ReasonCode::AccuracyBelowFloor.as_str().to_owned();
        assert!(matches!(inaccurate.check_approvable(), Err(NotApprovable::Beyond(_))));
        let empty_report = Report { profiles: Vec::new(), ..report };
        assert!(matches!(empty_report.check_approvable(), Err(NotApprovable::Beyond(_))));
    }
}
