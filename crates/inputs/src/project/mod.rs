//! Project: `cellgate.yaml` and the policy that a change is judged by.
//!
//! Reads from a [`Tree`], so that policy can be read from base. Knows where things are and which
//! names are defined; does not open datasets or targets.

mod policy;
mod raw;
mod targets;
mod tolerances;

pub use policy::{AccuracyFloors, ApprovalPolicy, Policy};
pub use targets::{Jump, MonitorLimits, Setting, SshTarget, Target};
pub use tolerances::{TOLERANCES_SCHEMA, tolerances_of_text, tolerances_schema};

use crate::finding::{Code, Finding, closest, has_errors};
use crate::params::file_of_tree;
use crate::revision::{Tree, normalize};
use crate::source::Source;
use crate::yaml::{Document, Remarks, Step, route, schema_of};
use cellgate_core::tolerances::Tolerances;
pub use raw::DEFAULT_MODELS;
use raw::{DEFAULT_PARAMS, RawApproval, RawDataset, RawFloors, RawPermission, RawProject};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Value of the `schema` key in a project file.
pub const SCHEMA: &str = "cellgate/project/v1";

/// Where a project file stands, relative to the root of the repository.
pub const FILE: &str = "cellgate.yaml";

/// A valid project file and the tolerances that it names.
#[derive(Debug, Clone)]
pub struct Project {
    /// Folder of the profiles, relative to the project file.
    pub params: String,
    /// Folder of the networks' weights and cards, relative to the project file.
    pub models: String,
    /// File of the tolerances, where the project names one.
    pub tolerances: Option<String>,
    /// Fixture datasets, by name.
    pub datasets: BTreeMap<String, DatasetSource>,
    /// Pairs of profile and dataset that are gated, in the file's order; at least one.
    pub gate: Vec<GateEntry>,
    /// Servers that releases are deployed to, by name.
    pub targets: BTreeMap<String, Target>,
    /// Memory and disk that a target must have to spare.
    pub monitor: MonitorLimits,
    /// Warnings and notes; never errors.
    pub warnings: Vec<Finding>,
    policy: Policy,
}

/// Where a fixture dataset comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatasetSource {
    /// A folder, relative to the project file.
    Folder(String),
    /// The embedded phantoms.
    Phantoms,
}

/// A profile on a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateEntry {
    /// Name of the profile.
    pub profile: String,
    /// Name of the dataset.
    pub dataset: String,
    /// Only fields of this image type; `None` takes all.
    pub image_type: Option<String>,
}

impl Project {
    /// Reads [`FILE`] and the tolerances that it names.
    ///
    /// # Errors
    /// Every finding about both files, when one is an error. A file that is named and missing is
    /// an error, never a default.
    pub fn load(tree: &Tree) -> Result<Self, Vec<Finding>> {
        let source = file_of_tree(tree, FILE).map_err(|finding| vec![finding])?;
        Self::of_source(tree, &source)
    }

