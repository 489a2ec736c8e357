//! Approving: the effects of a comment on a pull request, and their limits.

use super::routes::{Reply, State, name_of};
use super::server::{Fault, Kind};
use super::world::{DRIFTED, HEAD, NOW_S, World};
use crate::gate::{HARMFUL, edited_repository};
use crate::repository::{Told, cellgate};
use crate::test_folder::TestFolder;
use cellgate_approval::{Action, FILE, Log, Timestamp};
use cellgate_gate::report::model::Report;
use cellgate_github::approve::{Answer, AnswerError, Setup, answer};
use cellgate_github::event::IssueComment;
use serde_json::json;

const BRANCH: &str = "cellgate-approvals";
const PROJECT: &str =
    "schema: cellgate/project/v1\ndatasets: {n: n}\ngate: [{profile: c, dataset: n}]\n";
const APPROVED: &str = "POST /actions/runs/55/rerun-failed-jobs";

impl State {
    /// Puts a file on a branch, as somebody does who pushes.
    fn put(&mut self, branch: &str, path: &str, bytes: &[u8]) {
        let (blob, tree) = (name_of(bytes), name_of(&[path.as_bytes(), bytes].concat()));
        self.blobs.insert(blob.clone(), bytes.to_vec());
        self.trees.insert(tree.clone(), [(path.to_owned(), blob)].into());
        let parents: Vec<String> = self.branches.get(branch).cloned().into_iter().collect();
        let commit = name_of(format!("{tree} {parents:?}").as_bytes());
        self.commits.insert(commit.clone(), (tree, parents));
        self.branches.insert(branch.to_owned(), commit);
    }
}

/// A repository whose gate has stopped pull request 7, which alice has opened and bob looks at.
fn world(report: &Report) -> World {
    let world = World::new();
    world.state(|state| {
        state.put("main", "cellgate.yaml", PROJECT.as_bytes());
        for (login, role) in [("alice", "write"), ("bob", "write"), ("carol", "maintain")] {
            state.roles.insert(login.to_owned(), role.to_owned());
        }
        state.runs.push(json!({
            "id": 55, "name": "gate", "path": ".github/workflows/gate.yml", "event": "pull_request",
            "head_sha": HEAD, "status": "completed", "conclusion": "failure", "run_attempt": 1,
        }));
        let json = report.to_json().unwrap().into_bytes();
        state.artifacts.insert(91, ("cellgate-report".to_owned(), json));
    });
    world
}

fn comment(author: &str, body: &str) -> IssueComment {
    IssueComment {
        action: "created".to_owned(),
        number: 7,
        is_on_pull_request: true,
        comment_id: 3,
        body: body.to_owned(),
        author: author.to_owned(),
    }
}

fn setup() -> Setup {
    Setup {
        workflow: ".github/workflows/gate.yml".to_owned(),
        artifact: "cellgate-report".to_owned(),
        root: String::new(),
    }
}

/// The command that approves the report.
fn approve() -> String {
    format!("/cellgate approve {} it was noise", DRIFTED.digest().unwrap().short())
}

fn revoke() -> String {
    approve().replace("approve", "revoke")
}

impl World {
    fn say(&self, comment: &IssueComment) -> Result<Answer, AnswerError> {
        let when = Timestamp::from_unix(NOW_S);
        self.ask(async |client| answer(client, comment, &setup(), when).await)
    }

    fn log(&self) -> Log {
        let bytes = self.state(|state| state.file(BRANCH, FILE).map(<[u8]>::to_vec));
        Log::parse(&bytes.unwrap_or_default()).unwrap()
    }

    fn reactions(&self) -> Vec<String> {
        let of = |request: &super::server::Seen| {
            let is_reaction = request.path.ends_with("/issues/comments/3/reactions");
            is_reaction.then(|| request.body["content"].as_str().unwrap().to_owned())
        };
        self.state(|state| state.seen.iter().filter_map(of).collect())
    }

