//! Tests of decoding: images are read as they were written, and refusals say why.

mod damage;
mod masks;
mod metadata;

use super::*;
use crate::finding::Code;
use ::png as png_crate;
use ::tiff as tiff_crate;
use cellgate_core::raster::{Image, Raster};
use cellgate_core::units::PixelSize;
use png_crate::{BitDepth, ColorType};
use std::io::Cursor;
use tiff_crate::encoder::colortype as tiff_color;
use tiff_crate::encoder::{Compression, TiffEncoder, TiffValue};
use tiff_crate::tags::Tag;

const WIDTH: u32 = 13;
const HEIGHT: u32 = 9;

/// Bytes that fill an image of `bytes_per_px`, different in each place.
fn pattern(bytes_per_px: u32) -> Vec<u8> {
    (0..WIDTH * HEIGHT * bytes_per_px).map(|at| (at * 41 + at / 7) as u8).collect()
}

fn png(color: ColorType, depth: BitDepth, samples: &[u8]) -> Vec<u8> {
    png_with(color, depth, samples, |_| {})
}

fn png_with(
    color: ColorType,
    depth: BitDepth,
    samples: &[u8],
    adjust: impl Fn(&mut png_crate::Encoder<'_, &mut Vec<u8>>),
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png_crate::Encoder::new(&mut file, WIDTH, HEIGHT);
    encoder.set_color(color);
    encoder.set_depth(depth);
    adjust(&mut encoder);
    encoder.write_header().unwrap().write_image_data(samples).unwrap();
    file
}

fn tiff<C>(compression: Compression, samples: &[C::Inner], tags: &[(Tag, u16)]) -> Vec<u8>
where
    C: tiff_color::ColorType,
    [C::Inner]: TiffValue,
{
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).unwrap().with_compression(compression);
    let mut image = encoder.new_image::<C>(WIDTH, HEIGHT).unwrap();
    for (tag, value) in tags {
        image.encoder().write_tag(*tag, *value).unwrap();
    }
    image.write_data(samples).unwrap();
    file.into_inner()
}

fn jpeg(color: image::ExtendedColorType, samples: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, 95);
    encoder.encode(samples, WIDTH, HEIGHT, color).unwrap();
    file
}

#[track_caller]
fn check(bytes: &[u8], expected: Image) {
    assert_eq!(decode("field", bytes).unwrap().image, expected);
}

#[track_caller]
fn check_refused(bytes: &[u8], code: Code, says: &str) {
    let findings = decode("field", bytes).unwrap_err();
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].code, &*findings[0].place.path), (code, "field"));
    assert!(findings[0].message.contains(says), "{}", findings[0].message);
    assert!(findings[0].help.is_some());
}

fn gray8(samples: Vec<u8>) -> Image {
    Image::Gray8(Raster::from_samples(WIDTH, HEIGHT, samples).unwrap())
}

fn rgb8(samples: &[u8]) -> Image {
    Image::Rgb8(Raster::from_samples(WIDTH, HEIGHT, samples.as_chunks().0.to_vec()).unwrap())
}

fn gray16(samples: Vec<u16>) -> Image {
    Image::Gray16(Raster::from_samples(WIDTH, HEIGHT, samples).unwrap())
}

fn rgb16(samples: &[u16]) -> Image {
    Image::Rgb16(Raster::from_samples(WIDTH, HEIGHT, samples.as_chunks().0.to_vec()).unwrap())
}

fn big_endian(bytes: &[u8]) -> Vec<u16> {
    bytes.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect()
}

/// Interleaves each pixel of `n` bytes with an alpha of `alpha_bytes` bytes.
fn with_alpha(samples: &[u8], n: usize, alpha: &[u8]) -> Vec<u8> {
    samples.chunks(n).flat_map(|pixel| [pixel, alpha].concat()).collect()
}

