//! Publish: the report of a gate as a check run and a comment.
//!
//! Takes the event and the report's JSON, which is read strictly: nothing else of the run that made
//! it is believed, and every word is rendered here. In the run of a pull request a token without
//! rights is no failure; the words then go where the log is read.

use super::address::{self, AddressError};
use super::archive::{ArchiveError, file_in};
use super::check::{self, Ending, Subject};
use super::client::Client;
use super::comment::{self, GateName, Policy, Posted, Words};
use super::error::GitHubError;
use super::event::Event;
use super::history::Entry;
use super::pictures::{self, Linked, Picture};
use super::target::{self, Target, TargetError};
use cellgate_core::digest::Digest;
use cellgate_gate::report::findings::neutralize_line;
use cellgate_gate::report::markdown;
use cellgate_gate::report::model::{MAX_BYTES, Report, ReportError};
use cellgate_gate::verdict::Verdict;
use std::error::Error as _;

/// The file of the report in its artifact.
const REPORT_FILE: &str = "report.json";

/// Characters that are told of a report that cannot be used; strangers may have written them.
const MAX_REFUSAL: usize = 500;

/// When this is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The gate has started.
    Requested,
    /// The gate has ended.
    Completed,
}

/// Where the report is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Here.
    Bytes(Vec<u8>),
    /// In the artifact of this name of the gate's run.
    Artifact(String),
    /// Nowhere.
    Missing,
}

/// Where the page with pictures is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// At this address.
    Address(String),
    /// It is the artifact of this name of the gate's run.
    Artifact(String),
    /// Nowhere.
    Missing,
}

/// Report, page and pictures to publish, and how to publish them.
#[derive(Debug, Clone)]
pub struct Request {
    /// Event that started this run.
    pub event: Event,
    /// This run and its attempt.
    pub own_run: (u64, u64),
    /// Where people see the repository: `https://github.com`.
    pub server: String,
    /// When this is said.
    pub state: State,
    /// Which gate.
    pub name: GateName,
    /// When a comment is made; `None` touches no comment.
    pub policy: Option<Policy>,
    /// Whether there is a check run.
    pub with_check: bool,
    /// Who the token speaks for, where that cannot be asked.
    pub author: Option<String>,
    /// The report.
    pub report: Source,
    /// The page with pictures.
    pub page: Page,
    /// A branch for pictures, and the pictures.
    pub pictures: Option<(String, Vec<Picture>)>,
    /// Whether everything is looked up and nothing written.
    pub is_dry: bool,
}

/// Outcome of a publication.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Actions taken, a line each.
    pub done: Vec<String>,
    /// Requested actions that were not taken, with reasons; no failure.
    pub warnings: Vec<String>,
    /// Refusals, with reasons; a failure.
    pub refusals: Vec<String>,
    /// The words, where they reached no pull request.
    pub unposted: Option<String>,
    /// Requests that were sent.
    pub n_requests: u32,
}

/// Nothing could be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Nothing may be said.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// GitHub did not do it.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
    /// The page's address cannot be used.
    #[error(transparent)]
    Page(#[from] AddressError),
}

/// The report cannot be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    GitHub(#[from] GitHubError),
}

/// Publishes check run and comment.
///
/// # Errors
/// [`PublishError`]. What could be done before is done.
pub async fn publish(client: &Client, request: &Request) -> Result<Outcome, PublishError> {
    let target = target::find(client, &request.event, request.own_run).await?;
    let mut publication = Publication { client, request, target, outcome: Outcome::default() };
    publication.run().await?;
    Ok(Outcome { n_requests: client.n_requests(), ..publication.outcome })
}

/// A publication under way.
struct Publication<'a> {
    client: &'a Client,
    request: &'a Request,
    target: Target,
    outcome: Outcome,
}

