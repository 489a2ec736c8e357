//! Run folder: files that `cellgate segment` wrote, read back strictly.
//!
//! Record, tables and label images must say the same of every field. Names in the record become
//! names of files only when they cannot lead out of the folder. Everything read is bounded.

use super::tables::{self, FieldRows};
use cellgate_core::measure::Nuclei;
use cellgate_core::raster::Labels;
use cellgate_core::score::Summary;
use cellgate_inputs::dataset::decode::{MAX_FILE_BYTES, decode_labels};
use cellgate_inputs::finding::{Code, Finding};
use cellgate_inputs::source::Place;
use cellgate_run::record::{FieldRecord, RunRecord, SCHEMA};
use rayon::prelude::*;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The record's file.
pub(super) const RECORD_FILE: &str = "run.json";
const NUCLEI_FILE: &str = "nuclei.csv";
const FIELDS_FILE: &str = "fields.csv";

/// Larger records and tables are not read, in bytes.
const MAX_RECORD_BYTES: u64 = 256 << 20;
const MAX_TABLE_BYTES: u64 = 4 << 30;

/// Endings of label images.
const LABEL_ENDINGS: [&str; 2] = ["png", "tif"];

/// A run, whole.
#[derive(Debug)]
pub(super) struct RunFolder {
    folder: PathBuf,
    /// `run.json`, its fields sorted by name.
    pub(super) record: RunRecord,
    /// The fields, in the record's order.
    pub(super) fields: Vec<RunField>,
}

/// One field of a run.
#[derive(Debug)]
pub(super) struct RunField {
    pub(super) name: String,
    pub(super) labels: Labels,
    pub(super) nuclei: Nuclei,
    pub(super) summary: Summary,
}

impl RunFolder {
    /// Reads a folder.
    pub(super) fn open(folder: &Path) -> Result<Self, Vec<Finding>> {
        let read = |name: &str, max_bytes| read_up_to(&folder.join(name), max_bytes);
        let record = read(RECORD_FILE, MAX_RECORD_BYTES)
            .and_then(|bytes| parse_record(&display_path(folder, RECORD_FILE), &bytes));
        let nuclei = read(NUCLEI_FILE, MAX_TABLE_BYTES)
            .and_then(|bytes| tables::read_nuclei(&display_path(folder, NUCLEI_FILE), &bytes));
        let summaries = read(FIELDS_FILE, MAX_TABLE_BYTES)
            .and_then(|bytes| tables::read_fields(&display_path(folder, FIELDS_FILE), &bytes));
        let (record, mut nuclei, summaries) = match (record, nuclei, summaries) {
            (Ok(record), Ok(nuclei), Ok(summaries)) => (record, nuclei, summaries),
            (record, nuclei, summaries) => {
                let errors = [record.err(), nuclei.err(), summaries.err()];
                return Err(errors.into_iter().flatten().collect());
            }
        };
        let mut findings = unknown_fields(folder, &record, &nuclei.fields, &summaries);
        let rows: Vec<(&FieldRecord, Nuclei)> = record
            .fields
            .iter()
            .map(|field| {
                let rows = nuclei.fields.remove(&field.name).unwrap_or_default();
                (field, nuclei.table(rows))
            })
            .collect();
        let fields: Vec<Result<RunField, Vec<Finding>>> = rows
            .into_par_iter()
            .map(|(record, nuclei)| read_field(folder, record, nuclei, &summaries))
            .collect();
        let mut run_fields = Vec::new();
        for field in fields {
            match field {
                Ok(field) => run_fields.push(field),
                Err(errors) => findings.extend(errors),
            }
        }
        if findings.is_empty() {
            Ok(Self { folder: folder.to_owned(), record, fields: run_fields })
        } else {
            Err(findings)
        }
    }

    /// The path of one of its files, as people know it.
    pub(super) fn path(&self, name: &str) -> String {
        display_path(&self.folder, name)
    }

