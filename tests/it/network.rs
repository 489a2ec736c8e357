//! A network in the whole house: validated, run, gated, packed, all by the digest of its weights.

use crate::repository::{Gated, Repository};
use crate::ssh_deploy::PROGRAM;
use crate::tiny_network::{FORM, Model, brighter_than, card};

/// The profile with a network.
pub(crate) const CULTURE: &str = "params/culture.yaml";

/// Its weights.
pub(crate) const WEIGHTS: &str = "models/tiny.safetensors";

/// The profile of a network.
fn profile(model: &Model) -> String {
    format!(
        "schema: cellgate/profile/v1\nname: culture\n\
         image: {{modality: fluorescence, pixel_size_um: 0.5}}\nmethod: unet\n\
         unet: {{model: tiny, weights_sha256: {}, {FORM}, suppression_um: 3}}\n\
         morphology: {{fill_holes_max_area_um2: 25, min_area_um2: 15, max_area_um2: 400}}\n",
        model.sha256
    )
}

/// Brings a model and its profile into a repository.
pub(crate) fn take(repository: &Repository, model: &Model) {
    std::fs::create_dir_all(repository.path("models")).unwrap();
    std::fs::write(repository.path(WEIGHTS), &model.bytes).unwrap();
    repository.write(CULTURE, &profile(model));
}

/// A repository whose one commit holds a project with a network.
pub(crate) fn with_network() -> Repository {
    let repository = Repository::with_project();
    take(&repository, &brighter_than(0.4));
    repository.commit("a network");
    repository
}

fn gate_network(level: f32) -> (Repository, Gated) {
    let repository = with_network();
    take(&repository, &brighter_than(level));
    let gated = repository.gate();
    (repository, gated)
}

#[test]
fn a_network_that_says_the_same_passes() {
    let repository = with_network();
    repository.edit(CULTURE, "schema:", "# A comment.\nschema:");
    repository.gate().expect(0, "unchanged", &[]);
}

#[test]
fn weights_that_hardly_differ_pass_and_are_named() {
    let (_repository, gated) = gate_network(0.401);
    gated.expect(0, "equivalent", &["accuracy-moved"]);
    let changed = &gated.report()["profiles"][0]["changed_keys"];
    assert_eq!(changed.as_array().unwrap().len(), 1, "{changed}");
    assert_eq!(changed[0]["key"], "unet.weights_sha256");
    let [base, head] = [brighter_than(0.4), brighter_than(0.401)].map(|model| model.sha256);
    assert_eq!(changed[0]["base"], format!("tiny {}", base.short()));
    assert_eq!(changed[0]["head"], format!("tiny {}", head.short()));
}

#[test]
fn weights_that_find_other_nuclei_are_stopped() {
    let (_repository, gated) = gate_network(0.8);
    gated.expect(12, "drifted", &["measurement-drifted", "accuracy-below-floor"]);
    let remark = &gated.report()["remarks"][0];
    assert_eq!((&remark["path"], &remark["line"]), (&CULTURE.into(), &5.into()), "{remark}");
}

#[test]
fn weights_outside_of_git_are_found_by_their_digest() {
    let repository = with_network();
    repository.git(&["rm", "--quiet", "--cached", WEIGHTS]);
    repository.write(".gitignore", "/cellgate-report\n/models/*.safetensors\n");
    repository.commit("weights stay outside");
    repository.edit(CULTURE, "max_area_um2: 400", "max_area_um2: 410");
    repository.gate().expect(0, "unchanged", &[]);
    // Base's are found in the cache once head has others.
    let (base, head) = (brighter_than(0.4), brighter_than(0.401));
    let cache = repository.path(".git/cellgate-cache");
    let name = base.sha256.to_string();
    std::fs::create_dir_all(cache.join(&name[..2])).unwrap();
    std::fs::write(cache.join(&name[..2]).join(format!("{name}.safetensors")), &base.bytes)
        .unwrap();
    take(&repository, &head);
    let gated = repository.gate_in_full(&["--base", "HEAD"]);
    gated.expect(0, "equivalent", &["accuracy-moved"]);
}

#[test]
fn weights_that_nobody_has_are_told_with_what_to_do() {
    let repository = with_network();
    repository.remove(WEIGHTS);
    let output = repository.run(&["validate"]);
    assert_eq!(output.code, 10, "{}", output.out);
    assert!(output.out.contains("cellgate dataset pull"), "{}", output.out);
    assert!(output.out.contains("params/culture.yaml:5:"), "{}", output.out);
    repository.edit(CULTURE, "max_area_um2: 400", "max_area_um2: 410");
    let gated = repository.gate_in_full(&["--base", "HEAD"]);
    assert!(gated.told.out.contains("cellgate dataset pull"), "{}", gated.told.out);
    gated.expect(12, "broken", &["nothing-compared", "field-failed", "accuracy-unknown"]);
}

