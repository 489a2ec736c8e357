//! Results that the gate keeps: known, damaged or computed anew, the report is the same.

use crate::gate::{HARMFUL, HARMLESS, edited_repository};
use crate::repository::{Repository, cellgate};

#[test]
fn known_results_and_threads_change_no_byte_of_the_report() {
    let repository = edited_repository(HARMFUL);
    let first = repository.gate_in_full(&["--base", "HEAD"]);
    let report = first.file("report.json");
    assert!(first.told.out.contains("runs: 12 computed, 0 known before"), "{}", first.told.out);
    let second = repository.gate_in_full(&["--base", "HEAD"]);
    assert!(second.told.out.contains("runs: 0 computed, 12 known before"), "{}", second.told.out);
    assert_eq!(second.file("report.json"), report, "from the cache");
    for threads in ["1", "5"] {
        let fresh =
            repository.gate_in_full(&["--base", "HEAD", "--no-cache", "--threads", threads]);
        assert_eq!(fresh.file("report.json"), report, "{threads} threads");
    }
}

#[test]
fn a_damaged_cache_is_computed_again() {
    let repository = edited_repository(HARMLESS);
    let cache = repository.path("cache");
    let arguments = ["--base", "HEAD", "--cache", cache.to_str().unwrap()];
    let report = repository.gate_in_full(&arguments).file("report.json");
    for folder in std::fs::read_dir(&cache).unwrap() {
        for entry in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = entry.unwrap().path();
            let mut bytes = std::fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(path, bytes).unwrap();
        }
    }
    let again = repository.gate_in_full(&arguments);
    assert!(again.told.out.contains("runs: 12 computed"), "{}", again.told.out);
    assert_eq!(again.file("report.json"), report);
}

#[test]
fn a_linked_working_tree_is_gated_like_any_other() {
    let repository = Repository::with_project();
    repository.git(&["worktree", "add", "--quiet", "linked"]);
    let linked = repository.path("linked");
    let arguments = ["gate", "--quiet", "--base", "main"];
    for expected in ["runs: 6 computed", "runs: 0 computed"] {
        let output = cellgate(&linked).args(arguments).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(out.contains(expected), "{out}");
    }
}
