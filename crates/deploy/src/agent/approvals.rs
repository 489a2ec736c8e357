//! Approvals: whether somebody let exactly these digests pass.
//!
//! The log comes with the release. It must go on from the one that the last confirmed release
//! brought, byte for byte, so that nobody takes a record out of it; and it must name every digest by
//! the policy that the release carries. Where a file `allowed_signers` is in the root, those who
//! approved must have signed.

use super::refuse::{Refused, io_refusal, refusal};
use super::state::Seen;
use super::world::World;
use crate::release::{APPROVALS, Release};
use crate::wire::{Intent, RefusalCode};
use cellgate_approval::signature::{self, SignatureError};
use cellgate_approval::{Action, ApprovalStatus, Approver, Log, MAX_BYTES, Subject};
use cellgate_core::digest::Digest;
use cellgate_inputs::project::{ApprovalPolicy, Project};
use cellgate_inputs::revision::Tree;
use std::path::Path;

/// The file in the root that names whose signatures count.
const SIGNERS: &str = "allowed_signers";

/// Checks the release in a folder; gives how far its log of approvals goes.
///
/// A way back is checked against the log of the active release, which knows what was revoked since.
///
/// # Errors
/// `not-approved` with the profile and what is missing, and `failed`.
pub(super) fn check(
    world: &World,
    release: &Release,
    folder: &Path,
    intent: Intent,
    active: Option<Digest>,
    earlier: Option<Seen>,
) -> Result<Seen, Refused> {
    let newest = match (intent, active) {
        (Intent::Rollback, Some(active)) => world.path.join("releases").join(active.to_string()),
        (Intent::Deploy, _) | (_, None) => folder.to_owned(),
    };
    let bytes = Tree::Folder(newest).read(APPROVALS, MAX_BYTES as u64);
    let bytes = bytes.map_err(|error| approval_refusal(error.to_string()))?;
    let seen = check_append_only(&bytes, earlier)?;
    let log = Log::parse(&bytes).map_err(|error| {
        approval_refusal(format!(
            "the log of approvals is damaged at line {}: {}",
            error.line, error.fault
        ))
    })?;
    let project = Project::load(&Tree::Folder(folder.to_owned()));
    let project = project.map_err(|findings| {
        let first = findings.first().map_or_else(String::new, |finding| finding.message.clone());
        approval_refusal(format!("the release's project file is not valid: {first}"))
    })?;
    if project.policy().digest().ok() != Some(release.policy_digest) {
        return Err(approval_refusal(
            "the release's policy is not the one that its manifest names".into(),
        ));
    }
    for profile in &release.profiles {
        let subject = Subject {
            profile: &profile.name,
            params: Some(profile.params_digest),
            dataset: profile.dataset_digest,
            policy: release.policy_digest,
            engine: release.engine_fingerprint,
        };
        check_approval(world, &log, &subject, &project.policy().approval)?;
    }
    Ok(seen)
}

/// Whether a log goes on from the one that was seen before; gives how far it was seen now.
fn check_append_only(log: &[u8], earlier: Option<Seen>) -> Result<Seen, Refused> {
    let seen = Seen { n_bytes: log.len() as u64, sha256: Digest::of_bytes(log) };
    let Some(earlier) = earlier else { return Ok(seen) };
    let start = usize::try_from(earlier.n_bytes).ok().and_then(|n| log.get(..n));
    if start.is_some_and(|start| Digest::of_bytes(start) == earlier.sha256) {
        return Ok(seen);
    }
    let message = "the log of approvals does not go on from the one of the last release: records \
                   were changed or taken out";
    let help = "restore the branch `cellgate-approvals`; to take an approval back, revoke it";
    Err(refusal(RefusalCode::NotApproved, message, help).into())
}

fn check_approval(
    world: &World,
    log: &Log,
    subject: &Subject<'_>,
    policy: &ApprovalPolicy,
) -> Result<(), Refused> {
    let standing = log.verdict_for(subject, policy, None);
    let ApprovalStatus::Approved { by } = &standing else {
        let name = subject.profile;
        return Err(approval_refusal(format!(
            "profile `{name}` is not approved: {}",
            standing.as_str()
        )));
    };
    let is_required = world.root.find(SIGNERS).map_err(io_refusal("the signers"))?.is_some();
    if !is_required {
        return Ok(());
    }
    let signers = world.path.join(SIGNERS);
    let results: Vec<Result<(), Unsigned>> =
        by.iter().map(|approver| verify_signature(log, approver, &signers)).collect();
    let n_signed = results.iter().filter(|result| result.is_ok()).count() as u64;
    if u64::from(policy.count.max(1)) <= n_signed {
        return Ok(());
    }
    let name = subject.profile;
    let last =
        results.into_iter().filter_map(Result::err).next_back().unwrap_or(Unsigned::ByNobody);
    Err(approval_refusal(format!("the approval of profile `{name}` is not signed: {last}")))
}

/// An approval is signed by nobody who may.
#[derive(Debug, thiserror::Error)]
enum Unsigned {
    /// Nobody approved.
    #[error("nobody signed")]
    ByNobody,
    /// There is no record of who approved.
    #[error("{0} did not sign")]
    ByApprover(String),
    /// The signature is none.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// Whether one of the records of an approval is signed by who made it.
fn verify_signature(log: &Log, approver: &Approver, signers: &Path) -> Result<(), Unsigned> {
    let records = log.records().iter().filter(|record| {
        record.entry.action == Action::Approve
            && record.entry.who == approver.who
            && record.entry.report_digest == approver.report_digest
    });
    let mut result =
        Err(Unsigned::ByApprover(crate::release::path::escape_for_display(&approver.who)));
    for record in records {
        match signature::verify(record, signers) {
            Ok(()) => return Ok(()),
            Err(error) => result = Err(error.into()),
        }
    }
    result
}

fn approval_refusal(message: String) -> Refused {
    let help =
        "approve the report of exactly this commit by `/cellgate approve`, then deploy again";
    refusal(RefusalCode::NotApproved, message, help).into()
}
