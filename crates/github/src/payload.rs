//! Payload: the JSON of an event, of which just what cellgate reads is typed.
//!
//! Takes bytes, gives an [`Event`] whose commits, repositories and logins have their form. Keys that
//! are not listed here are skipped: GitHub adds some every month.

use super::event::{
    Event, EventError, IssueComment, MAX_BYTES, PullRequest, Trigger, Wanted, WorkflowRun,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::io::Read as _;
use std::path::PathBuf;

/// Keys that every event has.
#[derive(Deserialize)]
struct Envelope {
    repository: Option<Repository>,
    sender: Option<Login>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

#[derive(Deserialize)]
struct Login {
    login: String,
}

#[derive(Deserialize)]
struct PullRequestEvent {
    action: String,
    pull_request: PullRequestBody,
}

#[derive(Deserialize)]
struct PullRequestBody {
    number: u64,
    head: Branch,
    base: Branch,
    user: Login,
}

#[derive(Deserialize)]
struct Branch {
    sha: String,
    repo: Option<Repository>,
}

#[derive(Deserialize)]
struct MergeGroupEvent {
    merge_group: MergeGroup,
}

#[derive(Deserialize)]
struct MergeGroup {
    head_sha: String,
    base_sha: String,
}

#[derive(Deserialize)]
struct PushEvent {
    before: String,
    after: String,
}

#[derive(Deserialize)]
struct WorkflowRunEvent {
    workflow_run: WorkflowRunBody,
}

#[derive(Deserialize)]
struct WorkflowRunBody {
    id: u64,
    run_attempt: u64,
    event: String,
    conclusion: Option<String>,
    head_sha: String,
    head_repository: Option<Repository>,
}

#[derive(Deserialize)]
struct IssueCommentEvent {
    action: String,
    issue: Issue,
    comment: Comment,
}

#[derive(Deserialize)]
struct Issue {
    number: u64,
    pull_request: Option<PullRequestMark>,
}

/// That it is there says that the issue is a pull request.
#[derive(Deserialize)]
struct PullRequestMark {}

#[derive(Deserialize)]
struct Comment {
    id: u64,
    body: String,
    user: Login,
}

impl Event {
    /// Reads the event of this run; `None` outside of GitHub Actions.
    ///
    /// # Errors
    /// [`EventError`] when the runner's variables do not fit together, or the payload is
    /// unreadable, too large or not the event's.
    pub fn from_env() -> Result<Option<Self>, EventError> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let Some(name) = variable("GITHUB_EVENT_NAME") else { return Ok(None) };
        let path = variable("GITHUB_EVENT_PATH");
        let path = PathBuf::from(path.ok_or(EventError::Variable("GITHUB_EVENT_PATH"))?);
        let mut payload = Vec::new();
        std::fs::File::open(&path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut payload))
            .map_err(|source| EventError::Unreadable { path, source })?;
        Self::parse(&name.to_string_lossy(), &payload).map(Some)
    }

    /// Reads an event from its name and payload.
    ///
    /// # Edge cases
    /// Keys that are not read may be anything; an event of another kind is [`Trigger::Other`].
    ///
    /// # Errors
    /// [`EventError::TooLarge`], [`EventError::Syntax`], [`EventError::Form`].
    pub fn parse(name: &str, payload: &[u8]) -> Result<Self, EventError> {
        if payload.len() as u64 > MAX_BYTES {
            return Err(EventError::TooLarge);
        }
        parse_event(name, payload)
    }
}

/// Reads a payload whose size is bounded already.
pub(super) fn parse_event(name: &str, payload: &[u8]) -> Result<Event, EventError> {
    let envelope: Envelope = parse_json(name, payload)?;
    let repository = match envelope.repository {
        Some(repository) => Some(repository_name("repository.full_name", repository)?),
        None => None,
    };
    let actor = match envelope.sender {
        Some(sender) => Some(login("sender.login", sender)?),
        None => None,
    };
    let trigger = match name {
        "pull_request" | "pull_request_target" => {
            let is_privileged = name == "pull_request_target";
            Trigger::PullRequest(pull_request(parse_json(name, payload)?, is_privileged)?)
        }
        "merge_group" => {
            let MergeGroupEvent { merge_group } = parse_json(name, payload)?;
            Trigger::MergeGroup {
                head_sha: commit("merge_group.head_sha", merge_group.head_sha)?,
                base_sha: commit("merge_group.base_sha", merge_group.base_sha)?,
            }
        }
        "push" => {
            let push: PushEvent = parse_json(name, payload)?;
            Trigger::Push {
                before: commit_or_none("before", push.before)?,
                after: commit_or_none("after", push.after)?,
            }
        }
        "workflow_run" => {
            let own = repository.as_deref();
            Trigger::WorkflowRun(workflow_run(parse_json(name, payload)?, own)?)
        }
        "issue_comment" => Trigger::IssueComment(issue_comment(parse_json(name, payload)?)?),
        "schedule" => Trigger::Schedule,
        "workflow_dispatch" => Trigger::WorkflowDispatch,
        other => Trigger::Other(word("name", other.to_owned())?),
    };
    Ok(Event { repository, actor, trigger })
}

