//! Approve: a comment on a pull request becomes a record, where the person may and the report fits.
//!
//! Takes the comment's event and asks GitHub for everything else: what the person may do, where the
//! pull request's head stands, the report that the gate left for exactly that commit, the log as it
//! is now. Checks out nothing and believes nothing of the comment but its command. Answers in a
//! line, and has the gate run again.

use super::append::{Addition, AppendError};
use super::archive::{ArchiveError, file_in};
use super::client::{Client, Repeat};
use super::comments::Reaction;
use super::error::GitHubError;
use super::event::IssueComment;
use super::pulls::Pull;
use super::runs::Run;
use super::spoken::{Command, Spoken};
use cellgate_approval::{
    Action, BRANCH, Binding, DigestPrefix, Entry, FILE, Log, LogError, NamesNoReport, Permission,
    Timestamp,
};
use cellgate_core::digest::Digest;
use cellgate_gate::report::markdown::{code, prose};
use cellgate_gate::report::model::{MAX_BYTES, Report, ReportError};
use cellgate_inputs::project::{self, ApprovalPolicy, approval_policy};
use cellgate_inputs::source::Source;
use http::Method;

/// Larger artifacts are not fetched, in bytes; packed reports are far smaller.
const MAX_ARTIFACT_BYTES: usize = 64 << 20;

/// Larger project files are not read, in bytes.
const MAX_PROJECT_BYTES: usize = 1 << 20;

/// Runs of one commit that are looked through for the gate's.
const N_RUNS: usize = 20;

/// How the repository is set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// File of the workflow that gates: `.github/workflows/gate.yml`.
    pub workflow: String,
    /// Name of the artifact in which it leaves `report.json`.
    pub artifact: String,
    /// Folder of `cellgate.yaml` in the repository; empty for its top.
    pub root: String,
}

/// Outcome of a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was no command of ours: nothing was asked, done or said.
    NotForUs,
    /// It was not done.
    Refused {
        /// Why, in one sentence without a final period; names in it stand between backticks.
        why: String,
    },
    /// It is in the log.
    Recorded {
        /// The reply, in one sentence without a final period.
        words: String,
    },
}

/// A comment could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// GitHub did not do its part.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
    /// The log could not be appended to.
    #[error("the record is not in the log: {0}")]
    Append(#[from] AppendError<EditError>),
}

/// A record cannot be added to the log.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The log is broken, or the record is not acceptable.
    #[error(transparent)]
    Log(#[from] LogError),
    /// No approved report is meant.
    #[error(transparent)]
    Report(#[from] NamesNoReport),
}

/// Why a command is not carried out, or the tool's failure.
enum Stop {
    Refused(String),
    Failed(AnswerError),
}

impl<E: Into<AnswerError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

fn refuse<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Refused(why.into()))
}

/// Who speaks, and about which pull request.
struct Speaker {
    permission: Permission,
    policy: ApprovalPolicy,
    pull: Pull,
}

/// Action to record in the log, with its report and binding.
struct Wish {
    action: Action,
    report: Digest,
    binding: Binding,
    run: Option<Run>,
}

/// Carries out the command in a comment.
///
/// # Edge cases
/// Edited comments, comments on issues and all other words are silently not for us. Somebody who
/// may not even push is answered with a reaction and no words, so that strangers cannot make it
/// talk.
///
/// # Errors
/// [`AnswerError`] when GitHub did not do its part; the comment then carries a reaction that says
/// so, where that still can be done.
pub async fn answer(
    client: &Client,
    comment: &IssueComment,
    setup: &Setup,
    when: Timestamp,
) -> Result<Answer, AnswerError> {
    if comment.action != "created" || !comment.is_on_pull_request {
        return Ok(Answer::NotForUs);
    }
    let spoken = Spoken::parse(&comment.body);
    if matches!(spoken, Spoken::NotForUs) {
        return Ok(Answer::NotForUs);
    }
    let speaker = match speaker(client, comment, setup).await {
        Ok(speaker) => speaker,
        Err(stop) => return reply(client, comment, Err(stop)).await,
    };
    if speaker.permission < Permission::Write {
        client.react(comment.comment_id, Reaction::Confused).await?;
        let why = format!("`{}` may not push to this repository", comment.author);
        return Ok(Answer::Refused { why });
    }
    // Whether it is seen does not decide anything.
    let _ = client.react(comment.comment_id, Reaction::Eyes).await;
    let result = carry_out(client, comment, setup, spoken, &speaker, when).await;
    reply(client, comment, result).await
}

/// Reads who speaks: pull request, policy of the branch it goes to, permission.
async fn speaker(client: &Client, comment: &IssueComment, setup: &Setup) -> Result<Speaker, Stop> {
    let pull = client.pull(comment.number).await?;
    let role = client.role(&comment.author).await?;
    let permission = role.as_str().parse().unwrap_or(Permission::Read);
    let policy = policy_of(client, &pull, setup).await?;
    Ok(Speaker { permission, policy, pull })
}

