//! Label images: object numbers in gray files, told apart from masks of other kinds.

use super::{Format, decode, run_decoder, tiff};
use crate::dataset::components::label_components;
use crate::finding::{Code, Finding};
use crate::source::Place;
use cellgate_core::raster::{Image, Labels};

/// Help for a mask that is not a label image.
const HELP: &str = "give each nucleus its own gray value, 0 for background, in a 16-bit PNG; \
                    `cellgate dataset prepare --binary-masks` numbers the parts of a binary mask";

/// Decodes a label image: 8 or 16 bit gray PNG, or 8, 16 or 32 bit gray TIFF.
///
/// # Edge cases
/// An empty field is a label image. Numbers may have gaps. An image of one value is a label image
/// as long as it is one connected nucleus.
///
/// # Errors
/// Findings of [`decode`](super::decode), and `mask-not-labels` for color, for JPEG (whose samples
/// are not exact), for a binary mask of several nuclei, and for one with smoothed edges.
pub fn decode_labels(path: &str, bytes: &[u8]) -> Result<Labels, Vec<Finding>> {
    let labels = match Format::detect(bytes) {
        Ok(Format::Jpeg) => {
            return Err(mask_error(path, "the mask is a JPEG image, whose values are not exact"));
        }
        Ok(Format::Tiff) => match run_decoder(path, || tiff::decode_labels32(bytes))? {
            Some(labels) => labels,
            None => gray_labels(path, decode(path, bytes)?.image)?,
        },
        Ok(Format::Png) | Err(_) => gray_labels(path, decode(path, bytes)?.image)?,
    };
    if let Some(why) = flaw(&labels) {
        return Err(mask_error(path, why));
    }
    Ok(labels)
}

/// Numbers the connected parts of a binary mask: every value but 0 is a nucleus.
///
/// # Errors
/// Findings of [`decode`](super::decode), and `mask-not-labels` when the mask has color, or more
/// than one value other than 0.
pub fn binary_components(path: &str, bytes: &[u8]) -> Result<Labels, Vec<Finding>> {
    let mask = gray_labels(path, decode(path, bytes)?.image)?;
    let mut values = mask.samples().iter().filter(|value| **value != 0);
    if let Some(first) = values.next()
        && values.any(|value| value != first)
    {
        return Err(mask_error(path, "the mask has several values and is not binary"));
    }
    Ok(label_components(&mask.map(|value| value != 0)))
}

fn gray_labels(path: &str, image: Image) -> Result<Labels, Vec<Finding>> {
    match image {
        Image::Gray8(raster) => Ok(raster.map(u32::from)),
        Image::Gray16(raster) => Ok(raster.map(u32::from)),
        Image::Rgb8(_) | Image::Rgb16(_) => Err(mask_error(path, "the mask is a color image")),
    }
}

fn mask_error(path: &str, why: &str) -> Vec<Finding> {
    vec![Finding::error(Code::MaskNotLabels, Place::file(path), why).help(HELP)]
}

/// Why gray values cannot be object numbers; `None` when they can.
///
/// The brightest value is what a binary mask draws its nuclei with. When it covers most of the
/// foreground in several separate parts, it names no single nucleus.
fn flaw(labels: &Labels) -> Option<&'static str> {
    let brightest = labels.samples().iter().copied().max().filter(|value| *value != 0)?;
    if !matches!(brightest, 1 | 255 | 65_535) {
        return None;
    }
    let count = |predicate: &dyn Fn(u32) -> bool| {
        labels.samples().iter().filter(|value| predicate(**value)).count()
    };
    let n_foreground = count(&|value| value != 0);
    let n_brightest = count(&|value| value == brightest);
    if n_brightest * 2 <= n_foreground {
        return None;
    }
    let parts = label_components(&labels.map(|value| value == brightest));
    let is_several = parts.samples().iter().any(|part| *part > 1);
    is_several.then_some(if n_brightest == n_foreground {
        "the mask is binary: its nuclei all have the same value"
    } else {
        "the mask has smoothed edges: values between background and nucleus are no object numbers"
    })
}
