//! Store: writes a dataset in the layout, field by field.
//!
//! Never overwrites a file. Each file appears whole or not at all, and the manifest comes last: a
//! folder with a manifest is complete.

use super::encode::EncodeError;
use super::manifest::{MANIFEST_FILE, render_manifest};
use super::record::{FieldRecord, MaskRecord, Split};
use cellgate_core::digest::Digest;
use cellgate_core::units::PixelSize;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A dataset could not be written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something stands in the way.
    #[error("`{0}` exists already and is left as it is; choose another folder")]
    Exists(PathBuf),
    /// The disk failed.
    #[error("`{path}` cannot be written")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Error of the system.
        source: std::io::Error,
    },
    /// The samples have no file form.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// A field to be written: its files' bytes, and what the manifest says about it beside them.
#[derive(Debug, Clone, PartialEq)]
pub struct NewField {
    /// Name, unique in the dataset.
    pub name: String,
    /// The picture as PNG.
    pub image: Vec<u8>,
    /// The truth, with the ending of its file's name.
    pub mask: Option<(Vec<u8>, &'static str)>,
    /// Type of the image.
    pub image_type: String,
    /// Pixel size, where it is known.
    pub pixel_size: Option<PixelSize>,
    /// Allowed use of the field.
    pub split: Split,
    /// Group that the field shares with others.
    pub group: Option<String>,
    /// Where the field comes from.
    pub source: Option<String>,
    /// Under which license.
    pub license: Option<String>,
}

/// A dataset that is being written.
#[derive(Debug)]
pub struct NewDataset {
    folder: PathBuf,
    name: String,
    records: Vec<FieldRecord>,
}

impl NewDataset {
    /// Starts a dataset in a folder, which is made with the first field.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the folder holds a manifest.
    pub fn create(folder: &Path, name: &str) -> Result<Self, StoreError> {
        let manifest = folder.join(MANIFEST_FILE);
        if manifest.exists() {
            return Err(StoreError::Exists(manifest));
        }
        Ok(Self { folder: folder.to_owned(), name: name.to_owned(), records: Vec::new() })
    }

    /// Writes a field's files.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when one of them exists.
    pub fn add(&mut self, field: NewField) -> Result<(), StoreError> {
        let image = format!("original/{}.png", field.name);
        write_new(&self.folder.join(&image), &field.image)?;
        let mask = match &field.mask {
            None => None,
            Some((bytes, extension)) => {
                let path = format!("masks/{}_mask.{extension}", field.name);
                write_new(&self.folder.join(&path), bytes)?;
                Some(MaskRecord { path, sha256: Digest::of_bytes(bytes), url: None })
            }
        };
        self.records.push(FieldRecord {
            name: field.name,
            image,
            sha256: Digest::of_bytes(&field.image),
            mask,
            image_type: field.image_type,
            pixel_size: field.pixel_size,
            split: field.split,
            group: field.group,
            source: field.source,
            license: field.license,
            url: None,
        });
        Ok(())
    }

    /// Writes the manifest, and gives its path.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written.
    pub fn finish(self) -> Result<PathBuf, StoreError> {
        let path = self.folder.join(MANIFEST_FILE);
        write_new(&path, render_manifest(&self.name, &self.records).as_bytes())?;
        Ok(path)
    }
}

/// Writes bytes into a temporary file next to a path; one move then puts them there as a whole.
/// The path's folder is made when it is missing.
///
/// # Errors
/// Error of the system; no file is left behind.
pub fn write_beside(path: &Path, bytes: &[u8]) -> std::io::Result<NamedTempFile> {
    let folder =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".cellgate-");
    // Temporary files are private to their owner; results are for everybody that umask lets in.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Writes a file that must not exist: whole or not at all. Its folder is made when it is missing.
///
/// # Errors
/// [`StoreError::Exists`] when it does, and [`StoreError::Io`].
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let to_error = |source| StoreError::Io { path: path.to_owned(), source };
    let file = write_beside(path, bytes).map_err(to_error)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(StoreError::Exists(path.to_owned()))
        }
        Err(error) => Err(to_error(error.error)),
    }
}
