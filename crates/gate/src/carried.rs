//! Carried: the results of all shares, read back with nothing taken on trust.
//!
//! Takes folders of shares; refuses, all reasons at once, what is missing, doubled, damaged, foreign
//! or rests on something else than this gate. Computes nothing.

use super::error::{NotRun, ShardError};
use super::partial::{Foundation, RECORD_FILE, RUNS_FOLDER, RunLine, SCHEMA, ShardRecord, is_run};
use super::share::Share;
use cellgate_core::digest::Digest;
use cellgate_run::FieldRun;
use cellgate_run::cache::{Key, MAX_ENTRY_BYTES, decode};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Larger records are not read, in bytes.
const MAX_RECORD_BYTES: u64 = 64 << 20;

/// More files than these are not looked at.
const MAX_FILES: usize = 1_000_000;

/// Results by key, and what was wrong with them when they were asked for.
pub(super) struct Carried {
    lines: BTreeMap<String, (PathBuf, RunLine)>,
    problems: Mutex<Vec<String>>,
}

impl Carried {
    /// Opens the shares in folders: each is one, or holds one in each of its folders.
    pub(super) fn open(folders: &[PathBuf], here: &Foundation) -> Result<Self, ShardError> {
        let mut problems = Vec::new();
        let mut shards: BTreeMap<Share, (PathBuf, ShardRecord)> = BTreeMap::new();
        for folder in shard_folders(folders, &mut problems) {
            let (share, record) = match read_shard(&folder, here) {
                Ok(found) => found,
                Err(errors) => {
                    problems.extend(errors);
                    continue;
                }
            };
            let is_equal = shards.get(&share).map(|(_, other)| *other == record);
            if is_equal == Some(false) {
                let display = folder.display();
                problems.push(format!("shard {share} is there twice and differs, in `{display}`"));
            }
            shards.entry(share).or_insert((folder, record));
        }
        let counts: Vec<usize> = shards.keys().map(|share| share.count()).collect();
        let count = counts.iter().copied().max().unwrap_or(0);
        if counts.iter().any(|other| *other != count) {
            problems.push("the shards are of plans with different numbers of shards".to_owned());
        } else {
            let is_there = |index| shards.keys().any(|share| share.index() == index);
            let missing = (1..=count).filter(|index| !is_there(*index));
            problems.extend(missing.map(|index| format!("shard {index}/{count} is missing")));
        }
        if shards.is_empty() && problems.is_empty() {
            problems.push("there is no shard in the folders given".to_owned());
        }
        if !problems.is_empty() {
            return Err(ShardError(problems));
        }
        let mut lines = BTreeMap::new();
        for (folder, record) in shards.into_values() {
            for line in record.runs {
                lines.entry(line.key.clone()).or_insert((folder.clone(), line));
            }
        }
        Ok(Self { lines, problems: Mutex::default() })
    }

    /// The result under a key; a failure that was carried is a failure again.
    pub(super) fn run(&self, key: &Key, field: &str) -> Result<FieldRun, NotRun> {
        let name = key.digest().to_string();
        let Some((folder, line)) = self.lines.get(&name) else {
            return Err(self.note_problem(format!("no shard has a result for field `{field}`")));
        };
        match (&line.run, &line.failed) {
            (Some(digest), _) => self.load(folder, &format!("{name}.run"), digest),
            (None, Some(why)) => Err(NotRun(why.clone())),
            (None, None) => {
                Err(self.note_problem(format!("the result for field `{field}` is empty")))
            }
        }
    }

    /// The repetition of a result, when there was one.
    pub(super) fn repetition(&self, key: &Key, once: &FieldRun) -> Option<FieldRun> {
        let name = key.digest().to_string();
        let (folder, line) = self.lines.get(&name)?;
        let digest = line.again.as_ref()?;
        if line.run.as_ref() == Some(digest) {
            return Some(once.clone());
        }
        self.load(folder, &format!("{name}.again"), digest).ok()
    }

    /// Fails when anything that was asked for was missing or damaged.
    pub(super) fn finish(self) -> Result<(), ShardError> {
        let mut problems = self.problems.into_inner().unwrap_or_else(PoisonError::into_inner);
        problems.sort_unstable();
        problems.dedup();
        if problems.is_empty() { Ok(()) } else { Err(ShardError(problems)) }
    }

