//! Open: from a manifest's entry to a field whose every digest holds.

use super::decode::{MAX_FILE_BYTES, decode, decode_labels};
use super::manifest::join;
use super::{Field, FieldEntry, Origin, Places};
use crate::finding::{Code, Finding};
use crate::revision::{Tree, TreeError};
use crate::source::Place;
use cellgate_core::digest::Digest;
use cellgate_core::raster::{Image, Labels};
use cellgate_core::units::PixelSize;

impl FieldEntry {
    /// Opens a field: reads its files, checks their digests, decodes them.
    ///
    /// # Edge cases
    /// A phantom is there already, whatever the tree.
    ///
    /// # Errors
    /// Findings for files that are missing or are not what their digests say, for images and masks
    /// that are refused, a mask of another size, and a pixel size that contradicts the image's own;
    /// all at once.
    pub fn open(&self, tree: &Tree) -> Result<Field, Vec<Finding>> {
        let (folder, places) = match &self.origin {
            Origin::Drawn(field) => return Ok(Field::clone(field)),
            Origin::Files { folder, places } => (folder, places),
        };
        let image_path = join(folder, &self.image);
        let image = read(tree, &image_path, self.sha256, [&places.image, &places.sha256])
            .and_then(|bytes| decode(&image_path, &bytes));
        let truth = match &self.mask {
            None => Ok(None),
            Some(mask) => {
                let path = join(folder, &mask.path);
                read(tree, &path, mask.sha256, [&places.mask, &places.mask_sha256])
                    .and_then(|bytes| decode_labels(&path, &bytes))
                    .map(Some)
            }
        };
        let (decoded, truth) = match (image, truth) {
            (Ok(decoded), Ok(truth)) => (decoded, truth),
            (image, truth) => {
                return Err([image.err(), truth.err()].into_iter().flatten().flatten().collect());
            }
        };
        let mut findings: Vec<Finding> =
            shape_finding(&decoded.image, truth.as_ref(), places).into_iter().collect();
        findings.extend(pixel_size_finding(self.pixel_size, decoded.pixel_size, places));
        if !findings.is_empty() {
            return Err(findings);
        }
        let pixel_size = self.pixel_size.or(decoded.pixel_size);
        Ok(Field {
            name: self.name.clone(),
            image: decoded.image,
            truth,
            pixel_size,
            digest: self.sha256,
        })
    }
}

/// Reads a file whose digest is known; the places are of its path and of its digest.
fn read(
    tree: &Tree,
    path: &str,
    sha256: Digest,
    [path_place, digest_place]: [&Place; 2],
) -> Result<Vec<u8>, Vec<Finding>> {
    let bytes = tree.read(path, MAX_FILE_BYTES).map_err(|error| {
        let code = match error {
            TreeError::TooLarge { .. } => Code::FileTooLarge,
            TreeError::Outside(_) => Code::PathOutside,
            TreeError::Missing(_) | TreeError::Io { .. } | TreeError::Git(_) => {
                Code::FileUnreadable
            }
        };
        let help = "add the file, or delete the field from the manifest";
        vec![Finding::error(code, path_place.clone(), error.to_string()).help(help)]
    })?;
    let found = Digest::of_bytes(&bytes);
    if found != sha256 {
        let is_pointer = bytes.starts_with(b"version https://git-lfs");
        let help = if is_pointer {
            "the file is a Git LFS pointer: fetch it with `git lfs pull`, in a workflow with `lfs: true`"
        } else {
            "restore the file; or, when the change is meant, write the new digest into the manifest"
        };
        let message = format!("`{path}` has the digest {found}, the manifest says {sha256}");
        return Err(vec![
            Finding::error(Code::DigestMismatch, digest_place.clone(), message).help(help),
        ]);
    }
    Ok(bytes)
}

fn shape_finding(image: &Image, truth: Option<&Labels>, places: &Places) -> Option<Finding> {
    let truth = truth?;
    let (image_px, mask_px) = ((image.width(), image.height()), (truth.width(), truth.height()));
    (image_px != mask_px).then(|| {
        let message = format!(
            "the mask has {} by {} pixels, its image {} by {}",
            mask_px.0, mask_px.1, image_px.0, image_px.1
        );
        Finding::error(Code::MaskShape, places.mask.clone(), message)
            .help("make the mask of exactly this image, pixel by pixel")
    })
}

fn pixel_size_finding(
    manifest_size: Option<PixelSize>,
    image_size: Option<PixelSize>,
    places: &Places,
) -> Option<Finding> {
    let (manifest_size, image_size) = manifest_size.zip(image_size)?;
    (!manifest_size.agrees_with(image_size)).then(|| {
        let message = format!(
            "the manifest's pixel size is {} µm, the image file's own {} µm",
            manifest_size.um(),
            image_size.um()
        );
        Finding::error(Code::PixelSizeConflict, places.pixel_size.clone(), message)
            .help("every length and area depends on it: correct whichever is wrong")
    })
}
