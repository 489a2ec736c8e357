//! Master: asks the process that holds a login which one it is, over its own socket.
//!
//! Two messages there and back instead of one more ssh; nothing else is sent this way. Channels go
//! through the `openssh` crate.
//!
//! # Sources
//! PROTOCOL.mux of OpenSSH.

use rustix::process::Pid;
use std::io;
use std::path::Path;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

const HELLO: u32 = 1;
const VERSION: u32 = 4;
const ALIVE_CHECK: u32 = 0x1000_0004;
const ALIVE: u32 = 0x8000_0005;
/// The number of our only question.
const QUESTION: u32 = 0;
/// Most bytes of an answer: a greeting may name extensions.
const MAX_ANSWER_BYTES: u32 = 16 << 10;

/// The process that answers on a socket; `None` when it speaks another language.
///
/// # Errors
/// Error of the system.
pub(super) async fn process_of(socket: &Path) -> io::Result<Option<Pid>> {
    let mut stream = UnixStream::connect(socket).await?;
    send_words(&mut stream, [HELLO, VERSION]).await?;
    if receive_words(&mut stream).await?.first_chunk() != Some(&[HELLO, VERSION]) {
        return Ok(None);
    }
    send_words(&mut stream, [ALIVE_CHECK, QUESTION]).await?;
    let pid = match receive_words(&mut stream).await?.first_chunk() {
        Some([ALIVE, QUESTION, pid]) => i32::try_from(*pid).ok(),
        _ => None,
    };
    // What no process of a user can be is not signaled.
    Ok(pid.filter(|pid| 1 < *pid).and_then(Pid::from_raw))
}

async fn send_words(stream: &mut UnixStream, words: [u32; 2]) -> io::Result<()> {
    let mut bytes = (size_of_val(&words) as u32).to_be_bytes().to_vec();
    bytes.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    stream.write_all(&bytes).await
}

/// The whole words of an answer.
async fn receive_words(stream: &mut UnixStream) -> io::Result<Vec<u32>> {
    let n_bytes = stream.read_u32().await?;
    if MAX_ANSWER_BYTES < n_bytes {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; n_bytes as usize];
    stream.read_exact(&mut bytes).await?;
    let word = |chunk: &[u8]| chunk.try_into().map(u32::from_be_bytes).ok();
    Ok(bytes.chunks_exact(4).filter_map(word).collect())
}
