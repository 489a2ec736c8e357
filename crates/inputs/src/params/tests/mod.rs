//! Tests of the params room: every rule, the shipped profiles, digests and changes.

use super::*;
use crate::finding::Severity;
use crate::revision::Tree;
use cellgate_core::profile::{Channel, MeasureGroup};
use std::path::PathBuf;

mod network;

/// A profile of a modality with further lines.
fn text_of(modality: &str, lines: &str) -> String {
    format!(
        "schema: {SCHEMA}\nname: p\nimage: {{modality: {modality}, working_pixel_size_um: 0.5}}\n{lines}\n"
    )
}

fn read(text: &str) -> Result<Loaded, Vec<Finding>> {
    of_text(&Source::new("params/p.yaml", text))
}

fn findings(modality: &str, lines: &str) -> Vec<Finding> {
    match read(&text_of(modality, lines)) {
        Ok(loaded) => loaded.warnings,
        Err(findings) => findings,
    }
}

/// Expects exactly these findings: code, severity, the text they point at.
#[track_caller]
fn check(modality: &str, lines: &str, expected: &[(Code, Severity, &str)]) {
    let text = text_of(modality, lines);
    let found = findings(modality, lines);
    let places: Vec<_> = found
        .iter()
        .map(|f| (f.code, f.severity, f.place.span.map_or("", |s| &text[s.start_byte..s.end_byte])))
        .collect();
    assert_eq!(places, expected, "{found:#?}");
}

const ERROR: Severity = Severity::Error;
const WARNING: Severity = Severity::Warning;

#[test]
fn a_profile_of_three_keys_has_every_default() {
    let text =
        format!("schema: {SCHEMA}\nname: p\nimage: {{modality: ihc_hdab, pixel_size_um: 0.5}}\n");
    let params = read(&text).unwrap().params;
    assert_eq!(params.classical().unwrap().channel, Channel::OdSum);
    assert_eq!(params.stains.unwrap().dab, Some([0.27, 0.57, 0.78]));
    assert_eq!(params.classical().unwrap().threshold.bounds, [0.0, 3.0]);
    assert_eq!(params.measure, [MeasureGroup::Shape, MeasureGroup::Intensity]);
    assert_eq!(params.classical().unwrap().split.h, 0.75);
    assert_eq!(params.classify, None);
}

#[test]
fn keys_of_one_section_must_fit_together() {
    use Code::*;
    check("he", "smoothing: {sigma_um: 1, sigma_px: 2}", &[(UnitConflict, ERROR, "2")]);
    check("he", "split: {suppression: auto, suppression_um: 2}", &[(UnitConflict, ERROR, "auto")]);
    check("he", "background: {method: opening}", &[(MissingKey, ERROR, "opening")]);
    check("he", "threshold: {method: manual}", &[(MissingKey, ERROR, "manual")]);
    check("he", "threshold: {bounds: [2, 1]}", &[(RangeInverted, ERROR, "[2, 1]")]);
    check("he", "threshold: {method: manual, value: 4}", &[(OutOfRange, ERROR, "4")]);
    check(
        "he",
        "morphology: {max_area_um2: 5, fill_holes_max_area_um2: 9}",
        &[(RangeInverted, ERROR, "5"), (RangeInverted, WARNING, "fill_holes_max_area_um2")],
    );
}

#[test]
fn units_are_compared_through_the_pixel_size() {
    use Code::*;
    check(
        "he",
        "morphology: {min_area_px2: 100, max_area_um2: 24, fill_holes_max_area_um2: 0}",
        &[(RangeInverted, ERROR, "24")],
    );
    check(
        "he",
        "morphology: {min_area_px2: 95, max_area_um2: 24, fill_holes_max_area_um2: 0}",
        &[],
    );
    check("he", "smoothing: {sigma_px: 4}", &[(BlurTooWide, ERROR, "4")]);
    check("he", "smoothing: {sigma_px: 3}", &[]);
    check("he", "morphology: {open_radius_um: 2}", &[(BlurTooWide, ERROR, "2")]);
    check("he", "morphology: {open_radius_um: 2, min_area_um2: 0}", &[]);
}

#[test]
fn positivity_needs_rising_thresholds_and_a_known_channel() {
    use Code::*;
    let classify = |rest: &str| format!("classify: {{{rest}}}");
    check("ihc_hdab", &classify("measurement: dab_od_mean, thresholds: [0.2]"), &[]);
    check(
        "ihc_hdab",
        &classify("measurement: dab_od_mean, thresholds: [0.4, 0.2, 0.6]"),
        &[(ThresholdsNotRising, ERROR, "[0.4, 0.2, 0.6]")],
    );
    check(
        "ihc_hdab",
        &classify("measurement: dab_od_mean, thresholds: [0.2, 0.4]"),
        &[(TooManyItems, ERROR, "[0.2, 0.4]")],
    );
    check(
        "he",
        &classify("measurement: dab_od_mean, thresholds: [0.2]"),
        &[(ChannelModality, ERROR, "dab_od_mean")],
    );
    check(
        "he",
        &classify("measurement: dab_od_median, thresholds: [0.2]"),
        &[(UnknownValue, ERROR, "dab_od_median")],
    );
}