    fn has_run_again(&self) -> bool {
        self.server.requests().iter().any(|line| line.starts_with("POST /actions/runs/55/rerun"))
    }

    /// Expects a comment to change nothing and to be answered with these words.
    #[track_caller]
    fn refuses(&self, comment: &IssueComment, says: &str) {
        let n_records = self.log().records().len();
        let answer = self.say(comment).unwrap();
        let Answer::Refused { why } = &answer else { panic!("not refused: {answer:?}") };
        assert!(why.contains(says), "{why}");
        assert_eq!(self.log().records().len(), n_records);
        assert!(!self.has_run_again());
        assert_eq!(self.reactions().last().map(String::as_str), Some("confused"));
    }

    /// The same, with an answer that people read.
    #[track_caller]
    fn refuses_aloud(&self, comment: &IssueComment, says: &str) {
        self.refuses(comment, says);
        let body = self.bodies().pop().unwrap_or_default();
        assert!(body.starts_with("`cellgate:` not done: ") && !body.contains('\n'), "{body}");
    }

    #[track_caller]
    fn records(&self, comment: &IssueComment) -> String {
        let answer = self.say(comment).unwrap();
        let Answer::Recorded { words } = answer else { panic!("not recorded: {answer:?}") };
        assert_eq!(self.reactions().last().map(String::as_str), Some("rocket"));
        words
    }
}

#[test]
fn a_comment_approves_exactly_what_was_reported() {
    let world = world(&DRIFTED);
    let words = world.records(&comment("bob", &approve()));
    let digest = DRIFTED.digest().unwrap();
    assert_eq!(words, format!("`bob` approved `{}`; the gate runs again", digest.short()));
    let log = world.log();
    let entry = &log.records()[0].entry;
    assert_eq!((entry.action, entry.who.as_str()), (Action::Approve, "bob"));
    assert_eq!((&entry.binding, entry.report_digest), (&DRIFTED.binding, digest));
    assert_eq!((entry.commit.as_deref(), entry.pull_request), (Some(HEAD), Some(7)));
    assert_eq!((entry.author.as_deref(), entry.why.as_str()), (Some("alice"), "it was noise"));
    assert_eq!(world.reactions(), ["eyes", "rocket"]);
    assert_eq!(world.bodies(), [format!("`cellgate:` {words}.")]);
    assert!(world.server.requests().contains(&APPROVED.to_owned()));
    // Again: nothing is added, and everything is said.
    let words = world.records(&comment("bob", &approve()));
    assert!(words.contains("had approved before"), "{words}");
    assert_eq!(world.log().records().len(), 1);
    // The whole digest, by somebody else.
    let whole = approve().replace(&digest.short(), &digest.to_string());
    world.records(&comment("carol", &whole));
    assert_eq!(world.log().records().len(), 2);
}

#[test]
fn the_record_lets_the_change_pass() {
    let repository = edited_repository(HARMFUL);
    let gated = repository.gate();
    gated.expect(11, "drifted", &[]);
    let report = Report::from_json(gated.file("report.json").as_bytes()).unwrap();
    let world = world(&report);
    let command = format!("/cellgate approve {} seen", report.digest().unwrap().short());
    world.records(&comment("bob", &command));
    repository.git(&["checkout", "--quiet", "--", "."]);
    repository.git(&["switch", "--quiet", "--orphan", "log"]);
    repository.write(FILE, std::str::from_utf8(world.log().as_bytes()).unwrap());
    repository.git(&["add", FILE]);
    repository.git(&["commit", "--quiet", "--message", "approvals"]);
    repository.git(&["update-ref", "refs/remotes/origin/cellgate-approvals", "HEAD"]);
    repository.git(&["switch", "--quiet", "main"]);
    repository.edit("params/culture.yaml", HARMFUL.0, HARMFUL.1);
    repository.gate().expect(0, "drifted", &[]);
}

