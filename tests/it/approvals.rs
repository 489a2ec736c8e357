//! Approvals in real repositories: changes that pass once they are approved, and others.

use crate::gate::{CULTURE, HARMFUL, HARMLESS, edited_repository};
use crate::repository::{Gated, PROFILE, Repository, Told};
use cellgate_approval::{Action, Entry, FILE, Log};
use cellgate_core::digest::Digest;
use cellgate_gate::append;
use cellgate_gate::report::model::Report;

const LOG: &str = "cellgate-approvals:approvals.jsonl";
pub(crate) const OTHER: (&str, &str) = ("correction_factor: 1.60", "correction_factor: 1.70");

impl Repository {
    /// Approves the report that lies there, as somebody.
    pub(crate) fn approve_as(&self, who: &str, arguments: &[&str]) -> Told {
        self.git(&["config", "user.email", who]);
        let report = "cellgate-report/report.json";
        let reason = "seen and found good";
        self.run(&[&["approve", "--report", report, "--reason", reason], arguments].concat())
    }

    /// Gates, and approves what comes out.
    #[track_caller]
    pub(crate) fn gate_and_approve(&self, who: &str) -> Gated {
        let gated = self.gate();
        let output = self.approve_as(who, &[]);
        assert_eq!(output.code, 0, "{}{}", output.out, output.err);
        gated
    }

    pub(crate) fn log(&self) -> Log {
        Log::parse(&(self.ask_git(&["show", LOG]) + "\n").into_bytes()).unwrap()
    }

    /// Puts bytes on the branch of approvals, as somebody who may push could.
    pub(crate) fn put_log(&self, bytes: &[u8]) {
        let clone = tempfile::tempdir().unwrap();
        let folder = clone.path().join("edited");
        let to = folder.to_str().unwrap();
        let branch = "cellgate-approvals";
        self.git(&["worktree", "add", "--quiet", "--force", "-B", "edited", to, branch]);
        std::fs::write(folder.join(FILE), bytes).unwrap();
        self.git(&["-C", to, "commit", "--quiet", "--all", "--message", "edited"]);
        self.git(&["worktree", "remove", "--force", to]);
        self.git(&["branch", "--quiet", "--force", branch, "edited"]);
    }
}

impl Gated {
    pub(crate) fn approval(&self) -> serde_json::Value {
        self.report()["profiles"][0]["approval"].clone()
    }

    fn digest(&self) -> Digest {
        Report::from_json(self.file("report.json").as_bytes()).unwrap().digest().unwrap()
    }
}

#[test]
fn an_approved_drift_passes_and_the_next_change_does_not() {
    let repository = edited_repository(HARMFUL);
    let stopped = repository.gate_and_approve("ada@example.org");
    stopped.expect(11, "drifted", &[]);
    assert_eq!(stopped.approval()["state"], "missing");
    let digest = stopped.digest().short();
    let comment = format!("/cellgate approve {digest} REASON");
    for name in ["report.md", "report.html"] {
        assert!(stopped.file(name).contains(&comment), "{name}");
    }

    let passed = repository.gate();
    passed.expect(0, "drifted", &["measurement-drifted"]);
    assert_eq!(passed.approval()["by"][0]["who"], "ada@example.org");
    assert_eq!(passed.approval()["by"][0]["why"], "seen and found good");
    assert_eq!(passed.digest().short(), digest, "an approval changes no report's name");
    for name in ["report.md", "report.html"] {
        let text = passed.file(name);
        assert!(
            text.contains("ada@example.org") || text.contains("ada@\u{200b}example.org"),
            "{name}"
        );
        assert!(!text.contains("/cellgate approve"), "{name}");
    }

    let params = |gated: &Gated| gated.report()["profiles"][0]["params_digest"]["head"].clone();
    let approved = params(&passed);
    repository.edit(CULTURE, OTHER.0, OTHER.1);
    let stale = repository.gate();
    stale.expect(11, "drifted", &[]);
    let approval = stale.approval();
    assert_eq!(approval["state"], "stale");
    let difference = &approval["differences"][0];
    assert_eq!(difference["part"], "params");
    assert_eq!((&difference["approved"], &difference["present"]), (&approved, &params(&stale)));
    for digest in [approved, params(&stale)] {
        let short = &digest.as_str().unwrap()[..12];
        for name in ["report.md", "report.html"] {
            assert!(stale.file(name).contains(short), "{name}");
        }
    }
}