#[test]
fn channels_and_stains_fit_the_modality() {
    use Code::*;
    check("he", "detection: {channel: gray}", &[(ChannelModality, ERROR, "gray")]);
    check("fluorescence", "detection: {channel: od_sum}", &[(ChannelModality, ERROR, "od_sum")]);
    check("ihc_hdab", "detection: {channel: eosin_od}", &[(ChannelModality, ERROR, "eosin_od")]);
    check(
        "ihc_hdab",
        "stains: {dab: [0.65, 0.7, 0.3]}",
        &[(StainsParallel, ERROR, "[0.65, 0.7, 0.3]")],
    );
    check("ihc_hdab", "stains: {dab: [0, 0, 0]}", &[(OutOfRange, ERROR, "[0, 0, 0]")]);
    check("fluorescence", "stains: {dab: [1, 0, 0]}", &[(KeyWithoutEffect, WARNING, "stains")]);
    check("he", "stains: {dab: [1, 0, 0]}", &[(KeyWithoutEffect, WARNING, "dab")]);
    check("ihc_hdab", "stains: {eosin: [1, 0, 0]}", &[(KeyWithoutEffect, WARNING, "eosin")]);
}

#[test]
fn keys_without_effect_are_named() {
    let check_idle = |lines: &str, keys: &[&str]| {
        let expected: Vec<_> =
            keys.iter().map(|key| (Code::KeyWithoutEffect, WARNING, *key)).collect();
        check("he", lines, &expected);
    };
    check_idle("threshold: {value: 1}", &["value"]);
    check_idle(
        "threshold: {window_um: 9, global_fraction: 1, k: 0.1, middle_class: background}",
        &["window_um", "global_fraction", "k", "middle_class"],
    );
    check_idle("threshold: {method: local_mean, k: 0.1}", &["k"]);
    check_idle("threshold: {method: manual, value: 1, log_transform: true}", &["log_transform"]);
    check_idle("split: {method: none, h: 1, suppression_px: 3}", &["h", "suppression_px"]);
    check_idle("split: {log_sigma_px: 3}", &["log_sigma_px"]);
    check_idle("background: {radius_um: 9}", &["radius_um"]);
}

#[test]
fn a_background_narrower_than_nuclei_is_a_warning() {
    let lines = "background: {method: opening, radius_um: 5}\nmorphology: {max_area_um2: 400}";
    check("he", lines, &[(Code::RadiusTooSmall, WARNING, "radius_um")]);
}

#[test]
fn micrometers_without_a_pixel_size_warn_first_and_fail_when_run() {
    let text = format!("schema: {SCHEMA}\nname: p\nimage: {{modality: he}}\n");
    let loaded = read(&text).unwrap();
    assert_eq!(loaded.warnings[0].code, Code::PixelSizeMissing);
    assert_eq!(loaded.params.check_pixel_size(PixelSize::from_um(0.5), "p.yaml"), []);
    assert_eq!(loaded.params.check_pixel_size(None, "p.yaml")[0].severity, ERROR);
    let pixels =
        "smoothing: {sigma_px: 1}\nmorphology: {min_area_px2: 20, fill_holes_max_area_px2: 0}\n";
    let loaded = read(&format!("{text}{pixels}")).unwrap();
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.params.check_pixel_size(None, "p.yaml"), []);
}

#[test]
fn the_name_is_the_files() {
    let text = text_of("he", "");
    let parse = |path: &str| of_text(&Source::new(path, text.as_str())).map_err(|f| f[0].code);
    assert_eq!(parse("a/q.yaml").unwrap_err(), Code::NameMismatch);
    assert!(parse("a/p.yml").is_ok());
}

#[test]
fn digests_ignore_form_and_see_meaning() {
    let digest = |lines: &str| read(&text_of("he", lines)).unwrap().params.digest();
    let base = digest("smoothing: {sigma_um: 0.5}");
    assert_eq!(base, digest("# a comment\nsmoothing:\n  sigma_um: 5.0e-1"));
    assert_eq!(base, digest(""), "the default is written out");
    assert_eq!(base, digest("description: other words"));
    assert_eq!(base, digest("measure: [intensity, shape]"));
    assert_eq!(base, digest("threshold: {k: 0.3}"), "a key without effect");
    assert_ne!(base, digest("smoothing: {sigma_px: 1}"), "units stay as written");
    assert_ne!(base, digest("smoothing: {sigma_um: 0.6}"));
}