#[test]
fn png_of_each_form_reads_back_equal() {
    let (one, two, three, six) = (pattern(1), pattern(2), pattern(3), pattern(6));
    check(&png(ColorType::Grayscale, BitDepth::Eight, &one), gray8(one.clone()));
    check(&png(ColorType::Rgb, BitDepth::Eight, &three), rgb8(&three));
    check(&png(ColorType::Grayscale, BitDepth::Sixteen, &two), gray16(big_endian(&two)));
    check(&png(ColorType::Rgb, BitDepth::Sixteen, &six), rgb16(&big_endian(&six)));
    let opaque = with_alpha(&one, 1, &[255]);
    check(&png(ColorType::GrayscaleAlpha, BitDepth::Eight, &opaque), gray8(one));
    let opaque = with_alpha(&three, 3, &[255]);
    check(&png(ColorType::Rgba, BitDepth::Eight, &opaque), rgb8(&three));
    let opaque = with_alpha(&two, 2, &[255, 255]);
    check(&png(ColorType::GrayscaleAlpha, BitDepth::Sixteen, &opaque), gray16(big_endian(&two)));
    let opaque = with_alpha(&six, 6, &[255, 255]);
    check(&png(ColorType::Rgba, BitDepth::Sixteen, &opaque), rgb16(&big_endian(&six)));
}

#[test]
fn png_of_few_bits_is_widened_exactly() {
    let row_bytes = |bits: u32| (WIDTH * bits).div_ceil(8) as usize;
    for (depth, bits) in [(BitDepth::One, 1), (BitDepth::Two, 2), (BitDepth::Four, 4)] {
        let packed: Vec<u8> =
            (0..row_bytes(bits) * HEIGHT as usize).map(|at| (at * 67 + 5) as u8).collect();
        let sample = |x: u32, y: u32| {
            let byte = packed[y as usize * row_bytes(bits) + (x * bits / 8) as usize];
            let value = byte >> (8 - bits - x * bits % 8) & ((1_u16 << bits) - 1) as u8;
            value * (255 / ((1_u16 << bits) - 1)) as u8
        };
        let expected = Image::Gray8(Raster::from_fn(WIDTH, HEIGHT, sample));
        check(&png(ColorType::Grayscale, depth, &packed), expected);
    }
}

#[test]
fn png_palette_is_expanded() {
    let indices: Vec<u8> = pattern(1).iter().map(|byte| byte % 4).collect();
    let palette = [[1, 2, 3], [255, 0, 9], [7, 7, 7], [0, 0, 0]];
    let file = png_with(ColorType::Indexed, BitDepth::Eight, &indices, |encoder| {
        encoder.set_palette(palette.as_flattened().to_vec());
    });
    let expected: Vec<u8> = indices.iter().flat_map(|index| palette[usize::from(*index)]).collect();
    check(&file, rgb8(&expected));
}

#[test]
fn tiff_of_each_form_and_compression_reads_back_equal() {
    let (one, three) = (pattern(1), pattern(3));
    let (two, six) = (big_endian(&pattern(2)), big_endian(&pattern(6)));
    let four: Vec<u16> = six.chunks(3).flat_map(|rgb| [rgb[0], rgb[1], rgb[2], u16::MAX]).collect();
    let level = tiff_crate::encoder::compression::DeflateLevel::Fast;
    for compression in [
        Compression::Uncompressed,
        Compression::Lzw,
        Compression::Deflate(level),
        Compression::Packbits,
    ] {
        check(&tiff::<tiff_color::Gray8>(compression, &one, &[]), gray8(one.clone()));
        check(&tiff::<tiff_color::RGB8>(compression, &three, &[]), rgb8(&three));
        check(&tiff::<tiff_color::Gray16>(compression, &two, &[]), gray16(two.clone()));
        check(&tiff::<tiff_color::RGB16>(compression, &six, &[]), rgb16(&six));
        check(
            &tiff::<tiff_color::RGBA8>(compression, &with_alpha(&three, 3, &[255]), &[]),
            rgb8(&three),
        );
        check(&tiff::<tiff_color::RGBA16>(compression, &four, &[]), rgb16(&six));
    }
}

