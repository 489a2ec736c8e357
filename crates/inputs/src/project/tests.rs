//! Tests of the project room: references, paths, targets, tolerances, digests.

use super::*;
use std::path::Path;

const BASE: &str = "schema: cellgate/project/v1\ndatasets: {nuclei: datasets/nuclei, phantoms: {builtin: phantoms}}\ngate: [{profile: he, dataset: nuclei}]\n";

/// A folder with a profile `he` and further files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(""))).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("params/he.yaml", "");
    files.iter().for_each(|(path, text)| write(path, text));
    folder
}

fn load(text: &str, files: &[(&str, &str)]) -> Result<Project, Vec<Finding>> {
    let folder = folder(files);
    let tree = Tree::Folder(folder.path().to_owned());
    Project::of_source(&tree, &Source::new(FILE, text))
}

/// Expects exactly these findings: code and the text they point at.
#[track_caller]
fn check(lines: &str, expected: &[(Code, &str)]) {
    let text = format!("{BASE}{lines}\n");
    check_text(&text, &[], expected);
}

#[track_caller]
fn check_text(text: &str, files: &[(&str, &str)], expected: &[(Code, &str)]) {
    let findings = load(text, files).map_or_else(|findings| findings, |project| project.warnings);
    let places: Vec<_> = findings
        .iter()
        .map(|f| (f.code, f.place.span.map_or("", |s| &text[s.start_byte..s.end_byte])))
        .collect();
    assert_eq!(places, expected, "{findings:#?}");
}

#[test]
fn a_minimal_project_has_defaults() {
    let project = load(BASE, &[]).unwrap();
    assert_eq!((project.params.as_str(), project.tolerances.as_deref()), ("params", None));
    assert_eq!(project.datasets["phantoms"], DatasetSource::Phantoms);
    let policy = project.policy();
    assert_eq!(policy.tolerances, Tolerances::default());
    assert_eq!((policy.approval.permission.as_str(), policy.approval.count), ("write", 1));
}

#[test]
fn the_documented_example_is_read() {
    let example = "schema: cellgate/project/v1
params: params
tolerances: params/tolerances.yaml
datasets:
  nuclei: datasets/nuclei
gate:
  - {profile: he, dataset: nuclei, image_type: he}
accuracy_floors: {he: {f1_at_50: 0.60}}
approval: {permission: write, allow_author: true, count: 1}
targets:
  production:
    hosts: [{env: SSH_HOST}]
    port: 22
    user: {env: SSH_USERNAME}
    key: {env: SSH_KEY}
    passphrase: {env: SERVER_PASSPHRASE}
    known_hosts: {env: SSH_KNOWN_HOSTS}
    path: /srv/cellgate
    keep: 5
  here: {local: ./server}
monitor: {min_memory_gb: 4, min_disk_gb: 25}
";
    let tolerances = "schema: cellgate/tolerances/v1\nmin_fields: 3\nmeasurements: {area_px2: {relative_fraction: 0.05}}\nstructure: {max_split_fraction: 0.1}\n";
    let project = load(example, &[("params/tolerances.yaml", tolerances)]).unwrap();
    let Target::Ssh(target) = &project.targets["production"] else { panic!("not over SSH") };
    assert_eq!(target.hosts, [Setting::Env("SSH_HOST".to_owned())]);
    assert_eq!(project.targets["here"], Target::Local { folder: "./server".to_owned() });
    let tolerances = &project.policy().tolerances;
    assert_eq!((tolerances.min_fields, tolerances.measurements.len()), (3, 1));
    assert_eq!(tolerances.structure.max_split_fraction, 0.1);
    assert_eq!(tolerances.structure.max_merged_fraction, 0.02);
    assert_eq!(project.policy().accuracy_floors["he"].f1_at_50, Some(0.6));
}

#[test]
fn names_must_be_defined() {
    use Code::*;
    let text = BASE.replace("profile: he, dataset: nuclei", "profile: hee, dataset: nuclej");
    check_text(&text, &[], &[(ReferenceUnknown, "hee"), (ReferenceUnknown, "nuclej")]);
    check("accuracy_floors: {hee: {pq: 0.5}}", &[(ReferenceUnknown, "hee")]);
    check("accuracy_floors: {he: {pq: 50}}", &[(OutOfRange, "50")]);
}

#[test]
fn paths_stay_in_the_repository() {
    use Code::*;
    check_text(&BASE.replace("datasets/nuclei", "../nuclei"), &[], &[(PathOutside, "../nuclei")]);
    check("tolerances: /etc/passwd", &[(PathOutside, "/etc/passwd"), (PathOutside, "")]);
    check("tolerances: params/none.yaml", &[(FileUnreadable, "")]);
}

