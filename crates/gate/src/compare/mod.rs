//! Compare: how far two runs of `cellgate segment` lie apart.
//!
//! Takes two folders of runs on the same fields and tolerances, pairs nuclei by their labels and
//! judges what the tables of the folders say; nothing is segmented or measured again. Decides
//! nothing itself: `verdict` does.

mod run_folder;
mod tables;

use crate::report::model::{
    ApprovalsReport, Engine, Gate, ProfileParts, Report, ReportError, Revision, Sides,
};
use crate::report::{html, markdown};
use crate::verdict::{AccuracyCase, Comparison, Context, FailOn, ProfileCase, judge};
use cellgate_approval::Binding;
use cellgate_core::digest::{Digest, DigestError};
use cellgate_core::drift::{DriftError, FieldPair, Side, compare as drift_of};
use cellgate_core::tolerances::Tolerances;
use cellgate_inputs::finding::{Code, Finding};
use cellgate_inputs::params::file_of_tree;
use cellgate_inputs::project::{Policy, tolerances_of_text};
use cellgate_inputs::revision::Tree;
use cellgate_inputs::source::Place;
use cellgate_run::record::RunRecord;
use cellgate_run::write::{WriteError, replace};
use run_folder::{RECORD_FILE, RunField, RunFolder};
use serde::Serialize;
use std::path::Path;

/// Seed of the resampling of fields; printed in every report.
const SEED: u64 = 20_260_101;

