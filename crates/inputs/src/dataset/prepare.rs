//! Prepare: brings a folder of images, and of masks, into the layout.
//!
//! Takes PNG, JPEG and TIFF files, gives fields with PNG images and label masks. PNG files are taken
//! over byte by byte; the others are converted without loss. Where histograms or sizes are to be
//! others, images are drawn anew and masks follow by what lies at each pixel's center. Everything is tried before anything is
//! written.

use super::decode::{MAX_FILE_BYTES, binary_components, decode, decode_labels};
use super::encode::{encode_image, encode_labels, labels_extension};
use super::groups::read_groups;
use super::manifest::MAX_NAME;
use super::record::Split;
use super::store::{NewDataset, NewField, StoreError};
use crate::finding::{Code, Finding, has_errors};
use crate::revision::Tree;
use crate::source::Place;
use cellgate_core::preparation::{PrepareError, Prepared, Steps, resize_labels};
use cellgate_core::raster::Labels;
use cellgate_core::units::PixelSize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Endings of names that are taken for images.
const EXTENSIONS: [&str; 5] = ["png", "jpg", "jpeg", "tif", "tiff"];

/// Suffixes that turn a field's name into its mask's name.
const MASK_SUFFIXES: [&str; 4] = ["_mask", "_labels", "_label", ""];

const PNG_MAGIC: &[u8] = b"\x89PNG\r\n\x1A\n";

/// Settings common to all prepared fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Preparation {
    /// Folder of the images.
    pub images: PathBuf,
    /// Folder of the masks.
    pub masks: Option<PathBuf>,
    /// Whether masks are binary, so that their connected parts are numbered.
    pub has_binary_masks: bool,
    /// Type of the images.
    pub image_type: String,
    /// Pixel size; without it the files' own.
    pub pixel_size: Option<PixelSize>,
    /// Steps that change the histograms of images, and the size of images and masks.
    pub steps: Steps,
    /// Allowed use of the fields.
    pub split: Split,
    /// Table of the columns `name` and `group`: what fields share with others.
    pub groups: Option<PathBuf>,
    /// Where the fields come from.
    pub source: Option<String>,
    /// Under which license.
    pub license: Option<String>,
}

/// The files of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Files {
    name: String,
    image: String,
    mask: Option<String>,
    group: Option<String>,
}

impl Preparation {
    /// Writes the dataset; gives its manifest's path, and warnings about what was left out.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails or something stands in the way. Findings about the input
    /// are no error of this kind: with an error among them nothing was written, and the path is
    /// `None`.
    pub fn write(
        &self,
        out: &Path,
        name: &str,
    ) -> Result<(Option<PathBuf>, Vec<Finding>), StoreError> {
        let (mut files, mut findings) = self.plan();
        findings.extend(self.assign_groups(&mut files));
        for field in &files {
            findings.extend(self.read(field)?.err().unwrap_or_default());
        }
        if has_errors(&findings) {
            return Ok((None, findings));
        }
        let mut dataset = NewDataset::create(out, name)?;
        for field in &files {
            match self.read(field)? {
                Ok(field) => dataset.add(field)?,
                // The file changed since it was tried.
                Err(found) => return Ok((None, found)),
            }
        }
        Ok((Some(dataset.finish()?), findings))
    }

