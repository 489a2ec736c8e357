//! A new project: its files, the files that are left alone, and its own gate.

use crate::repository::{Repository, cache};
use crate::test_folder::TestFolder;

const CALLERS: [&str; 5] = ["approve", "comment", "deploy", "gate", "monitor"];

#[test]
fn a_new_project_is_valid_and_passes_its_gate() {
    let repository = Repository::empty();
    let output = repository.run(&["init"]);
    assert_eq!(output.code, 0, "{}", output.err);
    for name in CALLERS {
        assert!(repository.path(&format!(".github/workflows/{name}.yml")).is_file());
    }
    let output = repository.run(&["validate"]);
    assert_eq!(output.code, 0, "{}", output.out);
    assert!(output.out.contains("no findings"), "{}", output.out);
    repository.commit("a new project");
    let cache = cache().to_str().unwrap();
    let output = repository.run(&["gate", "--quiet", "--cache", cache]);
    assert_eq!(output.code, 0, "{}{}", output.out, output.err);
    for profile in ["bbbc039", "dapi-culture", "dapi-tissue", "he-tissue", "ihc-hdab"] {
        assert!(output.out.contains(&format!("{profile}: unchanged")), "{}", output.out);
    }
}

#[test]
fn files_that_are_there_are_left_and_told() {
    let folder = TestFolder::new();
    folder.write("cellgate.yaml", b"mine");
    folder.write(".github/workflows/gate.yml", b"mine, too");
    let output = folder.check(&["init"], 0, "left cellgate.yaml, which is there already");
    assert!(output.out.contains("left .github/workflows/gate.yml"), "{}", output.out);
    assert!(output.out.contains("a workflow of that name was there"), "{}", output.out);
    assert!(output.out.contains("wrote params/ihc-hdab.yaml"), "{}", output.out);
    assert_eq!(folder.text("cellgate.yaml"), "mine");
    assert_eq!(folder.text(".github/workflows/gate.yml"), "mine, too");
    let again = folder.check(&["init"], 0, "left params/ihc-hdab.yaml");
    assert!(!again.out.contains("wrote"), "{}", again.out);
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = TestFolder::new();
    folder.check(&["init", "--dry-run"], 0, "would write params/tolerances.yaml");
    assert_eq!(folder.files(), [] as [&str; 0]);
}

#[test]
fn only_the_profiles_that_are_wanted_come() {
    let profiles = |arguments: &[&str]| {
        let folder = TestFolder::new();
        folder.check(&[&["init", "--no-deploy"], arguments].concat(), 0, "wrote cellgate.yaml");
        folder.check(&["validate"], 0, "no findings");
        let files = folder.files();
        let of_project = ["README.md", "profile.schema.json", "tolerances.yaml"];
        let names = files.iter().filter_map(|path| path.strip_prefix("params/"));
        names.filter(|name| !of_project.contains(name)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(profiles(&["--profile", "ihc-hdab,bbbc039"]), ["bbbc039.yaml", "ihc-hdab.yaml"]);
    assert_eq!(profiles(&["--modality", "he"]), ["he-tissue.yaml"]);
    assert_eq!(profiles(&["--modality", ""]).len(), 5);
    let folder = TestFolder::new();
    folder.check(&["init", "--profile", "ihc-hdap"], 2, "did you mean `ihc-hdab`?");
    folder.check(&["init", "--modality", "he", "--profile", "x"], 2, "cannot be used with");
    folder.check(&["init", "--root", "nowhere"], 2, "is no folder");
    assert_eq!(folder.files(), [] as [&str; 0]);
}

#[test]
fn who_trains_gets_the_workflow_that_does() {
    let folder = TestFolder::new();
    folder.check(&["init", "--train"], 0, "wrote .github/workflows/train.yml");
    let output = TestFolder::new().check(&["init"], 0, "gate.yml");
    assert!(!output.out.contains("train.yml"), "{}", output.out);
}

#[test]
fn without_a_server_nothing_deploys() {
    let folder = TestFolder::new();
    let output = folder.check(&["init", "--no-deploy"], 0, "gate.yml");
    assert!(
        !output.out.contains("deploy.yml") && !output.out.contains("monitor.yml"),
        "{}",
        output.out
    );
    assert!(!folder.text("cellgate.yaml").contains("targets:"));
}

#[test]
fn workflows_of_a_project_in_a_folder_go_to_the_top() {
    let repository = Repository::empty();
    repository.write("labs/cells/notes", "");
    let output = repository.run(&["init", "--root", "labs/cells", "--modality", "he"]);
    assert_eq!(output.code, 0, "{}", output.err);
    assert!(output.out.contains("with: {root: labs/cells}"), "{}", output.out);
    assert!(repository.path("labs/cells/params/he-tissue.yaml").is_file());
    assert!(repository.path(".github/workflows/gate.yml").is_file());
    assert!(!repository.path("labs/cells/.github").exists());
}