#[test]
fn nothing_else_is_for_us() {
    let world = world(&DRIFTED);
    let hostile = [
        String::new(),
        "looks good to me".to_owned(),
        format!("> {}", approve()),
        format!("`{}`", approve()),
        format!("hello\n{}", approve()),
        format!("{}{}", approve(), "x".repeat(300_000)),
        "<!-- cellgate -->".to_owned(),
        "@everyone ::error::x ##[set-output name=x]%0A \u{202e}".to_owned(),
        "/cellgate deploy 0123456789ab now".to_owned(),
    ];
    for body in hostile {
        assert_eq!(world.say(&comment("bob", &body)).unwrap(), Answer::NotForUs, "{body:.60}");
    }
    let edited = IssueComment { action: "edited".to_owned(), ..comment("bob", &approve()) };
    assert_eq!(world.say(&edited).unwrap(), Answer::NotForUs);
    let issue = IssueComment { is_on_pull_request: false, ..comment("bob", &approve()) };
    assert_eq!(world.say(&issue).unwrap(), Answer::NotForUs);
    assert_eq!(world.server.requests(), [] as [&str; 0]);
}

#[test]
fn hostile_reasons_stay_words() {
    let world = world(&DRIFTED);
    let why = "`|<!-- x -->|@octocat #1 [a](b) <img src=x> ::error::x ##[set-output] %0A";
    world.records(&comment("bob", &approve().replace("it was noise", why)));
    assert_eq!(world.log().records()[0].entry.why, why);
    let body = world.bodies().pop().unwrap();
    assert!(!body.contains("octocat") && !body.contains("<img"), "{body}");
    let turned = approve().replace("noise", "noi\u{202e}se");
    world.refuses_aloud_again(&comment("carol", &turned), "`why` is not");
}

impl World {
    /// As `refuses_aloud`, after a run was started again.
    #[track_caller]
    fn refuses_aloud_again(&self, comment: &IssueComment, says: &str) {
        self.state(|state| state.seen.clear());
        self.refuses_aloud(comment, says);
    }
}

#[test]
fn permission_is_asked_for() {
    let world = world(&DRIFTED);
    world.refuses(&comment("mallory", &approve()), "may not push");
    assert_eq!(world.bodies(), [] as [&str; 0], "strangers make nobody talk");
    world.refuses(&comment("mallory", "/cellgate approve"), "may not push");
    let policy = format!("{PROJECT}approval: {{permission: maintain, allow_author: false}}\n");
    world.state(|state| state.put("main", "cellgate.yaml", policy.as_bytes()));
    world.refuses_aloud(&comment("bob", &approve()), "`maintain` is needed");
    world.state(|state| drop(state.roles.insert("alice".to_owned(), "admin".to_owned())));
    world.refuses_aloud(&comment("Alice", &approve()), "may not push");
}

#[test]
fn an_author_needs_the_policys_leave() {
    let allowed = world(&DRIFTED);
    allowed.records(&comment("alice", &approve()));
    let strict = world(&DRIFTED);
    let policy = format!("{PROJECT}approval: {{allow_author: false}}\n");
    strict.state(|state| state.put("main", "cellgate.yaml", policy.as_bytes()));
    strict.refuses_aloud(&comment("alice", &approve()), "author");
    strict.records(&comment("bob", &approve()));
}

#[test]
fn the_policy_is_the_bases_and_must_be_valid() {
    let world = world(&DRIFTED);
    world.state(|state| state.put("main", "cellgate.yaml", b"approval: yes please"));
    world.refuses(&comment("bob", &approve()), "is invalid");
    world.state(|state| state.put("main", "README", b""));
    world.records(&comment("bob", &approve()));
}

