//! Deploys on a local target: the way of a release, and everything that a server refuses.

use crate::deploy_mishaps::{Distant, Mishap, Mishapped};
use crate::deploy_rig::{CELLGATE, Server, Studio, block_on, options};
use cellgate_core::digest::Digest;
use cellgate_deploy::release::{Content, Package};
use cellgate_deploy::session::{Options, Session};
use cellgate_deploy::whole::{Deployed, deploy, rollback};
use cellgate_deploy::wire::{RefusalCode, Reply, Request};
use cellgate_deploy::{Ended, Failure};
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::Duration;

/// Deploys with an agent that has no faults, waiting for those who were there first.
pub(crate) fn put(server: &Server, package: &Arc<Package>) -> Result<Deployed, Failure> {
    // Nobody waits for the window here: however busy the machine is, this is not about time.
    let (window, lock_wait) = (Duration::from_secs(30), Duration::from_secs(5));
    let options = Options { window, lock_wait, ..options("again") };
    block_on(deploy(&server.agent(&[]), package, &options))
}

/// A server on which releases were confirmed one after the other.
pub(crate) fn with_releases(studio: &mut Studio, sequences: &[u64]) -> (Server, Vec<Arc<Package>>) {
    let server = Server::new();
    let packages: Vec<_> = sequences.iter().map(|&number| studio.package(number)).collect();
    for package in &packages {
        put(&server, package).unwrap();
    }
    (server, packages)
}

pub(crate) fn id(package: &Arc<Package>) -> Digest {
    package.release().id()
}

#[track_caller]
pub(crate) fn expect_refusal(
    result: Result<Deployed, Failure>,
    code: RefusalCode,
    exit_code: u8,
) -> String {
    let failure = result.unwrap_err();
    assert_eq!(failure.refusal, Some(code), "{failure}");
    assert_eq!(failure.ended.exit_code().number(), exit_code, "{failure}");
    failure.to_string()
}

#[test]
fn a_release_becomes_active_and_a_second_time_nothing_happens() {
    let mut studio = Studio::new();
    let server = Server::new();
    let package = studio.package(1);
    let deployed = put(&server, &package).unwrap();
    assert_eq!(
        (deployed.release, deployed.base, deployed.is_unchanged),
        (id(&package), None, false)
    );
    assert_eq!(deployed.warnings, [""; 0]);
    assert_eq!(server.pointer_target("current"), Some(id(&package)));
    assert!(server.is_whole(id(&package)));
    let before = server.files();
    let deployed = put(&server, &package).unwrap();
    assert!(deployed.is_unchanged);
    assert_eq!(server.files(), before);
}

#[test]
fn what_is_not_to_be_sent_is_not_sent() {
    let mut studio = Studio::new();
    let server = Server::new();
    let weights = vec![7; 3 << 20];
    let with = |studio: &mut Studio, number| {
        let program =
            Content::Bytes(b"#!/bin/sh\nexec /bin/cat \"$3/reference/self-test.json\"\n".to_vec());
        let files = [("weights/w.bin", weights.clone()), ("weights/none", Vec::new())];
        studio.package_with(number, program, Digest::of_bytes(b"engine"), &files)
    };
    let first = with(&mut studio, 1);
    assert!((3 << 20) < put(&server, &first).unwrap().n_sent);
    let second = with(&mut studio, 2);
    assert!(put(&server, &second).unwrap().n_sent < 5_000);
    assert_eq!(server.pointer_target("previous"), Some(id(&first)));
}

#[test]
fn a_rollback_is_a_deploy_of_what_was_good() {
    let mut studio = Studio::new();
    let (server, packages) = with_releases(&mut studio, &[1, 2]);
    let result = block_on(rollback(&server.agent(&[]), None, &options("back"))).unwrap();
    assert_eq!(result.release, id(&packages[0]));
    assert_eq!(server.pointer_target("current"), Some(id(&packages[0])));
    assert_eq!(server.pointer_target("previous"), Some(id(&packages[1])));
    let unknown = Some(Digest::of_bytes(b"never"));
    let result = block_on(rollback(&server.agent(&[]), unknown, &options("back")));
    expect_refusal(result, RefusalCode::Unknown, 20);
}