#[test]
fn the_command_tells_who_approved_and_how_to_approve() {
    let repository = edited_repository(HARMFUL);
    let out = repository.gate_by_command(&[]).told.out;
    assert!(out.contains("approval: nobody has approved it yet"), "{out}");
    assert!(out.contains("/cellgate approve "), "{out}");
    let output = repository.approve_as("ada@example.org", &[]);
    assert!(
        output.out.contains("git push origin cellgate-approvals"),
        "{}{}",
        output.out,
        output.err
    );
    let passed = repository.gate_by_command(&[]);
    passed.expect(0, "drifted", &[]);
    assert!(passed.told.out.contains("approved by `ada@example.org`"), "{}", passed.told.out);
}

#[test]
fn squash_and_rebase_keep_an_approval() {
    let repository = Repository::with_project();
    repository.git(&["switch", "--quiet", "--create", "change"]);
    repository.edit(CULTURE, HARMFUL.0, HARMFUL.1);
    repository.gate_and_approve("ada@example.org");
    repository.commit("a change");
    repository.git(&["switch", "--quiet", "main"]);
    repository.write("README", "meanwhile");
    repository.commit("meanwhile");
    repository.git(&["merge", "--quiet", "--squash", "change"]);
    repository.gate().expect(0, "drifted", &[]);
    repository.git(&["reset", "--quiet", "--hard"]);
    repository.git(&["switch", "--quiet", "change"]);
    repository.git(&["rebase", "--quiet", "main"]);
    repository.git(&["reset", "--quiet", "--soft", "main"]);
    repository.gate().expect(0, "drifted", &[]);
}

#[test]
fn nobody_brings_his_own_approval() {
    let repository = edited_repository(HARMFUL);
    repository.gate_and_approve("ada@example.org");
    let log = repository.log();
    repository.git(&["branch", "--quiet", "--delete", "--force", "cellgate-approvals"]);
    repository.write(FILE, std::str::from_utf8(log.as_bytes()).unwrap());
    repository.gate().expect(11, "drifted", &[]);
    repository.commit("with approvals of its own");
    repository.git(&["reset", "--quiet", "--soft", "HEAD~1"]);
    repository.gate().expect(11, "drifted", &[]);
    // Whoever runs the gate may name another branch; it is not taken from the change.
    repository.commit("with approvals of its own");
    let named = repository.gate_in_full(&["--base", "HEAD~1", "--approvals", "HEAD"]);
    assert_eq!(named.told.code, 0, "{}{}", named.told.out, named.told.err);
    let unknown = repository.gate_in_full(&["--base", "HEAD~1", "--approvals", "nowhere"]);
    assert_eq!(unknown.told.code, 1, "{}", unknown.told.out);
}

#[test]
fn two_people_must_approve_where_the_policy_says_so() {
    let repository = Repository::with_project();
    repository.edit("cellgate.yaml", "accuracy_floors", "approval: {count: 2}\naccuracy_floors");
    repository.commit("two people");
    repository.edit(CULTURE, HARMFUL.0, HARMFUL.1);
    repository.gate_and_approve("ada@example.org");
    let output = repository.approve_as("ADA@example.org", &[]);
    assert!(output.out.contains("nothing to record"), "{}{}", output.out, output.err);
    let gated = repository.gate_and_approve("bob@example.org");
    gated.expect(11, "drifted", &[]);
    assert_eq!(gated.approval()["state"], "too-few");
    assert!(gated.file("report.md").contains("1 of 2 people"), "{}", gated.file("report.md"));
    let passed = repository.gate();
    passed.expect(0, "drifted", &[]);
    assert_eq!(passed.approval()["by"].as_array().unwrap().len(), 2);
    assert_eq!(repository.log().records().len(), 2);
}

#[test]
fn an_author_may_be_kept_from_approving() {
    let repository = Repository::with_project();
    let policy = "approval: {allow_author: false}\naccuracy_floors";
    repository.edit("cellgate.yaml", "accuracy_floors", policy);
    repository.commit("no author");
    repository.edit(CULTURE, HARMFUL.0, HARMFUL.1);
    repository.gate_and_approve("a@example.org");
    let gated = repository.gate_and_approve("ada@example.org");
    gated.expect(11, "drifted", &[]);
    assert_eq!(gated.approval()["state"], "by-author");
    repository.gate().expect(0, "drifted", &[]);
}

