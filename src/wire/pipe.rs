//! Pipe: how much of what is sent a pipe holds.

use std::os::fd::AsFd;

/// Bytes that a pipe holds: what the system lets everybody have.
const PIPE_BYTES: usize = 1 << 20;

/// Lets a pipe hold a chunk, so that whoever fills it and whoever empties it wait for each other
/// less: a pipe as it is made holds 64 KiB.
///
/// What is no pipe, or may not be wider, stays as it is.
pub fn widen(pipe: impl AsFd) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_pipe_takes_a_chunk_that_nobody_reads() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        widen(&writer);
        assert_eq!(rustix::pipe::fcntl_getpipe_size(&reader).unwrap(), PIPE_BYTES);
        writer.write_all(&vec![7; PIPE_BYTES]).unwrap();
    }

    #[test]
    fn what_is_no_pipe_stays_as_it_is() {
        widen(tempfile::tempfile().unwrap());
    }
}
