//! The log of approvals on its branch: whose it is, who may add to it, what is noticed.

use crate::approvals::OTHER;
use crate::gate::{CULTURE, HARMFUL, edited_repository};
use crate::repository::{Repository, Told, cellgate};
use cellgate_approval::FILE;
use std::process::Command;

#[test]
fn a_tampered_log_lets_nothing_pass_and_names_the_line() {
    let repository = edited_repository(HARMFUL);
    repository.gate_and_approve("ada@example.org");
    repository.edit(CULTURE, OTHER.0, OTHER.1);
    repository.gate_and_approve("bob@example.org");
    repository.gate().expect(0, "drifted", &[]);
    let text = String::from_utf8(repository.log().as_bytes().to_vec()).unwrap();
    repository.put_log(text.replacen("ada@", "eve@", 1).as_bytes());
    let gated = repository.gate();
    gated.expect(11, "drifted", &["approvals-broken"]);
    assert!(
        gated.file("report.md").contains("line 2 of the approvals"),
        "{}",
        gated.file("report.md")
    );
    let sarif = gated.file("report.sarif");
    assert!(sarif.contains("approvals.jsonl") && sarif.contains("approvals-broken"), "{sarif}");

    repository.git(&["checkout", "--quiet", "--", "."]);
    let unchanged = repository.gate();
    unchanged.expect(13, "unchanged", &["approvals-broken"]);
    assert!(unchanged.file("report.md").contains("cannot be trusted"));
    for arguments in [["approve", "--verify"], ["approve", "--list"]] {
        let output = repository.run(&arguments);
        assert_eq!(output.code, 13, "{}", output.out);
        assert!(output.err.contains("line 2 of the approvals"), "{}", output.err);
    }
    let output = repository.approve_as("ada@example.org", &[]);
    assert_eq!(output.code, 13, "{}", output.out);
    repository.put_log(b"");
    repository.gate().expect(0, "unchanged", &[]);
    repository.put_log(b"torn");
    repository.gate().expect(13, "unchanged", &["approvals-broken"]);
}

#[test]
fn records_that_were_taken_away_are_noticed_in_the_branchs_history() {
    let repository = edited_repository(HARMFUL);
    repository.gate_and_approve("ada@example.org");
    repository.approve_as("bob@example.org", &[]);
    let output = repository.run(&["approve", "--verify"]);
    assert!(output.code == 0 && output.out.contains("chain of 2 records holds"), "{}", output.err);
    let text = String::from_utf8(repository.log().as_bytes().to_vec()).unwrap();
    let first = text.lines().next().unwrap().to_owned() + "\n";
    repository.put_log(first.as_bytes());
    let output = repository.run(&["approve", "--verify"]);
    let commit = repository.ask_git(&["rev-parse", "cellgate-approvals"]);
    assert_eq!(output.code, 13, "{}", output.out);
    assert!(output.err.contains(&format!("commit {commit} took records out")), "{}", output.err);
}

#[test]
fn the_servers_branch_counts_and_a_local_one_where_it_extends_it() {
    let server = edited_repository(HARMFUL);
    server.gate_and_approve("ada@example.org");
    server.git(&["stash", "--quiet"]);
    let clone = Repository::empty();
    let url = server.path("");
    clone.git(&["remote", "add", "origin", url.to_str().unwrap()]);
    clone.git(&["pull", "--quiet", "origin", "main"]);
    clone.git(&["fetch", "--quiet", "origin"]);
    clone.edit(CULTURE, HARMFUL.0, HARMFUL.1);
    clone.gate().expect(0, "drifted", &[]);
    // A local record stands on top of the server's.
    clone.edit(CULTURE, OTHER.0, OTHER.1);
    clone.gate_and_approve("bob@example.org");
    clone.gate().expect(0, "drifted", &[]);
    assert_eq!(clone.log().records().len(), 2);
    clone.git(&["push", "--quiet", "origin", "cellgate-approvals"]);
    assert_eq!(server.log().records().len(), 2);
    // A local log that lacks the server's records is left aside, and says so.
    clone.git(&["branch", "--quiet", "--delete", "--force", "cellgate-approvals"]);
    let alone = clone.ask_git(&["rev-parse", "origin/cellgate-approvals"]);
    clone.git(&["update-ref", "--no-deref", "-d", "refs/remotes/origin/cellgate-approvals"]);
    clone.gate_and_approve("eve@example.org").expect(11, "drifted", &[]);
    clone.git(&["update-ref", "refs/remotes/origin/cellgate-approvals", &alone]);
    let gated = clone.gate();
    gated.expect(0, "drifted", &[]);
    assert_eq!(gated.approval()["by"][0]["who"], "bob@example.org");
    assert!(gated.file("report.json").contains("approvals-diverged"));
    clone.edit(CULTURE, "1.70", "1.80");
    clone.gate();
    let output = clone.approve_as("eve@example.org", &[]);
    assert!(output.code == 1 && output.err.contains("git branch --force"), "{}", output.err);
}