fn parse_json<T: DeserializeOwned>(name: &str, payload: &[u8]) -> Result<T, EventError> {
    let to_error = |source| EventError::Syntax { name: name.escape_default().to_string(), source };
    serde_json::from_slice(payload).map_err(to_error)
}

fn pull_request(event: PullRequestEvent, is_privileged: bool) -> Result<PullRequest, EventError> {
    let PullRequestBody { number, head, base, user } = event.pull_request;
    let head_repository = match head.repo {
        Some(repo) => Some(repository_name("pull_request.head.repo.full_name", repo)?),
        None => None,
    };
    let base_repository = match base.repo {
        Some(repo) => Some(repository_name("pull_request.base.repo.full_name", repo)?),
        None => None,
    };
    Ok(PullRequest {
        action: word("action", event.action)?,
        number,
        head_sha: commit("pull_request.head.sha", head.sha)?,
        base_sha: commit("pull_request.base.sha", base.sha)?,
        is_from_fork: is_other_repository(head_repository.as_deref(), base_repository.as_deref()),
        head_repository,
        author: login("pull_request.user.login", user)?,
        is_privileged,
    })
}

fn workflow_run(event: WorkflowRunEvent, own: Option<&str>) -> Result<WorkflowRun, EventError> {
    let run = event.workflow_run;
    let head_repository = match run.head_repository {
        Some(repo) => Some(repository_name("workflow_run.head_repository.full_name", repo)?),
        None => None,
    };
    let conclusion = match run.conclusion {
        Some(conclusion) => Some(word("workflow_run.conclusion", conclusion)?),
        None => None,
    };
    Ok(WorkflowRun {
        id: run.id,
        attempt: run.run_attempt,
        event: word("workflow_run.event", run.event)?,
        conclusion,
        head_sha: commit("workflow_run.head_sha", run.head_sha)?,
        is_from_fork: is_other_repository(head_repository.as_deref(), own),
        head_repository,
    })
}

fn issue_comment(event: IssueCommentEvent) -> Result<IssueComment, EventError> {
    Ok(IssueComment {
        action: word("action", event.action)?,
        number: event.issue.number,
        is_on_pull_request: event.issue.pull_request.is_some(),
        comment_id: event.comment.id,
        body: event.comment.body,
        author: login("comment.user.login", event.comment.user)?,
    })
}

/// Whether head is in another repository; an unknown one counts as another.
fn is_other_repository(head: Option<&str>, own: Option<&str>) -> bool {
    head.zip(own).is_none_or(|(head, own)| !head.eq_ignore_ascii_case(own))
}

fn commit(key: &'static str, text: String) -> Result<String, EventError> {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    check_form(key, text, Wanted::Commit, |text| is_hex && [40, 64].contains(&text.len()))
}

/// GitHub writes a branch that is not there as zeros.
fn commit_or_none(key: &'static str, text: String) -> Result<Option<String>, EventError> {
    let id = commit(key, text)?;
    Ok(Some(id).filter(|id| id.bytes().any(|byte| byte != b'0')))
}

fn repository_name(key: &'static str, repository: Repository) -> Result<String, EventError> {
    let is_name = |part: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        (1..=100).contains(&part.len())
            && part.chars().all(is_plain)
            && ![".", ".."].contains(&part)
    };
    check_form(key, repository.full_name, Wanted::Repository, |text| {
        text.split_once('/').is_some_and(|(owner, name)| is_name(owner) && is_name(name))
    })
}

/// A login; those of apps end in `[bot]`.
fn login(key: &'static str, user: Login) -> Result<String, EventError> {
    check_form(key, user.login, Wanted::Login, |text| {
        let name = text.strip_suffix("[bot]").unwrap_or(text);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        (1..=100).contains(&name.len()) && name.chars().all(is_plain)
    })
}

fn word(key: &'static str, text: String) -> Result<String, EventError> {
    check_form(key, text, Wanted::Word, |text| {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        (1..=100).contains(&text.len()) && text.chars().all(is_plain)
    })
}

fn check_form(
    key: &'static str,
    text: String,
    wanted: Wanted,
    is_right: impl Fn(&str) -> bool,
) -> Result<String, EventError> {
    if is_right(&text) { Ok(text) } else { Err(EventError::Form { key, wanted }) }
}
