//! Manifest: `dataset.yaml`, from text to a dataset that cannot be wrong, and back to text.
//!
//! Reads the manifest alone; see `open` for the images that it names.

use super::record::{FieldRecord, MaskRecord, Split};
use super::{Dataset, FieldEntry, Origin, Places};
use crate::finding::{Code, Finding};
use crate::revision::{Tree, TreeError, normalize};
use crate::source::Place;
use crate::yaml::{Document, MAX_MANIFEST_BYTES, schema_of, source_from_bytes};
use cellgate_core::digest::Digest;
use cellgate_core::units::PixelSize;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Name of the manifest in a dataset's folder.
pub const MANIFEST_FILE: &str = "dataset.yaml";

/// Schema that a manifest follows.
pub const MANIFEST_SCHEMA: &str = "cellgate/dataset/v1";

/// Most fields of a dataset.
pub const MAX_FIELDS: usize = 10_000;

/// Longest name, in characters.
pub(super) const MAX_NAME: usize = 100;

/// Form of names, which become names of files; the same as [`is_name`].
const NAME_FORM: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$";

/// Form of addresses; which of them may be asked is known where they are.
const URL_FORM: &str =
    "^(https://|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])[:/])[!-?A-~]{1,1900}$";

/// The same in words.
const URL_WORDS: &str = "an address that begins with `https://`, without a user in it";

/// Whether a text can be the name of a dataset, a field or an image type.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let may_follow = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    text.len() <= MAX_NAME
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(may_follow)
}

/// A dataset: fields with truth, on which every change is tried.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawDataset {
    /// Name of the dataset.
    #[schemars(regex(pattern = NAME_FORM), extend("x-form" = "letters, digits, `.`, `_` and `-`"))]
    name: String,
    /// Where the files can be had: each at this address and its path, `cellgate dataset pull` brings them.
    #[schemars(regex(pattern = URL_FORM), extend("x-form" = URL_WORDS))]
    url: Option<String>,
    /// The fields.
    #[schemars(length(min = 1, max = MAX_FIELDS))]
    fields: Vec<RawField>,
}

/// One field.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawField {
    /// Name of the field, unique in the dataset.
    #[schemars(regex(pattern = NAME_FORM), extend("x-form" = "letters, digits, `.`, `_` and `-`"))]
    name: String,
    /// Path of the image in the dataset's folder.
    image: String,
    /// Digest of the image file.
    sha256: String,
    /// Path of the label image in the dataset's folder.
    mask: Option<String>,
    /// Digest of the label image's file.
    mask_sha256: Option<String>,
    /// Type of the image; the project file selects fields by it.
    #[schemars(regex(pattern = NAME_FORM), extend("x-form" = "letters, digits, `.`, `_` and `-`"))]
    image_type: String,
    /// Edge length of a pixel; without it the image file's own counts.
    #[schemars(range(min = 0.01, max = 100.0), extend("x-unit" = "µm"))]
    pixel_size_um: Option<f64>,
    /// Allowed use of the field.
    split: Split,
    /// Group that the field shares with others, for example a slide; it is never in both splits.
    group: Option<String>,
    /// Where the field comes from.
    source: Option<String>,
    /// License of the field.
    license: Option<String>,
    /// Where the image can be had, when it is elsewhere than the dataset.
    #[schemars(regex(pattern = URL_FORM), extend("x-form" = URL_WORDS))]
    url: Option<String>,
    /// Where the label image can be had, when it is elsewhere than the dataset.
    #[schemars(regex(pattern = URL_FORM), extend("x-form" = URL_WORDS))]
    mask_url: Option<String>,
}

/// The JSON Schema of `dataset.yaml`.
#[must_use]
pub fn manifest_schema() -> serde_json::Value {
    schema_of::<RawDataset>()
}

impl Dataset {
    /// Reads the manifest of a dataset's folder; no image is opened.
    ///
    /// # Errors
    /// Findings for everything that is wrong with the manifest, all at once.
    pub fn load(tree: &Tree, folder: &str) -> Result<Self, Vec<Finding>> {
        let (dataset, leaks) = read(tree, folder)?;
        if leaks.is_empty() { Ok(dataset) } else { Err(leaks) }
    }
}

