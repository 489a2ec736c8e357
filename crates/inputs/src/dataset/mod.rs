//! Dataset: fields with truth and a manifest, on which every change is tried.
//!
//! A dataset is a folder with `original/NAME.png`, `masks/NAME_mask.png` and `dataset.yaml`, read
//! from a folder or from a commit; or the embedded phantoms. Holding a [`Dataset`] means that its
//! manifest is valid. Images are opened one by one, and only when their digests hold.
//!
//! Layout after Berezsky et al. 2023.

mod check;
mod components;
pub mod decode;
mod embedded;
pub mod encode;
mod groups;
pub mod manifest;
mod open;
pub mod phantom;
pub mod prepare;
pub mod random;
mod record;
mod size;
pub mod split;
pub mod store;

pub use components::label_components;
pub use embedded::write_phantoms;
pub use record::{FieldRecord, MaskRecord, Split};

use crate::source::Place;
use cellgate_core::digest::Digest;
use cellgate_core::raster::{Image, Labels};
use cellgate_core::units::PixelSize;
use serde::Serialize;
use std::ops::Deref;
use std::sync::Arc;

/// A valid manifest: fields in the order of their names.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    name: String,
    fields: Vec<FieldEntry>,
    /// The manifest; the whole embedded dataset for phantoms.
    place: Place,
}

/// One field as the manifest describes it; see [`FieldEntry::open`].
#[derive(Debug, Clone, PartialEq)]
pub struct FieldEntry {
    record: FieldRecord,
    origin: Origin,
}

/// Where a field's samples come from.
#[derive(Debug, Clone, PartialEq)]
enum Origin {
    /// Files below a folder of a tree.
    Files { folder: String, places: Box<Places> },
    /// A phantom, drawn already.
    Drawn(Arc<Field>),
}

/// Where the manifest speaks of a field.
#[derive(Debug, Clone, PartialEq)]
struct Places {
    image: Place,
    sha256: Place,
    mask: Place,
    mask_sha256: Place,
    pixel_size: Place,
}

/// A field, opened: every digest holds, and the truth has the image's size.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Name, unique in its dataset.
    pub name: String,
    /// The picture.
    pub image: Image,
    /// Object numbers of its nuclei, where they are known.
    pub truth: Option<Labels>,
    /// The manifest's pixel size before the image file's own.
    pub pixel_size: Option<PixelSize>,
    /// Digest of the image file, or of a phantom's samples.
    pub digest: Digest,
}

impl Deref for FieldEntry {
    type Target = FieldRecord;

    fn deref(&self) -> &FieldRecord {
        &self.record
    }
}

impl Dataset {
    /// The dataset's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The fields, in the order of their names; there is at least one.
    #[must_use]
    pub fn fields(&self) -> &[FieldEntry] {
        &self.fields
    }

    /// The manifest's place, for findings about the dataset as a whole.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Digest of what results depend on: of each field in the order of names its `name`, `sha256`,
    /// `mask_sha256`, `image_type`, `pixel_size_um` and `split`.
    #[must_use]
    pub fn digest(&self) -> Digest {
        #[derive(Serialize)]
        struct Line<'a> {
            name: &'a str,
            sha256: String,
            mask_sha256: Option<String>,
            image_type: &'a str,
            pixel_size_um: Option<f64>,
            split: &'a str,
        }
        let lines = self.fields.iter().map(|field| Line {
            name: &field.name,
            sha256: field.sha256.to_string(),
            mask_sha256: field.mask.as_ref().map(|mask| mask.sha256.to_string()),
            image_type: &field.image_type,
            pixel_size_um: field.pixel_size.map(PixelSize::um),
            split: field.split.as_str(),
        });
        let lines: Vec<Line<'_>> = lines.collect();
        Digest::of_canonical(&lines).expect("texts and finite numbers have a JSON form")
    }
}

#[cfg(test)]
mod tests;
