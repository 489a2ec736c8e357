//! A target on this machine: the same deploy without a server, also where GitHub's runner reads.

use crate::repository::{Repository, Told, cellgate};
use crate::ssh_deploy::{APPROVED, PROGRAM};
use std::path::Path;

/// Runs a command on a local target as a step of a workflow does, and checks code and words.
#[track_caller]
fn check(repository: &Repository, root: &Path, arguments: &[&str], code: i32, says: &str) {
    let mut command = cellgate(&repository.path("."));
    command.args(arguments).arg("--target").arg(format!("local:{}", root.display()));
    if arguments[0] == "deploy" {
        command.arg("--binary").arg(&PROGRAM.1);
    }
    let output = Told::of(command.env("GITHUB_ACTIONS", "true").output().unwrap());
    let text = format!("{}{}", output.out, output.err);
    assert_eq!(output.code, code, "{arguments:?}: {text}");
    assert!(text.contains(says), "{arguments:?} does not say `{says}`: {text}");
}

#[test]
fn a_local_target_takes_what_is_approved_and_knows_what_was_changed() {
    let repository = Repository::copy_of(&APPROVED);
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("server");
    // A report is made beside the files that are deployed, and is no change of them.
    assert_eq!(repository.run(&["gate", "--quiet", "--base", "HEAD"]).code, 0);
    check(&repository, &root, &["deploy", "--plan"], 0, "approved by");
    assert!(!root.join("current").exists(), "a plan changes nothing");
    check(&repository, &root, &["deploy"], 0, "release");
    check(&repository, &root, &["deploy"], 0, "release");
    check(&repository, &root, &["status", "--verify"], 0, "");
    let deployed = root.join("current/cellgate.yaml").canonicalize().unwrap();
    std::fs::remove_file(&deployed).unwrap();
    check(&repository, &root, &["status", "--verify"], 24, "cellgate.yaml");
}
