//! Calls: retries, waits, the hosts that get the token, and the messages of errors.

use super::routes::Reply;
use super::server::Kind;
use super::world::{HEAD, NOW_S, World, error_text};
use cellgate_github::GitHubError;
use cellgate_github::pace::Limits;
use std::time::Duration;

#[track_caller]
fn expect_error(reply: Reply, says: &str) {
    let world = World::new();
    world.server.breaks("GET", "/pulls/7", usize::MAX, Kind::Reply(reply));
    let text = error_text(world.ask(async |client| client.pull(7).await));
    assert!(text.contains(says), "`{text}` does not say `{says}`");
    assert!(!text.contains("ghs_token"), "{text}");
}

#[test]
fn refusals_say_what_where_and_what_to_do() {
    expect_error(
        Reply::refusal(403, "Resource not accessible by integration"),
        "add `pull-requests: read` to the job's `permissions:`",
    );
    expect_error(Reply::refusal(401, "Bad credentials"), "answered with 401: Bad credentials");
    expect_error(
        Reply::refusal(404, "Not Found"),
        "`GET /repos/octo/toy/pulls/7` was answered with 404",
    );
    expect_error(Reply::refusal(409, "Conflict"), "409");
    expect_error(Reply::refusal(422, "Validation Failed"), "422: Validation Failed");
    expect_error(Reply { body: b"<html>".to_vec(), ..Reply::empty(200) }, "cannot be understood");
    let limited = Reply::refusal(403, "x").header("retry-after", "9999");
    expect_error(limited, "limits how often it is asked");
    expect_error(
        Reply::empty(301).header("location", "https://evil.example/repos/octo/toy/pulls/7"),
        "redirected to another host",
    );
    let circle = Reply::empty(301).header("location", "/repos/octo/toy/pulls/7");
    expect_error(circle, "again and again");
    let large = Reply { body: vec![b' '; 17 << 20], ..Reply::empty(200) };
    expect_error(large, "more than the 16777216");
}

#[track_caller]
fn check_retries(kind: Kind, times: usize, waits: &[u64]) {
    let world = World::new();
    world.server.breaks("GET", "/pulls/7", times, kind);
    let pull = world.ask(async |client| client.pull(7).await).unwrap();
    assert_eq!(pull.head.sha, HEAD);
    assert_eq!(world.waits(), waits);
    assert_eq!(world.server.requests().len(), times + 1);
}

#[test]
fn reading_is_repeated_after_as_long_as_github_asks_for() {
    check_retries(Kind::Reply(Reply::refusal(502, "x")), 3, &[1, 2, 4]);
    check_retries(Kind::Reply(Reply::refusal(503, "x").header("retry-after", "9")), 1, &[9]);
    check_retries(Kind::Reply(Reply::refusal(429, "x").header("retry-after", "7")), 2, &[7, 7]);
    let secondary = Reply::refusal(403, "You have exceeded a secondary rate limit");
    check_retries(Kind::Reply(secondary), 2, &[60, 120]);
    let reset = (NOW_S + 30).to_string();
    let primary =
        Reply::refusal(403, "API rate limit exceeded").header("x-ratelimit-remaining", "0");
    check_retries(Kind::Reply(primary.header("x-ratelimit-reset", &reset)), 1, &[31]);
    check_retries(Kind::CutBefore, 2, &[1, 2]);
    check_retries(Kind::CutAfter, 2, &[1, 2]);
    check_retries(Kind::Truncated, 1, &[1]);
}

#[test]
fn attempts_and_patience_are_bounded() {
    let world = World::new();
    world.server.breaks("GET", "/pulls/7", usize::MAX, Kind::Reply(Reply::empty(502)));
    let text = error_text(world.ask(async |client| client.pull(7).await));
    assert!(text.contains("no answer after 7 attempts: it was answered with 502"), "{text}");
    let world = World::new();
    let limited = Reply::refusal(429, "slow down").header("retry-after", "200");
    world.server.breaks("GET", "/pulls/7", usize::MAX, Kind::Reply(limited));
    let text = error_text(world.ask(async |client| client.pull(7).await));
    assert!(text.contains("answered again in 200 s"), "{text}");
    assert_eq!(world.waits(), [200], "300 s of patience are enough for one");
}

#[test]
fn an_answer_that_does_not_come_is_not_waited_for() {
    let world = World::new();
    world.server.breaks("GET", "/pulls/7", 1, Kind::Slow(2000));
    let short = Duration::from_millis(200);
    let limits = Limits { connect: short, read: short, ..Limits::default() };
    world.ask_within(limits, async |client| client.pull(7).await).unwrap();
    assert_eq!(world.waits(), [1]);
}

#[track_caller]
fn check_posted_once(kind: Kind, n_posts: usize) {
    let world = World::new();
    world.server.breaks("POST", "/issues/7/comments", 1, kind);
    world.ask(async |client| client.create_comment(7, "once").await).unwrap();
    assert_eq!(world.bodies(), ["once"]);
    let posts = world.server.requests().into_iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(posts, n_posts);
}

