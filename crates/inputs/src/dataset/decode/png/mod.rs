//! PNG: gray, color and palette images of any bit depth.
//!
//! Plain files are decoded many rows at a time, all others row by row. Each chunk's checksum is verified
//! up to the end of the file, so that neither a cut file nor one with a changed bit passes. As with
//! libpng, the compressed stream's own checksum refuses nothing: chunks cover all of its bytes.

mod inflate;
mod plain;
mod unfilter;

use super::decoded::{Decoded, Refusal, check_size, raster, transparency_refusal};
use super::pixel_size::square_px_per_m;
use cellgate_core::raster::Image;
use cellgate_core::units::PixelSize;
use plain::Plain;
use png::{
    BitDepth, ColorType, DecodeOptions, DecodingError, Limits, PixelDimensions, Reader,
    Transformations, Unit,
};
use std::io::Cursor;

/// Most bytes that the decoder takes for itself: a few rows.
const DECODER_BYTES: usize = 64 << 20;

/// Decodes a PNG file.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Refusal> {
    if let Some(plain) = Plain::parse(bytes)
        && check_size(plain.width, plain.height, plain.n_bytes() as u64).is_ok()
        && let Ok(image) = read(&mut ManyRows(&plain), plain.width, plain.height)
    {
        return Ok(Decoded { image, pixel_size: pixel_size(plain.pixel_dims)? });
    }
    decode_by_row(bytes)
}

/// Decodes any PNG file.
fn decode_by_row(bytes: &[u8]) -> Result<Decoded, Refusal> {
    let limits = Limits { bytes: DECODER_BYTES };
    let mut options = DecodeOptions::default();
    // The size of pixels is in such a chunk.
    options.set_skip_ancillary_crc_failures(false);
    let mut decoder = png::Decoder::new_with_options(Cursor::new(bytes), options);
    decoder.set_limits(limits);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    // Widens palettes and less than 8 bits, and shows a transparent color as alpha; all exact.
    decoder.set_transformations(Transformations::EXPAND);
    let header = decoder.read_header_info().map_err(refusal)?;
    let (width, height) = (header.width, header.height);
    check_size(width, height, header.bytes_per_pixel() as u64)?;
    let mut reader = decoder.read_info().map_err(refusal)?;
    if reader.info().animation_control.is_some() {
        let help = "save the frame that is meant as an image of its own";
        return Err(Refusal::unsupported("the image is animated", help));
    }
    let (color, depth) = reader.output_color_type();
    check_size(
        width,
        height,
        color.samples() as u64 * if depth == BitDepth::Sixteen { 2 } else { 1 },
    )?;
    let image = read(&mut ByRow(&mut reader), width, height)?;
    reader.finish().map_err(refusal)?;
    Ok(Decoded { image, pixel_size: pixel_size(reader.info().pixel_dims)? })
}

fn pixel_size(dims: Option<PixelDimensions>) -> Result<Option<PixelSize>, Refusal> {
    match dims {
        Some(dims) if dims.unit == Unit::Meter => {
            square_px_per_m(dims.xppu.into(), dims.yppu.into())
        }
        _ => Ok(None),
    }
}

/// Where samples come from.
trait Samples {
    /// Color and bits of the samples.
    fn form(&self) -> (ColorType, BitDepth);

    /// Reads all samples into a buffer of their size.
    fn fill(&mut self, samples: &mut [u8]) -> Result<(), Refusal>;

    /// Gives all samples away, in pieces of whole pixels.
    fn for_each_piece(
        &mut self,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Refusal>,
    ) -> Result<(), Refusal>;
}

/// A plain file.
struct ManyRows<'a>(&'a Plain<'a>);

impl Samples for ManyRows<'_> {
    fn form(&self) -> (ColorType, BitDepth) {
        (self.0.color, self.0.depth)
    }

    fn fill(&mut self, samples: &mut [u8]) -> Result<(), Refusal> {
        self.0.decode(samples).ok_or_else(damage_refusal)
    }

    fn for_each_piece(
        &mut self,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut refusal = None;
        let result = self
            .0
            .for_each_piece(&mut |pixels| take(pixels).map_err(|why| refusal = Some(why)).ok());
        refusal.map_or_else(|| result.ok_or_else(damage_refusal), Err)
    }
}