    /// Why another run is of other fields, images or pixel sizes.
    pub(super) fn differences(&self, head: &Self) -> Vec<Finding> {
        let place = Place::file(head.path(RECORD_FILE).as_str());
        let difference = |message: String| {
            Finding::error(Code::RunsDiffer, place.clone(), message)
                .help("compare runs on the same images, at the same pixel size")
        };
        let by_name = |run: &'_ Self| -> BTreeSet<String> {
            run.record.fields.iter().map(|field| field.name.clone()).collect()
        };
        let (base_names, head_names) = (by_name(self), by_name(head));
        let missing = base_names.difference(&head_names);
        let mut findings: Vec<Finding> =
            missing.map(|name| difference(format!("field `{name}` is in base alone"))).collect();
        let added = head_names.difference(&base_names);
        findings.extend(added.map(|name| difference(format!("field `{name}` is in head alone"))));
        if !findings.is_empty() {
            return findings;
        }
        for (base, head) in self.record.fields.iter().zip(&head.record.fields) {
            let name = &base.name;
            if base.image_sha256 != head.image_sha256 {
                let (base, head) = (&base.image_sha256, &head.image_sha256);
                let message = format!("field `{name}` is of two images: {base} and {head}");
                findings.push(difference(message));
            }
            if base.pixel_size_um != head.pixel_size_um {
                let size = |um: Option<f64>| um.map_or("none".to_owned(), |um| format!("{um} µm"));
                let (base, head) = (size(base.pixel_size_um), size(head.pixel_size_um));
                let message = format!("field `{name}` has two pixel sizes: {base} and {head}");
                findings.push(difference(message));
            }
        }
        for (base, head) in self.fields.iter().zip(&head.fields) {
            if !base.labels.has_same_shape(&head.labels) {
                findings.push(difference(format!("field `{}` has two sizes in pixels", base.name)));
            }
        }
        findings
    }
}

fn display_path(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}

fn form_finding(path: &str, message: impl Into<String>) -> Finding {
    Finding::error(Code::WrongForm, Place::file(path), message)
        .help("compare folders as `cellgate segment` wrote them")
}

fn parse_record(path: &str, bytes: &[u8]) -> Result<RunRecord, Finding> {
    #[derive(Deserialize)]
    struct Head {
        schema: String,
    }
    let syntax =
        |error: serde_json::Error| form_finding(path, format!("not a record of a run: {error}"));
    let head: Head = serde_json::from_slice(bytes).map_err(syntax)?;
    if head.schema != SCHEMA {
        let version = |schema: &str| schema.strip_prefix("cellgate/run/v")?.parse::<u32>().ok();
        let (code, help) = match version(&head.schema).zip(version(SCHEMA)) {
            Some((found, known)) if known < found => (Code::SchemaTooNew, "use a newer cellgate"),
            Some(_) => (Code::SchemaTooOld, "run `cellgate segment` again"),
            None => (Code::SchemaUnknown, "give a folder that `cellgate segment` wrote"),
        };
        let schema: String = head.schema.chars().take(80).collect();
        let message = format!("`{schema}` is not `{SCHEMA}`");
        return Err(Finding::error(code, Place::file(path), message).help(help));
    }
    let mut record: RunRecord = serde_json::from_slice(bytes).map_err(syntax)?;
    record.fields.sort_by(|a, b| a.name.cmp(&b.name));
    let is_plain = |name: &str| {
        !name.is_empty() && ![".", ".."].contains(&name) && !name.contains(['/', '\\', '\0'])
    };
    if let Some(field) = record.fields.iter().find(|field| !is_plain(&field.name)) {
        return Err(form_finding(path, format!("`{}` is no name of a field", field.name)));
    }
    if let Some([field, _]) = record.fields.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(form_finding(path, format!("field `{}` is there twice", field.name)));
    }
    if record.fields.is_empty() {
        let message = "the run has no fields";
        return Err(Finding::error(Code::NothingMatched, Place::file(path), message));
    }
    Ok(record)
}

