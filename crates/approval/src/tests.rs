//! Tests: chains that hold and chains that were edited; who has approved what, and what is missing.

use super::*;
use cellgate_core::digest::Digest;
use cellgate_inputs::project::ApprovalPolicy;
use proptest::prelude::*;

fn digest(text: &str) -> Digest {
    Digest::of_bytes(text.as_bytes())
}

fn binding(params: &str, policy: &str) -> Binding {
    let profile = |name: &str, params: Option<&str>| ProfileBinding {
        name: name.to_owned(),
        params_digest: params.map(digest),
        dataset_digest: Some(digest("six fields")),
    };
    Binding {
        profiles: vec![profile("dapi", Some(params)), profile("old", None)],
        policy_digest: digest(policy),
        engine_fingerprint: digest("engine"),
    }
}

fn entry(action: Action, who: &str, params: &str) -> Entry {
    Entry {
        action,
        binding: binding(params, "policy"),
        report_digest: digest(params),
        commit: Some("4f1d".repeat(10)),
        pull_request: Some(12),
        who: who.to_owned(),
        permission: Permission::Write,
        author: Some("grace".to_owned()),
        why: format!("{who} has looked at “{params}”"),
        when: Timestamp::from_unix(1_767_225_600),
    }
}

fn approve(who: &str, params: &str) -> Entry {
    entry(Action::Approve, who, params)
}

fn revoke(who: &str, params: &str) -> Entry {
    entry(Action::Revoke, who, params)
}

fn log(entries: Vec<Entry>) -> Log {
    let mut log = Log::default();
    for entry in entries {
        log.append(entry).unwrap();
    }
    log
}

const POLICY: fn() -> ApprovalPolicy =
    || ApprovalPolicy { permission: "write".to_owned(), allow_author: true, count: 1 };

#[track_caller]
fn check(entries: Vec<Entry>, policy: &ApprovalPolicy, expected: &str) -> ApprovalStatus {
    let log = log(entries);
    let binding = binding("b", "policy");
    let status = log.verdict_for(&binding.subject("dapi"), policy, None);
    assert_eq!(status.as_str(), expected, "{status:?}");
    assert_eq!(status.is_approved(), expected == "approved");
    status
}

#[test]
fn a_log_is_read_back_as_written() {
    let log = log(vec![approve("ada", "a"), revoke("ada", "a"), approve("ada", "b")]);
    let parsed = Log::parse(log.as_bytes()).unwrap();
    assert_eq!(parsed, log);
    assert_eq!(parsed.records()[2].entry, approve("ada", "b"));
    assert_eq!(parsed.records()[0].previous, Digest::ZERO);
    let lines: Vec<&[u8]> = log.as_bytes().split(|byte| *byte == b'\n').collect();
    assert_eq!(parsed.records()[2].previous, Digest::of_bytes(lines[1]));
    assert_eq!(log.head(), Digest::of_bytes(lines[2]));
    assert_eq!(Log::parse(b"").unwrap(), Log::default());
}

#[test]
fn a_record_is_written_in_canonical_form() {
    let log = log(vec![approve("ada", "a")]);
    let text = String::from_utf8(log.as_bytes().to_vec()).unwrap();
    assert!(
        text.starts_with("{\"action\":\"approve\",\"author\":\"grace\",\"binding\":{"),
        "{text}"
    );
    assert!(text.contains(&format!("\"previous\":\"{}\"", "0".repeat(64))), "{text}");
    assert!(text.contains("\"params_digest\":null"), "{text}");
    assert!(text.ends_with("\"why\":\"ada has looked at “a”\"}\n"), "{text}");
}

/// Expects a log to be refused at a line, for a reason that contains a text.
#[track_caller]
fn check_err(bytes: &[u8], line: usize, says: &str) {
    let error = Log::parse(bytes).unwrap_err();
    assert_eq!(error.line, line, "{error}");
    assert!(error.to_string().contains(says), "{error}");
}