#[test]
fn only_the_report_of_the_present_head_can_be_approved() {
    let world = world(&DRIFTED);
    let other = "/cellgate approve 0123456789ab it was noise";
    let present = DRIFTED.digest().unwrap().short();
    world.refuses_aloud(&comment("bob", other), &format!("which is `{present}`"));
    for lacking in ["/cellgate approve", "/cellgate approve 0123456789ab", "/cellgate approve x y"]
    {
        world.refuses_aloud(&comment("bob", lacking), "");
    }
    // The head moves between the first look and the last.
    let moved = world.state(|state| {
        let mut pull = state.pulls[0].clone();
        pull["head"]["sha"] = json!("c".repeat(40));
        pull
    });
    let late = Fault {
        method: "GET",
        path: "/pulls/7",
        skip: 1,
        times: 1,
        kind: Kind::Reply(Reply::json(200, &moved)),
    };
    world.state(|state| state.faults.push(late));
    world.refuses_aloud(&comment("bob", &approve()), "has changed in the meantime");
    world.state(|state| state.pulls[0]["state"] = json!("closed"));
    world.refuses_aloud(&comment("bob", &approve()), "is not open");
    world.state(|state| state.pulls[0] = moved);
    world.refuses_aloud(&comment("bob", &approve()), "has not run");
}

#[test]
fn a_run_without_a_fitting_report_is_told() {
    let world = world(&DRIFTED);
    let expect_refusal =
        |expected: &str| world.refuses_aloud(&comment("bob", &approve()), expected);
    world.state(|state| state.runs[0]["status"] = json!("in_progress"));
    expect_refusal("still runs");
    world.state(|state| state.runs[0]["status"] = json!("completed"));
    let bytes = world.state(|state| state.artifacts.remove(&91)).unwrap();
    expect_refusal("left no artifact `cellgate-report`");
    for damaged in [&b"PK\x03\x04"[..], b"{}", b"", &bytes.1[..bytes.1.len() / 2]] {
        let artifact = ("cellgate-report".to_owned(), damaged.to_vec());
        world.state(|state| drop(state.artifacts.insert(91, artifact)));
        expect_refusal("cannot be read");
    }
    let mut beyond = DRIFTED.clone();
    beyond.profiles[0].reasons[0].code = "accuracy-below-floor".to_owned();
    let artifact = ("cellgate-report".to_owned(), beyond.to_json().unwrap().into_bytes());
    world.state(|state| drop(state.artifacts.insert(91, artifact)));
    let command = format!("/cellgate approve {} x", beyond.digest().unwrap().short());
    world.refuses_aloud(&comment("bob", &command), "no approval changes this");
    // Neither another workflow's run nor one of another event is the gate's.
    world.state(|state| state.artifacts.insert(91, bytes));
    world.state(|state| state.runs[0]["path"] = json!(".github/workflows/mine.yml"));
    expect_refusal("has not run");
    world.state(|state| state.runs[0]["path"] = json!(".github/workflows/gate.yml@main"));
    world.state(|state| state.runs[0]["event"] = json!("push"));
    expect_refusal("has not run");
    world.state(|state| state.runs[0]["event"] = json!("pull_request"));
    world.records(&comment("bob", &approve()));
}

#[test]
fn what_was_approved_can_be_taken_back() {
    let world = world(&DRIFTED);
    world.refuses_aloud(&comment("bob", &revoke()), "no approval names a report");
    world.records(&comment("bob", &approve()));
    world.state(|state| state.runs[0]["conclusion"] = json!("success"));
    let words = world.records(&comment("carol", &revoke()));
    assert!(words.contains("`carol` revoked"), "{words}");
    assert!(world.server.requests().contains(&"POST /actions/runs/55/rerun".to_owned()));
    let actions: Vec<Action> =
        world.log().records().iter().map(|record| record.entry.action).collect();
    assert_eq!(actions, [Action::Approve, Action::Revoke]);
    world.records(&comment("bob", &approve()));
    assert_eq!(world.log().records().len(), 3);
}

#[test]
fn a_faster_record_is_kept_and_ours_stands_on_it() {
    let world = world(&DRIFTED);
    world.records(&comment("carol", &approve()));
    let carols = world.log();
    world.server.breaks("PATCH", "/git/refs/heads/cellgate-approvals", 2, {
        Kind::Reply(Reply::refusal(422, "Update is not a fast forward"))
    });
    world.records(&comment("bob", &approve()));
    assert!(world.log().extends(&carols));
    assert_eq!(world.log().records().len(), 2);
    // A lost answer adds no second record.
    world.server.breaks("PATCH", "/git/refs/heads/cellgate-approvals", 1, Kind::CutAfter);
    world.records(&comment("alice", &approve()));
    assert_eq!(world.log().records().len(), 3);
}

