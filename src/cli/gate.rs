//! `cellgate gate`: may the change pass, and why.

use super::failure::Failure;
use super::progress::Progress;
use cellgate::gate::{
    Approvals, GateError, NOTHING, Outcome, Request, author_of_head, gate, write,
};
use cellgate::github::event::{Event, Trigger};
use cellgate::report::consent::{how_to_sentence, told};
use cellgate::report::findings::{human, summary_line};
use cellgate::report::model::Report;
use cellgate::revision::{Tree, git_folder, merge_base_with_default, repository_root};
use cellgate::run::cache::Cache;
use cellgate::verdict::FailOn;
use clap::ValueEnum;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Compare the working tree's parameters with base's on the fixture dataset, and judge
///
/// Reads `cellgate.yaml` at the top of the repository. Policy and fields come from base. Writes
/// `report.json`, `report.md`, `report.html`, `junit.xml` and `report.sarif`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cellgate gate --base origin/main\n  cellgate gate --fail-on never --out report"
)]
pub(crate) struct Args {
    /// Revision to compare with; the merge base with the default branch without this
    #[arg(long, value_name = "REV")]
    base: Option<String>,
    /// From which verdict on to fail
    #[arg(long, value_name = "LEVEL", default_value = "drifted", value_parser = fail_on)]
    fail_on: FailOn,
    /// Folder to write the report to
    #[arg(long, value_name = "DIR", default_value = "cellgate-report")]
    out: PathBuf,
    /// Folder where results are kept from run to run
    #[arg(long, value_name = "DIR", env = "CELLGATE_CACHE")]
    cache: Option<PathBuf>,
    /// Revision that holds the approvals; the branch `cellgate-approvals` without this
    #[arg(long, value_name = "REV")]
    approvals: Option<String>,
    /// Compute everything, keep nothing
    #[arg(long, conflicts_with = "cache")]
    no_cache: bool,
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// The verdict and its reasons
    Human,
    /// The report as JSON
    Json,
    /// The report as Markdown
    Markdown,
}

fn fail_on(text: &str) -> Result<FailOn, String> {
    text.parse().map_err(|error: cellgate::verdict::FailOnSyntax| error.to_string())
}

/// Gates, writes the report, prints the verdict.
pub(crate) fn run(
    args: &Args,
    out: &mut dyn Write,
    is_quiet: bool,
    has_color: bool,
) -> Result<u8, Failure> {
    let failed = |error: cellgate::revision::TreeError| Failure::Tool(error.to_string());
    let here = PathBuf::from(".");
    let root = repository_root(&here).map_err(failed)?;
    let git_folder = git_folder(&root).map_err(failed)?;
    let base_name = match &args.base {
        Some(revision) => revision.clone(),
        None => merge_base_with_default(&root).map_err(failed)?,
    };
    let base = Tree::of_revision(&root, &base_name).map_err(failed)?;
    let named = args.approvals.as_deref().filter(|revision| !revision.is_empty());
    let approvals = Approvals::read(&root, named).map_err(failed)?;
    let approvals = Approvals { author: author(&root)?, ..approvals };
    let folder = args.cache.clone().unwrap_or_else(|| git_folder.join("cellgate-cache"));
    let progress = Progress::new(is_quiet);
    let request = Request {
        base,
        base_name,
        head: Tree::Folder(root),
        head_name: "working tree".to_owned(),
        cache: (!args.no_cache).then(|| Cache::new(folder)),
        approvals,
        fail_on: args.fail_on,
        progress: &|n_done, n_total, what| progress.tell(n_done, n_total, what),
    };
    let outcome = match gate(&request) {
        Ok(outcome) => outcome,
        Err(error @ GateError::Nothing(_)) => {
            writeln!(out, "{error}")?;
            return Ok(NOTHING);
        }
        Err(error) => return Err(Failure::tool("the gate failed", &error)),
    };
    progress.finish();
    write(&outcome, &args.out)?;
    match args.format {
        Format::Human => print(&outcome, out, has_color)?,
        Format::Json => {
            let json = outcome.report.to_json();
            let json = json.map_err(|error| Failure::tool("the report is lost", &error))?;
            writeln!(out, "{json}")?;
        }
        Format::Markdown => {
            write!(
                out,
                "{}",
                cellgate::report::markdown::render(&outcome.report, None, usize::MAX)
            )?;
        }
    }
    if matches!(args.format, Format::Human) {
        writeln!(out, "report: {}", args.out.join("report.html").display())?;
    }
    Ok(outcome.exit_code)
}

/// Who made the change: who opened the pull request, or else who wrote the last commit.
fn author(root: &Path) -> Result<Option<String>, Failure> {
    let event = Event::from_env().map_err(|error| Failure::tool("the event", &error))?;
    Ok(match event.map(|event| event.trigger) {
        Some(Trigger::PullRequest(pull_request)) => Some(pull_request.author),
        _ => author_of_head(root),
    })
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
    let report: &Report = &outcome.report;
    let asked = match report.fail_on.as_str() {
        "drifted" => String::new(),
        level => format!(", asked to fail on {level}"),
    };
    writeln!(out, "verdict: {} (exit code {}{asked})", report.verdict, report.exit_code)?;
    for reason in &report.reasons {
        writeln!(out, "  {}: {}", reason.severity, reason.text)?;
    }
    for profile in &report.profiles {
        let approved = if profile.approved { ", approved" } else { "" };
        writeln!(out, "  {}: {}{approved}", profile.name, profile.verdict)?;
        if let Some(approval) = &profile.approval {
            writeln!(out, "    approval: {}", told(approval))?;
        }
        for reason in &profile.reasons {
            writeln!(out, "    {}: {}", reason.severity, reason.text)?;
        }
    }
    if let Some(sentence) = how_to_sentence(report) {
        writeln!(out, "{sentence}")?;
    }
    let runs = outcome.n_runs;
    writeln!(out, "runs: {} computed, {} known before", runs.computed, runs.known)?;
    Ok(())
}