#[test]
fn what_is_not_confirmed_in_time_is_rolled_back() {
    let mut studio = Studio::new();
    let (server, packages) = with_releases(&mut studio, &[1]);
    let second = studio.package(2);
    let agent = server.agent(&[]);
    block_on(async {
        let mut session = Session::open(&agent, options("k")).await.unwrap();
        let prepared = session.prepare(&second, Some(id(&packages[0]))).await.unwrap();
        session.switch(&prepared).await.unwrap();
        assert_eq!(server.pointer_target("current"), Some(id(&second)));
        tokio::time::sleep(Duration::from_millis(900)).await;
        assert_eq!(server.pointer_target("current"), Some(id(&packages[0])));
        let failure = session.confirm(&prepared).await.unwrap_err();
        assert_eq!(
            (failure.ended, failure.refusal),
            (Ended::Failed, Some(RefusalCode::RolledBack))
        );
        assert!(failure.to_string().contains("was not confirmed in time"), "{failure}");
    });
    let is_in_quarantine = server
        .files()
        .iter()
        .any(|file| file.starts_with("quarantine/") && file.ends_with("bin/cellgate"));
    assert!(is_in_quarantine, "the failed release is not kept as evidence");
}

#[test]
fn the_agent_that_switched_rolls_back_when_its_client_is_gone() {
    let mut studio = Studio::new();
    let (server, packages) = with_releases(&mut studio, &[1]);
    let second = studio.package(2);
    block_on(async {
        let agent = server.agent(&[]);
        let mut session = Session::open(&agent, options("k")).await.unwrap();
        let prepared = session.prepare(&second, Some(id(&packages[0]))).await.unwrap();
        session.switch(&prepared).await.unwrap();
        drop(session);
        tokio::time::sleep(Duration::from_millis(1200)).await;
    });
    assert_eq!(server.pointer_target("current"), Some(id(&packages[0])));
}

#[test]
fn a_confirmation_over_the_same_connection_is_none() {
    let mut studio = Studio::new();
    let server = Server::new();
    let package = studio.package(1);
    let agent = server.agent(&[]);
    block_on(async {
        let mut session = Session::open(&agent, options("k")).await.unwrap();
        let prepared = session.prepare(&package, None).await.unwrap();
        session.switch(&prepared).await.unwrap();
        let result = session.request(Request::Confirm { token: prepared.token }).await.map(drop);
        assert_eq!(result.unwrap_err().refusal, Some(RefusalCode::Protocol));
    });
}

#[test]
fn a_restart_in_the_window_rolls_back() {
    let mut studio = Studio::new();
    let (server, packages) = with_releases(&mut studio, &[1]);
    let second = studio.package(2);
    let long = Options { window: Duration::from_secs(600), ..options("k") };
    let agent = server.agent(&["--boot", "first"]);
    block_on(async {
        let mut session = Session::open(&agent, long).await.unwrap();
        let prepared = session.prepare(&second, Some(id(&packages[0]))).await.unwrap();
        session.switch(&prepared).await.unwrap();
        let output = server.guard(&["--boot", "first"]);
        assert!(output.status.success());
        assert_eq!(server.pointer_target("current"), Some(id(&second)));
        let output = server.guard(&["--boot", "second"]);
        assert!(output.status.success());
    });
    assert_eq!(server.pointer_target("current"), Some(id(&packages[0])));
}

#[test]
fn a_first_release_that_is_not_confirmed_leaves_nothing_active() {
    let mut studio = Studio::new();
    let server = Server::new();
    let package = studio.package(1);
    let agent = server.agent(&[]);
    block_on(async {
        let mut session = Session::open(&agent, options("k")).await.unwrap();
        let prepared = session.prepare(&package, None).await.unwrap();
        session.switch(&prepared).await.unwrap();
        session.abort(&prepared, "the operator says so").await.unwrap();
    });
    assert_eq!(server.pointer_target("current"), None);
    put(&server, &package).unwrap();
    assert_eq!(server.pointer_target("current"), Some(id(&package)));
}

