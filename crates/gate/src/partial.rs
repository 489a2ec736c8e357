//! Partial: the results of one share, as files that another machine takes up.
//!
//! A folder with `runs/KEY.run` for every result, named by the digest of all it depends on as in
//! the cache, `runs/KEY.again` where the repetition differed, and `shard.json`, written last, which
//! says what all of it rests on and the digest of every file.

use cellgate_core::digest::{Digest, DigestError};
use cellgate_run::FieldRun;
use cellgate_run::cache::{Key, encode};
use cellgate_run::write::{WriteError, replace};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Value of the `schema` key of `shard.json`.
pub(super) const SCHEMA: &str = "cellgate/shard/v1";

/// The record's file.
pub(super) const RECORD_FILE: &str = "shard.json";

/// The folder of results.
pub(super) const RUNS_FOLDER: &str = "runs";

/// `shard.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShardRecord {
    /// [`SCHEMA`].
    pub(super) schema: String,
    /// Which share: `I/N`.
    pub(super) shard: String,
    /// Versions and digests that the results rest on.
    pub(super) rests_on: Foundation,
    /// Every result, by key.
    pub(super) runs: Vec<RunLine>,
    /// Digest of the canonical form of all the above.
    pub(super) sha256: String,
}

/// Everything that all shares of one gate must have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Foundation {
    /// Version of cellgate.
    pub(super) version: String,
    /// Fingerprint measured on the machine.
    pub(super) engine: String,
    /// Commit of base, when it is one.
    pub(super) base_commit: Option<String>,
    /// Commit that is checked out, when there is one.
    pub(super) head_commit: Option<String>,
    /// Digest of the dataset.
    pub(super) dataset_digest: String,
    /// Digest of the policy.
    pub(super) policy_digest: String,
    /// Digest of the list of work.
    pub(super) work_digest: String,
}

impl Foundation {
    /// The parts by the words for people.
    pub(super) fn named_parts(&self) -> [(&'static str, &str); 7] {
        fn or_none(commit: &Option<String>) -> &str {
            commit.as_deref().unwrap_or("none")
        }
        [
            ("version of cellgate", &self.version),
            ("engine", &self.engine),
            ("base commit", or_none(&self.base_commit)),
            ("head commit", or_none(&self.head_commit)),
            ("dataset", &self.dataset_digest),
            ("policy", &self.policy_digest),
            ("list of profiles and fields", &self.work_digest),
        ]
    }
}

/// One result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunLine {
    /// Digest of everything that it depends on; names its file.
    pub(super) key: String,
    /// Digest of its file; absent when the run failed.
    pub(super) run: Option<String>,
    /// Why the run failed.
    pub(super) failed: Option<String>,
    /// Digest of the repetition, which is a file of its own only where it differs from `run`;
    /// absent when the run was not repeated.
    pub(super) again: Option<String>,
}

/// Writes results as they come.
pub(super) struct Keeper {
    folder: PathBuf,
    state: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    lines: BTreeMap<String, RunLine>,
    failure: Option<WriteError>,
}

impl Keeper {
    /// Starts a folder; what an earlier share left in it is removed.
    pub(super) fn start(folder: &Path) -> Result<Self, WriteError> {
        let error_at = |path: &Path| {
            let path = path.to_owned();
            move |source| WriteError { path, source }
        };
        let record = folder.join(RECORD_FILE);
        remove(&record).map_err(error_at(&record))?;
        let runs = folder.join(RUNS_FOLDER);
        std::fs::create_dir_all(&runs).map_err(error_at(&runs))?;
        for entry in std::fs::read_dir(&runs).map_err(error_at(&runs))? {
            let path = entry.map_err(error_at(&runs))?.path();
            if path.file_name().and_then(|name| name.to_str()).is_some_and(is_run) {
                remove(&path).map_err(error_at(&path))?;
            }
        }
        Ok(Self { folder: folder.to_owned(), state: Mutex::new(Kept::default()) })
    }

    /// Keeps a result or its failure.
    pub(super) fn keep(&self, key: &Key, run: Result<&FieldRun, &str>) {
        let name = key.digest().to_string();
        let line = match run {
            Ok(run) => {
                let Some(digest) = self.write(&format!("{name}.run"), run) else { return };
                RunLine { key: name.clone(), run: Some(digest), failed: None, again: None }
            }
            Err(why) => {
                RunLine { key: name.clone(), run: None, failed: Some(why.to_owned()), again: None }
            }
        };
        self.lock().lines.entry(name).or_insert(line);
    }

    /// Keeps the repetition of a result.
    pub(super) fn keep_repetition(&self, key: &Key, once: &FieldRun, again: &FieldRun) {
        let name = key.digest().to_string();
        let digest = if again == once {
            self.lock().lines.get(&name).and_then(|line| line.run.clone())
        } else {
            self.write(&format!("{name}.again"), again)
        };
        if let Some(line) = self.lock().lines.get_mut(&name) {
            line.again = digest;
        }
    }

    /// Writes the record: the share is complete.
    pub(super) fn finish(self, shard: String, rests_on: Foundation) -> Result<(), WriteError> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = state.failure {
            return Err(failure);
        }
        let path = self.folder.join(RECORD_FILE);
        let to_error =
            |error: String| WriteError { path: path.clone(), source: std::io::Error::other(error) };
        let mut record = ShardRecord {
            schema: SCHEMA.to_owned(),
            shard,
            rests_on,
            runs: state.lines.into_values().collect(),
            sha256: String::new(),
        };
        record.sha256 = record.digest().map_err(|error| to_error(error.to_string()))?;
        let json =
            serde_json::to_vec_pretty(&record).map_err(|error| to_error(error.to_string()))?;
        replace(&path, &json)
    }

    /// The digest of what was written.
    fn write(&self, name: &str, run: &FieldRun) -> Option<String> {
        let bytes = encode(run);
        match replace(&self.folder.join(RUNS_FOLDER).join(name), &bytes) {
            Ok(()) => Some(Digest::of_bytes(&bytes).to_string()),
            Err(error) => {
                self.lock().failure.get_or_insert(error);
                None
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ShardRecord {
    /// Digest of everything but the digest.
    pub(super) fn digest(&self) -> Result<String, DigestError> {
        let record = Self { sha256: String::new(), ..self.clone() };
        Ok(Digest::of_canonical(&record)?.to_string())
    }
}

/// Whether a file's name is that of a result.
pub(super) fn is_run(name: &str) -> bool {
    let stem = name.strip_suffix(".run").or_else(|| name.strip_suffix(".again"));
    stem.is_some_and(|stem| stem.parse::<Digest>().is_ok())
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
