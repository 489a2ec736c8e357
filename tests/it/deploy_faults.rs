//! Every fault at every step of a deploy: its report, the active release, and that the same deploy
//! then ends well.
//!
//! The steps are those that the agent itself names; how often each is passed is counted first, so
//! that a step without a trial fails the test. The table of outcomes is the source of
//! `docs/deploy-faults.md`; the test compares and never writes there.

use crate::deploy::{id, put, with_releases};
use crate::deploy_mishaps::{Mishap, Mishapped};
use crate::deploy_rig::{Recording, Server, Studio, block_on, options};
use cellgate_core::digest::Digest;
use cellgate_deploy::Failure;
use cellgate_deploy::agent::fault::Point;
use cellgate_deploy::release::Package;
use cellgate_deploy::session::{Options, Session};
use cellgate_deploy::transport::Transport;
use cellgate_deploy::whole::{deploy, rollback};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

const ACTIONS: [&str; 4] = ["kill", "eio", "enospc", CLIENT];
/// The agent is stopped at the step, its client dies, and the agent goes on.
const CLIENT: &str = "client";
/// After a client's death nobody is told a code: which release is active in the end.
const FORMER: i32 = -2;
const NEW: i32 = -3;
/// Nobody was there to die.
const NOBODY: i32 = -4;
/// Cases that run at a time.
const N_WORKERS: usize = 4;
/// How often a story is told to see what it always passes: the agents of switch and confirmation run
/// beside each other, and which of them finds what still to do differs from one telling to the next.
const N_TELLINGS: usize = 4;

/// Steps that only a journal of megabytes passes; tests of the journal itself try them.
const ELSEWHERE: [Point; 1] = [Point::JournalTurn];

/// Scenario of a deploy in which a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Story {
    /// The first deploy of a server.
    First,
    /// A deploy over another, with pruning.
    Next,
    /// A deploy of the active release, which is damaged.
    Heal,
    /// A deploy after one that tore a record and left half a release.
    Torn,
    /// A way back.
    Back,
    /// The guard, after a restart in the window.
    Guard,
}

/// A server as a story begins, and what it deploys.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) package: Arc<Package>,
    pub(crate) base: Option<Digest>,
}

impl Scene {
    /// The same scene on a server of its own.
    fn copy(&self) -> Self {
        let server = Server::copy(&self.server);
        Self { server, package: self.package.clone(), base: self.base }
    }
}

pub(crate) fn hasty(key: &str) -> Options {
    let ms = Duration::from_millis;
    Options { window: ms(600), grace: ms(600), ..options(key) }
}

pub(crate) fn scene(story: Story) -> Scene {
    let mut studio = Studio::new();
    if story == Story::First {
        let server = Server::new();
        fs::create_dir(server.root()).unwrap();
        return Scene { server, package: studio.package(1), base: None };
    }
    let (server, packages) = with_releases(&mut studio, &[1, 2]);
    let base = Some(id(&packages[1]));
    let next = studio.package(3);
    match story {
        Story::First | Story::Next => Scene { server, package: next, base },
        Story::Heal => {
            let release = server.root().join("releases").join(id(&packages[1]).to_string());
            let path = release.join("params/p.yaml");
            let mode = fs::metadata(&path).unwrap().permissions();
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644))
                .unwrap();
            fs::write(&path, "rot").unwrap();
            fs::set_permissions(&path, mode).unwrap();
            Scene { server, package: packages[1].clone(), base }
        }
        Story::Torn => {
            let path = server.root().join("state/journal.jsonl");
            let mut bytes = fs::read(&path).unwrap();
            bytes.extend(b"0123456789abcdef {\"n\":9");
            fs::write(&path, bytes).unwrap();
            let incomplete = server.root().join(format!("releases/.{}.tmp/params", id(&next)));
            fs::create_dir_all(&incomplete).unwrap();
            fs::write(incomplete.join("p.yaml"), "half").unwrap();
            Scene { server, package: next, base }
        }
        Story::Back => Scene { server, package: packages[0].clone(), base },
        Story::Guard => {
            let agent = server.agent(&["--boot", "first"]);
            let long = Options { window: Duration::from_secs(600), ..hasty("before") };
            let copy = block_on(async {
                let mut session = Session::open(&agent, long).await.unwrap();
                let prepared = session.prepare(&next, base).await.unwrap();
                session.switch(&prepared).await.unwrap();
                // The server goes down here: its disk is all that is left of it.
                let copy = Server::copy(&server);
                session.abort(&prepared, "the end of the scene").await.unwrap();
                copy
            });
            Scene { server: copy, package: next, base }
        }
    }
}

