//! Output: the report's files, each whole or not at all.

use super::Outcome;
use crate::finding::Finding;
use crate::report::findings::{junit, sarif};
use crate::report::{html, markdown};
use crate::run::write::{WriteError, replace};
use std::path::Path;

/// Bytes of Markdown that a comment on GitHub can be trusted to take, with room for a marker.
const MAX_MARKDOWN_BYTES: usize = 60_000;

/// Writes `report.json`, `report.md`, `report.html`, `junit.xml` and `report.sarif` into a folder.
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
    replace(&folder.join("junit.xml"), junit(&findings, &files).as_bytes())?;
    replace(&folder.join("report.sarif"), format!("{:#}\n", sarif(&findings)).as_bytes())
}