#[test]
fn a_rollback_falls_to_the_latest_release_that_is_whole() {
    let mut studio = Studio::new();
    let (server, packages) = with_releases(&mut studio, &[1, 2]);
    let third = studio.package(3);
    let agent = server.agent(&["--boot", "first"]);
    let long = Options { window: Duration::from_secs(600), ..options("k") };
    block_on(async {
        let mut session = Session::open(&agent, long).await.unwrap();
        let prepared = session.prepare(&third, Some(id(&packages[1]))).await.unwrap();
        session.switch(&prepared).await.unwrap();
        damage(&server, &packages[1], "params/p.yaml");
        server.guard(&["--boot", "second"]);
    });
    assert_eq!(server.pointer_target("current"), Some(id(&packages[0])));
}

#[test]
fn without_a_whole_release_to_go_back_to_a_person_is_called() {
    let mut studio = Studio::new();
    let (server, packages) = with_releases(&mut studio, &[1]);
    let second = studio.package(2);
    let agent = server.agent(&["--boot", "first"]);
    let long = Options { window: Duration::from_secs(600), ..options("k") };
    block_on(async {
        let mut session = Session::open(&agent, long).await.unwrap();
        let prepared = session.prepare(&second, Some(id(&packages[0]))).await.unwrap();
        session.switch(&prepared).await.unwrap();
        damage(&server, &packages[0], "params/p.yaml");
        let output = server.guard(&["--boot", "second"]);
        assert_eq!(output.status.code(), Some(22));
        let failure = session.confirm(&prepared).await.unwrap_err();
        assert_eq!(failure.ended.exit_code().number(), 22, "{failure}");
    });
    // What runs goes on running, and a good release heals the server.
    assert_eq!(server.pointer_target("current"), Some(id(&second)));
    put(&server, &studio.package(3)).unwrap();
    assert!(server.guard(&[]).status.success());
}

/// Flips a byte of a file of a release.
fn damage(server: &Server, package: &Arc<Package>, path: &str) {
    let path = server.root().join("releases").join(id(package).to_string()).join(path);
    let mut bytes = fs::read(&path).unwrap();
    bytes[0] ^= 1;
    let mode = fs::metadata(&path).unwrap().permissions();
    let mut open = mode.clone();
    std::os::unix::fs::PermissionsExt::set_mode(&mut open, 0o644);
    fs::set_permissions(&path, open).unwrap();
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, mode).unwrap();
}

#[test]
fn rot_on_the_disk_is_told_and_healed_by_the_same_deploy() {
    let mut studio = Studio::new();
    let (server, packages) = with_releases(&mut studio, &[1]);
    damage(&server, &packages[0], "params/p.yaml");
    let agent = server.agent(&[]);
    block_on(async {
        let mut session = Session::open(&agent, options("k")).await.unwrap();
        let status = session.status(true).await.unwrap();
        let damaged: Vec<&str> = status.damages.iter().map(|damage| &*damage.path).collect();
        assert_eq!(damaged, ["params/p.yaml"]);
        let reply = session.request(Request::Scrub).await.unwrap();
        let Reply::Scrubbed { damages, .. } = reply.header else { panic!("{reply:?}") };
        assert_eq!(damages.len(), 2, "the release's file and its blob: {damages:?}");
    });
    let deployed = put(&server, &packages[0]).unwrap();
    assert!(!deployed.is_unchanged);
    assert!(server.is_whole(id(&packages[0])));
    assert!(put(&server, &packages[0]).unwrap().is_unchanged);
}

pub(crate) fn status_of(server: &Server) -> cellgate_deploy::wire::ServerStatus {
    let agent = server.agent(&[]);
    block_on(async {
        let mut session = Session::open(&agent, options("status")).await.unwrap();
        session.status(true).await.unwrap()
    })
}

