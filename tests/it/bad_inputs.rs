//! Bad inputs: a table of files that are wrong, and the message that each gets.
//!
//! The table is the source of `docs/bad-inputs.md`; the test compares and never writes there.

use crate::bad_files;
use cellgate_inputs::finding::Finding;
use cellgate_inputs::params;
use cellgate_inputs::project::{Project, tolerances_of_text};
use cellgate_inputs::revision::Tree;
use cellgate_inputs::source::Source;
use cellgate_inputs::yaml::source_from_bytes;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The fault, the file's name and its content.
type Bad = (&'static str, &'static str, &'static [u8]);

/// A profile with further lines.
macro_rules! profile {
    ($modality:literal, $lines:literal) => {
        concat!(
            "schema: cellgate/profile/v1\nname: p\nimage: {modality: ",
            $modality,
            ", working_pixel_size_um: 0.5}\n",
            $lines,
            "\n"
        )
        .as_bytes()
    };
}

/// A project file with further lines; the folder holds the profile `p`.
macro_rules! project {
    ($lines:literal) => {
        concat!(
            "schema: cellgate/project/v1\ndatasets: {nuclei: datasets/nuclei}\n",
            "gate: [{profile: p, dataset: nuclei}]\n",
            $lines,
            "\n"
        )
        .as_bytes()
    };
}

const PROFILE: &str = "params/p.yaml";
const TOLERANCES: &str = "params/tolerances.yaml";
const PROJECT: &str = "cellgate.yaml";

const TEXTS: &[Bad] = &[
    ("Latin-1 text", PROFILE, b"schema: cellgate/profile/v1\ndescription: 5 \xb5m\n"),
    ("a NUL byte", PROFILE, b"schema: \0\n"),
    ("a terminal escape", PROFILE, b"name: \x1b[2Jp\n"),
    ("an empty file", PROFILE, b""),
    ("two documents", PROFILE, b"schema: cellgate/profile/v1\n---\nname: p\n"),
    ("an open bracket", PROFILE, b"schema: cellgate/profile/v1\nimage: {modality: he\nname: p\n"),
    ("a tab for indentation", PROFILE, b"image:\n\tmodality: he\n"),
    ("a key twice", PROFILE, b"schema: cellgate/profile/v1\nname: p\nname: q\n"),
    ("an alias", PROFILE, b"a: &a [1]\nb: *a\n"),
    ("a tag", PROFILE, b"name: !!python/object p\n"),
    (
        "nesting without end",
        PROFILE,
        b"a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
    ),
    ("a list for a mapping", PROFILE, b"- name: p\n"),
    ("no schema", PROFILE, b"name: p\nimage: {modality: he, pixel_size_um: 0.5}\n"),
    ("a newer schema", PROFILE, b"schema: cellgate/profile/v9\n"),
    ("an older schema", PROFILE, b"schema: cellgate/profile/v0\n"),
    ("another schema", PROFILE, b"schema: cellgate/project/v1\n"),
];

const KEYS: &[Bad] = &[
    ("no modality", PROFILE, b"schema: cellgate/profile/v1\nname: p\nimage: {pixel_size_um: 0.5}\n"),
    ("a misspelled key", PROFILE, profile!("he", "smoothing: {sigma_mu: 1}")),
    ("a length without unit", PROFILE, profile!("he", "smoothing: {sigma: 1}")),
    ("a QuPath name", PROFILE, profile!("he", "morphology: {minAreaMicrons: 10}")),
    ("a CellProfiler name", PROFILE, profile!("he", "threshold: {threshold_correction_factor: 1}")),
    ("a key of another section", PROFILE, profile!("he", "split: {min_area_um2: 10}")),
    ("both units", PROFILE, profile!("he", "smoothing: {sigma_um: 1, sigma_px: 2}")),
    ("text for a number", PROFILE, profile!("he", "smoothing: {sigma_um: \"1\"}")),
    ("not a number", PROFILE, profile!("he", "smoothing: {sigma_um: .nan}")),
    ("an empty value", PROFILE, profile!("he", "smoothing: {sigma_um: }")),
    ("a negative length", PROFILE, profile!("he", "smoothing: {sigma_um: -1}")),
    ("a pixel size in nanometers", PROFILE, b"schema: cellgate/profile/v1\nname: p\nimage: {modality: he, pixel_size_um: 500}\n"),
    ("an unknown word", PROFILE, profile!("he", "threshold: {method: ostu}")),
    ("a vector of two", PROFILE, profile!("he", "stains: {hematoxylin: [0.65, 0.7]}")),
    ("the name of another file", PROFILE, b"schema: cellgate/profile/v1\nname: q\nimage: {modality: he, pixel_size_um: 0.5}\n"),
    ("a name with a space", PROFILE, b"schema: cellgate/profile/v1\nname: my profile\nimage: {modality: he, pixel_size_um: 0.5}\n"),
];

const RULES: &[Bad] = &[
    (
        "micrometers without a pixel size",
        PROFILE,
        b"schema: cellgate/profile/v1\nname: p\nimage: {modality: he}\n",
    ),
    (
        "the minimum above the maximum",
        PROFILE,
        profile!("he", "morphology: {min_area_um2: 500, max_area_um2: 100}"),
    ),
    ("bounds the wrong way round", PROFILE, profile!("he", "threshold: {bounds: [1, 0.5]}")),
    (
        "a threshold outside its bounds",
        PROFILE,
        profile!("he", "threshold: {method: manual, value: 5}"),
    ),
    ("a manual threshold without value", PROFILE, profile!("he", "threshold: {method: manual}")),
    ("a blur wider than nuclei", PROFILE, profile!("he", "smoothing: {sigma_um: 3}")),
    ("a background without radius", PROFILE, profile!("he", "background: {method: opening}")),
    (
        "a background narrower than nuclei",
        PROFILE,
        profile!(
            "he",
            "background: {method: opening, radius_um: 5}\nmorphology: {max_area_um2: 400}"
        ),
    ),
    (
        "falling thresholds",
        PROFILE,
        profile!("ihc_hdab", "classify: {measurement: dab_od_mean, thresholds: [0.6, 0.4, 0.2]}"),
    ),
    (
        "two thresholds",
        PROFILE,
        profile!("ihc_hdab", "classify: {measurement: dab_od_mean, thresholds: [0.2, 0.4]}"),
    ),
    (
        "a stain that the modality lacks",
        PROFILE,
        profile!("he", "classify: {measurement: dab_od_mean, thresholds: [0.2]}"),
    ),
    (
        "a channel that the modality lacks",
        PROFILE,
        profile!("fluorescence", "detection: {channel: dab_od}"),
    ),
    ("two stains of one color", PROFILE, profile!("ihc_hdab", "stains: {dab: [0.64, 0.71, 0.29]}")),
    ("a stain of zero", PROFILE, profile!("ihc_hdab", "stains: {dab: [0, 0, 0]}")),
    ("a key without effect", PROFILE, profile!("he", "threshold: {method: otsu, window_um: 30}")),
];

const PROJECTS: &[Bad] = &[
    ("an unknown profile", PROJECT, b"schema: cellgate/project/v1\ndatasets: {nuclei: d}\ngate: [{profile: pp, dataset: nuclei}]\n"),
    ("an unknown dataset", PROJECT, b"schema: cellgate/project/v1\ndatasets: {nuclei: d}\ngate: [{profile: p, dataset: nucleus}]\n"),
    ("nothing to gate", PROJECT, b"schema: cellgate/project/v1\ndatasets: {}\ngate: []\n"),
    ("a path that leads out", PROJECT, project!("params: ../params")),
    ("a floor in percent", PROJECT, project!("accuracy_floors: {p: {f1_at_50: 60}}")),
    ("a floor of nothing", PROJECT, project!("accuracy_floors: {q: {f1_at_50: 0.6}}")),
    ("a secret in the file", PROJECT, project!("targets: {a: {hosts: [h], user: u, path: /srv/x, known_hosts: k, key: hunter2}}")),
    ("a host that is an option", PROJECT, project!("targets: {a: {hosts: ['-oProxyCommand=x'], user: u, path: /srv/x, known_hosts: k}}")),
    ("half a target", PROJECT, project!("targets: {a: {hosts: [h]}}")),
    ("a missing tolerances file", PROJECT, project!("tolerances: params/none.yaml")),
    ("an unknown measurement", TOLERANCES, b"schema: cellgate/tolerances/v1\nmeasurements: {area: {absolute: 1}}\n"),
    ("a tolerance of zero", TOLERANCES, b"schema: cellgate/tolerances/v1\nmeasurements: {solidity: {absolute: 0}}\n"),
    ("a tolerance in percent", TOLERANCES, b"schema: cellgate/tolerances/v1\nmeasurements: {solidity: {relative_fraction: 5}}\n"),
];

fn findings_of(file: &str, content: &[u8], tree: &Tree) -> Vec<Finding> {
    let source: Source = match source_from_bytes(file, content) {
        Ok(source) => source,
        Err(finding) => return vec![finding],
    };
    match file {
        PROJECT => Project::of_source(tree, &source).map_or_else(|f| f, |p| p.warnings),
        TOLERANCES => tolerances_of_text(&source).err().unwrap_or_default(),
        _ => params::of_text(&source).map_or_else(|f| f, |loaded| loaded.warnings),
    }
}

/// The page of all bad inputs.
fn page() -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("params")).unwrap();
    std::fs::write(folder.path().join(PROFILE), "").unwrap();
    let tree = Tree::Folder(folder.path().to_owned());
    let mut page = "# Bad inputs and what cellgate says\n\n\
        Made from the table in `tests/it/bad_inputs.rs`, whose test keeps this page current.\n"
        .to_owned();
    let sections = [
        ("Texts", TEXTS),
        ("Keys and values", KEYS),
        ("Rules between keys", RULES),
        ("Projects and tolerances", PROJECTS),
    ];
    for (title, inputs) in sections {
        write!(page, "{}", head(title)).unwrap();
        for (name, file, content) in inputs {
            write_rows(&mut page, name, findings_of(file, content, &tree));
        }
    }
    for (title, cases) in [("Images", bad_files::images()), ("Datasets", bad_files::datasets())] {
        write!(page, "{}", head(title)).unwrap();
        for (name, findings) in cases {
            write_rows(&mut page, name, findings);
        }
    }
    page.push_str("\n## Repositories\n\n| input | exit code | message |\n|---|---|---|\n");
    for (name, (code, message)) in bad_files::repositories() {
        writeln!(page, "| {name} | {code} | {} |", cell(&message)).unwrap();
    }
    page
}

