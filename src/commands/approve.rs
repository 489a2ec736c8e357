//! `cellgate approve`: lets exactly what a report tells pass, and looks after the log of that.

use crate::ui::Ui;
use crate::ui::failure::Failure;
use crate::ui::value::WrongValue;
use cellgate_approval::signature::verify;
use cellgate_approval::{Action, BRANCH, DigestPrefix, Log, MAX_WHY_CHARS, Record, Timestamp};
use cellgate_gate::exit::ExitCode;
use cellgate_gate::report::findings::neutralize_line;
use cellgate_gate::report::model::{MAX_BYTES, Report};
use cellgate_gate::{
    AppendError, Approvals, ApproveError, GateError, Recorded, Unreadable, Word, approve, revoke,
    verify_history,
};
use cellgate_github::Client;
use cellgate_github::approve::{Answer, AnswerError, Setup, answer};
use cellgate_github::event::{Event, Trigger};
use cellgate_inputs::revision::repository_root;
use clap::ValueEnum;
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The workflow that `cellgate init` writes for the gate, and the artifact that it leaves.
const WORKFLOW: &str = ".github/workflows/gate.yml";
const ARTIFACT: &str = "cellgate-report";

/// Approve exactly what a report tells, or take that back
///
/// Adds a record to the local branch `cellgate-approvals`, which no checkout shows; push it, and
/// the gate reads it. A record holds for the digests of parameters, fields, policy and engine, so
/// squash, rebase and merge keep it, and any other change needs another.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cellgate approve --report cellgate-report/report.json --reason \"pale nuclei were noise\"\n  cellgate approve --revoke 0123456789ab --reason \"slide 7 was mislabeled\"\n  cellgate approve --verify"
)]
#[command(group(clap::ArgGroup::new("deed").required(true).args(["report", "revoke", "list", "verify", "comment"])))]
pub(crate) struct Args {
    /// Report to approve
    #[arg(long, value_name = "FILE", requires = "reason")]
    report: Option<PathBuf>,
    /// Take back what was approved of the report with this digest, or its first 12 digits
    #[arg(long, value_name = "DIGEST", requires = "reason")]
    revoke: Option<DigestPrefix>,
    /// Show every record
    #[arg(long)]
    list: bool,
    /// Verify the whole chain of records, and that the branch only ever grew
    #[arg(long)]
    verify: bool,
    /// Carry out the command in the pull-request comment that started this workflow
    #[arg(long)]
    comment: bool,
    /// Why, in one line
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    /// Key to sign the record with, as `ssh-keygen -Y sign` takes it
    #[arg(long, value_name = "KEY", conflicts_with_all = ["list", "verify", "comment"])]
    sign: Option<PathBuf>,
    /// Revision that holds the records; the branch `cellgate-approvals` without this
    #[arg(long, value_name = "REV", conflicts_with_all = ["report", "revoke", "comment"])]
    rev: Option<String>,
    /// File of allowed signers: every record must be signed by the person it names
    #[arg(long, value_name = "FILE", requires = "verify")]
    allowed_signers: Option<PathBuf>,
    /// File of the workflow that gates; with `--comment`
    #[arg(long, value_name = "PATH", default_value = WORKFLOW)]
    workflow: String,
    /// Name of the artifact in which it leaves `report.json`; with `--comment`
    #[arg(long, value_name = "NAME", default_value = ARTIFACT)]
    artifact: String,
    /// Folder of `cellgate.yaml`; the top of the repository without this
    #[arg(long, value_name = "DIR", default_value = "")]
    root: String,
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Words
    Human,
    /// JSON
    Json,
}

fn reason(text: &str) -> Result<String, WrongValue> {
    let reason = text.trim();
    let n_chars = reason.chars().count();
    if n_chars == 0 || MAX_WHY_CHARS < n_chars || reason.chars().any(char::is_control) {
        let needed = format!("a reason is one line of 1 to {MAX_WHY_CHARS} characters");
        return Err(WrongValue(needed));
    }
    Ok(reason.to_owned())
}

