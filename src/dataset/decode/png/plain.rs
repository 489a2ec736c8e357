//! Plain: PNG files as software of microscopes writes them.
//!
//! Plain are undamaged files of 8 or 16 bit gray or color, with nothing in them that changes what
//! samples mean or in which order they stand. All checksums are verified. Whatever else there is, the
//! general decoder reads, and says what is wrong.

use super::inflate::Inflating;
use super::unfilter::unfilter;
use png::{BitDepth, ColorType, PixelDimensions, Unit};

/// Most bytes of a row: several of them at once go through a buffer.
const MAX_ROW_BYTES: u64 = 1 << 20;

/// Chunks that may stand in a plain file: no word of theirs is about the samples.
const IDLE: [&[u8; 4]; 10] =
    [b"bKGD", b"cHRM", b"eXIf", b"gAMA", b"iTXt", b"sBIT", b"sRGB", b"tEXt", b"tIME", b"zTXt"];

/// A plain file.
pub(super) struct Plain<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) color: ColorType,
    pub(super) depth: BitDepth,
    pub(super) pixel_dims: Option<PixelDimensions>,
    /// The compressed samples, one piece after the other.
    pieces: Vec<&'a [u8]>,
}

impl<'a> Plain<'a> {
    /// Looks through a file; `None` when it is not plain.
    pub(super) fn of(file: &'a [u8]) -> Option<Self> {
        let mut chunks = Chunks { rest: file.strip_prefix(b"\x89PNG\r\n\x1A\n")? };
        let mut plain = Self::of_header(chunks.next_of(b"IHDR")?)?;
        let mut is_before = true;
        loop {
            let (name, data) = chunks.next()?;
            match name {
                b"IDAT" if is_before => {
                    is_before = false;
                    plain.pieces.push(data);
                    while let Some(more) = chunks.next_of(b"IDAT") {
                        plain.pieces.push(more);
                    }
                }
                b"pHYs" if is_before && plain.pixel_dims.is_none() => {
                    let (&xppu, data) = data.split_first_chunk()?;
                    let (&yppu, unit) = data.split_first_chunk()?;
                    plain.pixel_dims = Some(PixelDimensions {
                        xppu: u32::from_be_bytes(xppu),
                        yppu: u32::from_be_bytes(yppu),
                        unit: match unit {
                            [0] => Unit::Unspecified,
                            [1] => Unit::Meter,
                            _ => return None,
                        },
                    });
                }
                b"IEND" => return (data.is_empty() && chunks.rest.is_empty()).then_some(plain),
                name if IDLE.contains(&name) => {}
                _ => return None,
            }
        }
    }

    fn of_header(data: &[u8]) -> Option<Self> {
        let (&width, data) = data.split_first_chunk()?;
        let (&height, form) = data.split_first_chunk()?;
        let (width, height) = (u32::from_be_bytes(width), u32::from_be_bytes(height));
        // Depth, color; then compression, filters and interlacing, of which 0 is plain.
        let &[depth @ (8 | 16), color, 0, 0, 0] = form else { return None };
        let color = match color {
            0 => ColorType::Grayscale,
            2 => ColorType::Rgb,
            4 => ColorType::GrayscaleAlpha,
            6 => ColorType::Rgba,
            _ => return None,
        };
        let depth = if depth == 8 { BitDepth::Eight } else { BitDepth::Sixteen };
        let plain = Self { width, height, color, depth, pixel_dims: None, pieces: Vec::new() };
        let n_bytes = u64::from(width) * plain.n_bytes() as u64;
        (0 < n_bytes && n_bytes <= MAX_ROW_BYTES && 0 < height).then_some(plain)
    }

    /// Bytes of a pixel.
    pub(super) fn n_bytes(&self) -> usize {
        self.color.samples() * if self.depth == BitDepth::Sixteen { 2 } else { 1 }
    }

    /// Decodes the samples; `None` when the file is damaged.
    ///
    /// # Shapes
    /// `samples`: width times height times the bytes of a pixel.
    pub(super) fn decode(&self, samples: &mut [u8]) -> Option<()> {
        let (width, n_bytes) = (self.width as usize, self.n_bytes());
        let mut rows = Inflating::new(&self.pieces, width * n_bytes + 1);
        unfilter(&mut rows, (width, n_bytes), samples)?;
        rows.end()
    }

    /// Decodes the samples into a buffer of their own; `None` when the file is damaged.
    pub(super) fn samples(&self) -> Option<Vec<u8>> {
        let mut samples = vec![0; self.width as usize * self.height as usize * self.n_bytes()];
        self.decode(&mut samples)?;
        Some(samples)
    }
}

/// Chunks of a file, one after the other, as long as their checksums hold.
struct Chunks<'a> {
    rest: &'a [u8],
}

impl<'a> Chunks<'a> {
    /// The next chunk's name and data.
    fn next(&mut self) -> Option<(&'a [u8; 4], &'a [u8])> {
        let (length, rest) = self.rest.split_first_chunk()?;
        let length = u32::from_be_bytes(*length) as usize;
        let (checked, rest) = rest.split_at_checked(length.checked_add(4)?)?;
        let (sum, rest) = rest.split_first_chunk()?;
        if crc32fast::hash(checked) != u32::from_be_bytes(*sum) {
            return None;
        }
        self.rest = rest;
        checked.split_first_chunk()
    }

    /// The data of the next chunk, if it has that name.
    fn next_of(&mut self, name: &[u8; 4]) -> Option<&'a [u8]> {
        self.rest.get(4..)?.starts_with(name).then(|| self.next())?.map(|(_, data)| data)
    }
}
