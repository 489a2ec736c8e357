//! Found: the properties of a file, folder or link.

use rustix::fs::{FileType, Mode, Stat};

/// Properties of a file, folder or link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::agent) struct Found {
    /// File, folder or link.
    pub(in crate::agent) kind: FileType,
    /// Bytes of a file.
    pub(in crate::agent) size: u64,
    /// Owner.
    pub(in crate::agent) uid: u32,
    /// Permissions.
    pub(in crate::agent) mode: u32,
    /// File system.
    pub(in crate::agent) device: u64,
    /// Last change, in seconds of the wall clock.
    pub(in crate::agent) changed_s: i64,
}

#[allow(clippy::unnecessary_cast, reason = "the system's types differ between platforms")]
pub(super) fn properties_of(stat: &Stat) -> Found {
    Found {
        kind: FileType::from_raw_mode(stat.st_mode),
        size: stat.st_size as u64,
        uid: stat.st_uid,
        mode: Mode::from_raw_mode(stat.st_mode).bits(),
        device: stat.st_dev as u64,
        changed_s: stat.st_mtime as i64,
    }
}
