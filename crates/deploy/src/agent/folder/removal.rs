//! Removal: names are taken away, one or a whole tree, and nothing beyond.

use super::{Folder, MAX_DEPTH, single_name};
use crate::agent::fault::Point;
use crate::agent::record::Change;
use rustix::fs::{self, AtFlags, FileType};
use rustix::io::Errno;
use std::io;

impl Folder {
    /// Removes a file or a link; does nothing when it is missing.
    ///
    /// # Errors
    /// Error of the system.
    pub(in crate::agent) fn remove(&self, point: Point, name: &str) -> io::Result<()> {
        self.faults.pass(point)?;
        self.remove_if_exists(name)
    }

    pub(super) fn remove_if_exists(&self, name: &str) -> io::Result<()> {
        match fs::unlinkat(&self.fd, single_name(name)?, AtFlags::empty()) {
            Ok(()) => self.record_change(name, Change::Remove),
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Removes an entry, with everything below it.
    ///
    /// # Errors
    /// Error of the system.
    pub(in crate::agent) fn remove_tree(&self, point: Point, name: &str) -> io::Result<()> {
        self.remove_recursively(point, name, 0)
    }

    fn remove_recursively(&self, point: Point, name: &str, depth: usize) -> io::Result<()> {
        match self.find(name)? {
            None => return Ok(()),
            Some(found) if found.kind != FileType::Directory => return self.remove(point, name),
            Some(_) if MAX_DEPTH <= depth => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "folders are too deep"));
            }
            Some(_) => {}
        }
        let folder = self.folder(name)?;
        folder.set_mode(0o755)?;
        for (inner, _) in folder.list()? {
            folder.remove_recursively(point, &inner, depth + 1)?;
        }
        self.faults.pass(point)?;
        fs::unlinkat(&self.fd, single_name(name)?, AtFlags::REMOVEDIR)?;
        self.record_change(name, Change::Remove);
        Ok(())
    }
}