    /// Finds the files of each field, in the order of their names.
    fn plan(&self) -> (Vec<Files>, Vec<Finding>) {
        let mut findings = Vec::new();
        let images = list_images(&self.images, &mut findings);
        let masks = self.masks.as_deref();
        let masks = masks.map(|masks| list_images(masks, &mut findings)).unwrap_or_default();
        let mut fields: BTreeMap<String, Files> = BTreeMap::new();
        for image in images {
            let place = Place::file(display_path(&self.images, &image));
            let stem = stem(&image);
            let name = field_name(stem);
            let mask = match masks_of(stem, &masks).as_slice() {
                [] => None,
                [mask] => Some((*mask).clone()),
                [first, second, ..] => {
                    let message = format!("both `{first}` and `{second}` could be its mask");
                    let help = "keep one mask for each image";
                    findings
                        .push(Finding::error(Code::NameTaken, place.clone(), message).help(help));
                    None
                }
            };
            if self.masks.is_some() && mask.is_none() {
                let message = format!("no mask `{stem}_mask` was found; the field has no truth");
                findings.push(Finding::warning(Code::NothingMatched, place.clone(), message));
            }
            let field = Files { name: name.clone(), image, mask, group: None };
            if let Some(first) = fields.insert(name.to_lowercase(), field) {
                let message =
                    format!("its field would be called `{name}`, as that of `{}`", first.image);
                let help = "give the files names that differ in letters, digits, `.`, `_` or `-`";
                findings.push(Finding::error(Code::NameTaken, place, message).help(help));
            }
        }
        if fields.is_empty() && !has_errors(&findings) {
            let place = Place::file(self.images.to_string_lossy());
            let message = "there is no PNG, JPEG or TIFF file in the folder";
            findings.push(Finding::error(Code::NothingMatched, place, message));
        }
        (fields.into_values().collect(), findings)
    }

    /// Gives fields the groups that the table says; remarks on what it says of no field.
    fn assign_groups(&self, files: &mut [Files]) -> Vec<Finding> {
        let Some(path) = &self.groups else { return Vec::new() };
        let mut groups = match read_groups(path) {
            Ok(groups) => groups,
            Err(findings) => return findings,
        };
        for field in files {
            field.group = groups.remove(&field.name);
        }
        let unmatched = groups.into_keys().map(|name| {
            let message = format!("there is no field `{}` to be in a group", name.escape_debug());
            let help = "name fields as they are called in the dataset, without the file's ending";
            let place = Place::file(path.to_string_lossy());
            Finding::warning(Code::NothingMatched, place, message).help(help)
        });
        unmatched.collect()
    }

    /// Reads a field's files, and brings them into the layout's form.
    fn read(&self, files: &Files) -> Result<Result<NewField, Vec<Finding>>, StoreError> {
        let image = read_bytes(&self.images, &files.image).and_then(|(path, bytes)| {
            let decoded = decode(&path, &bytes)?;
            Ok((path, bytes, decoded))
        });
        let mask = match (&self.masks, &files.mask) {
            (Some(folder), Some(mask)) => read_bytes(folder, mask).and_then(|(path, bytes)| {
                let labels = self.decode_mask(&path, &bytes)?;
                Ok(Some((path, bytes, labels)))
            }),
            _ => Ok(None),
        };
        let ((path, bytes, decoded), mask) = match (image, mask) {
            (Ok(image), Ok(mask)) => (image, mask),
            (image, mask) => {
                return Ok(Err([image.err(), mask.err()]
                    .into_iter()
                    .flatten()
                    .flatten()
                    .collect()));
            }
        };
        let findings = self.mask_and_pixel_size_findings(
            &path,
            &decoded,
            mask.as_ref().map(|(path, _, labels)| (path, labels)),
        );
        if !findings.is_empty() {
            return Ok(Err(findings));
        }
        let (is_png, has_binary_masks) = (bytes.starts_with(PNG_MAGIC), self.has_binary_masks);
        let source_size = self.pixel_size.or(decoded.pixel_size);
        let Prepared { image, pixel_size } = match self.steps.apply(&decoded.image, source_size) {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(vec![prepare_finding(&path, error)])),
        };
        let size = (image.width(), image.height());
        let is_resized = size != (decoded.image.width(), decoded.image.height());
        let image = if is_png && *image == decoded.image {
            bytes
        } else {
            encode_image(&image, pixel_size)?
        };
        let mask = match mask {
            Some((_, bytes, _))
                if !is_resized && bytes.starts_with(PNG_MAGIC) && !has_binary_masks =>
            {
                Some((bytes, "png"))
            }
            Some((_, _, labels)) if is_resized => {
                let labels = resize_labels(&labels, size.0, size.1);
                Some((encode_labels(&labels)?, labels_extension(&labels)))
            }
            Some((_, _, labels)) => Some((encode_labels(&labels)?, labels_extension(&labels))),
            None => None,
        };
        Ok(Ok(NewField {
            name: files.name.clone(),
            image,
            mask,
            image_type: self.image_type.clone(),
            pixel_size,
            split: self.split,
            group: files.group.clone(),
            source: self.source.clone(),
            license: self.license.clone(),
        }))
    }

    fn decode_mask(&self, path: &str, bytes: &[u8]) -> Result<Labels, Vec<Finding>> {
        if self.has_binary_masks {
            binary_components(path, bytes)
        } else {
            decode_labels(path, bytes)
        }
    }

    fn mask_and_pixel_size_findings(
        &self,
        path: &str,
        decoded: &super::decode::Decoded,
        mask: Option<(&String, &Labels)>,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        let image = &decoded.image;
        if let Some((mask_path, labels)) = mask
            && (labels.width(), labels.height()) != (image.width(), image.height())
        {
            let message = format!(
                "the mask has {} by {} pixels, its image {} by {}",
                labels.width(),
                labels.height(),
                image.width(),
                image.height()
            );
            findings.push(Finding::error(
                Code::MaskShape,
                Place::file(mask_path.as_str()),
                message,
            ));
        }
        if let (Some(caller_size), Some(file_size)) = (self.pixel_size, decoded.pixel_size)
            && !caller_size.agrees_with(file_size)
        {
            let message = format!(
                "the file states {} µm a pixel, the caller {} µm",
                file_size.um(),
                caller_size.um()
            );
            let help = "every length and area depends on it: correct whichever is wrong";
            findings.push(
                Finding::error(Code::PixelSizeConflict, Place::file(path), message).help(help),
            );
        }
        findings
    }
}