/// Any file.
struct ByRow<'a, 'b>(&'a mut Reader<Cursor<&'b [u8]>>);

impl Samples for ByRow<'_, '_> {
    fn form(&self) -> (ColorType, BitDepth) {
        self.0.output_color_type()
    }

    fn fill(&mut self, samples: &mut [u8]) -> Result<(), Refusal> {
        self.0.next_frame(samples).map(drop).map_err(refusal)
    }

    fn for_each_piece(
        &mut self,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        if self.0.info().interlaced {
            let n_bytes = self.0.output_buffer_size().ok_or_else(damage_refusal)?;
            let mut frame = vec![0; n_bytes];
            self.fill(&mut frame)?;
            return take(&frame);
        }
        while let Some(row) = self.0.next_row().map_err(refusal)? {
            take(row.data())?;
        }
        Ok(())
    }
}

fn read(source: &mut impl Samples, width: u32, height: u32) -> Result<Image, Refusal> {
    let n_px = width as usize * height as usize;
    Ok(match source.form() {
        (ColorType::Grayscale, BitDepth::Eight) => {
            let mut samples = vec![0; n_px];
            source.fill(&mut samples)?;
            Image::Gray8(raster(width, height, samples)?)
        }
        (ColorType::Rgb, BitDepth::Eight) => {
            let mut samples = vec![[0; 3]; n_px];
            source.fill(samples.as_flattened_mut())?;
            Image::Rgb8(raster(width, height, samples)?)
        }
        (ColorType::GrayscaleAlpha, BitDepth::Eight) => {
            let to_gray = |[gray, alpha]: [u8; 2]| (alpha == u8::MAX).then_some(gray);
            Image::Gray8(raster(width, height, collect(source, n_px, to_gray)?)?)
        }
        (ColorType::Rgba, BitDepth::Eight) => {
            let to_rgb = |[r, g, b, alpha]: [u8; 4]| (alpha == u8::MAX).then_some([r, g, b]);
            Image::Rgb8(raster(width, height, collect(source, n_px, to_rgb)?)?)
        }
        (ColorType::Grayscale, BitDepth::Sixteen) => {
            let to_gray = |sample: [u8; 2]| Some(u16::from_be_bytes(sample));
            Image::Gray16(raster(width, height, collect(source, n_px, to_gray)?)?)
        }
        (ColorType::Rgb, BitDepth::Sixteen) => {
            let to_rgb = |bytes: [u8; 6]| Some([0, 2, 4].map(|at| sample16(&bytes, at)));
            Image::Rgb16(raster(width, height, collect(source, n_px, to_rgb)?)?)
        }
        (ColorType::GrayscaleAlpha, BitDepth::Sixteen) => {
            let to_gray =
                |bytes: [u8; 4]| (sample16(&bytes, 2) == u16::MAX).then(|| sample16(&bytes, 0));
            Image::Gray16(raster(width, height, collect(source, n_px, to_gray)?)?)
        }
        (ColorType::Rgba, BitDepth::Sixteen) => {
            let color = |bytes: &[u8; 8]| [0, 2, 4].map(|at| sample16(bytes, at));
            let to_rgb = |bytes: [u8; 8]| (sample16(&bytes, 6) == u16::MAX).then(|| color(&bytes));
            Image::Rgb16(raster(width, height, collect(source, n_px, to_rgb)?)?)
        }
        (color, depth) => {
            return Err(Refusal::unreadable(format!("{color:?} of {depth:?} bits is no PNG form")));
        }
    })
}

/// Reads pixels of `N` bytes and converts each; a pixel without a conversion is a transparent one.
fn collect<const N: usize, T>(
    source: &mut impl Samples,
    n_px: usize,
    convert: impl Fn([u8; N]) -> Option<T>,
) -> Result<Vec<T>, Refusal> {
    let mut samples = Vec::with_capacity(n_px);
    source.for_each_piece(&mut |pixels| {
        for pixel in pixels.as_chunks().0 {
            samples.push(convert(*pixel).ok_or_else(transparency_refusal)?);
        }
        Ok(())
    })?;
    Ok(samples)
}

fn sample16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn refusal(error: DecodingError) -> Refusal {
    Refusal::unreadable(error)
}

/// The general decoder knows more about it.
fn damage_refusal() -> Refusal {
    Refusal::unreadable("it is damaged")
}

#[cfg(test)]
mod tests;
