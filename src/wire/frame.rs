//! Frame: one message as bytes, with its lengths bounded and its content checked.
//!
//! Layout, integers little-endian: header length `u32`, raw length `u32`, four bytes of the sha256 of
//! both, eight bytes of the sha256 of both, header and raw bytes; then the header as JSON, then the
//! raw bytes. A damaged length is so noticed before anybody waits for bytes that never come.

use crate::digest::Hasher;
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

/// A message: a header and bytes that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame<T> {
    /// The header.
    pub header: T,
    /// Raw bytes; empty for most messages.
    pub raw: Vec<u8>,
}

/// The other side cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The stream failed.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// The stream ended between two frames.
    #[error("the other side ended the connection")]
    Ended,
    /// The stream ended within a frame.
    #[error("the connection ended in the middle of a message")]
    Torn,
    /// A length beyond its bound.
    #[error("a message announces {0} bytes, more than the protocol allows")]
    TooLong(u64),
    /// Lengths, header or bytes are not what was sent.
    #[error("a message was damaged on its way")]
    Damaged,
    /// A header that is no message of this protocol.
    #[error("a message cannot be read: {0}")]
    Syntax(String),
    /// No greeting behind the noise.
    #[error("no cellgate agent answered; the other side says: `{0}`")]
    NoAgent(String),
    /// No common version.
    #[error(
        "this side speaks versions {} to {} of the protocol, the other {oldest} to {newest}: \
         bring the older of the two up to date",
        super::OLDEST,
        super::NEWEST
    )]
    Version {
        /// The oldest that the other side speaks.
        oldest: u32,
        /// The newest that the other side speaks.
        newest: u32,
    },
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
    writer.write_all(&head_of(header, raw)?)?;
    writer.write_all(raw)?;
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
    let head = head_of(header, raw)?;
    writer.write_all(&head).await?;
    writer.write_all(raw).await?;
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
    let lengths = Lengths::of(&prelude)?;
    let mut body = vec![0; lengths.header + lengths.raw];
    reader.read_exact(&mut body).map_err(torn)?;
    lengths.frame(&prelude, body)
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
    let lengths = Lengths::of(&prelude)?;
    let mut body = vec![0; lengths.header + lengths.raw];
    reader.read_exact(&mut body).await.map_err(torn)?;
    lengths.frame(&prelude, body)
}

fn torn(error: io::Error) -> WireError {
    if error.kind() == io::ErrorKind::UnexpectedEof { WireError::Torn } else { error.into() }
}

struct Lengths {
    header: usize,
    raw: usize,
}

impl Lengths {
    fn of(prelude: &[u8; PRELUDE_BYTES]) -> Result<Self, WireError> {
        let [a, b, c, d, e, f, g, h, check @ ..] = *prelude;
        let lengths = checksum(&prelude[..LENGTHS_BYTES], &[], &[]);
        if lengths[..LENGTHS_CHECK_BYTES] != check[..LENGTHS_CHECK_BYTES] {
            return Err(WireError::Damaged);
        }
        let header = u32::from_le_bytes([a, b, c, d]) as usize;
        let raw = u32::from_le_bytes([e, f, g, h]) as usize;
        if MAX_HEADER_BYTES < header || MAX_RAW_BYTES < raw {
            return Err(WireError::TooLong(header as u64 + raw as u64));
        }
        Ok(Self { header, raw })
    }

    fn frame<T: DeserializeOwned>(
        &self,
        prelude: &[u8; PRELUDE_BYTES],
        mut body: Vec<u8>,
    ) -> Result<Frame<T>, WireError> {
        let raw = body.split_off(self.header);
        let check = checksum(&prelude[..LENGTHS_BYTES], &body, &raw);
        if check != prelude[LENGTHS_BYTES + LENGTHS_CHECK_BYTES..] {
            return Err(WireError::Damaged);
        }
        let header = serde_json::from_slice(&body);
        Ok(Frame { header: header.map_err(|error| WireError::Syntax(error.to_string()))?, raw })
    }
}

/// Prelude and header.
fn head_of<T: Serialize>(header: &T, raw: &[u8]) -> Result<Vec<u8>, WireError> {
    let header =
        serde_json::to_vec(header).map_err(|error| WireError::Syntax(error.to_string()))?;
    if MAX_HEADER_BYTES < header.len() || MAX_RAW_BYTES < raw.len() {
        return Err(WireError::TooLong(header.len() as u64 + raw.len() as u64));
    }
    let mut head = Vec::with_capacity(PRELUDE_BYTES + header.len());
    head.extend((header.len() as u32).to_le_bytes());
    head.extend((raw.len() as u32).to_le_bytes());
    let (lengths, all) = (checksum(&head, &[], &[]), checksum(&head, &header, raw));
    head.extend(&lengths[..LENGTHS_CHECK_BYTES]);
    head.extend(all);
    head.extend(header);
    Ok(head)
}

fn checksum(lengths: &[u8], header: &[u8], raw: &[u8]) -> [u8; 8] {
    let mut hasher = Hasher::default();
    hasher.update(lengths);
    hasher.update(header);
    hasher.update(raw);
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
    fn any_cut_and_any_flipped_bit_is_noticed() {
        let bytes = bytes_of(&json!({"a": "b"}), b"some raw bytes");
        for cut in 1..bytes.len() {
            assert!(matches!(read(&bytes[..cut]), Err(WireError::Torn)), "{cut}");
        }
        for at in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            assert!(read(&damaged).is_err(), "bit {at}");
        }
    }

    #[test]
    fn lengths_are_bounded_before_anything_is_allocated() {
        let lengths = (MAX_HEADER_BYTES as u64 + 1).to_le_bytes();
        let mut bytes = lengths.to_vec();
        bytes.extend(&checksum(&lengths, &[], &[])[..LENGTHS_CHECK_BYTES]);
        bytes.extend([0; 8]);
        assert!(matches!(read(&bytes), Err(WireError::TooLong(_))));
        bytes[0] ^= 1;
        assert!(matches!(read(&bytes), Err(WireError::Damaged)));
        let long = "x".repeat(MAX_HEADER_BYTES);
        let told = write_frame(&mut Vec::new(), &long, b"");
        assert!(matches!(told, Err(WireError::TooLong(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..99)) {
            prop_assert!(read(&bytes).is_err());
        }
    }
}