fn head(title: &str) -> String {
    format!("\n## {title}\n\n| input | code | place | message | help |\n|---|---|---|---|---|\n")
}

/// A row for each finding about one input.
fn write_rows(page: &mut String, name: &str, findings: Vec<Finding>) {
    assert!(!findings.is_empty(), "{name} is not found bad");
    for finding in findings {
        let line =
            finding.place.span.map_or(String::new(), |s| format!(":{}:{}", s.line, s.column));
        let cells = [
            name.to_owned(),
            format!("`{}` {}", finding.code, finding.severity),
            format!("`{}{line}`", finding.place.path),
            finding.message,
            finding.help.unwrap_or_default(),
        ];
        writeln!(page, "| {} |", cells.map(|text| cell(&text)).join(" | ")).unwrap();
    }
}

/// A text in a table; digests stand for themselves, so that the page does not change with phantoms.
fn cell(text: &str) -> String {
    let is_digit = |c: char| c.is_ascii_hexdigit();
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let word = |word: &str| {
        let digits = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if digits.len() == 64 && digits.chars().all(is_digit) {
            word.replace(digits, "SHA256")
        } else {
            word.to_owned()
        }
    };
    words.map(word).collect::<String>().replace('|', "\\|")
}

#[test]
fn every_bad_input_gets_its_message() {
    let expected = page();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let committed = std::fs::read_to_string(root.join("docs/bad-inputs.md")).unwrap_or_default();
    if committed != expected {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bad-inputs.md");
        std::fs::write(&path, &expected).unwrap();
        panic!("docs/bad-inputs.md is not current; the new text is {}", path.display());
    }
}

#[test]
fn the_table_is_long_enough_to_mean_something() {
    let n_inputs = TEXTS.len() + KEYS.len() + RULES.len() + PROJECTS.len();
    assert!(40 <= n_inputs, "{n_inputs}");
}
