//! Encode: from samples to the bytes of a file; equal samples give equal bytes.
//!
//! Images become PNG. Labels become 16-bit gray PNG, or 32-bit gray TIFF when a number does not fit.
//! Nothing is scaled; compression is chosen for speed.

use cellgate_core::raster::{Image, Labels};
use cellgate_core::units::PixelSize;
use cellgate_core::vectors::dispatch_simd;
use png::{BitDepth, ColorType, Compression, Filter, PixelDimensions, Unit};
use std::io::Cursor;
use tiff::encoder::compression::DeflateLevel;
use tiff::encoder::{Compression as TiffCompression, Predictor, TiffEncoder, colortype};

/// The samples could not be written as a file.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The PNG encoder failed.
    #[error("the image cannot be written as PNG")]
    Png(#[from] png::EncodingError),
    /// The TIFF encoder failed.
    #[error("the labels cannot be written as TIFF")]
    Tiff(#[from] tiff::TiffError),
}

/// The ending of the file that holds these labels: `png`, or `tif` past 65,535.
#[must_use]
pub fn labels_extension(labels: &Labels) -> &'static str {
    if is_within_16_bits(labels) { "png" } else { "tif" }
}

/// Encodes labels, in the format that [`labels_extension`] names.
///
/// # Errors
/// [`EncodeError`] when the encoder refuses, as for an image without pixels.
pub fn encode_labels(labels: &Labels) -> Result<Vec<u8>, EncodeError> {
    let (width, height) = (labels.width(), labels.height());
    if is_within_16_bits(labels) {
        let mut samples = vec![0; labels.n_px() * 2];
        dispatch_simd!({
            for (bytes, label) in samples.as_chunks_mut().0.iter_mut().zip(labels.samples()) {
                *bytes = (*label as u16).to_be_bytes();
            }
        });
        // Most labels are those above them; trying other filters takes longer than it saves.
        let filter = Some(Filter::Up);
        let form = Form { color: ColorType::Grayscale, depth: BitDepth::Sixteen, filter };
        return png(width, height, form, None, &samples);
    }
    let mut file = Cursor::new(Vec::new());
    TiffEncoder::new(&mut file)?
        .with_compression(TiffCompression::Deflate(DeflateLevel::Fast))
        .with_predictor(Predictor::Horizontal)
        .write_image::<colortype::Gray32>(width, height, labels.samples())?;
    Ok(file.into_inner())
}

/// Encodes an image as PNG, with its pixel size when it is known.
///
/// # Errors
/// [`EncodeError`] when the encoder refuses, as for an image without pixels.
pub fn encode_image(image: &Image, pixel_size: Option<PixelSize>) -> Result<Vec<u8>, EncodeError> {
    let (width, height) = (image.width(), image.height());
    let big_endian =
        |samples: &[u16]| -> Vec<u8> { samples.iter().flat_map(|s| s.to_be_bytes()).collect() };
    let write = |color, depth, samples: &[u8]| {
        png(width, height, Form { color, depth, filter: None }, pixel_size, samples)
    };
    match image {
        Image::Gray8(raster) => write(ColorType::Grayscale, BitDepth::Eight, raster.samples()),
        Image::Rgb8(raster) => {
            write(ColorType::Rgb, BitDepth::Eight, raster.samples().as_flattened())
        }
        Image::Gray16(raster) => {
            write(ColorType::Grayscale, BitDepth::Sixteen, &big_endian(raster.samples()))
        }
        Image::Rgb16(raster) => {
            write(ColorType::Rgb, BitDepth::Sixteen, &big_endian(raster.samples().as_flattened()))
        }
    }
}

fn is_within_16_bits(labels: &Labels) -> bool {
    // No early end: a maximum is found many labels at a time.
    let highest =
        dispatch_simd!(labels.samples().iter().fold(0, |highest, &label| label.max(highest)));
    highest <= u32::from(u16::MAX)
}

/// How samples stand in a file.
struct Form {
    color: ColorType,
    depth: BitDepth,
    /// The encoder's choice where there is none.
    filter: Option<Filter>,
}

fn png(
    width: u32,
    height: u32,
    form: Form,
    pixel_size: Option<PixelSize>,
    samples: &[u8],
) -> Result<Vec<u8>, EncodeError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(form.color);
    encoder.set_depth(form.depth);
    encoder.set_compression(Compression::Fast);
    if let Some(filter) = form.filter {
        encoder.set_filter(filter);
    }
    if let Some(pixel) = pixel_size {
        let per_meter = pixel.px_per_m().round() as u32;
        encoder.set_pixel_dims(Some(PixelDimensions {
            xppu: per_meter,
            yppu: per_meter,
            unit: Unit::Meter,
        }));
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(samples)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::decode::{decode, decode_labels};
    use cellgate_core::labels;
    use cellgate_core::raster::Raster;

    #[track_caller]
    fn check(labels: Labels, extension: &str) {
        assert_eq!(labels_extension(&labels), extension);
        let bytes = encode_labels(&labels).unwrap();
        assert_eq!(decode_labels("mask", &bytes).unwrap(), labels);
        assert_eq!(encode_labels(&labels).unwrap(), bytes);
    }

    #[test]
    fn labels_read_back_equal() {
        check(labels![0, 1, 1; 2, 0, 65535], "png");
        check(labels![0, 1, 1; 2, 0, 65536], "tif");
        check(labels![0, u32::MAX; 3, 7], "tif");
        check(labels![0], "png");
    }

    #[test]
    fn images_read_back_equal_with_their_pixel_size() {
        let gray = Raster::from_fn(5, 3, |x, y| x * 37 + y * 11);
        let color = gray.map(|v| [v, v + 1, v * 2]);
        let images = [
            Image::Gray8(gray.map(|v| v as u8)),
            Image::Gray16(gray.map(|v| v as u16 * 201)),
            Image::Rgb8(color.map(|c| c.map(|v| v as u8))),
            Image::Rgb16(color.map(|c| c.map(|v| v as u16 * 99))),
        ];
        for image in images {
            let pixel_size = PixelSize::from_um(0.65);
            let decoded = decode("field", &encode_image(&image, pixel_size).unwrap()).unwrap();
            assert_eq!(decoded.image, image);
            assert!(decoded.pixel_size.unwrap().agrees_with(pixel_size.unwrap()));
            assert_eq!(
                decode("field", &encode_image(&image, None).unwrap()).unwrap().pixel_size,
                None
            );
        }
    }
}
