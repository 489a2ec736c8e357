//! Writing: files are put whole into their place, so that nobody ever reads half of one.

use super::{Folder, single_name};
use crate::agent::fault::Point;
use crate::agent::record::Change;
use rustix::fs::{self, FallocateFlags, Mode, OFlags};
use std::fs::File;
use std::io::{self, Write as _};

impl Folder {
    /// Writes a file whole: under another name, to the disk, then into its place.
    ///
    /// # Errors
    /// Error of the system; the former file is then unchanged, or the new one is in its place.
    pub(in crate::agent) fn write(&self, point: Point, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.write_then(point, name, bytes, |file| {
            self.faults.pass(point)?;
            file.sync_all()?;
            self.faults.recorder.record_sync(file);
            Ok(())
        })?;
        self.sync(point)
    }

    /// Writes a file whole and does not wait for the disk: when the power goes, there is the former
    /// file, the new one, or one whose bytes are neither's.
    ///
    /// # Errors
    /// Error of the system; the former file is then unchanged.
    pub(in crate::agent) fn replace(
        &self,
        point: Point,
        name: &str,
        bytes: &[u8],
    ) -> io::Result<()> {
        self.write_then(point, name, bytes, |_| Ok(()))
    }

    fn write_then(
        &self,
        point: Point,
        name: &str,
        bytes: &[u8],
        then: impl FnOnce(&File) -> io::Result<()>,
    ) -> io::Result<()> {
        let temporary = format!(".{name}.{}", std::process::id());
        self.remove_if_exists(&temporary)?;
        let result = (|| {
            self.faults.pass(point)?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let mode = Mode::from_bits_truncate(0o644);
            let mut file = File::from(fs::openat(&self.fd, single_name(&temporary)?, flags, mode)?);
            self.record_change(&temporary, Change::File);
            // A rename onto a file waits for the disk where ext4 has yet to find room for the bytes.
            // Where room cannot be taken beforehand, it takes that time.
            let _ = fs::fallocate(&file, FallocateFlags::empty(), 0, bytes.len() as u64);
            file.write_all(bytes)?;
            self.faults.recorder.record_write(&file, None, bytes);
            then(&file)?;
            self.rename(point, &temporary, self, name)
        })();
        if result.is_err() {
            // What cannot be removed now is removed by the next attempt.
            let _ = self.remove_if_exists(&temporary);
        }
        result
    }
}
