//! Tests of releases: refusals, the digest that names a release, differences of two.

use super::*;
use cellgate_inputs::source::Source;
use proptest::prelude::*;

/// A package of texts; `program` is its engine.
pub(crate) fn package(sequence: u64, program: &str, extra: &[(&str, &str)]) -> Package {
    let manifest = Manifest {
        schema: SCHEMA.to_owned(),
        target_triple: format!("{}-unknown-linux-musl", std::env::consts::ARCH),
        sequence,
        commit: "0123abcd".to_owned(),
        engine_fingerprint: Digest::of_bytes(b"engine"),
        policy_digest: Digest::of_bytes(b"policy"),
        profiles: vec![ReleasedProfile {
            name: "p".to_owned(),
            path: "params/p.yaml".to_owned(),
            params_digest: Digest::of_bytes(b"params"),
            dataset_digest: None,
            rehearsal_digest: None,
        }],
        files: Vec::new(),
    };
    let text = |path: &str, mode, text: &str| Entry {
        path: path.to_owned(),
        mode,
        content: Content::Bytes(text.as_bytes().to_vec()),
    };
    let mut entries = vec![
        text(PROGRAM, Mode::Program, program),
        text(PROJECT, Mode::Data, "schema: cellgate/project/v1\n"),
        text(APPROVALS, Mode::Data, ""),
        text("params/p.yaml", Mode::Data, "schema: cellgate/profile/v1\n"),
    ];
    entries.extend(extra.iter().map(|(path, content)| text(path, Mode::Data, content)));
    Package::build(manifest, entries).unwrap()
}

fn sample() -> Manifest {
    (**package(1, "program", &[]).release()).clone()
}

#[track_caller]
fn assert_refused(change: impl FnOnce(&mut Manifest), says: &str) {
    let mut manifest = sample();
    change(&mut manifest);
    let error = Release::new(manifest).unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
}

#[test]
fn what_is_no_release_is_refused() {
    let at = |path: &'static str| move |m: &mut Manifest| m.files[0].path = path.to_owned();
    assert_refused(at("../approvals.jsonl"), "`../approvals.jsonl` has a part");
    assert_refused(at("shared/x"), "`shared/x` is outside the folders");
    assert_refused(at("bin/CELLGATE"), "is the same as `bin/");
    assert_refused(|m| m.files.clear(), "`bin/cellgate` is missing");
    assert_refused(
        |m| m.files.retain(|file| file.path != APPROVALS),
        "`approvals.jsonl` is missing",
    );
    assert_refused(|m| m.files[0].size = MAX_RELEASE_BYTES + 1, "too large");
    assert_refused(|m| m.files.iter_mut().for_each(|file| file.size = u64::MAX), "too large");
    assert_refused(|m| m.files[3].mode = Mode::Program, "outside `bin/` can be started");
    assert_refused(|m| m.profiles.clear(), "there is no profile");
    assert_refused(
        |m| m.profiles[0].path = "weights/p".to_owned(),
        "the file of a profile is missing",
    );
    assert_refused(|m| m.profiles.push(m.profiles[0].clone()), "two profiles have one name");
    assert_refused(|m| m.commit = "main; rm".to_owned(), "`commit`");
    assert_refused(|m| m.sequence = u64::MAX, "2^53");
    assert_refused(|m| m.schema = "cellgate/release/v2".to_owned(), "one version");
}

#[test]
fn a_release_reads_itself_and_nothing_else() {
    let release = Release::new(sample()).unwrap();
    assert_eq!(Release::parse(release.bytes()).unwrap(), release);
    let pretty = serde_json::to_vec_pretty(&*release).unwrap();
    assert!(matches!(Release::parse(&pretty), Err(ManifestError::NotCanonical)));
    let unknown =
        String::from_utf8(release.bytes().to_vec()).unwrap().replacen('{', "{\"a\":1,", 1);
    assert!(matches!(Release::parse(unknown.as_bytes()), Err(ManifestError::Syntax(_))));
}

#[test]
fn order_of_files_does_not_change_the_name() {
    let mut manifest = sample();
    manifest.files.reverse();
    assert_eq!(Release::new(manifest).unwrap().id(), Release::new(sample()).unwrap().id());
}

#[test]
fn a_difference_names_files_and_profiles() {
    let base = package(1, "program", &[("weights/a", "1"), ("weights/b", "1")]);
    let head = package(2, "program", &[("weights/b", "2"), ("weights/c", "1")]);
    let difference = Release::difference(Some(base.release()), head.release());
    let names = |name: &str| vec![name.to_owned()];
    assert_eq!(difference.added, names("weights/c"));
    assert_eq!(difference.removed, names("weights/a"));
    assert_eq!(difference.changed, names("weights/b"));
    assert!(difference.changed_profiles.is_empty() && !difference.is_other_engine);
    assert_eq!(Release::difference(None, head.release()).added_profiles, names("p"));
}

#[test]
fn parameters_differ_key_by_key() {
    let text = |sigma: &str| {
        let lines = "schema: cellgate/profile/v1\nname: p\nimage: {modality: he, working_pixel_size_um: 0.5}\n";
        Source::new("p.yaml", format!("{lines}smoothing: {{sigma_um: {sigma}}}\n"))
    };
    let changes = parameter_changes(&text("0.5"), &text("1")).unwrap();
    let found: Vec<_> = changes.iter().map(|one| (&*one.key, &*one.base, &*one.head)).collect();
    assert_eq!(found, [("smoothing.sigma_um", "0.5", "1")]);
}

proptest! {
    #[test]
    fn any_text_is_refused_or_stays_below_its_folder(path in "\\PC{0,40}") {
        if path::check(&path).is_ok() {
            prop_assert!(cellgate_inputs::revision::normalize(&path).as_deref() == Some(&*path));
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Release::parse(&bytes);
    }
}
