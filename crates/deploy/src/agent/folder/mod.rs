//! Folder: files below the agent's root, reached name by name.
//!
//! Every step opens one name in an open folder and follows no link, so that nothing planted below
//! the root leads out of it. Every change passes a fault point first. `writing` puts files whole into
//! their place, `removal` takes names away.

mod found;
mod removal;
mod writing;

pub(in crate::agent) use found::Found;

use crate::agent::fault::{Faults, Point};
use crate::agent::record::{Change, path_of};
use found::properties_of;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

/// Most names in one folder.
const MAX_NAMES: usize = 200_000;
/// Deepest tree that is removed.
const MAX_DEPTH: usize = 16;

/// An open folder.
#[derive(Debug)]
pub(in crate::agent) struct Folder {
    fd: OwnedFd,
    faults: Arc<Faults>,
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Folder {
    /// Opens the root; a link that leads to it is followed, links below it never are.
    ///
    /// # Errors
    /// Error of the system.
    pub(in crate::agent) fn root(path: &Path, faults: Arc<Faults>) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        Ok(Self { fd: fs::open(path, flags, Mode::empty())?, faults })
    }

    /// The points that folders of this root pass.
    #[must_use]
    pub(in crate::agent) fn faults(&self) -> &Arc<Faults> {
        &self.faults
    }

