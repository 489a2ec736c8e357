//! Linear: products of many rows of numbers with one matrix.
//!
//! Takes pixels as rows of their channels; gives rows whose width is rounded up to 16. Used where a
//! convolution sees one pixel at a time.

use super::gemm::{self, Rows};
use crate::vectors;
use crate::vectors::{Simd, WithSimd};

/// How many parts sums over pixels are cut into, on any number of threads.
pub(super) const PARTS: usize = 16;

/// A matrix, laid out for products.
#[derive(Debug, Clone)]
pub(super) struct Matrix {
    depth: usize,
    /// Columns, rounded up to 16.
    pub(super) width: usize,
    panels: Vec<f32>,
}

impl Matrix {
    /// From the number in each row and column.
    pub(super) fn new(depth: usize, columns: usize, value: impl Fn(usize, usize) -> f32) -> Self {
        let width = padded_width(columns);
        let mut panels = Vec::with_capacity(depth * width);
        for first in (0..width).step_by(gemm::COLUMNS) {
            for row in 0..depth {
                let numbers = first..first + gemm::COLUMNS;
                panels.extend(numbers.map(|c| if c < columns { value(row, c) } else { 0.0 }));
            }
        }
        Self { depth, width, panels }
    }

    /// Multiplies rows.
    ///
    /// # Shapes
    /// `rows`: `[n][depth]` with a stride. The result: `[n][width]`, in room for a multiple of six
    /// rows.
    pub(super) fn multiply(&self, rows: Rows<'_>, into: &mut Vec<f32>) {
        let n = rows.values.len().div_ceil(rows.stride);
        into.resize(n.next_multiple_of(gemm::ROWS) * self.width, 0.0);
        vectors::run_simd(Times { matrix: self, rows, into });
    }
}

/// Columns, rounded up to 16.
pub(super) fn padded_width(columns: usize) -> usize {
    columns.next_multiple_of(gemm::COLUMNS)
}

/// Adds to `sums[k][c]` the sum over all rows of `left[k] * right[c]`.
///
/// # Shapes
/// `sums`: `[depth][width]`, a width that is a multiple of 16.
pub(super) fn add_products(left: Rows<'_>, depth: usize, right: Rows<'_>, sums: &mut [f32]) {
    vectors::run_simd(AddProducts { left, depth, right, sums });
}

/// Adds sums of parts, in the order of the parts.
pub(super) fn sum_parts<const N: usize>(parts: Vec<[Vec<f32>; N]>) -> [Vec<f32>; N] {
    let mut totals = [const { Vec::new() }; N];
    for part in parts {
        for (total, part) in totals.iter_mut().zip(part) {
            if total.is_empty() {
                *total = part;
            } else {
                total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
            }
        }
    }
    totals
}

struct Times<'a> {
    matrix: &'a Matrix,
    rows: Rows<'a>,
    into: &'a mut [f32],
}

impl WithSimd for Times<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Matrix { depth, width, panels } = self.matrix;
        let panels = || panels.chunks_exact(depth * gemm::COLUMNS);
        gemm::multiply(simd, self.rows, panels(), self.into, *width);
        let block = gemm::ROWS * self.rows.stride;
        let whole = self.rows.values.len() / block;
        let rest = &self.rows.values[whole * block..];
        if !rest.is_empty() {
            let mut last = vec![0.0; block];
            last[..rest.len()].copy_from_slice(rest);
            let rows = Rows { values: &last, stride: self.rows.stride };
            let into = &mut self.into[whole * gemm::ROWS * width..];
            gemm::multiply(simd, rows, panels(), into, *width);
        }
    }
}

struct AddProducts<'a> {
    left: Rows<'a>,
    depth: usize,
    right: Rows<'a>,
    sums: &'a mut [f32],
}

impl WithSimd for AddProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.sums.len() / self.depth;
        gemm::accumulate(simd, self.left, self.depth, self.right, width, self.sums);
    }
}
