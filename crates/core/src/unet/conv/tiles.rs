//! Tiles: how maps are cut for Winograd's F(4x4, 3x3), and the transforms of their patches.
//!
//! Takes patches of maps; gives 36 planes of numbers in which a 3x3 convolution is a product of
//! matrices, and back. A tile is 4x4 pixels of the output. Lavin and Gray 2016, Fast Algorithms for
//! Convolutional Neural Networks, doi 10.1109/CVPR.2016.435, with points 0, 1, -1, 2, -2 and
//! infinity.

use crate::unet::feature_map::{Shape, View};
use crate::unet::gemm;
use crate::vectors::{Simd, WithSimd};

/// Pixels along an edge of a tile.
pub(super) const TILE: usize = 4;

/// Numbers along an edge of a transformed patch.
pub(super) const SIDE: usize = 6;

/// Planes of transformed numbers.
pub(super) const PLANES: usize = SIDE * SIDE;

/// Channels that the transforms take at once; maps are padded to a multiple.
pub(super) const LANES: usize = 8;

/// How maps are cut into tiles, counted along rows, then down, then from map to map.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    /// The shape of the maps.
    pub shape: Shape,
    /// Tiles beside each other.
    pub across: usize,
    /// Tiles below each other in a map.
    pub down: usize,
}

impl Grid {
    /// Cuts maps.
    pub(super) fn new(shape: Shape) -> Self {
        let (across, down) = (shape.width.div_ceil(TILE), shape.height.div_ceil(TILE));
        Self { shape, across, down }
    }

    /// Tiles in all.
    pub(super) fn n_tiles(&self) -> usize {
        self.shape.batch * self.down * self.across
    }

    /// Where a tile lies.
    #[inline(always)]
    pub(super) fn place(&self, tile: usize) -> Place {
        let (row, column) = (tile / self.across, tile % self.across);
        Place { map: row / self.down, top: row % self.down * TILE, left: column * TILE }
    }
}

/// Where a tile lies.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Which map of the batch.
    pub map: usize,
    /// Its first row.
    pub top: usize,
    /// Its first column.
    pub left: usize,
}

/// Room for transformed patches: 36 planes of rows, one for each tile.
pub(super) struct Planes {
    /// The numbers.
    pub values: Vec<f32>,
    /// From the start of a plane to that of the next.
    pub plane: usize,
    /// From the start of a row to that of the next.
    pub row: usize,
}

impl Planes {
    /// Room for a number of tiles with a number of channels, all zero.
    pub(super) fn new(tiles: usize, row: usize) -> Self {
        // A line more, so that the same place in each plane does not fall on the same cache set.
        let plane = tiles * row + 16;
        Self { values: vec![0.0; PLANES * plane], plane, row }
    }

    /// The rows of a plane.
    #[inline(always)]
    pub(super) fn rows(&self, plane: usize, rows: usize) -> gemm::Rows<'_> {
        let values = &self.values[plane * self.plane..][..rows * self.row];
        gemm::Rows { values, stride: self.row }
    }
}

/// A linear transform of numbers along an edge of a patch to six.
pub(super) trait Spread<const FROM: usize> {
    /// How many pixels the patch begins before its tile, up and to the left.
    const MARGIN: usize;

    /// Transforms.
    fn apply<S: Simd>(simd: S, from: [S::f32s; FROM]) -> [S::f32s; SIDE];
}

/// The transform of inputs, 6x6 pixels around a tile.
pub(super) struct OfInput;

impl Spread<6> for OfInput {
    const MARGIN: usize = 1;

