//! The action, its workflows and their callers agree with the command line and keep to their rules.
//!
//! Linters (`.ci/workflows`) find what GitHub would refuse, and `tests/act/run` runs the workflows;
//! these tests check the rules that only this repository knows.

use serde_yaml::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Inputs of the action that are no flag, and where they go.
const NO_FLAGS: [&str; 2] = ["token", "version"];

/// Workflows that hold a token that may write, or secrets.
const TRUSTED: [&str; 4] = ["approve.yml", "comment.yml", "deploy.yml", "monitor.yml"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> (String, Value) {
    let text = fs::read_to_string(root().join(path)).unwrap();
    let value = serde_yaml::from_str(&text).unwrap();
    (text, value)
}

/// Paths of the workflows of a folder, sorted.
fn workflows(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let relative = |path: PathBuf| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    paths.into_iter().map(relative).collect()
}

fn shipped_workflows() -> Vec<String> {
    let mut all = workflows(".github/workflows");
    all.extend(workflows("workflows"));
    all
}

fn keys(value: &Value) -> BTreeSet<String> {
    let keys = value.as_mapping().unwrap().keys();
    keys.map(|key| key.as_str().unwrap().to_owned()).collect()
}

/// Flags that a command's help names.
fn flags(command: &str) -> BTreeSet<String> {
    let words = command.split_whitespace().chain(["--help"]);
    let help = Command::new(env!("CARGO_BIN_EXE_cellgate")).args(words).output();
    let help = String::from_utf8(help.unwrap().stdout).unwrap();
    let words = help.split(|c: char| c != '-' && !c.is_ascii_alphanumeric());
    words.filter_map(|word| word.strip_prefix("--")).map(str::to_owned).collect()
}

/// Every `run` of a workflow or an action.
fn scripts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Mapping(mapping) => {
            for (key, value) in mapping {
                match (key.as_str(), value.as_str()) {
                    (Some("run"), Some(script)) => found.push(script.to_owned()),
                    _ => scripts(value, found),
                }
            }
        }
        Value::Sequence(values) => values.iter().for_each(|value| scripts(value, found)),
        _ => {}
    }
}

/// Commands of cellgate in a script, with the flags that they are given.
fn calls(script: &str) -> Vec<(String, Vec<String>)> {
    let script = script.replace("\\\n", " ");
    let lines = script.lines().filter_map(|line| line.split_once("exec cellgate "));
    let call = |(_, rest): (&str, &str)| {
        let is_name = |word: &&str| word.bytes().all(|letter| letter.is_ascii_lowercase());
        let command: Vec<&str> = rest.split_whitespace().take_while(is_name).collect();
        let flags = rest.split_whitespace().filter_map(|word| word.strip_prefix("--"));
        let flags = flags.map(|flag| flag.split('=').next().unwrap().to_owned());
        (command.join(" "), flags.filter(|flag| !flag.is_empty()).collect())
    };
    lines.map(call).collect()
}

#[test]
fn every_input_of_the_action_is_one_flag_of_the_gate_and_reaches_it_through_the_environment() {
    let (text, action) = read("action.yml");
    let inputs = keys(&action["inputs"]);
    let flags = flags("gate");
    let gate = action["runs"]["steps"].as_sequence().unwrap().last().unwrap();
    let script = gate["run"].as_str().unwrap();
    for input in inputs.iter().filter(|input| !NO_FLAGS.contains(&input.as_str())) {
        assert!(flags.contains(input), "`cellgate gate` has no flag `--{input}`");
        let variable = input.replace('-', "_").to_uppercase();
        assert!(script.contains(&format!("--{input}=\"${variable}\"")), "{input} is not passed");
        let from = gate["env"][variable.as_str()].as_str().unwrap();
        assert_eq!(from, format!("${{{{ inputs.{input} }}}}"));
    }
    for input in NO_FLAGS {
        assert!(text.contains(&format!("${{{{ inputs.{input} }}}}")), "{input} is not read");
    }
    assert!(script.trim_end().ends_with("exec cellgate gate \"${arguments[@]}\""));
}