    fn load(&self, folder: &Path, name: &str, digest: &str) -> Result<FieldRun, NotRun> {
        let path = folder.join(RUNS_FOLDER).join(name);
        let display = path.display();
        let bytes = read_up_to(&path, MAX_ENTRY_BYTES)
            .map_err(|error| self.note_problem(format!("`{display}` cannot be read: {error}")))?;
        let is_sound = Digest::of_bytes(&bytes).to_string() == digest;
        let run = if is_sound { decode(&bytes) } else { None };
        run.ok_or_else(|| self.note_problem(format!("`{display}` is not what its digest says")))
    }

    /// Notes what is wrong with a share: no field that needs it has a result.
    fn note_problem(&self, text: String) -> NotRun {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).push(text.clone());
        NotRun(text)
    }
}

/// The folders with a share: those given, or the folders in them.
fn shard_folders(folders: &[PathBuf], problems: &mut Vec<String>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in folders {
        if folder.join(RECORD_FILE).exists() {
            found.push(folder.clone());
            continue;
        }
        let names = names_in(folder, problems);
        if names.is_empty() {
            problems.push(format!("`{}` holds no shard", folder.display()));
        }
        found.extend(names.into_iter().map(|name| folder.join(name)));
    }
    found
}

/// Names in a folder, sorted.
fn names_in(folder: &Path, problems: &mut Vec<String>) -> Vec<String> {
    let mut names = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            problems.push(format!("`{}` cannot be listed: {error}", folder.display()));
            return names;
        }
    };
    for entry in entries {
        match entry {
            Ok(_) if names.len() >= MAX_FILES => {
                problems.push(format!("`{}` has too many files", folder.display()));
                break;
            }
            Ok(entry) => names.push(entry.file_name().to_string_lossy().into_owned()),
            Err(error) => problems.push(format!("`{}`: {error}", folder.display())),
        }
    }
    names.sort_unstable();
    names
}

/// Reads and checks one share.
fn read_shard(folder: &Path, here: &Foundation) -> Result<(Share, ShardRecord), Vec<String>> {
    let display = folder.display().to_string();
    let problem = |why: String| vec![format!("`{display}`: {why}")];
    let bytes = read_up_to(&folder.join(RECORD_FILE), MAX_RECORD_BYTES)
        .map_err(|error| problem(format!("`{RECORD_FILE}` cannot be read: {error}")))?;
    let record: ShardRecord = serde_json::from_slice(&bytes).map_err(|error| {
        problem(format!("`{RECORD_FILE}` is not of schema `{SCHEMA}`: {error}"))
    })?;
    if record.schema != SCHEMA {
        return Err(problem(format!("`{RECORD_FILE}` follows another schema than `{SCHEMA}`")));
    }
    if record.digest().map_err(|error| problem(error.to_string()))? != record.sha256 {
        return Err(problem(format!("`{RECORD_FILE}` is not what its digest says")));
    }
    let share: Share = record.shard.parse().map_err(|_| problem("it names no share".to_owned()))?;
    let mut problems = Vec::new();
    for ((what, theirs), (_, ours)) in
        record.rests_on.named_parts().into_iter().zip(here.named_parts())
    {
        if theirs != ours {
            problems.push(format!("shard {share} rests on another {what}: {theirs}, here {ours}"));
        }
    }
    problems.extend(foreign_files(folder, &record));
    if problems.is_empty() { Ok((share, record)) } else { Err(problems) }
}

/// Files that the record does not name.
fn foreign_files(folder: &Path, record: &ShardRecord) -> Vec<String> {
    let mut problems = Vec::new();
    let runs = folder.join(RUNS_FOLDER);
    let known: std::collections::BTreeSet<&str> =
        record.runs.iter().map(|line| line.key.as_str()).collect();
    let is_known = |name: &str| {
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        is_run(name) && known.contains(stem)
    };
    let names = names_in(folder, &mut problems);
    let names = names.into_iter().filter(|name| ![RECORD_FILE, RUNS_FOLDER].contains(&&**name));
    let mut paths: Vec<PathBuf> = names.map(|name| folder.join(name)).collect();
    if runs.exists() || !record.runs.is_empty() {
        let names = names_in(&runs, &mut problems).into_iter().filter(|name| !is_known(name));
        paths.extend(names.map(|name| runs.join(name)));
    }
    let message = |path: PathBuf| format!("`{}` belongs to no shard", path.display());
    problems.extend(paths.into_iter().map(message));
    problems
}

/// Reads a plain file, bounded.
fn read_up_to(path: &Path, max_bytes: u64) -> std::io::Result<Vec<u8>> {
    if !std::fs::symlink_metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is no plain file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(std::io::Error::other(format!("it has more than {max_bytes} bytes")));
    }
    Ok(bytes)
}
