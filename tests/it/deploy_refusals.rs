//! Refusals of a server, after which the active release stays active.

use crate::deploy::{expect_refusal, id, put, status_of, with_releases};
use crate::deploy_rig::{Server, Studio, block_on, options};
use cellgate_approval::Action;
use cellgate_core::digest::Digest;
use cellgate_deploy::Ended;
use cellgate_deploy::release::{Content, Package};
use cellgate_deploy::session::Session;
use cellgate_deploy::whole::rollback;
use cellgate_deploy::wire::{Base, Intent, Owner, RefusalCode, Request};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;

#[test]
fn a_lock_is_for_what_was_planned_on_its_connection() {
    let mut studio = Studio::new();
    let (server, packages) = with_releases(&mut studio, &[1]);
    let second = studio.package(2);
    let lock = |release, base| Request::Lock {
        key: "k".to_owned(),
        owner: Owner::default(),
        release,
        base,
        intent: Intent::Deploy,
    };
    let agent = server.agent(&[]);
    block_on(async {
        let mut session = Session::open(&agent, options("k")).await.unwrap();
        let mut refusal = async |request| session.request(request).await.unwrap_err().refusal;
        let base = Base::Active(Some(id(&packages[0])));
        assert_eq!(refusal(lock(id(&second), base)).await, Some(RefusalCode::Protocol));
        assert_eq!(refusal(lock(id(&second), Base::Planned)).await, Some(RefusalCode::Protocol));
        let active = session.offer(packages[0].release(), Base::Planned).await.unwrap();
        assert!(active.plan.is_active);
        let result = session.prepare_offered(&packages[0], active).await;
        assert_eq!(result.unwrap_err().refusal, Some(RefusalCode::Active));
        let mut refusal = async |request| session.request(request).await.unwrap_err().refusal;
        assert_eq!(refusal(lock(id(&second), Base::Planned)).await, Some(RefusalCode::Protocol));
        let offered = session.offer(second.release(), Base::Active(None)).await.unwrap();
        let result = session.prepare_offered(&second, offered).await;
        assert_eq!(result.unwrap_err().refusal, Some(RefusalCode::Moved));
        let offered = session.offer(second.release(), Base::Planned).await.unwrap();
        let prepared = session.prepare_offered(&second, offered).await.unwrap();
        assert_eq!(prepared.base, Some(id(&packages[0])));
    });
    assert_eq!(server.pointer_target("current"), Some(id(&packages[0])));
}

#[test]
fn what_nobody_approved_is_never_active() {
    let mut studio = Studio::new();
    let (server, packages) = with_releases(&mut studio, &[1]);
    let result = put(&server, &studio.stop_approving().package(2));
    let message = expect_refusal(result, RefusalCode::NotApproved, 20);
    assert!(message.contains("profile `p` is not approved: stale"), "{message}");
    assert_eq!(server.pointer_target("current"), Some(id(&packages[0])));
}

#[test]
fn a_log_of_approvals_that_was_rewritten_is_refused() {
    let mut studio = Studio::new();
    let (server, _) = with_releases(&mut studio, &[1]);
    let result = put(&server, &Studio::new().package(2));
    let message = expect_refusal(result, RefusalCode::NotApproved, 20);
    assert!(message.contains("does not go on from"), "{message}");
}

#[test]
fn what_was_revoked_is_not_gone_back_to() {
    let mut studio = Studio::new();
    let (server, packages) = with_releases(&mut studio, &[1]);
    let first = packages[0].release();
    let params = first.profiles[0].params_digest;
    studio.approve(Action::Revoke, params, first.policy_digest, first.engine_fingerprint);
    put(&server, &studio.package(2)).unwrap();
    let result = block_on(rollback(&server.agent(&[]), Some(id(&packages[0])), &options("back")));
    let message = expect_refusal(result, RefusalCode::NotApproved, 20);
    assert!(message.contains("revoked"), "{message}");
}

#[test]
fn where_signers_are_named_an_approval_must_be_signed() {
    let mut studio = Studio::new();
    let (server, _) = with_releases(&mut studio, &[1]);
    let keys = tempfile::tempdir().unwrap();
    let key = |name: &str| {
        let path = keys.path().join(name);
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&path);
        assert!(command.status().unwrap().success());
        path
    };
    let (known, other) = (key("known"), key("other"));
    let public = fs::read_to_string(known.with_extension("pub")).unwrap();
    let line = format!("ada namespaces=\"cellgate-approval\" {public}");
    fs::write(server.root().join("allowed_signers"), line).unwrap();
    let message = expect_refusal(put(&server, &studio.package(2)), RefusalCode::NotApproved, 20);
    assert!(message.contains("is not signed"), "{message}");
    studio.key = Some(other);
    expect_refusal(put(&server, &studio.package(3)), RefusalCode::NotApproved, 20);
    studio.key = Some(known);
    put(&server, &studio.package(4)).unwrap();
}

#[test]
fn an_older_release_is_refused_unless_it_is_a_rollback() {
    let mut studio = Studio::new();
    let old = studio.package(1);
    let (server, _) = with_releases(&mut studio, &[5]);
    let message = expect_refusal(put(&server, &old), RefusalCode::Replayed, 20);
    assert!(message.contains("number 1 in the order, and 5"), "{message}");
}

