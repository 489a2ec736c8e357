//! Release: the files that are deployed, named by the sha256 of their manifest.
//!
//! Takes files and the digests that an approval names, gives a manifest that cannot be wrong and
//! the bytes it speaks of. Reads local files; knows neither hosts nor approvals.

pub mod path;

mod difference;
mod package;

pub use difference::{Difference, ParameterChange, parameter_changes};
pub use package::{Content, Entry, Package, PackageError};

use cellgate_core::digest::{Digest, DigestError, canonical};
use path::PathError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::Deref;

/// Value of the `schema` key of a manifest.
pub const SCHEMA: &str = "cellgate/release/v1";
/// Most bytes of a manifest.
pub const MAX_MANIFEST_BYTES: u64 = 4 << 20;
/// Most files of a release.
pub const MAX_FILES: usize = 10_000;
/// Most bytes of all files of a release together.
pub const MAX_RELEASE_BYTES: u64 = 16 << 30;
/// Where the program is; the same program is the agent and the engine.
pub const PROGRAM: &str = "bin/cellgate";
/// Where the project file is.
pub const PROJECT: &str = "cellgate.yaml";
/// Where the log of approvals is.
pub const APPROVALS: &str = "approvals.jsonl";
/// Folders of a release; besides them there are [`PROJECT`] and [`APPROVALS`] alone.
pub const FOLDERS: [&str; 5] = ["bin/", "params/", "models/", "weights/", "reference/"];

/// Largest integer that JSON keeps exactly.
const MAX_SEQUENCE: u64 = 1 << 53;
/// Longest text of a name or a commit.
const MAX_TEXT_BYTES: usize = 128;

/// Content of a release, and the digests that it was approved with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: String,
    /// Platform of the program: `x86_64-unknown-linux-musl`.
    pub target_triple: String,
    /// Place in the order of releases: never falls from one deploy to the next; at most 2^53.
    pub sequence: u64,
    /// Commit that the release was made from.
    pub commit: String,
    /// Engine fingerprint of the program.
    pub engine_fingerprint: Digest,
    /// Digest of the policy that the profiles were judged by.
    pub policy_digest: Digest,
    /// Profiles, sorted by name.
    pub profiles: Vec<ReleasedProfile>,
    /// Files, sorted by path.
    pub files: Vec<ReleasedFile>,
}

/// A profile of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasedProfile {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: String,
    /// Digest of the validated profile.
    pub params_digest: Digest,
    /// Digest of what it was tried on when it was approved; none when nothing tried it.
    pub dataset_digest: Option<Digest>,
    /// Digest of what it gives in its rehearsal, labels and table; none for a network, whose labels are
    /// next to its reference.
    pub rehearsal_digest: Option<Digest>,
}

/// A file of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasedFile {
    /// Path below the release, see [`path`].
    pub path: String,
    /// Digest of its bytes.
    pub sha256: Digest,
    /// Bytes.
    pub size: u64,
    /// Whether it can be started.
    pub mode: Mode,
}

/// Permissions of a file; nobody may write to a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// Everybody may read it.
    #[serde(rename = "0444")]
    Data,
    /// Everybody may read and start it.
    #[serde(rename = "0555")]
    Program,
}

impl Mode {
    /// The bits that the file system keeps.
    #[must_use]
    pub fn bits(self) -> u32 {
        match self {
            Self::Data => 0o444,
            Self::Program => 0o555,
        }
    }
}

/// A manifest is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Longer than [`MAX_MANIFEST_BYTES`].
    #[error("the manifest has {0} bytes, more than {MAX_MANIFEST_BYTES}")]
    TooLong(u64),
    /// Not JSON, or not with these keys.
    #[error("the manifest cannot be read: {0}")]
    Syntax(String),
    /// Another schema.
    #[error("the manifest follows `{0}`, not `{SCHEMA}`; bring both sides to one version")]
    Schema(String),
    /// Not the canonical bytes of its value, so that one release would have two names.
    #[error("the manifest is not in canonical form (RFC 8785)")]
    NotCanonical,
    /// Paths that a release may not have.
    #[error("{}", join_errors(.0))]
    Paths(Vec<PathError>),
    /// Anything else, all of it.
    #[error("{}", .0.join("; "))]
    Content(Vec<String>),
    /// A number without JSON form.
    #[error(transparent)]
    Canonical(#[from] DigestError),
}

fn join_errors(errors: &[PathError]) -> String {
    errors.iter().take(20).map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A valid manifest, its canonical bytes and its name.
///
/// Holding one means that every path, bound and reference holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    manifest: Manifest,
    bytes: Vec<u8>,
    id: Digest,
}