/// Reads the name and the records of a manifest whose splits are about to be made anew: groups in
/// both splits are no finding here.
///
/// # Errors
/// As [`Dataset::load`].
pub fn load_records(tree: &Tree, folder: &str) -> Result<(String, Vec<FieldRecord>), Vec<Finding>> {
    let (dataset, _) = read(tree, folder)?;
    Ok((dataset.name, dataset.fields.into_iter().map(|field| field.record).collect()))
}

/// Reads a manifest; findings about its splits stand apart when they are the only ones.
fn read(tree: &Tree, folder: &str) -> Result<(Dataset, Vec<Finding>), Vec<Finding>> {
    let path = join(folder, MANIFEST_FILE);
    let bytes = tree
        .read(&path, MAX_MANIFEST_BYTES)
        .map_err(|error| vec![unreadable_finding(&path, &error)])?;
    let source = source_from_bytes(&path, &bytes).map_err(|finding| vec![finding])?;
    let document = Document::parse_up_to(&source, MAX_MANIFEST_BYTES)?;
    let raw: RawDataset = document.read(MANIFEST_SCHEMA)?;
    let mut findings = Vec::new();
    let mut fields: Vec<FieldEntry> = Vec::new();
    for (index, field) in raw.fields.iter().enumerate() {
        let at = |key: &str| document.place(&["fields".into(), index.into(), key.into()]);
        fields.extend(entry(field, raw.url.as_deref(), folder, &at, &mut findings));
    }
    check_unique_names(&raw.fields, &document, &mut findings);
    let mut leaks = Vec::new();
    check_splits(&raw.fields, &document, &mut leaks);
    if !findings.is_empty() {
        findings.extend(leaks);
        return Err(findings);
    }
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((Dataset { name: raw.name, fields, place: Place::file(path) }, leaks))
}

/// A path below a folder of a tree.
pub(super) fn join(folder: &str, path: &str) -> String {
    let folder = folder.trim_end_matches('/');
    if folder.is_empty() || folder == "." { path.to_owned() } else { format!("{folder}/{path}") }
}

/// The finding about a manifest that cannot be read.
fn unreadable_finding(path: &str, error: &TreeError) -> Finding {
    let code = if matches!(error, TreeError::TooLarge { .. }) {
        Code::FileTooLarge
    } else {
        Code::FileUnreadable
    };
    let help = "a dataset is a folder with `dataset.yaml`; `cellgate dataset prepare` makes one";
    Finding::error(code, Place::file(path), error.to_string()).help(help)
}

/// Makes an entry of a field; `None` with findings when something in it is wrong.
fn entry(
    raw: &RawField,
    base: Option<&str>,
    folder: &str,
    at: &dyn Fn(&str) -> Place,
    findings: &mut Vec<Finding>,
) -> Option<FieldEntry> {
    let image = inner_path(&raw.image, at("image"), findings);
    let sha256 = parse_digest(&raw.sha256, at("sha256"), findings);
    let url_of = |url: &Option<String>, path: &str| {
        url.clone().or_else(|| Some(format!("{}/{path}", base?.trim_end_matches('/'))))
    };
    let mask = match (&raw.mask, &raw.mask_sha256) {
        (None, None) => Some(None),
        (Some(path), Some(sha256)) => {
            let path = inner_path(path, at("mask"), findings);
            let sha256 = parse_digest(sha256, at("mask_sha256"), findings);
            path.zip(sha256).map(|(path, sha256)| {
                let url = url_of(&raw.mask_url, &path);
                Some(MaskRecord { path, sha256, url })
            })
        }
        (Some(_), None) => {
            findings.push(half_mask_finding(at("mask"), "mask", "mask_sha256"));
            None
        }
        (None, Some(_)) => {
            findings.push(half_mask_finding(at("mask_sha256"), "mask_sha256", "mask"));
            None
        }
    };
    let image = image?;
    let record = FieldRecord {
        url: url_of(&raw.url, &image),
        name: raw.name.clone(),
        image,
        sha256: sha256?,
        mask: mask?,
        image_type: raw.image_type.clone(),
        pixel_size: raw.pixel_size_um.and_then(PixelSize::from_um),
        split: raw.split,
        group: raw.group.clone(),
        source: raw.source.clone(),
        license: raw.license.clone(),
    };
    let places = Places {
        image: at("image"),
        sha256: at("sha256"),
        mask: at("mask"),
        mask_sha256: at("mask_sha256"),
        pixel_size: at("pixel_size_um"),
    };
    Some(FieldEntry {
        record,
        origin: Origin::Files { folder: folder.to_owned(), places: Box::new(places) },
    })
}

