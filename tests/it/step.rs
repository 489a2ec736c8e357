//! The gate in a step of a workflow: its base, outputs, summary and annotations.

use crate::gate::{CULTURE, HARMFUL, HARMLESS, edited_repository};
use crate::repository::{Repository, Told, cache, cellgate};
use cellgate_gate::report::model::Report;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Results of a step, as the runner gets them.
struct Step {
    told: Told,
    outputs: Vec<(String, String)>,
    summary: String,
}

impl Step {
    fn output(&self, name: &str) -> &str {
        let pair = self.outputs.iter().find(|(key, _)| key == name);
        pair.map_or("", |(_, value)| value)
    }

    /// The lines that the runner obeys, after its own rule.
    fn commands(&self) -> Vec<&str> {
        let lines = self.told.out.lines().chain(self.told.err.lines());
        lines.filter(|line| line.trim_start().starts_with("::") || line.contains("##[")).collect()
    }
}

/// Runs a command in a step of a workflow that an event started.
fn step(folder: &Path, event: &str, payload: &Value, arguments: &[&str]) -> Step {
    let runner = tempfile::tempdir().unwrap();
    let at = |name: &str| runner.path().join(name);
    fs::write(at("event.json"), payload.to_string()).unwrap();
    fs::write(at("output"), "earlier=1\n").unwrap();
    let mut command = cellgate(folder);
    command.args(arguments).env("GITHUB_ACTIONS", "true").env("CELLGATE_CACHE", cache());
    command.env("GITHUB_EVENT_NAME", event).env("GITHUB_EVENT_PATH", at("event.json"));
    command.env("GITHUB_OUTPUT", at("output")).env("GITHUB_STEP_SUMMARY", at("summary"));
    let output = Told::of(command.output().unwrap());
    let outputs = fs::read_to_string(at("output")).unwrap();
    let pair = |line: &str| {
        let (name, value) = line.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    };
    let outputs: Vec<_> = outputs.lines().map(pair).collect();
    assert_eq!(outputs[0], ("earlier".to_owned(), "1".to_owned()), "appended, not replaced");
    Step { told: output, outputs, summary: fs::read_to_string(at("summary")).unwrap_or_default() }
}

fn pull_request(head: &str, base: &str) -> Value {
    json!({
        "action": "synchronize",
        "repository": {"full_name": "lab/cells"},
        "pull_request": {
            "number": 7, "user": {"login": "ada"},
            "head": {"sha": head, "repo": {"full_name": "lab/cells"}},
            "base": {"sha": base, "repo": {"full_name": "lab/cells"}},
        },
    })
}

/// A base commit, a change on a branch, another commit on the default branch, and their merge as
/// GitHub makes it. Gives the ids of the fork point, the change and the default branch.
fn merged_pull_request(change: (&str, &str)) -> (Repository, [String; 3]) {
    let repository = Repository::with_project();
    let fork = repository.id("HEAD");
    repository.git(&["switch", "--quiet", "--create", "change"]);
    repository.edit(CULTURE, change.0, change.1);
    repository.commit("a change");
    let head = repository.id("HEAD");
    repository.git(&["switch", "--quiet", "main"]);
    repository.write("notes", "");
    repository.commit("somebody else's");
    let base = repository.id("HEAD");
    repository.git(&["checkout", "--quiet", "--detach", "main"]);
    repository.git(&["merge", "--quiet", "--no-ff", "--message", "merge", "change"]);
    (repository, [fork, head, base])
}