/// Tells a story once, with options for its agents; gives the exit code and what agents said.
fn play(
    story: Story,
    scene: &Scene,
    options: &[&str],
) -> (i32, Vec<String>, BTreeMap<String, u32>) {
    play_within(story, scene, options, &hasty("k"))
}

/// The same, with times for it.
pub(crate) fn play_within(
    story: Story,
    scene: &Scene,
    options: &[&str],
    times: &Options,
) -> (i32, Vec<String>, BTreeMap<String, u32>) {
    if story == Story::Guard {
        let options: Vec<&str> = options.iter().copied().chain(["--boot", "second"]).collect();
        let output = scene.server.guard(&options);
        let stderr = String::from_utf8(output.stderr).unwrap();
        let mut passages: BTreeMap<String, u32> = BTreeMap::new();
        for point in stderr.lines().filter_map(|line| line.strip_prefix("passed ")) {
            *passages.entry(point.to_owned()).or_default() += 1;
        }
        let code = output.status.code().unwrap_or(-1);
        return (code, vec![stderr], passages);
    }
    let transport = Recording::new(scene.server.agent(options));
    let code = block_on(async {
        let code = play_over(&transport, story, scene, times).await;
        if options.contains(&"--fault") {
            // It comes by another pipe than the answers, and may be read after them.
            let _ = tokio::time::timeout(Duration::from_secs(5), wait_for_fault(&transport)).await;
        }
        code
    });
    (code, transport.agent_output(), transport.passages())
}

async fn play_over<T: Transport>(
    transport: &T,
    story: Story,
    scene: &Scene,
    times: &Options,
) -> i32 {
    match story {
        Story::Back => code_of(rollback(transport, Some(id(&scene.package)), times).await),
        _ => code_of(deploy(transport, &scene.package, times).await),
    }
}

