//! Removal: names are taken away, one or a whole tree, and nothing beyond.

use super::{Folder, MAX_DEPTH, one};
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
        self.faults.at(point)?;
        self.remove_if_there(name)
    }

    pub(super) fn remove_if_there(&self, name: &str) -> io::Result<()> {
        match fs::unlinkat(&self.fd, one(name)?, AtFlags::empty()) {
            Ok(()) => self.tell(name, Change::Remove),
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
        self.remove_below(point, name, 0)
    }

    fn remove_below(&self, point: Point, name: &str, depth: usize) -> io::Result<()> {
        match self.find(name)? {
            None => return Ok(()),
            Some(found) if found.kind != FileType::Directory => return self.remove(point, name),
            Some(_) if MAX_DEPTH <= depth => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "folders are too deep"));
            }
            Some(_) => {}
        }
        let folder = self.folder(name)?;
        folder.permit(0o755)?;
        for (inner, _) in folder.list()? {
            folder.remove_below(point, &inner, depth + 1)?;
        }
        self.faults.at(point)?;
        fs::unlinkat(&self.fd, one(name)?, AtFlags::REMOVEDIR)?;
        self.tell(name, Change::Remove);
        Ok(())
    }
}