    #[inline(always)]
    fn apply<S: Simd>(simd: S, d: [S::f32s; 6]) -> [S::f32s; SIDE] {
        let [four, minus_four, minus_five] = [4.0, -4.0, -5.0].map(|x| simd.splat_f32s(x));
        let two = simd.splat_f32s(2.0);
        let even = simd.mul_add_e_f32s(minus_four, d[2], d[4]);
        let odd = simd.mul_add_e_f32s(minus_four, d[1], d[3]);
        let even_half = simd.sub_f32s(d[4], d[2]);
        let odd_half = simd.mul_f32s(two, simd.sub_f32s(d[3], d[1]));
        [
            simd.mul_add_e_f32s(four, d[0], simd.mul_add_e_f32s(minus_five, d[2], d[4])),
            simd.add_f32s(even, odd),
            simd.sub_f32s(even, odd),
            simd.add_f32s(even_half, odd_half),
            simd.sub_f32s(even_half, odd_half),
            simd.mul_add_e_f32s(four, d[1], simd.mul_add_e_f32s(minus_five, d[3], d[5])),
        ]
    }
}

/// The transform of an output's gradient, the 4x4 pixels of a tile, for the weights' gradient.
pub(super) struct OfGradient;

impl Spread<4> for OfGradient {
    const MARGIN: usize = 0;

    #[inline(always)]
    fn apply<S: Simd>(simd: S, y: [S::f32s; 4]) -> [S::f32s; SIDE] {
        let (two, four) = (simd.splat_f32s(2.0), simd.splat_f32s(4.0));
        let (even, odd) = (simd.add_f32s(y[0], y[2]), simd.add_f32s(y[1], y[3]));
        let even_far = simd.mul_add_e_f32s(four, y[2], y[0]);
        let odd_far = simd.mul_f32s(two, simd.mul_add_e_f32s(four, y[3], y[1]));
        [
            y[0],
            simd.add_f32s(even, odd),
            simd.sub_f32s(even, odd),
            simd.add_f32s(even_far, odd_far),
            simd.sub_f32s(even_far, odd_far),
            y[3],
        ]
    }
}

/// Transforms patches of consecutive tiles into planes.
pub(super) struct SpreadTiles<'a, T, const FROM: usize> {
    /// The maps.
    pub view: View<'a>,
    /// Their tiles.
    pub grid: Grid,
    /// Which tiles.
    pub tiles: std::ops::Range<usize>,
    /// Where the numbers go.
    pub planes: &'a mut Planes,
    /// Which channel of the planes is the maps' first.
    pub channel: usize,
    /// The transform.
    pub transform: std::marker::PhantomData<T>,
}

impl<T: Spread<FROM>, const FROM: usize> WithSimd for SpreadTiles<'_, T, FROM> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.view.shape.channels;
        let mut patch = vec![0.0; FROM * FROM * channels];
        let lanes = S::F32_LANES;
        let plane = self.planes.plane / lanes;
        let (row, first) = (self.planes.row / lanes, self.channel / lanes);
        let planes = S::as_mut_simd_f32s(&mut self.planes.values).0;
        for (number, tile) in self.tiles.enumerate() {
            let rows = patch_rows::<T, FROM>(self.view, self.grid.place(tile), &mut patch);
            let at = number * row + first;
            spread_tile::<S, T, FROM>(simd, &rows, planes, plane, at);
        }
    }
}

/// The rows of a tile's patch: of the map, or where it reaches over an edge, of a copy with zeros.
#[inline(always)]
fn patch_rows<'a, T: Spread<FROM>, const FROM: usize>(
    view: View<'a>,
    Place { map, top, left }: Place,
    patch: &'a mut [f32],
) -> [&'a [f32]; FROM] {
    let Shape { height, width, channels, .. } = view.shape;
    let length = FROM * channels;
    let mut rows: [&[f32]; FROM] = [&[]; FROM];
    let is_inside = top >= T::MARGIN
        && left >= T::MARGIN
        && top - T::MARGIN + FROM <= height
        && left - T::MARGIN + FROM <= width;
    if is_inside {
        let start = (map * height + top - T::MARGIN) * width + left - T::MARGIN;
        for (number, row) in rows.iter_mut().enumerate() {
            *row = &view.values[(start + number * width) * channels..][..length];
        }
        return rows;
    }
    let skipped = T::MARGIN.saturating_sub(left);
    let from = left + skipped - T::MARGIN;
    let n = (FROM - skipped).min(width - from);
    for (number, copy) in patch.chunks_exact_mut(length).enumerate() {
        copy.fill(0.0);
        let row = top + number;
        if (T::MARGIN..T::MARGIN + height).contains(&row) {
            let start = (map * height + row - T::MARGIN) * width + from;
            let source = &view.values[start * channels..][..n * channels];
            copy[skipped * channels..][..n * channels].copy_from_slice(source);
        }
    }
    for (row, copy) in rows.iter_mut().zip(patch.chunks_exact(length)) {
        *row = copy;
    }
    rows
}

