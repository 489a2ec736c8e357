//! Log: one record a line, each naming the digest of the line before it.
//!
//! A log is held only when every line is in canonical form (RFC 8785) and the chain is whole, so a
//! changed, lost, doubled or moved line is noticed and named. What the chain cannot tell, that the
//! last lines are the ones seen before, [`Log::extends`] tells.

use super::binding::Binding;
use super::entry::{Action, DigestPrefix, Entry, EntryError};
use cellgate_core::digest::{Digest, DigestError, canonical};
use serde::{Deserialize, Serialize};

/// Value of the `schema` key in a record.
pub const SCHEMA: &str = "cellgate/approval/v1";

/// The branch that holds the log.
pub const BRANCH: &str = "cellgate-approvals";

/// The log's file on its branch.
pub const FILE: &str = "approvals.jsonl";

/// Larger logs are refused, in bytes.
pub const MAX_BYTES: usize = 8 << 20;

/// Longer lines are refused, in bytes.
pub const MAX_LINE_BYTES: usize = 128 << 10;

/// Logs with more records are refused.
pub const MAX_RECORDS: usize = 20_000;

/// Every record, in the order in which it was appended; the chain is whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    text: Vec<u8>,
    records: Vec<Record>,
    /// Digest of each line.
    digests: Vec<Digest>,
}

/// An entry at its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Digest of the line before; [`Digest::ZERO`] for the first.
    pub previous: Digest,
    /// The approval or revocation.
    pub entry: Entry,
    /// Signature of the record without this, as `ssh-keygen -Y sign` writes it.
    pub signature: Option<String>,
}

/// The log cannot be trusted, or a record cannot be appended.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the approvals: {fault}")]
pub struct LogError {
    /// The line, from 1.
    pub line: usize,
    /// Fault of the line.
    #[source]
    pub fault: Fault,
}

/// Fault of a line.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The log is too large.
    #[error("the log has more than {MAX_BYTES} bytes or {MAX_RECORDS} records")]
    LogTooLarge,
    /// The line is too long.
    #[error("it has more than {MAX_LINE_BYTES} bytes")]
    LineTooLong,
    /// The last line is torn.
    #[error("it does not end with a line break, so part of it may be lost")]
    Torn,
    /// The line is no record.
    #[error("it is not a record: {0}")]
    Syntax(serde_json::Error),
    /// The line follows another schema.
    #[error("it follows schema `{0}`, not `{SCHEMA}`")]
    SchemaUnknown(String),
    /// The line follows a newer version.
    #[error("it follows schema `{0}`, newer than `{SCHEMA}`: use the version that wrote it")]
    SchemaTooNew(String),
    /// The line follows a version that is no longer read.
    #[error("it follows schema `{0}`, older than `{SCHEMA}`, which is no longer read")]
    SchemaTooOld(String),
    /// A value does not have its form.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The line says the same as a record and is written otherwise.
    #[error("it is not in canonical form, so it was edited")]
    NotCanonical,
    /// The line does not follow the one before it.
    #[error("it names {found} as the line before it, which is {expected}: the log was edited")]
    Chain {
        /// Digest of the line before it.
        expected: Digest,
        /// The digest that it names.
        found: Digest,
    },
    /// The record has no canonical form.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// The record could not be signed.
    #[error(transparent)]
    Signature(Box<dyn std::error::Error + Send + Sync>),
}

/// A record as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    schema: String,
    action: String,
    #[serde(with = "super::binding::hex")]
    previous: Digest,
    binding: Binding,
    #[serde(with = "super::binding::hex")]
    report_digest: Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_request: Option<u64>,
    who: String,
    permission: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    why: String,
    when: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

