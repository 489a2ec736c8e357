//! Load: profiles from texts, files and folders.
//!
//! Reads from a [`Tree`], so that base and head are read alike. Gives every finding at once.

use super::read::read;
use super::schema::schema;
use super::{Params, SCHEMA, rules};
use crate::finding::{Code, Finding, Severity, has_errors};
use crate::revision::{Tree, TreeError};
use crate::source::{Place, Source};
use crate::yaml::{Document, MAX_HAND_WRITTEN_BYTES, Remarks, source_from_bytes};
use cellgate_core::digest::Digest;
use cellgate_core::profile::keys::canonical;
use std::collections::BTreeMap;

/// A profile, the text it was read from, and what is worth knowing about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The profile.
    pub params: Params,
    /// Its text, to point into.
    pub source: Source,
    /// Warnings and notes; never errors.
    pub warnings: Vec<Finding>,
}

/// Reads a profile from its text.
///
/// # Errors
/// Every finding, warnings among them, when one is an error.
///
/// # Examples
/// ```
/// use cellgate_inputs::params::of_text;
/// use cellgate_inputs::source::Source;
///
/// let text = "schema: cellgate/profile/v1
/// name: mine
/// image: {modality: fluorescence, pixel_size_um: 0.5}
/// split: {method: none, h: 1}
/// ";
/// let loaded = of_text(&Source::new("mine.yaml", text)).unwrap();
/// assert_eq!(loaded.params.classical().unwrap().threshold.bounds, [0.0, 1.0]);
/// assert_eq!(loaded.warnings[0].message, "`split.h` has no effect: `split.method` is `none`");
/// ```
pub fn of_text(source: &Source) -> Result<Loaded, Vec<Finding>> {
    let document = Document::parse(source)?;
    let (written, mut findings) = document.read_against(SCHEMA, &schema());
    let Some(written) = written else { return Err(findings) };
    let mut remarks = Remarks::new(&document);
    let Some(profile) = read(&written, &mut remarks) else {
        if findings.is_empty() {
            let why = "the table of keys and the profile disagree";
            findings.push(document.unreadable_finding(why));
        }
        return Err(findings);
    };
    rules::check(&written, &profile, &mut remarks);
    let is_whole = findings.is_empty();
    // Beside parts that were left out, what is missing or idle may only seem so.
    let is_certain = |finding: &Finding| {
        is_whole || (finding.severity == Severity::Error && finding.code != Code::MissingKey)
    };
    findings.extend(remarks.findings.into_iter().filter(is_certain));
    findings.sort_by_key(|finding| finding.place.span.map(|span| span.start_byte));
    if has_errors(&findings) {
        return Err(findings);
    }
    match Digest::of_canonical(&canonical(&profile)) {
        Ok(digest) => {
            let params = Params { profile, digest };
            Ok(Loaded { params, source: document.source().clone(), warnings: findings })
        }
        Err(error) => {
            let place = Place::file(source.path.clone());
            findings.push(Finding::error(Code::WrongForm, place, error.to_string()));
            Err(findings)
        }
    }
}

/// Reads a profile from a file of a tree.
///
/// # Errors
/// As [`of_text`], and a finding when the file cannot be read.
pub fn load(tree: &Tree, path: &str) -> Result<Loaded, Vec<Finding>> {
    of_text(&file_of_tree(tree, path).map_err(|finding| vec![finding])?)
}

/// Reads every profile of a folder, sorted by file name, and all findings about them.
///
/// A profile is a `.yaml` or `.yml` file whose schema is a profile's, or that names none;
/// `others` are paths of files that are known to be something else.
///
/// # Edge cases
/// A folder without profiles gives the finding `nothing-matched`.
#[must_use]
pub fn load_all(tree: &Tree, folder: &str, others: &[&str]) -> (Vec<Loaded>, Vec<Finding>) {
    let names = match tree.list(folder) {
        Ok(names) => names,
        Err(error) => return (Vec::new(), vec![unreadable_finding(folder, &error)]),
    };
    let mut profiles: Vec<Loaded> = Vec::new();
    let mut findings = Vec::new();
    let mut paths: BTreeMap<String, String> = BTreeMap::new();
    let mut n_files = 0;
    for name in names.iter().filter(|name| is_yaml(name)) {
        let path = if folder == "." { name.clone() } else { format!("{folder}/{name}") };
        if others.contains(&path.as_str()) {
            continue;
        }
        let source = match file_of_tree(tree, &path) {
            Ok(source) if has_other_schema(&source) => continue,
            Ok(source) => source,
            Err(finding) => {
                findings.push(finding);
                continue;
            }
        };
        n_files += 1;
        match of_text(&source) {
            Ok(loaded) => {
                findings.extend(loaded.warnings.iter().cloned());
                if let Some(first) = paths.insert(loaded.params.name.clone(), path.clone()) {
                    findings.push(name_taken_finding(&loaded, &first));
                }
                profiles.push(loaded);
            }
            Err(errors) => findings.extend(errors),
        }
    }
    if n_files == 0 && findings.is_empty() {
        let message = format!("there is no profile in `{folder}`");
        let finding = Finding::error(Code::NothingMatched, Place::file(folder), message);
        findings.push(finding.help(format!("add a file whose first line is `schema: {SCHEMA}`")));
    }
    (profiles, findings)
}

/// Reads a hand-written file of a tree as text.
///
/// # Errors
/// A finding when it is missing, too large, outside the tree or not UTF-8.
pub fn file_of_tree(tree: &Tree, path: &str) -> Result<Source, Finding> {
    let bytes = tree
        .read(path, MAX_HAND_WRITTEN_BYTES)
        .map_err(|error| unreadable_finding(path, &error))?;
    source_from_bytes(path, &bytes)
}

fn unreadable_finding(path: &str, error: &TreeError) -> Finding {
    let code = match error {
        TreeError::Outside(_) => Code::PathOutside,
        TreeError::TooLarge { .. } => Code::FileTooLarge,
        TreeError::Missing(_) | TreeError::Io { .. } | TreeError::Git(_) => Code::FileUnreadable,
    };
    Finding::error(code, Place::file(path), error.to_string())
}

fn is_yaml(name: &str) -> bool {
    name.ends_with(".yaml") || name.ends_with(".yml")
}

/// Whether a file says that it is something else than a profile.
fn has_other_schema(source: &Source) -> bool {
    let Ok(document) = Document::parse(source) else { return false };
    let schema = document.value().get("schema").and_then(serde_json::Value::as_str);
    let (kind, _) = SCHEMA.rsplit_once('/').unwrap_or((SCHEMA, ""));
    schema.is_some_and(|schema| schema.starts_with("cellgate/") && !schema.starts_with(kind))
}

fn name_taken_finding(loaded: &Loaded, first: &str) -> Finding {
    let name = &loaded.params.name;
    let place = super::place_of_key(&loaded.source, "name");
    Finding::error(Code::NameTaken, place, format!("the name `{name}` is taken by `{first}`"))
        .help("two files of one name, `.yaml` and `.yml`, are the same profile; delete one")
}
