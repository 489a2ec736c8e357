//! Output: standard output whose reader may stop reading, or may be GitHub's runner.

use cellgate_gate::report::findings::neutralize_commands;
use cellgate_github::step::is_read_by_runner;
use std::io::{self, Write};

/// A writer that drops what its reader no longer wants, and whose lines command nobody.
///
/// `cellgate gate | head` must end with the verdict's exit code, not with a failure to print it.
/// Where the runner reads along, lines are made [`neutralize_commands`]: a file's name must not set an output.
pub(crate) struct Output<W> {
    inner: W,
    /// The beginning of a line whose end is still to come; kept only where the runner reads.
    line: Option<Vec<u8>>,
}

impl<W: Write> Output<W> {
    /// Wraps a writer.
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, line: is_read_by_runner().then(Vec::new) }
    }

    /// Wraps a writer whose reader is another cellgate, which waits for every byte as it is.
    pub(crate) fn verbatim(inner: W) -> Self {
        Self { inner, line: None }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(line) = &mut self.line else {
            return ignore_broken_pipe(self.inner.write(bytes), bytes);
        };
        line.extend(bytes);
        if let Some(end) = line.iter().rposition(|byte| *byte == b'\n') {
            let whole: Vec<u8> = line.drain(..=end).collect();
            ignore_broken_pipe(self.inner.write_all(&neutralize(&whole)).map(|()| 0), &[])?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(line) = &mut self.line {
            let rest = std::mem::take(line);
            ignore_broken_pipe(self.inner.write_all(&neutralize(&rest)).map(|()| 0), &[])?;
        }
        ignore_broken_pipe(self.inner.flush().map(|()| 0), &[]).map(drop)
    }
}

/// Counts all bytes as taken where the reader has left.
fn ignore_broken_pipe(result: io::Result<usize>, bytes: &[u8]) -> io::Result<usize> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
        result => result,
    }
}

fn neutralize(lines: &[u8]) -> Vec<u8> {
    neutralize_commands(&String::from_utf8_lossy(lines)).into_bytes()
}

/// Prints workflow commands, which are to be obeyed, between what is not.
pub(crate) fn write_commands(out: &mut dyn Write, commands: &str) -> io::Result<()> {
    out.flush()?;
    let mut runner = io::stdout();
    ignore_broken_pipe(runner.write_all(commands.as_bytes()).map(|()| 0), &[])?;
    ignore_broken_pipe(runner.flush().map(|()| 0), &[]).map(drop)
}
