//! Shards: runs spread over machines come to the report of one machine, or to a refusal.

use crate::gate::{CULTURE, HARMFUL, HARMLESS, edited_repository};
use crate::repository::{PROFILE, Repository, Told, cache, request};
use cellgate_gate::{GateError, PlannedShare, Share, gate, merge, plan_shares, run_share, write};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A repository with two gated profiles, one changed and one new, whose accuracy nobody knows.
fn two_profiles() -> Repository {
    let repository = edited_repository(HARMLESS);
    let other = PROFILE.replace("name: culture", "name: other").replace("0.90", "0.95");
    repository.write("params/other.yaml", &other);
    repository.edit(
        "cellgate.yaml",
        "  - {profile: culture, dataset: nuclei}",
        "  - {profile: culture, dataset: nuclei}\n  - {profile: other, dataset: nuclei}",
    );
    repository
}

/// Makes every share of a plan, in a folder each.
fn make_shares(repository: &Repository, n_shares: usize) -> PathBuf {
    let folder = repository.path("shards");
    let plan = plan_shares(&request(repository), n_shares).unwrap();
    for PlannedShare { share, .. } in plan {
        let out = folder.join(format!("shard-{}", share.index()));
        run_share(&request(repository), share, Some("a"), &out).unwrap();
    }
    folder
}

#[track_caller]
fn expect_refusal(repository: &Repository, folder: &Path, says: &str) {
    match merge(&request(repository), Some("a"), &[folder.to_owned()]) {
        Err(GateError::Shards(error)) => {
            let text = error.to_string();
            assert!(text.contains(says), "`{says}` is not in: {text}");
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("merged, though `{says}`"),
    }
}

#[track_caller]
fn same_report(repository: &Repository, n_shares: usize) {
    let whole = repository.path("whole");
    let merged = repository.path("merged");
    let outcome = gate(&request(repository)).unwrap();
    write(&outcome, &whole).unwrap();
    let folder = make_shares(repository, n_shares);
    let again = merge(&request(repository), Some("a"), &[folder]).unwrap();
    write(&again, &merged).unwrap();
    assert_eq!(again.exit_code, outcome.exit_code);
    assert_eq!(again.n_runs.computed, 0);
    for name in ["report.json", "report.md", "report.html", "junit.xml", "report.sarif"] {
        let read = |folder: &Path| fs::read(folder.join(name)).unwrap();
        assert!(read(&whole) == read(&merged), "{name} of {n_shares} shards differs");
    }
}

#[test]
fn merged_shards_give_the_same_report_to_the_byte() {
    same_report(&two_profiles(), 3);
    same_report(&edited_repository(HARMFUL), 6);
    same_report(&edited_repository(("otsu,", "otzu,")), 1);
}

#[test]
fn a_field_that_cannot_be_run_is_told_as_by_one_machine() {
    let repository = Repository::with_project();
    repository.edit(CULTURE, "modality: fluorescence", "modality: ihc_hdab");
    repository.edit(CULTURE, "background: {method: opening, radius_um: 15}\n", "");
    same_report(&repository, 2);
}

#[test]
fn a_plan_is_balanced_and_never_empty_or_idle() {
    let repository = two_profiles();
    let plan = |n_shares| plan_shares(&request(&repository), n_shares).unwrap();
    let sizes = |n_shares| plan(n_shares).iter().map(|one| one.n_fields).collect::<Vec<_>>();
    assert_eq!(sizes(1), [12]);
    // Six fields of three runs each and six of one: as many pixels in each of the three.
    assert_eq!(sizes(3), [4, 4, 4]);
    let n_px: Vec<u64> = plan(3).iter().map(|one| one.n_px).collect();
    assert!(n_px.iter().all(|one| *one == n_px[0]), "{n_px:?}");
    assert_eq!(sizes(100), [1; 12]);
    assert_eq!(plan(4), plan(4));
}

#[test]
fn a_missing_shard_is_refused_by_its_number() {
    let repository = edited_repository(HARMLESS);
    let folder = make_shares(&repository, 3);
    fs::remove_dir_all(folder.join("shard-2")).unwrap();
    expect_refusal(&repository, &folder, "shard 2/3 is missing");
    fs::remove_dir_all(folder.join("shard-3")).unwrap();
    expect_refusal(&repository, &folder, "shard 3/3 is missing");
    expect_refusal(&repository, &repository.path("nowhere"), "cannot be listed");
}

#[test]
fn a_doubled_shard_passes_only_when_it_is_the_same() {
    let repository = edited_repository(HARMLESS);
    let folder = make_shares(&repository, 2);
    copy(&folder.join("shard-1"), &folder.join("twin"));
    assert!(merge(&request(&repository), Some("a"), std::slice::from_ref(&folder)).is_ok());
    let twin = folder.join("twin/shard.json");
    let mut changed: Value = serde_json::from_str(&fs::read_to_string(&twin).unwrap()).unwrap();
    let runs = changed["runs"].as_array_mut().unwrap();
    runs.iter_mut().find(|run| !run["again"].is_null()).unwrap()["again"] = Value::Null;
    fs::write(&twin, reseal(changed)).unwrap();
    expect_refusal(&repository, &folder, "shard 1/2 is there twice and differs");
    let foreign = edited_repository(HARMFUL);
    copy(&make_shares(&foreign, 2).join("shard-1"), &folder.join("twin"));
    expect_refusal(&repository, &folder, "list of profiles and fields");
}

#[test]
fn shards_of_another_commit_base_or_engine_are_refused() {
    let repository = edited_repository(HARMLESS);
    let folder = make_shares(&repository, 2);
    let other = merge(&request(&repository), Some("b"), std::slice::from_ref(&folder));
    assert!(other.unwrap_err().to_string().contains("another head commit: a, here b"));
    let record = folder.join("shard-1/shard.json");
    let text = fs::read_to_string(&record).unwrap();
    for (key, what) in [("engine", "engine"), ("policy_digest", "policy"), ("version", "version")] {
        let mut value: Value = serde_json::from_str(&text).unwrap();
        value["rests_on"][key] = "0".into();
        fs::write(&record, reseal(value)).unwrap();
        expect_refusal(&repository, &folder, &format!("shard 1/2 rests on another {what}"));
    }
    fs::write(&record, &text).unwrap();
    repository.commit("the change becomes the base");
    expect_refusal(&repository, &folder, "another base commit");
}

#[test]
fn damaged_and_foreign_files_are_refused() {
    let repository = edited_repository(HARMLESS);
    let folder = make_shares(&repository, 2);
    let shard = folder.join("shard-1");
    let record = shard.join("shard.json");
    let sound = fs::read_to_string(&record).unwrap();
    let check = |text: &str, says: &str| {
        fs::write(&record, text).unwrap();
        expect_refusal(&repository, &folder, says);
        fs::write(&record, &sound).unwrap();
    };
    check("{", "is not of schema");
    check(&sound.replacen("\"1/2\"", "\"2/2\"", 1), "is not what its digest says");
    check(&sound.replacen("\"runs\"", "\"more\": 1, \"runs\"", 1), "is not of schema");

    let run = fs::read_dir(shard.join("runs")).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&run).unwrap();
    let mut changed = bytes.clone();
    changed[40] ^= 1;
    fs::write(&run, &changed).unwrap();
    expect_refusal(&repository, &folder, "is not what its digest says");
    fs::remove_file(&run).unwrap();
    expect_refusal(&repository, &folder, "cannot be read");
    std::os::unix::fs::symlink("/dev/zero", &run).unwrap();
    expect_refusal(&repository, &folder, "no plain file");
    fs::remove_file(&run).unwrap();
    fs::write(&run, &bytes).unwrap();

    fs::write(shard.join("runs/evil.run"), "").unwrap();
    expect_refusal(&repository, &folder, "belongs to no shard");
    fs::remove_file(shard.join("runs/evil.run")).unwrap();
    fs::write(shard.join("readme"), "").unwrap();
    expect_refusal(&repository, &folder, "belongs to no shard");
    fs::remove_file(shard.join("readme")).unwrap();
    assert!(merge(&request(&repository), Some("a"), &[folder]).is_ok());
}

