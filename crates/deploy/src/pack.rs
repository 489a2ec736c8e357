//! Pack: a release from a repository.
//!
//! Takes the commit that is checked out and a program; gives the package that the commit deserves:
//! the gated profiles, policy, approvals and references, each at the path that it has in the
//! repository. Demands that nothing is uncommitted and that every profile is approved for exactly
//! these digests: `check_approvals` says so before anything is gathered. Equal inputs give a
//! release of the same name.

use super::platform::{PlatformError, triple_of};
use super::reference::{ReferenceError, Trial, reference_json};
use crate::release::{
    self, APPROVALS, Content, Entry, Manifest, Mode, PROGRAM, PROJECT, Package, PackageError,
    ReleasedProfile,
};
use cellgate_approval::{ApprovalStatus, Binding, Log};
use cellgate_core::digest::Digest;
use cellgate_gate::{Approvals, GateError, Unreadable, binding_of};
use cellgate_inputs::dataset::Dataset;
use cellgate_inputs::dataset::encode::{encode_labels, labels_extension};
use cellgate_inputs::finding::{Finding, has_errors};
use cellgate_inputs::params::{Loaded, load};
use cellgate_inputs::project::{self, DatasetSource, Project};
use cellgate_inputs::revision::{Tree, TreeError, commit_time, head_commit, uncommitted_paths};
use cellgate_inputs::yaml::MAX_HAND_WRITTEN_BYTES;
use cellgate_run::cache::Cache;
use cellgate_run::fingerprint;
use cellgate_run::models::{ModelError, Models, card_path, weights_path};
use cellgate_run::ready::Ready;
use cellgate_run::rehearsal::{rehearsal_digest, rehearse};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Uncommitted paths that an error names.
const MAX_SHOWN: usize = 10;

/// Inputs that a release is packed from.
pub struct Request {
    /// Top of the repository.
    pub repository: PathBuf,
    /// The program that goes to the server.
    pub program: PathBuf,
    /// Where the log of approvals is, when it is not the usual branch.
    pub approvals: Option<String>,
    /// Results that the gate has kept.
    pub cache: Option<Cache>,
}

/// A package and who approved it.
#[derive(Debug)]
pub struct Packed {
    /// Package to deploy.
    pub package: Package,
    /// The project as of the commit.
    pub project: Project,
    /// Each profile and its approval status; all are approved.
    pub standings: Vec<(String, ApprovalStatus)>,
}

