//! Publishing: one comment, one check run, for the right commit, whatever goes wrong.

use super::routes::Reply;
use super::server::Kind;
use super::world::{DRIFTED, EARLIER, HEAD, World, ok_report, pull_request, request, workflow_run};
use cellgate_gate::report::model::Report;
use cellgate_github::comment::Policy;
use cellgate_github::pictures::Picture;
use cellgate_github::publish::{Page, Request, Source, State};
use serde_json::{Value, json};

const MARKER: &str = "<!-- cellgate:gate -->";

fn of_run(report: &Report) -> Request {
    let conclusion = if report.exit_code.is_passed() { "success" } else { "failure" };
    request(workflow_run("pull_request", conclusion, "octo/toy"), report)
}

#[test]
fn a_first_report_costs_five_requests_and_a_second_as_many() {
    let world = World::new();
    world.publish_cleanly(&request(pull_request("octo/toy"), &DRIFTED));
    let first = [
        "GET /pulls/7",
        &format!("GET /commits/{HEAD}/check-runs"),
        "POST /check-runs",
        "GET /issues/7/comments",
        "POST /issues/7/comments",
    ];
    assert_eq!(world.server.requests(), first);
    world.state(|state| state.seen.clear());
    let outcome = world.publish_cleanly(&request(pull_request("octo/toy"), &ok_report()));
    assert_eq!(outcome.n_requests, 5);
    assert!(world.server.requests()[4].starts_with("PATCH /issues/comments/"));
    world.state(|state| state.seen.clear());
    world.publish_cleanly(&request(pull_request("octo/toy"), &ok_report()));
    assert_eq!(world.server.requests().len(), 4, "what is current is not written again");
}

#[test]
fn the_comment_is_updated_in_place_and_keeps_its_history() {
    let world = World::new();
    world.publish_cleanly(&of_run(&DRIFTED));
    let first = &world.bodies()[0];
    assert!(first.starts_with(MARKER), "{first}");
    assert!(first.contains("cellgate: drifted"), "{first}");
    assert!(!first.contains("Earlier verdicts"), "{first}");
    world.state(|state| {
        let body = state.comments[0]["body"].as_str().unwrap().replace(HEAD, EARLIER);
        state.comments[0]["body"] = json!(body);
    });
    world.publish_cleanly(&of_run(&ok_report()));
    let bodies = world.bodies();
    assert_eq!(bodies.len(), 1);
    assert!(bodies[0].contains("cellgate: unchanged"), "{}", bodies[0]);
    assert!(bodies[0].contains("Earlier verdicts"), "{}", bodies[0]);
    assert!(bodies[0].contains(&format!("| {EARLIER} | drifted |")), "{}", bodies[0]);
}

#[test]
fn another_bots_comment_with_our_marker_is_left_alone() {
    let world = World::new();
    let forged = format!("{MARKER}\nnot ours");
    world.state(|state| {
        state.comment("evil[bot]", &forged);
        state.comment("mallory", &forged);
    });
    world.publish_cleanly(&of_run(&DRIFTED));
    assert_eq!(world.bodies()[..2], [forged.clone(), forged]);
    assert_eq!(world.bodies().len(), 3);
}

#[test]
fn our_comment_is_found_on_a_later_page() {
    let world = World::new();
    world.state(|state| {
        state.page_size = 2;
        (0..5).for_each(|_| {
            state.comment("alice", "words");
        });
        state.comment("github-actions[bot]", MARKER);
    });
    world.publish_cleanly(&of_run(&DRIFTED));
    assert_eq!(world.bodies().len(), 6);
    assert!(world.bodies()[5].contains("drifted"));
}

#[test]
fn doubles_are_taken_away() {
    let world = World::new();
    world.state(|state| {
        (0..3).for_each(|n| {
            state.comment("github-actions[bot]", &format!("{MARKER}\n{n}"));
        });
        state.comment("github-actions[bot]", "something else of ours");
    });
    world.publish_cleanly(&of_run(&DRIFTED));
    assert_eq!(world.bodies().len(), 2);
    assert!(world.bodies()[0].contains("drifted"));
}

#[test]
fn an_app_of_another_name_finds_its_own_comment() {
    let world = World::new();
    world.state(|state| state.login = "lab[bot]".to_owned());
    let outcome = world.publish_cleanly(&of_run(&DRIFTED));
    assert!(outcome.warnings[0].contains("--author lab[bot]"), "{:?}", outcome.warnings);
    world.publish_cleanly(&of_run(&ok_report()));
    assert_eq!(world.bodies().len(), 1);
    let named = Request { author: Some("lab[bot]".to_owned()), ..of_run(&DRIFTED) };
    assert_eq!(world.publish_cleanly(&named).warnings, [] as [&str; 0]);
    assert_eq!(world.bodies().len(), 1);
}

