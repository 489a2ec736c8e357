//! Inflate: from pieces of a compressed stream to rows, through a window that for usual widths the
//! processor's cache holds.

use super::unfilter::PADDING;
use fdeflate::Decompressor;

/// Bytes that a stream may reach back.
const N_HISTORY: usize = 32_768;

/// Bytes that there is always room for in the window, beside rows that wait and the history.
const N_AT_ONCE: usize = 65_536;

/// A stream of rows that is being inflated.
pub(super) struct Inflating<'a> {
    decompressor: Decompressor,
    /// Pieces that were not looked at yet, after the one at hand.
    pieces: &'a [&'a [u8]],
    piece: &'a [u8],
    /// Bytes of a row.
    n_row: usize,
    window: Vec<u8>,
    /// Bytes of the window that were consumed, and those that were inflated.
    consumed: usize,
    inflated: usize,
}

impl<'a> Inflating<'a> {
    /// A stream whose rows, of `n_row` bytes each, are asked for up to `n_rows` at once.
    pub(super) fn new(pieces: &'a [&'a [u8]], n_row: usize, n_rows: usize) -> Self {
        let n_window = N_HISTORY + n_rows * n_row + N_AT_ONCE + PADDING;
        Self {
            decompressor: Decompressor::new(),
            pieces,
            piece: &[],
            n_row,
            window: vec![0; n_window],
            consumed: 0,
            inflated: 0,
        }
    }

    /// Inflates some more; `None` when there is no more or the stream is damaged.
    fn inflate(&mut self) -> Option<()> {
        if self.decompressor.is_done() {
            return None;
        }
        if let ([], Some((piece, pieces))) = (self.piece, self.pieces.split_first()) {
            (self.piece, self.pieces) = (piece, pieces);
        }
        let end = self.window.len() - PADDING;
        if self.inflated == end {
            let n_dropped = self.consumed.min(end - N_HISTORY);
            self.window.copy_within(n_dropped..end, 0);
            self.consumed -= n_dropped;
            self.inflated -= n_dropped;
        }
        let is_last = self.pieces.is_empty();
        let window = &mut self.window[..end];
        let (n_taken, n_inflated) =
            self.decompressor.read(self.piece, window, self.inflated, is_last).ok()?;
        let is_stuck = n_taken == 0 && n_inflated == 0 && !self.decompressor.is_done();
        if is_stuck && (is_last || !self.piece.is_empty()) {
            return None;
        }
        self.piece = &self.piece[n_taken..];
        self.inflated += n_inflated;
        Some(())
    }

    /// The next rows, each after the number of its filter, and [`PADDING`]; `None` when there are fewer
    /// or the stream is damaged.
    pub(super) fn rows(&mut self, n_rows: usize) -> Option<&[u8]> {
        let n_bytes = n_rows * self.n_row;
        while self.inflated - self.consumed < n_bytes {
            self.inflate()?;
        }
        let rows = self.consumed..self.consumed + n_bytes + PADDING;
        self.consumed += n_bytes;
        Some(&self.window[rows])
    }

    /// Goes on to the end of the stream; `None` when there is more in it than rows, or when its checksum
    /// does not hold.
    pub(super) fn finish(mut self) -> Option<()> {
        while !self.decompressor.is_done() {
            self.inflate()?;
        }
        (self.consumed == self.inflated).then_some(())
    }
}
