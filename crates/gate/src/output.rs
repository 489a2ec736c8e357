//! Output: the report's files, each whole or not at all.

use super::outcome::Outcome;
use crate::report::findings::{junit, sarif};
use crate::report::html::Picture;
use crate::report::{html, markdown};
use cellgate_inputs::finding::Finding;
use cellgate_run::write::{WriteError, replace};
use std::path::Path;

/// Bytes of Markdown that a comment on GitHub can be trusted to take, with room for a marker.
const MAX_MARKDOWN_BYTES: usize = 60_000;

/// Folder of single pictures in the report's.
const PICTURES: &str = "pictures";

/// Writes `report.json`, `report.md`, `report.html`, `junit.xml` and `report.sarif` into a folder,
/// and each picture as `pictures/NN-PROFILE-FIELD.png`, the worst first.
///
/// # Errors
/// [`WriteError`] for the first file that cannot be written.
pub fn write(outcome: &Outcome, folder: &Path) -> Result<(), WriteError> {
    let report = &outcome.report;
    let findings: Vec<Finding> = outcome.findings.iter().chain(&outcome.remarks).cloned().collect();
    let mut files: Vec<String> =
        findings.iter().map(|finding| finding.place.path.to_string()).collect();
    files.extend(outcome.files.iter().cloned());
    files.sort_unstable();
    files.dedup();
    let json = report.to_json().map_err(|error| WriteError {
        path: folder.join("report.json"),
        source: std::io::Error::other(error),
    })?;
    replace(&folder.join("report.json"), json.as_bytes())?;
    let markdown = markdown::render(report, None, MAX_MARKDOWN_BYTES);
    replace(&folder.join("report.md"), markdown.as_bytes())?;
    let page = html::render(report, &outcome.pictures);
    replace(&folder.join("report.html"), page.as_bytes())?;
    write_pictures(&outcome.pictures, &folder.join(PICTURES))?;
    replace(&folder.join("junit.xml"), junit(&findings, &files).as_bytes())?;
    replace(&folder.join("report.sarif"), format!("{:#}\n", sarif(&findings)).as_bytes())
}

/// Writes the pictures; those of an earlier report go.
fn write_pictures(pictures: &[Picture], folder: &Path) -> Result<(), WriteError> {
    let error_at = |path: &Path| {
        let path = path.to_owned();
        move |source| WriteError { path, source }
    };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_picture(&entry.file_name().to_string_lossy()) {
            std::fs::remove_file(entry.path()).map_err(error_at(&entry.path()))?;
        }
    }
    for (number, picture) in pictures.iter().enumerate() {
        let name = format!("{}-{}", picture.profile, picture.field);
        // Names of fields come from a manifest and may hold what no file is called.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let stem: String =
            name.chars().map(|c| if is_plain(c) { c } else { '-' }).take(100).collect();
        replace(&folder.join(format!("{:02}-{stem}.png", number + 1)), &picture.png)?;
    }
    Ok(())
}

/// Whether a file's name is one that [`write_pictures`] gives.
fn is_picture(name: &str) -> bool {
    let number = name.split('-').next().unwrap_or_default();
    number.len() >= 2
        && number.bytes().all(|digit| digit.is_ascii_digit())
        && name.ends_with(".png")
}
