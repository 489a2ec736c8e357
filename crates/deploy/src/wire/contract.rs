//! Contract: the bytes of the protocol, which programs of other versions rely on, stay as they are.
//!
//! One frame for each thing that can be said is written, read back and compared with `contract.txt`:
//! its name, the sha256 of all its bytes, and its header. A line that changes or goes means that
//! other versions are not understood any more, so that [`NEWEST`] has to change with it. Only where a
//! name says `deflated` may the sha256 change alone: flate2 may find another form of the raw bytes,
//! as long as the former one is read.

use super::*;
use cellgate_core::digest::Digest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt::Debug;
use tokio::runtime::{Builder, Runtime};

/// Table of the frames as they were written before.
const TABLE: &str = include_str!("contract.txt");
/// Letters that JSON escapes, and letters that it may escape.
const TEXT: &str = "\"a\" \\ /<b>&\t\r\n\u{8}\u{c}\0\u{1b}[2Jµm² 核 🔬";

/// An enum whose every variant is in the table.
trait Named {
    const NAMES: &'static [&'static str];
    fn name(&self) -> &'static str;
}

/// Names the variants: one that is not here does not compile, and one that no frame has fails.
macro_rules! named {
    ($name:ident: $($variant:ident)+) => {
        impl Named for $name {
            const NAMES: &'static [&'static str] = &[$(stringify!($variant)),+];

            fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => stringify!($variant),)+
                }
            }
        }
    };
}

named!(Request: Ping Status Plan Lock Chunk Flush Stage SelfTest Switch Confirm Abort Prune Scrub
    Log Read);
named!(Base: Planned Active);
named!(Intent: Deploy Rollback);
named!(Reply: Pong Progress Status Plan Locked Flushed Staged Damaged SelfTested Pending Confirmed
    Aborted Pruned Scrubbed Log Content Refused);
named!(RefusalCode: Locked Pending Active Moved Replayed Preflight NotApproved Invalid Unknown
    Fenced Incomplete SelfTest RolledBack Stranded Protocol Failed Cancelled);

/// Raw bytes as they were deflated before: [`compressible_bytes`], 64 of them.
const DEFLATED_BEFORE: [u8; 30] = [
    149, 199, 33, 17, 0, 0, 8, 3, 192, 42, 171, 54, 177, 3, 4, 24, 214, 255, 200, 128, 124, 167,
    176, 108, 129, 193, 26, 248, 203, 3,
];

/// A message, what its name has behind the variant's, and its raw bytes.
type Said<T> = (&'static str, T, Vec<u8>);

fn message<T>(detail: &'static str, body: T) -> Said<T> {
    (detail, body, Vec::new())
}

fn digest(text: &str) -> Digest {
    Digest::of_bytes(text.as_bytes())
}

/// Bytes that get shorter.
fn compressible_bytes(n: usize) -> Vec<u8> {
    b"the same again ".iter().copied().cycle().take(n).collect()
}

/// Bytes that do not get shorter.
fn incompressible_bytes(n: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 24) as u8
    };
    (0..n).map(next).collect()
}

fn owner() -> Owner {
    Owner {
        who: TEXT.to_owned(),
        run_url: "https://github.com/lab/cells/actions/runs/1".to_owned(),
        machine: "runner-7".to_owned(),
    }
}

fn lock(base: Base, intent: Intent, owner: Owner) -> Request {
    Request::Lock { key: "lab-42-1".to_owned(), owner, release: digest("release"), base, intent }
}

fn requests() -> Vec<Said<Request>> {
    let nobody = Owner { who: String::new(), run_url: String::new(), machine: String::new() };
    let active = Base::Active(Some(digest("active")));
    let chunk = |size, offset| Request::Chunk { token: 7, sha256: digest("blob"), size, offset };
    vec![
        message("", Request::Ping),
        message("quick", Request::Status { verify: false }),
        message("verify", Request::Status { verify: true }),
        message("known", Request::Plan),
        ("plain-63", Request::Plan, compressible_bytes(63)),
        ("deflated-64", Request::Plan, compressible_bytes(64)),
        ("deflated-9999", Request::Plan, compressible_bytes(9_999)),
        message("planned", lock(Base::Planned, Intent::Deploy, owner())),
        message("none-active", lock(Base::Active(None), Intent::Deploy, nobody)),
        message("back", lock(active, Intent::Rollback, owner())),
        message("empty", chunk(0, 0)),
        ("plain-1", chunk(1, 0), vec![0xff]),
        ("plain-noise-64", chunk(64, 0), incompressible_bytes(64)),
        ("plain-noise-9999", chunk((1 << 20) + 9_999, 1 << 20), incompressible_bytes(9_999)),
        ("deflated-262144", chunk(262_144, 0), compressible_bytes(262_144)),
        ("plain-262145", chunk(262_145, 0), compressible_bytes(262_145)),
        ("plain-1048576", chunk(u64::MAX, u64::MAX << 20), incompressible_bytes(1 << 20)),
        message("", Request::Flush),
        message("", Request::Stage { token: 7 }),
        message("", Request::SelfTest { token: 7 }),
        message("", Request::Switch { token: 7, window_ms: 60_000 }),
        message("", Request::Confirm { token: u64::MAX }),
        message("", Request::Abort { token: 0, reason: TEXT.to_owned() }),
        message("", Request::Prune { keep: u32::MAX }),
        message("", Request::Scrub),
        message("", Request::Log { max: 20 }),
        message("", Request::Read { path: "params/he-tissue.yaml".to_owned() }),
    ]
}

