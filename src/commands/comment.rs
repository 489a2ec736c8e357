//! `cellgate comment`: the report as a check run and a comment of the pull request.

use crate::ui::Ui;
use crate::ui::failure::Failure;
use crate::ui::output::write_commands;
use cellgate_gate::exit::ExitCode;
use cellgate_gate::report::findings::neutralize_commands;
use cellgate_gate::report::model::{MAX_BYTES, Report};
use cellgate_github::comment::{GateName, Policy};
use cellgate_github::event::Event;
use cellgate_github::publish::{Outcome, Page, Request, Source, State, publish};
use cellgate_github::step::{Step, is_read_by_runner};
use cellgate_github::{Client, pictures};
use clap::ValueEnum;
use serde_json::json;
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};

/// Post the gate's report as the one comment of its pull request and as a check run
///
/// Runs in a workflow: on `pull_request` after `cellgate gate`, or with rights of its own on
/// `workflow_run` of the gate's workflow. Takes the pull request from the event's commit, checks out
/// nothing, reads the report strictly and writes every word itself. Needs `pull-requests: write` and
/// `checks: write`, with `--artifact` also `actions: read`, and `GITHUB_TOKEN` in the environment.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cellgate comment cellgate-report/report.json\n  cellgate comment --artifact cellgate-report --page-artifact report.html\n  cellgate comment --state requested"
)]
#[allow(rustdoc::broken_intra_doc_links, reason = "a login with brackets, as help shows it")]
pub(crate) struct Args {
    /// The gate's `report.json`
    #[arg(value_name = "REPORT", conflicts_with = "artifact")]
    report: Option<PathBuf>,
    /// Take the report from the artifact of this name of the gate's run
    #[arg(long, value_name = "NAME")]
    artifact: Option<String>,
    /// Result of the gate's run
    #[arg(long, value_enum, default_value_t = When::Completed)]
    state: When,
    /// When to make a comment; one that is there is always kept current
    #[arg(long, value_enum, default_value_t = Which::Always)]
    policy: Which,
    /// Page with pictures; must lie on GITHUB_SERVER_URL
    #[arg(long, value_name = "URL", conflicts_with = "page_artifact")]
    page_url: Option<String>,
    /// Link the artifact of this name of the gate's run as the page with pictures
    #[arg(long, value_name = "NAME")]
    page_artifact: Option<String>,
    /// The gate's name, where a repository has several
    #[arg(long, value_name = "NAME", default_value = "gate")]
    name: GateName,
    /// Login that the token speaks for; asked or taken to be github-actions[bot] without this
    #[arg(long, value_name = "LOGIN")]
    author: Option<String>,
    /// Put pictures on this branch and show them; needs `contents: write`
    #[arg(long, value_name = "NAME", requires = "pictures")]
    asset_branch: Option<String>,
    /// Folder of PNG files for `--asset-branch`; the first eight by name
    #[arg(long, value_name = "DIR", requires = "asset_branch")]
    pictures: Option<PathBuf>,
    /// Touch no comment
    #[arg(long)]
    no_comment: bool,
    /// Touch no check run
    #[arg(long)]
    no_check: bool,
    /// Look everything up, write nothing, print what would be posted
    #[arg(long)]
    dry_run: bool,
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    /// It has started: the check run is opened
    Requested,
    /// It has ended: the check run is completed, the comment posted
    Completed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// For every verdict
    Always,
    /// Not for the verdict `unchanged`
    OnChange,
    /// For none
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Actions taken
    Human,
    /// Actions taken, as JSON
    Json,
}

/// Posts and tells what was posted.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let out = &mut *ui.out;
    let request = args.request()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::tool("no runtime", &error))?;
    let outcome = runtime.block_on(async {
        let client = Client::from_env().map_err(|error| Failure::tool("GitHub", &error))?;
        let published = publish(&client, &request).await;
        published.map_err(|error| Failure::tool("nothing more is posted", &error))
    })?;
    match args.format {
        Format::Human => print(&outcome, out)?,
        Format::Json => {
            let document = json!({
                "schema": "cellgate/comment/v1",
                "done": outcome.done,
                "warnings": outcome.warnings,
                "refusals": outcome.refusals,
                "unposted": outcome.unposted,
                "requests": outcome.n_requests,
            });
            writeln!(out, "{}", format!("{document:#}").replace("##[", "#\\u0023["))?;
        }
    }
    if outcome.unposted.is_some() && !args.dry_run {
        summarize(&request.report)?;
    }
    if outcome.refusals.is_empty() {
        Ok(ExitCode::Passed)
    } else {
        Err(Failure::Tool(outcome.refusals.join("; ")))
    }
}

