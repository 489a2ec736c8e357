//! Step: the outputs and the summary of a workflow's step, for the runner.
//!
//! Takes a report, or why there is none; appends to the files that the runner named. Values are
//! single lines of known form, so that none can become another output. Prints nothing.
//!
//! # Sources
//! GitHub Docs, Workflow commands for GitHub Actions, "Environment files"; the runner's
//! `FileCommandManager.cs`.

use cellgate_core::digest::DigestError;
use cellgate_gate::exit::ExitCode;
use cellgate_gate::report::markdown::{self, prose};
use cellgate_gate::report::model::{Report, ReportError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Bytes that the runner accepts as a step's summary.
pub const MAX_SUMMARY_BYTES: u64 = 1 << 20;

/// Longest value of an output, in bytes.
const MAX_VALUE_BYTES: usize = 4096;

/// Longest value of the output `matrix`, in bytes: 256 shares need some ten thousand.
const MAX_MATRIX_BYTES: usize = 64 << 10;

/// Where the runner reads what a step tells it; nothing outside of GitHub Actions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// File of outputs.
    pub output: Option<PathBuf>,
    /// File of the summary.
    pub summary: Option<PathBuf>,
}

/// The runner cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A value is no single line.
    #[error(
        "the output `{0}` would not be a single short line; choose another name for the folder"
    )]
    Value(&'static str),
    /// A file cannot be written.
    #[error("`{}`, which the runner reads, cannot be written", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Error of the system.
        source: std::io::Error,
    },
    /// The report has no file form.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A digest cannot be taken.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

/// An output's name and value.
pub type Output = (&'static str, String);

/// Whether this process runs in a step of GitHub Actions, which reads what it prints.
#[must_use]
pub fn is_read_by_runner() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

impl Step {
    /// The files that the runner named for this step.
    #[must_use]
    pub fn from_env() -> Self {
        let file = |name| {
            let value = std::env::var_os(name).filter(|value| !value.is_empty());
            value.map(PathBuf::from)
        };
        Self { output: file("GITHUB_OUTPUT"), summary: file("GITHUB_STEP_SUMMARY") }
    }

    /// Sets outputs; does nothing where no runner reads them.
    ///
    /// # Errors
    /// [`StepError::Value`] before anything is written, [`StepError::Io`].
    pub fn set(&self, outputs: &[Output]) -> Result<(), StepError> {
        let Some(path) = &self.output else { return Ok(()) };
        let mut lines = String::new();
        for (name, value) in outputs {
            let max_bytes = if *name == "matrix" { MAX_MATRIX_BYTES } else { MAX_VALUE_BYTES };
            let is_line = |c: char| !c.is_control() && !['\u{2028}', '\u{2029}'].contains(&c);
            if value.len() > max_bytes || !value.chars().all(is_line) {
                return Err(StepError::Value(name));
            }
            lines.push_str(&format!("{name}={value}\n"));
        }
        append(path, &lines)
    }

    /// Adds the report to the step's summary, in as much detail as there is room for.
    ///
    /// # Errors
    /// [`StepError::Io`].
    pub fn summarize(&self, report: &Report) -> Result<(), StepError> {
        let Some(path) = &self.summary else { return Ok(()) };
        let text = markdown::render(report, None, remaining_bytes(path));
        append(path, &text)
    }

    /// Adds to the step's summary why there is no report.
    ///
    /// # Errors
    /// [`StepError::Io`].
    pub fn summarize_failure(&self, word: &str, why: &str) -> Result<(), StepError> {
        let Some(path) = &self.summary else { return Ok(()) };
        let text = format!("### ❌ cellgate: {}\n\n{}\n", prose(word), prose(why));
        if remaining_bytes(path) < text.len() { Ok(()) } else { append(path, &text) }
    }
}

/// The outputs of a gate whose report stands in a folder.
///
/// `report-digest` is what people approve, [`Report::digest`]; for `params-digest` see
/// [`Report::params_digest`].
///
/// # Errors
/// [`StepError`] when the report has no file form.
pub fn outputs_of(report: &Report, folder: &Path) -> Result<Vec<Output>, StepError> {
    let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
    Ok(vec![
        ("verdict", report.verdict.to_string()),
        ("params-digest", report.params_digest()?),
        ("report-digest", report.digest()?.to_string()),
        ("report-json", file("report.json")),
        ("report-html", file("report.html")),
        ("n-findings", report.findings.len().to_string()),
        ("exit-code", report.exit_code.to_string()),
    ])
}

/// The outputs of a run without a report: `error`, `nothing`, or `partial` for one share.
#[must_use]
pub fn outputs_without_report(word: &str, n_findings: usize, exit_code: ExitCode) -> Vec<Output> {
    vec![
        ("verdict", word.to_owned()),
        ("n-findings", n_findings.to_string()),
        ("exit-code", exit_code.to_string()),
    ]
}

/// Bytes that still fit into a summary, with some to spare for line ends.
fn remaining_bytes(path: &Path) -> usize {
    let n_bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    MAX_SUMMARY_BYTES.saturating_sub(n_bytes + 1024) as usize
}

fn append(path: &Path, text: &str) -> Result<(), StepError> {
    std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| StepError::Io { path: path.to_owned(), source })
}
