//! Write: files that are there whole or not at all.

use cellgate_inputs::dataset::store::write_beside;
use std::path::{Path, PathBuf};

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be written", .path.display())]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// Error of the system.
    pub source: std::io::Error,
}

/// Writes a file, replacing what was there, and makes the folders that it needs.
///
/// The content is written beside the file and moved over it, so that a kill or a full disk leaves
/// the old file or the new one, never a torn one.
///
/// # Errors
/// [`WriteError`].
pub fn replace(path: &Path, content: &[u8]) -> Result<(), WriteError> {
    let to_error = |source| WriteError { path: path.to_owned(), source };
    let file = write_beside(path, content).map_err(to_error)?;
    file.persist(path).map_err(|error| to_error(error.error))?;
    Ok(())
}

/// As [`replace`], and what was written also outlives a loss of power.
///
/// # Errors
/// [`WriteError`].
pub fn replace_synced(path: &Path, content: &[u8]) -> Result<(), WriteError> {
    let to_error = |source| WriteError { path: path.to_owned(), source };
    let file = write_beside(path, content).map_err(to_error)?;
    file.as_file().sync_all().map_err(to_error)?;
    file.persist(path).map_err(|error| to_error(error.error))?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = std::fs::File::open(folder.unwrap_or(Path::new("."))).map_err(to_error)?;
    folder.sync_all().map_err(to_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.txt");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        replace_synced(&path, b"three").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
