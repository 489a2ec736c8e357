//! Output: standard output whose reader may stop reading.

use std::io::{self, Write};

/// A writer that drops what its reader no longer wants.
///
/// `cellgate gate | head` must end with the verdict's exit code, not with a failure to print it.
pub(crate) struct Output<W> {
    inner: W,
}

impl<W: Write> Output<W> {
    /// Wraps a writer.
    pub(crate) fn new(inner: W) -> Self {
        Self { inner }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.inner.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            done => done,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.inner.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            done => done,
        }
    }
}