/// Records, lists or verifies.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let out = &mut *ui.out;
    if args.comment {
        return answer_comment(args, out);
    }
    let to_failure = |error: cellgate_inputs::revision::TreeError| Failure::Tool(error.to_string());
    let folder = Path::new(if args.root.is_empty() { "." } else { &args.root });
    let top = repository_root(folder).map_err(to_failure)?;
    let root = if args.root.is_empty() { top.as_path() } else { folder };
    if args.list || args.verify {
        let revision = args.rev.as_deref().filter(|revision| !revision.is_empty());
        let approvals = Approvals::read(&top, revision).map_err(to_failure)?;
        let log = approvals.log.map_err(|error| Failure::Refused(error.to_string()))?;
        if args.list {
            return print_log(args, out, &log);
        }
        check_signatures(args, &log)?;
        if let Some(revision) = &approvals.revision {
            verify_history(&top, revision).map_err(|error| Failure::Refused(error.to_string()))?;
        }
        return print_verification(args, out, &log);
    }
    let word = Word {
        repository: &top,
        root,
        why: args.reason.clone().unwrap_or_default(),
        when: now()?,
        key: args.sign.as_deref(),
    };
    let recorded = match (&args.report, &args.revoke) {
        (Some(file), _) => approve(&word, &read_report(file)?),
        (None, Some(digest)) => revoke(&word, digest),
        (None, None) => return Err(Failure::Usage("nothing was asked for".to_owned())),
    };
    print_recorded(args, out, &recorded.map_err(Failure::from)?)
}

/// Carries out the command in a comment, and tells what became of it.
fn answer_comment(args: &Args, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let event = Event::from_env().map_err(|error| Failure::tool("the event", &error))?;
    let Some(Trigger::IssueComment(comment)) = event.map(|event| event.trigger) else {
        let text = "`--comment` answers the event `issue_comment`, and this run has another";
        return Err(Failure::Usage(text.to_owned()));
    };
    // An action hands on what it was not given as an empty text.
    let non_empty_or = |text: &str, default: &str| {
        if text.is_empty() { default.to_owned() } else { text.to_owned() }
    };
    let setup = Setup {
        workflow: non_empty_or(&args.workflow, WORKFLOW),
        artifact: non_empty_or(&args.artifact, ARTIFACT),
        root: args.root.clone(),
    };
    let when = now()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async {
        let client = Client::from_env().map_err(AnswerError::GitHub)?;
        answer(&client, &comment, &setup, when).await
    });
    let answer = answer.map_err(|error| Failure::tool("the comment is not answered", &error))?;
    let (state, words, code) = match &answer {
        Answer::NotForUs => ("not-for-us", "the comment is not for cellgate", ExitCode::Passed),
        Answer::Refused { why } => ("refused", why.as_str(), ExitCode::NotApproved),
        Answer::Recorded { words } => ("recorded", words.as_str(), ExitCode::Passed),
    };
    // The words may repeat a comment's, which must not become a command of the runner.
    let words = neutralize_line(words);
    if args.format == Format::Json {
        writeln!(out, "{:#}", serde_json::json!({"state": state, "words": words}))?;
    } else {
        writeln!(out, "{state}: {words}")?;
    }
    Ok(code)
}

/// Seconds of the clock, as a record has them.
pub(crate) fn now() -> Result<Timestamp, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.map_err(|error| Failure::tool("the clock is before 1970", &error))?;
    Ok(Timestamp::from_unix(since.as_secs()))
}

fn read_report(file: &Path) -> Result<Report, Failure> {
    let unreadable = |error: &dyn std::error::Error| {
        Failure::tool(&format!("`{}` cannot be read", file.display()), error)
    };
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(&error))?;
    Report::from_json(&bytes).map_err(|error| unreadable(&error))
}

