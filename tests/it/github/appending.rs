//! Appending: a file that grows on a branch, whoever else adds to it, and whatever is lost.

use super::routes::{Reply, name_of};
use super::server::Kind;
use super::world::World;
use cellgate_github::Client;
use cellgate_github::append::{Addition, AppendError};
use std::convert::Infallible;

const WHERE: Addition<'_> = Addition { branch: "log", path: "a/log.jsonl", message: "One more" };

async fn append(client: &Client, line: &str) -> Result<Option<String>, AppendError<Infallible>> {
    let edit = |bytes: &[u8]| Ok([bytes, line.as_bytes()].concat());
    client.append_to_branch(WHERE, edit).await
}

#[track_caller]
fn holds(world: &World, text: &str) {
    let found = world.state(|state| state.file("log", "a/log.jsonl").map(<[u8]>::to_vec));
    assert_eq!(String::from_utf8(found.unwrap()).unwrap(), text);
}

#[test]
fn the_first_line_makes_a_branch_without_history() {
    let world = World::new();
    let commit = world.ask(async |client| append(client, "one\n").await).unwrap().unwrap();
    holds(&world, "one\n");
    assert_eq!(world.state(|state| state.commits[&commit].1.len()), 0);
    let next = world.ask(async |client| append(client, "two\n").await).unwrap().unwrap();
    holds(&world, "one\ntwo\n");
    assert_eq!(world.state(|state| state.commits[&next].1.clone()), [commit]);
}

#[test]
fn other_files_of_the_branch_stay() {
    let world = World::new();
    world.ask(async |client| append(client, "one\n").await).unwrap();
    let elsewhere = Addition { path: "b.txt", ..WHERE };
    world
        .ask(async |client| {
            let edit = |_: &[u8]| Ok::<_, Infallible>(b"b".to_vec());
            client.append_to_branch(elsewhere, edit).await
        })
        .unwrap();
    holds(&world, "one\n");
}

/// Somebody adds a line at the moment when the branch is to be moved.
fn somebody_adds(world: &World, line: &str) {
    world.state(|state| {
        let tip = state.branches["log"].clone();
        let old = state.file("log", "a/log.jsonl").unwrap().to_vec();
        let bytes = [old.as_slice(), line.as_bytes()].concat();
        let blob = name_of(&bytes);
        state.blobs.insert(blob.clone(), bytes);
        let tree = name_of(blob.as_bytes());
        state.trees.insert(tree.clone(), [("a/log.jsonl".to_owned(), blob)].into());
        let commit = name_of(tree.as_bytes());
        state.commits.insert(commit.clone(), (tree, vec![tip]));
        state.branches.insert("log".to_owned(), commit);
    });
}

#[test]
fn when_somebody_was_faster_both_lines_stand() {
    let world = World::new();
    world.ask(async |client| append(client, "one\n").await).unwrap();
    let mut rounds = 0;
    world
        .ask(async |client| {
            let edit = |bytes: &[u8]| {
                rounds += 1;
                if rounds == 1 {
                    somebody_adds(&world, "theirs\n");
                }
                Ok::<_, Infallible>([bytes, b"mine\n"].concat())
            };
            client.append_to_branch(WHERE, edit).await
        })
        .unwrap();
    holds(&world, "one\ntheirs\nmine\n");
    assert_eq!(rounds, 2);
}

#[test]
fn a_line_stands_once_whatever_is_lost() {
    for path in ["/git/blobs", "/git/trees", "/git/commits", "/git/refs"] {
        for kind in [Kind::CutBefore, Kind::CutAfter, Kind::Reply(Reply::empty(502))] {
            let world = World::new();
            world.ask(async |client| append(client, "one\n").await).unwrap();
            world.server.breaks("", path, 1, kind.clone());
            world.ask(async |client| append(client, "two\n").await).unwrap();
            holds(&world, "one\ntwo\n");
            let world = World::new();
            world.server.breaks("POST", path, 1, kind);
            world.ask(async |client| append(client, "one\n").await).unwrap();
            holds(&world, "one\n");
        }
    }
}

#[test]
fn what_stood_there_stays() {
    let world = World::new();
    world.ask(async |client| append(client, "one\n").await).unwrap();
    let rewritten = world.ask(async |client| {
        let edit = |_: &[u8]| Ok::<_, Infallible>(b"other\n".to_vec());
        client.append_to_branch(WHERE, edit).await
    });
    assert!(matches!(rewritten, Err(AppendError::Rewritten { .. })));
    let unchanged = world.ask(async |client| append(client, "").await).unwrap();
    assert_eq!(unchanged, world.state(|state| state.branches.get("log").cloned()));
    holds(&world, "one\n");
}

#[test]
fn a_branch_that_moves_each_time_is_given_up() {
    let world = World::new();
    world.ask(async |client| append(client, "one\n").await).unwrap();
    let never = Reply::refusal(422, "Update is not a fast forward");
    world.server.breaks("PATCH", "/git/refs", usize::MAX, Kind::Reply(never));
    let done = world.ask(async |client| append(client, "two\n").await);
    assert!(matches!(done, Err(AppendError::Contended { .. })), "{done:?}");
    holds(&world, "one\n");
}