#[test]
fn a_hand_that_moved_the_pointer_is_undone() {
    let mut studio = Studio::new();
    let (server, packages) = with_releases(&mut studio, &[1, 2]);
    let current = server.root().join("current");
    fs::remove_file(&current).unwrap();
    symlink(format!("releases/{}", id(&packages[0])), &current).unwrap();
    assert!(server.guard(&[]).status.success());
    assert_eq!(server.pointer_target("current"), Some(id(&packages[1])));
}

#[test]
fn old_releases_go_and_pinned_ones_stay() {
    let mut studio = Studio::new();
    let (server, mut packages) = with_releases(&mut studio, &[1, 2]);
    fs::write(server.root().join("state/pinned"), id(&packages[0]).to_string()).unwrap();
    packages.extend((3..7).map(|number| studio.package(number)));
    packages[2..].iter().for_each(|package| drop(put(&server, package).unwrap()));
    let whole: Vec<u64> = packages
        .iter()
        .filter(|package| server.is_whole(id(package)))
        .map(|package| package.release().sequence)
        .collect();
    assert_eq!(whole, [1, 5, 6]);
    let blobs = server.files().into_iter().filter(|file| file.starts_with("blobs/")).count();
    // Program, project file; and of each release its profile, its approvals and what it says.
    assert_eq!(blobs, 2 + 3 * 3);
}

#[test]
fn the_journal_tells_who_did_what() {
    let mut studio = Studio::new();
    let (server, _) = with_releases(&mut studio, &[1]);
    let agent = server.agent(&[]);
    let reply = block_on(async {
        let mut session = Session::open(&agent, options("k")).await.unwrap();
        session.request(Request::Log { max: 100 }).await.unwrap()
    });
    let Reply::Log { records } = reply.header else { panic!("{reply:?}") };
    let all = records.join("\n");
    for word in ["began", "staged", "tested", "switching", "confirmed", "again's owner"] {
        assert!(all.contains(word), "no {word}: {all}");
    }
}

#[test]
fn a_bit_flipped_on_the_wire_is_noticed_and_sent_again() {
    let mut studio = Studio::new();
    let (template, _) = with_releases(&mut studio, &[1]);
    let package = studio.package(2);
    for at in (20..4_000).step_by(397) {
        for mishap in [Mishap::FlipSent(at), Mishap::FlipHeard(at)] {
            let server = Server::copy(&template);
            let transport = Mishapped::new(server.agent(&[]), mishap);
            let result = block_on(deploy(&transport, &package, &options("k")));
            let current = server.pointer_target("current");
            assert!(result.is_ok() || current != Some(id(&package)), "{mishap:?}");
            put(&server, &package).unwrap();
            assert!(server.is_whole(id(&package)), "{mishap:?}");
        }
    }
}

#[test]
fn large_blobs_go_over_several_channels_and_the_program_tests_itself() {
    let mut studio = Studio::new();
    let server = Server::new();
    let program = Content::File(CELLGATE.into());
    let engine = cellgate_run::fingerprint::declared_fingerprint().parse().unwrap();
    let package = studio.package_with(1, program, engine, &[]);
    let options = Options { n_channels: 3, ..options("k") };
    let far = Distant::new(server.agent(&[]), Duration::from_millis(50));
    let deployed = block_on(deploy(&far, &package, &options)).unwrap();
    assert!((24 << 20) < deployed.n_sent, "the program is smaller than it was");
    assert_eq!(far.n_data(), 3, "as many as are allowed");
    assert!(server.is_whole(id(&package)));
    let other = Digest::of_bytes(b"other numbers");
    let package = studio.package_with(2, Content::File(CELLGATE.into()), other, &[]);
    let message = expect_refusal(put(&server, &package), RefusalCode::SelfTest, 21);
    assert!(message.contains("its engine gives other numbers here"), "{message}");
}