    /// Opens a folder in this one.
    ///
    /// # Errors
    /// Error of the system; a link is `NotADirectory` or `FilesystemLoop`.
    pub(in crate::agent) fn folder(&self, name: &str) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let fd = fs::openat(&self.fd, single_name(name)?, flags, Mode::empty())?;
        Ok(Self { fd, faults: self.faults.clone() })
    }

    /// Opens a folder several names deep.
    ///
    /// # Errors
    /// As [`Folder::folder`].
    pub(in crate::agent) fn walk<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> io::Result<Self> {
        let mut folder = Self { fd: self.fd.try_clone()?, faults: self.faults.clone() };
        for name in names {
            folder = folder.folder(name)?;
        }
        Ok(folder)
    }

    /// Opens a folder, and makes it durably when it is missing.
    ///
    /// # Errors
    /// Error of the system.
    pub(in crate::agent) fn ensure(&self, point: Point, name: &str) -> io::Result<Self> {
        let (folder, is_made) = self.make(point, name)?;
        if is_made {
            self.fsync()?;
        }
        Ok(folder)
    }

    /// Opens a folder and makes it when it is missing; its name is not on the disk before this folder
    /// is. Gives whether it was made.
    ///
    /// # Errors
    /// Error of the system.
    pub(in crate::agent) fn make(&self, point: Point, name: &str) -> io::Result<(Self, bool)> {
        match self.folder(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.faults.pass(point)?;
                match fs::mkdirat(&self.fd, single_name(name)?, Mode::from_bits_truncate(0o755)) {
                    Ok(()) => self.record_change(name, Change::Folder),
                    Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
                let folder = self.folder(name)?;
                // Whatever the login's mask: those who use the release may read it.
                folder.set_mode(0o755)?;
                Ok((folder, true))
            }
            result => Ok((result?, false)),
        }
    }

    /// Properties of the entry with a name; `None` when there is none.
    ///
    /// # Errors
    /// Error of the system.
    pub(in crate::agent) fn find(&self, name: &str) -> io::Result<Option<Found>> {
        match fs::statat(&self.fd, single_name(name)?, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(properties_of(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Properties of this folder itself.
    ///
    /// # Errors
    /// Error of the system.
    pub(in crate::agent) fn properties(&self) -> io::Result<Found> {
        Ok(properties_of(&fs::fstat(&self.fd)?))
    }

    /// Opens a file for reading; anything but a plain file is refused.
    ///
    /// # Errors
    /// Error of the system.
    pub(in crate::agent) fn open(&self, name: &str) -> io::Result<File> {
        // A pipe that somebody planted must not block.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        plain_file(fs::openat(&self.fd, single_name(name)?, flags, Mode::empty())?)
    }

    /// Opens a file for reading and writing, and makes it when it is missing.
    ///
    /// # Errors
    /// Error of the system; `PermissionDenied` for a file that has other names or another owner,
    /// since a write would change somebody else's file.
    pub(in crate::agent) fn open_own(&self, point: Point, name: &str) -> io::Result<File> {
        self.faults.pass(point)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_bits_truncate(0o644);
        let is_made = self.faults.recorder.is_on() && self.find(name)?.is_none();
        let flags = flags | OFlags::NONBLOCK;
        let file = plain_file(fs::openat(&self.fd, single_name(name)?, flags, mode)?)?;
        if is_made {
            self.record_change(name, Change::File);
        }
        let stat = fs::fstat(&file)?;
        if stat.st_nlink != 1 || stat.st_uid != rustix::process::geteuid().as_raw() {
            let text = format!("`{name}` has other names or another owner");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        Ok(file)
    }

    /// Reads a file of at most `max` bytes; `None` when it is missing.
    ///
    /// # Errors
    /// Error of the system, and `FileTooLarge`.
    pub(in crate::agent) fn read(&self, name: &str, max: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match self.open(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result?,
        };
        let mut bytes = Vec::new();
        file.take(max + 1).read_to_end(&mut bytes)?;
        if max < bytes.len() as u64 {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("`{name}`")));
        }
        Ok(Some(bytes))
    }

    /// Moves a name into a folder and replaces the entry there.
    ///
    /// # Errors
    /// Error of the system.
    pub(in crate::agent) fn rename(
        &self,
        point: Point,
        from: &str,
        folder: &Self,
        to: &str,
    ) -> io::Result<()> {
        self.faults.pass(point)?;
        fs::renameat(&self.fd, single_name(from)?, &folder.fd, single_name(to)?)?;
        let paths = || Change::Rename { from: self.path(from), to: folder.path(to) };
        self.faults.recorder.record(paths);
        Ok(())
    }

    /// Exchanges two names of this folder at once.
    ///
    /// # Errors
    /// Error of the system; some file systems do not support this.
    pub(in crate::agent) fn exchange(&self, point: Point, from: &str, to: &str) -> io::Result<()> {
        self.faults.pass(point)?;
        let names = (single_name(from)?, single_name(to)?);
        fs::renameat_with(&self.fd, names.0, &self.fd, names.1, RenameFlags::EXCHANGE)?;
        let paths = || Change::Exchange { from: self.path(from), to: self.path(to) };
        self.faults.recorder.record(paths);
        Ok(())
    }

    /// Gives a file another name in a folder.
    ///
    /// # Errors
    /// Error of the system.
    pub(in crate::agent) fn link(
        &self,
        point: Point,
        from: &str,
        folder: &Self,
        to: &str,
    ) -> io::Result<()> {
        self.faults.pass(point)?;
        fs::linkat(&self.fd, single_name(from)?, &folder.fd, single_name(to)?, AtFlags::empty())?;
        let paths = || Change::Link { from: self.path(from), to: folder.path(to) };
        self.faults.recorder.record(paths);
        Ok(())
    }

    /// Points a name to a target, atomically and durably; `None` removes the name.
    ///
    /// # Errors
    /// Error of the system; the name then points to the former target or to the new one.
    pub(in crate::agent) fn point(
        &self,
        points: [Point; 3],
        name: &str,
        target: Option<&str>,
    ) -> io::Result<()> {
        let temporary = format!(".{name}.{}", std::process::id());
        self.remove_if_exists(&temporary)?;
        match target {
            Some(target) => {
                self.faults.pass(points[0])?;
                fs::symlinkat(target, &self.fd, &*temporary)?;
                let change = |path| Change::Symlink { path, target: target.to_owned() };
                self.record_change(&temporary, change);
                let result = self.rename(points[1], &temporary, self, name);
                if result.is_err() {
                    let _ = self.remove_if_exists(&temporary);
                }
                result?;
            }
            None => {
                self.faults.pass(points[1])?;
                self.remove_if_exists(name)?;
            }
        }
        self.sync(points[2])
    }

    /// Where a link points to; `None` when there is none.
    ///
    /// # Errors
    /// Error of the system; `InvalidInput` for an entry that is no link.
    pub(in crate::agent) fn target(&self, name: &str) -> io::Result<Option<String>> {
        match fs::readlinkat(&self.fd, single_name(name)?, Vec::new()) {
            Ok(target) => Ok(Some(target.to_string_lossy().into_owned())),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sets the permissions of this folder.
    ///
    /// # Errors
    /// Error of the system.
    pub(in crate::agent) fn set_mode(&self, mode: u32) -> io::Result<()> {
        fs::fchmod(&self.fd, Mode::from_bits_truncate(mode))?;
        self.faults.recorder.record(|| Change::Mode { path: path_of(&self.fd), mode });
        Ok(())
    }

    /// Names in this folder, sorted.
    ///
    /// # Errors
    /// Error of the system; `InvalidData` when there are too many names.
    pub(in crate::agent) fn list(&self) -> io::Result<Vec<(String, FileType)>> {
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&self.fd)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if MAX_NAMES < names.len() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "there are too many names"));
            }
            if name != "." && name != ".." {
                names.push((name, entry.file_type()));
            }
        }
        names.sort_by(|one, two| one.0.cmp(&two.0));
        Ok(names)
    }

    /// Brings the names of this folder to the disk.
    ///
    /// # Errors
    /// Error of the system.
    pub(in crate::agent) fn sync(&self, point: Point) -> io::Result<()> {
        self.faults.pass(point)?;
        self.fsync()
    }

    fn fsync(&self) -> io::Result<()> {
        fs::fsync(&self.fd)?;
        self.faults.recorder.record_sync(&self.fd);
        Ok(())
    }

    /// Records what became of a name.
    fn record_change(&self, name: &str, change: impl FnOnce(String) -> Change) {
        self.faults.recorder.record(|| change(self.path(name)));
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", path_of(&self.fd))
    }

    /// Free bytes, all bytes, free and all names of the file system.
    ///
    /// # Errors
    /// Error of the system.
    pub(in crate::agent) fn disk_space(&self) -> io::Result<[u64; 4]> {
        let room = fs::fstatvfs(&self.fd)?;
        let bytes = |blocks: u64| blocks.saturating_mul(room.f_frsize);
        Ok([bytes(room.f_bavail), bytes(room.f_blocks), room.f_favail, room.f_files])
    }
}

/// A single name; what has a `/` would be followed.
fn single_name(name: &str) -> io::Result<&str> {
    let is_one = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
    if is_one {
        Ok(name)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "this is not a single name"))
    }
}

fn plain_file(fd: OwnedFd) -> io::Result<File> {
    let stat = fs::fstat(&fd)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
        Ok(File::from(fd))
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "this is not a plain file"))
    }
}

#[cfg(test)]
mod tests;