/// A release cannot be made; nothing was changed anywhere.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The working tree is not the commit.
    #[error(
        "the working tree is not what is committed, and only a commit is deployed: {}; commit or \
         remove {}", join_paths(.0), if .0.len() == 1 { "it" } else { "them" }
    )]
    Uncommitted(Vec<String>),
    /// git failed.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Inputs of the commit are invalid.
    #[error("an input of the commit is invalid")]
    Invalid(Vec<Finding>),
    /// The gate's binding cannot be made.
    #[error(transparent)]
    Gate(GateError),
    /// A file would stand where releases have none.
    #[error(
        "`{0}` cannot be released: profiles and tolerances must stand below `params/`, models below \
         `models/`"
    )]
    Outside(String),
    /// A network is not to be had.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A profile does not run.
    #[error("profile `{profile}` cannot be rehearsed: {why}")]
    Rehearsal {
        /// The profile.
        profile: String,
        /// Why not.
        why: String,
    },
    /// Two profiles mean different weights by one name.
    #[error("two profiles name the model `{0}` and different weights; give each its own name")]
    TwoWeights(String),
    /// The log of approvals cannot be believed.
    #[error("the approvals cannot be believed: {0}; see `cellgate approve --verify`")]
    Approvals(#[from] Unreadable),
    /// Profiles are not approved as they are.
    #[error("not approved as it is: {}; approve the gate's report of this commit", .0.join("; "))]
    NotApproved(Vec<String>),
    /// The program is none.
    #[error(transparent)]
    Program(#[from] PlatformError),
    /// A reference cannot be made.
    #[error("the reference of profile `{profile}` cannot be made")]
    Reference {
        /// The profile.
        profile: String,
        /// Why.
        source: ReferenceError,
    },
    /// The files make no release.
    #[error("the release cannot be made")]
    Package(#[from] PackageError),
}

impl From<GateError> for PackError {
    fn from(error: GateError) -> Self {
        match error {
            GateError::Invalid(findings) => Self::Invalid(findings),
            other => Self::Gate(other),
        }
    }
}

fn join_paths(paths: &[String]) -> String {
    let names: Vec<String> = paths
        .iter()
        .take(MAX_SHOWN)
        .map(|path| format!("`{}`", release::path::escape_for_display(path)))
        .collect();
    let more = paths.len().saturating_sub(MAX_SHOWN);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    names.join(", ") + &more
}

/// A commit that may be deployed: committed, valid, and approved for exactly its digests. Its files are
/// yet to be gathered.
pub struct Approved {
    repository: PathBuf,
    program: PathBuf,
    target_triple: String,
    cache: Option<Cache>,
    commit: String,
    tree: Tree,
    project: Project,
    engine: Digest,
    binding: Binding,
    log: Log,
    profiles: Vec<(String, Loaded)>,
    standings: Vec<(String, ApprovalStatus)>,
}

/// Packs the commit that is checked out.
///
/// # Errors
/// [`PackError`], everything that is not approved at once.
pub fn pack(request: &Request) -> Result<Packed, PackError> {
    check_approvals(request)?.pack()
}

/// Whether the commit that is checked out may be deployed at all.
///
/// # Errors
/// [`PackError`], everything that is not approved at once.
pub fn check_approvals(request: &Request) -> Result<Approved, PackError> {
    let repository = request.repository.clone();
    let dirty = uncommitted_paths(&repository)?;
    if !dirty.is_empty() {
        return Err(PackError::Uncommitted(dirty));
    }
    let commit = head_commit(&repository)?;
    let tree = Tree::of_commit(&repository, &commit);
    let project = Project::load(&tree).map_err(PackError::Invalid)?;
    let engine = engine_fingerprint()?;
    let binding = binding_of(&tree, engine)?;
    let log = Approvals::read(&repository, request.approvals.as_deref())?.log?;
    let profiles = gated_profiles(&tree, &project)?;
    let standings = approved_standings(&log, &binding, &project, &profiles)?;
    let program = request.program.clone();
    let target_triple = triple_of(&program)?;
    let cache = request.cache.clone();
    Ok(Approved {
        repository,
        program,
        target_triple,
        cache,
        commit,
        tree,
        project,
        engine,
        binding,
        log,
        profiles,
        standings,
    })
}

impl Approved {
    /// Gathers the files, and computes what goes with them.
    ///
    /// # Errors
    /// [`PackError`].
    pub fn pack(self) -> Result<Packed, PackError> {
        let Self { tree, project, profiles, engine, .. } = &self;
        let (cache, engine) = (self.cache.as_ref(), *engine);
        // Weights that git does not hold may be in the working folder: the digest names them.
        let folder = Tree::Folder(self.repository.clone());
        let models =
            Models::new(tree, &project.models, cache).with_fallback(&folder, &project.models);
        let mut entries = text_entries(tree, project, profiles)?;
        entries.extend(network_entries(tree, project, profiles, models)?);
        entries.extend(rehearsal_entries(profiles, models)?);
        entries.extend(reference_entries(tree, models, project, profiles, engine, cache)?);
        entries.push(data_entry(APPROVALS, self.log.as_bytes().to_vec()));
        entries.push(Entry {
            path: PROGRAM.to_owned(),
            mode: Mode::Program,
            content: Content::File(self.program.clone()),
        });
        let release_profile = |(path, loaded): &(String, Loaded)| {
            let name = loaded.params.name.clone();
            let rehearsal = rehearsal_digest(&loaded.params).map_err(rehearsal_error(&name))?;
            Ok(ReleasedProfile {
                path: path.clone(),
                params_digest: loaded.params.digest(),
                dataset_digest: self.binding.subject(&name).dataset,
                rehearsal_digest: rehearsal,
                name,
            })
        };
        let released_profiles: Result<Vec<ReleasedProfile>, PackError> =
            profiles.par_iter().map(release_profile).collect();
        let manifest = Manifest {
            schema: release::SCHEMA.to_owned(),
            target_triple: self.target_triple.clone(),
            sequence: commit_time(&self.repository, &self.commit)?,
            commit: self.commit.clone(),
            engine_fingerprint: engine,
            policy_digest: self.binding.policy_digest,
            profiles: released_profiles?,
            files: Vec::new(),
        };
        let package = Package::build(manifest, entries)?;
        Ok(Packed { package, project: self.project, standings: self.standings })
    }
}

/// Fingerprint that this version of the engine declares; the server measures its own.
fn engine_fingerprint() -> Result<Digest, PackError> {
    let declared = fingerprint::declared_fingerprint();
    declared.parse().map_err(|_| PackError::Outside(declared.to_owned()))
}

/// The profiles that the project gates, each once, with their paths.
fn gated_profiles(tree: &Tree, project: &Project) -> Result<Vec<(String, Loaded)>, PackError> {
    let names: BTreeSet<&str> = project.gate.iter().map(|entry| &*entry.profile).collect();
    let mut profiles = Vec::new();
    for name in names {
        let path = ["yaml", "yml"].map(|ending| format!("{}/{name}.{ending}", project.params));
        let path = if tree.has_file(&path[0])? { &path[0] } else { &path[1] };
        let loaded = load(tree, path).map_err(PackError::Invalid)?;
        if has_errors(&loaded.warnings) {
            return Err(PackError::Invalid(loaded.warnings));
        }
        profiles.push((path.clone(), loaded));
    }
    Ok(profiles)
}

/// The approval status of each profile, when all are approved.
fn approved_standings(
    log: &Log,
    binding: &Binding,
    project: &Project,
    profiles: &[(String, Loaded)],
) -> Result<Vec<(String, ApprovalStatus)>, PackError> {
    let policy = &project.policy().approval;
    let standing = |(_, loaded): &(String, Loaded)| {
        let name = loaded.params.name.clone();
        let standing = log.verdict_for(&binding.subject(&name), policy, None);
        (name, standing)
    };
    let standings: Vec<(String, ApprovalStatus)> = profiles.iter().map(standing).collect();
    let missing = standings.iter().filter(|(_, standing)| !standing.is_approved());
    let missing: Vec<String> = missing
        .map(|(name, standing)| format!("profile `{name}` {}", describe_standing(standing)))
        .collect();
    if missing.is_empty() { Ok(standings) } else { Err(PackError::NotApproved(missing)) }
}

/// Says what a profile lacks, as the end of a sentence about it.
fn describe_standing(standing: &ApprovalStatus) -> String {
    match standing {
        ApprovalStatus::Approved { .. } => "is approved".to_owned(),
        ApprovalStatus::Missing => "was never approved".to_owned(),
        ApprovalStatus::Stale { nearest, differences } => {
            let parts: Vec<String> = differences.iter().map(ToString::to_string).collect();
            format!("differs from what {} approved: {}", nearest.who, parts.join(", "))
        }
        ApprovalStatus::Revoked { by } => format!("had its approval taken back by {}", by.who),
        ApprovalStatus::TooFew { by, needed } => {
            format!("has {} of {needed} approvals", by.len())
        }
        ApprovalStatus::ByAuthor { .. } => "is approved by its author alone".to_owned(),
        ApprovalStatus::PermissionTooLow { by, needed } => {
            format!("is approved by {}, whose permission is below {}", by.who, needed.as_str())
        }
    }
}

fn data_entry(path: &str, bytes: Vec<u8>) -> Entry {
    Entry { path: path.to_owned(), mode: Mode::Data, content: Content::Bytes(bytes) }
}

/// Project file, tolerances and profiles as of the commit.
fn text_entries(
    tree: &Tree,
    project: &Project,
    profiles: &[(String, Loaded)],
) -> Result<Vec<Entry>, PackError> {
    let read = |path: &str| -> Result<Entry, PackError> {
        Ok(data_entry(path, tree.read(path, MAX_HAND_WRITTEN_BYTES)?))
    };
    let mut entries = vec![Entry { path: PROJECT.to_owned(), ..read(project::FILE)? }];
    let paths = profiles.iter().map(|(path, _)| path);
    for path in paths.chain(&project.tolerances) {
        if !path.starts_with("params/") {
            return Err(PackError::Outside(path.clone()));
        }
        entries.push(read(path)?);
    }
    Ok(entries)
}

/// Weights and cards of the profiles' networks, each once.
fn network_entries(
    tree: &Tree,
    project: &Project,
    profiles: &[(String, Loaded)],
    models: Models<'_>,
) -> Result<Vec<Entry>, PackError> {
    let mut entries = BTreeMap::new();
    for unet in profiles.iter().filter_map(|(_, loaded)| loaded.params.unet()) {
        let path = weights_path(&project.models, unet);
        if !path.starts_with("models/") {
            return Err(PackError::Outside(path));
        }
        let bytes = models.bytes(unet)?;
        if let Some(other) = entries.insert(path.clone(), bytes.clone())
            && other != bytes
        {
            return Err(PackError::TwoWeights(unet.model.clone()));
        }
        let card = card_path(&project.models, unet);
        if tree.has_file(&card)? {
            entries.insert(card.clone(), tree.read(&card, MAX_HAND_WRITTEN_BYTES)?);
        }
    }
    Ok(entries.into_iter().map(|(path, bytes)| data_entry(&path, bytes)).collect())
}

/// A profile's rehearsal failed.
fn rehearsal_error<E: std::fmt::Display>(profile: &str) -> impl FnOnce(E) -> PackError {
    let profile = profile.to_owned();
    move |error| PackError::Rehearsal { profile, why: error.to_string() }
}

/// Nuclei that each network finds here in a drawn field, for the server to compare with.
fn rehearsal_entries(
    profiles: &[(String, Loaded)],
    models: Models<'_>,
) -> Result<Vec<Entry>, PackError> {
    let mut entries = Vec::new();
    for (_, loaded) in profiles.iter().filter(|(_, loaded)| loaded.params.unet().is_some()) {
        let name = loaded.params.name.clone();
        let ready = Ready::load(&loaded.params, models)?;
        let run = rehearse(&ready).map_err(rehearsal_error(&name))?;
        let bytes = encode_labels(&run.labels).map_err(rehearsal_error(&name))?;
        let ending = labels_extension(&run.labels);
        entries.push(data_entry(&format!("reference/{name}_labels.{ending}"), bytes));
    }
    Ok(entries)
}

/// Measurements of each profile on the fields that it is tried on.
fn reference_entries(
    tree: &Tree,
    models: Models<'_>,
    project: &Project,
    profiles: &[(String, Loaded)],
    engine: Digest,
    cache: Option<&Cache>,
) -> Result<Vec<Entry>, PackError> {
    let mut datasets = BTreeMap::new();
    for (name, source) in &project.datasets {
        let dataset = match source {
            DatasetSource::Phantoms => Dataset::phantoms(),
            DatasetSource::Folder(folder) => {
                Dataset::load(tree, folder).map_err(PackError::Invalid)?
            }
        };
        datasets.insert(name.as_str(), dataset);
    }
    let mut entries = Vec::new();
    for (_, Loaded { params, .. }) in profiles {
        let gate_entries = project.gate.iter().filter(|entry| entry.profile == params.name);
        let trials: Vec<Trial<'_>> = gate_entries
            .filter_map(|entry| {
                let dataset = datasets.get(entry.dataset.as_str())?;
                Some(Trial { dataset, image_type: entry.image_type.as_deref() })
            })
            .collect();
        let ready = Ready::load(params, models)?;
        let bytes = reference_json(tree, &ready, &trials, engine, cache)
            .map_err(|source| PackError::Reference { profile: params.name.clone(), source })?;
        entries.push(data_entry(&format!("reference/{}.json", params.name), bytes));
    }
    Ok(entries)
}
