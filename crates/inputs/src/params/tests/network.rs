//! Tests of profiles that find nuclei with a network.

use super::*;
use cellgate_core::digest::Digest;
use cellgate_core::profile::Channel;

/// The lines of a network, with further keys of its section.
fn network(keys: &str) -> String {
    let weights = Digest::of_bytes(b"weights");
    let comma = if keys.is_empty() { "" } else { ", " };
    format!("method: unet\nunet: {{model: nuclei, weights_sha256: {weights}{comma}{keys}}}")
}

fn params(modality: &str, lines: &str) -> Params {
    read(&text_of(modality, lines)).unwrap().params
}

#[test]
fn a_network_of_two_keys_has_every_default() {
    let unet = |modality: &str| params(modality, &network("")).unet().cloned().unwrap();
    assert_eq!(unet("fluorescence").channels, [Channel::Gray; 3]);
    assert_eq!(unet("he").channels, [Channel::OdRed, Channel::OdGreen, Channel::OdBlue]);
    assert_eq!((unet("he").depth, unet("he").base_width), (4, 16));
    assert_eq!(unet("he").weights, Digest::of_bytes(b"weights"));
    assert_eq!(params("he", "").unet(), None);
}

#[test]
fn every_default_of_a_network_in_the_schema_is_the_one_applied() {
    let schema = schema();
    let keys = defaults_of(&schema["properties"]["unet"], |_| true);
    assert_eq!(keys.len(), 10, "{keys:?}");
    let explicit = params("he", &network(&keys.join(", ")));
    assert_eq!(explicit.digest(), params("he", &network("")).digest());
}

#[test]
fn keys_of_a_network_are_checked() {
    use Code::*;
    let check = |keys: &str, expected: &[(Code, Severity, &str)]| {
        check("he", &network(keys), expected);
    };
    check("base_width: 12", &[(WrongForm, ERROR, "12")]);
    check("base_width: 128", &[(OutOfRange, ERROR, "128")]);
    check("depth: 6", &[(OutOfRange, ERROR, "6")]);
    check("tile_px: 1000", &[(WrongForm, ERROR, "1000")]);
    check("channels: []", &[(TooManyItems, ERROR, "[]")]);
    check("channels: [od_red, gray]", &[(ChannelModality, ERROR, "gray")]);
    check("up_sampling: transpose", &[(UnknownValue, ERROR, "transpose")]);
    check("nucleus_treshold: 0.4", &[(UnknownKey, ERROR, "nucleus_treshold")]);
    check("h: 0.1, suppression: auto, suppression_um: 2", &[(UnitConflict, ERROR, "auto")]);
    check("suppression_um: 2, suppression_px: 2", &[(UnitConflict, ERROR, "2")]);
}

#[test]
fn a_network_needs_its_model_and_its_digest() {
    use Code::*;
    check("he", "method: unet", &[(MissingKey, ERROR, "unet")]);
    check("he", "method: unet\nunet: {model: nuclei}", &[(MissingKey, ERROR, "unet")]);
    check(
        "he",
        "method: unet\nunet: {model: ../nuclei, weights_sha256: abc}",
        &[(WrongForm, ERROR, "../nuclei"), (WrongForm, ERROR, "abc")],
    );
    check("he", "method: net", &[(UnknownValue, ERROR, "net")]);
}

#[test]
fn sections_of_the_other_method_have_no_effect() {
    let sections = ["detection", "background", "smoothing", "threshold", "split"];
    let lines = "detection: {channel: od_sum}\nbackground: {method: none}\n\
                 smoothing: {sigma_um: 9}\nthreshold: {k: 0.1}\nsplit: {h: 1}";
    let expected = sections.map(|section| (Code::KeyWithoutEffect, WARNING, section));
    let [method, unet] = [network(""), network("").replace("method: unet\n", "")];
    check("he", &format!("{method}\n{lines}"), &[&expected[..]].concat());
    check("he", &unet, &[(Code::KeyWithoutEffect, WARNING, "unet")]);
    let profile = params("he", &format!("{method}\n{lines}"));
    assert_eq!(profile.digest(), params("he", &method).digest());
    assert_eq!(params("he", &unet).digest(), params("he", "").digest());
}

#[test]
fn digests_see_the_weights_and_not_the_name_of_their_file() {
    let base = params("he", &network(""));
    let renamed = params("he", &network("").replace("nuclei", "other"));
    let [weights, others] =
        [b"weights" as &[u8], b"others"].map(|b| Digest::of_bytes(b).to_string());
    let retrained = params("he", &network("").replace(&weights, &others));
    assert_eq!(base.digest(), renamed.digest());
    assert_ne!(base.digest(), retrained.digest());
}

#[test]
fn a_change_of_method_is_a_changed_key() {
    let changes = |base: &str, head: &str| {
        let keys = params("he", base).changed_keys(&params("he", head));
        keys.into_iter().map(|c| (c.key, c.base, c.head)).collect::<Vec<_>>()
    };
    let to_network = changes("", &network(""));
    let change =
        |key: &str, base: &str, head: &str| (key.to_owned(), base.to_owned(), head.to_owned());
    assert!(to_network.contains(&change("method", "classical", "unet")));
    assert!(to_network.contains(&change("threshold.method", "otsu", "-")));
    assert!(to_network.contains(&change("unet.depth", "-", "4")));
    assert_eq!(
        changes(&network(""), &network("suppression_um: 3")),
        [change("unet.suppression_um", "auto", "3 µm")]
    );
}

#[test]
fn a_network_in_pixels_needs_no_pixel_size() {
    let text = format!("schema: {SCHEMA}\nname: p\nimage: {{modality: he}}\n");
    let pixels = "morphology: {min_area_px2: 20, fill_holes_max_area_px2: 0}";
    let loaded = read(&format!("{text}{pixels}\n{}\n", network(""))).unwrap();
    assert_eq!(loaded.warnings, []);
    let loaded = read(&format!("{text}{pixels}\n{}\n", network("suppression_um: 2"))).unwrap();
    assert_eq!(loaded.warnings[0].code, Code::PixelSizeMissing);
}
