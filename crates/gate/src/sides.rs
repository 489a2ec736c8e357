//! Sides: the inputs of base and of head, and which of them count.
//!
//! Policy, datasets and the list of what is gated come from base, so that no change lets itself
//! through; head adds only profiles that base does not know.

use super::error::GateError;
use crate::verdict::Change;
use cellgate_approval::{Binding, ProfileBinding};
use cellgate_core::digest::{Digest, DigestError};
use cellgate_inputs::dataset::{Dataset, FieldEntry};
use cellgate_inputs::finding::{Code, Finding, has_errors};
use cellgate_inputs::params::{Loaded, load_all};
use cellgate_inputs::project::{self, DatasetSource, GateEntry, Policy, Project};
use cellgate_inputs::revision::Tree;
use cellgate_inputs::source::{Place, Source, below};
use std::collections::{BTreeMap, BTreeSet};

/// One side, as far as it can be read.
pub(super) struct OneSide {
    pub(super) project: Option<Project>,
    pub(super) profiles: BTreeMap<String, Loaded>,
    /// Names of profiles whose file is there and invalid.
    invalid: BTreeSet<String>,
    datasets: BTreeMap<String, Dataset>,
    pub(super) findings: Vec<Finding>,
    has_project_file: bool,
}

/// Base and head.
pub(super) struct Sides {
    base: OneSide,
    head: OneSide,
    /// Findings about head, and about base where they matter.
    pub(super) findings: Vec<Finding>,
    /// Texts that findings point into.
    pub(super) sources: Vec<Source>,
}

/// One profile and what it is tried on.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) base: Option<Loaded>,
    pub(super) head: Option<Loaded>,
    pub(super) is_invalid_in_base: bool,
    pub(super) is_invalid_in_head: bool,
    /// Datasets to try it on, each with the image type to take.
    pub(super) trials: Vec<Trial>,
    /// Path of the profile's file in head, or where it was.
    pub(super) path: String,
}

/// A dataset to try a profile on.
pub(super) struct Trial {
    pub(super) name: String,
    pub(super) dataset: Dataset,
    pub(super) image_type: Option<String>,
}

impl OneSide {
    pub(super) fn load(tree: &Tree, params_elsewhere: Option<&str>) -> Self {
        let has_project_file = tree.has_file(project::FILE).unwrap_or(false);
        let mut findings = Vec::new();
        let project = if has_project_file {
            match Project::load(tree) {
                Ok(project) => {
                    findings.extend(project.warnings.iter().cloned());
                    Some(project)
                }
                Err(errors) => {
                    findings.extend(errors);
                    None
                }
            }
        } else {
            None
        };
        let folder = project.as_ref().map(|project| project.params.as_str()).or(params_elsewhere);
        let tolerances = project.as_ref().and_then(|project| project.tolerances.as_deref());
        let non_profiles: Vec<&str> = tolerances.into_iter().collect();
        let (profiles, profile_findings) = match folder {
            Some(folder) => load_all(tree, folder, &non_profiles),
            None => (Vec::new(), Vec::new()),
        };
        let invalid =
            profile_findings.iter().filter(|finding| has_errors(std::slice::from_ref(finding)));
        let invalid = invalid.filter_map(|finding| stem(&finding.place.path)).collect();
        findings.extend(profile_findings);
        let mut datasets = BTreeMap::new();
        for (name, source) in project.iter().flat_map(|project| &project.datasets) {
            match load_dataset(tree, source) {
                Ok(dataset) => drop(datasets.insert(name.clone(), dataset)),
                Err(errors) => findings.extend(errors),
            }
        }
        let profiles =
            profiles.into_iter().map(|loaded| (loaded.params.name.clone(), loaded)).collect();
        Self { project, profiles, invalid, datasets, findings, has_project_file }
    }

