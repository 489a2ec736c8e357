//! Part: the bytes of a file that came so far, kept next to its final place.
//!
//! One process at a time writes it; a later one goes on with it. It takes the file's place by a
//! rename, and only when it is the file.

use super::error::{FetchError, disk_error};
use super::wanted::Wanted;
use cellgate_core::digest::{Digest, Hasher};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// A file that is being fetched.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    path: PathBuf,
    n_bytes: u64,
}

impl Part {
    /// Opens what came of a file before, or begins it.
    pub(super) fn open(wanted: &Wanted) -> Result<Self, FetchError> {
        let folder = match wanted.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(folder).map_err(disk_error(folder))?;
        let name = wanted.path.file_name().unwrap_or_default().to_string_lossy();
        let path = folder.join(format!(".{name}.{}.part", wanted.sha256.short()));
        let to_error = disk_error(&path);
        let mut options = OpenOptions::new();
        let result = options.read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = result.map_err(&to_error)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FetchError::Busy(wanted.path.clone())),
            Err(TryLockError::Error(error)) => return Err(to_error(error)),
        }
        let n_bytes = file.seek(SeekFrom::End(0)).map_err(&to_error)?;
        let mut part = Self { file, path, n_bytes };
        if wanted.max_bytes < n_bytes {
            part.restart()?;
        }
        Ok(part)
    }

    /// Bytes that are there.
    pub(super) fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// Adds bytes.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.file.write_all(bytes).map_err(disk_error(&self.path))?;
        self.n_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Begins anew.
    pub(super) fn restart(&mut self) -> Result<(), FetchError> {
        let to_error = disk_error(&self.path);
        self.file.set_len(0).map_err(&to_error)?;
        self.file.rewind().map_err(&to_error)?;
        self.n_bytes = 0;
        Ok(())
    }

    /// Digest of what is there.
    pub(super) fn digest(&mut self) -> Result<Digest, FetchError> {
        let to_error = disk_error(&self.path);
        self.file.rewind().map_err(&to_error)?;
        let digest = digest_of_rest(&mut self.file).map_err(&to_error)?;
        self.file.seek(SeekFrom::End(0)).map_err(&to_error)?;
        Ok(digest)
    }

    /// Moves it to its place, where nothing may stand.
    pub(super) fn finish(self, path: &Path) -> Result<(), FetchError> {
        self.file.sync_all().map_err(disk_error(&self.path))?;
        match std::fs::hard_link(&self.path, path) {
            Ok(()) => {
                self.discard();
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(FetchError::Taken(path.to_owned()))
            }
            // Some disks have no links.
            Err(_) => std::fs::rename(&self.path, path).map_err(disk_error(path)),
        }
    }

    /// Takes it away.
    pub(super) fn discard(self) {
        // What stays is taken up or begun anew the next time.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Digest of a file.
pub(super) fn digest_of(path: &Path) -> io::Result<Digest> {
    digest_of_rest(&mut File::open(path)?)
}

fn digest_of_rest(file: &mut File) -> io::Result<Digest> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            n_bytes => hasher.update(&buffer[..n_bytes]),
        }
    }
}
