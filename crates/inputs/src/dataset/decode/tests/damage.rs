//! Tests of decoding: neither damage nor excess passes, and none panics.

use super::*;

#[test]
fn too_large_images_are_refused_from_the_header() {
    let mut file = png(ColorType::Grayscale, BitDepth::Eight, &pattern(1));
    for (width, height) in [(65_536_u32, 1_u32), (60_000, 60_000), (u32::MAX >> 1, u32::MAX >> 1)] {
        file[16..20].copy_from_slice(&width.to_be_bytes());
        file[20..24].copy_from_slice(&height.to_be_bytes());
        let crc = crc32(&file[12..29]);
        file[29..33].copy_from_slice(&crc.to_be_bytes());
        check_refused(&file, Code::ImageTooLarge, "at most");
    }
    let tags = [(Tag::ImageWidth, u16::MAX), (Tag::ImageLength, u16::MAX)];
    let file = tiff::<tiff_color::Gray8>(Compression::Uncompressed, &pattern(1), &tags);
    assert!(decode("field", &file).is_err());
}

/// The checksum of a PNG chunk.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// One file of each format and compression.
fn samples_of_all_formats() -> Vec<(&'static str, Vec<u8>)> {
    let level = tiff_crate::encoder::compression::DeflateLevel::Fast;
    let (one, three) = (pattern(1), pattern(3));
    vec![
        ("png", png(ColorType::Rgb, BitDepth::Eight, &three)),
        ("png16", png(ColorType::Grayscale, BitDepth::Sixteen, &pattern(2))),
        ("jpeg gray", jpeg(image::ExtendedColorType::L8, &one)),
        ("jpeg", jpeg(image::ExtendedColorType::Rgb8, &three)),
        ("tiff", tiff::<tiff_color::RGB8>(Compression::Uncompressed, &three, &[])),
        ("tiff lzw", tiff::<tiff_color::Gray8>(Compression::Lzw, &one, &[])),
        ("tiff deflate", tiff::<tiff_color::RGB8>(Compression::Deflate(level), &three, &[])),
        ("tiff packbits", tiff::<tiff_color::Gray8>(Compression::Packbits, &one, &[])),
    ]
}

#[test]
fn cut_files_never_pass() {
    for (name, file) in samples_of_all_formats() {
        for end in 0..file.len() {
            assert!(
                decode(name, &file[..end]).is_err(),
                "{name} cut after {end} of {} bytes",
                file.len()
            );
        }
    }
}

#[test]
fn flipped_bytes_never_panic() {
    for (name, file) in samples_of_all_formats() {
        for at in 0..file.len() {
            for flip in [0x01, 0x80, 0xFF] {
                let mut damaged = file.clone();
                damaged[at] ^= flip;
                let outcome = decode(name, &damaged);
                let has_given_up =
                    |findings: &Vec<Finding>| findings[0].message.contains("gave up");
                assert!(
                    !outcome.is_err_and(|findings| has_given_up(&findings)),
                    "{name} at {at} by {flip}"
                );
                let is_checked = name.starts_with("png") && at > 8;
                assert!(!is_checked || decode(name, &damaged).is_err(), "{name} at {at} by {flip}");
            }
        }
    }
}