/// Two runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A file is wrong, or the runs do not belong together; all remarks at once.
    #[error("the runs cannot be compared")]
    Findings(Vec<Finding>),
    /// A field's labels differ in shape.
    #[error(transparent)]
    Drift(#[from] DriftError),
    /// A digest cannot be taken.
    #[error("a digest cannot be taken")]
    Digest(#[from] DigestError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The report has no file form.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// Compares two folders of runs by the tolerances of a file, or by the defaults.
///
/// The report is that of a gate without policy: its one profile bears head's name.
///
/// # Edge cases
/// Runs with different profiles or engines are compared all the same, and a finding says so.
///
/// # Errors
/// [`CompareError::Findings`] for files that are missing, damaged or contradict each other, and for
/// runs of different fields, images or pixel sizes.
pub fn compare(
    base: &Path,
    head: &Path,
    tolerances: Option<&Path>,
) -> Result<Report, CompareError> {
    let (base_run, head_run, tolerances) =
        open_inputs(base, head, tolerances).map_err(CompareError::Findings)?;
    let pairs: Vec<FieldPair<'_>> = base_run
        .fields
        .iter()
        .zip(&head_run.fields)
        .map(|(base, head)| FieldPair { name: &base.name, base: side(base), head: side(head) })
        .collect();
    let policy = Policy { tolerances, ..Policy::default() };
    let drift = drift_of(&pairs, &policy.tolerances, SEED)?;
    let case = ProfileCase {
        name: &head_run.record.profile,
        comparison: Comparison::Drift(&drift),
        failed_fields: &[],
        accuracy: AccuracyCase::default(),
        is_approved: false,
    };
    let judgement = judge(&[case], &Context::default());
    let policy_digest = policy.digest()?;
    let gate = Gate {
        judgement: &judgement,
        fail_on: FailOn::Drifted,
        engine: Engine {
            version: head_run.record.engine_version.clone(),
            fingerprint: head_run.record.engine_fingerprint.clone(),
            approved_fingerprint: None,
        },
        base: revision_of(base),
        head: revision_of(head),
        dataset_digest: dataset_digest(&head_run.record)?.to_string(),
        policy_digest: policy_digest.to_string(),
        // Runs belong to no repository: nobody can approve what they say.
        binding: Binding {
            profiles: Vec::new(),
            policy_digest,
            engine_fingerprint: engine_of(head, &head_run.record)?,
        },
        approvals: ApprovalsReport { revision: None, records: 0 },
        approval_policy: policy.approval.clone(),
        noise: None,
        min_fields: policy.tolerances.min_fields,
        seed: SEED,
        findings: &difference_warnings(&base_run.record, &head_run),
        remarks: &[],
    };
    let parts = ProfileParts {
        judgement: &judgement.profiles[0],
        standing: None,
        drift: Some(&drift),
        accuracy: AccuracyCase::default(),
        params_digest: Sides {
            base: Some(base_run.record.params_digest.clone()),
            head: Some(head_run.record.params_digest.clone()),
        },
        changed_keys: Vec::new(),
    };
    Ok(Report::new(&gate, &[parts]))
}

/// Both runs, which are of the same images, and the tolerances; or every remark about them.
fn open_inputs(
    base: &Path,
    head: &Path,
    tolerances: Option<&Path>,
) -> Result<(RunFolder, RunFolder, Tolerances), Vec<Finding>> {
    match (RunFolder::open(base), RunFolder::open(head), load_tolerances(tolerances)) {
        (Ok(base), Ok(head), Ok(tolerances)) => {
            let differences = base.differences(&head);
            if differences.is_empty() { Ok((base, head, tolerances)) } else { Err(differences) }
        }
        (base, head, tolerances) => {
            let errors = [base.err(), head.err(), tolerances.err()];
            Err(errors.into_iter().flatten().flatten().collect())
        }
    }
}

/// Writes `drift.json`, which is a report of the gate's schema, `report.md` and `report.html`.
///
/// # Errors
/// [`CompareError::Write`], [`CompareError::Report`].
pub fn write(report: &Report, folder: &Path) -> Result<(), CompareError> {
    replace(&folder.join("drift.json"), report.to_json()?.as_bytes())?;
    let markdown = markdown::render(report, None, markdown::MAX_BYTES);
    replace(&folder.join("report.md"), markdown.as_bytes())?;
    replace(&folder.join("report.html"), html::render(report, &[]).as_bytes())?;
    Ok(())
}

/// The engine that a run names.
fn engine_of(folder: &Path, record: &RunRecord) -> Result<Digest, CompareError> {
    record.engine_fingerprint.parse().map_err(|_| {
        let place = Place::file(folder.join(RECORD_FILE).display().to_string());
        let message = "`engine_fingerprint` is no sha256".to_owned();
        let help = "segment the images again with `cellgate segment`";
        CompareError::Findings(vec![Finding::error(Code::WrongForm, place, message).help(help)])
    })
}

fn side(field: &RunField) -> Side<'_> {
    Side { labels: &field.labels, nuclei: &field.nuclei, summary: &field.summary }
}

fn revision_of(folder: &Path) -> Revision {
    Revision { name: folder.to_string_lossy().into_owned(), commit: None }
}

fn load_tolerances(path: Option<&Path>) -> Result<Tolerances, Vec<Finding>> {
    let Some(path) = path else { return Ok(Tolerances::default()) };
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let tree = Tree::Folder(folder.unwrap_or(Path::new(".")).to_owned());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let display = path.to_string_lossy();
    let relocate = |mut finding: Finding| {
        finding.place.path = display.as_ref().into();
        finding
    };
    file_of_tree(&tree, &name)
        .map_err(|finding| vec![finding])
        .and_then(|source| tolerances_of_text(&source))
        .map_err(|findings| findings.into_iter().map(relocate).collect())
}

/// Digest of the images that both runs are of.
fn dataset_digest(record: &RunRecord) -> Result<Digest, DigestError> {
    #[derive(Serialize)]
    struct Line<'a> {
        name: &'a str,
        sha256: &'a str,
        pixel_size_um: Option<f64>,
    }
    let lines = record.fields.iter().map(|field| Line {
        name: &field.name,
        sha256: &field.image_sha256,
        pixel_size_um: field.pixel_size_um,
    });
    Digest::of_canonical(&lines.collect::<Vec<_>>())
}

/// Warnings where the runs differ in more than their parameters.
fn difference_warnings(base: &RunRecord, head: &RunFolder) -> Vec<Finding> {
    let place = Place::file(head.path(RECORD_FILE).as_str());
    let pairs = [
        ("profile", &base.profile, &head.record.profile),
        ("version of cellgate", &base.engine_version, &head.record.engine_version),
        ("engine", &base.engine_fingerprint, &head.record.engine_fingerprint),
    ];
    let differing = pairs.into_iter().filter(|(_, base, head)| base != head);
    differing
        .map(|(what, base, head)| {
            let message = format!("the runs differ in their {what}: {base} and {head}");
            Finding::warning(Code::RunsDiffer, place.clone(), message)
        })
        .collect()
}
