//! Record: every change of the disk in its order, for tests that take the power away.
//!
//! Written to a file that a hidden option names; without it nothing is looked up and nothing written.
//! A change is recorded once it is done, with the paths as they are then, so that a test can say
//! what a disk has kept of it: what was synced before, and of the rest whatever it likes.

use serde::Serialize;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, AsRawFd as _};
use std::path::Path;

/// A change of the disk, or a word that somebody may rely on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Change {
    /// A folder was made.
    Folder(String),
    /// An empty file was made.
    File(String),
    /// Bytes were written, at a place or at the end.
    Write {
        /// The file.
        path: String,
        /// Where; `None` is its end.
        offset: Option<u64>,
        /// The bytes, as hexadecimal digits.
        bytes: String,
    },
    /// A file was cut.
    Size {
        /// The file.
        path: String,
        /// Its bytes since.
        size: u64,
    },
    /// Permissions were set.
    Mode {
        /// The file or folder.
        path: String,
        /// The permissions.
        mode: u32,
    },
    /// A name was moved.
    Rename {
        /// From where.
        from: String,
        /// Where to.
        to: String,
    },
    /// Two names were exchanged.
    Exchange {
        /// The one.
        from: String,
        /// The other.
        to: String,
    },
    /// A file got another name.
    Link {
        /// A name that it has.
        from: String,
        /// The new one.
        to: String,
    },
    /// A link was made.
    Symlink {
        /// Its name.
        path: String,
        /// Where it points to.
        target: String,
    },
    /// A name was removed.
    Remove(String),
    /// A file or a folder reached the disk.
    Sync(String),
    /// The other side was told something.
    Told(String),
}

/// Where changes are written, if anywhere.
#[derive(Debug, Default)]
pub(super) struct Recorder(Option<File>);

impl Recorder {
    /// Writes to the end of a file; several agents may write to the same one.
    ///
    /// # Errors
    /// Error of the system.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Some(File::options().append(true).create(true).open(path)?)))
    }

    /// Records a change, which is computed only where somebody listens.
    pub(super) fn record(&self, change: impl FnOnce() -> Change) {
        let Some(file) = &self.0 else { return };
        let line = serde_json::to_string(&change()).unwrap_or_default() + "\n";
        // A test notices a lost record by what is missing.
        let _ = (&mut &*file).write_all(line.as_bytes());
    }

    /// Whether anybody listens.
    #[must_use]
    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Records what was written to an open file.
    pub(super) fn record_write(&self, file: &File, offset: Option<u64>, bytes: &[u8]) {
        let digits = || bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.record(|| Change::Write { path: path_of(file), offset, bytes: digits() });
    }

    /// Records that an open file or folder reached the disk.
    pub(super) fn record_sync(&self, file: impl AsFd) {
        self.record(|| Change::Sync(path_of(file)));
    }
}

/// The path of something open; empty where the system does not tell.
#[must_use]
pub(super) fn path_of(file: impl AsFd) -> String {
    let link = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    std::fs::read_link(link).map_or_else(|_| String::new(), |path| path.display().to_string())
}
