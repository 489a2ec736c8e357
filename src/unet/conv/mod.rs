//! Conv: 3x3 convolution with zero padding, and its two gradients.
//!
//! Takes one or more inputs, which count as one whose channels follow each other, and weights
//! `[3][3][in][out]`: `weights[((row * 3 + column) * inputs + input) * outputs + output]`. Works
//! through Winograd's F(4x4, 3x3) on all threads; bits do not depend on their number. Never holds
//! a whole transformed map.

mod channels;
mod tiles;
mod weights;

use super::feature_map::{FeatureMap, Shape, View};
use super::gemm;
use crate::vectors;
use crate::vectors::{Simd, WithSimd};
use channels::{Widened, contiguous, narrowed, places};
use rayon::prelude::*;
use std::marker::PhantomData;
use tiles::{Grid, Planes};
use weights::Packed;

/// Most and fewest tiles that are transformed at once: the fewer channels, the more.
const STRIP_TILES: std::ops::RangeInclusive<usize> = 48..=96;

/// Numbers that the transformed tiles of a strip may have, so that they stay in the second cache.
const STRIP_VALUES: usize = 128 << 10;

/// Most numbers that the partial sums of a weight gradient may have.
const PARTIAL_VALUES: usize = 8 << 20;

/// Convolves: `y[r, c, o] = sum over dr, dc, i of x[r + dr - 1, c + dc - 1, i] * w[dr, dc, i, o]`.
///
/// # Shapes
/// `inputs`: at least one, alike but for their channels. The result has their height and width and
/// `outputs` channels.
#[must_use]
pub fn forward(inputs: &[View<'_>], weights: &[f32], outputs: usize) -> FeatureMap {
    let inputs: Vec<_> = inputs.iter().map(|input| Widened::new(*input)).collect();
    let channels: Vec<_> = inputs.iter().map(|input| input.channels).collect();
    let n_inputs = channels.iter().sum::<usize>();
    let packed = Packed::new(&places(&channels), &contiguous(outputs), |tap, input, output| {
        weights[(tap * n_inputs + input) * outputs + output]
    });
    convolve(&inputs, &packed, &[outputs]).remove(0)
}

/// The gradients of a loss by the inputs, from its gradient by the output.
///
/// # Shapes
/// `inputs`: the channels of each input. The results have the height and width of `gradient`.
#[must_use]
pub fn input_gradients(gradient: View<'_>, weights: &[f32], inputs: &[usize]) -> Vec<FeatureMap> {
    let outputs = gradient.shape.channels;
    let n_inputs = inputs.iter().sum::<usize>();
    let packed = Packed::new(&contiguous(outputs), &places(inputs), |tap, output, input| {
        weights[((8 - tap) * n_inputs + input) * outputs + output]
    });
    convolve(&[Widened::new(gradient)], &packed, inputs)
}

/// The gradient of a loss by the weights, from its gradient by the output.
///
/// # Shapes
/// `[3][3][in][out]`, like the weights.
#[must_use]
pub fn weight_gradient(inputs: &[View<'_>], gradient: View<'_>) -> Vec<f32> {
    let outputs = gradient.shape.channels;
    let channels: Vec<_> = inputs.iter().map(|input| input.shape.channels).collect();
    let inputs: Vec<_> = inputs.iter().map(|input| Widened::new(*input)).collect();
    let gradient = Widened::new(gradient);
    let places = places(&channels);
    let depth = places.last().map_or(0, |last| last + 1);
    let width = outputs.next_multiple_of(gemm::COLUMNS);
    let sums = sum_products(&inputs, &gradient, depth, width);
    let mut plain = vec![0.0; 9 * depth * width];
    vectors::with_floats(weights::GatherWeights { sums: &sums, into: &mut plain });
    let rows = plain
        .chunks_exact(depth * width)
        .flat_map(|tap| places.iter().flat_map(move |place| &tap[place * width..][..outputs]));
    rows.copied().collect()
}

/// Tiles to transform at once for a number of channels before and after.
fn strip_tiles(channels: usize) -> usize {
    let tiles = STRIP_VALUES / (tiles::PLANES * channels);
    tiles.clamp(*STRIP_TILES.start(), *STRIP_TILES.end()) / gemm::ROWS * gemm::ROWS
}

/// Convolves with transformed weights; the outputs' channels are told off to several maps.
fn convolve(inputs: &[Widened<'_>], packed: &Packed, outputs: &[usize]) -> Vec<FeatureMap> {
    let grid = Grid::new(inputs[0].shape);
    let wide = |channels: &usize| channels.next_multiple_of(tiles::LANES);
    let zeros = |channels| FeatureMap::zeros(grid.shape.with_channels(channels));
    let mut maps: Vec<_> = outputs.iter().map(wide).map(zeros).collect();
    let row = inputs.iter().map(|input| input.shape.channels).sum::<usize>();
    let into_row = packed.panels * gemm::COLUMNS;
    let strip = strip_tiles(row + into_row);
    let mut bands = bands(&mut maps);
    let threads = rayon::current_num_threads();
    let least = strip.min(bands.len() * grid.across / threads).div_ceil(grid.across);
    let per_task = (bands.len() / (4 * threads)).max(least).max(1);
    let planes = || (Planes::new(strip, row), Planes::new(strip, into_row));
    let tasks = bands.par_chunks_mut(per_task).enumerate();
    tasks.for_each_init(planes, |(from, to), (task, bands)| {
        let first = task * per_task * grid.across;
        let tiles = first..first + bands.len() * grid.across;
        for tiles in pieces(tiles, strip) {
            spread_inputs(inputs, grid, tiles.clone(), from);
            vectors::with_floats(Multiply { from, packed, to, tiles: tiles.len() });
            vectors::with_floats(Gather { from: to, grid, tiles, first, bands, widths: outputs });
        }
    });
    maps.into_iter().zip(outputs).map(|(map, channels)| narrowed(map, *channels)).collect()
}

/// Cuts a range into pieces of almost equal length, none longer than `most`.
fn pieces(
    range: std::ops::Range<usize>,
    most: usize,
) -> impl Iterator<Item = std::ops::Range<usize>> {
    let n = range.len().div_ceil(most);
    let length = range.len().div_ceil(n.max(1)).next_multiple_of(gemm::ROWS);
    let end = range.end;
    range.step_by(length.max(1)).map(move |start| start..end.min(start + length))
}

/// The four rows of pixels of each row of tiles, of each map.
fn bands(maps: &mut [FeatureMap]) -> Vec<Vec<&mut [f32]>> {
    let mut bands: Vec<Vec<&mut [f32]>> = Vec::new();
    for map in maps {
        let row = map.shape.width * map.shape.channels;
        let each = map.values.chunks_mut((map.shape.height * row).max(1));
        let parts = each.flat_map(|map| map.chunks_mut(tiles::TILE * row));
        for (number, part) in parts.enumerate() {
            match bands.get_mut(number) {
                Some(band) => band.push(part),
                None => bands.push(vec![part]),
            }
        }
    }
    bands
}

/// Transforms the patches of tiles of all inputs.
fn spread_inputs(
    inputs: &[Widened<'_>],
    grid: Grid,
    tiles: std::ops::Range<usize>,
    planes: &mut Planes,
) {
    let mut channel = 0;
    for input in inputs {
        vectors::with_floats(tiles::SpreadTiles::<tiles::OfInput, _> {
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

/// Multiplies transformed tiles by transformed weights.
struct Multiply<'a> {
    from: &'a Planes,
    packed: &'a Packed,
    to: &'a mut Planes,
    tiles: usize,
}

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.tiles.next_multiple_of(gemm::ROWS);
        let stride = self.to.row;
        for plane in 0..tiles::PLANES {
            let into = &mut self.to.values[plane * self.to.plane..][..rows * stride];
            let from = self.from.rows(plane, rows);
            gemm::multiply(simd, from, self.packed.plane(plane), into, stride);
        }
    }
}

/// Transforms products to outputs and writes them.
struct Gather<'a, 'b> {
    from: &'a Planes,
    grid: Grid,
    tiles: std::ops::Range<usize>,
    first: usize,
    bands: &'a mut [Vec<&'b mut [f32]>],
    widths: &'a [usize],
}

impl WithSimd for Gather<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = S::F32_LANES;
        let planes = S::as_simd_f32s(&self.from.values).0;
        let (plane, row) = (self.from.plane / lanes, self.from.row / lanes);
        let Shape { height, width, .. } = self.grid.shape;
        for (number, tile) in self.tiles.enumerate() {
            let (_, top, left) = self.grid.place(tile);
            let band = &mut self.bands[(tile - self.first) / self.grid.across];
            let rows = tiles::TILE.min(height - top);
            let columns = tiles::TILE.min(width - left);
            let mut at = number * row;
            for (part, channels) in band.iter_mut().zip(self.widths) {
                let blocks = channels.next_multiple_of(tiles::LANES) / lanes;
                let part = S::as_mut_simd_f32s(part).0;
                for block in 0..blocks {
                    let tile = tiles::gather_tile(simd, planes, plane, at + block);
                    for (row, values) in tile.iter().enumerate().take(rows) {
                        let part = &mut part[(row * width + left) * blocks..];
                        for (column, value) in values.iter().enumerate().take(columns) {
                            part[column * blocks + block] = *value;
                        }
                    }
                }
                at += blocks;
            }
        }
    }
}

/// Sums over all tiles the products of transformed inputs and transformed gradients.
///
/// # Shapes
/// `[36][depth][width]`.
fn sum_products(
    inputs: &[Widened<'_>],
    gradient: &Widened<'_>,
    depth: usize,
    width: usize,
) -> Vec<f32> {
    let grid = Grid::new(gradient.shape);
    let tiles = grid.shape.batch * grid.down * grid.across;
    let row = inputs.iter().map(|input| input.shape.channels).sum::<usize>();
    let strip = strip_tiles(row + width);
    let n_sums = tiles::PLANES * depth * width;
    // How the sum is cut must not depend on the number of threads.
    let parts = (PARTIAL_VALUES / n_sums).clamp(4, 16).min(tiles.div_ceil(gemm::ROWS)).max(1);
    let each = tiles.div_ceil(parts);
    let partial = |part: usize| {
        let mut sums = vec![0.0; n_sums];
        let mut left = Planes::new(strip, padded_row(row));
        let mut right = Planes::new(strip, padded_row(width));
        for tiles in pieces((part * each).min(tiles)..((part + 1) * each).min(tiles), strip) {
            spread_inputs(inputs, grid, tiles.clone(), &mut left);
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

#[cfg(test)]
mod tests;
