//! The power goes at any moment of a deploy: after every change of the disk, with what was not synced
//! lost in several ways, the server starts again, and the same deploy ends well.

use crate::deploy::{id, status_of, with_releases};
use crate::deploy_faults::{Story, assert_converges, code_of, hasty, play_within, scene};
use crate::deploy_rig::{Server, Studio, block_on};
use crate::forgetful_disk::{Disk, Kept};
use cellgate_deploy::session::{Options, Session};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;
use std::time::Duration;

/// Cases that run at a time.
const N_WORKERS: usize = 4;

/// A disk as the power left it.
struct Cut {
    story: Story,
    n_changes: usize,
    kept: Kept,
    server: Server,
    /// Whether the deploying side had been told that the release is confirmed.
    is_confirmed: bool,
}

/// Every changed state of the disk that a story passes through.
fn cuts(story: Story) -> Vec<Cut> {
    let scene = scene(story);
    let mut disk = Disk::of(&scene.server.root());
    let record = tempfile::NamedTempFile::new().unwrap();
    let path = record.path().to_str().unwrap();
    let times = Options { window: Duration::from_secs(30), ..hasty("k") };
    let (code, ..) = play_within(story, &scene, &["--record", path, "--boot", "first"], &times);
    assert_eq!(code, 0, "{story:?}");
    let mut states = BTreeSet::new();
    let (mut cuts, mut is_confirmed) = (Vec::new(), false);
    let changes = fs::read_to_string(path).unwrap();
    let n_changes = changes.lines().count();
    assert!(25 < n_changes, "{story:?}: not every change is told: {n_changes}");
    for (n_changes, line) in (1..).zip(changes.lines()) {
        let change: Value = serde_json::from_str(line).unwrap();
        is_confirmed |= change.get("told").is_some();
        disk.take(&change);
        for kept in Kept::ALL {
            let server = Server::new();
            disk.write(kept, &server.root());
            // Most changes differ only in what is lost.
            if states.insert((server.digest(), is_confirmed)) {
                cuts.push(Cut { story, n_changes, kept, server, is_confirmed });
            }
        }
    }
    cuts
}

/// The server starts again: what is active is whole, what was told holds, the same deploy ends well.
fn check(cut: Cut, scenes: &[(Story, crate::deploy_faults::Scene)]) -> Option<String> {
    let Cut { story, n_changes, kept, server, is_confirmed } = cut;
    let case = format!("{story:?}, {n_changes} changes, kept: {kept:?}");
    let (_, template) = scenes.iter().find(|(one, _)| *one == story)?;
    let scene = crate::deploy_faults::Scene {
        server,
        package: template.package.clone(),
        base: template.base,
    };
    let release = id(&scene.package);
    let guarded = scene.server.guard(&["--boot", "second"]);
    if !guarded.status.success() {
        return Some(format!("{case}: the guard fails: {guarded:?}"));
    }
    let current = scene.server.pointer_target("current");
    if current != scene.base && current != Some(release) {
        return Some(format!("{case}: a stranger is active: {current:?}"));
    }
    if !current.is_none_or(|id| scene.server.is_whole(id)) {
        return Some(format!("{case}: what is active is not whole"));
    }
    let damages = status_of(&scene.server).damages;
    if !damages.is_empty() {
        return Some(format!("{case}: what is active is damaged: {damages:?}"));
    }
    if is_confirmed && current != Some(release) {
        return Some(format!("{case}: what was told as confirmed is lost"));
    }
    assert_converges(story, &scene, &case);
    None
}

#[test]
fn after_the_power_goes_at_any_moment_the_former_release_or_the_new_one_is_active() {
    let stories = [Story::First, Story::Next, Story::Back];
    let all: Vec<Cut> = stories.into_iter().flat_map(cuts).collect();
    let n_cuts = all.len();
    let scenes: Vec<_> = stories.into_iter().map(|story| (story, scene(story))).collect();
    let (queue, wrong) = (Mutex::new(all), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..N_WORKERS {
            scope.spawn(|| {
                while let Some(cut) = { queue.lock().unwrap().pop() } {
                    wrong.lock().unwrap().extend(check(cut, &scenes));
                }
            });
        }
    });
    print_n_cuts(n_cuts);
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {n_cuts}:\n{}", wrong.len(), wrong.join("\n"));
}

#[expect(clippy::print_stdout, reason = "the number is for who asks by `--nocapture`")]
fn print_n_cuts(n_cuts: usize) {
    println!("{n_cuts} states of the disk after a loss of power");
}

/// A release that waits ten minutes for its confirmation, and a clock that jumps before the guard runs.
#[track_caller]
fn check_guard(jump_ms: i64, is_rolled_back: bool) {
    // A clock that counts from the start cannot be set to before it: it is ahead before it jumps back.
    let ahead = |ms: i64| format!("--ahead-ms={}", ms.max(0));
    let (before, after) = (ahead(-jump_ms), ahead(jump_ms));
    let mut studio = Studio::new();
    let (server, packages) = with_releases(&mut studio, &[1]);
    let second = studio.package(2);
    let long = Options { window: Duration::from_secs(600), ..hasty("k") };
    let agent = server.agent(&["--boot", "first", &before]);
    block_on(async {
        let mut session = Session::open(&agent, long).await.unwrap();
        let prepared = session.prepare(&second, Some(id(&packages[0]))).await.unwrap();
        session.switch(&prepared).await.unwrap();
        let output = server.guard(&["--boot", "first", &after]);
        assert!(output.status.success(), "{output:?}");
        let expected = if is_rolled_back { &packages[0] } else { &second };
        assert_eq!(server.pointer_target("current"), Some(id(expected)), "{jump_ms} ms");
        let result = session.confirm(&prepared).await.map(drop);
        assert_eq!(code_of(result), if is_rolled_back { 21 } else { 0 }, "{jump_ms} ms");
    });
}

#[test]
fn a_clock_that_jumps_rolls_back_or_waits_and_never_for_ever() {
    check_guard(0, false);
    check_guard(500_000, false);
    check_guard(700_000, true);
    check_guard(864_000_000, true);
    // A little back, the window is longer; far back, its end would never come.
    check_guard(-60_000, false);
    check_guard(-3_600_000, true);
}
