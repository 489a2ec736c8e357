//! Frame: one message as bytes, with its lengths bounded and its content checked.
//!
//! Layout, integers little-endian: header length `u32`, raw length `u32`, four bytes of the sha256 of
//! both, eight bytes of the sha256 of both, header and the raw bytes' CRC-32; then the header as JSON,
//! then the raw bytes. A damaged length is so noticed before anybody waits for bytes that never come.
//! The highest bit of the raw length says that the raw bytes are deflated, see `raw`.

use super::error::WireError;
use super::raw;
use cellgate_core::digest::Hasher;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Read, Write};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Most bytes of a header.
pub const MAX_HEADER_BYTES: usize = 2 << 20;
/// Most raw bytes of a frame.
pub const MAX_RAW_BYTES: usize = 4 << 20;

const LENGTHS_BYTES: usize = 8;
const LENGTHS_CHECK_BYTES: usize = 4;
const PRELUDE_BYTES: usize = 20;
/// In the raw length: the raw bytes are deflated.
const DEFLATED: u32 = 1 << 31;

/// A message: a header and bytes that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame<T> {
    /// The header.
    pub header: T,
    /// Raw bytes; empty for most messages.
    pub raw: Vec<u8>,
}

/// Writes a frame and flushes.
///
/// # Errors
/// [`WireError::Io`], and [`WireError::TooLong`] before anything is written.
pub fn write_frame<T: Serialize>(
    writer: &mut impl Write,
    header: &T,
    raw: &[u8],
) -> Result<(), WireError> {
    let shorter = raw::deflate(raw);
    writer.write_all(&head_of(header, raw, shorter.as_deref())?)?;
    writer.write_all(shorter.as_deref().unwrap_or(raw))?;
    Ok(writer.flush()?)
}

/// Writes a frame and flushes.
///
/// # Errors
/// As [`write_frame`].
pub async fn write_frame_async<T: Serialize>(
    writer: &mut (impl AsyncWrite + Unpin),
    header: &T,
    raw: &[u8],
) -> Result<(), WireError> {
    let shorter = raw::deflate(raw);
    let head = head_of(header, raw, shorter.as_deref())?;
    writer.write_all(&head).await?;
    writer.write_all(shorter.as_deref().unwrap_or(raw)).await?;
    Ok(writer.flush().await?)
}