    /// Binding of an approval of this side, for profiles of these names.
    pub(super) fn binding<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
        policy: &Policy,
        engine: Digest,
    ) -> Result<Binding, GateError> {
        let profile = |name: &str| {
            Ok(ProfileBinding {
                name: name.to_owned(),
                params_digest: self.profiles.get(name).map(|loaded| loaded.params.digest()),
                dataset_digest: self.trials_digest(name)?,
            })
        };
        let profiles: Result<Vec<ProfileBinding>, GateError> =
            names.into_iter().map(profile).collect();
        Ok(Binding {
            profiles: profiles?,
            policy_digest: policy.digest()?,
            engine_fingerprint: engine,
        })
    }

    /// Digest of the datasets that a profile is tried on, each with the image type that is taken;
    /// `None` when nothing tries it.
    fn trials_digest(&self, profile: &str) -> Result<Option<Digest>, DigestError> {
        let entries = self.project.iter().flat_map(|project| &project.gate);
        let mut trials: Vec<(String, Option<&str>)> = entries
            .filter(|entry| entry.profile == profile)
            .map(|entry| {
                let dataset = self.datasets.get(&entry.dataset).map(|dataset| dataset.digest());
                let digest = dataset.map_or_else(String::new, |digest| digest.to_string());
                (digest, entry.image_type.as_deref())
            })
            .collect();
        trials.sort_unstable();
        (!trials.is_empty()).then(|| Digest::of_canonical(&trials)).transpose()
    }
}

fn load_dataset(tree: &Tree, source: &DatasetSource) -> Result<Dataset, Vec<Finding>> {
    match source {
        DatasetSource::Phantoms => Ok(Dataset::phantoms()),
        DatasetSource::Folder(folder) => Dataset::load(tree, folder),
    }
}

impl Sides {
    /// Loads both sides.
    pub(super) fn load(base_tree: &Tree, head_tree: &Tree) -> Self {
        let mut base = OneSide::load(base_tree, None);
        let folder = |side: &OneSide| side.project.as_ref().map(|project| project.params.clone());
        let head = OneSide::load(head_tree, folder(&base).as_deref());
        if base.project.is_none() {
            // The gate is being adopted: profiles may stand where head says, and count as base's.
            base = OneSide::load(base_tree, folder(&head).as_deref());
        }
        let mut findings = head.findings.clone();
        if base.has_project_file && !head.has_project_file {
            let message = format!("`{}` is gone", project::FILE);
            let finding = Finding::error(Code::FileUnreadable, Place::file(project::FILE), message);
            findings.push(finding.help("keep it: it says what is gated, and base has it"));
        }
        if base.has_project_file && base.project.is_none() {
            let message = "base's project file is invalid; head's policy and fields are taken";
            let place = Place::file(project::FILE);
            findings.push(Finding::warning(Code::ReferenceUnknown, place, message));
        }
        let mut paths: Vec<&str> = findings.iter().map(|finding| &*finding.place.path).collect();
        paths.sort_unstable();
        paths.dedup();
        let text = |path: &str| cellgate_inputs::params::file_of_tree(head_tree, path).ok();
        let sources = paths.into_iter().filter_map(text).collect();
        Self { base, head, findings, sources }
    }

    /// Tells of files from the repository's top, where the trees stand in its folder.
    pub(super) fn prefix_paths(&mut self, folder: &str) {
        self.findings.iter_mut().for_each(|finding| finding.place.move_below(folder));
        for source in &mut self.sources {
            source.path = below(folder, &source.path).into();
        }
    }

    /// Base's and head's folder of models.
    pub(super) fn models_folders(&self) -> (&str, &str) {
        let base = self.base.project.as_ref().map(|project| project.models.as_str());
        let head = self.head.project.as_ref().map(|project| project.models.as_str());
        let head = head.or(base).unwrap_or(project::DEFAULT_MODELS);
        (base.unwrap_or(head), head)
    }

    /// The side whose policy and list of fields count.
    fn reference(&self) -> Option<&OneSide> {
        [&self.base, &self.head].into_iter().find(|side| side.project.is_some())
    }

