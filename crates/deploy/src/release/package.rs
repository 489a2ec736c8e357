//! Package: a release and the bytes of its files.
//!
//! Takes files of this machine and texts, digests them, gives a release. What is sent is read again
//! and checked by the receiver, so that a file that changes meanwhile is noticed there.

use super::{Manifest, ManifestError, Mode, Release, ReleasedFile};
use cellgate_core::digest::{Digest, Hasher};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// Where the bytes of a file come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// From memory.
    Bytes(Vec<u8>),
    /// From a file of this machine.
    File(PathBuf),
}

/// A file that goes into a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path below the release.
    pub path: String,
    /// Whether it can be started.
    pub mode: Mode,
    /// Its bytes.
    pub content: Content,
}

/// A package cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// Its manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file cannot be read.
    #[error("`{path}` cannot be read")]
    Unreadable {
        /// Path below the release.
        path: String,
        /// Error of the system.
        source: io::Error,
    },
}

/// A release and the bytes of its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    release: Release,
    contents: BTreeMap<Digest, Content>,
}

impl Package {
    /// Digests files and makes the release that consists of them.
    ///
    /// `manifest.files` is filled in here.
    ///
    /// # Errors
    /// [`PackageError`].
    pub fn build(mut manifest: Manifest, entries: Vec<Entry>) -> Result<Self, PackageError> {
        let mut contents = BTreeMap::new();
        manifest.files = Vec::with_capacity(entries.len());
        for Entry { path, mode, content } in entries {
            let result = content.digest();
            let (sha256, size) =
                result.map_err(|source| PackageError::Unreadable { path: path.clone(), source })?;
            manifest.files.push(ReleasedFile { path, sha256, size, mode });
            contents.insert(sha256, content);
        }
        Ok(Self { release: Release::new(manifest)?, contents })
    }

    /// The release.
    #[must_use]
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// The bytes with a digest.
    #[must_use]
    pub fn content(&self, digest: Digest) -> Option<&Content> {
        self.contents.get(&digest)
    }
}

impl Content {
    /// Digest and number of the bytes.
    ///
    /// # Errors
    /// Error of the system.
    pub fn digest(&self) -> io::Result<(Digest, u64)> {
        let path = match self {
            Self::Bytes(bytes) => return Ok((Digest::of_bytes(bytes), bytes.len() as u64)),
            Self::File(path) => path,
        };
        let mut file = File::open(path)?;
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut n_bytes = 0;
        loop {
            let n = file.read(&mut buffer)?;
            if n == 0 {
                return Ok((hasher.finish(), n_bytes));
            }
            hasher.update(&buffer[..n]);
            n_bytes += n as u64;
        }
    }

    /// At most `n` bytes from a place on; fewer where the content ends.
    ///
    /// # Errors
    /// Error of the system.
    pub fn read_at(&self, offset: u64, n: usize) -> io::Result<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let end = start.saturating_add(n).min(bytes.len());
                Ok(bytes[start..end].to_vec())
            }
            Self::File(path) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(offset))?;
                let mut bytes = Vec::with_capacity(n);
                file.take(n as u64).read_to_end(&mut bytes)?;
                Ok(bytes)
            }
        }
    }
}