/// Reads a frame.
///
/// # Errors
/// [`WireError`]; [`WireError::Ended`] only where a frame could have begun.
pub fn read_frame<T: DeserializeOwned>(reader: &mut impl Read) -> Result<Frame<T>, WireError> {
    let mut prelude = [0; PRELUDE_BYTES];
    let mut n = 0;
    while n < PRELUDE_BYTES {
        match reader.read(&mut prelude[n..]) {
            Ok(0) if n == 0 => return Err(WireError::Ended),
            Ok(0) => return Err(WireError::Torn),
            Ok(more) => n += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let lengths = Lengths::parse(&prelude)?;
    let (mut header, mut raw) = (vec![0; lengths.header], vec![0; lengths.raw]);
    reader.read_exact(&mut header).map_err(read_error)?;
    reader.read_exact(&mut raw).map_err(read_error)?;
    lengths.frame(&prelude, &header, raw)
}

/// Reads a frame.
///
/// # Errors
/// As [`read_frame`].
pub async fn read_frame_async<T: DeserializeOwned>(
    reader: &mut (impl AsyncRead + Unpin),
) -> Result<Frame<T>, WireError> {
    let mut prelude = [0; PRELUDE_BYTES];
    let mut n = 0;
    while n < PRELUDE_BYTES {
        match reader.read(&mut prelude[n..]).await? {
            0 if n == 0 => return Err(WireError::Ended),
            0 => return Err(WireError::Torn),
            more => n += more,
        }
    }
    let lengths = Lengths::parse(&prelude)?;
    let (mut header, mut raw) = (vec![0; lengths.header], vec![0; lengths.raw]);
    reader.read_exact(&mut header).await.map_err(read_error)?;
    reader.read_exact(&mut raw).await.map_err(read_error)?;
    lengths.frame(&prelude, &header, raw)
}

fn read_error(error: io::Error) -> WireError {
    if error.kind() == io::ErrorKind::UnexpectedEof { WireError::Torn } else { error.into() }
}

struct Lengths {
    header: usize,
    raw: usize,
    is_deflated: bool,
}

impl Lengths {
    fn parse(prelude: &[u8; PRELUDE_BYTES]) -> Result<Self, WireError> {
        let [a, b, c, d, e, f, g, h, check @ ..] = *prelude;
        let lengths = checksum(&[&prelude[..LENGTHS_BYTES]]);
        if lengths[..LENGTHS_CHECK_BYTES] != check[..LENGTHS_CHECK_BYTES] {
            return Err(WireError::Damaged);
        }
        let header = u32::from_le_bytes([a, b, c, d]) as usize;
        let raw = u32::from_le_bytes([e, f, g, h]);
        let (is_deflated, raw) = (raw & DEFLATED != 0, (raw & !DEFLATED) as usize);
        let max_raw = if is_deflated { raw::MAX_DEFLATED_BYTES } else { MAX_RAW_BYTES };
        if MAX_HEADER_BYTES < header || max_raw < raw {
            return Err(WireError::TooLong(header as u64 + raw as u64));
        }
        Ok(Self { header, raw, is_deflated })
    }

    fn frame<T: DeserializeOwned>(
        &self,
        prelude: &[u8; PRELUDE_BYTES],
        header: &[u8],
        raw: Vec<u8>,
    ) -> Result<Frame<T>, WireError> {
        let check = checksum(&[&prelude[..LENGTHS_BYTES], header, &raw::checksum(&raw)]);
        if check != prelude[LENGTHS_BYTES + LENGTHS_CHECK_BYTES..] {
            return Err(WireError::Damaged);
        }
        let raw = if self.is_deflated { raw::inflate(&raw)? } else { raw };
        let header = serde_json::from_slice(header);
        Ok(Frame { header: header.map_err(|error| WireError::Syntax(error.to_string()))?, raw })
    }
}

/// Prelude and header of a frame whose raw bytes go as they are, or in a shorter form.
fn head_of<T: Serialize>(
    header: &T,
    raw: &[u8],
    shorter: Option<&[u8]>,
) -> Result<Vec<u8>, WireError> {
    let header =
        serde_json::to_vec(header).map_err(|error| WireError::Syntax(error.to_string()))?;
    if MAX_HEADER_BYTES < header.len() || MAX_RAW_BYTES < raw.len() {
        return Err(WireError::TooLong(header.len() as u64 + raw.len() as u64));
    }
    let flag = if shorter.is_some() { DEFLATED } else { 0 };
    let raw = shorter.unwrap_or(raw);
    let mut head = Vec::with_capacity(PRELUDE_BYTES + header.len());
    head.extend((header.len() as u32).to_le_bytes());
    head.extend((raw.len() as u32 | flag).to_le_bytes());
    let (lengths, all) = (checksum(&[&head]), checksum(&[&head, &header, &raw::checksum(raw)]));
    head.extend(&lengths[..LENGTHS_CHECK_BYTES]);
    head.extend(all);
    head.extend(header);
    Ok(head)
}

fn checksum(parts: &[&[u8]]) -> [u8; 8] {
    let mut hasher = Hasher::default();
    parts.iter().for_each(|part| hasher.update(part));
    let digest = hasher.finish();
    std::array::from_fn(|at| digest.as_bytes()[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn bytes_of(header: &Value, raw: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, header, raw).unwrap();
        bytes
    }

    fn read(mut bytes: &[u8]) -> Result<Frame<Value>, WireError> {
        read_frame(&mut bytes)
    }

    #[test]
    fn a_frame_reads_itself() {
        let bytes = bytes_of(&json!({"a": 1}), b"raw");
        assert_eq!(read(&bytes).unwrap(), Frame { header: json!({"a": 1}), raw: b"raw".to_vec() });
        assert!(matches!(read(&[]), Err(WireError::Ended)));
    }

    #[test]
    fn small_raw_bytes_travel_deflated() {
        let text = b"the same again ".repeat(99);
        let bytes = bytes_of(&json!(1), &text);
        assert!(bytes.len() < 99, "{}", bytes.len());
        assert_eq!(read(&bytes).unwrap().raw, text);
    }

    #[test]
    fn any_cut_and_any_flipped_bit_is_noticed() {
        assert_notices_all(&bytes_of(&json!({"a": "b"}), b"some raw bytes"));
        assert_notices_all(&bytes_of(&json!({"a": "b"}), &[7; 999]));
    }

    #[track_caller]
    fn assert_notices_all(bytes: &[u8]) {
        for cut in 1..bytes.len() {
            assert!(matches!(read(&bytes[..cut]), Err(WireError::Torn)), "{cut}");
        }
        for at in 0..bytes.len() * 8 {
            let mut damaged = bytes.to_vec();
            damaged[at / 8] ^= 1 << (at % 8);
            assert!(read(&damaged).is_err(), "bit {at}");
        }
    }

    #[test]
    fn lengths_are_bounded_before_anything_is_allocated() {
        let lengths = (MAX_HEADER_BYTES as u64 + 1).to_le_bytes();
        let mut bytes = lengths.to_vec();
        bytes.extend(&checksum(&[&lengths])[..LENGTHS_CHECK_BYTES]);
        bytes.extend([0; 8]);
        assert!(matches!(read(&bytes), Err(WireError::TooLong(_))));
        bytes[0] ^= 1;
        assert!(matches!(read(&bytes), Err(WireError::Damaged)));
        let long = "x".repeat(MAX_HEADER_BYTES);
        let result = write_frame(&mut Vec::new(), &long, b"");
        assert!(matches!(result, Err(WireError::TooLong(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..99)) {
            prop_assert!(read(&bytes).is_err());
        }
    }
}