/// Why an image cannot be prepared.
fn prepare_finding(path: &str, error: PrepareError) -> Finding {
    let (code, help) = match error {
        PrepareError::PixelSizeMissing => {
            (Code::PixelSizeMissing, Some("give `--pixel-size-um`, or `--resize WIDTHxHEIGHT`"))
        }
        PrepareError::Size => (Code::OutOfRange, None),
        PrepareError::Match(_) => {
            (Code::ImageModality, Some("name a reference of the same kind of image"))
        }
    };
    let finding = Finding::error(code, Place::file(path), error.to_string());
    match help {
        Some(help) => finding.help(help),
        None => finding,
    }
}

/// Names of the images in a folder, sorted.
fn list_images(folder: &Path, findings: &mut Vec<Finding>) -> Vec<String> {
    let to_finding = |message: String| {
        Finding::error(Code::FileUnreadable, Place::file(folder.to_string_lossy()), message)
    };
    if !folder.is_dir() {
        findings.push(to_finding("there is no such folder".to_owned()));
        return Vec::new();
    }
    let is_image = |name: &String| {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_lowercase());
        !name.starts_with('.')
            && extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
    };
    match Tree::Folder(folder.to_owned()).list(".") {
        Ok(names) => names.into_iter().filter(is_image).collect(),
        Err(error) => {
            findings.push(to_finding(error.to_string()));
            Vec::new()
        }
    }
}

fn stem(file: &str) -> &str {
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

/// Masks that belong to an image of this name.
fn masks_of<'a>(stem_of_image: &str, masks: &'a [String]) -> Vec<&'a String> {
    let is_match = |mask: &&String| {
        let rest = stem(mask).strip_prefix(stem_of_image);
        rest.is_some_and(|rest| MASK_SUFFIXES.contains(&rest))
    };
    masks.iter().filter(is_match).collect()
}

/// A field's name: the file's, with `_` for what names cannot have.
fn field_name(stem: &str) -> String {
    let is_kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String =
        stem.chars().take(MAX_NAME).map(|c| if is_kept(c) { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return name;
    }
    format!("f{name}").chars().take(MAX_NAME).collect()
}

fn display_path(folder: &Path, file: &str) -> String {
    folder.join(file).to_string_lossy().into_owned()
}

fn read_bytes(folder: &Path, file: &str) -> Result<(String, Vec<u8>), Vec<Finding>> {
    let path = display_path(folder, file);
    match Tree::Folder(folder.to_owned()).read(file, MAX_FILE_BYTES) {
        Ok(bytes) => Ok((path, bytes)),
        Err(error) => {
            Err(vec![Finding::error(Code::FileUnreadable, Place::file(path), error.to_string())])
        }
    }
}
