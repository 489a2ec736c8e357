//! Strips: how many tiles are worked on at a time, and their transformed patches.

use super::channels::Widened;
use super::tiles;
use super::tiles::{Grid, Planes};
use crate::unet::gemm;
use crate::vectors;
use std::marker::PhantomData;
use std::ops::Range;

/// Most and fewest tiles that are transformed at once: the fewer channels, the more.
const STRIP_TILES: std::ops::RangeInclusive<usize> = 48..=96;

/// Numbers that the transformed tiles of a strip may have, so that they stay in the second cache.
const STRIP_VALUES: usize = 128 << 10;

/// Tiles to transform at once for a number of channels before and after.
pub(super) fn strip_tiles(channels: usize) -> usize {
    let tiles = STRIP_VALUES / (tiles::PLANES * channels);
    tiles.clamp(*STRIP_TILES.start(), *STRIP_TILES.end()) / gemm::ROWS * gemm::ROWS
}

/// Cuts a range into pieces of almost equal length, none longer than `most`.
pub(super) fn pieces(range: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let n = range.len().div_ceil(most);
    let length = range.len().div_ceil(n.max(1)).next_multiple_of(gemm::ROWS);
    let end = range.end;
    range.step_by(length.max(1)).map(move |start| start..end.min(start + length))
}

/// Transforms the patches of tiles of all inputs.
pub(super) fn spread_inputs(
    inputs: &[Widened<'_>],
    grid: Grid,
    tiles: Range<usize>,
    planes: &mut Planes,
) {
    let mut channel = 0;
    for input in inputs {
        vectors::run_simd(tiles::SpreadTiles::<tiles::OfInput, _> {
            view: input.view(),
            grid,
            tiles: tiles.clone(),
            planes,
            channel,
            transform: PhantomData,
        });
        channel += input.shape.channels;
    }
}
