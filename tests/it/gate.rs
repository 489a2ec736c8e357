//! The gate in real repositories: which change gets which verdict, exit code and reasons.

use crate::repository::{Gated, N_FIELDS, PROFILE, PROJECT, Repository, TOLERANCES, cellgate};
use cellgate_core::profile::Modality;
use cellgate_gate::report::model::Report;
use cellgate_inputs::dataset::write_phantoms;
use std::sync::LazyLock;

pub(crate) const CULTURE: &str = "params/culture.yaml";
pub(crate) const HARMLESS: (&str, &str) = ("sigma_um: 0.50", "sigma_um: 0.52");
pub(crate) const HARMFUL: (&str, &str) = ("correction_factor: 0.90", "correction_factor: 1.60");

/// A repository in which one text of the profile is another.
pub(crate) fn edited_repository((from, to): (&str, &str)) -> Repository {
    let repository = Repository::with_project();
    repository.edit(CULTURE, from, to);
    repository
}

fn gate_change(change: (&str, &str)) -> Gated {
    let repository = edited_repository(change);
    let gated = repository.gate_by_command(&[]);
    // The report outlives the repository that it is about.
    let folder = tempfile::tempdir().unwrap().keep();
    for name in ["report.json", "report.md", "report.html", "junit.xml", "report.sarif"] {
        std::fs::copy(gated.folder.join(name), folder.join(name)).unwrap();
    }
    Gated { folder, ..gated }
}

/// Outcome of the harmful change, for tests that look at it from several sides.
static STOPPED: LazyLock<Gated> = LazyLock::new(|| gate_change(HARMFUL));

#[test]
fn comments_order_and_description_change_nothing() {
    let repository = Repository::with_project();
    let mut lines: Vec<&str> = PROFILE.lines().collect();
    lines[3..].reverse();
    lines[2] = "description: The same in other words. # And a comment.";
    repository.write(CULTURE, &(lines.join("\n") + "\n"));
    let gated = repository.gate_by_command(&[]);
    gated.expect(0, "unchanged", &[]);
    assert_eq!(gated.report()["profiles"][0]["changed_keys"].as_array().unwrap().len(), 0);
}

#[test]
fn a_harmless_change_passes() {
    let repository = edited_repository(HARMLESS);
    repository.gate_by_command(&[]).expect(0, "equivalent", &["accuracy-moved"]);
}

#[test]
fn a_harmful_change_is_stopped_in_every_rendering() {
    let gated = &*STOPPED;
    gated.expect(11, "drifted", &["measurement-drifted"]);
    let report = gated.report();
    assert_eq!(report["profiles"][0]["changed_keys"][0]["key"], "threshold.correction_factor");
    assert!(Report::from_json(gated.file("report.json").as_bytes()).is_ok());

    let markdown = gated.file("report.md");
    assert!(markdown.len() <= 60_000 && markdown.contains("threshold.correction_factor"));

    let page = gated.file("report.html");
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"));

    let sarif: serde_json::Value = serde_json::from_str(&gated.file("report.sarif")).unwrap();
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], CULTURE);
    assert_eq!(place["region"]["startLine"], 7);

    let junit = gated.file("junit.xml");
    assert!(is_well_formed(&junit) && junit.contains("failures=\"1\""), "{junit}");
}

/// Whether every element of an XML text is closed in its order.
fn is_well_formed(xml: &str) -> bool {
    let mut open = Vec::new();
    let tags = xml.split('<').skip(1).map(|part| part.split('>').next().unwrap_or_default());
    for tag in tags.filter(|tag| !tag.starts_with('?') && !tag.ends_with('/')) {
        let name = tag.split_whitespace().next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(closed) if open.pop() != Some(closed) => return false,
            Some(_) => {}
            None => open.push(name),
        }
    }
    open.is_empty()
}

