//! Files fetched from a real server on this machine: cut, wrong, too large, led astray, late.

use crate::file_server::{Answer, FileServer};
use crate::network::with_network;
use crate::repository::Repository;
use crate::tiny_network::{Model, brighter_than, card};
use cellgate_core::digest::Digest;
use cellgate_github::fetch::{FetchError, Fetched, Fetcher, Limits, Wanted};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// Limits that a test can wait for.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(5),
    idle: Duration::from_millis(300),
    whole: Duration::from_secs(20),
    pause: Duration::from_millis(5),
};

fn content() -> Vec<u8> {
    (0..300_000_u32).map(|index| (index % 251) as u8).collect()
}

fn wanted_file(server: &FileServer, folder: &Path) -> Wanted {
    let content = content();
    Wanted {
        address: server.url("file.bin").parse().unwrap(),
        sha256: Digest::of_bytes(&content),
        max_bytes: content.len() as u64,
        path: folder.join("deep/file.bin"),
    }
}

fn fetch(wanted: &Wanted) -> Result<Fetched, FetchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fetcher = Fetcher::new(LIMITS).unwrap();
    runtime.block_on(fetcher.fetch(wanted))
}

/// Names in the folder that files are fetched to.
fn file_names(folder: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path().join("deep")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_file_is_brought_once() {
    let server = FileServer::start(|_, _| Answer::file(&content()));
    let folder = tempfile::tempdir().unwrap();
    let file = wanted_file(&server, folder.path());
    assert_eq!(fetch(&file).unwrap(), Fetched::Brought(300_000));
    assert_eq!(fetch(&file).unwrap(), Fetched::Known);
    assert_eq!(std::fs::read(&file.path).unwrap(), content());
    assert_eq!((file_names(&folder), server.requests().len()), (vec!["file.bin".to_owned()], 1));
}

#[test]
fn a_cut_download_goes_on_where_it_ended() {
    let server = FileServer::start(|request, _| match request.from {
        None => Answer::file(&content()).cut_after(100_000),
        Some(from) => Answer::rest(&content(), from).cut_after(100_000.min(300_000 - from)),
    });
    let folder = tempfile::tempdir().unwrap();
    let file = wanted_file(&server, folder.path());
    assert_eq!(fetch(&file).unwrap(), Fetched::Brought(300_000));
    assert_eq!(server.ranges(), [None, Some(100_000), Some(200_000)]);
}

#[test]
fn a_later_run_goes_on_and_nothing_half_is_ever_in_its_place() {
    let server = FileServer::start(|request, before| match (request.from, before) {
        (None, _) => Answer::file(&content()).cut_after(150_000),
        (Some(_), ..7) => Answer::status(503),
        (Some(from), _) => Answer::rest(&content(), from),
    });
    let folder = tempfile::tempdir().unwrap();
    let file = wanted_file(&server, folder.path());
    let error = fetch(&file).unwrap_err();
    assert!(matches!(error, FetchError::Lost { attempts: 6, .. }), "{error}");
    assert!(!file.path.exists() && file_names(&folder).len() == 1);
    // The next run asks twice: once it is refused, once it is served.
    assert_eq!(fetch(&file).unwrap(), Fetched::Brought(150_000));
    assert_eq!(std::fs::read(&file.path).unwrap(), content());
}

#[test]
fn a_server_without_ranges_and_a_file_that_changed_are_begun_anew() {
    let server = FileServer::start(|_, before| match before {
        0 => Answer::file(&content()).cut_after(10),
        _ => Answer::file(&content()),
    });
    let folder = tempfile::tempdir().unwrap();
    let first = wanted_file(&server, folder.path());
    assert_eq!(fetch(&first).unwrap(), Fetched::Brought(300_010));

    let server = FileServer::start(|request, _| match request.from {
        None => Answer::file(&content()),
        Some(from) => Answer::rest(&content(), from),
    });
    let folder = tempfile::tempdir().unwrap();
    let second = wanted_file(&server, folder.path());
    std::fs::create_dir(folder.path().join("deep")).unwrap();
    let part = format!(".file.bin.{}.part", second.sha256.short());
    std::fs::write(folder.path().join("deep").join(part), b"of an older file").unwrap();
    fetch(&second).unwrap();
    assert_eq!(std::fs::read(&second.path).unwrap(), content());
    assert_eq!(server.ranges(), [Some(16), None]);
}

/// Expects a refusal that asks so often and leaves nothing behind.
#[track_caller]
fn expect_refusal(
    answer: impl Fn(&FileServer) -> Answer + Send + Sync + 'static,
    n_requests: usize,
    is_expected: impl Fn(&FetchError) -> bool,
) {
    let own = std::sync::Arc::new(std::sync::OnceLock::<FileServer>::new());
    let inner = std::sync::Arc::clone(&own);
    let server = FileServer::start(move |_, _| match inner.get() {
        Some(server) => answer(server),
        None => Answer::status(500),
    });
    let server = own.get_or_init(|| server);
    let folder = tempfile::tempdir().unwrap();
    let file = wanted_file(server, folder.path());
    let error = fetch(&file).unwrap_err();
    assert!(is_expected(&error), "{error}");
    assert_eq!(server.requests().len(), n_requests, "{error}");
    assert!(!file.path.exists());
}

#[test]
fn what_cannot_be_right_is_refused() {
    let missing = |_: &FileServer| Answer::status(404);
    expect_refusal(missing, 1, |e| matches!(e, FetchError::Refused { status: 404, .. }));
    let other = |_: &FileServer| Answer::file(b"something else");
    expect_refusal(other, 1, |e| matches!(e, FetchError::Digest { .. }));
    let larger = |_: &FileServer| Answer::file(&[content(), vec![0]].concat());
    expect_refusal(larger, 1, |e| matches!(e, FetchError::TooLarge { max_bytes: 300_000, .. }));
    let around = |server: &FileServer| Answer::redirect(&server.url("again"));
    expect_refusal(around, 6, |e| matches!(e, FetchError::Redirected { .. }));
    let outside = |_: &FileServer| Answer::redirect("http://example.org/file.bin");
    expect_refusal(outside, 1, |e| matches!(e, FetchError::Redirected { .. }));
}

#[test]
fn an_answer_that_never_comes_is_given_up() {
    let late = |_: &FileServer| Answer::file(&content()).with_delay(Duration::from_secs(2));
    expect_refusal(late, 6, |e| matches!(e, FetchError::Lost { attempts: 6, .. }));
}

#[test]
fn a_redirect_is_followed_and_another_file_in_the_place_is_left_alone() {
    let server = FileServer::start(|request, _| match request.path.as_str() {
        "/file.bin" => Answer::redirect("/there"),
        _ => Answer::file(&content()),
    });
    let folder = tempfile::tempdir().unwrap();
    let file = wanted_file(&server, folder.path());
    assert_eq!(fetch(&file).unwrap(), Fetched::Brought(300_000));
    std::fs::write(&file.path, "mine").unwrap();
    assert!(matches!(fetch(&file).unwrap_err(), FetchError::Taken(_)));
    assert_eq!(std::fs::read(&file.path).unwrap(), b"mine");
}

#[test]
fn a_dataset_is_pulled_by_its_manifest() {
    let repository = Repository::with_project();
    let images = repository.path("datasets/nuclei");
    let originals = repository.path("served");
    std::fs::rename(&images, &originals).unwrap();
    let served = originals.clone();
    let server = FileServer::start(move |request, _| {
        let path = served.join(request.path.trim_start_matches("/data/"));
        std::fs::read(path).map_or(Answer::status(404), |bytes| Answer::file(&bytes))
    });
    let manifest = std::fs::read_to_string(originals.join("dataset.yaml")).unwrap();
    let url = format!("url: {}\nfields:", server.url("data/"));
    repository.write("datasets/nuclei/dataset.yaml", &manifest.replacen("fields:", &url, 1));
    let output = repository.run(&["dataset", "pull", "--quiet"]);
    assert_eq!(output.code, 0, "{}", output.err);
    assert!(output.out.starts_with("12 files fetched"), "{}", output.out);
    assert_eq!(repository.run(&["dataset", "check", "datasets/nuclei"]).code, 0);
    let again = repository.run(&["dataset", "pull", "datasets/nuclei"]);
    assert!(again.out.starts_with("0 files fetched"), "{}", again.out);
    std::fs::remove_file(repository.path("datasets/nuclei/original/fluorescence-1.png")).unwrap();
    std::fs::remove_file(originals.join("original/fluorescence-1.png")).unwrap();
    let output = repository.run(&["dataset", "pull"]);
    assert_eq!(output.code, 1);
    assert!(output.err.contains("status 404"), "{}", output.err);
}

#[test]
fn weights_without_an_address_are_told() {
    let repository = with_network();
    repository.remove("models/tiny.safetensors");
    let output = repository.run(&["dataset", "pull"]);
    assert_eq!(output.code, 1, "{}", output.out);
    assert!(output.err.contains("model tiny") && output.err.contains("no `url`"), "{}", output.err);
}

#[test]
fn weights_are_pulled_by_their_card_for_head_and_for_base() {
    let models = [0.4, 0.401].map(brighter_than);
    let served = models.each_ref().map(|model| model.bytes.clone());
    let server = FileServer::start(move |request, _| match request.path.as_str() {
        "/base" => Answer::file(&served[0]),
        "/head" => Answer::file(&served[1]),
        _ => Answer::status(404),
    });
    let repository = with_network();
    repository.git(&["rm", "--quiet", "--cached", "models/tiny.safetensors"]);
    repository.remove("models/tiny.safetensors");
    let card_of = |model: &Model, path: &str| card(model, Some(server.url(path)), 0.9);
    repository.write("models/tiny.card.json", &card_of(&models[0], "base"));
    repository.commit("weights stay outside");
    let (base, head) = (models[0].sha256.to_string(), models[1].sha256.to_string());
    repository.edit("params/culture.yaml", &base, &head);
    repository.write("models/tiny.card.json", &card_of(&models[1], "head"));
    let output = repository.run(&["dataset", "pull", "--base", "HEAD"]);
    assert_eq!(output.code, 0, "{}", output.err);
    assert!(output.out.starts_with("2 files fetched"), "{}", output.out);
    assert_eq!(repository.run(&["validate"]).code, 0);
    repository.gate_in_full(&["--base", "HEAD"]).expect(0, "equivalent", &["accuracy-moved"]);
}