/// Who may approve, as the branch says that the change goes to: never as the change says.
async fn policy_of(client: &Client, pull: &Pull, setup: &Setup) -> Result<ApprovalPolicy, Stop> {
    let branch = &pull.base.branch;
    let Some(tip) = client.branch(branch).await? else {
        return refuse(format!("the branch `{branch}` is gone"));
    };
    let root = setup.root.trim_matches('/');
    let path = match root {
        "" | "." => project::FILE.to_owned(),
        root => format!("{root}/{}", project::FILE),
    };
    let Some(bytes) = client.file_at(&path, &tip, MAX_PROJECT_BYTES).await? else {
        // The gate is being adopted: a person who may push makes the baseline.
        return Ok(project::Policy::default().approval);
    };
    let text = String::from_utf8(bytes).unwrap_or_default();
    approval_policy(&Source::new(path.as_str(), text)).or_else(|findings| {
        let why = findings.first().map_or(String::new(), |finding| finding.message.clone());
        refuse(format!("`{path}` of `{branch}` is invalid: {why}"))
    })
}

async fn carry_out(
    client: &Client,
    comment: &IssueComment,
    setup: &Setup,
    spoken: Spoken,
    speaker: &Speaker,
    when: Timestamp,
) -> Result<String, Stop> {
    let command = match spoken {
        Spoken::Command(command) => command,
        Spoken::Malformed(why) => return refuse(why),
        Spoken::NotForUs => return refuse("nothing was said"),
    };
    check_permitted(comment, speaker, &command)?;
    let wish = match command.action {
        Action::Approve => wish_to_approve(client, setup, speaker, &command.report).await?,
        Action::Revoke => wish_to_revoke(client, setup, speaker, &command.report).await?,
    };
    let current = client.pull(comment.number).await?;
    if current.head.sha != speaker.pull.head.sha || current.state != "open" {
        return refuse("the pull request has changed in the meantime: look at its new report");
    }
    let entry = Entry {
        action: wish.action,
        binding: wish.binding,
        report_digest: wish.report,
        commit: Some(speaker.pull.head.sha.clone()),
        pull_request: Some(comment.number),
        who: comment.author.clone(),
        permission: speaker.permission,
        author: speaker.pull.user.as_ref().map(|user| user.login.clone()),
        why: command.why,
        when,
    };
    let is_new = append(client, &entry).await?;
    let outcome = match (entry.action, is_new) {
        (Action::Approve, true) => "approved",
        (Action::Approve, false) => "had approved before",
        (Action::Revoke, _) => "revoked",
    };
    let rerun = run_again(client, wish.run.as_ref(), entry.action).await;
    Ok(format!("`{}` {outcome} `{}`; {rerun}", entry.who, entry.report_digest.short()))
}

/// Whether the policy lets this person say this.
fn check_permitted(
    comment: &IssueComment,
    speaker: &Speaker,
    command: &Command,
) -> Result<(), Stop> {
    let Speaker { permission, policy, pull } = speaker;
    if pull.state != "open" {
        return refuse("the pull request is not open");
    }
    // A word that is no permission must not open the door.
    let required = policy.permission.parse().unwrap_or(Permission::Admin);
    if *permission < required {
        let who = &comment.author;
        return refuse(format!(
            "`{who}` has permission `{permission}`, and `{required}` is needed"
        ));
    }
    let is_author =
        pull.user.as_ref().is_some_and(|user| user.login.eq_ignore_ascii_case(&comment.author));
    if is_author && !policy.allow_author && command.action == Action::Approve {
        return refuse("the policy does not let an author approve the own change");
    }
    Ok(())
}

/// The report that the gate left for the pull request's head, when it is the one that is meant.
async fn wish_to_approve(
    client: &Client,
    setup: &Setup,
    speaker: &Speaker,
    prefix: &DigestPrefix,
) -> Result<Wish, Stop> {
    let head = &speaker.pull.head.sha;
    let commit: String = head.chars().take(12).collect();
    let Some(run) = gate_run(client, setup, head).await? else {
        return refuse(format!("the gate has not run for `{commit}` yet"));
    };
    if run.status.as_deref() != Some("completed") {
        return refuse(format!("the gate still runs for `{commit}`: wait for its report"));
    }
    let artifacts = client.artifacts(run.id, &setup.artifact).await?;
    let Some(artifact) = artifacts.iter().find(|artifact| !artifact.expired) else {
        let name = &setup.artifact;
        return refuse(format!("the gate left no artifact `{name}` for `{commit}`: run it again"));
    };
    let archive = client.download(artifact, MAX_ARTIFACT_BYTES).await?;
    let report = match report_in(&archive) {
        Ok(report) => report,
        Err(why) => return refuse(format!("the report for `{commit}` cannot be read: {why}")),
    };
    let digest = match report.digest() {
        Ok(digest) => digest,
        Err(error) => return refuse(error.to_string()),
    };
    if !prefix.names(&digest) {
        let found = digest.short();
        return refuse(format!(
            "`{prefix}` is not the report of `{commit}`, which is `{found}`: look at that one \
             first"
        ));
    }
    if let Err(why) = report.check_approvable() {
        return refuse(why.to_string());
    }
    Ok(Wish { action: Action::Approve, report: digest, binding: report.binding, run: Some(run) })
}

