//! Approval: the part of the report about approvals.

use cellgate_approval::{ApprovalStatus, Approver, Difference};
use cellgate_core::digest::Digest;
use serde::{Deserialize, Serialize};

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
    /// Permission that the person had on the repository.
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

impl ApprovalReport {
    /// Puts the part about one profile together; `needed` people must approve.
    #[must_use]
    pub fn new(standing: &ApprovalStatus, needed: u32) -> Self {
        let (by, permission, differences): (&[Approver], _, &[Difference]) = match standing {
            ApprovalStatus::Missing => (&[], None, &[]),
            ApprovalStatus::Approved { by } | ApprovalStatus::TooFew { by, .. } => (by, None, &[]),
            ApprovalStatus::Revoked { by } | ApprovalStatus::ByAuthor { by } => {
                (std::slice::from_ref(by), None, &[])
            }
            ApprovalStatus::PermissionTooLow { by, needed } => {
                (std::slice::from_ref(by), Some(needed.to_string()), &[])
            }
            ApprovalStatus::Stale { nearest, differences } => {
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
