//! The decoder of plain files agrees with the general decoder.

use super::plain::MAX_IDLE_BYTES;
use super::*;
use png::Filter;

const FORMS: [(ColorType, BitDepth); 8] = [
    (ColorType::Grayscale, BitDepth::Eight),
    (ColorType::Rgb, BitDepth::Eight),
    (ColorType::GrayscaleAlpha, BitDepth::Eight),
    (ColorType::Rgba, BitDepth::Eight),
    (ColorType::Grayscale, BitDepth::Sixteen),
    (ColorType::Rgb, BitDepth::Sixteen),
    (ColorType::GrayscaleAlpha, BitDepth::Sixteen),
    (ColorType::Rgba, BitDepth::Sixteen),
];

/// Bytes that look like nothing, but the same each time.
fn noise(seed: u32, n: usize) -> Vec<u8> {
    let step = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some((*state >> 24) as u8)
    };
    std::iter::repeat(()).scan(seed, |state, ()| step(state)).take(n).collect()
}

fn encode(
    (width, height): (u32, u32),
    (color, depth): (ColorType, BitDepth),
    filter: Filter,
    samples: &[u8],
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    encoder.set_filter(filter);
    let dims = PixelDimensions { xppu: 2_000_000, yppu: 2_000_000, unit: Unit::Meter };
    encoder.set_pixel_dims(Some(dims));
    encoder.add_text_chunk("Software".to_owned(), "a microscope's".to_owned()).unwrap();
    encoder.write_header().unwrap().write_image_data(samples).unwrap();
    file
}

/// The name and the data of each chunk.
fn chunks(file: &[u8]) -> Vec<([u8; 4], Vec<u8>)> {
    let (mut rest, mut chunks) = (&file[8..], Vec::new());
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        let (name, data) = after.split_first_chunk().unwrap();
        chunks.push((*name, data[..length].to_vec()));
        rest = &data[length + 4..];
    }
    chunks
}