    /// The policy that judges; without any project file the default one.
    pub(super) fn policy(&self) -> Policy {
        let project = self.reference().and_then(|side| side.project.as_ref());
        project.map_or_else(Policy::default, |project| project.policy().clone())
    }

    /// Digests of the policies, when head's differs; a first policy differs from none.
    pub(super) fn policy_change(&self) -> Result<Option<Change>, GateError> {
        let Some(head) = &self.head.project else { return Ok(None) };
        let base = self.base.project.as_ref();
        let base_policy = base.map(|base| base.policy().digest()).transpose()?;
        let head_policy = Some(head.policy().digest()?);
        Ok((base_policy != head_policy).then(|| change(base_policy, head_policy)))
    }

    /// Binding of an approval of head: every gated profile as head has it, the datasets that head
    /// tries it on, head's policy. People approve the state after the merge, not what judges it.
    pub(super) fn binding(&self, cases: &[Case], engine: Digest) -> Result<Binding, GateError> {
        let names = cases.iter().map(|case| case.name.as_str());
        let policy = self.head.project.as_ref().map(|project| project.policy().clone());
        self.head.binding(names, &policy.unwrap_or_else(|| self.policy()), engine)
    }

    /// Digests of the fields and of what is tried on them, when head's differ.
    pub(super) fn dataset_change(&self) -> Result<Option<Change>, GateError> {
        if self.base.project.is_none() || self.head.project.is_none() {
            return Ok(None);
        }
        let (base, head) = (self.trials_digest(&self.base)?, self.trials_digest(&self.head)?);
        Ok((base != head).then(|| change(Some(base), Some(head))))
    }

    /// Digest of every dataset that is judged on: the dataset's own when there is one.
    pub(super) fn dataset_digest(&self) -> Result<Digest, GateError> {
        let datasets = self.reference().map(|side| &side.datasets);
        let digests: Vec<String> = datasets
            .into_iter()
            .flatten()
            .map(|(_, dataset)| dataset.digest().to_string())
            .collect();
        match digests.as_slice() {
            [digest] => Ok(digest.parse().unwrap_or_else(|_| Digest::of_bytes(digest.as_bytes()))),
            many => Ok(Digest::of_canonical(&many)?),
        }
    }

    /// Digest of a side's trials (profile, image type, dataset), for profiles that base gates.
    fn trials_digest(&self, side: &OneSide) -> Result<Digest, GateError> {
        let entries = side.project.iter().flat_map(|project| &project.gate);
        let is_gated = |entry: &&GateEntry| self.is_gated_in_base(&entry.profile);
        let mut lines: Vec<String> = entries
            .filter(is_gated)
            .map(|entry| {
                let dataset = side.datasets.get(&entry.dataset).map(|dataset| dataset.digest());
                let digest = dataset.map_or_else(String::new, |digest| digest.to_string());
                let image_type = entry.image_type.as_deref().unwrap_or("*");
                format!("{} {image_type} {digest}", entry.profile)
            })
            .collect();
        lines.sort_unstable();
        Ok(Digest::of_canonical(&lines)?)
    }

    fn is_gated_in_base(&self, profile: &str) -> bool {
        let entries = self.base.project.iter().flat_map(|project| &project.gate);
        entries.into_iter().any(|entry| entry.profile == profile)
    }

    /// Every gated profile, by name; adds findings for what cannot be tried.
    pub(super) fn cases(&mut self) -> Vec<Case> {
        let mut by_profile: BTreeMap<String, Vec<GateEntry>> = BTreeMap::new();
        let of_base = self.base.project.iter().flat_map(|project| &project.gate);
        let of_head = self.head.project.iter().flat_map(|project| &project.gate);
        let added = of_head.filter(|entry| !self.is_gated_in_base(&entry.profile));
        for entry in of_base.chain(added) {
            by_profile.entry(entry.profile.clone()).or_default().push(entry.clone());
        }
        let mut findings = self.ungated_findings(&by_profile);
        let cases = by_profile
            .into_iter()
            .map(|(name, entries)| self.case(name, &entries, &mut findings))
            .filter(|case| {
                let exists = case.base.is_some() || case.head.is_some();
                exists || case.is_invalid_in_base || case.is_invalid_in_head
            })
            .collect();
        self.findings.extend(findings);
        cases
    }