#[test]
fn every_way_to_be_wrong_is_told_with_its_line() {
    let log = log(vec![approve("ada", "a"), approve("bob", "b"), approve("cid", "c")]);
    let text = String::from_utf8(log.as_bytes().to_vec()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let join = |order: &[usize]| {
        order.iter().map(|index| format!("{}\n", lines[*index])).collect::<String>()
    };
    let edit = |from: &str, to: &str| text.replacen(from, to, 1);
    check_err(join(&[1, 2]).as_bytes(), 1, "the log was edited");
    check_err(join(&[0, 2]).as_bytes(), 2, "the log was edited");
    check_err(join(&[0, 2, 1]).as_bytes(), 2, "the log was edited");
    check_err(join(&[0, 1, 1]).as_bytes(), 3, "the log was edited");
    check_err(text.trim_end().as_bytes(), 3, "does not end with a line break");
    check_err(format!("{text}\n").as_bytes(), 4, "not a record");
    check_err(edit("bob has", "eve has").as_bytes(), 3, "the log was edited");
    check_err(edit("\"action\":\"approve\"", "\"action\": \"approve\"").as_bytes(), 1, "canonical");
    check_err(edit("“a”", "\\u201ca”").as_bytes(), 1, "canonical");
    check_err(edit("approval/v1", "approval/v2").as_bytes(), 1, "newer than");
    check_err(edit("approval/v1", "approval/v0").as_bytes(), 1, "no longer read");
    check_err(
        edit("approval/v1", "report/v1").as_bytes(),
        1,
        "follows schema `cellgate/report/v1`",
    );
    check_err(edit("\"who\"", "\"whom\"").as_bytes(), 1, "unknown field");
    check_err(edit("\"who\":\"ada\"", "\"who\":\"a da\"").as_bytes(), 1, "`who` is not");
    check_err(edit("\"who\":\"ada\"", "\"who\":\"-oX\"").as_bytes(), 1, "`who` is not");
    check_err(
        edit("\"permission\":\"write\"", "\"permission\":\"god\"").as_bytes(),
        1,
        "permission",
    );
    check_err(edit("2026-01-01T", "2026-31-01T").as_bytes(), 1, "`when` is not");
    check_err(edit("ada has", "a\\u202eda has").as_bytes(), 1, "`why` is not");
    check_err(edit("\"pull_request\":12", "\"pull_request\":0").as_bytes(), 1, "pull_request");
    check_err(edit("\"pull_request\":12", "\"pull_request\":1.5").as_bytes(), 1, "not a record");
    check_err(edit("\"commit\":\"4f1d", "\"commit\":\"4F1d").as_bytes(), 1, "`commit` is not");
    check_err(edit("\"name\":\"old\"", "\"name\":\"dapi\"").as_bytes(), 1, "`binding` is not");
    check_err(b"\xff\n", 1, "not a record");
    check_err(b"[[[[[[\n", 1, "not a record");
    check_err(&[vec![b' '; MAX_LINE_BYTES + 1], vec![b'\n']].concat(), 1, "bytes");
    check_err(&vec![b'\n'; MAX_BYTES + 1], 1, "more than");
}

#[test]
fn nothing_malformed_is_appended() {
    let mut log = log(vec![approve("ada", "a")]);
    let original = log.clone();
    let malformed = [
        Entry { why: String::new(), ..approve("ada", "b") },
        Entry { why: "two\nlines".to_owned(), ..approve("ada", "b") },
        Entry { why: "x".repeat(MAX_WHY_CHARS + 1), ..approve("ada", "b") },
        Entry { who: "a, b".to_owned(), ..approve("ada", "b") },
        Entry { commit: Some("main".to_owned()), ..approve("ada", "b") },
        Entry {
            binding: Binding { profiles: Vec::new(), ..binding("b", "policy") },
            ..approve("ada", "b")
        },
    ];
    for entry in malformed {
        let error = log.append(entry).map(|_| ()).unwrap_err();
        assert_eq!(error.line, 2, "{error}");
        assert_eq!(log, original);
    }
}

#[test]
fn a_shorter_or_other_log_extends_nothing() {
    let first = log(vec![approve("ada", "a")]);
    let second = log(vec![approve("ada", "a"), approve("bob", "b")]);
    let other = log(vec![approve("eve", "a"), approve("bob", "b")]);
    assert!(second.extends(&first) && first.extends(&first) && first.extends(&Log::default()));
    assert!(!first.extends(&second) && !other.extends(&first));
    assert!(second.extends_head(first.head()) && second.extends_head(Digest::ZERO));
    assert!(!first.extends_head(second.head()) && !other.extends_head(first.head()));
}

#[test]
fn exactly_what_was_approved_passes() {
    let ApprovalStatus::Approved { by } = check(vec![approve("ada", "b")], &POLICY(), "approved")
    else {
        panic!("not approved");
    };
    assert_eq!((by[0].who.as_str(), by[0].pull_request), ("ada", Some(12)));
    check(vec![], &POLICY(), "missing");
    let entry = Entry { commit: None, report_digest: digest("other"), ..approve("ada", "b") };
    check(vec![entry], &POLICY(), "approved");
}

#[test]
fn other_digests_are_stale_and_told_side_by_side() {
    let ApprovalStatus::Stale { nearest, differences } =
        check(vec![approve("ada", "a")], &POLICY(), "stale")
    else {
        panic!("not stale");
    };
    assert_eq!(nearest.who, "ada");
    assert_eq!(differences.len(), 1);
    let (approved, present) = (digest("a").short(), digest("b").short());
    let expected = format!("params digest {approved} was approved, {present} is there");
    assert_eq!(differences[0].to_string(), expected);
    let differing_parts = |change: &dyn Fn(&mut Binding)| {
        let mut entry = approve("ada", "b");
        change(&mut entry.binding);
        let ApprovalStatus::Stale { differences, .. } = check(vec![entry], &POLICY(), "stale")
        else {
            panic!("not stale");
        };
        differences.iter().map(|difference| difference.part).collect::<Vec<_>>()
    };
    assert_eq!(differing_parts(&|binding| binding.policy_digest = digest("x")), [Part::Policy]);
    assert_eq!(
        differing_parts(&|binding| binding.engine_fingerprint = digest("x")),
        [Part::Engine]
    );
    assert_eq!(
        differing_parts(&|binding| binding.profiles[0].dataset_digest = None),
        [Part::Dataset]
    );
    assert_eq!(
        differing_parts(&|binding| binding.profiles[0].params_digest = None),
        [Part::Params]
    );
}

#[test]
fn the_nearest_approval_is_the_one_told() {
    let policy = Entry { binding: binding("b", "old policy"), ..approve("bob", "b") };
    let farther = Entry { binding: binding("a", "old policy"), ..approve("cid", "a") };
    let ApprovalStatus::Stale { nearest, differences } =
        check(vec![policy, farther], &POLICY(), "stale")
    else {
        panic!("not stale");
    };
    assert_eq!((nearest.who.as_str(), differences[0].part), ("bob", Part::Policy));
}

#[test]
fn a_revocation_takes_back_and_a_later_approval_counts_again() {
    check(vec![approve("ada", "b"), revoke("bob", "b")], &POLICY(), "revoked");
    check(vec![approve("ada", "b"), revoke("bob", "a")], &POLICY(), "approved");
    check(
        vec![approve("ada", "b"), revoke("bob", "b"), approve("cid", "b")],
        &POLICY(),
        "approved",
    );
    check(
        vec![approve("ada", "b"), revoke("bob", "b"), approve("ada", "b"), revoke("ada", "b")],
        &POLICY(),
        "revoked",
    );
    check(vec![revoke("bob", "b"), approve("ada", "b")], &POLICY(), "approved");
}

#[test]
fn people_count_once_each() {
    let policy = ApprovalPolicy { count: 2, ..POLICY() };
    check(vec![approve("ada", "b")], &policy, "too-few");
    check(vec![approve("ada", "b"), approve("Ada", "b")], &policy, "too-few");
    check(vec![approve("ada", "b"), approve("bob", "b")], &policy, "approved");
    check(vec![approve("ada", "b"), approve("bob", "a")], &policy, "too-few");
    check(vec![approve("ada", "b"), revoke("cid", "b"), approve("bob", "b")], &policy, "too-few");
}

#[test]
fn an_author_counts_where_the_policy_allows_it() {
    let policy = ApprovalPolicy { allow_author: false, ..POLICY() };
    check(vec![approve("grace", "b")], &POLICY(), "approved");
    check(vec![approve("Grace", "b")], &policy, "by-author");
    check(vec![approve("grace", "b"), approve("ada", "b")], &policy, "approved");
    let entry = Entry { author: None, ..approve("grace", "b") };
    let log = log(vec![entry]);
    let binding = binding("b", "policy");
    let verdict = |author| log.verdict_for(&binding.subject("dapi"), &policy, author);
    assert!(verdict(None).is_approved());
    assert_eq!(verdict(Some("grace")).as_str(), "by-author");
}

#[test]
fn a_low_permission_does_not_count() {
    let policy = ApprovalPolicy { permission: "maintain".to_owned(), ..POLICY() };
    let approval = |permission| Entry { permission, ..approve("ada", "b") };
    check(vec![approval(Permission::Write)], &policy, "permission-too-low");
    check(vec![approval(Permission::Maintain)], &policy, "approved");
    check(vec![approval(Permission::Write), approval(Permission::Admin)], &policy, "approved");
    check(vec![approval(Permission::Read)], &POLICY(), "permission-too-low");
    let policy = ApprovalPolicy { permission: "anybody".to_owned(), ..POLICY() };
    check(vec![approval(Permission::Maintain)], &policy, "permission-too-low");
}

#[test]
fn a_deleted_profile_is_approved_as_deleted() {
    let log = log(vec![approve("ada", "b")]);
    let binding = binding("b", "policy");
    assert!(log.verdict_for(&binding.subject("old"), &POLICY(), None).is_approved());
    assert_eq!(log.verdict_for(&binding.subject("new"), &POLICY(), None), ApprovalStatus::Missing);
}

#[test]
fn the_engine_approved_last_is_known_from_the_log() {
    let engine = |name: &str, who: &str| {
        let mut entry = approve(who, name);
        entry.binding.engine_fingerprint = digest(name);
        entry
    };
    let last_engine = |entries, policy: &ApprovalPolicy| log(entries).approved_engine(policy);
    assert_eq!(last_engine(vec![], &POLICY()), None);
    let entries = vec![engine("e1", "ada"), engine("e2", "ada")];
    assert_eq!(last_engine(entries.clone(), &POLICY()), Some(digest("e2")));
    assert_eq!(last_engine(entries, &ApprovalPolicy { count: 2, ..POLICY() }), None);
    let mut revocation = engine("e2", "bob");
    revocation.action = Action::Revoke;
    let entries = vec![engine("e1", "ada"), engine("e2", "ada"), revocation];
    assert_eq!(last_engine(entries, &POLICY()), Some(digest("e1")));
}

#[test]
fn a_report_is_named_by_its_first_digits() {
    let log = log(vec![approve("ada", "a"), approve("bob", "b"), approve("cid", "b")]);
    let prefix = |text: &str| text.parse::<DigestPrefix>();
    let known = prefix(&digest("b").short()).unwrap();
    assert_eq!(log.report(&known).unwrap(), (digest("b"), &binding("b", "policy")));
    let unknown = prefix(&digest("c").short()).unwrap();
    assert_eq!(log.report(&unknown), Err(NamesNoReport::None));
    for text in ["", "abc", &"a".repeat(65), "ABCDEFABCDEF", "0123456789ag"] {
        assert!(prefix(text).is_err(), "{text}");
    }
}

#[test]
fn two_bindings_differ_by_profile_and_in_common() {
    let (mut first, second) = (binding("a", "p"), binding("b", "q"));
    assert_eq!(first.differences(&first), []);
    let texts: Vec<String> = first.differences(&second).iter().map(ToString::to_string).collect();
    assert!(texts[0].starts_with("`dapi`: params digest "), "{texts:?}");
    assert!(texts[1].starts_with("policy digest "), "{texts:?}");
    // A profile that is neither there nor tried is as good as not named.
    first.profiles[1].dataset_digest = None;
    let reduced = Binding { profiles: vec![first.profiles[0].clone()], ..first.clone() };
    assert_eq!(first.differences(&reduced), []);
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let entry = (any::<bool>(), 0..3usize, 0..3usize).prop_map(|(approves, who, params)| {
        let (who, params) = (["ada", "bob", "cid"][who], ["a", "b", "c"][params]);
        if approves { approve(who, params) } else { revoke(who, params) }
    });
    prop::collection::vec(entry, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_edited_byte_is_noticed(entries in entries(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let log = log(entries);
        let mut bytes = log.as_bytes().to_vec();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        let last_line = log.as_bytes()[..log.as_bytes().len() - 1].iter().rposition(|b| *b == b'\n');
        match Log::parse(&bytes) {
            Err(_) => {}
            // The last line may be another record of the right form; whoever saw it before knows.
            Ok(edited) => {
                prop_assert!(last_line.is_none_or(|line| line < at));
                prop_assert!(!edited.extends(&log) && !edited.extends_head(log.head()));
            }
        }
    }

    #[test]
    fn a_cut_is_noticed(entries in entries(), at in any::<prop::sample::Index>()) {
        let log = log(entries);
        let cut = &log.as_bytes()[..at.index(log.as_bytes().len())];
        let is_whole_lines = cut.is_empty() || cut.ends_with(b"\n");
        match Log::parse(cut) {
            Err(_) => prop_assert!(!is_whole_lines),
            Ok(shorter) => prop_assert!(is_whole_lines && log.extends(&shorter) && !shorter.extends(&log)),
        }
    }

    #[test]
    fn the_last_word_on_a_state_decides(entries in entries()) {
        let log = log(entries.clone());
        for params in ["a", "b", "c"] {
            let binding = binding(params, "policy");
            let last_entry = entries.iter().rev().find(|entry| entry.binding == binding);
            let status = log.verdict_for(&binding.subject("dapi"), &POLICY(), None);
            let expected = last_entry.is_some_and(|entry| entry.action == Action::Approve);
            prop_assert_eq!(status.is_approved(), expected, "{:?}", status);
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Log::parse(&bytes);
    }
}