/// The report of a gate's artifact cannot be read.
#[derive(Debug, thiserror::Error)]
enum LostReport {
    /// It is not in the archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// It is no report.
    #[error(transparent)]
    Report(#[from] ReportError),
}

fn report_in(archive: &[u8]) -> Result<Report, LostReport> {
    Ok(Report::from_json(&file_in(archive, "report.json", MAX_BYTES)?)?)
}

/// The newest run of the gate for a commit.
async fn gate_run(client: &Client, setup: &Setup, head: &str) -> Result<Option<Run>, Stop> {
    let runs = client.runs_of(head).await?;
    let is_gate = |run: &&Run| {
        // A workflow from elsewhere is named `PATH@REF`.
        let path = run.path.as_deref().and_then(|path| path.split('@').next());
        run.head_sha == head
            && ["pull_request", "pull_request_target"].contains(&run.event.as_str())
            && path == Some(setup.workflow.as_str())
    };
    Ok(runs.iter().take(N_RUNS).filter(is_gate).max_by_key(|run| run.id).cloned())
}

/// The approved report that is meant.
async fn wish_to_revoke(
    client: &Client,
    setup: &Setup,
    speaker: &Speaker,
    prefix: &DigestPrefix,
) -> Result<Wish, Stop> {
    let bytes = match client.branch(BRANCH).await? {
        Some(tip) => client.file_at(FILE, &tip, super::append::MAX_BYTES).await?,
        None => None,
    };
    let log = match Log::parse(&bytes.unwrap_or_default()) {
        Ok(log) => log,
        Err(error) => return refuse(format!("the log of approvals is broken: {error}")),
    };
    let (report, binding) = match log.report(prefix) {
        Ok((report, binding)) => (report, binding.clone()),
        Err(error) => return refuse(format!("`{prefix}`: {error}")),
    };
    let run = gate_run(client, setup, &speaker.pull.head.sha).await?;
    Ok(Wish { action: Action::Revoke, report, binding, run })
}

/// Adds the record on top of whatever the log has become; says whether there was anything to add.
async fn append(client: &Client, entry: &Entry) -> Result<bool, Stop> {
    let message = format!("{} {}", entry.action.as_str(), entry.report_digest.short());
    let addition = Addition { branch: BRANCH, path: FILE, message: &message };
    let mut is_new = true;
    let result = client
        .append_to_branch(addition, |bytes| -> Result<Vec<u8>, EditError> {
            let mut log = Log::parse(bytes)?;
            is_new = entry.action == Action::Revoke
                || !log.is_approved_by(&entry.who, entry.binding.subjects());
            if is_new {
                log.append(entry.clone())?;
            }
            Ok(log.as_bytes().to_vec())
        })
        .await;
    match result {
        Ok(_) => Ok(is_new),
        Err(AppendError::Edit(why)) => refuse(format!("nothing was recorded: {why}")),
        Err(error) => Err(error.into()),
    }
}

/// Has the gate run again, so that it sees the record; reports what became of that.
async fn run_again(client: &Client, run: Option<&Run>, action: Action) -> String {
    let Some(run) = run else { return "the gate has not run for it yet".to_owned() };
    let result = match (action, run.conclusion.as_deref()) {
        // What passed without the record needs no other look.
        (Action::Approve, Some("success")) => return "the gate has passed already".to_owned(),
        (Action::Approve, _) => client.rerun_failed_jobs(run.id).await,
        (Action::Revoke, _) => client.rerun(run.id).await,
    };
    match result {
        Ok(()) => "the gate runs again".to_owned(),
        Err(error) => format!("the gate could not be run again, do it by hand ({error})"),
    }
}

impl Client {
    /// Runs every job of a run again.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn rerun(&self, id: u64) -> Result<(), GitHubError> {
        self.execute(Method::POST, &format!("/actions/runs/{id}/rerun"), Repeat::IfRefused).await
    }
}

/// Reports on the pull request what became of the comment.
async fn reply(
    client: &Client,
    comment: &IssueComment,
    result: Result<String, Stop>,
) -> Result<Answer, AnswerError> {
    let (reaction, answer, text) = match result {
        Ok(words) => (Reaction::Rocket, Answer::Recorded { words: words.clone() }, words),
        Err(Stop::Refused(why)) => {
            let text = format!("not done: {why}");
            (Reaction::Confused, Answer::Refused { why }, text)
        }
        Err(Stop::Failed(error)) => {
            // The failure itself is what is reported; a second one must not hide it.
            let _ = client.react(comment.comment_id, Reaction::Confused).await;
            return Err(error);
        }
    };
    client.react(comment.comment_id, reaction).await?;
    let body = format!("{} {}", code("cellgate:"), prose(&format!("{text}.")));
    client.create_comment(comment.number, &body).await?;
    Ok(answer)
}