#[test]
fn jpeg_reads_back_as_near_as_its_compression_allows() {
    let smooth: Vec<u8> = (0..WIDTH * HEIGHT).map(|at| (60 + at) as u8).collect();
    check_jpeg(&jpeg(image::ExtendedColorType::L8, &smooth), gray8(smooth.clone()), 4);
    let color: Vec<u8> = smooth.iter().flat_map(|v| [*v, 120, 255 - v]).collect();
    check_jpeg(&jpeg(image::ExtendedColorType::Rgb8, &color), rgb8(&color), 8);
}

#[track_caller]
fn check_jpeg(bytes: &[u8], expected: Image, tolerance: u8) {
    let is_near =
        |one: &[u8], other: &[u8]| one.iter().zip(other).all(|(a, b)| a.abs_diff(*b) <= tolerance);
    match (decode("field", bytes).unwrap().image, expected) {
        (Image::Gray8(found), Image::Gray8(written)) => {
            assert!(is_near(found.samples(), written.samples()))
        }
        (Image::Rgb8(found), Image::Rgb8(written)) => {
            assert!(is_near(found.samples().as_flattened(), written.samples().as_flattened()));
        }
        (found, _) => panic!("another kind of image: {found:?}"),
    }
}

#[test]
fn what_has_no_faithful_form_is_refused() {
    use Code::ImageUnsupported as Unsupported;
    let (one, three, four) = (pattern(1), pattern(3), pattern(4));
    let uncompressed = Compression::Uncompressed;
    check_refused(&png(ColorType::Rgba, BitDepth::Eight, &four), Unsupported, "transparent");
    let hole = png_with(ColorType::Rgb, BitDepth::Eight, &three, |encoder| {
        encoder.set_trns(vec![0, three[0], 0, three[1], 0, three[2]]);
    });
    check_refused(&hole, Unsupported, "transparent");
    check_refused(&tiff::<tiff_color::CMYK8>(uncompressed, &four, &[]), Unsupported, "CMYK");
    check_refused(&tiff::<tiff_color::YCbCr8>(uncompressed, &three, &[]), Unsupported, "YCbCr");
    let float = vec![0.5_f32; one.len()];
    check_refused(
        &tiff::<tiff_color::Gray32Float>(uncompressed, &float, &[]),
        Unsupported,
        "floating-point",
    );
    let signed = vec![-1_i16; one.len()];
    check_refused(&tiff::<tiff_color::GrayI16>(uncompressed, &signed, &[]), Unsupported, "signed");
    let wide = vec![1_u32; one.len()];
    check_refused(&tiff::<tiff_color::Gray32>(uncompressed, &wide, &[]), Unsupported, "32 bits");
    for (value, says) in [(0_u16, "white as 0"), (3, "palette")] {
        let tags = [(Tag::PhotometricInterpretation, value)];
        check_refused(&tiff::<tiff_color::Gray8>(uncompressed, &one, &tags), Unsupported, says);
    }
    check_refused(&planar_tiff(&three), Unsupported, "separate planes");
    check_refused(b"GIF89a", Unsupported, "GIF");
    check_refused(b"version https://git-lfs.github.com/spec/v1", Unsupported, "Git LFS");
    check_refused(b"hello", Unsupported, "no format");
    check_refused(b"", Code::ImageUnreadable, "empty");
}

/// A color TIFF whose three strips are planes.
fn planar_tiff(samples: &[u8]) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).unwrap();
    let mut image = encoder.new_image::<tiff_color::RGB8>(WIDTH, HEIGHT).unwrap();
    image.rows_per_strip(HEIGHT / 3).unwrap();
    image.encoder().write_tag(Tag::RowsPerStrip, HEIGHT).unwrap();
    image.encoder().write_tag(Tag::PlanarConfiguration, 2_u16).unwrap();
    image.write_data(samples).unwrap();
    file.into_inner()
}