impl Publication<'_> {
    async fn run(&mut self) -> Result<(), PublishError> {
        if self.request.state == State::Requested {
            return self.announce().await;
        }
        let page = self.page_link().await?;
        let report = match self.fetch_report().await {
            Ok(report) => report,
            // The check must end all the same, and must not pass.
            Err(error) => {
                let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
                let text = neutralize_line(&format!("the report cannot be used: {error}{cause}"));
                self.outcome.refusals.push(text.chars().take(MAX_REFUSAL).collect());
                None
            }
        };
        let conclusion = self.target.conclusion.clone();
        let ending = Ending { report: report.as_ref(), conclusion: conclusion.as_deref() };
        let links = self.push_pictures().await?;
        self.complete_check(&ending, page.as_deref()).await?;
        self.post_comment(&ending, page.as_deref(), &links).await
    }

    /// Opens the check run of a gate that has started.
    async fn announce(&mut self) -> Result<(), PublishError> {
        if !self.request.with_check {
            return Ok(());
        }
        let head_sha = self.target.head_sha.clone();
        if self.request.is_dry {
            self.outcome.done.push(format!("would open the check run on {head_sha}"));
            return Ok(());
        }
        let page = self.run_page();
        let result = check::open(self.client, &self.subject(&head_sha, Some(&page))).await;
        if let Some(run) = self.tolerate_forbidden(result, "the check run")? {
            self.outcome.done.push(format!("check run {} is open on {head_sha}", run.id));
        }
        Ok(())
    }

    async fn complete_check(
        &mut self,
        ending: &Ending<'_>,
        page: Option<&str>,
    ) -> Result<(), PublishError> {
        if !self.request.with_check {
            return Ok(());
        }
        let head_sha = self.target.head_sha.clone();
        let run_page = self.run_page();
        let subject = self.subject(&head_sha, page.or(Some(&run_page)));
        if self.request.is_dry {
            let conclusion = ending.conclude();
            let line = format!("would complete the check run on {head_sha}: {conclusion:?}");
            self.outcome.done.push(line);
            return Ok(());
        }
        let result = check::complete(self.client, &subject, ending).await;
        if let Some(run) = self.tolerate_forbidden(result, "the check run")? {
            let conclusion = run.conclusion.unwrap_or_default();
            self.outcome.done.push(format!("check run {} on {head_sha}: {conclusion}", run.id));
        }
        Ok(())
    }

    async fn post_comment(
        &mut self,
        ending: &Ending<'_>,
        page: Option<&str>,
        links: &[Linked],
    ) -> Result<(), PublishError> {
        let Some(policy) = self.request.policy else { return Ok(()) };
        let pictures = pictures::render_markdown(links);
        let render = |max_bytes: usize| {
            let max_bytes = max_bytes.saturating_sub(pictures.len());
            ending.render(page, max_bytes).trim_end().to_owned() + &pictures
        };
        let words = Words {
            name: &self.request.name,
            policy,
            is_calm: is_calm(ending),
            entry: self.entry(ending),
            render: &render,
        };
        let number = match &self.target.pull {
            Ok(number) => *number,
            Err(reason) => {
                let line = format!("no comment: {reason}");
                let list = match reason {
                    target::NoPull::Several(_) => &mut self.outcome.refusals,
                    target::NoPull::NotAsked(_)
                    | target::NoPull::Missing
                    | target::NoPull::Moved(_) => &mut self.outcome.done,
                };
                list.push(line);
                return Ok(());
            }
        };
        if self.request.is_dry {
            self.outcome.done.push(format!("would comment on pull request {number}"));
            self.outcome.unposted = Some(words.text(Vec::new(), markdown::MAX_BYTES));
            return Ok(());
        }
        let author = match &self.request.author {
            Some(author) => author.clone(),
            None => self.client.login().await?,
        };
        let result = comment::post(self.client, number, &author, &words).await;
        match self.tolerate_forbidden(result, "the comment")? {
            Some(outcome) => self.note_posted(number, outcome),
            None => self.outcome.unposted = Some(render(markdown::MAX_BYTES)),
        }
        Ok(())
    }

    fn note_posted(&mut self, number: u64, outcome: comment::Outcome) {
        self.outcome.done.push(match outcome.posted {
            Posted::Created(address) => format!("commented on pull request {number}: {address}"),
            Posted::Updated(address) => format!("updated the comment: {address}"),
            Posted::Current(address) => format!("the comment is current: {address}"),
            Posted::Withheld => format!("no comment on pull request {number}, by policy"),
        });
        if 0 < outcome.n_doubles {
            let n = outcome.n_doubles;
            self.outcome.done.push(format!("took away {n} comments of ours that were doubles"));
        }
        if let Some(login) = outcome.learned_author {
            self.outcome.warnings.push(format!(
                "the token speaks for `{login}`: give `--author {login}`, so that its comment is \
                 found without posting another first"
            ));
        }
    }

    /// Result of an action; in a pull request's own run a lack of rights is only a warning.
    fn tolerate_forbidden<T>(
        &mut self,
        result: Result<T, GitHubError>,
        what: &str,
    ) -> Result<Option<T>, GitHubError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_forbidden() && !self.target.is_privileged => {
                self.outcome.warnings.push(format!("{what} is not posted: {error}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn fetch_report(&self) -> Result<Option<Report>, Unusable> {
        let bytes = match &self.request.report {
            Source::Missing => return Ok(None),
            Source::Bytes(bytes) => bytes.clone(),
            Source::Artifact(name) => {
                let artifacts = self.client.artifacts(self.target.run.0, name).await?;
                let Some(artifact) = artifacts.into_iter().find(|artifact| !artifact.expired)
                else {
                    return Ok(None);
                };
                let archive = self.client.download(&artifact, MAX_BYTES).await?;
                file_in(&archive, REPORT_FILE, MAX_BYTES)?
            }
        };
        Ok(Some(Report::from_json(&bytes)?))
    }

    async fn page_link(&self) -> Result<Option<String>, PublishError> {
        let server = self.request.server.trim_end_matches('/');
        match &self.request.page {
            Page::Missing => Ok(None),
            Page::Address(text) => Ok(Some(address::check_page_link(text, server)?)),
            Page::Artifact(name) => {
                let artifacts = self.client.artifacts(self.target.run.0, name).await?;
                let artifact = artifacts.into_iter().find(|artifact| !artifact.expired);
                Ok(artifact
                    .map(|artifact| format!("{}/artifacts/{}", self.run_page(), artifact.id)))
            }
        }
    }

    async fn push_pictures(&mut self) -> Result<Vec<Linked>, PublishError> {
        let Some((branch, pictures)) = &self.request.pictures else { return Ok(Vec::new()) };
        if self.request.is_dry {
            let n = pictures.len();
            self.outcome.done.push(format!("would put {n} pictures on `{branch}`"));
            return Ok(Vec::new());
        }
        let result = pictures::push(self.client, branch, &self.request.server, pictures).await;
        Ok(self.tolerate_forbidden(result, "the pictures")?.unwrap_or_default())
    }

    fn run_page(&self) -> String {
        let server = self.request.server.trim_end_matches('/');
        format!("{server}/{}/actions/runs/{}", self.client.repository(), self.target.run.0)
    }

    fn subject<'s>(&'s self, head_sha: &'s str, page: Option<&'s str>) -> Subject<'s> {
        Subject { name: &self.request.name, head_sha, run: self.target.run, page }
    }

    fn entry(&self, ending: &Ending<'_>) -> Entry {
        let report: Option<(Verdict, Digest)> =
            ending.report.and_then(|report| Some((report.verdict, report.digest().ok()?)));
        Entry::new(&self.target.head_sha, report)
    }
}

/// Whether nothing changed and nobody must act.
fn is_calm(ending: &Ending<'_>) -> bool {
    let passes = ending.conclude() == super::checks::Conclusion::Success;
    passes && ending.report.is_some_and(|report| report.verdict == Verdict::Unchanged)
}
