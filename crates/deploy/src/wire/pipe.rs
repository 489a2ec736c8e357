//! Pipe: how much of what is sent a pipe holds.

use std::os::fd::AsFd;

/// Bytes that a pipe holds: what Linux lets everybody have.
#[cfg(target_os = "linux")]
const PIPE_BYTES: usize = 1 << 20;

/// Lets a pipe hold a chunk, so that its writer and its reader wait for each other less; a new pipe
/// holds 64 KiB.
///
/// Anything that is no pipe stays unchanged, and so does a pipe that the system does not widen.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "nothing to ask for"))]
pub fn widen(pipe: impl AsFd) {
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_pipe_takes_a_chunk_that_nobody_reads() {
        use std::io::Write as _;
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