#[test]
fn of_several_who_approve_at_once_no_record_is_lost() {
    let repository = edited_repository(HARMFUL);
    repository.gate();
    repository.git(&["config", "user.email", "nobody@example.org"]);
    let report = ["approve", "--report", "cellgate-report/report.json", "--reason", "seen"];
    let approve = |who: String| {
        let mut command = cellgate(&repository.path(""));
        command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "user.email");
        Told::of(command.env("GIT_CONFIG_VALUE_0", who).args(report).output().unwrap())
    };
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let approve = &approve;
        let threads: Vec<_> = (0..4)
            .map(|index| scope.spawn(move || approve(format!("p{index}@example.org")).code))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let n_recorded = codes.iter().filter(|code| **code == 0).count();
    assert!(0 < n_recorded, "{codes:?}");
    assert_eq!(repository.log().records().len(), n_recorded, "{codes:?}");
}

#[test]
fn nothing_but_the_branch_is_touched() {
    let repository = edited_repository(HARMFUL);
    repository.write("staged", "x");
    repository.git(&["add", "staged"]);
    let state = || {
        [&["status", "--porcelain"][..], &["rev-parse", "HEAD"], &["stash", "list"]]
            .map(|arguments| repository.ask_git(arguments))
    };
    let before = state();
    repository.gate_and_approve("ada@example.org");
    assert_eq!(state(), before);
    let files = repository.ask_git(&["ls-tree", "-r", "--name-only", "cellgate-approvals"]);
    assert_eq!(files, FILE);
}

#[test]
fn a_signature_holds_for_its_signer_alone() {
    let repository = edited_repository(HARMFUL);
    let key = |name: &str| {
        let path = repository.path(name);
        let status = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
            .arg(&path)
            .status()
            .unwrap();
        assert!(status.success());
        std::fs::read_to_string(repository.path(&format!("{name}.pub"))).unwrap()
    };
    let (ada, eve) = (key(".git/ada"), key(".git/eve"));
    repository.gate();
    let output = repository.approve_as("ada@example.org", &["--sign", ".git/ada"]);
    assert_eq!(output.code, 0, "{}", output.err);
    let verify = |signers: &str| {
        repository.write(".git/signers", signers);
        repository.run(&["approve", "--verify", "--allowed-signers", ".git/signers"])
    };
    let output = verify(&format!("ada@example.org {ada}"));
    assert!(
        output.code == 0 && output.out.contains("every signature"),
        "{}{}",
        output.out,
        output.err
    );
    for signers in [
        format!("ada@example.org {eve}"),
        format!("eve@example.org {ada}"),
        format!("ada@example.org namespaces=\"git\" {ada}"),
        String::new(),
    ] {
        let output = verify(&signers);
        assert!(output.code == 13 && output.err.contains("line 1"), "{signers}: {}", output.err);
    }
    let output = repository.approve_as("bob@example.org", &["--sign", ".git/none"]);
    assert!(
        output.code == 13 && output.err.contains("cannot sign"),
        "{} {}",
        output.code,
        output.err
    );
    assert_eq!(repository.approve_as("bob@example.org", &[]).code, 0);
    let output = verify(&format!("ada@example.org {ada}"));
    assert!(output.code == 13 && output.err.contains("line 2"), "{}", output.err);
    assert!(output.err.contains("is not signed"), "{}", output.err);
    // The signature of one record says nothing about another.
    let text = String::from_utf8(repository.log().as_bytes().to_vec()).unwrap();
    let first = text.lines().next().unwrap().replace("seen and found good", "never seen");
    repository.put_log(format!("{first}\n").as_bytes());
    let output = verify(&format!("ada@example.org {ada}"));
    assert!(output.code == 13 && output.err.contains("does not hold"), "{}", output.err);
}