    /// Reads a project file whose text is at hand; its paths are looked up in `tree`.
    ///
    /// # Errors
    /// As [`Self::load`].
    ///
    /// # Examples
    /// ```
    /// use cellgate_inputs::project::Project;
    /// use cellgate_inputs::revision::Tree;
    /// use cellgate_inputs::source::Source;
    ///
    /// let text = "schema: cellgate/project/v1\nparams: none\ngate: []\n";
    /// let findings = Project::of_source(&Tree::Folder(".".into()), &Source::new("cellgate.yaml", text));
    /// assert!(!findings.unwrap_err().is_empty());
    /// ```
    pub fn of_source(tree: &Tree, source: &Source) -> Result<Self, Vec<Finding>> {
        let document = Document::parse(source)?;
        let raw: RawProject = document.read(SCHEMA)?;
        let mut remarks = Remarks::new(&document);
        let params = raw.params.as_deref().unwrap_or(DEFAULT_PARAMS);
        let params = normalize_inside(&mut remarks, &route("params"), params);
        let models = raw.models.as_deref().unwrap_or(DEFAULT_MODELS);
        let models = normalize_inside(&mut remarks, &route("models"), models);
        let tolerances_path = raw
            .tolerances
            .as_ref()
            .map(|path| normalize_inside(&mut remarks, &route("tolerances"), path));
        let profiles = profile_names(tree, &params);
        let datasets = read_datasets(&raw, &mut remarks);
        check_references(&raw, &profiles, &params, &mut remarks);
        let mut targets = BTreeMap::new();
        for (name, raw) in &raw.targets {
            if let Some(target) = targets::read_target(name, raw, &mut remarks) {
                targets.insert(name.clone(), target);
            }
        }
        if raw.tolerances.is_none() {
            warn_unnamed_tolerances(tree, &params, &mut remarks);
        }
        let mut findings = remarks.findings;
        let tolerances = match &tolerances_path {
            None => Tolerances::default(),
            Some(path) => read_tolerances(tree, path, &mut findings),
        };
        if has_errors(&findings) {
            return Err(findings);
        }
        let floors = |(name, raw): (String, RawFloors)| (name, floors_of(&raw));
        let policy = Policy {
            tolerances,
            accuracy_floors: raw.accuracy_floors.into_iter().map(floors).collect(),
            approval: approval_of(&raw.approval),
        };
        let entry = |raw: raw::RawGate| GateEntry {
            profile: raw.profile,
            dataset: raw.dataset,
            image_type: raw.image_type,
        };
        Ok(Self {
            params,
            models,
            tolerances: tolerances_path,
            datasets,
            gate: raw.gate.into_iter().map(entry).collect(),
            targets,
            monitor: targets::monitor_limits(&raw.monitor),
            warnings: findings,
            policy,
        })
    }

    /// Policy that a change is judged by.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
}

/// The folder of models of a tree's project: what its project file names, as far as it can be read,
/// else the default.
#[must_use]
pub fn models_folder(tree: &Tree) -> String {
    folder_setting(tree, "models", DEFAULT_MODELS)
}

/// The folder of profiles of a tree's project, as [`models_folder`] finds that of models.
#[must_use]
pub fn params_folder(tree: &Tree) -> String {
    folder_setting(tree, "params", DEFAULT_PARAMS)
}

fn folder_setting(tree: &Tree, key: &str, default: &str) -> String {
    let source = file_of_tree(tree, FILE).ok();
    let document = source.and_then(|source| Document::parse(&source).ok());
    let path = document.as_ref().and_then(|document| document.value().get(key)?.as_str());
    path.and_then(normalize).unwrap_or_else(|| default.to_owned())
}

/// The JSON Schema of a project file, for editors.
#[must_use]
pub fn schema() -> Value {
    schema_of::<RawProject>()
}

/// The plain form of a path; as written, with an error, when it leads out.
fn normalize_inside(remarks: &mut Remarks<'_>, route: &[Step], path: &str) -> String {
    normalize(path).unwrap_or_else(|| {
        let message = format!("the path `{path}` leads out of the repository");
        let help = "give a path relative to this file, without `..` and `\\`";
        remarks.error(route, Code::PathOutside, message, help);
        path.to_owned()
    })
}

/// Names of the files in the folder of profiles that may be profiles.
fn profile_names(tree: &Tree, folder: &str) -> BTreeSet<String> {
    let files = tree.list(folder).unwrap_or_default();
    let stem = |name: &String| {
        let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
        stem.map(str::to_owned)
    };
    files.iter().filter_map(stem).collect()
}

fn read_datasets(raw: &RawProject, remarks: &mut Remarks<'_>) -> BTreeMap<String, DatasetSource> {
    let mut datasets = BTreeMap::new();
    for (name, raw) in &raw.datasets {
        let source = match raw {
            RawDataset::Phantoms => DatasetSource::Phantoms,
            RawDataset::Folder(folder) => {
                let route = ["datasets".into(), name.as_str().into()];
                DatasetSource::Folder(normalize_inside(remarks, &route, folder))
            }
        };
        datasets.insert(name.clone(), source);
    }
    datasets
}