fn inner_path(path: &str, place: Place, findings: &mut Vec<Finding>) -> Option<String> {
    let normalized = normalize(path).filter(|path| path != ".");
    if normalized.is_none() {
        let message = format!("`{path}` leads out of the dataset's folder");
        let help = "give a path below the folder of `dataset.yaml`, separated by `/`";
        findings.push(Finding::error(Code::PathOutside, place, message).help(help));
    }
    normalized
}

fn parse_digest(text: &str, place: Place, findings: &mut Vec<Finding>) -> Option<Digest> {
    let result = text.parse();
    if let Err(error) = &result {
        let message = format!("`{text}` is {error}");
        findings.push(
            Finding::error(Code::WrongForm, place, message).help("`sha256sum FILE` prints it"),
        );
    }
    result.ok()
}

fn half_mask_finding(place: Place, key: &str, missing: &str) -> Finding {
    let message = format!("`{key}` needs `{missing}`, too");
    Finding::error(Code::MissingKey, place, message)
        .help(format!("add `{missing}`, or delete `{key}`"))
}

fn check_unique_names(fields: &[RawField], document: &Document, findings: &mut Vec<Finding>) {
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    for (index, field) in fields.iter().enumerate() {
        // Names become names of files, and some disks do not tell upper from lower case.
        if let Some(first) = names.insert(field.name.to_lowercase(), &field.name) {
            let place = document.place(&["fields".into(), index.into(), "name".into()]);
            let message = format!("the name `{}` is taken by the field `{first}`", field.name);
            findings.push(
                Finding::error(Code::NameTaken, place, message)
                    .help("give each field its own name"),
            );
        }
    }
}

/// Checks that no group and no image stands in both splits: accuracy on fields that were trained
/// on says nothing.
fn check_splits(fields: &[RawField], document: &Document, findings: &mut Vec<Finding>) {
    check_splits_by(fields, "group", |field| field.group.as_deref(), document, findings);
    check_splits_by(fields, "sha256", |field| Some(&field.sha256), document, findings);
}

fn check_splits_by(
    fields: &[RawField],
    key: &str,
    value_of: fn(&RawField) -> Option<&str>,
    document: &Document,
    findings: &mut Vec<Finding>,
) {
    let mut seen: BTreeMap<&str, (Split, &str)> = BTreeMap::new();
    for (index, field) in fields.iter().enumerate() {
        let Some(value) = value_of(field) else { continue };
        let (split, first) = *seen.entry(value).or_insert((field.split, &field.name));
        if split != field.split {
            let message = format!(
                "the field `{}` is for {}ing, and `{first}`, with the same `{key}`, for {}ing",
                field.name,
                field.split.as_str(),
                split.as_str()
            );
            let place = document.place(&["fields".into(), index.into(), key.into()]);
            let help = "put them into one split; `cellgate dataset split` keeps groups together";
            findings.push(Finding::error(Code::SplitLeak, place, message).help(help));
        }
    }
}

/// The manifest's text for these fields, in the order of their names.
#[must_use]
pub fn render_manifest(name: &str, fields: &[FieldRecord]) -> String {
    let mut text = format!("schema: {MANIFEST_SCHEMA}\nname: {}\nfields:\n", quote(name));
    let mut sorted: Vec<&FieldRecord> = fields.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    for field in sorted {
        let mut line = |start: &str, key: &str, value: &str| {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{start}{key}: {value}");
        };
        line("  - ", "name", &quote(&field.name));
        line("    ", "image", &quote(&field.image));
        line("    ", "sha256", &quote(&field.sha256.to_string()));
        if let Some(mask) = &field.mask {
            line("    ", "mask", &quote(&mask.path));
            line("    ", "mask_sha256", &quote(&mask.sha256.to_string()));
        }
        line("    ", "image_type", &quote(&field.image_type));
        if let Some(pixel_size) = field.pixel_size {
            line("    ", "pixel_size_um", &pixel_size.um().to_string());
        }
        line("    ", "split", field.split.as_str());
        let mask_url = field.mask.as_ref().and_then(|mask| mask.url.clone());
        for (key, value) in [
            ("group", &field.group),
            ("source", &field.source),
            ("license", &field.license),
            ("url", &field.url),
            ("mask_url", &mask_url),
        ] {
            if let Some(value) = value {
                line("    ", key, &quote(value));
            }
        }
    }
    text
}

/// A text as YAML reads it back: JSON's form is a form of YAML.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