#[test]
fn a_person_with_a_token_is_asked_for() {
    let mut world = World::new();
    world.token = "ghp_token";
    world.state(|state| state.login = "alice".to_owned());
    world.publish_cleanly(&of_run(&DRIFTED));
    world.publish_cleanly(&of_run(&ok_report()));
    assert_eq!(world.bodies().len(), 1);
}

#[test]
fn policy_decides_on_new_comments_alone() {
    let with = |policy, report: &Report| Request { policy: Some(policy), ..of_run(report) };
    for (policy, n_drifted, n_passing) in
        [(Policy::Always, 1, 1), (Policy::OnChange, 1, 0), (Policy::Never, 0, 0)]
    {
        let world = World::new();
        world.publish_cleanly(&with(policy, &ok_report()));
        assert_eq!(world.bodies().len(), n_passing, "{policy:?}");
        world.publish_cleanly(&with(policy, &DRIFTED));
        assert_eq!(world.bodies().len(), n_drifted, "{policy:?}");
    }
    let world = World::new();
    world.publish_cleanly(&with(Policy::Always, &DRIFTED));
    world.publish_cleanly(&with(Policy::Never, &ok_report()));
    assert!(world.bodies()[0].contains("cellgate: unchanged"), "red turns green");
}

#[test]
fn a_comment_that_is_refused_as_too_long_is_shortened() {
    let world = World::new();
    world.state(|state| state.max_comment = 4000);
    world.publish_cleanly(&of_run(&DRIFTED));
    assert!(world.bodies()[0].len() <= 4000);
    assert!(world.bodies()[0].starts_with(MARKER));
    world.publish_cleanly(&of_run(&ok_report()));
    assert_eq!(world.bodies().len(), 1);
}

#[test]
fn a_comment_that_somebody_deleted_is_made_again() {
    let world = World::new();
    world.publish_cleanly(&of_run(&DRIFTED));
    world.server.breaks("PATCH", "/issues/comments/", 1, Kind::Reply(Reply::empty(404)));
    world.publish_cleanly(&of_run(&ok_report()));
    assert!(world.bodies().last().unwrap().contains("cellgate: unchanged"));
}

#[test]
fn nothing_is_posted_twice_whatever_is_lost() {
    for kind in [Kind::CutBefore, Kind::CutAfter, Kind::Truncated, Kind::Reply(Reply::empty(503))] {
        for path in ["/check-runs", "/issues/7/comments"] {
            let world = World::new();
            world.server.breaks("POST", path, 1, kind.clone());
            world.publish_cleanly(&of_run(&DRIFTED));
            assert_eq!(world.bodies().len(), 1, "{path} {kind:?}");
            let n_remarks = world.check()["annotations"].as_array().unwrap().len();
            assert_eq!(n_remarks, DRIFTED.remarks.len(), "{path} {kind:?}");
        }
    }
}

#[test]
fn the_check_opens_with_the_gate_and_ends_with_it() {
    let world = World::new();
    let requested =
        Request { state: State::Requested, report: Source::Missing, ..of_run(&DRIFTED) };
    world.publish_cleanly(&requested);
    assert_eq!(world.check()["status"], "in_progress");
    assert_eq!(world.bodies().len(), 0);
    world.publish_cleanly(&of_run(&DRIFTED));
    let check = world.check();
    assert_eq!(
        (&check["status"], &check["conclusion"], &check["name"], &check["head_sha"]),
        (&json!("completed"), &json!("failure"), &json!("cellgate"), &json!(HEAD))
    );
    let remark = &check["annotations"][0];
    assert_eq!(remark["path"], "params/culture.yaml");
    assert!(remark["start_line"].as_u64().unwrap() > 1, "{remark}");
    assert!(remark["message"].as_str().unwrap().contains("correction_factor"), "{remark}");
    // A message that comes late does not open it again, one that comes twice adds no remark.
    world.publish_cleanly(&requested);
    world.publish_cleanly(&of_run(&DRIFTED));
    assert_eq!(world.check(), check);
}

