//! Status: whether a change is approved, and if not, what is missing.
//!
//! Digests decide. Each person's word counts once; a revocation takes back every approval of the
//! same digests that stands before it, whoever gave it, and whoever approves again after it counts
//! again. Reports and commits are told, never compared.

use super::binding::{Difference, Subject};
use super::entry::{Action, Permission};
use super::log::{Log, Record};
use super::timestamp::Timestamp;
use cellgate_core::digest::Digest;
use cellgate_inputs::project::ApprovalPolicy;
use std::collections::BTreeMap;

/// Whether a change is approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovalStatus {
    /// Enough people have approved exactly this.
    Approved {
        /// Who, the first to approve first.
        by: Vec<Approver>,
    },
    /// Nobody has ever approved anything of this profile.
    Missing,
    /// Something else of this profile was approved.
    Stale {
        /// The approval that comes nearest; the last of several.
        nearest: Approver,
        /// In which digests it differs; at least one.
        differences: Vec<Difference>,
    },
    /// Exactly this was approved, and that was taken back.
    Revoked {
        /// Who took it back.
        by: Approver,
    },
    /// More people must approve exactly this.
    TooFew {
        /// Who has.
        by: Vec<Approver>,
        /// How many must.
        needed: u32,
    },
    /// Only the change's author has approved exactly this, which the policy does not count.
    ByAuthor {
        /// The author.
        by: Approver,
    },
    /// Only people with too little permission have approved exactly this.
    PermissionTooLow {
        /// One of them.
        by: Approver,
        /// The permission that counts.
        needed: Permission,
    },
}

/// A person who approved or revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approver {
    /// Login or mail address.
    pub who: String,
    /// Permission that the person had on the repository.
    pub permission: Permission,
    /// Why.
    pub why: String,
    /// When.
    pub when: Timestamp,
    /// The report that was seen.
    pub report_digest: Digest,
    /// The pull request, where there was one.
    pub pull_request: Option<u64>,
}

/// Approvals and last revocation of one subject.
#[derive(Debug, Default)]
struct Votes<'a> {
    /// Approvals that stand, the first of each person, in their order.
    approvals: Vec<&'a Record>,
    /// Where in the log the last approval stands.
    last: usize,
    /// The revocation that came last.
    revocation: Option<&'a Record>,
}

impl ApprovalStatus {
    /// Whether the change may pass.
    #[must_use]
    pub fn is_approved(&self) -> bool {
        matches!(self, Self::Approved { .. })
    }

    /// The word in reports.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Approved { .. } => "approved",
            Self::Missing => "missing",
            Self::Stale { .. } => "stale",
            Self::Revoked { .. } => "revoked",
            Self::TooFew { .. } => "too-few",
            Self::ByAuthor { .. } => "by-author",
            Self::PermissionTooLow { .. } => "permission-too-low",
        }
    }
}

impl Log {
    /// Whether exactly this is approved by the policy, and if not, what is missing.
    ///
    /// `author` made the change, where the caller knows; a record may know it, too.
    #[must_use]
    pub fn verdict_for(
        &self,
        subject: &Subject<'_>,
        policy: &ApprovalPolicy,
        author: Option<&str>,
    ) -> ApprovalStatus {
        let votes = self.votes();
        let status = votes.get(subject).map(|votes| judge(votes, policy, author));
        status.flatten().unwrap_or_else(|| nearest_standing(&votes, subject))
    }