#[test]
fn every_command_that_a_workflow_runs_has_the_flags_that_it_is_given() {
    let mut n_calls = 0;
    for path in workflows(".github/workflows") {
        let mut all = Vec::new();
        scripts(&read(&path).1, &mut all);
        for (command, used_flags) in all.iter().flat_map(|script| calls(script)) {
            let known = flags(&command);
            n_calls += 1;
            for flag in used_flags {
                assert!(known.contains(&flag), "{path}: `cellgate {command}` has no `--{flag}`");
            }
        }
    }
    assert!(6 < n_calls, "only {n_calls} calls were found");
}

#[test]
fn no_expression_stands_in_a_script() {
    let actions = vec!["action.yml".into(), ".github/actions/install/action.yml".into()];
    for path in [shipped_workflows(), actions].concat() {
        let mut all = Vec::new();
        scripts(&read(&path).1, &mut all);
        for script in all {
            assert!(!script.contains("${{"), "{path}: {script}");
        }
    }
}

#[test]
fn a_workflow_grants_nothing_by_default_and_every_job_has_an_end() {
    for path in shipped_workflows() {
        let (_, workflow) = read(&path);
        assert_eq!(workflow["permissions"], Value::Mapping(Default::default()), "{path}");
        for (name, job) in workflow["jobs"].as_mapping().unwrap() {
            let name = name.as_str().unwrap();
            assert!(job.get("permissions").is_some(), "{path}: {name} says no permissions");
            let is_call = job.get("uses").is_some();
            assert!(is_call || job.get("timeout-minutes").is_some(), "{path}: {name} may hang");
        }
    }
}

#[test]
fn actions_of_others_are_pinned_to_a_commit_and_say_which_release_it_is() {
    let actions = vec!["action.yml".into(), ".github/actions/install/action.yml".into()];
    for path in [shipped_workflows(), actions].concat() {
        let text = read(&path).0;
        let uses = text.lines().filter_map(|line| line.split_once("uses: "));
        for used in uses.map(|(_, used)| used).filter(|used| used.starts_with("actions/")) {
            let (_, pin) = used.split_once('@').unwrap();
            let (sha, release) = pin.split_once(" # v").unwrap();
            assert!(
                sha.len() == 40 && sha.bytes().all(|c| c.is_ascii_hexdigit()),
                "{path}: {used}"
            );
            assert_eq!(release.split('.').count(), 3, "{path}: {used}");
        }
    }
}

#[test]
fn who_may_write_keeps_away_from_what_others_stored_and_keeps_no_token() {
    for name in TRUSTED {
        let (text, workflow) = read(&format!(".github/workflows/{name}"));
        let installs = text.matches("$/.github/actions/install").count();
        assert_eq!(text.matches("cache: 'false'").count(), installs, "{name}");
        let jobs = workflow["jobs"].as_mapping().unwrap();
        let closed = jobs.values().filter(|job| job["cache-mode"] == "none").count();
        assert_eq!(closed, installs, "{name}");
    }
    for path in shipped_workflows() {
        let text = read(&path).0;
        let n_checkouts = text.matches("actions/checkout@").count();
        assert_eq!(text.matches("persist-credentials: false").count(), n_checkouts, "{path}");
    }
}

#[test]
fn callers_name_the_release_that_this_version_will_be() {
    let tag = format!("@v{} ", env!("CARGO_PKG_VERSION"));
    for path in workflows("workflows") {
        let (text, caller) = read(&path);
        let name = Path::new(&path).file_name().unwrap().to_str().unwrap();
        let called = format!("uses: cellgate/cellgate/.github/workflows/{name}{tag}");
        assert!(text.contains(&called), "{path} does not call its workflow at {tag}");
        let (_, workflow) = read(&format!(".github/workflows/{name}"));
        let known = keys(&workflow["on"]["workflow_call"]["inputs"]);
        for job in caller["jobs"].as_mapping().unwrap().values() {
            let inputs = job.get("with").map(keys).unwrap_or_default();
            assert!(inputs.is_subset(&known), "{path}: {inputs:?}");
        }
    }
}

#[test]
fn a_comment_follows_the_run_of_the_gate_by_its_name() {
    for (gate, comment) in [
        ("workflows/gate.yml", "workflows/comment.yml"),
        (".github/workflows/own-gate.yml", ".github/workflows/own-comment.yml"),
    ] {
        let followed = &read(comment).1["on"]["workflow_run"]["workflows"];
        assert_eq!(followed[0], read(gate).1["name"], "{comment}");
    }
}