#[test]
fn changed_keys_tell_both_sides() {
    let params = |lines: &str| read(&text_of("he", lines)).unwrap().params;
    let base = params("smoothing: {sigma_um: 1}");
    let head = params(
        "smoothing: {sigma_px: 2}\nthreshold: {method: li, correction_factor: 1.5}\nsplit: {suppression_um: 3}",
    );
    let found: Vec<_> =
        base.changed_keys(&head).into_iter().map(|c| (c.key, c.base, c.head)).collect();
    let expected = [
        ("smoothing.sigma_px", "1 µm", "2 px"),
        ("split.suppression_um", "auto", "3 µm"),
        ("threshold.correction_factor", "1", "1.5"),
        ("threshold.method", "otsu", "li"),
    ];
    let expected = expected.map(|(k, b, h)| (k.to_owned(), b.to_owned(), h.to_owned()));
    assert_eq!(found, expected);
    assert_eq!(base.changed_keys(&base), []);
}

#[test]
fn a_changed_key_is_found_in_the_text() {
    let source = Source::new("p.yaml", text_of("he", "smoothing: {sigma_um: 1}"));
    let at = |key: &str| place_of_key(&source, key).span.map(|span| (span.line, span.column));
    assert_eq!(at("smoothing.sigma_um"), Some((4, 13)));
    assert_eq!(at("smoothing.median_radius_px"), Some((4, 1)));
    assert_eq!(at("split.h"), Some((1, 1)));
}

#[test]
fn rules_between_keys_are_checked_beside_violations_of_the_schema() {
    use Code::*;
    let lines = "smoothing: {sigma: 1}\nthreshold: {method: otsu2, value: 3, bounds: [2, 1]}";
    check(
        "he",
        lines,
        &[
            (UnknownKey, ERROR, "sigma"),
            (UnknownValue, ERROR, "otsu2"),
            (RangeInverted, ERROR, "[2, 1]"),
        ],
    );
}

fn repository() -> Tree {
    Tree::Folder(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.."))
}

#[test]
fn shipped_profiles_are_valid_without_remarks() {
    let (profiles, findings) = load_all(&repository(), "params", &[]);
    assert_eq!(findings, []);
    let names: Vec<_> = profiles.iter().map(|loaded| loaded.params.name.as_str()).collect();
    let classical = ["bbbc039", "dapi-culture", "dapi-tissue", "he-tissue", "ihc-hdab"];
    assert_eq!(names, [&classical[..], &["unet-he", "unet-nuclei"]].concat());
}

#[test]
fn schema_and_reference_in_the_repository_are_current() {
    let file = |path: &str| {
        std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path))
    };
    let schema = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    assert!(
        file("params/profile.schema.json").unwrap_or_default() == schema,
        "run `cellgate schema > params/profile.schema.json`"
    );
    assert!(
        file("params/README.md").unwrap_or_default() == reference_markdown(),
        "run `cellgate schema --format markdown > params/README.md`"
    );
}

#[test]
fn every_default_in_the_schema_is_the_one_applied() {
    let schema = schema();
    let mut lines = String::new();
    for (section, part) in schema["properties"].as_object().unwrap() {
        let defaults = defaults_of(part, |key| !is_idle_by_default(section, key));
        if !defaults.is_empty() && section != "unet" {
            lines.push_str(&format!("{section}: {{{}}}\n", defaults.join(", ")));
        }
    }
    let loaded = read(&text_of("he", &lines)).unwrap();
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.params.digest(), read(&text_of("he", "")).unwrap().params.digest());
}

/// The keys of a section that have a default, with it.
fn defaults_of(section: &serde_json::Value, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let keys = section.get("properties").and_then(|keys| keys.as_object()).into_iter().flatten();
    keys.filter(|(key, _)| is_wanted(key))
        .filter_map(|(key, part)| Some(format!("{key}: {}", part.get("default")?)))
        .collect()
}

/// Keys whose default has no effect beside the other defaults.
fn is_idle_by_default(section: &str, key: &str) -> bool {
    let idle_keys = ["dab", "k", "window_um", "global_fraction", "middle_class", "log_sigma_um"];
    section == "image" || idle_keys.contains(&key)
}

#[test]
fn folders_give_all_profiles_and_all_findings() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let text_named = |name: &str| text_of("he", "").replace("name: p", &format!("name: {name}"));
    write("a.yaml", &text_named("a"));
    write("a.yml", &text_named("a"));
    write("b.yaml", &text_named("c"));
    write("tolerances.yaml", "schema: cellgate/tolerances/v1\n");
    write("notes.txt", "no profile");
    let tree = Tree::Folder(folder.path().to_owned());
    let (profiles, findings) = load_all(&tree, ".", &[]);
    let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!((profiles.len(), codes), (2, vec![Code::NameTaken, Code::NameMismatch]));
    let (_, findings) = load_all(&tree, "empty", &[]);
    assert_eq!(findings[0].code, Code::NothingMatched);
}