#[track_caller]
fn concludes(run: &str, report: Option<u8>, conclusion: &str) {
    let world = World::new();
    let mut words = if report == Some(0) { ok_report() } else { DRIFTED.clone() };
    words.exit_code = report.unwrap_or_default().try_into().unwrap();
    let mut publication = request(workflow_run("pull_request", run, "octo/toy"), &words);
    if report.is_none() {
        publication.report = Source::Artifact("report".to_owned());
    }
    world.publish_cleanly(&publication);
    assert_eq!(world.check()["conclusion"], conclusion, "{run} {report:?}");
    assert_eq!(world.check()["status"], "completed");
    assert_eq!(world.bodies().len(), 1);
}

#[test]
fn a_check_passes_only_when_run_and_report_do() {
    concludes("success", Some(0), "success");
    concludes("failure", Some(0), "failure");
    concludes("success", Some(11), "failure");
    concludes("failure", Some(13), "action_required");
    concludes("success", None, "failure");
    concludes("failure", None, "failure");
    concludes("cancelled", None, "cancelled");
    concludes("timed_out", None, "timed_out");
    concludes("action_required", None, "action_required");
    concludes("startup_failure", None, "failure");
    concludes("skipped", None, "failure");
    concludes("neutral", None, "failure");
}

#[test]
fn many_remarks_come_in_batches_the_worst_first_and_once() {
    let mut report = DRIFTED.clone();
    let remark = report.remarks[0].clone();
    let line =
        |line| cellgate_gate::report::model::FindingLine { line: Some(line), ..remark.clone() };
    report.remarks = (1..=120).map(line).collect();
    report.remarks[119].severity = cellgate_inputs::finding::Severity::Warning;
    for kind in [None, Some(Kind::CutBefore), Some(Kind::CutAfter)] {
        let world = World::new();
        if let Some(kind) = kind {
            world.server.breaks("PATCH", "/check-runs/", 1, kind);
        }
        world.publish_cleanly(&of_run(&report));
        let check = world.check();
        let lines: Vec<u64> = check["annotations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|remark| remark["start_line"].as_u64().unwrap())
            .collect();
        assert_eq!(lines, (1..=120).collect::<Vec<u64>>());
        assert_eq!(check["annotations"][119]["annotation_level"], "warning");
    }
}

#[track_caller]
fn speaks(world: &World, event: cellgate_github::event::Event, says: &str, n_comments: usize) {
    match world.publish(&request(event, &DRIFTED)) {
        Ok(outcome) => {
            let text = [outcome.done, outcome.refusals].concat().join("\n");
            assert!(text.contains(says), "`{text}` does not say `{says}`");
        }
        Err(error) => assert!(error.to_string().contains(says), "`{error}` does not say `{says}`"),
    }
    assert_eq!(world.bodies().len(), n_comments);
}

#[test]
fn only_the_one_pull_request_of_the_commit_is_spoken_about() {
    let run = || workflow_run("pull_request", "failure", "octo/toy");
    speaks(&World::new(), run(), "commented on pull request 7", 1);
    let moved = World::new();
    moved.state(|state| {
        state.pulls[0]["head"]["sha"] = json!(EARLIER);
        state.pulls[0]["earlier"] = json!([HEAD]);
    });
    speaks(&moved, run(), "pull request 7 has a newer head", 0);
    speaks(&moved, pull_request("octo/toy"), "pull request 7 has a newer head", 0);
    let two = World::new();
    two.state(|state| state.pull(8, HEAD, "octo/toy"));
    speaks(&two, run(), "pull requests 7, 8 have the same head", 0);
    assert_eq!(two.check()["head_sha"], HEAD, "the commit is known all the same");
    let foreign = World::new();
    foreign.state(|state| state.pulls[0]["head"]["repo"]["full_name"] = json!("mallory/toy"));
    speaks(&foreign, run(), "no open pull request has this commit", 0);
    let closed = World::new();
    closed.state(|state| state.pulls[0]["state"] = json!("closed"));
    speaks(&closed, run(), "no open pull request has this commit", 0);
    speaks(&World::new(), workflow_run("push", "success", "octo/toy"), "started by `push`", 0);
    let target = || workflow_run("pull_request_target", "success", "octo/toy");
    speaks(&World::new(), target(), "a run of `pull_request_target` is not trusted", 0);
}

#[test]
fn a_forks_pull_request_is_found_among_the_open_ones() {
    let world = World::new();
    world.state(|state| {
        state.pulls.clear();
        state.knows_commits = false;
        state.pull(9, HEAD, "mallory/toy");
        state.pull(10, EARLIER, "mallory/toy");
    });
    let run = workflow_run("pull_request", "failure", "mallory/toy");
    speaks(&world, run, "commented on pull request 9", 1);
}

#[test]
fn a_fork_without_rights_gets_its_words_in_the_log() {
    let world = World::new();
    let refusal = || Kind::Reply(Reply::refusal(403, "Resource not accessible by integration"));
    world.server.breaks("POST", "/", usize::MAX, refusal());
    let outcome = world.publish_cleanly(&request(pull_request("mallory/toy"), &DRIFTED));
    assert_eq!(outcome.warnings.len(), 2, "{:?}", outcome.warnings);
    assert!(outcome.warnings[0].contains("`checks: write`"), "{:?}", outcome.warnings);
    assert!(outcome.warnings[1].contains("`pull-requests: write`"), "{:?}", outcome.warnings);
    assert!(outcome.unposted.unwrap().contains("cellgate: drifted"));
    let error = world.publish(&of_run(&DRIFTED)).unwrap_err();
    assert!(error.to_string().contains("add `checks: write`"), "{error}");
}

#[test]
fn the_report_is_read_from_the_runs_artifact() {
    let world = World::new();
    let json = DRIFTED.to_json().unwrap().into_bytes();
    world.state(|state| {
        state.artifacts.insert(3, ("report".to_owned(), b"an older attempt's".to_vec()));
        state.artifacts.insert(4, ("report".to_owned(), json));
        state.artifacts.insert(5, ("report.html".to_owned(), b"<html>".to_vec()));
    });
    let publication = Request {
        report: Source::Artifact("report".to_owned()),
        page: Page::Artifact("report.html".to_owned()),
        ..of_run(&DRIFTED)
    };
    world.publish_cleanly(&publication);
    let page = "https://github.com/octo/toy/actions/runs/55/artifacts/5";
    assert!(world.bodies()[0].contains(&format!("({page})")), "{}", world.bodies()[0]);
    assert_eq!(world.check()["details_url"], page);
}

#[test]
fn a_report_that_is_none_never_passes() {
    for bytes in [&b"{}"[..], b"not json", b"PK\x03\x04 cut", b""] {
        let world = World::new();
        world.state(|state| {
            state.artifacts.insert(3, ("report".to_owned(), bytes.to_vec()));
        });
        let report = Source::Artifact("report".to_owned());
        let publication = Request { report, ..of_run(&ok_report()) };
        let outcome = world.publish(&publication).unwrap();
        assert!(outcome.refusals[0].contains("the report cannot be used"), "{outcome:?}");
        assert_eq!(world.check()["conclusion"], "failure");
    }
}

#[test]
fn a_page_elsewhere_is_refused() {
    let world = World::new();
    let page = Page::Address("https://github.com.evil.example/x".to_owned());
    let error = world.publish(&Request { page, ..of_run(&DRIFTED) }).unwrap_err();
    assert!(error.to_string().contains("does not lie on `https://github.com`"), "{error}");
}

#[test]
fn pictures_lie_on_their_branch_and_are_linked_by_commit() {
    let world = World::new();
    let png = b"\x89PNG\r\n\x1a\nfield".to_vec();
    let pictures = vec![Picture { label: "culture A01".to_owned(), png }];
    let publication =
        Request { pictures: Some(("pictures".to_owned(), pictures)), ..of_run(&DRIFTED) };
    world.publish_cleanly(&publication);
    let commit = world.state(|state| state.branches["pictures"].clone());
    let link = format!("![culture A01](https://raw.githubusercontent.com/octo/toy/{commit}/");
    assert!(world.bodies()[0].contains(&link), "{}", world.bodies()[0]);
    assert!(world.bodies()[0].len() <= 60_000);
}

#[test]
fn a_dry_run_writes_nothing() {
    let world = World::new();
    let outcome = world.publish_cleanly(&Request { is_dry: true, ..of_run(&DRIFTED) });
    assert!(outcome.unposted.unwrap().starts_with(MARKER));
    assert!(world.server.requests().iter().all(|line| line.starts_with("GET")));
    let empty: Vec<Value> = Vec::new();
    assert_eq!(world.state(|state| state.checks.clone()), empty);
}

#[test]
fn gates_of_one_repository_do_not_share_a_comment() {
    let world = World::new();
    world.publish_cleanly(&of_run(&DRIFTED));
    world.publish_cleanly(&Request { name: "other".parse().unwrap(), ..of_run(&ok_report()) });
    assert_eq!(world.bodies().len(), 2);
    assert_eq!(world.state(|state| state.checks[1]["name"].clone()), "cellgate (other)");
}
