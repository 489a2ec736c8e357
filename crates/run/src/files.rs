//! Files: a profile on many image files, with labels, tables and record in one folder.
//!
//! Rows of `nuclei.csv` are written as fields finish, beside the table, which takes its place when all
//! are there: after a kill or on a full disk the old table stands or the new one, never a part of it.

use super::field::{FieldRun, pixel_size};
use super::many::{Progress, run_many};
use super::ready::Ready;
use super::ready::RunError;
use super::record::{FieldRecord, RunRecord};
use super::tables::{self, NucleiTable, TableError};
use super::write::{WriteError, replace};
use cellgate_core::digest::Digest;
use cellgate_core::measure::Nuclei;
use cellgate_core::raster::Image;
use cellgate_core::score::Summary;
use cellgate_core::unet::UnetError;
use cellgate_core::units::PixelSize;
use cellgate_inputs::dataset::decode::{MAX_FILE_BYTES, decode};
use cellgate_inputs::dataset::encode::{encode_labels, labels_extension};
use cellgate_inputs::dataset::store::write_beside;
use cellgate_inputs::finding::{Code, Finding, has_errors};
use cellgate_inputs::source::Place;
use std::error::Error;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tempfile::NamedTempFile;

/// An image file and the name of its field: the file's name without its ending.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageFile {
    /// Field name.
    pub name: String,
    /// Where it stands.
    pub path: PathBuf,
}

/// Writer of a field's files other than its labels. It takes the start of their paths (the folder
/// and the field's name), the image and its results.
pub type Pictures<'a> = dyn Fn(&Path, &Image, &FieldRun) -> Result<(), FilesError> + Sync + 'a;

/// A profile, image files, and the folder that results are written to.
pub struct Request<'a> {
    /// The profile with its network.
    pub ready: &'a Ready<'a>,
    /// The profile's file, as findings name it.
    pub profile_path: &'a str,
    /// Pixel size that comes before what image files say.
    pub asked: Option<PixelSize>,
    /// The images, each name once.
    pub files: &'a [ImageFile],
    /// The folder; made when it is missing.
    pub out: &'a Path,
    /// Writer of each field's files other than its labels.
    pub pictures: &'a Pictures<'a>,
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {} images", self.profile_path, self.files.len())
    }
}

/// Outcome of a run on image files.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// Fields that were measured.
    pub n_fields: usize,
    /// Nuclei in all of them.
    pub n_nuclei: u64,
    /// Remarks about fields that were measured, each once.
    pub remarks: Vec<Finding>,
    /// Why the other files were not measured.
    pub failed: Vec<Finding>,
}