/// Tolerances that lie beside the profiles and that nobody names would be passed over silently.
fn warn_unnamed_tolerances(tree: &Tree, folder: &str, remarks: &mut Remarks<'_>) {
    let path = format!("{folder}/tolerances.yaml");
    if tree.has_file(&path).unwrap_or(false) {
        let message = format!("`{path}` is not used: the defaults hold");
        let help = format!("add `tolerances: {path}`");
        remarks.key_warning(&[], Code::KeyWithoutEffect, message, &help);
    }
}

/// Every name that the file uses must be defined.
fn check_references(
    raw: &RawProject,
    profiles: &BTreeSet<String>,
    folder: &str,
    remarks: &mut Remarks<'_>,
) {
    let names = || profiles.iter().map(String::as_str);
    for (index, entry) in raw.gate.iter().enumerate() {
        let route = |key: &'static str| ["gate".into(), index.into(), key.into()];
        if !profiles.contains(&entry.profile) {
            let message = format!("there is no profile `{}` in `{folder}`", entry.profile);
            let help = suggestion(&entry.profile, names());
            remarks.error(&route("profile"), Code::ReferenceUnknown, message, &help);
        }
        if !raw.datasets.contains_key(&entry.dataset) {
            let message = format!("`datasets` has no `{}`", entry.dataset);
            let help = suggestion(&entry.dataset, raw.datasets.keys().map(String::as_str));
            remarks.error(&route("dataset"), Code::ReferenceUnknown, message, &help);
        }
    }
    let gated: BTreeSet<&str> = raw.gate.iter().map(|entry| entry.profile.as_str()).collect();
    for name in raw.accuracy_floors.keys().filter(|name| !gated.contains(name.as_str())) {
        let message = format!("the floor of `{name}` holds nothing: `gate` does not run it");
        let help = suggestion(name, gated.iter().copied());
        let route = ["accuracy_floors".into(), name.as_str().into()];
        remarks.key_error(&route, Code::ReferenceUnknown, message, &help);
    }
}

fn suggestion<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    match closest(name, known.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None if known.is_empty() => "nothing is defined there yet".to_owned(),
        None => format!("defined: {}", known.join(", ")),
    }
}

fn read_tolerances(tree: &Tree, path: &str, findings: &mut Vec<Finding>) -> Tolerances {
    let result = file_of_tree(tree, path)
        .map_err(|finding| vec![finding])
        .and_then(|source| tolerances_of_text(&source));
    result.unwrap_or_else(|errors| {
        findings.extend(errors);
        Tolerances::default()
    })
}

fn floors_of(raw: &RawFloors) -> AccuracyFloors {
    AccuracyFloors {
        f1_at_50: raw.f1_at_50,
        ap_at_50: raw.ap_at_50,
        map: raw.map,
        aji: raw.aji,
        pq: raw.pq,
        dice: raw.dice,
    }
}

impl Default for Policy {
    /// The policy of a project that says nothing about it.
    fn default() -> Self {
        Self {
            tolerances: Tolerances::default(),
            accuracy_floors: BTreeMap::new(),
            approval: approval_of(&RawApproval::default()),
        }
    }
}

/// Who may approve, from the text of a project file whose other files are not at hand.
///
/// # Errors
/// Every finding about the file itself.
pub fn approval_policy(source: &Source) -> Result<ApprovalPolicy, Vec<Finding>> {
    let document = Document::parse(source)?;
    let raw: RawProject = document.read(SCHEMA)?;
    Ok(approval_of(&raw.approval))
}

fn approval_of(raw: &RawApproval) -> ApprovalPolicy {
    let permission = match raw.permission.unwrap_or(RawPermission::Write) {
        RawPermission::Write => "write",
        RawPermission::Maintain => "maintain",
        RawPermission::Admin => "admin",
    };
    ApprovalPolicy {
        permission: permission.to_owned(),
        allow_author: raw.allow_author.unwrap_or(true),
        count: raw.count.unwrap_or(1),
    }
}

#[cfg(test)]
mod tests;