#[test]
fn a_passed_profile_is_a_passed_case_of_junit() {
    let gated = gate_change(HARMLESS);
    let junit = gated.file("junit.xml");
    assert!(junit.contains(&format!("name=\"{CULTURE}\"")), "{junit}");
    std::fs::remove_dir_all(&gated.folder).unwrap();
}

#[test]
fn a_new_profile_needs_an_approval() {
    let repository = Repository::with_project();
    repository.write("params/other.yaml", &PROFILE.replace("name: culture", "name: other"));
    let added = "gate:\n  - {profile: other, dataset: nuclei}";
    repository.edit("cellgate.yaml", "gate:", added);
    let gated = repository.gate();
    gated.expect(11, "inconclusive", &["new-profile"]);
    assert_eq!(gated.report()["profiles"][0]["verdict"], "unchanged", "the profile that was there");
}

#[test]
fn a_profile_that_nothing_gates_is_told() {
    let repository = Repository::with_project();
    repository.write("params/other.yaml", &PROFILE.replace("name: culture", "name: other"));
    let gated = repository.gate_by_command(&[]);
    gated.expect(0, "unchanged", &[]);
    assert!(gated.told.out.contains("its changes pass unseen"), "{}", gated.told.out);
}

#[test]
fn a_deleted_profile_needs_an_approval() {
    let repository = Repository::with_project();
    repository.write("params/other.yaml", &PROFILE.replace("name: culture", "name: other"));
    let both = "gate:\n  - {profile: other, dataset: nuclei}";
    repository.edit("cellgate.yaml", "gate:", both);
    repository.commit("two profiles");
    repository.remove("params/other.yaml");
    repository.edit("cellgate.yaml", both, "gate:");
    repository.gate().expect(11, "inconclusive", &["deleted-profile", "dataset-changed"]);
}

#[test]
fn a_profile_that_is_no_longer_gated_is_gated_all_the_same() {
    let repository = Repository::with_project();
    repository.write("params/other.yaml", &PROFILE.replace("name: culture", "name: other"));
    repository.edit("cellgate.yaml", "{profile: culture,", "{profile: other,");
    repository.edit("cellgate.yaml", "accuracy_floors: {culture: {f1_at_50: 0.5}}", "");
    repository.edit(CULTURE, HARMFUL.0, HARMFUL.1);
    repository.gate().expect(
        11,
        "drifted",
        &["measurement-drifted", "new-profile", "dataset-changed", "policy-changed"],
    );
}

#[test]
fn an_invalid_profile_is_a_finding_with_its_place() {
    let repository = edited_repository(("sigma_um: 0.50", "sigma: 0.50"));
    let gated = repository.gate_by_command(&[]);
    gated.expect(10, "broken", &["head-invalid", "findings-present"]);
    assert!(gated.told.out.contains("params/culture.yaml:6:13"), "{}", gated.told.out);
    let finding = &gated.report()["findings"][0];
    assert_eq!(finding["code"], "unknown-key");
    assert_eq!((&finding["line"], &finding["column"]), (&6.into(), &13.into()));
}

#[test]
fn an_invalid_project_is_a_finding_and_base_still_counts() {
    let repository = edited_repository(HARMFUL);
    repository.edit("cellgate.yaml", "datasets:", "data_sets:");
    let gated = repository.gate();
    gated.expect(10, "drifted", &["findings-present", "measurement-drifted"]);
}

#[test]
fn a_project_file_that_is_gone_is_a_finding() {
    let repository = edited_repository(HARMFUL);
    repository.remove("cellgate.yaml");
    let gated = repository.gate();
    gated.expect(10, "drifted", &["findings-present", "measurement-drifted"]);
}

#[test]
fn adoption_needs_an_approval() {
    let repository = Repository::empty();
    repository.write("README", "");
    repository.commit("before cellgate");
    let project = PROJECT.replace("datasets/nuclei", "{builtin: phantoms}");
    repository
        .write("cellgate.yaml", &project.replace("nuclei}", "nuclei, image_type: fluorescence}"));
    repository.write(CULTURE, PROFILE);
    repository.write("params/tolerances.yaml", TOLERANCES);
    repository.gate().expect(11, "inconclusive", &["new-profile"]);
}