fn missing() -> Vec<Missing> {
    vec![
        Missing { sha256: digest("blob"), size: (2 << 20) + 1, chunks: vec![0, 2] },
        Missing { sha256: digest("whole"), size: 0, chunks: vec![] },
    ]
}

fn damages() -> Vec<Damage> {
    ["bin/cellgate", "models/unet.safetensors"]
        .map(|path| Damage { path: path.to_owned(), what: TEXT.to_owned() })
        .to_vec()
}

fn refusal(code: RefusalCode) -> Refusal {
    let retry_ms = (code == RefusalCode::Locked).then_some(1_500);
    Refusal { code, message: TEXT.to_owned(), help: "try again".to_owned(), retry_ms }
}

fn empty_status() -> ServerStatus {
    ServerStatus {
        cellgate: "0.1.0".to_owned(),
        active: None,
        previous: None,
        good: vec![],
        sequence: 0,
        pending: None,
        lock: None,
        last_failure: None,
        stranded: None,
        damages: vec![],
        free_bytes: 0,
        journal_head: None,
        manifest: None,
    }
}

fn pending(base: Option<Digest>) -> PendingStatus {
    PendingStatus {
        release: digest("release"),
        base,
        key: "lab-42-1".to_owned(),
        token: 7,
        left_ms: 59_999,
    }
}