fn base_of(repository: &Repository) -> String {
    let text = fs::read_to_string(repository.path("cellgate-report/report.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    report["base"]["commit"].as_str().unwrap().to_owned()
}

#[track_caller]
fn compares_with(repository: &Repository, event: &str, payload: &Value, base: &str) {
    let step = step(&repository.path("."), event, payload, &["gate", "--quiet", "--base", ""]);
    assert_eq!(step.told.code, 0, "{}{}", step.told.out, step.told.err);
    assert_eq!(base_of(repository), base);
}

#[test]
fn the_base_is_the_event_s() {
    let (repository, [fork, head, base]) = merged_pull_request(HARMLESS);
    // The merge commit's first parent counts, whatever the base was when the event was sent.
    compares_with(&repository, "pull_request", &pull_request(&head, &fork), &base);
    let queue = json!({"merge_group": {"head_sha": repository.id("HEAD"), "base_sha": fork}});
    compares_with(&repository, "merge_group", &queue, &fork);
    let push = json!({"before": fork, "after": repository.id("HEAD")});
    compares_with(&repository, "push", &push, &fork);
    let absent = "3".repeat(40);
    let forced = json!({"before": absent, "after": repository.id("HEAD")});
    compares_with(&repository, "push", &forced, &base);
    repository.git(&["checkout", "--quiet", "change"]);
    compares_with(&repository, "pull_request", &pull_request(&head, &base), &fork);
    compares_with(&repository, "workflow_dispatch", &json!({"inputs": null}), &fork);
}

#[track_caller]
fn cannot_tell(folder: &Path, event: &str, payload: &Value, says: &str) {
    let step = step(folder, event, payload, &["gate", "--quiet"]);
    assert_eq!(step.told.code, 1, "{}", step.told.out);
    assert!(step.told.err.contains(says), "{}", step.told.err);
    assert_eq!((step.output("verdict"), step.output("exit-code")), ("error", "1"));
    assert!(step.summary.contains("cellgate: error"), "{}", step.summary);
}

#[test]
fn a_shallow_clone_is_told_and_taken_when_it_suffices() {
    let (repository, [fork, head, base]) = merged_pull_request(HARMLESS);
    repository.git(&["branch", "merged"]);
    let clone = |depth: &str, branch: &str| {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}", repository.path(".").canonicalize().unwrap().display());
        let output = Command::new("git")
            .args(["clone", "--quiet", "--depth", depth, "--branch", branch, &url, "."])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder
    };
    let merged = repository.id("HEAD");
    let pull = pull_request(&head, &base);
    let push = json!({"before": fork, "after": merged});
    let shallow = clone("1", "merged");
    for (event, payload) in [("pull_request", &pull), ("push", &push)] {
        cannot_tell(shallow.path(), event, payload, "fetch-depth: 0");
    }
    let two = clone("2", "merged");
    let step = step(two.path(), "pull_request", &pull, &["gate", "--quiet"]);
    assert_eq!(step.told.code, 0, "{}", step.told.err);
    let change = clone("1", "change");
    cannot_tell(change.path(), "pull_request", &pull, "fetch-depth: 0");
    cannot_tell(change.path(), "schedule", &json!({}), "fetch-depth: 0");
}

#[test]
fn a_checkout_of_something_else_than_the_pull_request_is_refused() {
    let (repository, [_, head, base]) = merged_pull_request(HARMFUL);
    repository.git(&["checkout", "--quiet", "main"]);
    let payload = pull_request(&head, &base);
    cannot_tell(&repository.path("."), "pull_request_target", &payload, "does not hold");
}

#[test]
fn every_output_is_set_and_the_changed_key_is_annotated() {
    let repository = edited_repository(HARMFUL);
    let folder = repository.path(".");
    let arguments = ["gate", "--quiet", "--base", "HEAD", "--shard=", "--out", "", "--root", ""];
    let step = step(&folder, "schedule", &json!({}), &arguments);
    assert_eq!(step.told.code, 11, "{}", step.told.err);
    let report = fs::read(repository.path("cellgate-report/report.json")).unwrap();
    let value: Value = serde_json::from_slice(&report).unwrap();
    let head = value["profiles"][0]["params_digest"]["head"].as_str().unwrap();
    let digest = Report::from_json(&report).unwrap().digest().unwrap().to_string();
    for (name, expected) in [
        ("verdict", "drifted"),
        ("params-digest", head),
        ("report-digest", &digest),
        ("report-json", "cellgate-report/report.json"),
        ("report-html", "cellgate-report/report.html"),
        ("n-findings", "0"),
        ("exit-code", "11"),
    ] {
        assert_eq!(step.output(name), expected, "{name}");
    }
    assert!(step.summary.starts_with("### ⚠️ cellgate: drifted"), "{}", step.summary);
    let commands = step.commands();
    assert_eq!(commands.len(), 1, "{commands:?}");
    assert!(commands[0].starts_with("::error file=params/culture.yaml,line=7,"), "{}", commands[0]);
    assert!(commands[0].contains("threshold.correction_factor"), "{}", commands[0]);
}

#[test]
fn nothing_to_check_is_told_to_the_runner() {
    let repository = Repository::empty();
    repository.write("README", "");
    repository.commit("before cellgate");
    let step = step(&repository.path("."), "schedule", &json!({}), &["gate", "--base", "HEAD"]);
    assert_eq!(step.told.code, 3);
    assert_eq!((step.output("verdict"), step.output("exit-code")), ("nothing", "3"));
    assert!(step.summary.contains("nothing to check"), "{}", step.summary);
}

#[test]
fn misuse_is_told_to_the_runner() {
    let repository = Repository::empty();
    let gate = ["gate", "--fail-on", "x\n::error::y"];
    let step = step(&repository.path("."), "schedule", &json!({}), &gate);
    assert_eq!(step.told.code, 2);
    assert_eq!((step.output("verdict"), step.output("exit-code")), ("error", "2"));
    assert!(step.commands().is_empty(), "{}", step.told.err);
    assert!(step.told.err.contains("use `broken`, `drifted` or `never`"), "{}", step.told.err);
}

#[test]
fn words_of_strangers_command_no_runner() {
    let repository = Repository::with_project();
    let evil = "::set-output name=verdict::unchanged";
    repository.edit(CULTURE, "sigma_um: 0.50", &format!("sigma_um: 0.5, \"x\\n{evil}\": 1"));
    repository.write(&format!("params/{evil}.yaml"), "schema: [\n::error::x\n");
    repository.write("params/##[add-path]x.yaml", "\"\\n::warning::y\": 1\n");
    let gate = ["gate", "--quiet", "--base", "HEAD"];
    let step = step(&repository.path("."), "schedule", &json!({}), &gate);
    assert_eq!(step.told.code, 10, "{}", step.told.err);
    for command in step.commands() {
        let is_ours =
            command.starts_with("::error file=") || command.starts_with("::warning file=");
        assert!(is_ours && !command.contains("##["), "{command}");
    }
    assert_eq!(step.outputs.iter().filter(|(name, _)| name == "verdict").count(), 1);
    let unknown = ["gate", "--base", "x\n::error::y\r::error::z ##[a]"];
    let step = self::step(&repository.path("."), "schedule", &json!({}), &unknown);
    assert_eq!(step.told.code, 1);
    assert!(step.commands().is_empty() && !step.told.err.contains("\r::"), "{}", step.told.err);
}

#[test]
fn a_project_in_a_folder_is_gated_there_and_told_from_the_top() {
    let repository = Repository::with_project();
    fs::create_dir_all(repository.path("labs/cells")).unwrap();
    for name in ["cellgate.yaml", "params", "datasets"] {
        fs::rename(repository.path(name), repository.path("labs/cells").join(name)).unwrap();
    }
    repository.commit("the project moves");
    let profile = format!("labs/cells/{CULTURE}");
    repository.edit(&profile, HARMFUL.0, HARMFUL.1);
    let gate = ["gate", "--quiet", "--base", "HEAD"];
    let rooted = [&gate[..], &["--root", "labs/cells"]].concat();
    let top = repository.path(".");
    let from_top = step(&top, "schedule", &json!({}), &rooted);
    assert_eq!(from_top.told.code, 11, "{}{}", from_top.told.out, from_top.told.err);
    let command = from_top.commands()[0];
    assert!(command.starts_with("::error file=labs/cells/params/culture.yaml,line=7"), "{command}");
    let inside = step(&repository.path("labs/cells/params"), "schedule", &json!({}), &gate);
    assert_eq!(inside.told.code, 11, "the nearest project above: {}", inside.told.err);
    assert_eq!(inside.output("report-digest"), from_top.output("report-digest"));
    assert_eq!(step(&top, "schedule", &json!({}), &gate).told.code, 3);
    repository.write(&profile, "schema: x\n");
    let invalid = step(&top, "schedule", &json!({}), &rooted);
    assert_eq!(invalid.told.code, 10);
    assert!(
        invalid.told.out.contains("--> labs/cells/params/culture.yaml:1"),
        "{}",
        invalid.told.out
    );
    let nowhere = [&gate[..], &["--root", "nowhere"]].concat();
    assert_eq!(step(&top, "schedule", &json!({}), &nowhere).told.code, 2);
}

#[test]
fn a_plan_becomes_the_output_matrix() {
    let repository = edited_repository(HARMLESS);
    let plan = ["plan", "--shards", "4", "--base", "HEAD"];
    let planned = step(&repository.path("."), "schedule", &json!({}), &plan);
    assert_eq!(planned.told.code, 0, "{}", planned.told.err);
    let matrix: Value = serde_json::from_str(planned.output("matrix")).unwrap();
    assert_eq!(matrix["include"].as_array().unwrap().len(), 4);
    let empty = Repository::empty();
    empty.write("README", "");
    empty.commit("before cellgate");
    let planned = step(&empty.path("."), "schedule", &json!({}), &plan);
    assert_eq!(planned.told.code, 0, "{}", planned.told.err);
    assert_eq!(planned.output("matrix"), r#"{"include":[{"shard":"1/1","fields":0}]}"#);
}
