//! Size: how many pixels a field has, from its file's header alone.
//!
//! Work is shared out by it before anything is decoded. It judges nothing: whether the file is
//! sound is found out when the field is opened.

use super::decode::{MAX_FILE_BYTES, MAX_PIXELS};
use super::manifest::join;
use super::{FieldEntry, Origin};
use crate::revision::Tree;
use image::ImageReader;
use std::io::Cursor;

impl FieldEntry {
    /// Pixels of the field as its image's header states them; `None` when there is no such file or
    /// it has no header that can be read.
    #[must_use]
    pub fn n_px(&self, tree: &Tree) -> Option<u64> {
        let folder = match &self.origin {
            Origin::Drawn(field) => {
                return Some(u64::from(field.image.width()) * u64::from(field.image.height()));
            }
            Origin::Files { folder, .. } => folder,
        };
        let bytes = tree.read(&join(folder, &self.image), MAX_FILE_BYTES).ok()?;
        let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
        let (width, height) = reader.into_dimensions().ok()?;
        Some(u64::from(width) * u64::from(height)).filter(|n_px| *n_px <= MAX_PIXELS)
    }
}