#[test]
fn targets_are_whole_and_hold_no_secret() {
    use Code::*;
    check("targets: {a: {local: x, port: 22}}", &[(KeyWithoutEffect, "22")]);
    check("targets: {a: {hosts: [h], user: u, path: /srv/x}}", &[(MissingKey, "a")]);
    let ssh = |rest: &str| {
        format!("targets: {{a: {{hosts: [h], user: u, path: /srv/x, known_hosts: k, {rest}}}}}")
    };
    check(&ssh("port: 2222"), &[]);
    check(&ssh("key: hunter2"), &[(WrongType, "hunter2")]);
    check(&ssh("key: {env: lower}"), &[(WrongForm, "lower")]);
    let text = ssh("keep: 3").replace("[h]", "['-oProxyCommand=x']");
    check(&text, &[(WrongForm, "'-oProxyCommand=x'")]);
    check("targets: {'a b': {local: x}}", &[(WrongForm, "'a b'")]);
    check(&ssh("passphrase: {env: P}"), &[(KeyWithoutEffect, "{env: P}")]);
    check(&ssh("jump: [{host: j, port: 2222, user: {env: J}}, {host: {env: K}}]"), &[]);
    check(&ssh("jump: [{host: -j}]"), &[(WrongForm, "-j")]);
    check(&ssh("keep: 3").replace("/srv/x", "/srv/../x"), &[(WrongForm, "/srv/../x")]);
    check(&ssh("keep: 3").replace("[h]", "[h, g, h]"), &[(NameTaken, "h")]);
    let text = ssh("keep: 3").replace("known_hosts: k", "known_hosts: ../k");
    check(&text, &[(PathOutside, "../k")]);
}

#[test]
fn a_secret_is_never_repeated_in_a_message() {
    let text = format!(
        "{BASE}targets: {{a: {{hosts: [h], user: u, path: /s, known_hosts: k, key: hunter2}}}}\n"
    );
    let findings = load(&text, &[]).unwrap_err();
    assert!(!format!("{:?}", findings[0].message).contains("hunter2"), "{findings:?}");
}

#[test]
fn tolerances_name_columns_and_leave_room() {
    let check = |text: &str, expected: Option<(Code, &str)>| {
        let text = format!("schema: cellgate/tolerances/v1\n{text}\n");
        let read = tolerances_of_text(&Source::new("t.yaml", text.as_str()));
        let finding = read.err().map(|findings| findings[0].clone());
        let words =
            finding.as_ref().map_or(String::new(), |f| format!("{} {:?}", f.message, f.help));
        assert_eq!(finding.map(|f| f.code), expected.map(|e| e.0), "{words}");
        assert!(words.contains(expected.map_or("", |e| e.1)), "{words}");
    };
    check("measurements: {area_px2: {absolute: 1}}", None);
    check("measurements: {}", None);
    check(
        "measurements: {area_px: {absolute: 1}}",
        Some((Code::ReferenceUnknown, "did you mean `area_px2`?")),
    );
    check("measurements: {nuclei: {absolute: 0}}", Some((Code::OutOfRange, "may not move at all")));
    check("measurements: {nuclei: {}}", Some((Code::TooManyItems, "`measurements.nuclei`")));
    check("measurements: {nuclei: {relative_fraction: 5}}", Some((Code::OutOfRange, "0 to 1")));
    check("min_fields: 0", Some((Code::OutOfRange, "1 to 10000")));
    check(
        "structure: {max_lost: 1}",
        Some((Code::UnknownKey, "known keys: max_vanished_fraction")),
    );
}

#[test]
fn the_policy_digest_sees_tolerances_floors_and_approval_alone() {
    let digest =
        |lines: &str| load(&format!("{BASE}{lines}\n"), &[]).unwrap().policy().digest().unwrap();
    let base = digest("");
    assert_eq!(base, digest("# comment\nmonitor: {min_disk_gb: 9}\ntargets: {a: {local: x}}"));
    assert_eq!(base, digest("approval: {count: 1}"));
    assert_ne!(base, digest("approval: {count: 2}"));
    assert_ne!(base, digest("accuracy_floors: {he: {pq: 0.5}}"));
}

#[test]
fn tolerances_that_nobody_names_are_a_warning() {
    let files = [("params/tolerances.yaml", "schema: cellgate/tolerances/v1\n")];
    check_text(BASE, &files, &[(Code::KeyWithoutEffect, "schema: cellgate/project/v1")]);
}