/// Transforms one patch.
#[inline(always)]
fn spread_tile<S: Simd, T: Spread<FROM>, const FROM: usize>(
    simd: S,
    rows: &[&[f32]; FROM],
    planes: &mut [S::f32s],
    plane: usize,
    at: usize,
) {
    let length = rows[0].len() / S::F32_LANES;
    let mut vectors: [&[S::f32s]; FROM] = [&[]; FROM];
    for (vectors, row) in vectors.iter_mut().zip(rows) {
        *vectors = &S::as_simd_f32s(row).0[..length];
    }
    let blocks = length / FROM;
    let zero = simd.splat_f32s(0.0);
    for block in 0..blocks {
        let mut half = [[zero; FROM]; SIDE];
        for column in 0..FROM {
            let mut from = [zero; FROM];
            for (from, row) in from.iter_mut().zip(&vectors) {
                *from = row[column * blocks + block];
            }
            let to = T::apply(simd, from);
            for (half, to) in half.iter_mut().zip(to) {
                half[column] = to;
            }
        }
        for (half, six) in half.iter().zip(planes.chunks_exact_mut(SIDE * plane)) {
            let to = T::apply(simd, *half);
            for (to, plane) in to.iter().zip(six.chunks_exact_mut(plane)) {
                plane[at + block] = *to;
            }
        }
    }
}

/// The transform of six products along an edge to four outputs.
#[inline(always)]
fn gather<S: Simd>(simd: S, m: [S::f32s; SIDE]) -> [S::f32s; TILE] {
    let [two, four, eight] = [2.0, 4.0, 8.0].map(|x| simd.splat_f32s(x));
    let (near, near_odd) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
    let (far, far_odd) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
    [
        simd.add_f32s(simd.add_f32s(m[0], near), far),
        simd.mul_add_e_f32s(two, far_odd, near_odd),
        simd.mul_add_e_f32s(four, far, near),
        simd.mul_add_e_f32s(eight, far_odd, simd.add_f32s(near_odd, m[5])),
    ]
}

/// Transforms the products of one tile and one vector of channels to its 4x4 outputs.
#[inline(always)]
pub(super) fn gather_tile<S: Simd>(
    simd: S,
    planes: &[S::f32s],
    plane: usize,
    at: usize,
) -> [[S::f32s; TILE]; TILE] {
    let zero = simd.splat_f32s(0.0);
    let mut half = [[zero; SIDE]; TILE];
    for (column, six) in planes.chunks_exact(SIDE * plane).take(SIDE).enumerate() {
        let mut from = [zero; SIDE];
        for (from, plane) in from.iter_mut().zip(six.chunks_exact(plane)) {
            *from = plane[at];
        }
        // Planes count along rows: this is a row of products, made a column of the half.
        let to = gather(simd, from);
        for (half, to) in half.iter_mut().zip(to) {
            half[column] = to;
        }
    }
    let mut tile = [[zero; TILE]; TILE];
    for (column, half) in half.iter().enumerate() {
        for (row, value) in gather(simd, *half).into_iter().enumerate() {
            tile[row][column] = value;
        }
    }
    tile
}
