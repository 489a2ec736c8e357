//! Plain: PNG files as software of microscopes writes them.
//!
//! Plain are undamaged files of 8 or 16 bit gray or color, with nothing in them that changes the
//! samples or their order. All checksums are verified. Whatever else there is, the
//! general decoder reads, and says what is wrong.

use super::inflate::Inflating;
use super::unfilter::{Abreast, abreast};
use png::{BitDepth, ColorType, PixelDimensions, Unit};

/// Most pieces that the compressed samples come in.
const MAX_PIECES: usize = 1 << 20;

/// Most bytes of a chunk that is passed over: the general decoder keeps some of them.
pub(super) const MAX_IDLE_BYTES: usize = 1 << 20;

/// Chunks that may stand in a plain file. None of them changes samples, and what some of them say of
/// colors on a screen is left aside by the general decoder, too.
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
    pub(super) fn parse(file: &'a [u8]) -> Option<Self> {
        let mut chunks = Chunks { rest: file.strip_prefix(b"\x89PNG\r\n\x1A\n")? };
        let mut plain = Self::parse_header(chunks.next_of(b"IHDR")?)?;
        let mut is_before = true;
        loop {
            let (name, data) = chunks.next()?;
            match name {
                b"IDAT" if is_before => {
                    is_before = false;
                    plain.pieces.push(data);
                    while let Some(data) = chunks.next_of(b"IDAT") {
                        plain.pieces.push(data);
                        if plain.pieces.len() > MAX_PIECES {
                            return None;
                        }
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
                name if IDLE.contains(&name) && data.len() <= MAX_IDLE_BYTES => {}
                _ => return None,
            }
        }
    }

    fn parse_header(data: &[u8]) -> Option<Self> {
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
        (0 < width && 0 < height).then_some(plain)
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
        let (mut rows, mut differences) = self.rows()?;
        let stride = self.stride();
        for samples in samples.chunks_mut(stride * rows.n_rows()) {
            rows.unfilter_band(differences.rows(samples.len() / stride)?, samples)?;
        }
        differences.finish()
    }

    /// Decodes the samples and gives them away, a few rows at a time; `None` when the file is damaged,
    /// which may show only after its last row, or as soon as `take` wants no more.
    pub(super) fn for_each_piece(&self, take: &mut dyn FnMut(&[u8]) -> Option<()>) -> Option<()> {
        let (mut rows, mut differences) = self.rows()?;
        let (height, n_rows) = (self.height as usize, rows.n_rows());
        let mut band = vec![0; self.stride() * n_rows];
        for first_row in (0..height).step_by(n_rows) {
            let n_rows = n_rows.min(height - first_row);
            let samples = &mut band[..n_rows * self.stride()];
            rows.unfilter_band(differences.rows(n_rows)?, samples)?;
            take(samples)?;
        }
        differences.finish()
    }

    /// Bytes of a row of samples.
    fn stride(&self) -> usize {
        self.width as usize * self.n_bytes()
    }

    fn rows(&self) -> Option<(Box<dyn Abreast>, Inflating<'_>)> {
        let rows = abreast(self.width as usize, self.n_bytes())?;
        let differences = Inflating::new(&self.pieces, self.stride() + 1, rows.n_rows());
        Some((rows, differences))
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
