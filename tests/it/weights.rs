//! Weights that git does not hold: fetched for head and for base by the command that the workflows
//! run, and found by all that segment.

use crate::file_server::{Answer, FileServer};
use crate::network::{CULTURE, WEIGHTS, with_network};
use crate::repository::Repository;
use crate::ssh_deploy::PROGRAM;
use crate::tiny_network::{Model, brighter_than, card};

const CARD: &str = "models/tiny.card.json";

/// Command that the workflows run before the gate.
const FETCH: [&str; 5] = ["dataset", "pull", "--quiet", "--weights", "--with-base"];

/// A server of weights and a repository without any: `main` and a branch `change` ahead of it name
/// networks of their own.
struct Elsewhere {
    repository: Repository,
    server: FileServer,
}

impl Elsewhere {
    fn new() -> Self {
        let [base, head] = [0.4, 0.401].map(brighter_than);
        let served = [base.bytes.clone(), head.bytes.clone()];
        let server = FileServer::start(move |request, _| match request.path.as_str() {
            "/base" => Answer::file(&served[0]),
            "/head" => Answer::file(&served[1]),
            _ => Answer::status(404),
        });
        let repository = with_network();
        repository.git(&["rm", "--quiet", WEIGHTS]);
        let card_of = |model: &Model, path: &str| card(model, Some(server.url(path)), 0.9);
        repository.write(".gitignore", "/cellgate-report\n/shards\n/models/*.safetensors\n");
        repository.write(CARD, &card_of(&base, "base"));
        repository.commit("weights stay outside");
        repository.git(&["checkout", "--quiet", "-b", "change"]);
        repository.edit(CULTURE, &base.sha256.to_string(), &head.sha256.to_string());
        repository.write(CARD, &card_of(&head, "head"));
        repository.commit("another network");
        Self { repository, server }
    }

    #[track_caller]
    fn fetches(&self, arguments: &[&str], says: &str) {
        let output = self.repository.run(arguments);
        assert_eq!(output.code, 0, "{}", output.err);
        assert!(output.out.starts_with(says), "{}", output.out);
    }

    /// Paths that were asked for, sorted.
    fn requested_paths(&self) -> Vec<String> {
        let mut paths: Vec<String> =
            self.server.requests().iter().map(|request| request.path.clone()).collect();
        paths.sort();
        paths
    }
}

#[test]
fn both_sides_are_fetched_once_and_the_gate_finds_them() {
    let elsewhere = Elsewhere::new();
    elsewhere.fetches(&FETCH, "2 files fetched");
    assert_eq!(elsewhere.requested_paths(), ["/base", "/head"]);
    let gated = elsewhere.repository.gate_in_full(&[]);
    gated.expect(0, "equivalent", &["accuracy-moved"]);
    elsewhere.fetches(&FETCH, "nothing is missing");
    assert_eq!(elsewhere.requested_paths().len(), 2);
}

#[test]
fn a_folder_of_results_keeps_weights_where_the_gate_is_told_to_look() {
    let elsewhere = Elsewhere::new();
    let folder = elsewhere.repository.path("results");
    let variables = [("CELLGATE_CACHE", folder.to_str().unwrap())];
    let output = elsewhere.repository.run_with(&variables, &FETCH);
    assert_eq!(output.code, 0, "{}", output.err);
    assert!(!elsewhere.repository.path(".git/cellgate-cache").exists());
    let gated = elsewhere.repository.gate_in_full(&["--cache", folder.to_str().unwrap()]);
    gated.expect(0, "equivalent", &["accuracy-moved"]);
}

#[test]
fn only_what_computes_needs_weights() {
    let elsewhere = Elsewhere::new();
    let repository = &elsewhere.repository;
    let planned = repository.run(&["plan", "--shards", "2"]);
    assert_eq!(planned.code, 0, "{}", planned.err);
    elsewhere.fetches(&FETCH, "2 files fetched");
    for shard in ["1/2", "2/2"] {
        let out = format!("shards/{}", &shard[..1]);
        let output = repository.run(&["gate", "--quiet", "--shard", shard, "--out", &out]);
        assert_eq!(output.code, 0, "{}", output.err);
    }
    std::fs::remove_dir_all(repository.path(".git/cellgate-cache")).unwrap();
    let merged = repository.run(&["merge", "--quiet", "shards"]);
    assert_eq!(merged.code, 0, "{}{}", merged.out, merged.err);
}

#[test]
fn a_project_that_is_wrong_elsewhere_keeps_nobody_from_fetching() {
    let elsewhere = Elsewhere::new();
    elsewhere.repository.edit("cellgate.yaml", "f1_at_50: 0.5", "f1_at_50: many");
    assert_eq!(elsewhere.repository.run(&["dataset", "pull"]).code, 10);
    elsewhere.fetches(&FETCH, "2 files fetched");
}

#[test]
fn bases_folders_are_those_that_base_names() {
    let elsewhere = Elsewhere::new();
    let repository = &elsewhere.repository;
    for (from, to) in [("params", "profiles"), ("models", "networks")] {
        repository.git(&["mv", from, to]);
    }
    repository.edit(
        "cellgate.yaml",
        "tolerances: params/",
        "params: profiles\nmodels: networks\ntolerances: profiles/",
    );
    elsewhere.fetches(&FETCH, "2 files fetched");
    assert_eq!(elsewhere.requested_paths(), ["/base", "/head"]);
}

#[test]
fn a_release_takes_weights_that_were_fetched() {
    let elsewhere = Elsewhere::new();
    let repository = &elsewhere.repository;
    let root = tempfile::tempdir().unwrap();
    let target = format!("local:{}", root.path().join("server").display());
    let program = PROGRAM.1.to_str().unwrap();
    elsewhere.fetches(&FETCH, "2 files fetched");
    repository.gate_in_full(&[]).expect(0, "equivalent", &[]);
    let output = repository.approve_as("ada@example.org", &[]);
    assert_eq!(output.code, 0, "{}{}", output.out, output.err);
    // As on another machine: nothing was computed there.
    std::fs::remove_dir_all(repository.path(".git/cellgate-cache")).unwrap();
    let deploy = ["deploy", "--binary", program, "--target", &target];
    let output = repository.run(&deploy);
    assert_eq!(output.code, 20, "{}{}", output.out, output.err);
    assert!(output.err.contains("cellgate dataset pull"), "{}", output.err);
    elsewhere.fetches(&FETCH[..4], "1 files fetched");
    let output = repository.run(&deploy);
    assert_eq!(output.code, 0, "{}{}", output.out, output.err);
    let released = std::fs::read(root.path().join("server/current").join(WEIGHTS)).unwrap();
    assert!(released == brighter_than(0.401).bytes);
}
