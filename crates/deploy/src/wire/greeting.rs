//! Greeting: finds the other side behind a banner, and agrees on a version.
//!
//! Both sides send [`MAGIC`] and a greeting at once, then look for the other's. What a login prints
//! before it is skipped up to a bound. Magic and the layout of frames never change; what follows the
//! greeting is of the version that both speak.

use super::error::WireError;
use super::frame::{read_frame, read_frame_async, write_frame, write_frame_async};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

/// First bytes of every conversation; no text of a banner contains them.
pub const MAGIC: [u8; 16] = *b"\0\xffcellgate-wire\n";
/// Most bytes of a banner.
pub const MAX_NOISE_BYTES: usize = 64 << 10;
/// The oldest version of the protocol that is spoken here.
pub const OLDEST: u32 = 2;
/// The newest version of the protocol that is spoken here.
pub const NEWEST: u32 = 2;

/// Most characters of a banner that an error shows.
const SHOWN_CHARS: usize = 300;

/// Versions and platform of one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// The oldest version of the protocol it speaks.
    pub oldest: u32,
    /// The newest version of the protocol it speaks.
    pub newest: u32,
    /// Version of its program.
    pub cellgate: String,
    /// Its platform, as `x86_64-linux`.
    pub platform: String,
}

impl Greeting {
    /// The greeting of this program.
    #[must_use]
    pub fn of_this_program() -> Self {
        Self {
            oldest: OLDEST,
            newest: NEWEST,
            cellgate: env!("CARGO_PKG_VERSION").to_owned(),
            platform: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        }
    }
}

/// How a conversation began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Greeting of the other side.
    pub other: Greeting,
    /// The version that both speak.
    pub version: u32,
    /// Text before the greeting, short and without control characters; usually empty.
    pub banner: String,
}

/// Greets and waits for the greeting of the other side, as an agent, to which nothing is
/// said before the greeting.
///
/// # Errors
/// [`WireError::NoAgent`] when there is no greeting, [`WireError::Version`] when there is no common
/// version, and the others.
pub fn greet(reader: &mut impl Read, writer: &mut impl Write) -> Result<Opening, WireError> {
    writer.write_all(&MAGIC)?;
    write_frame(writer, &Greeting::of_this_program(), &[])?;
    let mut search = Search::new(0);
    let mut byte = [0; 1];
    while !search.is_found() {
        match reader.read(&mut byte) {
            Ok(0) => return Err(search.no_agent_error()),
            Ok(_) => search.push(byte[0])?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    agree(read_frame(reader)?.header, &search)
}

/// Greets and waits for the greeting of an agent, behind at most [`MAX_NOISE_BYTES`] of a banner.
///
/// # Errors
/// As [`greet`].
pub async fn greet_async(
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
) -> Result<Opening, WireError> {
    use tokio::io::AsyncWriteExt as _;
    // A server that has no agent may close its side before it reads; what it says is what helps.
    let send = async {
        writer.write_all(&MAGIC).await?;
        write_frame_async(writer, &Greeting::of_this_program(), &[]).await
    };
    let result = send.await;
    let mut search = Search::new(MAX_NOISE_BYTES);
    let mut byte = [0; 1];
    while !search.is_found() {
        match reader.read(&mut byte).await? {
            0 => return Err(search.no_agent_error()),
            _ => search.push(byte[0])?,
        }
    }
    result?;
    agree(read_frame_async(reader).await?.header, &search)
}

fn agree(other: Greeting, search: &Search) -> Result<Opening, WireError> {
    let version = other.newest.min(NEWEST);
    if version < OLDEST || version < other.oldest {
        return Err(WireError::Version { oldest: other.oldest, newest: other.newest });
    }
    Ok(Opening { other, version, banner: search.banner() })
}

/// Looks for the magic, byte by byte.
#[derive(Debug)]
struct Search {
    seen: Vec<u8>,
    max_noise: usize,
}

impl Search {
    fn new(max_noise: usize) -> Self {
        Self { seen: Vec::new(), max_noise }
    }

    fn is_found(&self) -> bool {
        self.seen.ends_with(&MAGIC)
    }

    fn push(&mut self, byte: u8) -> Result<(), WireError> {
        if self.max_noise + MAGIC.len() <= self.seen.len() {
            return Err(self.no_agent_error());
        }
        self.seen.push(byte);
        Ok(())
    }

    fn no_agent_error(&self) -> WireError {
        WireError::NoAgent(self.banner())
    }

    fn banner(&self) -> String {
        let noise = self.seen.strip_suffix(&MAGIC[..]).unwrap_or(&self.seen);
        let text = String::from_utf8_lossy(noise);
        let letter = |letter: char| if letter.is_control() { ' ' } else { letter };
        text.chars().map(letter).take(SHOWN_CHARS).collect::<String>().trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting_bytes(noise: &[u8], greeting: &Greeting) -> Vec<u8> {
        let mut bytes = noise.to_vec();
        bytes.extend(MAGIC);
        write_frame(&mut bytes, greeting, &[]).unwrap();
        bytes
    }

    fn opening_of(bytes: &[u8]) -> Result<Opening, WireError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(greet_async(&mut &*bytes, &mut Vec::new()))
    }

    #[test]
    fn an_agent_hears_nothing_before_the_greeting() {
        let quiet = greeting_bytes(b"", &Greeting::of_this_program());
        assert!(greet(&mut &*quiet, &mut Vec::new()).is_ok());
        let noisy = greeting_bytes(b"GET / HTTP/1.1\r\n", &Greeting::of_this_program());
        assert!(matches!(greet(&mut &*noisy, &mut Vec::new()), Err(WireError::NoAgent(_))));
    }

    #[test]
    fn a_banner_is_skipped_and_kept_for_people() {
        let noise = b"Welcome!\r\n\0\xffcell\x1b[2J";
        let opening = opening_of(&greeting_bytes(noise, &Greeting::of_this_program())).unwrap();
        assert_eq!(opening.version, NEWEST);
        assert!(opening.banner.starts_with("Welcome!"), "{}", opening.banner);
        assert!(!opening.banner.contains('\x1b'));
    }

    #[test]
    fn noise_without_end_is_refused_with_what_it_says() {
        let error = opening_of(&b"This account is not available\n".repeat(9999)).unwrap_err();
        assert!(error.to_string().contains("This account is not available"), "{error}");
        let error = opening_of(b"bash: cellgate: command not found\n").unwrap_err();
        assert!(error.to_string().contains("command not found"), "{error}");
    }

    #[test]
    fn a_version_that_nobody_shares_is_refused() {
        let own = Greeting::of_this_program();
        let newer = Greeting { oldest: NEWEST + 1, newest: NEWEST + 3, ..own.clone() };
        assert!(matches!(opening_of(&greeting_bytes(b"", &newer)), Err(WireError::Version { .. })));
        let wider = Greeting { oldest: 0, newest: NEWEST + 3, ..own };
        assert_eq!(opening_of(&greeting_bytes(b"", &wider)).unwrap().version, NEWEST);
    }
}
