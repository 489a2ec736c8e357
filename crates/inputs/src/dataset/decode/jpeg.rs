//! JPEG: gray and color images, baseline and progressive.
//!
//! The decoder is strict: a cut or damaged stream is refused rather than filled up with gray.

use super::decoded::{Decoded, Refusal, check_size, raster};
use super::pixel_size::{UM_PER_CM, UM_PER_INCH, square_px_per_unit};
use cellgate_core::raster::Image;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Units of the density in a JFIF header.
const PER_INCH: u8 = 1;
const PER_CM: u8 = 2;

/// Decodes a JPEG file.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Refusal> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(refusal)?;
    let info = decoder.info().ok_or_else(|| Refusal::unreadable("it has no header"))?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    let is_gray = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => true,
        Some(ColorSpace::YCbCr | ColorSpace::RGB) => false,
        _ => return Err(cmyk_refusal()),
    };
    check_size(width, height, if is_gray { 1 } else { 3 })?;
    if !has_end_marker(bytes) {
        return Err(Refusal::unreadable("its end is missing"));
    }
    let output = if is_gray { ColorSpace::Luma } else { ColorSpace::RGB };
    decoder.set_options(options.jpeg_set_out_colorspace(output));
    let n_px = width as usize * height as usize;
    let image = if is_gray {
        let mut samples = vec![0; n_px];
        decoder.decode_into(&mut samples).map_err(refusal)?;
        Image::Gray8(raster(width, height, samples)?)
    } else {
        let mut samples = vec![[0; 3]; n_px];
        decoder.decode_into(samples.as_flattened_mut()).map_err(refusal)?;
        Image::Rgb8(raster(width, height, samples)?)
    };
    let (x, y) = (f64::from(info.x_density), f64::from(info.y_density));
    let pixel_size = match info.pixel_density {
        PER_INCH => square_px_per_unit(x, y, UM_PER_INCH)?,
        PER_CM => square_px_per_unit(x, y, UM_PER_CM)?,
        _ => None,
    };
    Ok(Decoded { image, pixel_size })
}

/// Whether the end-of-image marker is there; some cameras write padding after it.
fn has_end_marker(bytes: &[u8]) -> bool {
    let is_padding = |byte: &u8| matches!(byte, 0 | b'\n' | b'\r' | b' ');
    let end = bytes.iter().rposition(|byte| !is_padding(byte)).map_or(0, |last| last + 1);
    bytes[..end].ends_with(b"\xFF\xD9")
}

fn cmyk_refusal() -> Refusal {
    Refusal::unsupported(
        "the image is in the colors of printing (CMYK)",
        "export it from the microscope's software as RGB",
    )
}

fn refusal(error: DecodeErrors) -> Refusal {
    match error {
        DecodeErrors::Unsupported(scheme) => {
            let help = "save it as PNG, TIFF or 8-bit baseline JPEG";
            Refusal::unsupported(
                format!("the image is in a form of JPEG that is not read: {scheme:?}"),
                help,
            )
        }
        other => {
            Refusal::unreadable(format!("{other:?}").lines().next().unwrap_or("it is damaged"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vector_instructions_do_not_change_the_samples() {
        let (width, height) = (67, 45);
        let noise: Vec<u8> = (0..width * height * 3_u32)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let mut file = Vec::new();
        let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, 80);
        encoder.encode(&noise, width, height, image::ExtendedColorType::Rgb8).unwrap();
        let decode = |fast| {
            let options = DecoderOptions::default().set_use_unsafe(fast).set_strict_mode(true);
            JpegDecoder::new_with_options(ZCursor::new(&file), options).decode().unwrap()
        };
        assert_eq!(decode(true), decode(false));
    }
}