/// A result is lost; what is wrong with single images is a finding of the [`Outcome`].
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// Labels have no form as a file.
    #[error("labels cannot be encoded")]
    Labels(#[source] Box<dyn Error + Send + Sync>),
    /// A picture beside the labels has no form as a file.
    #[error("the overlay cannot be encoded")]
    Overlay(#[source] Box<dyn Error + Send + Sync>),
    /// A file cannot be written.
    #[error("a result is lost")]
    Write(#[from] WriteError),
    /// A table cannot be written, or has no columns that fit all fields.
    #[error("a table is lost")]
    Table(#[from] TableError),
    /// The record has no JSON form.
    #[error("`run.json` is lost")]
    Record(#[from] serde_json::Error),
}

/// Segments, measures and writes each file; then the tables and `run.json`.
///
/// # Edge cases
/// When no file can be measured, nothing is written and tables of a former run stay.
///
/// # Errors
/// [`FilesError`], the first in the files' order.
pub fn run_files(
    request: &Request<'_>,
    tell: &(dyn Fn(usize, usize, &str) + Sync),
) -> Result<Outcome, FilesError> {
    let start = Instant::now();
    let progress = Progress::new(request.files.len(), tell);
    let mut outcome = Outcome::default();
    let mut results = Results::new(request.out);
    let make = |file: &ImageFile| {
        let result = request.process_file(file);
        progress.advance(&file.name);
        result
    };
    let take = |field: Result<Done, FieldError>| match field {
        Ok(field) => {
            outcome.n_fields += 1;
            outcome.n_nuclei += u64::from(field.summary.n_nuclei);
            for finding in &field.remarks {
                if !outcome.remarks.contains(finding) {
                    outcome.remarks.push(finding.clone());
                }
            }
            results.add(field)
        }
        Err(FieldError::Findings(findings)) => {
            outcome.failed.extend(findings);
            Ok(())
        }
        Err(FieldError::Lost(error)) => Err(error),
    };
    run_many(request.files, request.ready.n_at_once(), make, take)?;
    results.finish(request.ready, start)?;
    Ok(outcome)
}

/// Results of a field, kept until the tables are written.
struct Done {
    record: FieldRecord,
    nuclei: Nuclei,
    summary: Summary,
    remarks: Vec<Finding>,
}

enum FieldError {
    /// The image cannot be measured.
    Findings(Vec<Finding>),
    /// Its results cannot be kept.
    Lost(FilesError),
}

impl From<FilesError> for FieldError {
    fn from(error: FilesError) -> Self {
        Self::Lost(error)
    }
}

impl Request<'_> {
    fn process_file(&self, file: &ImageFile) -> Result<Done, FieldError> {
        let start = Instant::now();
        let display = file.path.to_string_lossy();
        let bytes = read(&file.path).map_err(|finding| FieldError::Findings(vec![finding]))?;
        let digest = Digest::of_bytes(&bytes);
        let decoded = decode(&display, &bytes).map_err(FieldError::Findings)?;
        drop(bytes);
        let (pixel, remarks) =
            pixel_size(self.ready.params(), self.asked, decoded.pixel_size, self.profile_path);
        if has_errors(&remarks) {
            return Err(FieldError::Findings(remarks));
        }
        let run = self
            .ready
            .run(&decoded.image, pixel)
            .map_err(|error| FieldError::Findings(vec![unfit_finding(&display, &error)]))?;
        self.write(file, &decoded.image, &run)?;
        let seconds = start.elapsed().as_secs_f64();
        let record = FieldRecord::new(&file.name, digest, pixel, &run, seconds);
        Ok(Done { record, nuclei: run.nuclei, summary: run.summary, remarks })
    }

    fn write(&self, file: &ImageFile, image: &Image, run: &FieldRun) -> Result<(), FilesError> {
        let encoded =
            encode_labels(&run.labels).map_err(|error| FilesError::Labels(error.into()))?;
        let labels = format!("{}_labels.{}", file.name, labels_extension(&run.labels));
        replace(&self.out.join(labels), &encoded)?;
        (self.pictures)(&self.out.join(&file.name), image, run)
    }
}

fn unfit_finding(path: &str, error: &RunError) -> Finding {
    let finding = Finding::error(Code::ImageModality, Place::file(path), error.to_string());
    match error {
        RunError::Unet(UnetError::Bent | UnetError::Prepare(_)) => finding,
        _ => finding.help("segment this image with a profile of its own modality"),
    }
}

/// Tables and records as they grow.
struct Results<'a> {
    out: &'a Path,
    nuclei: Option<NucleiTable<NamedTempFile>>,
    rows: Vec<(String, Summary)>,
    records: Vec<FieldRecord>,
}

impl<'a> Results<'a> {
    fn new(out: &'a Path) -> Self {
        Self { out, nuclei: None, rows: Vec::new(), records: Vec::new() }
    }

    fn nuclei_file(&self) -> PathBuf {
        self.out.join("nuclei.csv")
    }

    fn add(&mut self, field: Done) -> Result<(), FilesError> {
        let table = match &mut self.nuclei {
            Some(table) => table,
            None => {
                let path = self.nuclei_file();
                let file = write_beside(&path, &[]);
                let file = file.map_err(|source| WriteError { path, source })?;
                self.nuclei.insert(NucleiTable::new(file))
            }
        };
        table.add(&field.record.name, &field.nuclei)?;
        self.rows.push((field.record.name.clone(), field.summary));
        self.records.push(field.record);
        Ok(())
    }

    fn finish(self, ready: &Ready<'_>, start: Instant) -> Result<(), FilesError> {
        let path = self.nuclei_file();
        let Some(nuclei) = self.nuclei else { return Ok(()) };
        let to_error =
            |error: tempfile::PersistError| WriteError { path: path.clone(), source: error.error };
        nuclei.finish()?.persist(&path).map_err(to_error)?;
        let rows: Vec<(&str, Summary)> =
            self.rows.iter().map(|(name, summary)| (name.as_str(), *summary)).collect();
        replace(&self.out.join("fields.csv"), &tables::fields(&rows)?)?;
        let seconds = start.elapsed().as_secs_f64();
        let record = RunRecord::new(ready.params(), self.records, seconds);
        replace(&self.out.join("run.json"), record.to_json()?.as_bytes())?;
        Ok(())
    }
}

/// Reads an image file, bounded.
///
/// # Errors
/// A finding when it cannot be read or is larger than any image may be.
pub fn read(path: &Path) -> Result<Vec<u8>, Finding> {
    read_up_to(path, MAX_FILE_BYTES)
}

/// Reads a file of at most so many bytes.
///
/// # Errors
/// As [`read`].
pub fn read_up_to(path: &Path, max_bytes: u64) -> Result<Vec<u8>, Finding> {
    let display = path.to_string_lossy();
    let to_finding = |error: std::io::Error| {
        let message = format!("`{display}` cannot be read: {error}");
        Finding::error(Code::FileUnreadable, Place::file(display.as_ref()), message)
    };
    let file = std::fs::File::open(path).map_err(to_finding)?;
    // What the file says about its size only saves growing: it may say anything.
    let expected = file.metadata().map_or(0, |metadata| metadata.len().min(max_bytes));
    let mut bytes = Vec::new();
    let _ = bytes.try_reserve(expected as usize + 1);
    file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(to_finding)?;
    if bytes.len() as u64 > max_bytes {
        let message = format!("`{display}` has more than {max_bytes} bytes");
        return Err(Finding::error(Code::FileTooLarge, Place::file(display.as_ref()), message));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Models;
    use cellgate_core::profile::Modality;
    use cellgate_inputs::dataset::encode::encode_image;
    use cellgate_inputs::dataset::phantom::Phantom;
    use cellgate_inputs::params::{Params, of_text};
    use cellgate_inputs::source::Source;

    const PROFILE: &str = "schema: cellgate/profile/v1\nname: p\nimage: {modality: fluorescence}\nsmoothing: {sigma_px: 1}\n";

    /// A folder of image files, of which those of odd number are damaged, and the folder of results.
    struct TestFolder {
        folder: tempfile::TempDir,
        params: Params,
    }

    impl TestFolder {
        fn new() -> Self {
            let params = of_text(&Source::new("p.yaml", PROFILE)).unwrap().params;
            Self { folder: tempfile::tempdir().unwrap(), params }
        }

        fn files(&self, contents: &[&[u8]]) -> Vec<ImageFile> {
            let file = |(index, bytes): (usize, &&[u8])| {
                let path = self.folder.path().join(format!("{index}.png"));
                std::fs::write(&path, bytes).unwrap();
                ImageFile { name: index.to_string(), path }
            };
            contents.iter().enumerate().map(file).collect()
        }

        fn run(&self, files: &[ImageFile], pictures: &Pictures<'_>) -> Result<Outcome, FilesError> {
            let request = Request {
                ready: &Ready::new(&self.params, Models::default()),
                profile_path: "p.yaml",
                asked: Phantom::pixel_size(),
                files,
                out: &self.folder.path().join("out"),
                pictures,
            };
            run_files(&request, &|_, _, _| {})
        }

        /// Names of the files of results, sorted.
        fn results(&self) -> Vec<String> {
            let entries = std::fs::read_dir(self.folder.path().join("out"));
            let mut names: Vec<String> = entries
                .map(|entries| {
                    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
                })
                .unwrap_or_default();
            names.sort();
            names
        }

        fn table(&self) -> String {
            std::fs::read_to_string(self.folder.path().join("out/nuclei.csv")).unwrap()
        }
    }

    fn phantom(seed: u64) -> Vec<u8> {
        encode_image(&Phantom::new(Modality::Fluorescence, seed).draw().image, None).unwrap()
    }

    #[test]
    fn what_can_be_measured_is_and_the_rest_is_told() {
        let folder = TestFolder::new();
        let files = folder.files(&[&phantom(1), b"no image", &phantom(2)]);
        let outcome = folder.run(&files, &|_, _, _| Ok(())).unwrap();
        assert_eq!((outcome.n_fields, outcome.failed.len()), (2, 1));
        assert_eq!(folder.table().lines().count() as u64, outcome.n_nuclei + 1);
        let results = ["0_labels.png", "2_labels.png", "fields.csv", "nuclei.csv", "run.json"];
        assert_eq!(folder.results(), results);
    }

    #[test]
    fn tables_of_a_former_run_stay_when_there_is_nothing_to_say() {
        let folder = TestFolder::new();
        folder.run(&folder.files(&[&phantom(1)]), &|_, _, _| Ok(())).unwrap();
        let (before, results) = (folder.table(), folder.results());
        let outcome = folder.run(&folder.files(&[b"no image"]), &|_, _, _| Ok(())).unwrap();
        assert_eq!((outcome.n_fields, outcome.failed.len()), (0, 1));
        assert_eq!((folder.table(), folder.results()), (before, results));
    }

    #[test]
    fn a_result_that_is_lost_ends_the_run_and_leaves_the_former_table() {
        let folder = TestFolder::new();
        folder.run(&folder.files(&[&phantom(1)]), &|_, _, _| Ok(())).unwrap();
        let before = folder.table();
        let images: Vec<Vec<u8>> = (2..5).map(phantom).collect();
        let files: Vec<&[u8]> = images.iter().map(Vec::as_slice).collect();
        let full_disk = |stem: &Path, _: &Image, _: &FieldRun| {
            let is_lost = stem.ends_with("1");
            if is_lost { Err(FilesError::Overlay("no space is left".into())) } else { Ok(()) }
        };
        let error = folder.run(&folder.files(&files), &full_disk).unwrap_err();
        assert!(matches!(error, FilesError::Overlay(_)), "{error}");
        assert_eq!(folder.table(), before);
        assert!(
            folder.results().iter().all(|name| !name.starts_with('.')),
            "{:?}",
            folder.results()
        );
    }
}
