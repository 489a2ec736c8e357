//! The house keeps its own rules: floors, headers, lengths, names, and one room for each volatile
//! dependency.

use cellgate::measure::catalog::{
    INTENSITY_STATISTICS, OPTIONAL_PROPERTIES, PROPERTIES, QUARTILE_STATISTICS,
};
use std::fs;
use std::path::{Path, PathBuf};

/// A file may have this many lines.
const MAX_LINES: usize = 500;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] =
    ["util", "utils", "helper", "helpers", "common", "misc", "manager", "shared"];

/// Files that may read the bare number of a pixel size, and why.
const PIXEL_SIZE_READERS: [(&str, &str); 8] = [
    ("src/dataset/manifest.rs", "writes it to the manifest"),
    ("src/dataset/mod.rs", "digests it"),
    ("src/dataset/open.rs", "names two that differ in a finding"),
    ("src/dataset/prepare.rs", "names two that differ in a finding"),
    ("src/run/cache.rs", "tells runs apart by it"),
    ("src/run/mod.rs", "names two that differ in a finding"),
    ("src/run/record.rs", "writes it to the record of a run"),
    ("src/params/wire.rs", "writes it to the canonical form of a profile"),
];

/// Crates that may be exchanged one day, and the rooms under `src` that alone name them.
const ROOMS_OF_CRATES: [(&str, &[&str]); 28] = [
    ("burn", &["src/train/"]),
    ("annotate_snippets", &["src/report/findings/"]),
    ("clap", &["src/cli/", "src/main.rs"]),
    ("crc32fast", &["src/dataset/decode/png/"]),
    ("fdeflate", &["src/dataset/decode/png/"]),
    // The decoders' tests encode JPEG with it.
    ("flate2", &["src/github/archive.rs", "src/wire/raw.rs"]),
    ("half", &["src/unet/weights/"]),
    ("http", &["src/fetch/", "src/github/"]),
    ("hyper", &["src/fetch/exchange.rs"]),
    ("hyper_rustls", &["src/fetch/exchange.rs", "src/github/transport.rs"]),
    ("hyper_util", &["src/fetch/exchange.rs", "src/github/transport.rs"]),
    ("image", &["src/dataset/", "src/report/overlay.rs"]),
    ("imageproc", &["src/dataset/components.rs"]),
    ("indicatif", &["src/cli/"]),
    ("jsonschema", &["src/yaml/breaches/tests.rs"]),
    ("maud", &["src/report/"]),
    ("octocrab", &["src/github/transport.rs"]),
    ("openssh", &["src/deploy/ssh/"]),
    ("png", &["src/dataset/"]),
    ("pulp", &["src/vectors.rs"]),
    ("regex_lite", &["src/yaml/breaches/mod.rs"]),
    ("safetensors", &["src/train/checkpoint.rs", "src/unet/weights/"]),
    ("saphyr_parser", &["src/yaml/"]),
    ("serde_json_canonicalizer", &["src/digest.rs"]),
    ("serde_yaml", &["src/yaml/"]),
    ("sha2", &["src/digest.rs"]),
    ("tiff", &["src/dataset/"]),
    ("zune_jpeg", &["src/dataset/"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Path and text of every Rust file of the package, sorted by path.
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches"] {
        gather(&root().join(folder), &mut files);
    }
    files.sort();
    let relative = |path: &Path| {
        let path = path.strip_prefix(root()).unwrap();
        path.components()
            .map(|part| part.as_os_str().to_str().unwrap())
            .collect::<Vec<_>>()
            .join("/")
    };
    files.iter().map(|path| (relative(path), fs::read_to_string(path).unwrap())).collect()
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// Fails with all remarks at once.
#[track_caller]
fn assert_none(remarks: Vec<String>) {
    assert!(remarks.is_empty(), "\n{}", remarks.join("\n"));
}

/// Remarks about single lines: place and text of those that a rule rejects.
fn lines_that(rejects: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut remarks = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| path != "tests/it/tidy.rs") {
        for (number, line) in text.lines().enumerate().filter(|(_, line)| rejects(path, line)) {
            remarks.push(format!("{path}:{}: {}", number + 1, line.trim()));
        }
    }
    remarks
}

/// Names after a prefix: `crate::x::y` after `crate::` gives `x`.
fn names_after<'a>(line: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(prefix).map(move |(at, _)| {
        let rest = &line[at + prefix.len()..];
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// The modules of the library in the order of its floor plan.
fn floor_plan() -> Vec<String> {
    let plan = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let module = |line: &str| line.strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned);
    plan.lines().filter_map(module).collect()
}