#[test]
fn damaged_foreign_and_other_weights_are_findings_at_their_keys() {
    let check = |prepare: &dyn Fn(&Repository), says: &str| {
        let repository = with_network();
        prepare(&repository);
        let output = repository.run(&["validate"]);
        assert_eq!(output.code, 10, "{says}: {}", output.out);
        assert!(output.out.contains(says), "{says}: {}", output.out);
    };
    let mut torn = brighter_than(0.4).bytes;
    torn.truncate(100);
    check(
        &|repository| std::fs::write(repository.path(WEIGHTS), &torn).unwrap(),
        "digest-mismatch",
    );
    check(&|repository| repository.edit(CULTURE, "depth: 1", "depth: 2"), "model's card");
}

#[test]
fn a_network_segments_and_its_record_names_its_weights() {
    let repository = with_network();
    let images = "datasets/nuclei/original";
    let output = repository.run(&["segment", "--profile", CULTURE, "--out", "out", images]);
    assert_eq!(output.code, 0, "{}", output.err);
    let record = std::fs::read_to_string(repository.path("out/run.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["weights_sha256"], brighter_than(0.4).sha256.to_string());
    let arguments = ["evaluate", "--truth", "datasets/nuclei/masks", "--labels", "out"];
    let output = repository.run(&[&arguments[..], &["--format", "json"]].concat());
    let scores: serde_json::Value = serde_json::from_str(&output.out).unwrap();
    assert!(scores["mean"]["f1_at_50"].as_f64().unwrap() > 0.5, "{}", output.out);
}

#[test]
fn a_release_carries_weights_and_the_server_finds_what_was_found_here() {
    let repository = with_network();
    repository.write("models/tiny.card.json", &card(&brighter_than(0.4), None, 0.9));
    repository.commit("a card");
    assert_eq!(repository.run(&["validate"]).code, 0);
    repository.gate();
    let output = repository.approve_as("ada@example.org", &[]);
    assert_eq!(output.code, 0, "{}{}", output.out, output.err);
    let root = tempfile::tempdir().unwrap();
    let target = format!("local:{}", root.path().join("server").display());
    let run = |arguments: &[&str], code: i32| {
        let output = repository.run(&[arguments, &["--target", &target]].concat());
        assert_eq!(output.code, code, "{arguments:?}: {}{}", output.out, output.err);
        format!("{}{}", output.out, output.err)
    };
    let program = PROGRAM.1.to_str().unwrap();
    run(&["deploy", "--binary", program], 0);
    let released = root.path().join("server/current");
    for path in [WEIGHTS, "models/tiny.card.json", "reference/culture_labels.png"] {
        assert!(released.join(path).is_file(), "{path}");
    }
    run(&["status", "--verify"], 0);
    let own = released.join("params/culture.yaml");
    let images = repository.path("datasets/nuclei/original");
    let arguments = ["segment", "--profile", own.to_str().unwrap(), "--out", "out"];
    let output = repository.run(&[&arguments[..], &[images.to_str().unwrap()]].concat());
    assert_eq!(output.code, 0, "{}", output.err);
    std::fs::remove_file(released.join(WEIGHTS)).unwrap();
    assert!(run(&["status", "--verify"], 24).contains("tiny.safetensors"));
}

#[test]
fn a_card_of_other_weights_is_a_finding_and_its_figures_are_told() {
    let repository = with_network();
    repository.write("models/tiny.card.json", &card(&brighter_than(0.3), None, 0.9));
    let output = repository.run(&["validate"]);
    assert_eq!(output.code, 10, "{}", output.out);
    assert!(output.out.contains("do not belong together"), "{}", output.out);
    repository.write("models/tiny.card.json", &card(&brighter_than(0.4), None, 0.9));
    repository.commit("a card");
    let head = brighter_than(0.401);
    take(&repository, &head);
    repository.write("models/tiny.card.json", &card(&head, None, 0.875));
    let changed = repository.gate().report()["profiles"][0]["changed_keys"][0].clone();
    let scores_of = |side: &str| changed[side].as_str().unwrap().to_owned();
    assert!(scores_of("base").contains("fluorescence F1 0.900"), "{changed}");
    assert!(scores_of("head").contains("fluorescence F1 0.875"), "{changed}");
}
