//! Check: the check run of a gate on the commit that was judged.
//!
//! It is opened when the gate starts and completed however the gate ends, also when it crashed or
//! was stopped. Its conclusion blocks whenever the gate does not pass. Its remarks stand on the
//! changed lines of the profiles, each with its measured effect. It decides nothing that the report
//! has not decided.

use super::checks::{
    Annotation, CheckOutput, CheckRun, CheckRunDraft, Conclusion, Level, MAX_ANNOTATIONS,
};
use super::client::Client;
use super::comment::GateName;
use super::error::GitHubError;
use cellgate_gate::exit::ExitCode;
use cellgate_gate::report::explain::outcome;
use cellgate_gate::report::findings::neutralize_line;
use cellgate_gate::report::markdown;
use cellgate_gate::report::model::{FindingLine, Report};
use cellgate_inputs::finding::Severity;

/// Bytes of a summary; GitHub takes 65,535 characters.
const MAX_SUMMARY: usize = 60_000;

/// Remarks of one check run, in several requests.
const MAX_REMARKS: usize = 500;

/// Bytes of one remark; GitHub takes 64 KB.
const MAX_MESSAGE: usize = 4000;

/// Characters of a title; GitHub takes 255.
const MAX_TITLE: usize = 200;

/// Which gate of which run a check run is about.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The gate.
    pub name: &'a GateName,
    /// The commit that was judged.
    pub head_sha: &'a str,
    /// The workflow run and its attempt.
    pub run: (u64, u64),
    /// Page with more.
    pub page: Option<&'a str>,
}

/// How the gate ended.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// The report; absent when there is none.
    pub report: Option<&'a Report>,
    /// How the workflow run ended; absent inside of that run.
    pub conclusion: Option<&'a str>,
}

impl Subject<'_> {
    /// The check run's name.
    #[must_use]
    pub fn check_name(&self) -> String {
        match self.name.as_str() {
            "gate" => "cellgate".to_owned(),
            name => format!("cellgate ({name})"),
        }
    }

    fn external_id(&self) -> String {
        format!("cellgate:{}:{}:{}", self.name.as_str(), self.run.0, self.run.1)
    }

    fn draft(&self, conclusion: Option<Conclusion>, output: CheckOutput) -> CheckRunDraft {
        CheckRunDraft {
            name: self.check_name(),
            head_sha: None,
            external_id: self.external_id(),
            status: if conclusion.is_some() { "completed" } else { "in_progress" },
            conclusion,
            details_url: self.page.map(str::to_owned),
            output,
        }
    }

    fn is_ours(&self, run: &CheckRun) -> bool {
        run.external_id.as_deref() == Some(&self.external_id())
    }
}

impl Ending<'_> {
    /// Conclusion of the check run.
    ///
    /// # Edge cases
    /// A run that ended well without a report does not pass, nor does a report that passes in a run
    /// that did not.
    #[must_use]
    pub fn conclude(&self) -> Conclusion {
        match (self.conclusion, self.report.map(|report| report.exit_code)) {
            (None | Some("success"), Some(ExitCode::Passed)) => Conclusion::Success,
            (Some("cancelled"), _) => Conclusion::Cancelled,
            (Some("timed_out"), _) => Conclusion::TimedOut,
            (Some("action_required"), _) | (_, Some(ExitCode::NotApproved)) => {
                Conclusion::ActionRequired
            }
            _ => Conclusion::Failure,
        }
    }

    /// One line on how the gate ended.
    #[must_use]
    pub fn title(&self) -> String {
        match (self.report, self.conclusion) {
            (Some(report), _) if self.is_contradicted() => {
                format!("The workflow run failed, although its report is {}", report.verdict)
            }
            (Some(report), _) => format!("{}: {}", report.verdict, outcome(report)),
            (None, Some("cancelled")) => "The gate was stopped".to_owned(),
            (None, Some("success")) => "The gate left no report".to_owned(),
            (None, Some("action_required")) => "The gate waits to be allowed to run".to_owned(),
            (None, Some(word)) => {
                format!("The gate left no report: its run ended as {}", neutralize_line(word))
            }
            (None, None) => "The gate left no report".to_owned(),
        }
    }

    /// The report as Markdown in at most so many bytes, or why there is none.
    #[must_use]
    pub fn render(&self, page: Option<&str>, max_bytes: usize) -> String {
        match self.report {
            Some(report) if self.is_contradicted() => {
                let heading = format!("**{}.**\n\n", self.title());
                let rest = markdown::render(report, page, max_bytes.saturating_sub(heading.len()));
                heading + &rest
            }
            Some(report) => markdown::render(report, page, max_bytes),
            None => {
                let title = markdown::prose(&self.title());
                format!("### ❌ cellgate: no report\n\n{title}. The log of the run says why.\n")
            }
        }
    }

    /// Whether the run failed for another reason than its report.
    fn is_contradicted(&self) -> bool {
        let passes = self.report.is_some_and(|report| report.exit_code.is_passed());
        passes && self.conclusion.is_some_and(|conclusion| conclusion != "success")
    }
}

