//! `cellgate evaluate`: accuracy of label images against truth masks.

use crate::ui::Ui;
use crate::ui::failure::Failure;
use crate::ui::inputs::{self, ImageFile};
use cellgate_core::accuracy::{FieldAccuracy, Scores, mean, score_field};
use cellgate_core::raster::Labels;
use cellgate_gate::exit::ExitCode;
use cellgate_inputs::dataset::decode::decode_labels;
use cellgate_inputs::finding::{Code, Finding};
use cellgate_inputs::source::Place;
use cellgate_run::write::replace;
use clap::ValueEnum;
use rayon::prelude::*;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Compare label images with truth masks
///
/// Pairs files by name: `NAME_labels.png` or `NAME_mask.png` or `NAME.png` on either side. Every
/// truth mask must have its labels.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cellgate evaluate --truth datasets/nuclei/masks --labels out --format json"
)]
pub(crate) struct Args {
    /// Folder of truth masks
    #[arg(long, value_name = "DIR")]
    truth: PathBuf,
    /// Folder of labels to evaluate
    #[arg(long, value_name = "DIR")]
    labels: PathBuf,
    /// Form of the result
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// File to write; standard output without this
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// A table
    Human,
    /// A JSON document
    Json,
}

/// Evaluates and writes the result.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let out = &mut *ui.out;
    let truths = inputs::images(std::slice::from_ref(&args.truth))?;
    let found = labels_of(inputs::images(std::slice::from_ref(&args.labels))?);
    let results: Vec<Result<(String, FieldAccuracy), Vec<Finding>>> =
        truths.par_iter().map(|truth| field(truth, &found)).collect();
    let mut fields = Vec::new();
    let mut findings = Vec::new();
    for result in results {
        match result {
            Ok(field) => fields.push(field),
            Err(more) => findings.extend(more),
        }
    }
    if !findings.is_empty() {
        return Err(Failure::Findings(findings));
    }
    let scores = mean(fields.iter().map(|(_, accuracy)| &accuracy.scores));
    let scores = scores.ok_or_else(|| Failure::Nothing("there is no truth mask".to_owned()))?;
    let text = match args.format {
        Format::Human => table(&fields, &scores),
        Format::Json => format!("{:#}\n", document(&fields, &scores)),
    };
    match &args.out {
        Some(path) => replace(path, text.as_bytes())?,
        None => out.write_all(text.as_bytes())?,
    }
    Ok(ExitCode::Passed)
}

/// Without the overlays that `segment` writes beside its labels.
fn labels_of(files: Vec<ImageFile>) -> Vec<ImageFile> {
    files.into_iter().filter(|file| !file.name.ends_with("_overlay")).collect()
}

fn field_name(file: &ImageFile) -> &str {
    let stem = file.name.strip_suffix("_labels").or_else(|| file.name.strip_suffix("_mask"));
    stem.unwrap_or(&file.name)
}

fn field(truth: &ImageFile, found: &[ImageFile]) -> Result<(String, FieldAccuracy), Vec<Finding>> {
    let name = field_name(truth);
    let file = found.iter().find(|file| field_name(file) == name).ok_or_else(|| {
        let place = Place::file(truth.path.to_string_lossy().as_ref());
        let message = format!("there are no labels for `{name}`");
        vec![
            Finding::error(Code::NothingMatched, place, message)
                .help(format!("write `{name}_labels.png` into the folder of labels")),
        ]
    })?;
    let (truth_labels, labels) = (load_labels(truth)?, load_labels(file)?);
    let accuracy = score_field(&truth_labels, &labels).map_err(|error| {
        let place = Place::file(file.path.to_string_lossy().as_ref());
        vec![Finding::error(Code::MaskShape, place, error.to_string())]
    })?;
    Ok((name.to_owned(), accuracy))
}

fn load_labels(file: &ImageFile) -> Result<Labels, Vec<Finding>> {
    let bytes = inputs::read(&file.path).map_err(|finding| vec![finding])?;
    decode_labels(&file.path.to_string_lossy(), &bytes)
}

fn table(fields: &[(String, FieldAccuracy)], scores: &Scores) -> String {
    let width = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(5);
    let mut text = format!("{:width$}", "field");
    for (name, _) in scores.entries() {
        let _ = write!(text, " {name:>9}");
    }
    text.push_str("   truth   found\n");
    let mut line = |name: &str, scores: &Scores, counts: Option<(u64, u64)>| {
        let _ = write!(text, "{name:width$}");
        for (_, value) in scores.entries() {
            let _ = write!(text, " {value:>9.4}");
        }
        if let Some((truth, found)) = counts {
            let _ = write!(text, " {truth:>7} {found:>7}");
        }
        text.push('\n');
    };
    for (name, accuracy) in fields {
        line(name, &accuracy.scores, Some((accuracy.n_truth, accuracy.n_found)));
    }
    line("mean", scores, None);
    text
}

fn document(fields: &[(String, FieldAccuracy)], scores: &Scores) -> Value {
    let scores_by_name = |scores: &Scores| -> Map<String, Value> {
        scores.entries().into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
    };
    let field = |(name, accuracy): &(String, FieldAccuracy)| {
        let mut row = Map::from_iter([("name".to_owned(), json!(name))]);
        row.extend(scores_by_name(&accuracy.scores));
        row.insert("n_truth".to_owned(), json!(accuracy.n_truth));
        row.insert("n_found".to_owned(), json!(accuracy.n_found));
        Value::Object(row)
    };
    json!({"mean": scores_by_name(scores), "fields": fields.iter().map(field).collect::<Vec<_>>()})
}
