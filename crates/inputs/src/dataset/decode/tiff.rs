//! TIFF: one page of gray or color, in strips or tiles; BigTIFF too.
//!
//! Everything that the tags say about the meaning of the samples is read before the samples are,
//! and refused unless this room can represent it exactly.

use super::decoded::{Decoded, Refusal, check_size, raster, transparency_refusal};
use super::tiff_metadata::{self, Reader, refusal};
use cellgate_core::raster::{Image, Labels};
use std::io::Cursor;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;

/// Most bytes of one tag's value: the description of a large OME file, the offsets of many tiles.
const TAG_BYTES: usize = 32 << 20;

/// Format of one pixel: color, alpha channel and bits per sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pixel {
    is_color: bool,
    has_alpha: bool,
    bits: u16,
}

impl Pixel {
    fn n_samples(self) -> u64 {
        u64::from(self.is_color) * 2 + 1 + u64::from(self.has_alpha)
    }

    fn n_bytes(self) -> u64 {
        self.n_samples() * u64::from(self.bits / 8)
    }
}

/// Decodes a TIFF file as a microscope image.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Refusal> {
    let (mut reader, pixel) = open(bytes)?;
    let pixel_size = tiff_metadata::pixel_size(&mut reader)?;
    let image = match pixel.bits {
        8 => read8(&mut reader, pixel)?,
        16 => read16(&mut reader, pixel)?,
        bits => {
            let help = "export the image with 8 or 16 bits a sample";
            return Err(Refusal::unsupported(format!("the image has {bits} bits a sample"), help));
        }
    };
    Ok(Decoded { image, pixel_size })
}

/// Decodes a TIFF file of 32 bit gray as object numbers; `None` when its samples are no such.
pub(super) fn decode_labels32(bytes: &[u8]) -> Result<Option<Labels>, Refusal> {
    let (mut reader, pixel) = open(bytes)?;
    if pixel != (Pixel { is_color: false, has_alpha: false, bits: 32 }) {
        return Ok(None);
    }
    let (width, height) = reader.dimensions().map_err(refusal)?;
    match reader.read_image().map_err(refusal)? {
        DecodingResult::U32(samples) => raster(width, height, samples).map(Some),
        _ => Err(Refusal::unreadable("its samples are not what its tags say")),
    }
}

/// Reads the tags, and refuses what they say when it cannot be represented.
fn open(bytes: &[u8]) -> Result<(Reader<'_>, Pixel), Refusal> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = super::MAX_DECODED_BYTES as usize;
    limits.intermediate_buffer_size = super::MAX_DECODED_BYTES as usize;
    limits.ifd_value_size = TAG_BYTES;
    let mut reader = Decoder::new(Cursor::new(bytes)).map_err(refusal)?.with_limits(limits);
    let (width, height) = reader.dimensions().map_err(refusal)?;
    check_size(width, height, 1)?;
    let pixel = pixel(&mut reader)?;
    check_size(width, height, pixel.n_bytes())?;
    tiff_metadata::check_is_one_plane(&mut reader, pixel.is_color)?;
    check_chunks(
        &mut reader,
        bytes.len() as u64,
        u64::from(width) * u64::from(height) * pixel.n_bytes(),
    )?;
    Ok((reader, pixel))
}

/// A tag's number; a tag that is absent has its default.
fn number(reader: &mut Reader<'_>, tag: Tag, default: u16) -> Result<u16, Refusal> {
    Ok(numbers(reader, tag)?.first().copied().unwrap_or(default))
}

fn numbers(reader: &mut Reader<'_>, tag: Tag) -> Result<Vec<u16>, Refusal> {
    Ok(reader.find_tag_unsigned_vec(tag).map_err(refusal)?.unwrap_or_default())
}

/// Whether the samples are red, green and blue rather than gray.
fn is_color(reader: &mut Reader<'_>) -> Result<bool, Refusal> {
    match number(reader, Tag::PhotometricInterpretation, 1)? {
        1 => Ok(false),
        2 => Ok(true),
        0 => refuse("stores white as 0", "invert it and save it with black as 0"),
        3 => refuse("has a palette", "convert it to RGB, or to gray when it is a mask"),
        5 => refuse("is in the colors of printing (CMYK)", "export it as RGB"),
        6 => refuse("is in YCbCr colors", "export it as RGB"),
        _ => refuse("is in a color space that is not read", "export it as gray or RGB"),
    }
}

/// Checks how numbers are written and compressed.
fn check_coding(reader: &mut Reader<'_>) -> Result<(), Refusal> {
    let plain_samples = "export it with 8 or 16 bits, unsigned";
    match number(reader, Tag::SampleFormat, 1)? {
        1 => {}
        2 => return refuse("has signed samples", plain_samples),
        3 => return refuse("has floating-point samples", plain_samples),
        _ => return refuse("has samples of an unknown kind", plain_samples),
    }
    let help = "export it with LZW or deflate";
    match number(reader, Tag::Compression, 1)? {
        1 | 5 | 8 | 32_773 | 32_946 => {}
        6 | 7 => return refuse("is compressed as JPEG inside TIFF", help),
        _ => return refuse("is compressed in a way that is not read", help),
    }
    if number(reader, Tag::FillOrder, 1)? != 1 {
        return refuse("has its bits in reverse", "save it again with another program");
    }
    Ok(())
}

