//! Sign: shows during long work that the agent is alive, and notices that the other side is not.

use super::refuse::{Refused, refusal};
use crate::wire::{Envelope, RefusalCode, Reply, write_frame};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Between two signs of life during something long.
const SIGN: Duration = Duration::from_secs(1);

/// Shows that the agent is alive, and notices that the other side is not.
pub(super) struct Sign<'a, W> {
    writer: &'a mut W,
    is_gone: &'a AtomicBool,
    id: u64,
    pub(super) step: &'static str,
    n_done: u64,
    last: Instant,
}

impl<'a, W: Write> Sign<'a, W> {
    /// Signs for the answer of a request.
    pub(super) fn new(writer: &'a mut W, is_gone: &'a AtomicBool, id: u64) -> Self {
        let last = Instant::now();
        Self { writer, is_gone, id, step: "reading back", n_done: 0, last }
    }

    /// Gives a sign when it is time to; `n` more bytes were done.
    ///
    /// # Errors
    /// `cancelled` when the other side is gone.
    pub(super) fn advance(&mut self, n: u64) -> Result<(), Refused> {
        self.n_done += n;
        if self.is_gone.load(Ordering::Relaxed) {
            return Err(disconnect_refusal());
        }
        if self.last.elapsed() < SIGN {
            return Ok(());
        }
        self.last = Instant::now();
        let body = Reply::Progress { step: self.step.to_owned(), done: self.n_done, total: 0 };
        write_frame(self.writer, &Envelope { id: self.id, body }, &[])
            .map_err(|_| disconnect_refusal())
    }
}

fn disconnect_refusal() -> Refused {
    refusal(RefusalCode::Cancelled, "the other side is gone", "deploy again").into()
}
