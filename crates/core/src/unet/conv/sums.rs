//! Sums: products of transformed inputs and gradients, summed over all tiles.
//!
//! Takes maps and a gradient; gives 36 matrices, from which the weights' gradient follows. Tiles
//! are told off to parts that do not depend on the number of threads.

use super::channels::Widened;
use super::tiles;
use super::tiles::{Grid, Planes};
use crate::unet::gemm;
use crate::unet::linear;
use crate::vectors;
use rayon::prelude::*;
use std::marker::PhantomData;
use std::ops::Range;

/// Most numbers that the sums of all parts may have.
const PARTIAL_VALUES: usize = 8 << 20;

/// Fewest and most parts.
const PARTS: std::ops::RangeInclusive<usize> = 4..=16;

/// Tiles that are transformed at once where there is one part: the more, the less often the sums
/// are read and written.
const LONG_STRIP_TILES: usize = 192;

/// Sums over all tiles the products of transformed inputs and transformed gradients.
///
/// # Shapes
/// `[36][depth][width]`.
pub(super) fn sum_over_tiles(
    inputs: &[Widened<'_>],
    gradient: &Widened<'_>,
    depth: usize,
    width: usize,
) -> Vec<f32> {
    let pair = Pair { inputs, gradient, grid: Grid::new(gradient.shape), depth, width };
    let n_sums = tiles::PLANES * depth * width;
    // Neither how the sum is cut nor in which order it is taken may depend on the number of threads.
    if PARTIAL_VALUES / n_sums.max(1) < *PARTS.start() {
        pair.sums_by_plane(n_sums)
    } else {
        pair.sums_by_part(n_sums, (PARTIAL_VALUES / n_sums.max(1)).min(*PARTS.end()))
    }
}

/// Inputs and gradient that are multiplied.
struct Pair<'a> {
    inputs: &'a [Widened<'a>],
    gradient: &'a Widened<'a>,
    grid: Grid,
    depth: usize,
    width: usize,
}

impl Pair<'_> {
    /// For few channels: threads share the tiles, each part of them has sums of its own.
    fn sums_by_part(&self, n_sums: usize, most_parts: usize) -> Vec<f32> {
        let tiles = self.grid.n_tiles();
        let parts = most_parts.min(tiles.div_ceil(gemm::ROWS)).max(1);
        let each = tiles.div_ceil(parts);
        let partial = |part: usize| {
            let mut sums = vec![0.0; n_sums];
            let mut room = self.room(super::strip_tiles(self.n_inputs() + self.width));
            let tiles = (part * each).min(tiles)..((part + 1) * each).min(tiles);
            for tiles in super::pieces(tiles, room.tiles) {
                self.spread_inputs(tiles.clone(), &mut room.left);
                self.spread_gradient(tiles.clone(), &mut room.right);
                let planes = sums.chunks_exact_mut(self.depth * self.width).enumerate();
                planes.for_each(|(plane, sums)| self.add(&room, tiles.len(), plane, sums));
            }
            sums
        };
        let partials: Vec<_> = (0..parts).into_par_iter().map(partial).collect();
        let mut partials = partials.into_iter();
        let mut sums = partials.next().unwrap_or_default();
        for partial in partials {
            sums.par_iter_mut().zip(partial).for_each(|(sum, partial)| *sum += partial);
        }
        sums
    }

    /// For many channels, whose sums are large and whose tiles are few: threads share the planes.
    fn sums_by_plane(&self, n_sums: usize) -> Vec<f32> {
        let tiles = self.grid.n_tiles();
        let mut sums = vec![0.0; n_sums];
        let mut room = self.room(LONG_STRIP_TILES.min(tiles));
        for tiles in super::pieces(0..tiles, LONG_STRIP_TILES) {
            let Room { left, right, .. } = &mut room;
            rayon::join(
                || self.spread_inputs(tiles.clone(), left),
                || self.spread_gradient(tiles.clone(), right),
            );
            let planes = sums.par_chunks_exact_mut(self.depth * self.width).enumerate();
            planes.for_each(|(plane, sums)| self.add(&room, tiles.len(), plane, sums));
        }
        sums
    }

    /// Channels of the inputs as they are transformed.
    fn n_inputs(&self) -> usize {
        self.inputs.iter().map(|input| input.shape.channels).sum()
    }

    fn room(&self, tiles: usize) -> Room {
        let left = Planes::new(tiles, padded_row(self.n_inputs()));
        Room { tiles, left, right: Planes::new(tiles, padded_row(self.width)) }
    }

    fn spread_inputs(&self, tiles: Range<usize>, planes: &mut Planes) {
        super::spread_inputs(self.inputs, self.grid, tiles, planes);
    }

    fn spread_gradient(&self, tiles: Range<usize>, planes: &mut Planes) {
        vectors::run_simd(tiles::SpreadTiles::<tiles::OfGradient, _> {
            view: self.gradient.view(),
            grid: self.grid,
            tiles,
            planes,
            channel: 0,
            transform: PhantomData,
        });
    }

    /// Adds the products of one plane.
    fn add(&self, room: &Room, tiles: usize, plane: usize, sums: &mut [f32]) {
        let (left, right) = (room.left.rows(plane, tiles), room.right.rows(plane, tiles));
        linear::add_products(left, self.depth, right, sums);
    }
}

/// Room for the transformed tiles of a strip.
struct Room {
    tiles: usize,
    left: Planes,
    right: Planes,
}

/// A distance of rows that spreads the same columns of many rows over the cache's sets.
fn padded_row(channels: usize) -> usize {
    if channels.is_multiple_of(64) { channels + gemm::COLUMNS } else { channels }
}
