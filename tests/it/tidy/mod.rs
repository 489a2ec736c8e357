//! The house keeps its own rules: floors, headers, lengths, names, and one room for each volatile
//! dependency.

mod words;

use cellgate_core::measure::catalog::{
    INTENSITY_STATISTICS, OPTIONAL_PROPERTIES, PROPERTIES, QUARTILE_STATISTICS,
};
use cellgate_gate::exit::ExitCode;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file may have this many lines.
const MAX_LINES: usize = 500;

/// Files that may read the bare number of a pixel size, and why.
const PIXEL_SIZE_READERS: [(&str, &str); 8] = [
    ("crates/inputs/src/dataset/manifest.rs", "writes it to the manifest"),
    ("crates/inputs/src/dataset/mod.rs", "digests it"),
    ("crates/inputs/src/dataset/open.rs", "names two that differ in a finding"),
    ("crates/inputs/src/dataset/prepare.rs", "names two that differ in a finding"),
    ("crates/run/src/cache.rs", "tells runs apart by it"),
    ("crates/run/src/field.rs", "names two that differ in a finding"),
    ("crates/run/src/record.rs", "writes it to the record of a run"),
    ("crates/core/src/profile/keys/table/image.rs", "gives it to the canonical form of a profile"),
];

/// Crates that may be exchanged one day, and the rooms under `src` that alone name them.
const ROOMS_OF_CRATES: [(&str, &[&str]); 28] = [
    ("burn", &["crates/train/src/"]),
    ("annotate_snippets", &["crates/gate/src/report/findings/"]),
    ("clap", &["src/commands/", "src/ui/", "src/main.rs"]),
    ("crc32fast", &["crates/inputs/src/dataset/decode/png/"]),
    ("fdeflate", &["crates/inputs/src/dataset/decode/png/"]),
    // The decoders' tests encode JPEG with it.
    ("flate2", &["crates/github/src/archive.rs", "crates/deploy/src/wire/raw.rs"]),
    ("half", &["crates/core/src/unet/weights/"]),
    ("http", &["crates/github/src/"]),
    ("hyper", &["crates/github/src/fetch/exchange.rs"]),
    ("hyper_rustls", &["crates/github/src/fetch/exchange.rs", "crates/github/src/connect.rs"]),
    (
        "hyper_util",
        &[
            "crates/github/src/fetch/exchange.rs",
            "crates/github/src/transport.rs",
            "crates/github/src/connect.rs",
        ],
    ),
    ("image", &["crates/inputs/src/dataset/", "crates/gate/src/report/overlay.rs"]),
    ("imageproc", &["crates/inputs/src/dataset/components.rs"]),
    ("indicatif", &["src/ui/", "src/commands/train/"]),
    ("jsonschema", &["crates/inputs/src/yaml/breaches/tests.rs"]),
    ("maud", &["crates/gate/src/report/"]),
    ("octocrab", &["crates/github/src/transport.rs"]),
    ("openssh", &["crates/deploy/src/ssh/"]),
    ("png", &["crates/inputs/src/dataset/"]),
    ("pulp", &["crates/core/src/vectors.rs"]),
    ("regex_lite", &["crates/inputs/src/yaml/breaches/mod.rs"]),
    ("safetensors", &["crates/train/src/checkpoint.rs", "crates/core/src/unet/weights/"]),
    ("saphyr_parser", &["crates/inputs/src/yaml/"]),
    ("serde_json_canonicalizer", &["crates/core/src/digest.rs"]),
    ("serde_yaml", &["crates/inputs/src/yaml/"]),
    ("sha2", &["crates/core/src/digest.rs"]),
    ("tiff", &["crates/inputs/src/dataset/"]),
    ("zune_jpeg", &["crates/inputs/src/dataset/"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Path and text of every Rust file of the package, sorted by path.
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for folder in ["src", "crates", "tests", "benches"] {
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
    for (path, text) in sources().iter().filter(|(path, _)| !path.starts_with("tests/it/tidy/")) {
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

/// Whether a file belongs to the program or to a crate of it, not to tests or benches.
fn is_source(path: &str) -> bool {
    path.starts_with("src/") || path.starts_with("crates/")
}

/// The modules of a crate in the order of its floor plan, `lib.rs`.
fn floor_plan(name: &str) -> Vec<String> {
    let plan = fs::read_to_string(root().join(format!("crates/{name}/src/lib.rs"))).unwrap();
    let module = |line: &str| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix("mod ")?.strip_suffix(';').map(str::to_owned)
    };
    plan.lines().filter_map(module).collect()
}

/// Modules of a crate that a line of a file at `depth` folders below its root names.
fn modules_named(line: &str, depth: usize) -> Vec<&str> {
    let code = line.split("//").next().unwrap_or(line);
    let mut names: Vec<&str> = names_after(code, "crate::").collect();
    // What stands at the root of a crate names its neighbors by `super`, one or several.
    if depth == 0 {
        let supers = names_after(code, "super::");
        names.extend(supers.filter(|name| *name != "super"));
        let several = code.split("super::{").nth(1).and_then(|rest| rest.split('}').next());
        names.extend(several.into_iter().flat_map(|list| list.split(',')).map(str::trim));
    }
    names
}

#[test]
fn modules_use_only_what_stands_above_them() {
    let crates = crate_names();
    let plans: Vec<Vec<String>> = crates.iter().map(|name| floor_plan(name)).collect();
    assert!(plans.iter().all(|plan| plan.len() > 2), "a floor plan was not read");
    assert_none(lines_that(|path, line| {
        let mut parts = path.split('/').skip(1);
        let Some(at) = parts.next().and_then(|name| crates.iter().position(|c| c == name)) else {
            return false;
        };
        let within: Vec<&str> = parts.skip(1).collect();
        let floor = |module: &str| plans[at].iter().position(|other| other == module);
        let here = within.first().map(|name| name.trim_end_matches(".rs")).and_then(floor);
        let depth = match within[..] {
            [_] | [_, "mod.rs"] => 0,
            _ => 1,
        };
        let Some(here) = here else { return false };
        modules_named(line, depth).into_iter().filter_map(floor).any(|used| used > here)
    }));
}

#[test]
fn imports_of_several_modules_are_written_one_by_one() {
    // The floors are read from `crate::name`; a list in braces would hide the names.
    assert_none(lines_that(|path, line| is_source(path) && line.contains("use crate::{")));
}

/// Folders under `crates/`, sorted.
fn crate_names() -> Vec<String> {
    let folders = fs::read_dir(root().join("crates")).unwrap();
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<String> = folders.map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

/// Edges between packages of this workspace as cargo knows them, but for those of tests alone.
fn edges_of_cargo() -> BTreeSet<(String, String)> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = std::process::Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut edges = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        for used in package["dependencies"].as_array().unwrap() {
            if used["path"].is_string() && used["kind"].is_null() {
                let [from, to] =
                    [&package["name"], &used["name"]].map(|name| name.as_str().unwrap().to_owned());
                edges.insert((from, to));
            }
        }
    }
    edges
}

/// Edges of the drawing in ARCHITECTURE.md: lines such as `cellgate-run --> cellgate-core`.
fn edges_of_drawing() -> BTreeSet<(String, String)> {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let drawing = page.split("```mermaid").nth(1).and_then(|rest| rest.split("```").next());
    let edge = |line: &str| {
        let (from, to) = line.split_once(" --> ").or_else(|| line.split_once(" -.-> "))?;
        Some((from.trim().to_owned(), to.trim().to_owned()))
    };
    drawing.unwrap_or_default().lines().filter_map(edge).collect()
}

#[test]
fn the_drawing_of_the_crates_is_true() {
    let edges = edges_of_cargo();
    assert!(edges.len() > 15, "the edges were not read");
    assert_eq!(edges_of_drawing(), edges);
}

/// Crates and modules of the standard library that the engine must not use.
const NOT_IN_CORE: [&str; 14] = [
    "clap",
    "image",
    "imageproc",
    "tokio",
    "rustix",
    "tempfile",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::env",
    "std::time",
    "std::path",
    "SystemTime",
];

#[test]
fn the_engine_has_no_files_no_clock_and_no_network() {
    let manifest = fs::read_to_string(root().join("crates/core/Cargo.toml")).unwrap();
    let uses = |line: &str, name: &str| line.split('.').next() == Some(name);
    let dependencies = manifest
        .lines()
        .filter(|line| NOT_IN_CORE.iter().any(|name| uses(line, name)))
        .map(str::to_owned);
    assert_none(dependencies.collect());
    assert_none(lines_that(|path, line| {
        let code = line.split("//").next().unwrap_or(line);
        path.starts_with("crates/core/src/")
            && NOT_IN_CORE[6..].iter().any(|name| code.contains(name))
    }));
}

/// How every command begins.
const RUN: &str = "pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {";

/// Whether a file is a command or a subcommand: a file of `commands`, or the first of its folder.
fn is_command(path: &str) -> bool {
    let Some(name) = path.strip_prefix("src/commands/") else { return false };
    let is_part_of_training = name.starts_with("train/") && name != "train/mod.rs";
    name != "mod.rs" && !is_part_of_training
}

#[test]
fn commands_have_one_signature() {
    let sources = sources();
    let commands = sources.iter().filter(|(path, _)| is_command(path));
    // What a build leaves out says so in the same form, beside what it has.
    let mismatches = commands.filter(|(_, text)| {
        let forms = 1 + usize::from(text.contains("#[cfg(not(feature"));
        let begins: Vec<String> = text
            .lines()
            .filter(|line| line.contains("fn run("))
            .map(|line| {
                line.replace("(_: &mut Ui", "(ui: &mut Ui").replace(" _: &Args", " args: &Args")
            })
            .collect();
        begins.len() != forms || begins.iter().any(|line| line != RUN)
    });
    assert_none(mismatches.map(|(path, _)| format!("{path} has not just one `{RUN}`")).collect());
}

#[test]
fn the_readme_has_every_exit_code() {
    let page = fs::read_to_string(root().join("README.md")).unwrap();
    let table = ExitCode::table();
    assert!(page.contains(&table), "README.md needs this table under `## Exit codes`:\n\n{table}");
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
fn only_units_computes_with_the_pixel_size() {
    let reads = |line: &str| line.contains(".um()") || line.contains("PixelSize::um");
    assert_none(lines_that(|path, line| {
        let is_known = PIXEL_SIZE_READERS.iter().any(|(reader, _)| *reader == path);
        let is_inside =
            is_source(path) && path != "crates/core/src/units.rs" && !path.contains("/tests");
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
            is_source(path) && names && !is_own && !rooms.iter().any(|room| path.starts_with(room))
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
    for path in paths.lines().filter(|path| !path.starts_with("tests/it/tidy/")) {
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
        cellgate_inputs::params::schema(),
        cellgate_inputs::project::schema(),
        cellgate_inputs::project::tolerances_schema(),
        cellgate_inputs::dataset::manifest::manifest_schema(),
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