impl Release {
    /// Checks a manifest; files and profiles are brought into order.
    ///
    /// # Errors
    /// [`ManifestError`], every wrong path at once.
    pub fn new(mut manifest: Manifest) -> Result<Self, ManifestError> {
        manifest.files.sort_by(|one, two| one.path.cmp(&two.path));
        manifest.profiles.sort_by(|one, two| one.name.cmp(&two.name));
        check(&manifest)?;
        let bytes = canonical(&manifest)?;
        let n_bytes = bytes.len() as u64;
        if MAX_MANIFEST_BYTES < n_bytes {
            return Err(ManifestError::TooLong(n_bytes));
        }
        let id = Digest::of_bytes(&bytes);
        Ok(Self { manifest, bytes, id })
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// [`ManifestError`]; also when the bytes are not the ones that [`Release::bytes`] gives.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if MAX_MANIFEST_BYTES < bytes.len() as u64 {
            return Err(ManifestError::TooLong(bytes.len() as u64));
        }
        let syntax_error = |error: serde_json::Error| ManifestError::Syntax(error.to_string());
        let value: serde_json::Value = serde_json::from_slice(bytes).map_err(syntax_error)?;
        match value.get("schema").and_then(serde_json::Value::as_str) {
            Some(SCHEMA) => {}
            other => {
                return Err(ManifestError::Schema(path::escape_for_display(
                    other.unwrap_or("nothing"),
                )));
            }
        }
        let release = Self::new(serde_json::from_value(value).map_err(syntax_error)?)?;
        if release.bytes == bytes { Ok(release) } else { Err(ManifestError::NotCanonical) }
    }

    /// The release's name: sha256 of its canonical bytes.
    #[must_use]
    pub fn id(&self) -> Digest {
        self.id
    }

    /// The canonical bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of all files.
    #[must_use]
    pub fn n_bytes(&self) -> u64 {
        self.manifest.files.iter().map(|file| file.size).sum()
    }

    /// The file at a path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&ReleasedFile> {
        let files = &self.manifest.files;
        files.binary_search_by(|file| file.path.as_str().cmp(path)).ok().map(|at| &files[at])
    }
}

impl Deref for Release {
    type Target = Manifest;

    fn deref(&self) -> &Manifest {
        &self.manifest
    }
}

fn check(manifest: &Manifest) -> Result<(), ManifestError> {
    if manifest.schema != SCHEMA {
        return Err(ManifestError::Schema(path::escape_for_display(&manifest.schema)));
    }
    let mut errors = path::check_all(manifest.files.iter().map(|file| &*file.path));
    let is_known = |path: &str| {
        [PROJECT, APPROVALS].contains(&path)
            || FOLDERS.iter().any(|folder| path.starts_with(folder))
    };
    let stray = manifest.files.iter().filter(|file| !is_known(&file.path));
    errors.extend(stray.filter(|file| path::check(&file.path).is_ok()).map(|file| PathError {
        shown: path::escape_for_display(&file.path),
        fault: path::PathFault::Unexpected,
    }));
    if !errors.is_empty() {
        return Err(ManifestError::Paths(errors));
    }
    let faults = faults(manifest);
    if faults.is_empty() { Ok(()) } else { Err(ManifestError::Content(faults)) }
}

/// Faults of a manifest apart from its paths.
fn faults(manifest: &Manifest) -> Vec<String> {
    let mut faults = Vec::new();
    let mut demand = |holds: bool, fault: &str| {
        if !holds {
            faults.push(fault.to_owned());
        }
    };
    let files = &manifest.files;
    let total = files.iter().try_fold(0_u64, |sum, file| sum.checked_add(file.size));
    demand(files.len() <= MAX_FILES, "there are too many files");
    demand(total.is_some_and(|sum| sum <= MAX_RELEASE_BYTES), "the files are too large");
    demand(manifest.sequence <= MAX_SEQUENCE, "`sequence` is larger than 2^53");
    let is_word = |text: &str, also: &str| {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || also.contains(letter);
        !text.is_empty() && text.len() <= MAX_TEXT_BYTES && text.chars().all(is_plain)
    };
    demand(is_word(&manifest.target_triple, "_-"), "`target_triple` is not a platform's name");
    demand(is_word(&manifest.commit, ""), "`commit` is not the name of a commit");
    let has = |path: &str, mode| files.iter().any(|file| file.path == path && file.mode == mode);
    demand(has(PROGRAM, Mode::Program), "`bin/cellgate` is missing or cannot be started");
    demand(has(PROJECT, Mode::Data), "`cellgate.yaml` is missing");
    demand(has(APPROVALS, Mode::Data), "`approvals.jsonl` is missing");
    let in_bin = |file: &ReleasedFile| file.path.starts_with("bin/");
    let is_plain = |file: &ReleasedFile| file.mode == Mode::Data || in_bin(file);
    demand(files.iter().all(is_plain), "a file outside `bin/` can be started");
    demand(!manifest.profiles.is_empty(), "there is no profile");
    let is_there = |profile: &ReleasedProfile| {
        profile.path.starts_with("params/") && has(&profile.path, Mode::Data)
    };
    demand(manifest.profiles.iter().all(is_there), "the file of a profile is missing");
    let is_named = |profile: &ReleasedProfile| is_word(&profile.name, "-");
    demand(manifest.profiles.iter().all(is_named), "the name of a profile is not one");
    let names: BTreeSet<&str> = manifest.profiles.iter().map(|one| &*one.name).collect();
    demand(names.len() == manifest.profiles.len(), "two profiles have one name");
    faults
}

#[cfg(test)]
pub(crate) mod tests;
