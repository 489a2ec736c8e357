//! Raw: the raw bytes of a frame, shorter on the wire where they are small, and their checksum.
//!
//! Takes bytes, gives them deflated when that saves some, and back. Only small ones are tried: a
//! profile or a manifest is worth it, a chunk of a program or of weights is not. What comes out of
//! them is bounded by [`MAX_DEFLATED_BYTES`], whatever the other side sends.

use super::error::WireError;
use flate2::Compression;
use flate2::Crc;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use std::io::{Read as _, Write as _};

/// Most raw bytes that are deflated, and most that come out of deflated ones.
pub const MAX_DEFLATED_BYTES: usize = 256 << 10;
/// Fewer bytes than this gain nothing.
const MIN_BYTES: usize = 64;

/// The bytes deflated; `None` where they are too few or too many, or do not get shorter.
#[must_use]
pub(super) fn deflate(raw: &[u8]) -> Option<Vec<u8>> {
    if !(MIN_BYTES..=MAX_DEFLATED_BYTES).contains(&raw.len()) {
        return None;
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(raw).ok()?;
    encoder.finish().ok().filter(|bytes| bytes.len() < raw.len())
}

/// The raw bytes of deflated ones.
///
/// # Errors
/// [`WireError::Damaged`] for bytes that are not deflated or go on behind their end,
/// [`WireError::TooLong`] when more comes out than may.
pub(super) fn inflate(bytes: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut raw = Vec::new();
    let mut decoder = DeflateDecoder::new(bytes);
    let bounded = decoder.by_ref().take(MAX_DEFLATED_BYTES as u64 + 1);
    let read = { bounded }.read_to_end(&mut raw);
    read.map_err(|_| WireError::Damaged)?;
    if MAX_DEFLATED_BYTES < raw.len() {
        return Err(WireError::TooLong(raw.len() as u64));
    }
    if decoder.total_in() == bytes.len() as u64 { Ok(raw) } else { Err(WireError::Damaged) }
}

/// CRC-32 of raw bytes: against accidents on the way. What a blob is, its digest says.
#[must_use]
pub(super) fn checksum(raw: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(raw);
    crc.sum().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_get_shorter_and_come_back() {
        let text = "threshold: {method: otsu3, correction_factor: 1.0}\n".repeat(99);
        let bytes = deflate(text.as_bytes()).unwrap();
        assert!(bytes.len() * 10 < text.len(), "{}", bytes.len());
        assert_eq!(inflate(&bytes).unwrap(), text.as_bytes());
        assert_eq!(deflate(b"short"), None);
        assert_eq!(deflate(&vec![0; MAX_DEFLATED_BYTES + 1]), None);
    }

    #[test]
    fn what_would_fill_the_memory_is_cut_off() {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        for _ in 0..64 {
            encoder.write_all(&[0; 1 << 20]).unwrap();
        }
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < MAX_DEFLATED_BYTES);
        assert!(matches!(inflate(&bomb), Err(WireError::TooLong(_))));
        let whole = deflate(&[7; MAX_DEFLATED_BYTES]).unwrap();
        assert_eq!(inflate(&whole).unwrap().len(), MAX_DEFLATED_BYTES);
    }

    #[test]
    fn bytes_behind_the_end_are_damage() {
        let mut bytes = deflate(&[7; 999]).unwrap();
        bytes.extend(b"more");
        assert!(matches!(inflate(&bytes), Err(WireError::Damaged)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_inflated_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..999)) {
            let _ = inflate(&bytes);
            if let Some(shorter) = deflate(&bytes) {
                prop_assert_eq!(inflate(&shorter).unwrap(), bytes);
            }
        }
    }
}
