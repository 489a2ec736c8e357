//! World: a client with a clock of its own, events, and a report to speak about.

use super::routes::State;
use super::server::Server;
use crate::repository::Repository;
use cellgate_gate::report::model::Report;
use cellgate_github::comment::Policy;
use cellgate_github::event::Event;
use cellgate_github::pace::{Limits, Pace};
use cellgate_github::publish::{
    Outcome, Page, PublishError, Request, Source, State as When, publish,
};
use cellgate_github::{Client, GitHubError};
use cellgate_inputs::secret::Secret;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, UNIX_EPOCH};

/// The head of pull request 7.
pub(crate) const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// A commit before it.
pub(crate) const EARLIER: &str = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";

/// The time of the clock.
pub(crate) const NOW_S: u64 = 1_000_000;

/// A report of a change that drifted, made by a gate.
pub(crate) static DRIFTED: LazyLock<Report> = LazyLock::new(|| {
    let repository = Repository::with_project();
    repository.edit("params/culture.yaml", "correction_factor: 0.90", "correction_factor: 1.30");
    Report::from_json(repository.gate().file("report.json").as_bytes()).unwrap()
});

/// A server, a client of it, and what the client waited.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) waits: Arc<Mutex<Vec<u64>>>,
    pub(crate) token: &'static str,
}

impl World {
    /// A repository with pull request 7.
    pub(crate) fn new() -> Self {
        let server = Server::start();
        server.with(|state| state.pull(7, HEAD, "octo/toy"));
        Self { server, waits: Arc::default(), token: "ghs_token" }
    }

    pub(crate) fn state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.server.with(change)
    }

    /// Does something with a client.
    pub(crate) fn ask<T>(&self, deed: impl AsyncFnOnce(&Client) -> T) -> T {
        self.ask_within(Limits::default(), deed)
    }

    pub(crate) fn ask_within<T>(&self, limits: Limits, deed: impl AsyncFnOnce(&Client) -> T) -> T {
        let waits = Arc::clone(&self.waits);
        let pace = Pace::new(
            || UNIX_EPOCH + Duration::from_secs(NOW_S),
            move |time| {
                waits.lock().unwrap().push(time.as_secs());
                Box::pin(async {})
            },
        );
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let repository = "octo/toy".parse().unwrap();
            let token = Secret::new(self.token);
            let address = Some(self.server.address.as_str());
            let client = Client::new(address, repository, token, pace, limits).unwrap();
            deed(&client).await
        })
    }

    pub(crate) fn publish(&self, request: &Request) -> Result<Outcome, PublishError> {
        self.ask(async |client| publish(client, request).await)
    }

    /// Publishes; it must work.
    #[track_caller]
    pub(crate) fn publish_cleanly(&self, request: &Request) -> Outcome {
        let outcome = self.publish(request).unwrap();
        assert_eq!(outcome.refusals, [] as [&str; 0]);
        outcome
    }

    /// Seconds that were waited, one by one.
    pub(crate) fn waits(&self) -> Vec<u64> {
        self.waits.lock().unwrap().clone()
    }

    /// The texts of all comments.
    pub(crate) fn bodies(&self) -> Vec<String> {
        let body = |comment: &Value| comment["body"].as_str().unwrap().to_owned();
        self.state(|state| state.comments.iter().map(body).collect())
    }

    /// The one check run.
    #[track_caller]
    pub(crate) fn check(&self) -> Value {
        self.state(|state| {
            assert_eq!(state.checks.len(), 1, "check runs");
            state.checks[0].clone()
        })
    }
}

/// The event of a run for pull request 7.
pub(crate) fn pull_request(head_repository: &str) -> Event {
    let payload = json!({
        "action": "synchronize", "repository": {"full_name": "octo/toy"},
        "sender": {"login": "alice"},
        "pull_request": {
            "number": 7, "user": {"login": "alice"},
            "head": {"sha": HEAD, "repo": {"full_name": head_repository}},
            "base": {"sha": "b".repeat(40), "repo": {"full_name": "octo/toy"}},
        },
    });
    Event::parse("pull_request", payload.to_string().as_bytes()).unwrap()
}

/// The event of the gate's run having ended, and the file it comes in.
pub(crate) fn workflow_run_payload(event: &str, conclusion: &str, head_repository: &str) -> Value {
    json!({
        "action": "completed", "repository": {"full_name": "octo/toy"},
        "sender": {"login": "alice"},
        "workflow_run": {
            "id": 55, "run_attempt": 1, "event": event, "conclusion": conclusion,
            "head_sha": HEAD, "head_repository": {"full_name": head_repository},
        },
    })
}

pub(crate) fn workflow_run(event: &str, conclusion: &str, head_repository: &str) -> Event {
    let payload = workflow_run_payload(event, conclusion, head_repository);
    Event::parse("workflow_run", payload.to_string().as_bytes()).unwrap()
}

/// A request to publish a report.
pub(crate) fn request(event: Event, report: &Report) -> Request {
    Request {
        event,
        own_run: (77, 1),
        server: "https://github.com".to_owned(),
        state: When::Completed,
        name: "gate".parse().unwrap(),
        policy: Some(Policy::Always),
        with_check: true,
        author: None,
        report: Source::Bytes(report.to_json().unwrap().into_bytes()),
        page: Page::Missing,
        pictures: None,
        is_dry: false,
    }
}

/// A report that passes.
pub(crate) fn ok_report() -> Report {
    let mut report = DRIFTED.clone();
    report.verdict = cellgate_gate::verdict::Verdict::Unchanged;
    report.exit_code = cellgate_gate::exit::ExitCode::Passed;
    report.remarks.clear();
    report
}

/// The error's text.
pub(crate) fn error_text<T>(done: Result<T, GitHubError>) -> String {
    done.err().map_or_else(String::new, |error| error.to_string())
}