fn file_of(chunks: &[([u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1A\n".to_vec();
    for (name, data) in chunks {
        let content = [name.as_slice(), data].concat();
        file.extend((data.len() as u32).to_be_bytes());
        file.extend(&content);
        file.extend(crc32fast::hash(&content).to_be_bytes());
    }
    file
}

/// The same file, its samples in pieces of `n` bytes.
fn split_samples(file: &[u8], n: usize) -> Vec<u8> {
    let pieces = |(name, data): ([u8; 4], Vec<u8>)| match &name {
        b"IDAT" => data.chunks(n).map(|piece| (name, piece.to_vec())).collect(),
        _ => vec![(name, data)],
    };
    file_of(&chunks(file).into_iter().flat_map(pieces).collect::<Vec<_>>())
}

/// The samples of a plain file; `None` when it is damaged.
fn samples(file: &[u8]) -> Option<Vec<u8>> {
    let plain = Plain::parse(file).expect("the file is plain");
    let mut all_samples = vec![0; plain.width as usize * plain.height as usize * plain.n_bytes()];
    let is_whole = plain.decode(&mut all_samples);
    let mut in_bands: Vec<u8> = Vec::new();
    let is_given = plain.for_each_piece(&mut |pixels| {
        in_bands.extend(pixels);
        Some(())
    });
    assert_eq!(is_given, is_whole);
    is_whole.map(|()| {
        assert!(in_bands == all_samples);
        all_samples
    })
}

/// Both ways give the same image, or both none.
#[track_caller]
fn check_agree(file: &[u8]) -> Option<Decoded> {
    let (fast, by_row) = (decode(file), decode_by_row(file));
    assert_eq!(fast.is_ok(), by_row.is_ok(), "{fast:?} {by_row:?}");
    let (fast, by_row) = (fast.ok(), by_row.ok());
    assert!(fast == by_row);
    fast
}

#[test]
fn plain_files_of_every_form_have_the_same_samples_both_ways() {
    for (color, depth) in FORMS {
        for (width, height) in [(1, 1), (3, 2), (33, 19), (300, 7)] {
            for filter in [
                Filter::NoFilter,
                Filter::Sub,
                Filter::Up,
                Filter::Avg,
                Filter::Paeth,
                Filter::Adaptive,
            ] {
                let n_bytes = color.samples() * if depth == BitDepth::Sixteen { 2 } else { 1 };
                let n = n_bytes * width as usize * height as usize;
                let mut samples = noise(width + n as u32, n);
                if matches!(color, ColorType::GrayscaleAlpha | ColorType::Rgba) {
                    let n_alpha = n_bytes / color.samples();
                    for pixel in samples.chunks_exact_mut(n_bytes) {
                        pixel[n_bytes - n_alpha..].fill(u8::MAX);
                    }
                }
                let file = encode((width, height), (color, depth), filter, &samples);
                for file in [split_samples(&file, 100), split_samples(&file, 1), file] {
                    assert!(self::samples(&file).expect("it is whole") == samples);
                    let decoded = check_agree(&file).unwrap();
                    assert_eq!(decoded.pixel_size.map(PixelSize::um), Some(0.5));
                }
            }
        }
    }
}

#[test]
fn what_lies_far_back_is_still_there_when_the_window_moves_on() {
    // Rows repeat after nearly as many bytes as a stream can reach back.
    let samples: Vec<u8> = noise(5, 36 * 900).repeat(12);
    let form = (ColorType::Rgb, BitDepth::Eight);
    let file = encode((300, 36 * 12), form, Filter::NoFilter, &samples);
    assert!(file.len() < samples.len() / 6, "the stream reaches back");
    for file in [split_samples(&file, 5_000), file] {
        assert!(self::samples(&file).unwrap() == samples);
        check_agree(&file).unwrap();
    }
}

#[test]
fn more_rows_may_wait_than_a_stream_reaches_back() {
    // The window is full with fewer rows given away than its history holds.
    let samples = noise(11, 9_000 * 40);
    let file = encode((9_000, 40), FORMS[0], Filter::NoFilter, &samples);
    for file in [split_samples(&file, 70_000), file] {
        assert!(self::samples(&file).unwrap() == samples);
        check_agree(&file).unwrap();
    }
}

#[test]
fn a_stream_may_reach_back_as_far_as_there_is_history() {
    let (width, period, n_repeats) = (127, 32_768, 640);
    let mut raw = noise(13, period);
    raw.iter_mut().step_by(width + 1).for_each(|filter| *filter = 0);
    // A block that is stored, and one of Huffman's codes as RFC 1951 fixes them, lowest bits first: the
    // last block, its form, each time 258 bytes from 24,577 + 8,191 bytes ago, the end.
    let mut stream = vec![0x78, 1, 0];
    stream.extend((period as u16).to_le_bytes());
    stream.extend((!period as u16).to_le_bytes());
    stream.extend(&raw);
    let repeat = format!("{}{}{}", "11000101", "11101", "1".repeat(13));
    let bits = format!("{}{}{}", "110", repeat.repeat(n_repeats), "0".repeat(7));
    stream.extend(bits.as_bytes().chunks(8).map(|bits| {
        bits.iter().enumerate().map(|(at, bit)| u8::from(*bit == b'1') << at).sum::<u8>()
    }));
    for _ in 0..258 * n_repeats {
        raw.push(raw[raw.len() - period]);
    }
    stream.extend(adler32(&raw).to_be_bytes());
    let samples: Vec<u8> = raw.chunks(width + 1).flat_map(|row| row[1..].to_vec()).collect();
    let height = samples.len() / width;
    let file = encode((width as u32, height as u32), FORMS[0], Filter::NoFilter, &samples);
    let file = with_stream(&file, stream);
    assert!(self::samples(&file).unwrap() == samples);
    check_agree(&file).unwrap();
}

/// The sum that a stream ends with (RFC 1950).
fn adler32(data: &[u8]) -> u32 {
    let (a, b) = data.iter().fold((1, 0), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}

/// The same file with another stream.
fn with_stream(file: &[u8], stream: Vec<u8>) -> Vec<u8> {
    let mut parts = chunks(file);
    parts.retain(|part| &part.0 != b"IDAT");
    parts.insert(parts.len() - 1, (*b"IDAT", stream));
    file_of(&parts)
}

#[test]
fn a_stream_that_is_not_whole_is_not_plain() {
    let form = FORMS[1];
    let samples = noise(17, 40 * 30 * 3);
    let file = encode((40, 30), form, Filter::Sub, &samples);
    let stream: Vec<u8> = chunks(&file).into_iter().find(|part| &part.0 == b"IDAT").unwrap().1;
    let n = stream.len();
    let mut other_sum = stream.clone();
    other_sum[n - 1] ^= 1;
    let with_extra = |extra: &[u8]| {
        let mut raw = vec![0; (40 * 3 + 1) * 30];
        raw.extend(extra);
        fdeflate::compress_to_vec(&raw)
    };
    for stream in [
        other_sum,
        stream[..n - 4].to_vec(),
        stream[..n - 1].to_vec(),
        with_extra(b"\0"),
        with_extra(&[0; 121]),
    ] {
        let file = with_stream(&file, stream);
        for file in [split_samples(&file, 1), split_samples(&file, 100), file] {
            assert_eq!(self::samples(&file), None);
            check_agree(&file);
        }
    }
}

#[test]
fn see_through_files_are_refused_by_the_general_decoder() {
    let form = (ColorType::Rgba, BitDepth::Eight);
    let file = encode((2, 1), form, Filter::Sub, &[1, 2, 3, 255, 4, 5, 6, 254]);
    assert!(Plain::parse(&file).is_some());
    assert_eq!(check_agree(&file), None);
}

#[test]
fn whatever_is_not_plain_is_left_to_the_general_decoder() {
    let form = (ColorType::Grayscale, BitDepth::Eight);
    let file = encode((20, 20), form, Filter::Paeth, &noise(7, 400));
    let parts = chunks(&file);
    let at = |name: &[u8; 4]| parts.iter().position(|part| &part.0 == name).unwrap();
    let with = |index: usize, part: ([u8; 4], Vec<u8>)| {
        let mut parts = parts.clone();
        parts.insert(index, part);
        file_of(&parts)
    };
    let mut interlaced = parts.clone();
    interlaced[0].1[12] = 1;
    let exif = |n_bytes| (*b"eXIf", vec![0; n_bytes]);
    let dims = |unit: &[u8]| (*b"pHYs", [&[0, 0, 1, 0, 0, 0, 1, 0], unit].concat());
    let mut interrupted = parts.clone();
    let (first, second) = interrupted[at(b"IDAT")].1.split_at(9);
    let (first, second) = (first.to_vec(), second.to_vec());
    interrupted[at(b"IDAT")].1 = first;
    interrupted.insert(at(b"IDAT") + 1, (*b"IDAT", second));
    interrupted.insert(at(b"IDAT") + 1, (*b"tEXt", b"a\0b".to_vec()));
    let mut long_end = parts.clone();
    long_end[at(b"IEND")].1 = vec![1];
    for (file, is_read) in [
        (with(1, (*b"tRNS", vec![0, 3])), false),
        (with(1, (*b"gAMA", vec![0, 0, 177, 143])), true),
        (with(1, (*b"aBCd", vec![1, 2, 3])), true),
        (with(1, (*b"ABCD", vec![1, 2, 3])), false),
        (with(at(b"IDAT"), (*b"IDAT", Vec::new())), true),
        (with(at(b"IDAT") + 1, (*b"IDAT", Vec::new())), true),
        (with(at(b"IEND"), (*b"tEXt", b"a\0b".to_vec())), true),
        (with(at(b"IEND"), (*b"pHYs", vec![0; 9])), true),
        (with(1, exif(MAX_IDLE_BYTES + 1)), true),
        (with(1, exif(65 << 20)), false),
        (with(1, dims(&[0])), true),
        (with(1, dims(&[2])), true),
        (with(1, dims(&[])), true),
        (with(1, dims(&[1, 1])), true),
        (with(1, (*b"acTL", vec![0, 0, 0, 1, 0, 0, 0, 0])), false),
        (with(1, (*b"PLTE", vec![1, 2, 3])), true),
        (file_of(&interrupted), false),
        (file_of(&long_end), false),
        (file_of(&interlaced), false),
        ([file.clone(), b"more".to_vec()].concat(), true),
    ] {
        assert_eq!(check_agree(&file).is_some(), is_read, "{:?}", chunks(&file)[1].0);
    }
    for end in 0..file.len() {
        assert!(Plain::parse(&file[..end]).is_none());
        check_agree(&file[..end]);
    }
}

#[test]
fn damage_is_found_both_ways() {
    let form = (ColorType::Rgb, BitDepth::Eight);
    let smooth: Vec<u8> = noise(3, 30 * 20 * 3).iter().map(|byte| byte % 5).collect();
    let file = encode((30, 20), form, Filter::Adaptive, &smooth);
    for at in 8..file.len() {
        for bit in 0..8 {
            let mut file = file.clone();
            file[at] ^= 1 << bit;
            assert_eq!(check_agree(&file), None, "bit {bit} of byte {at}");
        }
    }
    // Damage that the chunk's own checksum does not show.
    let parts = chunks(&file);
    let samples = parts.iter().position(|part| &part.0 == b"IDAT").unwrap();
    let n_bytes = parts[samples].1.len();
    for at in 0..n_bytes {
        for bit in 0..8 {
            let mut parts = parts.clone();
            parts[samples].1[at] ^= 1 << bit;
            check_agree(&file_of(&parts));
        }
    }
    for extra in [&b"\0"[..], b"more than there are samples"] {
        let mut raw = vec![0; (30 * 3 + 1) * 20];
        raw.extend(extra);
        let mut parts = parts.clone();
        parts[samples].1 = fdeflate::compress_to_vec(&raw);
        check_agree(&file_of(&parts));
    }
}
