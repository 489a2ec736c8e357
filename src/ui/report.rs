//! Report: the outcome of a gate, written, printed and passed to GitHub's runner.

use super::Ui;
use super::failure::Failure;
use super::output::write_commands;
use cellgate_gate::exit::ExitCode;
use cellgate_gate::report::consent;
use cellgate_gate::report::findings::{annotations, human, summary_line};
use cellgate_gate::report::markdown;
use cellgate_gate::report::model::Report;
use cellgate_gate::verdict::FailOn;
use cellgate_gate::{GateError, Outcome, write};
use cellgate_github::step::{
    Step, StepError, is_read_by_runner, outputs_of, outputs_without_report,
};
use cellgate_inputs::finding::Finding;
use cellgate_run::write::replace;
use clap::ValueEnum;
use std::io::Write;
use std::path::PathBuf;

/// From when on to fail, and where and how the result is told.
#[derive(Debug, clap::Args)]
pub(crate) struct ReportArgs {
    /// From which verdict on to fail: `drifted`, `broken` or `never`
    #[arg(long, value_name = "LEVEL", default_value = "drifted")]
    pub(crate) fail_on: FailOn,
    /// Folder to write the report to; `cellgate-report` without this
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Form of the result on standard output; `github` in a workflow, else `human`
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The verdict and its reasons
    Human,
    /// The report as JSON
    Json,
    /// The report as Markdown
    Markdown,
    /// Annotations beside the changed lines, then as for people
    Github,
}

/// The failure that an error of the gate is.
pub(crate) fn failure(error: GateError) -> Failure {
    match error {
        GateError::Nothing(_) => Failure::Nothing(error.to_string()),
        error => Failure::tool("the gate failed", &error),
    }
}

/// Tells the runner of a run that came to no report, too; the result stays what it was.
pub(crate) fn report_failure(result: Result<ExitCode, Failure>) -> Result<ExitCode, Failure> {
    let Err(failure) = &result else { return result };
    let word = if matches!(failure, Failure::Nothing(_)) { "nothing" } else { "error" };
    let n_findings = if let Failure::Findings(findings) = failure { findings.len() } else { 0 };
    let step = Step::from_env();
    let outputs = outputs_without_report(word, n_findings, failure.exit_code());
    let notification = step
        .set(&outputs)
        .and_then(|()| step.summarize_failure(word, failure.text()))
        .map_err(|error| runner_error(&error));
    match notification {
        Ok(()) => result,
        Err(error) => Err(Failure::Tool(format!("{}; {}", failure.text(), error.text()))),
    }
}

/// The runner could not be told.
pub(crate) fn runner_error(error: &StepError) -> Failure {
    Failure::tool("the runner cannot be informed", error)
}

impl ReportArgs {
    /// Writes and tells the outcome; gives the exit code.
    pub(crate) fn publish(&self, ui: &mut Ui<'_>, outcome: &Outcome) -> Result<ExitCode, Failure> {
        let (out, has_color) = (&mut *ui.out, ui.has_color);
        let folder = self.out.clone().unwrap_or_else(|| PathBuf::from("cellgate-report"));
        write(outcome, &folder)?;
        if self.out.is_none() {
            // Only a clean working tree is deployed, and a report is no change.
            replace(&folder.join(".gitignore"), b"*\n")?;
        }
        let report = &outcome.report;
        match self.format() {
            Format::Human => print(outcome, out, has_color)?,
            Format::Github => {
                let all: Vec<Finding> =
                    outcome.findings.iter().chain(&outcome.remarks).cloned().collect();
                write_commands(out, &annotations(&all))?;
                print(outcome, out, has_color)?;
            }
            Format::Json => {
                let json = report.to_json();
                let json = json.map_err(|error| Failure::tool("the report is lost", &error))?;
                // The same text to a reader of JSON, and no command to the runner.
                writeln!(out, "{}", json.replace("##[", "#\\u0023["))?;
            }
            Format::Markdown => write!(out, "{}", markdown::render(report, None, usize::MAX))?,
        }
        if matches!(self.format(), Format::Human | Format::Github) {
            writeln!(out, "report: {}", folder.join("report.html").display())?;
        }
        let step = Step::from_env();
        outputs_of(report, &folder)
            .and_then(|outputs| step.set(&outputs))
            .and_then(|()| step.summarize(report))
            .map_err(|error| runner_error(&error))?;
        Ok(outcome.exit_code)
    }

    /// Whether remarks are printed as annotations.
    pub(crate) fn annotates(&self) -> bool {
        self.format() == Format::Github
    }

    fn format(&self) -> Format {
        self.format.unwrap_or(if is_read_by_runner() { Format::Github } else { Format::Human })
    }
}

/// The verdict, its reasons and the findings, for people.
pub(crate) fn print(
    outcome: &Outcome,
    out: &mut dyn Write,
    has_color: bool,
) -> Result<(), Failure> {
    if !outcome.findings.is_empty() {
        write!(out, "{}", human(&outcome.findings, &outcome.sources, has_color))?;
        writeln!(out, "{}", summary_line(&outcome.findings))?;
    }
    print_verdict(&outcome.report, out)?;
    let runs = outcome.n_runs;
    writeln!(out, "runs: {} computed, {} known before", runs.computed, runs.known)?;
    Ok(())
}

/// The verdict and its reasons, for people.
pub(crate) fn print_verdict(report: &Report, out: &mut dyn Write) -> Result<(), Failure> {
    let condition = match report.fail_on.as_str() {
        "drifted" => String::new(),
        level => format!(", asked to fail on {level}"),
    };
    writeln!(out, "verdict: {} (exit code {}{condition})", report.verdict, report.exit_code)?;
    for reason in &report.reasons {
        writeln!(out, "  {}: {}", reason.severity, reason.text)?;
    }
    for profile in &report.profiles {
        let approved = if profile.approved { ", approved" } else { "" };
        writeln!(out, "  {}: {}{approved}", profile.name, profile.verdict)?;
        if let Some(approval) = &profile.approval {
            writeln!(out, "    approval: {}", consent::describe_approval(approval))?;
        }
        for reason in &profile.reasons {
            writeln!(out, "    {}: {}", reason.severity, reason.text)?;
        }
    }
    if let Some(sentence) = consent::how_to_sentence(report) {
        writeln!(out, "{sentence}")?;
    }
    Ok(())
}
