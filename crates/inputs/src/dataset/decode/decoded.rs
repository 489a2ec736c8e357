//! Decoded: the content of a file of any format, its size limits, and reasons for refusal.

use crate::finding::{Code, Finding};
use crate::source::Place;
use cellgate_core::raster::{Image, Raster};
use cellgate_core::units::PixelSize;

/// Longest side of an image, in pixels.
pub const MAX_SIDE_PX: u32 = 65_535;

/// Most pixels of an image: some 1.2 GB as 8-bit color.
pub const MAX_PIXELS: u64 = 400_000_000;

/// Most bytes that the decoded samples of an image may take.
pub const MAX_DECODED_BYTES: u64 = 1_600_000_000;

/// Content of an image file.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The samples.
    pub image: Image,
    /// The pixel size that the file states, when a microscope can have it.
    pub pixel_size: Option<PixelSize>,
}

/// Why a file is not accepted.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) help: &'static str,
}

impl Refusal {
    pub(super) fn unreadable(why: impl std::fmt::Display) -> Self {
        let help = "the file is damaged or was cut off; get it from its source again";
        Self {
            code: Code::ImageUnreadable,
            message: format!("the image cannot be decoded: {why}"),
            help,
        }
    }

    pub(super) fn unsupported(message: impl Into<String>, help: &'static str) -> Self {
        Self { code: Code::ImageUnsupported, message: message.into(), help }
    }

    pub(super) fn into_finding(self, path: &str) -> Finding {
        Finding::error(self.code, Place::file(path), self.message).help(self.help)
    }
}

/// Checks an image's size as its header states it, before anything is allocated.
pub(super) fn check_size(width: u32, height: u32, bytes_per_px: u64) -> Result<(), Refusal> {
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
pub(super) fn raster<T: Copy>(
    width: u32,
    height: u32,
    samples: Vec<T>,
) -> Result<Raster<T>, Refusal> {
    let size_error = || Refusal::unreadable("its samples do not fill its size");
    Raster::from_samples(width, height, samples).ok_or_else(size_error)
}

/// The refusal of an image that light shines through in a second sense.
pub(super) fn transparency_refusal() -> Refusal {
    Refusal::unsupported(
        "the image has transparent pixels, whose color is not what is seen",
        "flatten it onto its background, or save it without an alpha channel",
    )
}