/// Waits until an agent has said that its fault fired.
async fn wait_for_fault<T>(transport: &Recording<T>) {
    while !has_fired(&transport.agent_output()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn has_fired(outputs: &[String]) -> bool {
    outputs.iter().any(|text| text.contains("fired"))
}

/// Tells a story whose client dies when an agent comes to a step, where the agent stops and goes on
/// when the client is gone; gives which release is active in the end, and what agents said.
fn play_orphaned(story: Story, scene: &Scene, stop: &str) -> (i32, Vec<String>) {
    let transport = Recording::new(scene.server.agent(&["--fault", stop]));
    let times = hasty("k");
    // The conversation ends in the middle of whatever was asked.
    block_on(async {
        tokio::select! {
            _ = play_over(&transport, story, scene, &times) => {}
            () = wait_for_fault(&transport) => {}
        }
    });
    scene.server.outlive_agents();
    let is_new = scene.server.pointer_target("current") == Some(id(&scene.package));
    (if is_new { NEW } else { FORMER }, transport.agent_output())
}

pub(crate) fn code_of<T>(result: Result<T, Failure>) -> i32 {
    result.map_or_else(|failure| i32::from(failure.ended.exit_code().number()), |_| 0)
}

/// Whether what is told, what is active and what is on the disk agree.
#[track_caller]
fn assert_kept(story: Story, scene: &Scene, code: i32, case: &str) {
    let (server, release) = (&scene.server, id(&scene.package));
    let current = server.pointer_target("current");
    assert!(current == scene.base || current == Some(release), "{case}: a stranger is active");
    if story != Story::Heal {
        let is_whole = current.is_none_or(|id| server.is_whole(id));
        assert!(is_whole, "{case}: what is active is not whole");
        let is_base_whole = scene.base.is_none_or(|base| server.is_whole(base));
        assert!(is_base_whole, "{case}: what was good is damaged");
    }
    match code {
        0 if story == Story::Guard => assert_eq!(current, scene.base, "{case}"),
        0 => assert_eq!(current, Some(release), "{case}: told as done"),
        20 | 21 if story != Story::Guard => {
            assert_eq!(current, scene.base, "{case}: told as undone")
        }
        _ => {}
    }
}

/// The same deploy again, without a fault, ends well and leaves nothing behind.
#[track_caller]
pub(crate) fn assert_converges(story: Story, scene: &Scene, case: &str) {
    let (server, release) = (&scene.server, id(&scene.package));
    if story == Story::Guard {
        let output = server.guard(&["--boot", "second"]);
        assert!(output.status.success(), "{case}: {output:?}");
        assert_eq!(server.pointer_target("current"), scene.base, "{case}");
    }
    let waiting = Options { lock_wait: Duration::from_secs(5), ..hasty("again") };
    let agent = server.agent(&[]);
    let result = match story {
        // A way back that is done already has nowhere to go.
        Story::Back if server.pointer_target("current") == Some(release) && is_settled(server) => {
            Ok(())
        }
        Story::Back => block_on(rollback(&agent, Some(release), &waiting)).map(drop),
        _ => put(server, &scene.package).map(drop),
    };
    if let Err(failure) = result {
        panic!("{case}: the same deploy again fails: {failure}");
    }
    assert_eq!(server.pointer_target("current"), Some(release), "{case}");
    assert!(server.is_whole(release), "{case}");
    assert!(scene.base.is_none_or(|base| server.is_whole(base)), "{case}: the base is gone");
    let leftovers: Vec<String> = server
        .files()
        .into_iter()
        .filter(|file| file.starts_with("incoming/") || file.starts_with("releases/."))
        .collect();
    assert!(leftovers.is_empty(), "{case}: left behind: {leftovers:?}");
}

fn is_settled(server: &Server) -> bool {
    let agent = server.agent(&[]);
    block_on(async {
        let mut session = Session::open(&agent, options("status")).await.unwrap();
        let pending = session.status(false).await.unwrap().pending;
        tokio::time::sleep(Duration::from_millis(pending.map_or(0, |one| one.left_ms + 200))).await;
    });
    server.guard(&[]).status.success() && server.pointer_target("current").is_some()
}

/// One trial: a story in which one passage of one step fails.
#[derive(Debug, Clone)]
struct Trial {
    story: Story,
    point: String,
    action: &'static str,
    nth: u32,
}

/// Every passage of every step is killed; errors strike the first and the last passage.
fn trials(story: Story, passages: &BTreeMap<String, u32>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (point, &n) in passages {
        for action in ACTIONS {
            let passages = (1..=n).filter(|&nth| action == "kill" || nth == 1 || nth == n);
            let passages = passages.filter(|_| action != CLIENT || story != Story::Guard);
            let trial = |nth| Trial { story, point: point.clone(), action, nth };
            trials.extend(passages.map(trial));
        }
    }
    trials
}

fn run(trial: &Trial, template: &Scene) -> i32 {
    let Trial { story, point, action, nth } = trial;
    let case = format!("{story:?}: {point}:{action}:{nth}");
    for _ in 0..N_TELLINGS {
        let scene = template.copy();
        let (code, outputs) = if *action == CLIENT {
            play_orphaned(*story, &scene, &format!("{point}:stop:{nth}"))
        } else {
            let fault = format!("{point}:{action}:{nth}");
            let (code, outputs, _) = play(*story, &scene, &["--fault", &fault]);
            (code, outputs)
        };
        let fired = has_fired(&outputs);
        assert!(fired || [0, NEW].contains(&code), "{case}: the fault did not fire, code {code}");
        assert_kept(*story, &scene, code, &case);
        assert_converges(*story, &scene, &case);
        if fired {
            return code;
        }
    }
    panic!("{case}: the fault never fired");
}

/// The passages of a story without a fault, by step: as many as every telling has.
fn passages(story: Story, template: &Scene) -> BTreeMap<String, u32> {
    let mut least: Option<BTreeMap<String, u32>> = None;
    for _ in 0..N_TELLINGS {
        let (code, _, passages) = play(story, &template.copy(), &["--trace"]);
        assert_eq!(code, 0, "{story:?} without a fault");
        let fewer = |mut least: BTreeMap<String, u32>| {
            least.retain(|point, _| passages.contains_key(point));
            least.iter_mut().for_each(|(point, n)| *n = passages[point].min(*n));
            least
        };
        least = Some(least.map_or_else(|| passages.clone(), fewer));
    }
    least.unwrap_or_default()
}

#[test]
fn after_any_fault_the_former_release_or_the_new_one_is_active() {
    use Story::{Back, First, Guard, Heal, Next, Torn};
    let mut all = Vec::new();
    let mut scenes = BTreeMap::new();
    let mut passed = BTreeSet::new();
    for story in [First, Next, Heal, Torn, Back, Guard] {
        let template = scene(story);
        let passages = passages(story, &template);
        let known = passed.clone();
        passed.extend(passages.keys().cloned());
        // A story other than the first two is told for the steps that it adds.
        let is_new =
            |point: &String| [First, Next, Guard].contains(&story) || !known.contains(point);
        all.extend(trials(
            story,
            &passages.into_iter().filter(|(point, _)| is_new(point)).collect(),
        ));
        scenes.insert(story, template);
    }
    let untried: Vec<&str> = Point::ALL
        .iter()
        .filter(|point| !ELSEWHERE.contains(point) && !passed.contains(point.as_str()))
        .map(|point| point.as_str())
        .collect();
    assert_eq!(untried, [""; 0], "steps that no story passes");
    let n_trials = all.len();
    let queue = Mutex::new(all);
    let codes_by_step: Mutex<BTreeMap<(String, &str), BTreeSet<i32>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..N_WORKERS {
            scope.spawn(|| {
                while let Some(trial) = { queue.lock().unwrap().pop() } {
                    let code = run(&trial, &scenes[&trial.story]);
                    let key = (trial.point.clone(), trial.action);
                    codes_by_step.lock().unwrap().entry(key).or_default().insert(code);
                }
            });
        }
    });
    compare(&codes_by_step.into_inner().unwrap(), n_trials);
}