/// Opens the check run of a gate that has started.
///
/// # Edge cases
/// One that is there already is left as it is, so that a late message does not reopen it.
///
/// # Errors
/// [`GitHubError`].
pub async fn open(client: &Client, subject: &Subject<'_>) -> Result<CheckRun, GitHubError> {
    let runs = client.check_runs(subject.head_sha, &subject.check_name()).await?;
    if let Some(run) = runs.into_iter().find(|run| subject.is_ours(run)) {
        return Ok(run);
    }
    let output = CheckOutput {
        title: "The gate is running".to_owned(),
        summary: "Base's and head's parameters are tried on the same fields.".to_owned(),
        annotations: Vec::new(),
    };
    let draft = CheckRunDraft {
        head_sha: Some(subject.head_sha.to_owned()),
        ..subject.draft(None, output)
    };
    client.create_check_run(&draft).await
}

/// Completes the check run of a gate that has ended; makes it where it was never opened.
///
/// # Errors
/// [`GitHubError`].
pub async fn complete(
    client: &Client,
    subject: &Subject<'_>,
    ending: &Ending<'_>,
) -> Result<CheckRun, GitHubError> {
    let remarks = ending.report.map_or_else(Vec::new, annotations);
    let mut batches = remarks.chunks(MAX_ANNOTATIONS);
    let output = |annotations: &[Annotation]| CheckOutput {
        title: ending.title().chars().take(MAX_TITLE).collect(),
        summary: ending.render(subject.page, MAX_SUMMARY),
        annotations: annotations.to_vec(),
    };
    let conclusion = Some(ending.conclude());
    let runs = client.check_runs(subject.head_sha, &subject.check_name()).await?;
    // The first request completes it: what comes after may be lost without leaving it open.
    let first = output(batches.next().unwrap_or_default());
    let mut run = match runs.into_iter().find(|run| subject.is_ours(run)) {
        Some(run) if 0 < run.output.annotations_count => {
            // Completed before: the remarks are there and would be added a second time.
            return client.update_check_run(&run, &subject.draft(conclusion, output(&[]))).await;
        }
        Some(run) => client.update_check_run(&run, &subject.draft(conclusion, first)).await?,
        None => {
            let head_sha = Some(subject.head_sha.to_owned());
            let draft = CheckRunDraft { head_sha, ..subject.draft(conclusion, first) };
            client.create_check_run(&draft).await?
        }
    };
    for batch in batches {
        run = client.update_check_run(&run, &subject.draft(conclusion, output(batch))).await?;
    }
    Ok(run)
}

/// The report's remarks on lines, the worst first.
#[must_use]
pub fn annotations(report: &Report) -> Vec<Annotation> {
    let mut lines: Vec<&FindingLine> = report.findings.iter().chain(&report.remarks).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.severity));
    let found = lines.into_iter().filter(|line| is_inside(&line.path)).map(annotation);
    found.take(MAX_REMARKS).collect()
}

fn annotation(line: &FindingLine) -> Annotation {
    let start_line = line.line.unwrap_or(1).max(1);
    let help = line.help.as_ref().map_or(String::new(), |help| format!("\n{help}"));
    let message = format!("{}{help}", line.message);
    Annotation {
        path: line.path.clone(),
        start_line,
        end_line: start_line,
        start_column: line.column.filter(|column| 0 < *column && line.line.is_some()),
        annotation_level: match line.severity {
            Severity::Error => Level::Failure,
            Severity::Warning => Level::Warning,
            Severity::Note => Level::Notice,
        },
        message: bound_message(&message),
        title: neutralize_line(&format!("cellgate: {}", line.code))
            .chars()
            .take(MAX_TITLE)
            .collect(),
    }
}

/// Plain text for a remark, line by line, never empty.
fn bound_message(text: &str) -> String {
    let lines: Vec<String> = text.lines().take(20).map(neutralize_line).collect();
    let text = lines.join("\n");
    let end = text.floor_char_boundary(MAX_MESSAGE);
    let cut = if end < text.len() { "…" } else { "" };
    if text.trim().is_empty() { "(no words)".to_owned() } else { format!("{}{cut}", &text[..end]) }
}

/// Whether a path can be a file of the repository.
fn is_inside(path: &str) -> bool {
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.len() <= 1000
        && !path.contains(['\\', '\0'])
        && path.split('/').all(is_plain)
        && !path.chars().any(char::is_control)
}
