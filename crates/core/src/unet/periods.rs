//! Periods: loops over all numbers of maps whose channels are treated differently.
//!
//! Takes as many pixels as make a row of some hundred numbers and repeats what belongs to the
//! channels as often, so that the inner loop is long for any number of channels. Sums are cut the
//! same way on any number of threads.

use crate::vectors;
use rayon::prelude::*;

/// Fewest numbers of a row.
const ROW_VALUES: usize = 256;

/// Rows whose sums are taken in single precision before they are added in double.
const BLOCK_ROWS: usize = 32;

/// About how many numbers a thread takes at once.
const PIECE_VALUES: usize = 64 << 10;

/// How maps with a number of channels are walked.
#[derive(Clone, Copy)]
pub(super) struct Period {
    channels: usize,
    row: usize,
}

impl Period {
    /// For a number of channels, at least 1.
    pub(super) fn new(channels: usize) -> Self {
        Self { channels, row: channels * ROW_VALUES.div_ceil(channels) }
    }

    /// Numbers that a thread takes at once: whole rows.
    pub(super) fn piece(self) -> usize {
        PIECE_VALUES.next_multiple_of(self.row * BLOCK_ROWS)
    }

    /// Repeats what belongs to the channels along a row.
    pub(super) fn repeat<const N: usize>(self, of_channels: [&[f32]; N]) -> [Vec<f32>; N] {
        of_channels.map(|values| values.repeat(self.row / self.channels))
    }

    /// Sums two quantities over all pixels, for each channel; `add` adds those of a row, which may
    /// be cut short, to its sums.
    ///
    /// # Shapes
    /// `left` and `right` are equally long.
    pub(super) fn sums(
        self,
        left: &[f32],
        right: &[f32],
        add: impl Fn(&[f32], &[f32], &mut [f32], &mut [f32]) + Sync,
    ) -> [Vec<f64>; 2] {
        let zeros = || [vec![0.0; self.channels], vec![0.0; self.channels]];
        let pieces = left.par_chunks(self.piece()).zip(right.par_chunks(self.piece()));
        let partial = |(left, right): (&[f32], &[f32])| {
            let mut totals = zeros();
            let mut sums = [vec![0.0_f32; self.row], vec![0.0_f32; self.row]];
            let block = self.row * BLOCK_ROWS;
            for (left, right) in left.chunks(block).zip(right.chunks(block)) {
                let [first, second] = &mut sums;
                vectors::dispatch_simd!({
                    for (left, right) in left.chunks(self.row).zip(right.chunks(self.row)) {
                        add(left, right, first, second);
                    }
                });
                for (totals, sums) in totals.iter_mut().zip(&mut sums) {
                    for (place, sum) in sums.iter_mut().enumerate() {
                        totals[place % self.channels] += f64::from(std::mem::take(sum));
                    }
                }
            }
            totals
        };
        let partials: Vec<_> = pieces.map(partial).collect();
        let mut totals = zeros();
        for partial in partials {
            for (totals, partial) in totals.iter_mut().zip(partial) {
                totals.iter_mut().zip(partial).for_each(|(total, partial)| *total += partial);
            }
        }
        totals
    }
}

/// In single precision.
pub(super) fn to_single_precision(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}