#[test]
fn a_share_replaces_what_an_earlier_one_left() {
    let repository = edited_repository(HARMLESS);
    let folder = make_shares(&repository, 1);
    repository.edit(CULTURE, HARMLESS.1, "sigma_um: 0.53");
    let folder_again = make_shares(&repository, 1);
    assert_eq!(folder, folder_again);
    assert!(merge(&request(&repository), Some("a"), &[folder]).is_ok());
}

#[test]
fn the_commands_plan_run_and_merge() {
    let repository = two_profiles();
    let base = ["--base", "HEAD"];
    let planned =
        repository.run(&[&["plan", "--shards", "2", "--format", "json"], &base[..]].concat());
    assert_eq!(planned.code, 0, "{}", planned.err);
    let matrix: Value = serde_json::from_str(&planned.out).unwrap();
    assert_eq!(planned.out.lines().count(), 1);
    let entries = matrix["include"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0], serde_json::json!({"shard": "1/2", "fields": 6}));
    for (index, entry) in entries.iter().enumerate() {
        let (shard, out) = (entry["shard"].as_str().unwrap(), format!("all/{index}"));
        let cache = cache().to_str().unwrap();
        let args = ["gate", "--quiet", "--shard", shard, "--out", &out, "--cache", cache];
        let output = repository.run(&[&args, &base[..]].concat());
        assert_eq!(output.code, 0, "{}", output.err);
        assert!(!repository.path(&format!("{out}/report.json")).exists());
    }
    let output = repository.run(&[&["merge", "all", "--quiet"], &base[..]].concat());
    // Nothing says what the new profile should give.
    assert_eq!(output.code, 11, "{}{}", output.out, output.err);
    let whole = repository.gate_by_command(&["--out", "whole"]);
    assert_eq!(whole.told.code, 11);
    let read = |folder: &str| fs::read(repository.path(folder).join("report.json")).unwrap();
    assert!(read("cellgate-report") == read("whole"));

    fs::remove_dir_all(repository.path("all/1")).unwrap();
    let Told { code, err, .. } = repository.run(&[&["merge", "all"], &base[..]].concat());
    assert_eq!(code, 1);
    assert!(err.contains("shard 2/2 is missing"), "{err}");
}

#[test]
fn a_share_with_findings_ends_with_ten_and_is_complete() {
    let repository = edited_repository(("otsu,", "otzu,"));
    let share = Share::new(1, 1).unwrap();
    let folder = repository.path("one");
    let partial = run_share(&request(&repository), share, Some("a"), &folder).unwrap();
    assert_eq!(partial.exit_code.number(), 10);
    assert_eq!(merge(&request(&repository), Some("a"), &[folder]).unwrap().exit_code.number(), 10);
}

/// Gives a changed record the digest that belongs to it.
fn reseal(mut record: Value) -> String {
    record["sha256"] = "".into();
    let digest = cellgate_core::digest::Digest::of_canonical(&record).unwrap();
    record["sha256"] = digest.to_string().into();
    record.to_string()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
