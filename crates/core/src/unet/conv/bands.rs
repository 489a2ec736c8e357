//! Bands: the rows of pixels of outputs that belong to a row of tiles.
//!
//! Takes transformed products; gives outputs, with bias, ReLU and 2x2 pooling where they are
//! wanted, and writes each number once.

use super::tiles;
use super::tiles::{Grid, Place, Planes, TILE};
use crate::unet::feature_map::{FeatureMap, Shape};
use crate::vectors::{Simd, WithSimd};
use std::ops::Range;

/// Where the outputs of a row of tiles go.
pub(super) struct Band<'a> {
    /// Up to four rows of pixels of each map, with the map's channels.
    parts: Vec<(&'a mut [f32], usize)>,
    /// Up to two rows of pixels of the pooled map.
    pooled: Option<&'a mut [f32]>,
}

/// Cuts maps, alike but for their channels, and the pooled map of the first.
pub(super) fn cut<'a>(
    maps: &'a mut [FeatureMap],
    pooled: Option<&'a mut FeatureMap>,
) -> Vec<Band<'a>> {
    let shape = maps[0].shape;
    let down = shape.height.div_ceil(TILE);
    let band = || Band { parts: Vec::new(), pooled: None };
    let mut bands: Vec<_> = (0..shape.batch * down).map(|_| band()).collect();
    for map in maps {
        let channels = map.shape.channels;
        let rows = row_groups(&mut map.values, shape.height, shape.width * channels, TILE);
        for (band, rows) in bands.iter_mut().zip(rows) {
            band.parts.push((rows, channels));
        }
    }
    if let Some(map) = pooled {
        let row = map.shape.width * map.shape.channels;
        let rows = row_groups(&mut map.values, map.shape.height, row, TILE / 2);
        let mut rows = rows.into_iter();
        for (number, band) in bands.iter_mut().enumerate() {
            // A last row of tiles that is one pixel high has nothing to pool.
            if shape.height - number % down * TILE > 1 {
                band.pooled = rows.next();
            }
        }
    }
    bands
}

/// Cuts maps into groups of rows; the last group of a map may be shorter.
fn row_groups(values: &mut [f32], height: usize, row: usize, group: usize) -> Vec<&mut [f32]> {
    let maps = values.chunks_mut((height * row).max(1));
    maps.flat_map(|map| map.chunks_mut((group * row).max(1))).collect()
}

/// Transforms products to outputs and writes them.
pub(super) struct Gather<'a, 'b> {
    /// The products.
    pub from: &'a Planes,
    /// The tiles of the outputs.
    pub grid: Grid,
    /// Which of them.
    pub tiles: Range<usize>,
    /// The first tile of the bands.
    pub first: usize,
    /// Where the outputs go.
    pub bands: &'a mut [Band<'b>],
    /// Bias that is added before ReLU; without it outputs stay as they are.
    pub bias: Option<&'a [f32]>,
}

impl WithSimd for Gather<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = S::F32_LANES;
        let planes = S::as_simd_f32s(&self.from.values).0;
        let (plane, row) = (self.from.plane / lanes, self.from.row / lanes);
        let bias = self.bias.map(|bias| S::as_simd_f32s(bias).0);
        for (number, tile) in self.tiles.enumerate() {
            let Place { top, left, .. } = self.grid.place(tile);
            let band = &mut self.bands[(tile - self.first) / self.grid.across];
            let window = Window::new(self.grid.shape, top, left);
            let mut at = number * row;
            for (part, channels) in &mut band.parts {
                let blocks = *channels / lanes;
                let part = S::as_mut_simd_f32s(part).0;
                for block in 0..blocks {
                    let mut tile = tiles::gather_tile(simd, planes, plane, at + block);
                    if let Some(bias) = bias {
                        rectify(simd, &mut tile, bias[block]);
                    }
                    window.write(&tile, part, blocks, block);
                    if let Some(pooled) = &mut band.pooled {
                        let pooled = S::as_mut_simd_f32s(pooled).0;
                        window.halved().write(&pool(simd, &tile), pooled, blocks, block);
                    }
                }
                at += blocks;
            }
        }
    }
}

/// The pixels of a tile that lie in the map.
#[derive(Clone, Copy)]
struct Window {
    /// Pixels in a row of the map.
    width: usize,
    left: usize,
    rows: usize,
    columns: usize,
}

impl Window {
    #[inline(always)]
    fn new(shape: Shape, top: usize, left: usize) -> Self {
        let (rows, columns) = (TILE.min(shape.height - top), TILE.min(shape.width - left));
        Self { width: shape.width, left, rows, columns }
    }

    /// The same in a map of half the size.
    #[inline(always)]
    fn halved(self) -> Self {
        Self {
            width: self.width / 2,
            left: self.left / 2,
            rows: self.rows / 2,
            columns: self.columns / 2,
        }
    }

    /// Writes one vector of channels of a tile.
    #[inline(always)]
    fn write<V: Copy, const N: usize>(
        self,
        tile: &[[V; N]; N],
        part: &mut [V],
        blocks: usize,
        block: usize,
    ) {
        if self.rows == N && self.columns == N {
            for (row, values) in tile.iter().enumerate() {
                let start = (row * self.width + self.left) * blocks;
                let part = &mut part[start..][..N * blocks];
                for (column, value) in values.iter().enumerate() {
                    part[column * blocks + block] = *value;
                }
            }
            return;
        }
        for (row, values) in tile.iter().enumerate().take(self.rows) {
            for (column, value) in values.iter().enumerate().take(self.columns) {
                part[(row * self.width + self.left + column) * blocks + block] = *value;
            }
        }
    }
}

/// Adds a bias and sets what is negative to 0.
#[inline(always)]
fn rectify<S: Simd>(simd: S, tile: &mut [[S::f32s; TILE]; TILE], bias: S::f32s) {
    let zero = simd.splat_f32s(0.0);
    for value in tile.iter_mut().flatten() {
        *value = simd.max_f32s(simd.add_f32s(*value, bias), zero);
    }
}

/// The greatest of each 2x2 pixels of a tile.
#[inline(always)]
fn pool<S: Simd>(simd: S, tile: &[[S::f32s; TILE]; TILE]) -> [[S::f32s; 2]; 2] {
    let mut pooled = [[simd.splat_f32s(0.0); 2]; 2];
    for (pair, pooled) in tile.chunks_exact(2).zip(&mut pooled) {
        for (column, pooled) in pooled.iter_mut().enumerate() {
            let upper = simd.max_f32s(pair[0][2 * column], pair[0][2 * column + 1]);
            let lower = simd.max_f32s(pair[1][2 * column], pair[1][2 * column + 1]);
            *pooled = simd.max_f32s(upper, lower);
        }
    }
    pooled
}
