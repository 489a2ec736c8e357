//! PNG: gray, color and palette images of any bit depth.
//!
//! 8-bit samples are decoded straight into the image. Checksums are verified up to the end of the
//! file, so that a cut file never passes.

use super::pixel_size::square_px_per_m;
use super::{Decoded, Refusal, check_size, raster, transparent};
use crate::raster::Image;
use png::{BitDepth, ColorType, DecodingError, Limits, Transformations, Unit};
use std::io::Cursor;

/// Most bytes that the decoder takes for itself: a few rows.
const DECODER_BYTES: usize = 64 << 20;

type Reader<'a> = png::Reader<Cursor<&'a [u8]>>;

/// Decodes a PNG file.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Refusal> {
    let limits = Limits { bytes: DECODER_BYTES };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
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
    let image = read(&mut reader, width, height)?;
    reader.finish().map_err(refusal)?;
    let pixel_size = match reader.info().pixel_dims {
        Some(dims) if dims.unit == Unit::Meter => {
            square_px_per_m(dims.xppu.into(), dims.yppu.into())?
        }
        _ => None,
    };
    Ok(Decoded { image, pixel_size })
}

fn read(reader: &mut Reader<'_>, width: u32, height: u32) -> Result<Image, Refusal> {
    let n_px = width as usize * height as usize;
    Ok(match reader.output_color_type() {
        (ColorType::Grayscale, BitDepth::Eight) => {
            let mut samples = vec![0; n_px];
            reader.next_frame(&mut samples).map_err(refusal)?;
            Image::Gray8(raster(width, height, samples)?)
        }
        (ColorType::Rgb, BitDepth::Eight) => {
            let mut samples = vec![[0; 3]; n_px];
            reader.next_frame(samples.as_flattened_mut()).map_err(refusal)?;
            Image::Rgb8(raster(width, height, samples)?)
        }
        (ColorType::GrayscaleAlpha, BitDepth::Eight) => {
            let opaque = |[gray, alpha]: [u8; 2]| (alpha == u8::MAX).then_some(gray);
            Image::Gray8(raster(width, height, collect(reader, n_px, opaque)?)?)
        }
        (ColorType::Rgba, BitDepth::Eight) => {
            let opaque = |[r, g, b, alpha]: [u8; 4]| (alpha == u8::MAX).then_some([r, g, b]);
            Image::Rgb8(raster(width, height, collect(reader, n_px, opaque)?)?)
        }
        (ColorType::Grayscale, BitDepth::Sixteen) => {
            let whole = |sample: [u8; 2]| Some(u16::from_be_bytes(sample));
            Image::Gray16(raster(width, height, collect(reader, n_px, whole)?)?)
        }
        (ColorType::Rgb, BitDepth::Sixteen) => {
            let whole = |bytes: [u8; 6]| Some([0, 2, 4].map(|at| sample16(&bytes, at)));
            Image::Rgb16(raster(width, height, collect(reader, n_px, whole)?)?)
        }
        (ColorType::GrayscaleAlpha, BitDepth::Sixteen) => {
            let opaque =
                |bytes: [u8; 4]| (sample16(&bytes, 2) == u16::MAX).then(|| sample16(&bytes, 0));
            Image::Gray16(raster(width, height, collect(reader, n_px, opaque)?)?)
        }
        (ColorType::Rgba, BitDepth::Sixteen) => {
            let color = |bytes: &[u8; 8]| [0, 2, 4].map(|at| sample16(bytes, at));
            let opaque = |bytes: [u8; 8]| (sample16(&bytes, 6) == u16::MAX).then(|| color(&bytes));
            Image::Rgb16(raster(width, height, collect(reader, n_px, opaque)?)?)
        }
        (color, depth) => {
            return Err(Refusal::unreadable(format!("{color:?} of {depth:?} bits is no PNG form")));
        }
    })
}

/// Reads pixels of `N` bytes, row by row where the file allows it, and converts each; a pixel
/// without a conversion is a transparent one.
fn collect<const N: usize, T>(
    reader: &mut Reader<'_>,
    n_px: usize,
    convert: impl Fn([u8; N]) -> Option<T>,
) -> Result<Vec<T>, Refusal> {
    let mut samples = Vec::with_capacity(n_px);
    let mut append = |row: &[u8]| {
        for pixel in row.as_chunks().0 {
            samples.push(convert(*pixel).ok_or_else(transparent)?);
        }
        Ok(())
    };
    if reader.info().interlaced {
        let mut frame = vec![0; n_px * N];
        reader.next_frame(&mut frame).map_err(refusal)?;
        append(&frame)?;
    } else {
        while let Some(row) = reader.next_row().map_err(refusal)? {
            append(row.data())?;
        }
    }
    Ok(samples)
}

fn sample16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn refusal(error: DecodingError) -> Refusal {
    Refusal::unreadable(error)
}