/// Prints the table of outcomes, for `--nocapture`, and compares it with the page: every step stands
/// there with its meaning, and nothing happened that the page does not name.
#[expect(clippy::print_stdout, reason = "the table is for who asks by `--nocapture`")]
fn compare(codes_by_step: &BTreeMap<(String, &str), BTreeSet<i32>>, n_trials: usize) {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/deploy-faults.md"));
    let page = page.unwrap_or_default();
    println!("{n_trials} trials");
    let mut wrong = Vec::new();
    for point in Point::ALL.iter().filter(|point| !ELSEWHERE.contains(point)) {
        let head = format!("| `{}` | {} |", point.as_str(), point.meaning().trim());
        let row = page.lines().find_map(|line| line.strip_prefix(&head)).unwrap_or_default();
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let mut table_cells = Vec::new();
        for (column, action) in ACTIONS.iter().enumerate() {
            let codes = codes_by_step
                .get(&(point.as_str().to_owned(), *action))
                .cloned()
                .unwrap_or_default();
            let codes = if codes.is_empty() && *action == CLIENT { [NOBODY].into() } else { codes };
            let words: Vec<String> = codes.iter().map(|code| word(*code)).collect();
            let known: Vec<&str> =
                cells.get(column).map_or(Vec::new(), |cell| cell.split(", ").collect());
            let is_known = !words.is_empty() && words.iter().all(|word| known.contains(&&**word));
            if !is_known {
                wrong.push(format!("{} by {action}: {}", point.as_str(), words.join(", ")));
            }
            table_cells.push(words.join(", "));
        }
        println!("{head} {} |", table_cells.join(" | "));
    }
    assert!(wrong.is_empty(), "docs/deploy-faults.md does not name:\n{}", wrong.join("\n"));
}

fn word(code: i32) -> String {
    match code {
        -1 => "guard killed".to_owned(),
        FORMER => "former".to_owned(),
        NEW => "new".to_owned(),
        NOBODY => "no client".to_owned(),
        code => code.to_string(),
    }
}

#[test]
fn a_client_that_dies_at_any_byte_leaves_the_former_release_or_the_new_one() {
    let template = scene(Story::Next);
    let whole =
        Mishapped::new(Server::copy(&template.server).agent(&[]), Mishap::CutSent(u64::MAX));
    drop(whole);
    let copy = Server::copy(&template.server);
    let counting = Mishapped::new(copy.agent(&[]), Mishap::CutSent(u64::MAX));
    block_on(deploy(&counting, &template.package, &hasty("k"))).unwrap();
    let (n_sent, n_heard) = counting.n_bytes();
    let sent = (0..24).map(|part| Mishap::CutSent(n_sent * part / 24));
    let heard = (0..16).map(|part| Mishap::CutHeard(n_heard * part / 16));
    let queue: Mutex<Vec<Mishap>> = Mutex::new(sent.chain(heard).collect());
    std::thread::scope(|scope| {
        for _ in 0..N_WORKERS {
            scope.spawn(|| {
                while let Some(mishap) = { queue.lock().unwrap().pop() } {
                    let case = format!("{mishap:?} of {n_sent} and {n_heard}");
                    let scene = template.copy();
                    let transport = Mishapped::new(scene.server.agent(&[]), mishap);
                    let result = block_on(deploy(&transport, &scene.package, &hasty("k")));
                    // What was told as unknown may still be rolled back; the rest holds at once.
                    assert_kept(Story::Next, &scene, code_of(result), &case);
                    assert_converges(Story::Next, &scene, &case);
                }
            });
        }
    });
}