fn full_status() -> ServerStatus {
    ServerStatus {
        cellgate: "0.1.0".to_owned(),
        active: Some(digest("active")),
        previous: Some(digest("previous")),
        good: vec![digest("previous"), digest("active")],
        sequence: u64::MAX,
        pending: Some(pending(Some(digest("active")))),
        lock: Some(LockStatus { owner: owner(), age_ms: 12 }),
        last_failure: Some(TEXT.to_owned()),
        stranded: Some("the disk is full".to_owned()),
        damages: damages(),
        free_bytes: 1 << 40,
        journal_head: Some(digest("journal")),
        manifest: Some(r#"{"files":[],"sequence":3}"#.to_owned()),
    }
}

fn replies() -> Vec<Said<Reply>> {
    let first = ServerStatus { pending: Some(pending(None)), ..empty_status() };
    let status = |status| Reply::Status(Box::new(status));
    let empty_plan =
        Plan { active: None, is_active: false, missing: vec![], refusals: vec![], free_bytes: 0 };
    let full_plan = Plan {
        active: Some(digest("active")),
        is_active: true,
        missing: missing(),
        refusals: [RefusalCode::Locked, RefusalCode::Preflight].map(refusal).to_vec(),
        free_bytes: 1 << 40,
    };
    let releases = vec![digest("old"), digest("older")];
    let records = vec![r#"{"at":1}"#.to_owned(), TEXT.to_owned()];
    let mut replies = vec![
        message("", Reply::Pong),
        message("", Reply::Progress { step: "copying".to_owned(), done: 1, total: 0 }),
        message("empty", status(empty_status())),
        message("first", status(first)),
        message("full", status(full_status())),
        message("empty", Reply::Plan(empty_plan)),
        message("full", Reply::Plan(full_plan)),
        message("whole", Reply::Locked { token: 7, missing: vec![] }),
        message("missing", Reply::Locked { token: u64::MAX, missing: missing() }),
        message("", Reply::Flushed { n_chunks: 3 }),
        message("", Reply::Staged),
        message("", Reply::Damaged { missing: missing() }),
        message("", Reply::SelfTested { took_ms: 812 }),
        message("", Reply::Pending { left_ms: 60_000 }),
        message("", Reply::Confirmed { release: digest("release") }),
        message("none-active", Reply::Aborted { active: None }),
        message("active", Reply::Aborted { active: Some(digest("active")) }),
        message("none", Reply::Pruned { releases: vec![], n_blobs: 0, n_bytes: 0 }),
        message("some", Reply::Pruned { releases, n_blobs: 2, n_bytes: 1 << 40 }),
        message("whole", Reply::Scrubbed { n_bytes: 1 << 40, damages: vec![] }),
        message("damaged", Reply::Scrubbed { n_bytes: 0, damages: damages() }),
        message("none", Reply::Log { records: vec![] }),
        message("some", Reply::Log { records }),
        message("empty", Reply::Content),
        ("plain-63", Reply::Content, compressible_bytes(63)),
        ("deflated-64", Reply::Content, compressible_bytes(64)),
        ("plain-4194304", Reply::Content, compressible_bytes(4 << 20)),
    ];
    let codes = [
        ("locked", RefusalCode::Locked),
        ("pending", RefusalCode::Pending),
        ("active", RefusalCode::Active),
        ("moved", RefusalCode::Moved),
        ("replayed", RefusalCode::Replayed),
        ("preflight", RefusalCode::Preflight),
        ("not-approved", RefusalCode::NotApproved),
        ("invalid", RefusalCode::Invalid),
        ("unknown", RefusalCode::Unknown),
        ("fenced", RefusalCode::Fenced),
        ("incomplete", RefusalCode::Incomplete),
        ("self-test", RefusalCode::SelfTest),
        ("rolled-back", RefusalCode::RolledBack),
        ("stranded", RefusalCode::Stranded),
        ("protocol", RefusalCode::Protocol),
        ("failed", RefusalCode::Failed),
        ("cancelled", RefusalCode::Cancelled),
    ];
    replies.extend(codes.map(|(detail, code)| message(detail, Reply::Refused(refusal(code)))));
    replies
}

fn greeting() -> Greeting {
    Greeting {
        oldest: OLDEST,
        newest: NEWEST,
        cellgate: "0.1.0".to_owned(),
        platform: "x86_64-linux".to_owned(),
    }
}

fn bytes_of<T: Serialize>(header: &T, raw: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(&mut bytes, header, raw).unwrap();
    bytes
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// The header's text, taken out of a frame's bytes.
fn header_of(bytes: &[u8]) -> &str {
    let n = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
    str::from_utf8(&bytes[20..20 + n]).unwrap()
}

/// A line of the table, once both ways to write give the same and both ways to read give it back.
fn line_of<T>(name: &str, header: T, raw: Vec<u8>) -> String
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let (bytes, mut async_bytes) = (bytes_of(&header, &raw), Vec::new());
    runtime().block_on(write_frame_async(&mut async_bytes, &header, &raw)).unwrap();
    assert!(bytes == async_bytes, "{name}");
    let frame = Frame { header, raw };
    assert!(read_frame::<T>(&mut &*bytes).unwrap() == frame, "{name}");
    let read = runtime().block_on(read_frame_async::<T>(&mut &*bytes)).unwrap();
    assert!(read == frame, "{name}");
    let is_deflated = bytes[7] & 0x80 != 0;
    assert_eq!(is_deflated, name.contains("deflated"), "{name}");
    format!("{name} {} {}\n", Digest::of_bytes(&bytes), header_of(&bytes))
}

fn lines_of<T>(kind: &str, messages: Vec<Said<T>>) -> Vec<String>
where
    T: Named + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let line = |(detail, body, raw): Said<T>| {
        let dot = if detail.is_empty() { "" } else { "." };
        let name = format!("{kind}.{}{dot}{detail}", body.name());
        line_of(&name, Envelope { id: 42, body }, raw)
    };
    messages.into_iter().map(line).collect()
}

#[test]
fn every_frame_has_the_bytes_it_had() {
    let mut lines = vec![line_of("greeting", greeting(), vec![])];
    lines.push(line_of("id.least", Envelope { id: 0, body: Request::Ping }, vec![]));
    lines.push(line_of("id.most", Envelope { id: u64::MAX, body: Reply::Pong }, vec![]));
    lines.extend(lines_of("request", requests()));
    lines.extend(lines_of("reply", replies()));
    let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let names: BTreeSet<_> = lines.iter().map(|line| name(line)).collect();
    assert_eq!(names.len(), lines.len(), "two frames have the same name");
    let before: BTreeSet<_> = TABLE.split_inclusive('\n').collect();
    let now: BTreeSet<_> = lines.iter().map(String::as_str).collect();
    let others: BTreeSet<_> = before.symmetric_difference(&now).map(|line| name(line)).collect();
    assert!(TABLE == lines.concat(), "{others:?} differ; now it would be\n{}", lines.concat());
}

#[test]
fn every_variant_has_a_frame() {
    let (requests, replies) = (requests(), replies());
    assert_all_variants(requests.iter().map(|(_, request, _)| request));
    assert_all_variants(replies.iter().map(|(_, reply, _)| reply));
    let locks = requests.iter().filter_map(|(_, request, _)| match request {
        Request::Lock { base, intent, .. } => Some((base, intent)),
        _ => None,
    });
    assert_all_variants(locks.clone().map(|(base, _)| base));
    assert_all_variants(locks.map(|(_, intent)| intent));
    assert_all_variants(replies.iter().filter_map(|(_, reply, _)| match reply {
        Reply::Refused(refusal) => Some(&refusal.code),
        _ => None,
    }));
}

#[track_caller]
fn assert_all_variants<'a, T: Named + 'a>(variants: impl Iterator<Item = &'a T>) {
    let names: BTreeSet<_> = variants.map(T::name).collect();
    assert_eq!(names, T::NAMES.iter().copied().collect());
}

#[test]
fn a_conversation_begins_as_it_did() {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(bytes_of(&greeting(), &[]));
    let sha256 = "5ca3d8edc0b6515690ea70d36a92f2c4bc08a447c4f3938ff81af391372f9d5b";
    assert_eq!(Digest::of_bytes(&bytes).to_string(), sha256);
    let (mut own, mut async_own) = (Vec::new(), Vec::new());
    let opening = greet(&mut &*bytes, &mut own).unwrap();
    assert_eq!(opening, Opening { other: greeting(), version: 2, banner: String::new() });
    assert_eq!(runtime().block_on(greet_async(&mut &*bytes, &mut async_own)).unwrap(), opening);
    assert!(own == async_own);
    let (magic, mut own) = own.split_at(MAGIC.len());
    assert_eq!(magic, b"\0\xffcellgate-wire\n");
    let own = read_frame::<Greeting>(&mut own).unwrap().header;
    let sample = greeting();
    assert_eq!(
        Greeting { cellgate: sample.cellgate, platform: sample.platform, ..own },
        greeting()
    );
}

#[test]
fn bounds_are_what_they_were() {
    assert_eq!((OLDEST, NEWEST), (2, 2));
    assert_eq!((MAX_HEADER_BYTES, MAX_RAW_BYTES), (2_097_152, 4_194_304));
    assert_eq!((MAX_DEFLATED_BYTES, MAX_NOISE_BYTES), (262_144, 65_536));
    assert_eq!((CHUNK_BYTES, MAX_OWNER_CHARS), (1_048_576, 200));
}

/// The value once for each object in it, with a member there that nobody knows.
fn with_unknown_members(value: &Value) -> Vec<Value> {
    match value {
        Value::Object(members) => {
            let with_member = |key: &str, member: Value| {
                let mut members: Map<_, _> = members.clone();
                members.insert(key.to_owned(), member);
                Value::Object(members)
            };
            let within = members.iter().flat_map(|(key, member)| {
                with_unknown_members(member).into_iter().map(move |member| with_member(key, member))
            });
            within.chain([with_member("more", Value::Null)]).collect()
        }
        Value::Array(items) => {
            let within = items.iter().enumerate().flat_map(|(at, item)| {
                with_unknown_members(item).into_iter().map(move |item| {
                    let mut items = items.clone();
                    items[at] = item;
                    Value::Array(items)
                })
            });
            within.collect()
        }
        _ => vec![],
    }
}

#[test]
fn only_a_greeting_may_say_more() {
    let mut n_refused = 0;
    for line in TABLE.lines() {
        let mut columns = line.splitn(3, ' ');
        let (name, _, header) = (columns.next(), columns.next(), columns.next());
        let (name, header) = (name.unwrap(), header.unwrap());
        for more in with_unknown_members(&serde_json::from_str(header).unwrap()) {
            let bytes = bytes_of(&more, &[]);
            if name == "greeting" {
                assert_eq!(read_frame::<Greeting>(&mut &*bytes).unwrap().header, greeting());
                continue;
            }
            let request = read_frame::<Envelope<Request>>(&mut &*bytes);
            let reply = read_frame::<Envelope<Reply>>(&mut &*bytes);
            assert!(matches!(request, Err(WireError::Syntax(_))), "{name}: {more}");
            assert!(matches!(reply, Err(WireError::Syntax(_))), "{name}: {more}");
            n_refused += 1;
        }
    }
    assert!(TABLE.lines().count() < n_refused, "{n_refused}");
}

#[test]
fn what_was_deflated_before_is_read() {
    assert_eq!(raw::inflate(&DEFLATED_BEFORE).unwrap(), compressible_bytes(64));
}
