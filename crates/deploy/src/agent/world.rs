//! World: the root, the clock and the limits that the agent works with.
//!
//! The clock counts from the start of the machine and goes on while it sleeps; together with the
//! name of that start it shows how much of a deadline is left, whatever happens to the wall clock.

use super::fault::{Fault, Faults, Point};
use super::folder::Folder;
use super::record::Recorder;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a lock may go unrenewed before its holder counts as stalled.
const LEASE: Duration = Duration::from_secs(60);
/// How long the other side may be silent before it counts as gone.
const SILENCE: Duration = Duration::from_secs(60);

/// Settings that a test may change; a server keeps the defaults.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// A step that fails.
    pub fault: Option<Fault>,
    /// Whether every step is reported on standard error.
    pub is_traced: bool,
    /// Name of the machine's start.
    pub boot: Option<String>,
    /// After how many milliseconds a lock's holder counts as stalled.
    pub lease_ms: Option<u64>,
    /// After how many milliseconds the other side counts as gone.
    pub silence_ms: Option<u64>,
    /// Milliseconds that the clock is ahead, or behind.
    pub ahead_ms: i64,
    /// File that every change of the disk is recorded in.
    pub record: Option<PathBuf>,
}

/// Root, clock and limits.
#[derive(Debug)]
pub struct World {
    /// The root as a path, for the programs that are started from there.
    pub path: PathBuf,
    /// The root.
    pub(super) root: Folder,
    /// Name of the machine's start.
    pub boot: String,
    /// After how long a lock's holder counts as stalled.
    pub lease: Duration,
    /// After how long the other side counts as gone.
    pub silence: Duration,
    /// Milliseconds that the clock is ahead of the system's.
    ahead_ms: i64,
}

impl World {
    /// Opens a root; the folder must be there, the layout below it is made.
    ///
    /// # Errors
    /// Error of the system.
    pub fn open(root: &Path, settings: &Settings) -> io::Result<Self> {
        let path = root.canonicalize()?;
        let recorder = settings.record.as_deref().map(Recorder::open).transpose()?;
        let faults = Faults::new(settings.fault, settings.is_traced);
        let faults = Arc::new(faults.with_recorder(recorder.unwrap_or_default()));
        let folder = Folder::root(&path, faults)?;
        let mut is_new = false;
        for name in ["state", "blobs", "manifests", "releases", "incoming", "quarantine"] {
            is_new |= folder.make(Point::FolderMake, name)?.1;
        }
        folder.folder("blobs")?.ensure(Point::FolderMake, "sha256")?;
        if is_new {
            folder.sync(Point::FolderMake)?;
        }
        let duration = |ms: Option<u64>, or| ms.map_or(or, Duration::from_millis);
        Ok(Self {
            path,
            root: folder,
            boot: settings.boot.clone().unwrap_or_else(boot_id),
            lease: duration(settings.lease_ms, LEASE),
            silence: duration(settings.silence_ms, SILENCE),
            ahead_ms: settings.ahead_ms,
        })
    }

    /// A folder of the layout.
    ///
    /// # Errors
    /// Error of the system.
    pub(super) fn folder(&self, name: &str) -> io::Result<Folder> {
        self.root.folder(name)
    }

    /// Milliseconds since the machine's start.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        #[cfg(target_os = "linux")]
        let id = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let id = rustix::time::ClockId::Monotonic;
        let now = rustix::time::clock_gettime(id);
        let now_ms = now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000;
        now_ms.saturating_add_signed(self.ahead_ms)
    }

    /// Seconds of the wall clock: for people, never for decisions.
    #[must_use]
    pub fn wall_s(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

/// The name of the machine's start; elsewhere than on Linux, where no server runs, a fixed word.
fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map_or_else(|_| "unnamed".to_owned(), |id| id.trim().to_owned())
}
