//! Decode: from a file's bytes to samples, exactly as stored.
//!
//! Takes the bytes of a PNG, JPEG or TIFF file (told apart by content, not by name) and gives an
//! [`Image`] with the pixel size that the file itself states, or a label image. What cannot be
//! represented faithfully is refused, not bent: no sample is scaled, dropped or rounded, and no
//! color space is applied. Sizes are checked before anything is allocated.

mod jpeg;
mod labels;
mod pixel_size;
mod png;
mod tiff;
mod tiff_metadata;

pub use labels::{binary_components, decode_labels};

use crate::finding::{Code, Finding};
use crate::source::Place;
use cellgate_core::raster::{Image, Raster};
use cellgate_core::units::PixelSize;
use std::panic::AssertUnwindSafe;

/// Longest side of an image, in pixels.
pub const MAX_SIDE_PX: u32 = 65_535;

/// Most pixels of an image: some 1.2 GB as 8-bit color.
pub const MAX_PIXELS: u64 = 400_000_000;

/// Most bytes that the decoded samples of an image may take.
pub const MAX_DECODED_BYTES: u64 = 1_600_000_000;

/// Most bytes of an image file.
pub const MAX_FILE_BYTES: u64 = 2_000_000_000;

/// What an image file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The samples.
    pub image: Image,
    /// The pixel size that the file states, when a microscope can have it.
    pub pixel_size: Option<PixelSize>,
}

/// Decodes a microscope image.
///
/// PNG: 1 to 16 bit gray (fewer than 8 bits are widened to the full range), color, palette. JPEG:
/// gray and color. TIFF: one page of 8 or 16 bit gray or color. An alpha channel is accepted when
/// the whole image is opaque.
///
/// # Edge cases
/// A resolution for screens and printers (72 or 300 dpi) is no pixel size and is left out.
///
/// # Errors
/// `image-unreadable` for damaged files, `image-too-large`, and `image-unsupported` for what has no
/// faithful form here, all at `path`.
pub fn decode(path: &str, bytes: &[u8]) -> Result<Decoded, Vec<Finding>> {
    guarded(path, || match Format::of(bytes)? {
        Format::Png => png::decode(bytes),
        Format::Jpeg => jpeg::decode(bytes),
        Format::Tiff => tiff::decode(bytes),
    })
}

/// Runs a decoder; a refusal, or a decoder that gives up on a hostile file, becomes a finding.
fn guarded<T>(path: &str, decoder: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Vec<Finding>> {
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(decoder))
        .unwrap_or_else(|_| Err(Refusal::unreadable("the decoder gave up on it")));
    outcome.map_err(|refusal| vec![refusal.into_finding(path)])
}

/// File formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Png,
    Jpeg,
    Tiff,
}

/// First bytes of formats that are known by name and not read.
const FOREIGN: &[(&[u8], &str)] = &[
    (b"GIF8", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"RIFF", "a WebP image"),
    (b"%PDF", "a PDF document"),
    (b"ZISRAWFILE", "a Zeiss CZI file"),
    (b"\xDA\xCE\xBE\x0A", "a Nikon ND2 file"),
    (b"\x70\x00\x00\x00", "a Leica LIF file"),
    (b"\0\0\0\x0CjP  ", "a JPEG 2000 image"),
    (b"\xFF\x4F\xFF\x51", "a JPEG 2000 image"),
    (b"\x89HDF", "an HDF5 file"),
];

impl Format {
    fn of(bytes: &[u8]) -> Result<Self, Refusal> {
        let starts = |magic: &[u8]| bytes.starts_with(magic);
        if starts(b"\x89PNG\r\n\x1A\n") {
            return Ok(Self::Png);
        }
        if starts(b"\xFF\xD8\xFF") {
            return Ok(Self::Jpeg);
        }
        if [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|magic| starts(*magic)) {
            return Ok(Self::Tiff);
        }
        if bytes.is_empty() {
            return Err(Refusal::unreadable("the file is empty"));
        }
        if starts(b"version https://git-lfs") {
            let help = "fetch the image with `git lfs pull`, in a workflow with `lfs: true`";
            return Err(Refusal::unsupported("the file is a Git LFS pointer, not the image", help));
        }
        let name = FOREIGN.iter().find(|(magic, _)| starts(magic)).map(|(_, name)| *name);
        let name = name.unwrap_or("in no format that is known here");
        Err(Refusal::unsupported(format!("the file is {name}"), "PNG, JPEG and TIFF are read"))
    }
}

/// Why a file is not accepted.
#[derive(Debug)]
struct Refusal {
    code: Code,
    message: String,
    help: &'static str,
}

impl Refusal {
    fn unreadable(why: impl std::fmt::Display) -> Self {
        let help = "the file is damaged or was cut off; get it from its source again";
        Self {
            code: Code::ImageUnreadable,
            message: format!("the image cannot be decoded: {why}"),
            help,
        }
    }

    fn unsupported(message: impl Into<String>, help: &'static str) -> Self {
        Self { code: Code::ImageUnsupported, message: message.into(), help }
    }

    fn into_finding(self, path: &str) -> Finding {
        Finding::error(self.code, Place::file(path), self.message).help(self.help)
    }
}

/// Checks an image's size as its header states it, before anything is allocated.
fn check_size(width: u32, height: u32, bytes_per_px: u64) -> Result<(), Refusal> {
    if width == 0 || height == 0 {
        return Err(Refusal::unreadable(format!("it has {width} by {height} pixels")));
    }
    let n_px = u64::from(width) * u64::from(height);
    let fits = width.max(height) <= MAX_SIDE_PX
        && n_px <= MAX_PIXELS
        && n_px.saturating_mul(bytes_per_px) <= MAX_DECODED_BYTES;
    if fits {
        return Ok(());
    }
    Err(Refusal {
        code: Code::ImageTooLarge,
        message: format!(
            "the image has {width} by {height} pixels of {bytes_per_px} bytes; at most {MAX_SIDE_PX} \
             pixels a side, {MAX_PIXELS} pixels and {MAX_DECODED_BYTES} bytes are read"
        ),
        help: "cut the image into smaller fields",
    })
}

/// Wraps decoded samples.
fn raster<T: Copy>(width: u32, height: u32, samples: Vec<T>) -> Result<Raster<T>, Refusal> {
    let wrong = || Refusal::unreadable("its samples do not fill its size");
    Raster::from_samples(width, height, samples).ok_or_else(wrong)
}

/// The refusal of an image that light shines through in a second sense.
fn transparent() -> Refusal {
    Refusal::unsupported(
        "the image has transparent pixels, whose color is not what is seen",
        "flatten it onto its background, or save it without an alpha channel",
    )
}

#[cfg(test)]
mod tests;
