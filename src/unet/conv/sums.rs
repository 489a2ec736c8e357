//! Sums: products of transformed inputs and gradients, summed over all tiles.
//!
//! Takes maps and a gradient; gives 36 matrices, from which the weights' gradient follows. Tiles
//! are told off to parts that do not depend on the number of threads.

use super::channels::Widened;
use super::tiles;
use super::tiles::{Grid, Planes};
use crate::unet::gemm;
use crate::vectors;
use crate::vectors::{Simd, WithSimd};
use rayon::prelude::*;
use std::marker::PhantomData;

/// Most numbers that the partial sums may have.
const PARTIAL_VALUES: usize = 8 << 20;

/// Sums over all tiles the products of transformed inputs and transformed gradients.
///
/// # Shapes
/// `[36][depth][width]`.
pub(super) fn over_tiles(
    inputs: &[Widened<'_>],
    gradient: &Widened<'_>,
    depth: usize,
    width: usize,
) -> Vec<f32> {
    let grid = Grid::new(gradient.shape);
    let tiles = grid.shape.batch * grid.down * grid.across;
    let row = inputs.iter().map(|input| input.shape.channels).sum::<usize>();
    let strip = super::strip_tiles(row + width);
    let n_sums = tiles::PLANES * depth * width;
    // How the sum is cut must not depend on the number of threads.
    let parts = (PARTIAL_VALUES / n_sums).clamp(4, 16).min(tiles.div_ceil(gemm::ROWS)).max(1);
    let each = tiles.div_ceil(parts);
    let partial = |part: usize| {
        let mut sums = vec![0.0; n_sums];
        let mut left = Planes::new(strip, padded_row(row));
        let mut right = Planes::new(strip, padded_row(width));
        for tiles in super::pieces((part * each).min(tiles)..((part + 1) * each).min(tiles), strip)
        {
            super::spread_inputs(inputs, grid, tiles.clone(), &mut left);
            vectors::with_floats(tiles::SpreadTiles::<tiles::OfGradient, _> {
                view: gradient.view(),
                grid,
                tiles: tiles.clone(),
                planes: &mut right,
                channel: 0,
                transform: PhantomData,
            });
            let (left, right, sums) = (&left, &right, &mut sums[..]);
            vectors::with_floats(Accumulate {
                left,
                depth,
                right,
                width,
                tiles: tiles.len(),
                sums,
            });
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

/// A distance of rows that spreads the same columns of many rows over the cache's sets.
fn padded_row(channels: usize) -> usize {
    if channels.is_multiple_of(64) { channels + 16 } else { channels }
}

/// Adds products of transformed inputs and gradients.
struct Accumulate<'a> {
    left: &'a Planes,
    depth: usize,
    right: &'a Planes,
    width: usize,
    tiles: usize,
    sums: &'a mut [f32],
}

impl WithSimd for Accumulate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let planes = self.sums.chunks_exact_mut(self.depth * self.width).enumerate();
        for (plane, sums) in planes {
            let left = self.left.rows(plane, self.tiles);
            let right = self.right.rows(plane, self.tiles);
            gemm::accumulate(simd, left, self.depth, right, self.width, sums);
        }
    }
}