#[test]
fn a_release_that_fails_its_own_test_is_put_aside() {
    let mut studio = Studio::new();
    let (server, packages) = with_releases(&mut studio, &[1]);
    let programs = [
        ("#!/bin/sh\necho broken >&2; exit 3\n", "broken"),
        ("#!/bin/sh\necho nonsense\n", "cannot be read"),
        ("no program\n", "cannot be started"),
        (
            "#!/bin/sh\nexec /bin/sed s/profiles/profiled/ \"$3/reference/self-test.json\"\n",
            "cannot be read",
        ),
        (
            "#!/bin/sh\nexec /bin/sed 's/\"p\"/\"q\"/' \"$3/reference/self-test.json\"\n",
            "`p` is not found",
        ),
        (
            "#!/bin/sh\nexec /bin/sed -E 's/(rehearsal_digest\":)\"\\w+\"/\\1null/' \
             \"$3/reference/self-test.json\"\n",
            "gives other numbers there: nothing instead of",
        ),
    ];
    for (number, (program, expected)) in (2..).zip(programs) {
        let program = Content::Bytes(program.as_bytes().to_vec());
        let engine = Digest::of_bytes(b"engine");
        let package = studio.package_with(number, program, engine, &[]);
        let message = expect_refusal(put(&server, &package), RefusalCode::SelfTest, 21);
        assert!(message.contains(expected), "{message}");
        assert_eq!(server.pointer_target("current"), Some(id(&packages[0])));
    }
}

#[test]
fn a_release_for_another_platform_is_refused() {
    let mut studio = Studio::new();
    let server = Server::new();
    let package = studio.package(1);
    let mut manifest = (**package.release()).clone();
    manifest.target_triple = "riscv64gc-unknown-linux-musl".to_owned();
    let entries = manifest.files.iter().map(|file| cellgate_deploy::release::Entry {
        path: file.path.clone(),
        mode: file.mode,
        content: package.content(file.sha256).unwrap().clone(),
    });
    let entries = entries.collect();
    let package = Arc::new(Package::build(manifest, entries).unwrap());
    let message = expect_refusal(put(&server, &package), RefusalCode::Preflight, 20);
    assert!(message.contains("riscv64gc"), "{message}");
}

#[test]
fn a_server_that_moved_since_the_plan_refuses() {
    let mut studio = Studio::new();
    let (server, packages) = with_releases(&mut studio, &[1, 2]);
    let third = studio.package(3);
    let agent = server.agent(&[]);
    block_on(async {
        let mut session = Session::open(&agent, options("k")).await.unwrap();
        let failure = session.prepare(&third, Some(id(&packages[0]))).await.unwrap_err();
        assert_eq!((failure.refusal, failure.ended), (Some(RefusalCode::Moved), Ended::Refused));
    });
}

#[test]
fn planted_links_lead_nowhere() {
    let mut studio = Studio::new();
    let package = studio.package(1);
    let blob = package.release().file("params/p.yaml").unwrap().sha256.to_string();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("precious"), "precious").unwrap();
    let planted: [&dyn Fn(&Server); 4] = [
        &|server| {
            symlink(outside.path().join("precious"), server.root().join("incoming").join(&blob))
                .unwrap()
        },
        &|server| {
            let target = server.root().join("incoming").join(&blob);
            // Another file system has no such links; there nothing is planted.
            let _ = fs::hard_link(outside.path().join("precious"), target);
        },
        &|server| {
            let folder = server.root().join("blobs/sha256").join(&blob[..2]);
            fs::create_dir_all(&folder).unwrap();
            symlink(outside.path().join("precious"), folder.join(&blob)).unwrap();
        },
        &|server| symlink(outside.path(), server.root().join("current")).unwrap(),
    ];
    for plant in planted {
        let server = Server::new();
        assert!(server.guard(&[]).status.code() == Some(1), "there is no root yet");
        fs::create_dir_all(server.root()).unwrap();
        assert!(server.guard(&[]).status.success());
        plant(&server);
        put(&server, &package).unwrap();
        assert!(server.is_whole(id(&package)));
        assert_eq!(fs::read(outside.path().join("precious")).unwrap(), b"precious");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    }
    // A folder of the layout that is a link is not entered at all.
    let server = Server::new();
    fs::create_dir_all(server.root()).unwrap();
    symlink(outside.path(), server.root().join("releases")).unwrap();
    assert!(put(&server, &package).is_err());
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn a_server_that_others_may_write_to_is_refused() {
    let mut studio = Studio::new();
    let (server, _) = with_releases(&mut studio, &[1]);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(server.root().join("releases"), mode).unwrap();
    let message = expect_refusal(put(&server, &studio.package(2)), RefusalCode::Preflight, 20);
    assert!(message.contains("can be written to by others"), "{message}");
}

#[test]
fn a_damaged_journal_stops_the_agent_and_is_told() {
    let mut studio = Studio::new();
    let (server, packages) = with_releases(&mut studio, &[1]);
    let path = server.root().join("state/journal.jsonl");
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();
    let failure = put(&server, &studio.package(2)).unwrap_err();
    assert_eq!(failure.ended.exit_code().number(), 22, "{failure}");
    assert!(status_of(&server).stranded.unwrap().contains("record 1"));
    assert_eq!(server.pointer_target("current"), Some(id(&packages[0])));
}

#[test]
fn a_file_of_the_active_release_can_be_read() {
    let mut studio = Studio::new();
    let (server, packages) = with_releases(&mut studio, &[1]);
    let agent = server.agent(&[]);
    block_on(async {
        let mut session = Session::open(&agent, options("k")).await.unwrap();
        let read = |path: &str| Request::Read { path: path.to_owned() };
        let reply = session.request(read("params/p.yaml")).await.unwrap();
        let sha256 = packages[0].release().file("params/p.yaml").unwrap().sha256;
        assert_eq!(Digest::of_bytes(&reply.raw), sha256);
        for path in ["../../state/journal.jsonl", "/etc/passwd", "state/journal.jsonl"] {
            let result = session.request(read(path)).await.map(drop);
            assert_eq!(result.unwrap_err().refusal, Some(RefusalCode::Unknown));
        }
    });
}