#[test]
fn modules_use_only_what_stands_above_them() {
    let plan = floor_plan();
    let floor = |module: &str| plan.iter().position(|other| other == module);
    let module_of = |path: &str| {
        let name = path.strip_prefix("src/")?.split(['/', '.']).next()?;
        floor(name)
    };
    assert!(plan.len() > 15, "the floor plan was not read");
    assert_none(lines_that(|path, line| {
        let Some(here) = module_of(path) else { return false };
        let code = line.split("//").next().unwrap_or(line);
        names_after(code, "crate::").filter_map(floor).any(|used| used > here)
    }));
}

#[test]
fn imports_of_several_modules_are_written_one_by_one() {
    // The floors are read from `crate::name`; a list in braces would hide the names.
    assert_none(lines_that(|path, line| path.starts_with("src/") && line.contains("use crate::{")));
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let silent = sources().into_iter().filter(|(_, text)| !text.starts_with("//! "));
    assert_none(silent.map(|(path, _)| path).collect());
}

#[test]
fn files_are_short() {
    let long = sources().into_iter().filter(|(_, text)| text.lines().count() > MAX_LINES);
    assert_none(long.map(|(path, _)| path).collect());
}

#[test]
fn nothing_is_left_for_later() {
    assert_none(lines_that(|_, line| {
        let unnumbered = line.contains("TODO") && !line.contains("TODO #");
        let words = ["todo!", "dbg!", "unimplemented!", "#[ignore", "FIXME", "XXX"];
        unnumbered || words.iter().any(|word| line.contains(word))
    }));
}

#[test]
fn names_of_files_say_what_is_inside() {
    let is_empty = |path: &str| {
        path.split('/').any(|part| EMPTY_NAMES.contains(&part.trim_end_matches(".rs")))
    };
    assert_none(
        sources().into_iter().map(|(path, _)| path).filter(|path| is_empty(path)).collect(),
    );
}

#[test]
fn only_units_computes_with_the_pixel_size() {
    let reads = |line: &str| line.contains(".um()") || line.contains("PixelSize::um");
    assert_none(lines_that(|path, line| {
        let is_known = PIXEL_SIZE_READERS.iter().any(|(reader, _)| *reader == path);
        let is_inside =
            path.starts_with("src/") && path != "src/units.rs" && !path.contains("/tests");
        let computes = line.contains(".um() *") || line.contains(".um() /");
        is_inside && reads(line) && (!is_known || computes)
    }));
    let sources = sources();
    let idle = PIXEL_SIZE_READERS.iter().filter(|(reader, _)| {
        !sources.iter().any(|(path, text)| path == reader && text.lines().any(reads))
    });
    assert_none(idle.map(|(reader, why)| format!("{reader} no longer {why}: strike it")).collect());
}