fn pixel(reader: &mut Reader<'_>) -> Result<Pixel, Refusal> {
    let is_color = is_color(reader)?;
    check_coding(reader)?;
    let n_samples = number(reader, Tag::SamplesPerPixel, 1)?;
    if n_samples > 1 && number(reader, Tag::PlanarConfiguration, 1)? != 1 {
        return refuse("has its colors in separate planes", "save it with interleaved colors");
    }
    let extras = numbers(reader, Tag::ExtraSamples)?;
    let has_alpha = match (is_color, n_samples, extras.as_slice()) {
        (false, 1, []) | (true, 3, []) => false,
        (false, 2, [1 | 2]) | (true, 4, [] | [1 | 2]) => true,
        _ => {
            return refuse("has more channels than gray or RGB", "save each channel as a field");
        }
    };
    let bits = number(reader, Tag::BitsPerSample, 1)?;
    let is_plain_gray = !is_color && !has_alpha;
    let is_read = matches!(bits, 8 | 16) || (bits == 32 && is_plain_gray);
    if !is_read {
        let message = format!("the image has {bits} bits a sample");
        return Err(Refusal::unsupported(message, "export it with 8 or 16 bits"));
    }
    Ok(Pixel { is_color, has_alpha, bits })
}

fn refuse<T>(what: &str, help: &'static str) -> Result<T, Refusal> {
    Err(Refusal::unsupported(format!("the image {what}"), help))
}

/// Checks that every strip or tile lies inside the file, and that samples that are not compressed
/// are all there.
fn check_chunks(
    reader: &mut Reader<'_>,
    file_bytes: u64,
    decoded_bytes: u64,
) -> Result<(), Refusal> {
    let mut list = |strips, tiles| {
        let found = reader.find_tag_unsigned_vec::<u64>(strips).map_err(refusal)?;
        let found = if found.is_none() {
            reader.find_tag_unsigned_vec(tiles).map_err(refusal)?
        } else {
            found
        };
        Ok(found.unwrap_or_default())
    };
    let offsets = list(Tag::StripOffsets, Tag::TileOffsets)?;
    let sizes = list(Tag::StripByteCounts, Tag::TileByteCounts)?;
    let is_inside = |(offset, size): (&u64, &u64)| {
        offset.checked_add(*size).is_some_and(|end| end <= file_bytes)
    };
    if !offsets.iter().zip(&sizes).all(is_inside) {
        return Err(Refusal::unreadable("a part of its samples is beyond the end of the file"));
    }
    let stored = sizes.iter().fold(0_u64, |sum, size| sum.saturating_add(*size));
    if number(reader, Tag::Compression, 1)? == 1 && stored < decoded_bytes {
        return Err(Refusal::unreadable("a part of its samples is missing"));
    }
    Ok(())
}

fn read8(reader: &mut Reader<'_>, pixel: Pixel) -> Result<Image, Refusal> {
    let (width, height) = reader.dimensions().map_err(refusal)?;
    let n_px = width as usize * height as usize;
    Ok(match (pixel.is_color, pixel.has_alpha) {
        (false, false) => {
            let mut samples = vec![0; n_px];
            reader.read_image_bytes(&mut samples).map_err(refusal)?;
            Image::Gray8(raster(width, height, samples)?)
        }
        (true, false) => {
            let mut samples = vec![[0; 3]; n_px];
            reader.read_image_bytes(samples.as_flattened_mut()).map_err(refusal)?;
            Image::Rgb8(raster(width, height, samples)?)
        }
        (is_color, true) => {
            let mut samples = vec![0_u8; n_px * pixel.n_samples() as usize];
            reader.read_image_bytes(&mut samples).map_err(refusal)?;
            if is_color {
                Image::Rgb8(raster(width, height, opaque_color(&samples, u8::MAX)?)?)
            } else {
                Image::Gray8(raster(width, height, opaque_gray(&samples, u8::MAX)?)?)
            }
        }
    })
}

fn read16(reader: &mut Reader<'_>, pixel: Pixel) -> Result<Image, Refusal> {
    let (width, height) = reader.dimensions().map_err(refusal)?;
    let DecodingResult::U16(samples) = reader.read_image().map_err(refusal)? else {
        return Err(Refusal::unreadable("its samples are not what its tags say"));
    };
    Ok(match (pixel.is_color, pixel.has_alpha) {
        (false, false) => Image::Gray16(raster(width, height, samples)?),
        (false, true) => Image::Gray16(raster(width, height, opaque_gray(&samples, u16::MAX)?)?),
        (true, false) => Image::Rgb16(raster(width, height, samples.as_chunks().0.to_vec())?),
        (true, true) => Image::Rgb16(raster(width, height, opaque_color(&samples, u16::MAX)?)?),
    })
}

fn opaque_gray<T: Copy + PartialEq>(samples: &[T], opaque: T) -> Result<Vec<T>, Refusal> {
    let gray = |&[gray, alpha]: &[T; 2]| (alpha == opaque).then_some(gray);
    samples.as_chunks().0.iter().map(gray).collect::<Option<_>>().ok_or_else(transparency_refusal)
}

fn opaque_color<T: Copy + PartialEq>(samples: &[T], opaque: T) -> Result<Vec<[T; 3]>, Refusal> {
    let color = |&[r, g, b, alpha]: &[T; 4]| (alpha == opaque).then_some([r, g, b]);
    samples.as_chunks().0.iter().map(color).collect::<Option<_>>().ok_or_else(transparency_refusal)
}