impl Log {
    /// Reads a log and verifies its whole chain.
    ///
    /// # Edge cases
    /// No bytes are a log without records.
    ///
    /// # Errors
    /// [`LogError`] for the first line that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, LogError> {
        let mut log = Self::default();
        if MAX_BYTES < bytes.len() {
            return Err(LogError { line: 1, fault: Fault::LogTooLarge });
        }
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let to_error = |fault| LogError { line: index + 1, fault };
            if MAX_RECORDS <= index {
                return Err(to_error(Fault::LogTooLarge));
            }
            let line = line.strip_suffix(b"\n").ok_or_else(|| to_error(Fault::Torn))?;
            let record = Record::parse(line, log.head()).map_err(to_error)?;
            log.records.push(record);
            log.digests.push(Digest::of_bytes(line));
        }
        log.text = bytes.to_vec();
        Ok(log)
    }

    /// The log as it is written.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// Every record, the oldest first.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Digest of the last line, which names the whole log; [`Digest::ZERO`] without a record.
    #[must_use]
    pub fn head(&self) -> Digest {
        self.digests.last().copied().unwrap_or(Digest::ZERO)
    }

    /// Whether this log is an earlier one with nothing but records added.
    #[must_use]
    pub fn extends(&self, earlier: &Self) -> bool {
        self.text.starts_with(&earlier.text)
    }

    /// Whether this log holds everything that a log with that head held.
    ///
    /// A line names all lines before it, so the head seen last is all that a reader must keep.
    #[must_use]
    pub fn extends_head(&self, head: Digest) -> bool {
        head == Digest::ZERO || self.digests.contains(&head)
    }

    /// Appends a record.
    ///
    /// # Errors
    /// [`LogError`] with the line that it would have been; the log stays as it was.
    pub fn append(&mut self, entry: Entry) -> Result<&Record, LogError> {
        self.append_with(entry, |_| Ok(None))
    }

    /// Appends a record that `sign` signs: it takes the record's canonical form without signature.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn append_signed<E: std::error::Error + Send + Sync + 'static>(
        &mut self,
        entry: Entry,
        sign: impl FnOnce(&[u8]) -> Result<String, E>,
    ) -> Result<&Record, LogError> {
        let sign = |message: &[u8]| sign(message).map(Some);
        self.append_with(entry, |message| sign(message).map_err(|e| Fault::Signature(e.into())))
    }

    fn append_with(
        &mut self,
        entry: Entry,
        sign: impl FnOnce(&[u8]) -> Result<Option<String>, Fault>,
    ) -> Result<&Record, LogError> {
        let index = self.records.len();
        let to_error = |fault| LogError { line: index + 1, fault };
        entry.check().map_err(|error| to_error(error.into()))?;
        let mut record = Record { previous: self.head(), entry, signature: None };
        let message = record.canonical().map_err(|error| to_error(error.into()))?;
        record.signature = sign(&message).map_err(to_error)?;
        let line = record.canonical().map_err(|error| to_error(error.into()))?;
        if MAX_LINE_BYTES < line.len() {
            return Err(to_error(Fault::LineTooLong));
        }
        if MAX_RECORDS <= index || MAX_BYTES <= self.text.len() + line.len() {
            return Err(to_error(Fault::LogTooLarge));
        }
        self.digests.push(Digest::of_bytes(&line));
        self.text.extend_from_slice(&line);
        self.text.push(b'\n');
        self.records.push(record);
        Ok(&self.records[index])
    }

    /// The report that a prefix names among those approved, with what its approval holds for.
    ///
    /// # Errors
    /// [`NamesNoReport`] when it names none, or several.
    pub fn report(&self, prefix: &DigestPrefix) -> Result<(Digest, &Binding), NamesNoReport> {
        let approvals =
            self.records.iter().rev().filter(|record| record.entry.action == Action::Approve);
        let mut matches = approvals.filter(|record| prefix.names(&record.entry.report_digest));
        let Some(record) = matches.next() else { return Err(NamesNoReport::None) };
        let digest = record.entry.report_digest;
        if matches.any(|other| other.entry.report_digest != digest) {
            return Err(NamesNoReport::Several);
        }
        Ok((digest, &record.entry.binding))
    }
}

/// A prefix names no report that was approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NamesNoReport {
    /// No approval is of such a report.
    #[error("no approval names a report with that digest")]
    None,
    /// Approvals of several reports begin so.
    #[error("several approved reports begin with these digits: give more of them")]
    Several,
}

impl Record {
    fn parse(line: &[u8], previous: Digest) -> Result<Self, Fault> {
        if MAX_LINE_BYTES < line.len() {
            return Err(Fault::LineTooLong);
        }
        check_schema(line)?;
        let read: Line = serde_json::from_slice(line).map_err(Fault::Syntax)?;
        let entry = Entry {
            action: read.action.parse()?,
            binding: read.binding,
            report_digest: read.report_digest,
            commit: read.commit,
            pull_request: read.pull_request,
            who: read.who,
            permission: read.permission.parse()?,
            author: read.author,
            why: read.why,
            when: read.when.parse().map_err(|_: super::timestamp::TimestampSyntax| EntryError {
                key: "when",
                wanted: "a moment in UTC like `2026-03-01T09:30:00Z`",
            })?,
        };
        entry.check()?;
        let record = Self { previous: read.previous, entry, signature: read.signature };
        if record.canonical()? != line {
            return Err(Fault::NotCanonical);
        }
        if record.previous != previous {
            return Err(Fault::Chain { expected: previous, found: record.previous });
        }
        Ok(record)
    }

    /// Message that a signature of this record covers: its canonical form without signature.
    ///
    /// # Errors
    /// [`DigestError`] never happens for a record of a log.
    pub fn message(&self) -> Result<Vec<u8>, DigestError> {
        Self { signature: None, ..self.clone() }.canonical()
    }

    fn canonical(&self) -> Result<Vec<u8>, DigestError> {
        let entry = &self.entry;
        canonical(&Line {
            schema: SCHEMA.to_owned(),
            action: entry.action.as_str().to_owned(),
            previous: self.previous,
            binding: entry.binding.clone(),
            report_digest: entry.report_digest,
            commit: entry.commit.clone(),
            pull_request: entry.pull_request,
            who: entry.who.clone(),
            permission: entry.permission.as_str().to_owned(),
            author: entry.author.clone(),
            why: entry.why.clone(),
            when: entry.when.as_str().to_owned(),
            signature: self.signature.clone(),
        })
    }
}

fn check_schema(line: &[u8]) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct Head {
        schema: String,
    }
    const FAMILY: &str = "cellgate/approval/v";
    let head: Head = serde_json::from_slice(line).map_err(Fault::Syntax)?;
    if head.schema == SCHEMA {
        return Ok(());
    }
    let version = head.schema.strip_prefix(FAMILY).and_then(|digits| digits.parse::<u32>().ok());
    let found: String = head.schema.chars().filter(|c| !c.is_control()).take(80).collect();
    Err(match version {
        Some(0) => Fault::SchemaTooOld(found),
        Some(_) => Fault::SchemaTooNew(found),
        None => Fault::SchemaUnknown(found),
    })
}