    /// Fingerprint of the engine that was approved last and still is; `None` before the first.
    #[must_use]
    pub fn approved_engine(&self, policy: &ApprovalPolicy) -> Option<Digest> {
        let votes = self.votes();
        let is_approved = |subject: Subject<'_>| {
            let status = votes.get(&subject).and_then(|votes| judge(votes, policy, None));
            status.is_some_and(|status| status.is_approved())
        };
        let approvals = self.records().iter().rev().filter(|r| r.entry.action == Action::Approve);
        let mut bindings = approvals.map(|record| &record.entry.binding);
        let binding = bindings.find(|binding| binding.subjects().all(is_approved));
        binding.map(|binding| binding.engine_fingerprint)
    }

    /// Whether a person's approval of all these subjects stands already.
    #[must_use]
    pub fn is_approved_by<'a>(
        &self,
        who: &str,
        subjects: impl IntoIterator<Item = Subject<'a>>,
    ) -> bool {
        let votes = self.votes();
        subjects.into_iter().all(|subject| {
            let approvals = votes.get(&subject).map(|votes| votes.approvals.as_slice());
            let is_theirs = |record: &&Record| is_same_person(&record.entry.who, who);
            approvals.unwrap_or_default().iter().any(is_theirs)
        })
    }

    fn votes(&self) -> BTreeMap<Subject<'_>, Votes<'_>> {
        let mut votes: BTreeMap<Subject<'_>, Votes<'_>> = BTreeMap::new();
        for (index, record) in self.records().iter().enumerate() {
            for subject in record.entry.binding.subjects() {
                let votes = votes.entry(subject).or_default();
                let is_same =
                    |approval: &&Record| is_same_person(&approval.entry.who, &record.entry.who);
                match record.entry.action {
                    Action::Approve => {
                        votes.last = index;
                        // A higher permission than before is worth keeping.
                        votes.approvals.retain(|approval| {
                            !is_same(approval)
                                || record.entry.permission <= approval.entry.permission
                        });
                        if !votes.approvals.iter().any(is_same) {
                            votes.approvals.push(record);
                        }
                    }
                    Action::Revoke => {
                        votes.approvals.clear();
                        votes.revocation = Some(record);
                    }
                }
            }
        }
        votes
    }
}

/// ApprovalStatus of one subject by its votes; `None` without votes.
fn judge(
    votes: &Votes<'_>,
    policy: &ApprovalPolicy,
    author: Option<&str>,
) -> Option<ApprovalStatus> {
    // A word that is no permission must not open the door.
    let needed = policy.permission.parse().unwrap_or(Permission::Admin);
    let has_permission = |record: &&&Record| needed <= record.entry.permission;
    let is_author = |record: &&&Record| {
        let authors = [author, record.entry.author.as_deref()];
        authors.into_iter().flatten().any(|author| is_same_person(author, &record.entry.who))
    };
    let may_approve = |record: &&&Record| policy.allow_author || !is_author(record);
    let approvers: Vec<Approver> = votes
        .approvals
        .iter()
        .filter(|record| has_permission(record) && may_approve(record))
        .map(|record| Approver::of(record))
        .collect();
    let n_approvers = u32::try_from(approvers.len()).unwrap_or(u32::MAX);
    if policy.count.max(1) <= n_approvers {
        return Some(ApprovalStatus::Approved { by: approvers });
    }
    if 0 < n_approvers {
        return Some(ApprovalStatus::TooFew { by: approvers, needed: policy.count });
    }
    if let Some(record) = votes.approvals.iter().find(|record| !may_approve(record)) {
        return Some(ApprovalStatus::ByAuthor { by: Approver::of(record) });
    }
    if let Some(record) = votes.approvals.first() {
        return Some(ApprovalStatus::PermissionTooLow { by: Approver::of(record), needed });
    }
    votes.revocation.map(|record| ApprovalStatus::Revoked { by: Approver::of(record) })
}

/// The standing approval of this profile with the fewest other digests, the last of several.
fn nearest_standing(
    votes: &BTreeMap<Subject<'_>, Votes<'_>>,
    subject: &Subject<'_>,
) -> ApprovalStatus {
    let of_profile = votes.iter().filter(|(candidate, _)| candidate.profile == subject.profile);
    let approved = of_profile.filter(|(_, votes)| !votes.approvals.is_empty());
    let nearest = approved.min_by_key(|(candidate, votes)| {
        (candidate.differences(subject).len(), std::cmp::Reverse(votes.last))
    });
    let nearest = nearest.and_then(|(candidate, votes)| Some((candidate, votes.approvals.last()?)));
    let Some((candidate, record)) = nearest else { return ApprovalStatus::Missing };
    let differences = candidate.differences(subject).into_iter();
    ApprovalStatus::Stale {
        nearest: Approver::of(record),
        differences: differences
            .map(|(part, approved, present)| Difference { profile: None, part, approved, present })
            .collect(),
    }
}

impl Approver {
    fn of(record: &Record) -> Self {
        let entry = &record.entry;
        Self {
            who: entry.who.clone(),
            permission: entry.permission,
            why: entry.why.clone(),
            when: entry.when.clone(),
            report_digest: entry.report_digest,
            pull_request: entry.pull_request,
        }
    }
}

/// Whether two names are one person's: neither logins nor mail hosts know upper case.
fn is_same_person(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}
