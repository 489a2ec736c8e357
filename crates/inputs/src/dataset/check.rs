//! Check: everything that can be said about a dataset, field by field.

use super::{Dataset, Origin};
use crate::finding::{Code, Finding};
use crate::revision::Tree;
use crate::source::Place;
use rayon::prelude::*;
use std::collections::BTreeSet;

/// Folders of the layout.
const LAYOUT: [&str; 2] = ["original", "masks"];

impl Dataset {
    /// Opens every field, and gives all findings in the order of fields: errors of fields that
    /// cannot be opened, warnings about files that no field names, and notes on what is missing for
    /// others to trust and to reuse the fields.
    #[must_use]
    pub fn check(&self, tree: &Tree) -> Vec<Finding> {
        let by_field: Vec<Vec<Finding>> = self
            .fields
            .par_iter()
            .map(|field| field.open(tree).err().unwrap_or_default())
            .collect();
        let mut findings: Vec<Finding> = by_field.into_iter().flatten().collect();
        findings.extend(self.unnamed_file_findings(tree));
        findings.extend(self.provenance_findings());
        findings
    }

    /// Files in the layout's folders that no field names.
    fn unnamed_file_findings(&self, tree: &Tree) -> Vec<Finding> {
        let folders: BTreeSet<&str> = self
            .fields
            .iter()
            .filter_map(|field| match &field.origin {
                Origin::Files { folder, .. } => Some(folder.as_str()),
                Origin::Drawn(_) => None,
            })
            .collect();
        let masks = self
            .fields
            .iter()
            .filter_map(|field| field.mask.as_ref().map(|mask| mask.path.as_str()));
        let known_paths: BTreeSet<&str> =
            self.fields.iter().map(|field| field.image.as_str()).chain(masks).collect();
        let mut findings = Vec::new();
        for (folder, part) in folders.iter().flat_map(|folder| LAYOUT.map(|part| (folder, part))) {
            let files = tree.list(&super::manifest::join(folder, part)).unwrap_or_default();
            for file in files.iter().filter(|file| !file.starts_with('.')) {
                let path = format!("{part}/{file}");
                if !known_paths.contains(path.as_str()) {
                    let place = Place::file(super::manifest::join(folder, &path));
                    let message = format!("no field of the dataset names `{path}`");
                    let help = "add a field for it to `dataset.yaml`, or delete the file";
                    findings.push(Finding::warning(Code::DatasetLayout, place, message).help(help));
                }
            }
        }
        findings
    }

    fn provenance_findings(&self) -> Vec<Finding> {
        let note = |n_fields: usize, what: &str, help: &str| {
            (n_fields > 0).then(|| {
                let message = format!("{n_fields} of {} fields have no {what}", self.fields.len());
                Finding::note(Code::DatasetLayout, self.place.clone(), message).help(help)
            })
        };
        let count = |is_missing: &dyn Fn(&super::FieldEntry) -> bool| {
            self.fields.iter().filter(|f| is_missing(f)).count()
        };
        [
            note(
                count(&|field| field.license.is_none()),
                "license",
                "say under `license` who may use them, for example CC0-1.0",
            ),
            note(
                count(&|field| field.source.is_none()),
                "source",
                "say under `source` where they come from",
            ),
            note(
                count(&|field| field.mask.is_none()),
                "truth",
                "without a mask only drift is judged, not accuracy",
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