#[test]
fn looser_tolerances_do_not_let_their_own_change_through() {
    let repository = edited_repository(HARMFUL);
    let loose = TOLERANCES.replace("0.0", "0.9");
    assert_ne!(loose, TOLERANCES);
    repository.write("params/tolerances.yaml", &loose);
    let gated = repository.gate();
    gated.expect(11, "drifted", &["measurement-drifted", "policy-changed"]);
    let policy = STOPPED.report()["policy_digest"].clone();
    assert_eq!(gated.report()["policy_digest"], policy, "base's policy judges");
}

#[test]
fn a_changed_policy_alone_needs_an_approval() {
    let repository = Repository::with_project();
    repository.edit("cellgate.yaml", "f1_at_50: 0.5", "f1_at_50: 0.1");
    repository.gate().expect(13, "unchanged", &["policy-changed"]);
}

#[test]
fn removed_fields_are_judged_all_the_same() {
    let repository = edited_repository(HARMLESS);
    std::fs::remove_dir_all(repository.path("datasets/nuclei")).unwrap();
    let folder = repository.path("datasets/nuclei");
    write_phantoms(&folder, &[Modality::Fluorescence], 1, N_FIELDS - 1).unwrap();
    let gated = repository.gate();
    gated.expect(13, "equivalent", &["dataset-changed"]);
    let fields = &gated.report()["profiles"][0]["fields"];
    assert_eq!(fields.as_array().unwrap().len(), N_FIELDS as usize, "base's fields count");
}

#[test]
fn exchanged_fields_are_judged_as_base_has_them() {
    let repository = edited_repository(HARMFUL);
    std::fs::remove_dir_all(repository.path("datasets/nuclei")).unwrap();
    let folder = repository.path("datasets/nuclei");
    write_phantoms(&folder, &[Modality::Fluorescence], 1, 1).unwrap();
    let gated = repository.gate();
    gated.expect(11, "drifted", &["dataset-changed", "measurement-drifted"]);
    assert_eq!(gated.report()["dataset_digest"], STOPPED.report()["dataset_digest"]);
}

#[test]
fn a_project_that_was_invalid_lets_nothing_through() {
    let repository = Repository::with_project();
    repository.edit("cellgate.yaml", "gate:", "gates:");
    repository.commit("a project that cannot be read");
    repository.edit("cellgate.yaml", "gates:", "gate:");
    repository.gate().expect(13, "unchanged", &["policy-changed"]);
}

#[test]
fn accuracy_below_its_floor_is_told_before_drift() {
    let repository = Repository::with_project();
    repository.edit("cellgate.yaml", "f1_at_50: 0.5", "f1_at_50: 0.99");
    repository.commit("a high floor");
    repository.gate().expect(12, "unchanged", &["accuracy-below-floor"]);
    repository.edit(CULTURE, HARMFUL.0, HARMFUL.1);
    repository.gate().expect(12, "drifted", &["accuracy-below-floor", "measurement-drifted"]);
    repository.write("params/tolerances.yaml", "schema: cellgate/tolerances/v0\n");
    repository.gate().expect(10, "drifted", &["findings-present", "accuracy-below-floor"]);
}

#[test]
fn fail_on_never_passes_and_says_so() {
    let repository = edited_repository(HARMFUL);
    let gated = repository.gate_by_command(&["--fail-on", "never"]);
    gated.expect(0, "drifted", &["measurement-drifted"]);
    assert_eq!(gated.report()["fail_on"], "never");
    for name in ["report.md", "report.html"] {
        assert!(gated.file(name).contains("never"), "{name}");
    }
    assert!(gated.told.out.contains("never"), "{}", gated.told.out);
}

