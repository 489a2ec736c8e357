//! The report as a value, and as `report.json`.
//!
//! These are the file's own structs: what stands here stands in the file, and nothing else. The
//! other renderings read only this value, so whoever holds `report.json` can make them again
//! without trusting any text that came with it. No times stand inside: equal inputs give equal
//! bytes.

mod words;
mod lines;
mod approvable;
mod approval;
mod build;
mod profile;

use crate::exit::ExitCode;
pub use approvable::NotApprovable;
pub use approval::{ApprovalReport, ApprovalsReport, ApproverReport, DifferenceReport};
pub use build::{Gate, ProfileParts};
pub use lines::{FindingLine, ReasonLine};
pub use profile::{
    AccuracyReport, ChangedKey, FieldReport, HistogramReport, MatchedReport, MeasurementReport,
    NucleiReport, PartsReport, ProfileReport, ScoreReport, Sides,
};
use words::verdict_word;

use crate::verdict::Verdict;
use cellgate_approval::Binding;
use cellgate_core::digest::{Digest, DigestError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Name and version of the file's schema.
pub const SCHEMA: &str = "cellgate/report/v1";

/// Larger files are refused, in bytes.
pub const MAX_BYTES: usize = 32 << 20;

/// Everything a reader is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// The gravest verdict of all profiles.
    #[serde(with = "verdict_word")]
    pub verdict: Verdict,
    /// Exit code of the gate.
    pub exit_code: ExitCode,
    /// Level that the gate fails on: `broken`, `drifted` or `never`.
    pub fail_on: String,
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
    /// Digests of head that an approval of this report holds for.
    pub binding: Binding,
    /// The approvals that were read.
    pub approvals: ApprovalsReport,
    /// Reasons that hold for all profiles.
    pub reasons: Vec<ReasonLine>,
    /// Every profile.
    pub profiles: Vec<ProfileReport>,
    /// How intervals were made.
    pub statistics: Statistics,
    /// Base run twice; absent when it was not tried.
    pub noise_floor: Option<NoiseReport>,
    /// Remarks about inputs.
    pub findings: Vec<FindingLine>,
    /// The verdicts as remarks on the lines that caused them, each with its measured effect.
    pub remarks: Vec<FindingLine>,
}

/// The engine that ran both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Version of cellgate.
    pub version: String,
    /// Fingerprint of the numbers it gives.
    pub fingerprint: String,
    /// Fingerprint that was approved last.
    pub approved_fingerprint: Option<String>,
}

/// One side of the comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// Display name: a branch, or `working tree`.
    pub name: String,
    /// The commit; absent for a folder.
    pub commit: Option<String>,
}

/// How intervals were made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// Confidence of the intervals, 0 to 1.
    pub confidence: f64,
    /// Bootstrap resamples.
    pub resamples: u32,
    /// Seed of the resampling.
    pub seed: u64,
    /// Fields needed at least for deciding.
    pub min_fields: u32,
}

/// Base run twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseReport {
    /// Fields that were run twice.
    pub n_fields: u32,
    /// Fields that differ.
    pub differing_fields: Vec<String>,
    /// Pixels that differ.
    pub n_differing_px: u64,
    /// Largest difference by measurement, in its own unit.
    pub largest: BTreeMap<String, f64>,
}

/// `report.json` cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The file is too large.
    #[error("the report has {n_bytes} bytes, more than the {MAX_BYTES} that are read")]
    TooLarge {
        /// Its size.
        n_bytes: usize,
    },
    /// The file is not a report.
    #[error("not a report of schema `{SCHEMA}`")]
    Syntax(#[source] serde_json::Error),
    /// The file follows another version of the schema.
    #[error(
        "the report follows schema `{found}`, this cellgate reads `{SCHEMA}`: use the version that wrote it"
    )]
    Schema {
        /// Schema that the file names.
        found: String,
    },
    /// The report cannot be written.
    #[error("the report has no JSON form")]
    Write(#[source] serde_json::Error),
    /// The report cannot be named.
    #[error("the report has no digest")]
    Digest(#[source] DigestError),
}

impl Report {
    /// Every profile with its place in the list, the gravest first.
    #[must_use]
    pub fn gravest_first(&self) -> Vec<(usize, &ProfileReport)> {
        let mut profiles: Vec<_> = self.profiles.iter().enumerate().collect();
        profiles.sort_by_key(|(_, profile)| std::cmp::Reverse(profile.verdict));
        profiles
    }

    /// Digest of the parameters that were gated: head's of the one profile; of several, or of one
    /// that head does not have, the digest of the list of `{name, params_digest}` in the report's
    /// order, in canonical form, with null for a profile that head does not have.
    ///
    /// # Errors
    /// [`DigestError`], which texts never give.
    pub fn params_digest(&self) -> Result<String, DigestError> {
        #[derive(Serialize)]
        struct Line<'a> {
            name: &'a str,
            params_digest: Option<&'a str>,
        }
        let lines: Vec<Line<'_>> = self
            .profiles
            .iter()
            .map(|profile| Line {
                name: &profile.name,
                params_digest: profile.params_digest.head.as_deref(),
            })
            .collect();
        if let [Line { params_digest: Some(digest), .. }] = lines.as_slice() {
            return Ok((*digest).to_owned());
        }
        Ok(Digest::of_canonical(&lines)?.to_string())
    }

    /// Writes `report.json`: indented, with a final line break.
    ///
    /// # Errors
    /// [`ReportError::Write`] when the report has no JSON form.
    pub fn to_json(&self) -> Result<String, ReportError> {
        let mut text = serde_json::to_string_pretty(self).map_err(ReportError::Write)?;
        text.push('\n');
        Ok(text)
    }

    /// Reads `report.json` strictly: unknown and missing keys are errors.
    ///
    /// # Errors
    /// [`ReportError`] when it is too large, of another schema, or not a report.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ReportError> {
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        if bytes.len() > MAX_BYTES {
            return Err(ReportError::TooLarge { n_bytes: bytes.len() });
        }
        let head: Head = serde_json::from_slice(bytes).map_err(ReportError::Syntax)?;
        if head.schema != SCHEMA {
            let found = head.schema.chars().take(80).collect();
            return Err(ReportError::Schema { found });
        }
        serde_json::from_slice(bytes).map_err(ReportError::Syntax)
    }
}

#[cfg(test)]
pub(super) mod sample;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_back_as_written() {
        let report = sample::report();
        let text = report.to_json().unwrap();
        assert_eq!(Report::from_json(text.as_bytes()).unwrap(), report);
        assert!(
            text.starts_with(
                "{\n  \"schema\": \"cellgate/report/v1\",\n  \"verdict\": \"drifted\""
            )
        );
    }

    #[test]
    fn strange_reports_are_refused() {
        let text = sample::report().to_json().unwrap();
        let parse_error = |text: &str| Report::from_json(text.as_bytes()).unwrap_err();
        let newer = text.replace("cellgate/report/v1", "cellgate/report/v2");
        assert!(matches!(parse_error(&newer), ReportError::Schema { .. }));
        let extra = text.replacen("\"exit_code\"", "\"surprise\": 1, \"exit_code\"", 1);
        assert!(matches!(parse_error(&extra), ReportError::Syntax(_)));
        let word = text.replacen("\"drifted\"", "\"fine\"", 1);
        assert!(matches!(parse_error(&word), ReportError::Syntax(_)));
        assert!(matches!(parse_error("{}"), ReportError::Syntax(_)));
    }
}