#[test]
fn volatile_crates_are_named_in_their_rooms_alone() {
    assert_none(lines_that(|path, line| {
        let code = line.split("//").next().unwrap_or(line);
        ROOMS_OF_CRATES.iter().any(|(name, rooms)| {
            let prefix = format!("{name}::");
            let names = code.match_indices(&prefix).any(|(at, _)| {
                let before = code[..at].chars().next_back();
                !before.is_some_and(|letter| letter.is_alphanumeric() || "_:".contains(letter))
            });
            // Rooms of this package may bear a crate's name.
            let is_own = code.contains(&format!("super::{prefix}")) || is_module(path, name);
            path.starts_with("src/")
                && names
                && !is_own
                && !rooms.iter().any(|room| path.starts_with(room))
        })
    }));
}

/// Whether a module beside or below a file has that name.
fn is_module(path: &str, name: &str) -> bool {
    let folder = root().join(path);
    let folder = folder.parent().unwrap_or(root());
    folder.join(format!("{name}.rs")).is_file() || folder.join(name).is_dir()
}

#[test]
fn every_measurement_is_documented() {
    let forms = PROPERTIES.iter().chain(OPTIONAL_PROPERTIES);
    let forms = forms.map(|property| (property.name, property.definition));
    let statistics = INTENSITY_STATISTICS.iter().chain(&QUARTILE_STATISTICS).copied();
    let is_sentence = |text: &str| text.len() > 10 && text.ends_with('.') && !text.contains("  ");
    let vague = forms.chain(statistics).filter(|(_, definition)| !is_sentence(definition));
    assert_none(vague.map(|(name, definition)| format!("{name}: {definition}")).collect());
}

#[test]
fn unsafe_code_is_forbidden() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.lines().any(|line| line.trim() == "unsafe_code = \"forbid\""));
}

/// Beginnings of paths that only one machine has.
const MACHINE_PATHS: [&str; 5] = ["/home/", "/root/", "/Users/", "/work/", "C:\\Users"];

#[test]
fn no_file_knows_a_machine() {
    let listed = std::process::Command::new("git").arg("ls-files").current_dir(root()).output();
    // A package that was unpacked from an archive has no list; its Rust files are all there is.
    let paths = match listed {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout).unwrap(),
        _ => sources().into_iter().map(|(path, _)| path + "\n").collect(),
    };
    let mut remarks = Vec::new();
    for path in paths.lines().filter(|path| *path != "tests/it/tidy.rs") {
        let bytes = fs::read(root().join(path)).unwrap_or_default();
        let Ok(text) = String::from_utf8(bytes) else { continue };
        for (number, line) in text.lines().enumerate() {
            let is_known = MACHINE_PATHS.iter().any(|start| names_machine(line, start));
            if is_known {
                remarks.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert_none(remarks);
}

/// Whether a line has a path that starts like this, not one that merely contains it.
fn names_machine(line: &str, start: &str) -> bool {
    line.match_indices(start).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || "._-/$}~".contains(letter))
    })
}

/// Words of JSON Schema that `yaml::breaches` follows.
const SCHEMA_WORDS: [&str; 22] = [
    "$schema",
    "additionalProperties",
    "default",
    "description",
    "enum",
    "enumDescriptions",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "properties",
    "propertyNames",
    "required",
    "title",
    "type",
    "uniqueItems",
];

#[test]
fn schemas_use_words_that_are_followed() {
    let schemas = [
        cellgate::params::schema(),
        cellgate::project::schema(),
        cellgate::project::tolerances_schema(),
        cellgate::dataset::manifest::manifest_schema(),
    ];
    for schema in &schemas {
        check_words(schema);
    }
}

fn check_words(schema: &serde_json::Value) {
    let words = schema.as_object().unwrap_or_else(|| panic!("{schema} is not followed"));
    for (word, value) in words {
        let is_known = SCHEMA_WORDS.contains(&word.as_str()) || word.starts_with("x-");
        assert!(is_known, "`{word}` is not followed");
        match word.as_str() {
            "properties" => value.as_object().unwrap().values().for_each(check_words),
            "additionalProperties" if value.is_boolean() => {}
            "items" | "additionalProperties" | "propertyNames" => check_words(value),
            _ => {}
        }
    }
}