/// Rows of fields that the record does not know.
fn unknown_fields(
    folder: &Path,
    record: &RunRecord,
    nuclei: &BTreeMap<String, FieldRows>,
    summaries: &BTreeMap<String, Summary>,
) -> Vec<Finding> {
    let known: BTreeSet<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
    let of_nuclei = nuclei.keys().map(|name| (NUCLEI_FILE, name));
    let of_fields = summaries.keys().map(|name| (FIELDS_FILE, name));
    let unknown = of_nuclei.chain(of_fields).filter(|(_, name)| !known.contains(name.as_str()));
    unknown
        .map(|(file, name)| {
            form_finding(
                &display_path(folder, file),
                format!("`{RECORD_FILE}` has no field `{name}`"),
            )
        })
        .collect()
}

fn read_field(
    folder: &Path,
    record: &FieldRecord,
    nuclei: Nuclei,
    summaries: &BTreeMap<String, Summary>,
) -> Result<RunField, Vec<Finding>> {
    let name = &record.name;
    let missing_row = || {
        vec![form_finding(&display_path(folder, FIELDS_FILE), format!("field `{name}` has no row"))]
    };
    let summary = *summaries.get(name).ok_or_else(missing_row)?;
    let label_path = |ending: &&str| folder.join(format!("{name}_labels.{ending}"));
    let paths: Vec<PathBuf> =
        LABEL_ENDINGS.iter().map(label_path).filter(|path| path.exists()).collect();
    let [path] = paths.as_slice() else {
        let message = format!("field `{name}` has {} label images, not one", paths.len());
        return Err(vec![form_finding(
            &display_path(folder, &format!("{name}_labels.png")),
            message,
        )]);
    };
    let display = path.to_string_lossy().into_owned();
    let bytes = read_up_to(path, MAX_FILE_BYTES).map_err(|finding| vec![finding])?;
    let labels = decode_labels(&display, &bytes)?;
    let mut findings = Vec::new();
    let mut compare = |what: &str, image: String, tables: String| {
        if image != tables {
            findings.push(form_finding(
                &display,
                format!("{what}: {image} here, {tables} in the tables"),
            ));
        }
    };
    let size = |width: u32, height: u32| format!("{width} by {height} px");
    let of_labels = size(labels.width(), labels.height());
    compare("the size differs", of_labels, size(summary.width_px, summary.height_px));
    let numbers = distinct_labels(&labels);
    let n_nuclei = |n: usize| format!("{n} nuclei");
    compare("the count differs", n_nuclei(numbers.len()), n_nuclei(nuclei.len()));
    let of_record = (n_nuclei(record.nuclei as usize), n_nuclei(summary.n_nuclei as usize));
    compare("the count differs", n_nuclei(numbers.len()), of_record.0);
    compare("the count differs", n_nuclei(numbers.len()), of_record.1);
    if findings.is_empty() && numbers != nuclei.labels {
        findings
            .push(form_finding(&display, format!("the numbers are not those of `{NUCLEI_FILE}`")));
    }
    if findings.is_empty() {
        Ok(RunField { name: name.clone(), labels, nuclei, summary })
    } else {
        Err(findings)
    }
}

/// The numbers of all objects, rising.
fn distinct_labels(labels: &Labels) -> Vec<u32> {
    let stretches = labels.samples().chunk_by(|a, b| a == b);
    let numbers: BTreeSet<u32> =
        stretches.map(|stretch| stretch[0]).filter(|&label| label != 0).collect();
    numbers.into_iter().collect()
}

fn read_up_to(path: &Path, max_bytes: u64) -> Result<Vec<u8>, Finding> {
    let display = path.to_string_lossy();
    let to_finding = |error: std::io::Error| {
        let message = format!("`{display}` cannot be read: {error}");
        Finding::error(Code::FileUnreadable, Place::file(display.as_ref()), message)
            .help("give a folder that `cellgate segment` wrote")
    };
    let file = std::fs::File::open(path).map_err(to_finding)?;
    let mut bytes = Vec::new();
    file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(to_finding)?;
    if bytes.len() as u64 > max_bytes {
        let message = format!("`{display}` has more than {max_bytes} bytes");
        return Err(Finding::error(Code::FileTooLarge, Place::file(display.as_ref()), message));
    }
    Ok(bytes)
}
