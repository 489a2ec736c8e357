//! Two runs compared: the verdict of the gate on the same change, and refusals of damaged folders.

use crate::gate::{HARMFUL, HARMLESS};
use crate::repository::{N_FIELDS, PROFILE, Told, cellgate};
use crate::test_folder::TestFolder;
use cellgate_core::profile::Modality;
use cellgate_gate::report::model::Report;
use cellgate_inputs::dataset::write_phantoms;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;

/// Runs of a profile and of two changes of it on the same images.
static RUNS: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_phantoms(&at("images"), &[Modality::Fluorescence], 1, N_FIELDS).unwrap();
    let changes = [("base", ("", "")), ("harmless", HARMLESS), ("harmful", HARMFUL)];
    for (name, (from, to)) in changes {
        fs::create_dir_all(at(&format!("params-{name}"))).unwrap();
        let profile = format!("params-{name}/culture.yaml");
        let text = if from.is_empty() { PROFILE.to_owned() } else { PROFILE.replace(from, to) };
        fs::write(at(&profile), text).unwrap();
        let mut segment = cellgate(folder.path());
        segment.args(["segment", "--quiet", "--profile", &profile, "--out", name]);
        let output = Told::of(segment.arg("images/original").output().unwrap());
        assert_eq!(output.code, 0, "{}", output.err);
    }
    folder
});

fn run_of(name: &str) -> String {
    RUNS.path().join(name).to_str().unwrap().to_owned()
}

#[track_caller]
fn check(head: &str, code: i32, verdict: &str) -> (TestFolder, Report) {
    let folder = TestFolder::new();
    let says = format!("verdict: {verdict} (exit code {code})");
    folder.check(&["compare", &run_of("base"), &run_of(head), "--out", "drift"], code, &says);
    let report = Report::from_json(folder.text("drift/drift.json").as_bytes()).unwrap();
    assert_eq!(report.verdict.as_str(), verdict);
    for name in ["drift/report.md", "drift/report.html"] {
        assert!(folder.text(name).contains(verdict), "{name}");
    }
    (folder, report)
}

#[test]
fn a_run_compared_with_itself_is_unchanged() {
    let (_, report) = check("base", 0, "unchanged");
    assert_eq!(report.profiles[0].fields.len(), N_FIELDS as usize);
}

#[test]
fn harmless_and_harmful_runs_get_the_gate_s_verdict() {
    check("harmless", 0, "equivalent");
    let (_, report) = check("harmful", 11, "drifted");
    let codes: Vec<&str> =
        report.profiles[0].reasons.iter().map(|reason| reason.code.as_str()).collect();
    assert!(codes.contains(&"measurement-drifted"), "{codes:?}");
}

#[test]
fn tolerances_of_a_file_judge() {
    let folder = TestFolder::new();
    let wide = "schema: cellgate/tolerances/v1\nmeasurements: {eccentricity: {absolute: 0.9}}\n\
                structure: {max_vanished_fraction: 1.0, max_appeared_fraction: 1.0, \
                max_split_fraction: 1.0, max_merged_fraction: 1.0}\n";
    folder.write("wide.yaml", wide.as_bytes());
    let both = [run_of("base"), run_of("harmful")];
    let compare = ["compare", &both[0], &both[1], "--tolerances", "wide.yaml"];
    folder.check(&compare, 0, "verdict: equivalent");
    folder.write("wide.yaml", b"schema: cellgate/tolerances/v1\nmin_feilds: 3\n");
    folder.check(&compare, 10, "wide.yaml:2:1");
}

#[test]
fn json_goes_to_standard_output() {
    let folder = TestFolder::new();
    let output = folder.run(&["compare", &run_of("base"), &run_of("harmful"), "--format", "json"]);
    assert_eq!(output.code, 11);
    assert_eq!(output.out, folder.text("cellgate-drift/drift.json"));
}

/// Compares base with a copy of it in which one thing is changed.
#[track_caller]
fn expect_refusal(change: impl FnOnce(&Path), says: &str) {
    let folder = TestFolder::new();
    copy(&RUNS.path().join("base"), &folder.path("head"));
    change(&folder.path("head"));
    folder.check(&["compare", &run_of("base"), "head"], 10, says);
    assert!(!folder.path("cellgate-drift").exists());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn edit(folder: &Path, name: &str, change: impl Fn(&str) -> String) {
    let text = fs::read_to_string(folder.join(name)).unwrap();
    let changed = change(&text);
    assert_ne!(text, changed, "{name}");
    fs::write(folder.join(name), changed).unwrap();
}

fn field() -> String {
    let text = fs::read_to_string(RUNS.path().join("base/fields.csv")).unwrap();
    text.lines().nth(1).unwrap().split(',').next().unwrap().to_owned()
}

#[test]
fn runs_of_other_images_or_pixel_sizes_are_refused() {
    let name = field();
    let zeros = "0".repeat(64);
    expect_refusal(
        |head| {
            edit(head, "run.json", |text| {
                let at = text.find("image_sha256\": \"").unwrap() + 16;
                format!("{}{zeros}{}", &text[..at], &text[at + 64..])
            });
        },
        "is of two images",
    );
    expect_refusal(
        |head| edit(head, "run.json", |text| text.replacen("_um\": 0.5", "_um\": 0.6", 1)),
        "has two pixel sizes: 0.5 µm and 0.6 µm",
    );
    expect_refusal(
        |head| {
            for file in ["run.json", "nuclei.csv", "fields.csv"] {
                edit(head, file, |text| text.replace(&name, "another"));
            }
            let labels = |name: &str| head.join(format!("{name}_labels.png"));
            fs::rename(labels(&name), labels("another")).unwrap();
        },
        "field `another` is in head alone",
    );
}

#[test]
fn folders_whose_files_contradict_each_other_are_refused() {
    let name = field();
    let drop_last = |text: &str| {
        let lines: Vec<&str> = text.lines().collect();
        lines[..lines.len() - 1].join("\n") + "\n"
    };
    expect_refusal(|head| edit(head, "nuclei.csv", drop_last), "the count differs");
    expect_refusal(|head| edit(head, "fields.csv", drop_last), "has no row");
    let number = |text: &str| text.replacen("\"nuclei\": ", "\"nuclei\": 1", 1);
    expect_refusal(|head| edit(head, "run.json", number), "the count differs");
    let renamed = |text: &str| text.replacen(&name, "../x", 1);
    expect_refusal(|head| edit(head, "run.json", renamed), "is no name of a field");
    let labels = format!("{name}_labels.png");
    expect_refusal(|head| fs::remove_file(head.join(&labels)).unwrap(), "has 0 label images");
    expect_refusal(|head| fs::write(head.join(&labels), "x").unwrap(), "image-unsupported");
    let newer = |text: &str| text.replace("cellgate/run/v1", "cellgate/run/v2");
    expect_refusal(|head| edit(head, "run.json", newer), "schema-too-new");
    expect_refusal(|head| fs::write(head.join("run.json"), "[]").unwrap(), "not a record of a run");
    expect_refusal(|head| fs::remove_dir_all(head).unwrap(), "file-unreadable");
}

#[test]
fn another_engine_is_compared_and_told() {
    let folder = TestFolder::new();
    copy(&RUNS.path().join("base"), &folder.path("head"));
    let older = |text: &str| text.replace("engine_version\": \"", "engine_version\": \"0.");
    edit(&folder.path("head"), "run.json", older);
    let output = folder.check(&["compare", &run_of("base"), "head"], 0, "verdict: unchanged");
    assert!(output.out.contains("differ in their version of cellgate"), "{}", output.out);
}