impl From<ApproveError> for Failure {
    fn from(error: ApproveError) -> Self {
        match error {
            ApproveError::Tree(GateError::Invalid(findings)) => Self::Findings(findings),
            ApproveError::NotApprovable(_)
            | ApproveError::OtherHead(_)
            | ApproveError::Report(_)
            | ApproveError::Append(AppendError::Unreadable(Unreadable::Log(_))) => {
                Self::Refused(error.to_string())
            }
            other => Self::tool("nothing was recorded", &other),
        }
    }
}

/// Prints the record and the next step.
fn print_recorded(
    args: &Args,
    out: &mut dyn Write,
    recorded: &Recorded,
) -> Result<ExitCode, Failure> {
    let (action, digest, who) = match recorded {
        Recorded::Appended(record) => {
            (record.entry.action.as_str(), record.entry.report_digest, &record.entry.who)
        }
        Recorded::Already { report_digest, who } => (Action::Approve.as_str(), *report_digest, who),
    };
    let is_new = matches!(recorded, Recorded::Appended(_));
    let push = format!("git push origin {BRANCH}");
    if args.format == Format::Json {
        let json = serde_json::json!({
            "action": action, "report_digest": digest.to_string(), "who": who,
            "is_new": is_new, "branch": BRANCH, "push": push,
        });
        writeln!(out, "{json:#}")?;
        return Ok(ExitCode::Passed);
    }
    if is_new {
        writeln!(out, "recorded: {action} {} by {who}", digest.short())?;
        writeln!(out, "to make it count: {push}")?;
    } else {
        writeln!(out, "nothing to record: {who} has approved {} before", digest.short())?;
    }
    Ok(ExitCode::Passed)
}

fn print_log(args: &Args, out: &mut dyn Write, log: &Log) -> Result<ExitCode, Failure> {
    if args.format == Format::Json {
        // Every line of the log is JSON already.
        let text = String::from_utf8_lossy(log.as_bytes());
        let lines: Vec<&str> = text.lines().collect();
        writeln!(out, "[{}]", lines.join(",\n"))?;
        return Ok(ExitCode::Passed);
    }
    for record in log.records() {
        writeln!(out, "{}", neutralize_line(&describe_record(record)))?;
    }
    if log.records().is_empty() {
        writeln!(out, "nothing has been approved yet")?;
    }
    Ok(ExitCode::Passed)
}

fn describe_record(record: &Record) -> String {
    let entry = &record.entry;
    let profiles: Vec<&str> =
        entry.binding.profiles.iter().map(|profile| profile.name.as_str()).collect();
    let pull_request =
        entry.pull_request.map_or(String::new(), |number| format!(", pull request {number}"));
    let signed = if record.signature.is_some() { ", signed" } else { "" };
    format!(
        "{} {} {} by {} ({}{pull_request}{signed}): {} [{}]",
        entry.when,
        entry.action.as_str(),
        entry.report_digest.short(),
        entry.who,
        entry.permission,
        entry.why,
        profiles.join(", "),
    )
}

/// Where signers are named, every record must be signed by its own.
fn check_signatures(args: &Args, log: &Log) -> Result<(), Failure> {
    let Some(signers) = &args.allowed_signers else { return Ok(()) };
    for (index, record) in log.records().iter().enumerate() {
        verify(record, signers)
            .map_err(|error| Failure::Refused(format!("line {}: {error}", index + 1)))?;
    }
    Ok(())
}

fn print_verification(args: &Args, out: &mut dyn Write, log: &Log) -> Result<ExitCode, Failure> {
    let n_records = log.records().len();
    if args.format == Format::Json {
        let json = serde_json::json!({"records": n_records, "head": log.head().to_string()});
        writeln!(out, "{json:#}")?;
    } else {
        let signed = if args.allowed_signers.is_some() { ", every signature too" } else { "" };
        writeln!(out, "the chain of {n_records} records holds{signed}; head {}", log.head())?;
    }
    Ok(ExitCode::Passed)
}