#[test]
fn a_comment_is_posted_once_whatever_is_lost() {
    check_posted_once(Kind::CutBefore, 2);
    check_posted_once(Kind::CutAfter, 1);
    check_posted_once(Kind::Truncated, 1);
    check_posted_once(Kind::Reply(Reply::empty(502)), 2);
    check_posted_once(Kind::Reply(Reply::refusal(403, "secondary rate limit")), 2);
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let world = World::new();
    let text = world.ask(async |_| {
        let token = cellgate_inputs::secret::Secret::new("ghs_token");
        let pace =
            cellgate_github::pace::Pace::new(std::time::SystemTime::now, |_| Box::pin(async {}));
        let limits = Limits { n_attempts: 2, ..Limits::default() };
        let name = "octo/toy".parse().unwrap();
        let client =
            cellgate_github::Client::new(Some("http://127.0.0.1:1"), name, token, pace, limits);
        error_text(client.unwrap().pull(7).await)
    });
    assert!(text.contains("no answer after 2 attempts"), "{text}");
}

#[test]
fn lists_are_read_by_the_links_they_give() {
    let world = World::new();
    world.state(|state| {
        state.page_size = 2;
        (0..5).for_each(|n| {
            state.comment("alice", &n.to_string());
        });
    });
    let comments = world.ask(async |client| client.comments(7).await).unwrap();
    assert_eq!(comments.len(), 5);
    assert_eq!(world.server.requests().len(), 3);
    let limits = Limits { n_pages: 2, ..Limits::default() };
    let error = world.ask_within(limits, async |client| client.comments(7).await).unwrap_err();
    assert!(matches!(error, GitHubError::TooManyPages { limit: 2, .. }), "{error}");
}

#[test]
fn a_link_to_another_host_is_not_followed() {
    let world = World::new();
    let link = "<https://evil.example/x?page=2>; rel=\"next\"";
    let reply = Reply::json(200, &serde_json::json!([])).header("link", link);
    world.server.breaks("GET", "/issues/7/comments", 1, Kind::Reply(reply));
    let text = error_text(world.ask(async |client| client.comments(7).await));
    assert!(text.contains("is on another host"), "{text}");
}

#[test]
fn a_renamed_repository_is_followed_with_the_token_at_home() {
    let world = World::new();
    let target = format!("{}/repos/octo/toy/pulls/7?x=1", world.server.address);
    let moved = Reply::empty(301).header("location", &target);
    world.server.breaks("GET", "/pulls/7", 1, Kind::Reply(moved));
    world.ask(async |client| client.pull(7).await).unwrap();
    let redirect = Reply::empty(307).header("location", "/repos/octo/toy/issues/7/comments?x=1");
    world.server.breaks("POST", "/issues/7/comments", 1, Kind::Reply(redirect));
    world.ask(async |client| client.create_comment(7, "text").await).unwrap();
    assert_eq!(world.bodies(), ["text"]);
    world.state(|state| {
        assert!(state.seen.iter().all(|seen| seen.header("authorization").is_some()));
    });
}

#[test]
fn an_artifact_is_fetched_without_the_token() {
    let world = World::new();
    world.state(|state| {
        state.artifacts.insert(3, ("report".to_owned(), b"content".to_vec()));
    });
    let bytes = world.ask(async |client| {
        let found = client.artifacts(55, "report").await.unwrap();
        client.download(&found[0], 100).await
    });
    assert_eq!(bytes.unwrap(), b"content");
    world.state(|state| {
        for seen in &state.seen {
            let is_store = seen.path.starts_with("/store/");
            assert_eq!(seen.header("authorization").is_none(), is_store, "{}", seen.path);
            assert_eq!(
                seen.header("user-agent"),
                Some(concat!("cellgate/", env!("CARGO_PKG_VERSION")))
            );
        }
        assert_eq!(state.seen.len(), 3);
    });
}

#[test]
fn an_artifact_has_a_bound_and_a_digest() {
    let world = World::new();
    world.state(|state| {
        state.artifacts.insert(3, ("report".to_owned(), b"content".to_vec()));
    });
    let text = world.ask(async |client| {
        let found = client.artifacts(55, "report").await.unwrap();
        error_text(client.download(&found[0], 6).await)
    });
    assert!(text.contains("more than the 6 bytes"), "{text}");
    let other = Reply { body: b"another".to_vec(), ..Reply::empty(200) };
    world.server.breaks("GET", "/store/", 1, Kind::Reply(other));
    let text = world.ask(async |client| {
        let found = client.artifacts(55, "report").await.unwrap();
        error_text(client.download(&found[0], 100).await)
    });
    assert!(text.contains("not those that its digest names"), "{text}");
}
