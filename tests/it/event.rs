//! Events of GitHub: values read from their payloads, and refusals.

use cellgate_github::event::{Event, EventError, MAX_BYTES, Trigger, Wanted};
use serde_json::{Value, json};

const HEAD: &str = "1111111111111111111111111111111111111111";
const BASE: &str = "2222222222222222222222222222222222222222";
const ZERO: &str = "0000000000000000000000000000000000000000";

fn parse(name: &str, payload: &Value) -> Result<Event, EventError> {
    let mut payload = payload.clone();
    payload["repository"] = json!({"id": 1, "full_name": "lab/cells", "private": true});
    payload["sender"] = json!({"login": "ada", "id": 2, "type": "User"});
    Event::parse(name, payload.to_string().as_bytes())
}

fn pull_request(head_repo: Value) -> Value {
    json!({
        "action": "synchronize",
        "number": 7,
        "pull_request": {
            "number": 7,
            "title": "`${{ x }}`",
            "user": {"login": "dependabot[bot]"},
            "head": {"sha": HEAD, "ref": "a;b", "repo": head_repo},
            "base": {"sha": BASE, "ref": "main", "repo": {"full_name": "lab/cells"}},
        },
    })
}

fn workflow_run(head_repository: Value) -> Value {
    json!({
        "action": "completed",
        "workflow_run": {
            "id": 99, "run_attempt": 2, "event": "pull_request", "conclusion": "failure",
            "head_sha": HEAD, "head_repository": head_repository, "pull_requests": [],
        },
    })
}

fn comment(pull_request: Value) -> Value {
    json!({
        "action": "created",
        "issue": {"number": 7, "pull_request": pull_request},
        "comment": {"id": 5, "body": "/cellgate approve\u{0}", "user": {"login": "ada"}},
    })
}

#[track_caller]
fn check(name: &str, payload: &Value, head: Option<&str>, base: Option<&str>, pull: Option<u64>) {
    let event = parse(name, payload).unwrap();
    assert_eq!(event.head_sha(), head);
    assert_eq!(event.base_sha(), base);
    assert_eq!(event.pull_request_number(), pull);
    assert_eq!(event.repository.as_deref(), Some("lab/cells"));
    assert_eq!(event.actor.as_deref(), Some("ada"));
}

#[test]
fn every_kind_of_event_says_what_it_compares() {
    let own = json!({"full_name": "lab/cells"});
    check("pull_request", &pull_request(own.clone()), Some(HEAD), Some(BASE), Some(7));
    check("pull_request_target", &pull_request(own.clone()), Some(HEAD), Some(BASE), Some(7));
    let queue = json!({"action": "checks_requested",
        "merge_group": {"head_sha": HEAD, "base_sha": BASE, "base_ref": "refs/heads/main"}});
    check("merge_group", &queue, Some(HEAD), Some(BASE), None);
    let push = json!({"ref": "refs/heads/main", "before": BASE, "after": HEAD, "commits": []});
    check("push", &push, Some(HEAD), Some(BASE), None);
    let new_branch = json!({"ref": "refs/heads/x", "before": ZERO, "after": HEAD});
    check("push", &new_branch, Some(HEAD), None, None);
    check("workflow_run", &workflow_run(own), Some(HEAD), None, None);
    check("issue_comment", &comment(json!({"url": "x"})), None, None, Some(7));
    check("issue_comment", &comment(Value::Null), None, None, None);
    check("schedule", &json!({"schedule": "0 5 * * *"}), None, None, None);
    check("workflow_dispatch", &json!({"inputs": null}), None, None, None);
    check("release", &json!({"action": "published"}), None, None, None);
}

#[test]
fn forks_are_told_from_the_repository_itself() {
    let from = |repo: Value| parse("pull_request", &pull_request(repo)).unwrap();
    assert!(!from(json!({"full_name": "Lab/cells"})).is_from_fork());
    assert!(from(json!({"full_name": "eve/cells"})).is_from_fork());
    assert!(from(Value::Null).is_from_fork(), "a deleted fork");
    let ran = |repo: Value| parse("workflow_run", &workflow_run(repo)).unwrap();
    assert!(!ran(json!({"full_name": "lab/cells"})).is_from_fork());
    assert!(ran(json!({"full_name": "eve/cells"})).is_from_fork());
    assert!(ran(Value::Null).is_from_fork());
}

#[test]
fn the_privileged_pull_request_event_is_known_as_such() {
    for (name, expected) in [("pull_request", false), ("pull_request_target", true)] {
        let event = parse(name, &pull_request(json!({"full_name": "lab/cells"}))).unwrap();
        let Trigger::PullRequest(pull) = event.trigger else { panic!("{name}") };
        assert_eq!(pull.is_privileged, expected);
        assert_eq!(
            (pull.action.as_str(), pull.author.as_str()),
            ("synchronize", "dependabot[bot]")
        );
    }
}

#[test]
fn values_without_their_form_are_refused() {
    let own = json!({"full_name": "lab/cells"});
    let cases = [
        ("/pull_request/head/sha", json!("HEAD"), Wanted::Commit),
        ("/pull_request/head/sha", json!("--upload-pack=x"), Wanted::Commit),
        ("/pull_request/base/sha", json!(HEAD.to_uppercase() + "A"), Wanted::Commit),
        ("/pull_request/head/repo/full_name", json!("a/b/c"), Wanted::Repository),
        ("/pull_request/head/repo/full_name", json!("../x"), Wanted::Repository),
        ("/pull_request/head/repo/full_name", json!("a/b\n::error::"), Wanted::Repository),
        ("/pull_request/user/login", json!("a b"), Wanted::Login),
        ("/action", json!("x\ny"), Wanted::Word),
    ];
    for (at, value, expected) in cases {
        let mut payload = pull_request(own.clone());
        *payload.pointer_mut(at).unwrap() = value.clone();
        match parse("pull_request", &payload) {
            Err(EventError::Form { wanted, .. }) => assert_eq!(wanted, expected, "{at} {value}"),
            other => panic!("{at} {value}: {other:?}"),
        }
    }
}

#[test]
fn payloads_of_another_event_or_none_are_refused() {
    let parse_error = |name: &str, payload: &[u8]| Event::parse(name, payload).unwrap_err();
    assert!(matches!(parse_error("push", b"{}"), EventError::Syntax { .. }));
    assert!(matches!(parse_error("push", b""), EventError::Syntax { .. }));
    assert!(matches!(parse_error("pull_request", b"[]"), EventError::Syntax { .. }));
    let deep = "[".repeat(100_000);
    assert!(matches!(parse_error("schedule", deep.as_bytes()), EventError::Syntax { .. }));
    let large = vec![b' '; MAX_BYTES as usize + 1];
    assert!(matches!(parse_error("schedule", &large), EventError::TooLarge));
    assert!(matches!(parse_error("a\nb", b"{}"), EventError::Form { .. }));
}