#[test]
fn a_broken_log_is_not_written_on() {
    let world = world(&DRIFTED);
    world.records(&comment("carol", &approve()));
    let text = String::from_utf8(world.log().as_bytes().to_vec()).unwrap();
    let broken = text.replace("\"who\":\"carol\"", "\"who\":\"car ol\"");
    world.state(|state| {
        state.put(BRANCH, FILE, broken.as_bytes());
        state.seen.clear();
    });
    for body in [approve(), revoke()] {
        let answer = world.say(&comment("bob", &body)).unwrap();
        assert!(matches!(&answer, Answer::Refused { why } if why.contains("line 1")), "{answer:?}");
    }
    let log = world.state(|state| state.file(BRANCH, FILE).unwrap().to_vec());
    assert_eq!(log, broken.as_bytes());
}

#[test]
fn a_gate_that_cannot_be_run_again_is_told() {
    let world = world(&DRIFTED);
    let refusal = Reply::refusal(403, "Resource not accessible by integration");
    world.server.breaks("POST", "/rerun-failed-jobs", usize::MAX, Kind::Reply(refusal));
    let words = world.records(&comment("bob", &approve()));
    assert!(words.contains("do it by hand") && words.contains("actions: write"), "{words}");
    assert_eq!(world.log().records().len(), 1);
}

#[test]
fn a_failure_of_github_leaves_no_record_and_says_so() {
    let world = world(&DRIFTED);
    world.server.breaks("POST", "/git/blobs", usize::MAX, Kind::Reply(Reply::empty(502)));
    let error = world.say(&comment("bob", &approve())).unwrap_err();
    assert!(error.to_string().contains("not in the log"), "{error}");
    assert_eq!(world.reactions(), ["eyes", "confused"]);
    assert_eq!(world.log().records().len(), 0);
}

/// Runs the command in a step of a workflow.
fn step(world: &World, name: &str, body: &str) -> Told {
    let payload = json!({
        "action": "created", "repository": {"full_name": "octo/toy"}, "sender": {"login": "bob"},
        "issue": {"number": 7, "pull_request": {"url": "x"}},
        "comment": {"id": 3, "body": body, "user": {"login": "bob"}},
    });
    let folder = TestFolder::new();
    folder.write("event.json", payload.to_string().as_bytes());
    let mut command = cellgate(folder.folder.path());
    command.args(["approve", "--comment", "--format", "json", "--artifact", ""]);
    command.env("GITHUB_API_URL", &world.server.address).env("GITHUB_TOKEN", "ghs_secret");
    command.env("GITHUB_REPOSITORY", "octo/toy").env("GITHUB_EVENT_NAME", name);
    command.env("GITHUB_EVENT_PATH", folder.path("event.json")).env("GITHUB_ACTIONS", "true");
    Told::of(command.output().unwrap())
}

#[test]
fn the_command_answers_in_a_workflow() {
    let world = world(&DRIFTED);
    let state = |output: &Told| {
        let document: serde_json::Value = serde_json::from_str(&output.out).unwrap();
        document["state"].as_str().unwrap().to_owned()
    };
    let output = step(&world, "issue_comment", "thank you");
    assert_eq!((output.code, state(&output).as_str()), (0, "not-for-us"), "{}", output.err);
    let output = step(&world, "issue_comment", "/cellgate approve 0123456789ab x");
    assert_eq!((output.code, state(&output).as_str()), (13, "refused"), "{}", output.err);
    let output = step(&world, "issue_comment", &approve());
    assert_eq!((output.code, state(&output).as_str()), (0, "recorded"), "{}", output.err);
    assert_eq!(world.log().records().len(), 1);
    assert_eq!(step(&world, "schedule", "").code, 2);
}