/// Writes a report that reached no pull request to the summary of the run.
fn summarize(source: &Source) -> Result<(), Failure> {
    let Source::Bytes(bytes) = source else { return Ok(()) };
    let Ok(report) = Report::from_json(bytes) else { return Ok(()) };
    let result = Step::from_env().summarize(&report);
    result.map_err(|error| Failure::tool("the runner cannot be informed", &error))
}

fn print(outcome: &Outcome, out: &mut dyn Write) -> Result<(), Failure> {
    for line in &outcome.done {
        writeln!(out, "{}", neutralize_commands(line))?;
    }
    for warning in &outcome.warnings {
        if is_read_by_runner() {
            let escaped =
                neutralize_commands(&warning.replace('%', "%25").replace(['\r', '\n'], " "));
            write_commands(out, &format!("::warning title=cellgate::{escaped}\n"))?;
        } else {
            writeln!(out, "warning: {}", neutralize_commands(warning))?;
        }
    }
    if let Some(text) = &outcome.unposted {
        writeln!(out, "\n{}", neutralize_commands(text))?;
    }
    Ok(())
}

impl Args {
    fn request(&self) -> Result<Request, Failure> {
        let event = Event::from_env().map_err(|error| Failure::tool("the event", &error))?;
        let event = event.ok_or_else(|| {
            Failure::Usage("this runs in a workflow: `GITHUB_EVENT_NAME` is not set".to_owned())
        })?;
        let number = |name| {
            let text = std::env::var(name).ok();
            text.and_then(|text: String| text.parse().ok()).unwrap_or(1)
        };
        let server = std::env::var("GITHUB_SERVER_URL").ok().filter(|text| !text.is_empty());
        let report = match (non_empty(self.artifact.as_deref()), &self.report) {
            (Some(name), _) => Source::Artifact(name),
            (None, Some(path)) if !path.as_os_str().is_empty() => read(path)?,
            _ => Source::Missing,
        };
        let page_url = non_empty(self.page_url.as_deref());
        let page = match (page_url, non_empty(self.page_artifact.as_deref())) {
            (Some(address), _) => Page::Address(address),
            (None, Some(name)) => Page::Artifact(name),
            (None, None) => Page::Missing,
        };
        let pictures = match (non_empty(self.asset_branch.as_deref()), &self.pictures) {
            (Some(branch), Some(folder)) => {
                let to_failure = |error| Failure::tool("the pictures", &error);
                Some((branch, pictures::read(folder).map_err(to_failure)?))
            }
            _ => None,
        };
        let policy = match self.policy {
            Which::Always => Policy::Always,
            Which::OnChange => Policy::OnChange,
            Which::Never => Policy::Never,
        };
        Ok(Request {
            event,
            own_run: (number("GITHUB_RUN_ID"), number("GITHUB_RUN_ATTEMPT")),
            server: server.unwrap_or_else(|| "https://github.com".to_owned()),
            state: match self.state {
                When::Requested => State::Requested,
                When::Completed => State::Completed,
            },
            name: self.name.clone(),
            policy: (!self.no_comment).then_some(policy),
            with_check: !self.no_check,
            author: non_empty(self.author.as_deref()),
            report,
            page,
            pictures,
            is_dry: self.dry_run,
        })
    }
}

/// A value that a workflow may leave empty.
fn non_empty(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The report's bytes; one that was not written is missing, which the check run must tell.
fn read(path: &Path) -> Result<Source, Failure> {
    let to_failure = |error: std::io::Error| {
        Failure::tool(&format!("the report `{}` cannot be read", path.display()), &error)
    };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Source::Missing),
        Err(error) => return Err(to_failure(error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(to_failure)?;
    Ok(Source::Bytes(bytes))
}