    fn case(&self, name: String, entries: &[GateEntry], findings: &mut Vec<Finding>) -> Case {
        let mut trials = Vec::new();
        for entry in entries {
            let dataset = [&self.base, &self.head]
                .into_iter()
                .find_map(|side| side.datasets.get(&entry.dataset));
            let Some(dataset) = dataset else { continue };
            let image_type = entry.image_type.clone();
            let matches = |field: &&cellgate_inputs::dataset::FieldEntry| {
                image_type.as_ref().is_none_or(|kind| field.image_type == *kind)
            };
            if dataset.fields().iter().any(|field| matches(&field)) {
                trials.push(Trial {
                    name: entry.dataset.clone(),
                    dataset: dataset.clone(),
                    image_type,
                });
            } else {
                findings.push(nothing_matched_finding(
                    &name,
                    &entry.dataset,
                    image_type.as_deref(),
                ));
            }
        }
        let folder = [&self.head, &self.base].into_iter().find_map(|side| side.project.as_ref());
        let folder = folder.map_or("params", |project| project.params.as_str());
        let (base, head) =
            (self.base.profiles.get(&name).cloned(), self.head.profiles.get(&name).cloned());
        let path = head.as_ref().or(base.as_ref()).map(|loaded| loaded.source.path.to_string());
        Case {
            is_invalid_in_base: base.is_none() && self.base.invalid.contains(&name),
            is_invalid_in_head: head.is_none() && self.head.invalid.contains(&name),
            path: path.unwrap_or_else(|| format!("{folder}/{name}.yaml")),
            name,
            base,
            head,
            trials,
        }
    }

    /// Warnings for profiles that nothing tries.
    fn ungated_findings(&self, by_profile: &BTreeMap<String, Vec<GateEntry>>) -> Vec<Finding> {
        let ungated = self.head.profiles.iter().filter(|(name, _)| !by_profile.contains_key(*name));
        ungated
            .map(|(name, loaded)| {
                let place = Place::file(loaded.source.path.clone());
                let message =
                    format!("no entry of `gate:` tries `{name}`: its changes pass unseen");
                Finding::warning(Code::ProfileUngated, place, message).help(format!(
                    "add `- {{profile: {name}, dataset: …}}` to `gate:` in `cellgate.yaml`"
                ))
            })
            .collect()
    }
}

/// The file's name without folder and ending.
fn stem(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?;
    name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).map(str::to_owned)
}

/// The fields that a trial takes.
pub(super) fn selected_fields(trial: &Trial) -> impl Iterator<Item = &FieldEntry> {
    let image_type = trial.image_type.as_deref();
    trial
        .dataset
        .fields()
        .iter()
        .filter(move |entry| image_type.is_none_or(|kind| entry.image_type == kind))
}

pub(super) fn change(base: Option<Digest>, head: Option<Digest>) -> Change {
    let text = |digest: Option<Digest>| digest.map(|digest| digest.short());
    Change { base: text(base), head: text(head) }
}

/// A finding for a gate entry that matches no field.
fn nothing_matched_finding(profile: &str, dataset: &str, image_type: Option<&str>) -> Finding {
    let of_type = image_type.map_or_else(String::new, |kind| format!(" of image type `{kind}`"));
    let message = format!("dataset `{dataset}` has no field{of_type} for profile `{profile}`");
    Finding::error(Code::NothingMatched, Place::file(cellgate_inputs::project::FILE), message)
        .help("an empty set never passes: correct `image_type`, or add fields to the dataset")
}
