//! Commands: `cellgate comment` as a workflow starts it.

use super::routes::Reply;
use super::server::Kind;
use super::world::{DRIFTED, World, workflow_run_payload};
use crate::repository::{Told, cellgate};
use crate::test_folder::TestFolder;
use serde_json::json;

/// Runs the command in a step of a workflow.
fn step(world: &World, folder: &TestFolder, event: &str, arguments: &[&str]) -> Told {
    let mut command = cellgate(folder.folder.path());
    command.args(["comment"]).args(arguments);
    command.env("GITHUB_API_URL", &world.server.address).env("GITHUB_TOKEN", "ghs_secret");
    command.env("GITHUB_REPOSITORY", "octo/toy").env("GITHUB_EVENT_NAME", event);
    command.env("GITHUB_EVENT_PATH", folder.path("event.json")).env("GITHUB_ACTIONS", "true");
    command.env("GITHUB_STEP_SUMMARY", folder.path("summary.md")).env("GITHUB_RUN_ID", "77");
    Told::of(command.output().unwrap())
}

fn folder(event: &serde_json::Value) -> TestFolder {
    let folder = TestFolder::new();
    folder.write("event.json", event.to_string().as_bytes());
    folder.write("report.json", DRIFTED.to_json().unwrap().as_bytes());
    folder
}

#[test]
fn the_privileged_stage_posts_check_and_comment() {
    let world = World::new();
    let folder = folder(&workflow_run_payload("pull_request", "failure", "octo/toy"));
    let output = step(&world, &folder, "workflow_run", &["report.json", "--format", "json"]);
    assert_eq!(output.code, 0, "{}{}", output.out, output.err);
    let document: serde_json::Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!(document["requests"], 5);
    assert_eq!(world.bodies().len(), 1);
    assert_eq!(world.check()["conclusion"], "failure");
    let output =
        step(&world, &folder, "workflow_run", &["--artifact", "one", "--artifact", "other"]);
    assert_eq!(output.code, 2, "an option stands once: {}", output.err);
}

#[test]
fn a_fork_is_told_in_log_and_summary_and_stays_green() {
    let world = World::new();
    let refusal = Reply::refusal(403, "Resource not accessible by integration");
    world.server.breaks("POST", "/", usize::MAX, Kind::Reply(refusal));
    let event = json!({
        "action": "opened", "repository": {"full_name": "octo/toy"}, "sender": {"login": "m"},
        "pull_request": {
            "number": 7, "user": {"login": "m"},
            "head": {"sha": super::world::HEAD, "repo": {"full_name": "mallory/toy"}},
            "base": {"sha": "b".repeat(40), "repo": {"full_name": "octo/toy"}},
        },
    });
    let folder = folder(&event);
    let output = step(&world, &folder, "pull_request", &["report.json"]);
    assert_eq!(output.code, 0, "{}{}", output.out, output.err);
    assert!(
        output.out.contains("::warning title=cellgate::the comment is not posted"),
        "{}",
        output.out
    );
    assert!(output.out.contains("cellgate: drifted"), "{}", output.out);
    assert!(folder.text("summary.md").contains("cellgate: drifted"));
    let privileged = desk_of_run();
    let output = step(&world, &privileged, "workflow_run", &["report.json"]);
    assert_eq!(output.code, 1, "{}", output.out);
    assert!(output.err.contains("add `checks: write`"), "{}", output.err);
    assert!(!format!("{}{}", output.out, output.err).contains("ghs_secret"));
}

fn desk_of_run() -> TestFolder {
    folder(&workflow_run_payload("pull_request", "failure", "octo/toy"))
}

#[test]
fn what_cannot_be_is_told_with_its_exit_code() {
    let world = World::new();
    let folder = folder(&workflow_run_payload("pull_request_target", "success", "octo/toy"));
    let output = step(&world, &folder, "workflow_run", &["report.json"]);
    assert_eq!(output.code, 1);
    assert!(output.err.contains("is not trusted"), "{}", output.err);
    let output = step(&world, &desk_of_run(), "schedule", &["report.json"]);
    assert!(output.err.contains("nothing can be posted for event `schedule`"), "{}", output.err);
    assert_eq!(desk_of_run().run(&["comment", "report.json"]).code, 2, "outside of a workflow");
    let output = step(&world, &desk_of_run(), "workflow_run", &["report.json", "--name", "A B"]);
    assert_eq!(output.code, 2);
    let output = step(&world, &desk_of_run(), "workflow_run", &["missing.json", "--no-comment"]);
    assert_eq!(output.code, 0, "{}", output.err);
    assert_eq!(world.check()["conclusion"], "failure");
    assert_eq!(world.bodies().len(), 0);
    assert_eq!(world.server.requests().iter().filter(|line| line.starts_with("POST")).count(), 1);
}