#[test]
fn fail_on_broken_lets_drift_pass() {
    let repository = edited_repository(HARMFUL);
    repository.gate_by_command(&["--fail-on", "broken"]).expect(
        0,
        "drifted",
        &["measurement-drifted"],
    );
    let emptied = edited_repository(("bounds: [0.004, 1.0]", "bounds: [0.99, 1.0]"));
    emptied.gate_by_command(&["--fail-on", "broken"]).expect(12, "broken", &["field-emptied"]);
}

#[test]
fn too_few_fields_decide_nothing() {
    let repository = Repository::with_project();
    let folder = repository.path("datasets/nuclei");
    std::fs::remove_dir_all(&folder).unwrap();
    write_phantoms(&folder, &[Modality::Fluorescence], 1, 2).unwrap();
    repository.commit("two fields");
    repository.edit(CULTURE, HARMLESS.0, HARMLESS.1);
    repository.gate().expect(11, "inconclusive", &["too-few-fields"]);
}

#[test]
fn without_a_project_there_is_nothing_to_check() {
    let repository = Repository::empty();
    repository.write("README", "");
    repository.commit("before cellgate");
    let output = repository.gate_by_command(&[]).told;
    assert_eq!(output.code, 3, "{}", output.err);
    assert!((output.out + &output.err).contains("`cellgate.yaml` is missing"));
}

#[test]
fn an_image_type_without_fields_is_a_finding() {
    let repository = Repository::with_project();
    repository.edit("cellgate.yaml", "dataset: nuclei}", "dataset: nuclei, image_type: he}");
    repository.commit("a type without fields");
    let gated = repository.gate_by_command(&[]);
    assert_eq!(gated.told.code, 10, "{}{}", gated.told.out, gated.told.err);
    assert!(gated.told.out.contains("nothing-matched"), "{}", gated.told.out);
}

#[test]
fn an_unknown_revision_says_what_to_do() {
    let repository = Repository::with_project();
    for base in ["origin/nowhere", "--output=x"] {
        let output = repository.gate_in_full(&[&format!("--base={base}")]).told;
        assert_eq!(output.code, 1, "{base}: {}", output.err);
        assert!(output.err.contains("fetch-depth: 0"), "{}", output.err);
    }
}

#[test]
fn without_a_base_the_default_branch_counts() {
    let repository = Repository::with_project();
    repository.git(&["switch", "--quiet", "--create", "change"]);
    repository.edit(CULTURE, HARMLESS.0, HARMLESS.1);
    repository.commit("a change");
    repository.gate_in_full(&[]).expect(0, "equivalent", &[]);
    repository.git(&["branch", "--quiet", "--move", "main", "trunk"]);
    let output = repository.gate_in_full(&[]).told;
    assert_eq!(output.code, 1);
    assert!(output.err.contains("--base REV"), "{}", output.err);
}

#[test]
fn a_folder_without_a_repository_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let output = cellgate(folder.path()).args(["gate", "--base", "HEAD"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("not in a git repository"), "{stderr}");
}

#[test]
fn hostile_texts_reach_no_page_as_they_are() {
    const HOSTILE: &str = "<script>alert(1)</script>";
    let repository = Repository::with_project();
    let branch = format!("a{HOSTILE}|@nobody");
    repository.git(&["branch", &branch]);
    repository.edit(CULTURE, "description: Bright nuclei.", &format!("description: '{HOSTILE}'"));
    repository.edit(CULTURE, "sigma_um: 0.50", &format!("sigma_um: 0.5, '{HOSTILE}\"]]>': 1"));
    let gated = repository.gate_in_full(&["--base", &branch]);
    assert_eq!(gated.told.code, 10);
    for name in ["report.html", "junit.xml"] {
        let text = gated.file(name);
        assert!(!text.contains("<script"), "{name}: {text}");
    }
    assert!(is_well_formed(&gated.file("junit.xml")));
}
