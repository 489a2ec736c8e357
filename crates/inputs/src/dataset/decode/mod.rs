//! Decode: from a file's bytes to samples, exactly as stored.
//!
//! Takes the bytes of a PNG, JPEG or TIFF file (told apart by content, not by name) and gives an
//! [`Image`](cellgate_core::raster::Image) with the pixel size that the file itself states, or a
//! label image. What cannot be represented faithfully is refused, not bent: no sample is scaled,
//! dropped or rounded, and no color space is applied. Sizes are checked before anything is allocated.

mod decoded;
mod jpeg;
mod labels;
mod pixel_size;
mod png;
mod tiff;
mod tiff_metadata;

use decoded::Refusal;
pub use decoded::{Decoded, MAX_DECODED_BYTES, MAX_PIXELS, MAX_SIDE_PX};
pub use labels::{binary_components, decode_labels};

use crate::finding::Finding;
use std::panic::AssertUnwindSafe;

/// Most bytes of an image file.
pub const MAX_FILE_BYTES: u64 = 2_000_000_000;

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
///
/// # Examples
/// ```
/// use cellgate_core::raster::{Image, Raster};
/// use cellgate_core::units::PixelSize;
/// use cellgate_inputs::dataset::decode::decode;
/// use cellgate_inputs::dataset::encode::encode_image;
///
/// let image = Image::Gray8(Raster::filled(3, 2, 7));
/// let png = encode_image(&image, PixelSize::from_um(0.5)).unwrap();
/// let decoded = decode("A01.png", &png).unwrap();
/// assert_eq!(decoded.image, image);
/// assert!(decoded.pixel_size.unwrap().agrees_with(PixelSize::from_um(0.5).unwrap()));
///
/// let findings = decode("A01.png", &png[..png.len() / 2]).unwrap_err();
/// assert!(findings[0].message.starts_with("the image cannot be decoded"));
/// ```
pub fn decode(path: &str, bytes: &[u8]) -> Result<Decoded, Vec<Finding>> {
    run_decoder(path, || match Format::detect(bytes)? {
        Format::Png => png::decode(bytes),
        Format::Jpeg => jpeg::decode(bytes),
        Format::Tiff => tiff::decode(bytes),
    })
}

/// Runs a decoder; a refusal, or a decoder that gives up on a hostile file, becomes a finding.
fn run_decoder<T>(
    path: &str,
    decoder: impl FnOnce() -> Result<T, Refusal>,
) -> Result<T, Vec<Finding>> {
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
    fn detect(bytes: &[u8]) -> Result<Self, Refusal> {
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

#[cfg(test)]
mod tests;
