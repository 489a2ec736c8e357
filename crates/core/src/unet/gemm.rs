//! Gemm: products of small matrices, held in registers.
//!
//! Takes rows of floats and panels of 16 columns; gives rows. The innermost loop keeps a block of
//! 6 x 16 sums in twelve vectors of eight.

use crate::vectors::Simd;

/// Rows of a block.
pub(super) const ROWS: usize = 6;

/// Columns of a panel.
pub(super) const COLUMNS: usize = 16;

/// Rows of equal length, at equal distances.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    /// The numbers.
    pub values: &'a [f32],
    /// From the start of a row to that of the next.
    pub stride: usize,
}

/// Sets the first `16 * panels` columns of `into` to `rows` times the panels; rows are a multiple
/// of [`ROWS`].
///
/// # Shapes
/// `panel`: from the number of a panel to its numbers, `[depth][16]`.
#[inline(always)]
pub(super) fn multiply<'p, S: Simd>(
    simd: S,
    rows: Rows<'_>,
    panels: impl Iterator<Item = &'p [f32]>,
    into: &mut [f32],
    into_stride: usize,
) {
    for (number, panel) in panels.enumerate() {
        let (panel, _) = panel.as_chunks::<COLUMNS>();
        let blocks = rows.values.chunks_exact(ROWS * rows.stride);
        for (block, into) in blocks.zip(into.chunks_exact_mut(ROWS * into_stride)) {
            let into = &mut into[number * COLUMNS..];
            match S::F32_LANES {
                4 => multiply_block::<S, 4>(simd, block, rows.stride, panel, into, into_stride),
                8 => multiply_block::<S, 2>(simd, block, rows.stride, panel, into, into_stride),
                _ => multiply_block::<S, 1>(simd, block, rows.stride, panel, into, into_stride),
            }
        }
    }
}

/// One block of [`multiply`]; `WIDTH` vectors make a panel's row.
#[inline(always)]
fn multiply_block<S: Simd, const WIDTH: usize>(
    simd: S,
    block: &[f32],
    stride: usize,
    panel: &[[f32; COLUMNS]],
    into: &mut [f32],
    into_stride: usize,
) {
    let depth = panel.len();
    let mut rows = [block; ROWS];
    for (number, row) in rows.iter_mut().enumerate() {
        *row = &block[number * stride..][..depth];
    }
    let mut sums = [[simd.splat_f32s(0.0); WIDTH]; ROWS];
    for (k, columns) in panel.iter().enumerate() {
        let columns = S::as_simd_f32s(columns).0;
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let value = simd.splat_f32s(row[k]);
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum = simd.mul_add_e_f32s(value, *column, *sum);
            }
        }
    }
    for (number, sums) in sums.iter().enumerate() {
        let row = &mut into[number * into_stride..][..COLUMNS];
        S::as_mut_simd_f32s(row).0.copy_from_slice(sums);
    }
}

/// Adds to each `into[k][n]` the sum over all rows `t` of `left[t][k] * right[t][n]`.
///
/// # Shapes
/// `left` and `right` have equally many rows; `into`: `[left_width][right_width]`, the latter a
/// multiple of 16.
#[inline(always)]
pub(super) fn accumulate<S: Simd>(
    simd: S,
    left: Rows<'_>,
    left_width: usize,
    right: Rows<'_>,
    right_width: usize,
    into: &mut [f32],
) {
    let mut first = 0;
    while first < left_width {
        let height = match left_width - first {
            rest if rest >= 6 => 6,
            rest if rest >= 4 => 4,
            rest if rest >= 2 => 2,
            _ => 1,
        };
        let into = &mut into[first * right_width..][..height * right_width];
        let left = Rows { values: &left.values[first..], stride: left.stride };
        for number in 0..right_width / COLUMNS {
            let right = Rows { values: &right.values[number * COLUMNS..], stride: right.stride };
            let into = &mut into[number * COLUMNS..];
            match height {
                6 => outer_product::<S, 6>(simd, left, right, into, right_width),
                4 => outer_product::<S, 4>(simd, left, right, into, right_width),
                2 => outer_product::<S, 2>(simd, left, right, into, right_width),
                _ => outer_product::<S, 1>(simd, left, right, into, right_width),
            }
        }
        first += height;
    }
}

/// One panel of [`accumulate`], `HEIGHT` rows of the result.
#[inline(always)]
fn outer_product<S: Simd, const HEIGHT: usize>(
    simd: S,
    left: Rows<'_>,
    right: Rows<'_>,
    into: &mut [f32],
    into_stride: usize,
) {
    match S::F32_LANES {
        4 => outer_sums::<S, HEIGHT, 4>(simd, left, right, into, into_stride),
        8 => outer_sums::<S, HEIGHT, 2>(simd, left, right, into, into_stride),
        _ => outer_sums::<S, HEIGHT, 1>(simd, left, right, into, into_stride),
    }
}

/// The same; `WIDTH` vectors make 16 columns.
#[inline(always)]
fn outer_sums<S: Simd, const HEIGHT: usize, const WIDTH: usize>(
    simd: S,
    left: Rows<'_>,
    right: Rows<'_>,
    into: &mut [f32],
    into_stride: usize,
) {
    let mut sums = [[simd.splat_f32s(0.0); WIDTH]; HEIGHT];
    for (left, right) in left.values.chunks(left.stride).zip(right.values.chunks(right.stride)) {
        let (left, columns) = (&left[..HEIGHT], S::as_simd_f32s(&right[..COLUMNS]).0);
        for (sums, value) in sums.iter_mut().zip(left) {
            let value = simd.splat_f32s(*value);
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum = simd.mul_add_e_f32s(value, *column, *sum);
            }
        }
    }
    for (number, sums) in sums.iter().enumerate() {
        let row = S::as_mut_simd_f32s(&mut into[number * into_stride..][..COLUMNS]).0;
        for (value, sum) in row.iter_mut().zip(sums) {
            *value = simd.add_f32s(*value, *sum);
        }
    }
}