#[test]
fn a_higher_permission_cannot_be_claimed_from_a_desk() {
    let repository = Repository::with_project();
    let policy = "approval: {permission: admin}\naccuracy_floors";
    repository.edit("cellgate.yaml", "accuracy_floors", policy);
    repository.commit("admins");
    repository.edit(CULTURE, HARMFUL.0, HARMFUL.1);
    repository.gate_and_approve("ada@example.org");
    let gated = repository.gate();
    gated.expect(11, "drifted", &[]);
    assert_eq!(gated.approval()["state"], "permission-too-low");
}

#[test]
fn a_revoked_approval_stops_the_change_until_it_is_given_again() {
    let repository = edited_repository(HARMFUL);
    let digest = repository.gate_and_approve("ada@example.org").digest();
    repository.gate().expect(0, "drifted", &[]);
    let revoke = |digest: &str| {
        repository.run(&["approve", "--revoke", digest, "--reason", "slide 7 was mislabeled"])
    };
    assert_eq!(revoke(&"0".repeat(12)).code, 13);
    assert_eq!(revoke("0").code, 2);
    assert_eq!(revoke(&digest.short()).code, 0);
    let revoked = repository.gate();
    revoked.expect(11, "drifted", &[]);
    assert_eq!(revoked.approval()["state"], "revoked");
    assert!(revoked.file("report.md").contains("slide 7 was mislabeled"));
    repository.gate_and_approve("ada@example.org");
    repository.gate().expect(0, "drifted", &[]);
    let actions: Vec<Action> =
        repository.log().records().iter().map(|record| record.entry.action).collect();
    assert_eq!(actions, [Action::Approve, Action::Revoke, Action::Approve]);
    let output = repository.run(&["approve", "--list"]);
    assert!(output.out.contains("slide 7") && output.out.lines().count() == 3, "{}", output.out);
    let output = repository.run(&["approve", "--verify", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!(
        (&document["records"], &document["head"]),
        (&3.into(), &repository.log().head().to_string().into())
    );
    let output = repository.run(&["approve", "--list", "--format", "json"]);
    let records: serde_json::Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!(records[1]["action"], "revoke");
}

/// Expects a change to need an approval, and to pass with it.
#[track_caller]
fn passes_once_approved(repository: &Repository, code: i32, verdict: &str, reason: &str) {
    repository.gate_and_approve("ada@example.org").expect(code, verdict, &[reason]);
    repository.gate().expect(0, verdict, &[reason]);
}

#[test]
fn a_changed_policy_passes_once_it_is_approved() {
    let repository = Repository::with_project();
    repository.edit("cellgate.yaml", "f1_at_50: 0.5", "f1_at_50: 0.1");
    passes_once_approved(&repository, 13, "unchanged", "policy-changed");
    repository.edit("cellgate.yaml", "f1_at_50: 0.1", "f1_at_50: 0.05");
    let stale = repository.gate();
    stale.expect(13, "unchanged", &["policy-changed"]);
    assert_eq!(stale.approval()["differences"][0]["part"], "policy");
}

#[test]
fn a_changed_dataset_passes_once_it_is_approved() {
    let repository = edited_repository(HARMLESS);
    let more = "datasets: {nuclei: datasets/nuclei, phantoms: {builtin: phantoms}}";
    repository.edit("cellgate.yaml", "datasets: {nuclei: datasets/nuclei}", more);
    let two = "gate:\n  - {profile: culture, dataset: phantoms, image_type: fluorescence}";
    repository.edit("cellgate.yaml", "gate:", two);
    passes_once_approved(&repository, 13, "equivalent", "dataset-changed");
}

#[test]
fn new_and_deleted_profiles_pass_once_they_are_approved() {
    let repository = Repository::with_project();
    repository.write("params/other.yaml", &PROFILE.replace("name: culture", "name: other"));
    let both = "gate:\n  - {profile: other, dataset: nuclei}";
    repository.edit("cellgate.yaml", "gate:", both);
    passes_once_approved(&repository, 11, "inconclusive", "new-profile");
    repository.commit("two profiles");
    repository.remove("params/other.yaml");
    repository.edit("cellgate.yaml", both, "gate:");
    passes_once_approved(&repository, 11, "inconclusive", "deleted-profile");
}

#[test]
fn another_engine_than_the_one_approved_last_needs_an_approval() {
    let repository = Repository::with_project();
    repository.gate_and_approve("ada@example.org").expect(0, "unchanged", &[]);
    let mut entry: Entry = repository.log().records()[0].entry.clone();
    entry.binding.engine_fingerprint = Digest::of_bytes(b"another engine");
    repository.git(&["branch", "--quiet", "--delete", "--force", "cellgate-approvals"]);
    append(&repository.path(""), entry, None).unwrap();
    let gated = repository.gate();
    gated.expect(13, "unchanged", &["engine-changed"]);
    let approved = Digest::of_bytes(b"another engine").to_string();
    assert_eq!(gated.report()["engine"]["approved_fingerprint"], approved);
    assert_eq!(gated.approval()["differences"][0]["part"], "engine");
    assert_eq!(repository.approve_as("bob@example.org", &[]).code, 0);
    let passed = repository.gate();
    passed.expect(0, "unchanged", &[]);
    let engine = &passed.report()["engine"];
    assert_eq!(engine["approved_fingerprint"], engine["fingerprint"]);
    assert!(!passed.reasons().contains(&"engine-changed".to_owned()));
}

#[test]
fn only_what_is_checked_out_can_be_approved() {
    let repository = edited_repository(HARMFUL);
    repository.gate();
    repository.edit(CULTURE, OTHER.0, OTHER.1);
    let output = repository.approve_as("ada@example.org", &[]);
    assert_eq!(output.code, 13, "{}{}", output.out, output.err);
    assert!(output.err.contains("`culture` params digest"), "{}", output.err);
    repository.edit(CULTURE, OTHER.1, OTHER.0);
    repository.edit("cellgate.yaml", "f1_at_50: 0.5", "f1_at_50: 0.4");
    let output = repository.approve_as("ada@example.org", &[]);
    assert!(output.code == 13 && output.err.contains("policy digest"), "{}", output.err);
    repository.edit("cellgate.yaml", "f1_at_50: 0.4", "f1_at_50: 0.5");
    assert_eq!(repository.approve_as("ada@example.org", &[]).code, 0);
}

#[test]
fn what_no_approval_changes_cannot_be_approved() {
    let below = Repository::with_project();
    below.edit("cellgate.yaml", "f1_at_50: 0.5", "f1_at_50: 0.99");
    below.commit("a high floor");
    below.gate().expect(12, "unchanged", &[]);
    let output = below.approve_as("ada@example.org", &[]);
    assert!(output.code == 13 && output.err.contains("no approval changes this"), "{}", output.err);
    let invalid = edited_repository(("sigma_um: 0.50", "sigma: 0.50"));
    invalid.gate().expect(10, "broken", &[]);
    let output = invalid.approve_as("ada@example.org", &[]);
    assert!(output.code == 13 && output.err.contains("an input is invalid"), "{}", output.err);
    assert!(below.run(&["approve", "--list"]).out.contains("nothing has been approved yet"));
}

#[test]
fn usage_is_told() {
    let repository = edited_repository(HARMFUL);
    repository.gate();
    let report = "cellgate-report/report.json";
    let check = |arguments: &[&str], code: i32, says: &str| {
        let output = repository.run(&[&["approve"], arguments].concat());
        assert_eq!(output.code, code, "{arguments:?} {}{}", output.out, output.err);
        assert!(output.err.contains(says), "{arguments:?} {}", output.err);
    };
    check(&["--report", report], 2, "--reason");
    check(&["--report", report, "--reason", "  "], 2, "one line");
    check(&["--report", report, "--reason", "two\nlines"], 2, "one line");
    check(&[], 2, "--report");
    check(&["--report", "none.json", "--reason", "x"], 1, "none.json");
    check(&["--report", "cellgate.yaml", "--reason", "x"], 1, "not a report");
    check(&["--report", report, "--reason", "x"], 1, "git config user.email");
    check(&["--list", "--rev", "nowhere"], 1, "nowhere");
}
