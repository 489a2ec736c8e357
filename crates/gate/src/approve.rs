//! Approve: a person's word about a report, checked against the tree that it is about.
//!
//! Takes a report, or the digest of one that was approved, and gives a record on the local branch
//! of approvals. Who says it is the user of git; that it counts is up to who may push the branch.

use super::approvals::{
    AppendError, Approvals, Unreadable, append, author_of_head, binding_of, git,
};
use super::error::GateError;
use crate::report::model::{NotApprovable, Report, ReportError};
use cellgate_approval::{Action, Difference, DigestPrefix, Entry, NamesNoReport, Part, Permission};
use cellgate_approval::{Record, Timestamp};
use cellgate_core::digest::Digest;
use cellgate_inputs::revision::{Tree, TreeError};
use std::path::Path;

/// A person's word.
#[derive(Debug, Clone)]
pub struct Word<'a> {
    /// Top folder of the repository.
    pub repository: &'a Path,
    /// Folder of `cellgate.yaml` in it.
    pub root: &'a Path,
    /// Why.
    pub why: String,
    /// When.
    pub when: Timestamp,
    /// Key to sign with.
    pub key: Option<&'a Path>,
}

/// Outcome of recording a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// A record was appended.
    Appended(Box<Record>),
    /// The same person has approved the same already, and that stands.
    Already {
        /// The report's digest.
        report_digest: Digest,
        /// The person.
        who: String,
    },
}

/// A word cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum ApproveError {
    /// No approval would help.
    #[error("this report cannot be approved: {0}")]
    NotApprovable(#[from] NotApprovable),
    /// The report is about something else than what is checked out.
    #[error(
        "the report is not about what is checked out: {}; gate again, look at the new report, and \
         approve that one", describe_differences(.0)
    )]
    OtherHead(Vec<Difference>),
    /// git does not know who its user is.
    #[error("git does not know who you are: say it with `git config user.email ADDRESS`")]
    Nobody,
    /// No report is named.
    #[error(transparent)]
    Report(#[from] NamesNoReport),
    /// The report has no digest.
    #[error(transparent)]
    Digest(#[from] ReportError),
    /// The checkout cannot be read.
    #[error("what is checked out cannot be compared with the report")]
    Tree(#[from] GateError),
    /// The record cannot be appended.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl From<TreeError> for ApproveError {
    fn from(error: TreeError) -> Self {
        Self::Append(error.into())
    }
}

impl From<Unreadable> for ApproveError {
    fn from(error: Unreadable) -> Self {
        Self::Append(error.into())
    }
}

fn describe_differences(differences: &[Difference]) -> String {
    let sentence = |difference: &Difference| {
        let side = |digest: Option<Digest>| digest.map_or("none".into(), |digest| digest.short());
        let profile =
            difference.profile.as_ref().map_or(String::new(), |name| format!("`{name}` "));
        let (reported, present) = (side(difference.approved), side(difference.present));
        let part = difference.part.as_str();
        format!("{profile}{part} digest {reported} is reported, {present} is there")
    };
    differences.iter().map(sentence).collect::<Vec<_>>().join("; ")
}

/// Approves exactly what a report states.
///
/// # Edge cases
/// Approving twice adds nothing. The engine is the report's: the approver may run another.
///
/// # Errors
/// [`ApproveError`]; nothing is then recorded.
pub fn approve(word: &Word<'_>, report: &Report) -> Result<Recorded, ApproveError> {
    report.check_approvable()?;
    let tree = Tree::Folder(word.root.to_owned());
    let present = binding_of(&tree, report.binding.engine_fingerprint)?;
    let mut differences = report.binding.differences(&present);
    // A profile that nothing tries, in head or in the report, is not what the report is about.
    let reported = &report.binding.profiles;
    let is_reported = |name: &str| reported.iter().any(|profile| profile.name == name);
    let is_tried = |name: &str| present.subject(name).dataset.is_some();
    differences.retain(|difference| match (&difference.profile, difference.part) {
        (Some(name), Part::Params | Part::Dataset) => is_reported(name) || is_tried(name),
        (_, _) => true,
    });
    if !differences.is_empty() {
        return Err(ApproveError::OtherHead(differences));
    }
    record(word, Action::Approve, report.digest()?, report.binding.clone())
}

/// Takes back every approval of what a report stated.
///
/// # Errors
/// [`ApproveError`]; nothing is then recorded.
pub fn revoke(word: &Word<'_>, report: &DigestPrefix) -> Result<Recorded, ApproveError> {
    let log = Approvals::read(word.repository, None)?.log?;
    let (digest, binding) = log.report(report)?;
    record(word, Action::Revoke, digest, binding.clone())
}

fn record(
    word: &Word<'_>,
    action: Action,
    report_digest: Digest,
    binding: cellgate_approval::Binding,
) -> Result<Recorded, ApproveError> {
    let who = git(word.repository, &["config", "user.email"], b"").unwrap_or_default();
    if who.is_empty() {
        return Err(ApproveError::Nobody);
    }
    let log = Approvals::read(word.repository, None)?.log?;
    if action == Action::Approve && log.is_approved_by(&who, binding.subjects()) {
        return Ok(Recorded::Already { report_digest, who });
    }
    let entry = Entry {
        action,
        binding,
        report_digest,
        commit: git(word.repository, &["rev-parse", "--verify", "HEAD"], b"").ok(),
        pull_request: None,
        who,
        // Pushing the branch takes the permission to write, and nothing here shows a higher one.
        permission: Permission::Write,
        author: author_of_head(word.repository),
        why: word.why.clone(),
        when: word.when.clone(),
    };
    let (_, record) = append(word.repository, entry, word.key)?;
    Ok(Recorded::Appended(Box::new(record)))
}
