//! Weights: those of a 3x3 convolution, transformed for Winograd's F(4x4, 3x3), and back.
//!
//! Takes weights by tap, input and output; gives 36 planes of them in panels of 16 outputs. Sums
//! of products go the other way and give the weights' gradient.

use super::tiles::{PLANES, SIDE};
use crate::unet::gemm;
use crate::vectors;
use crate::vectors::{Simd, WithSimd};
use rayon::prelude::*;

/// Transformed weights: for each panel of 16 outputs `[36][depth][16]`.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    /// Inputs.
    pub(super) depth: usize,
    /// Panels of outputs.
    pub(super) panels: usize,
    values: Vec<f32>,
}

impl Packed {
    /// Transforms weights, given by tap, input and output, whose inputs and outputs go to the
    /// places named.
    pub(super) fn new(
        inputs: &[usize],
        outputs: &[usize],
        weight: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        let depth = inputs.last().map_or(0, |last| last + 1);
        let panels = outputs.last().map_or(0, |last| last + 1).div_ceil(gemm::COLUMNS);
        let width = panels * gemm::COLUMNS;
        let mut plain = vec![0.0; 9 * depth * width];
        plain.par_chunks_exact_mut(depth * width).enumerate().for_each(|(tap, plain)| {
            for (input, row) in inputs.iter().enumerate() {
                let row = &mut plain[row * width..][..width];
                for (output, column) in outputs.iter().enumerate() {
                    row[*column] = weight(tap, input, output);
                }
            }
        });
        let mut values = vec![0.0; PLANES * depth * width];
        let panel_values = values.par_chunks_exact_mut(PLANES * depth * gemm::COLUMNS);
        panel_values.enumerate().for_each(|(panel, into)| {
            let weights = &plain[..];
            vectors::run_simd(SpreadWeights { weights, width, panel, into });
        });
        Self { depth, panels, values }
    }

    /// The panels of a plane.
    #[inline(always)]
    pub(super) fn plane(&self, plane: usize) -> impl Iterator<Item = &[f32]> {
        let size = self.depth * gemm::COLUMNS;
        let panels = self.values.chunks_exact(PLANES * size);
        panels.map(move |panel| &panel[plane * size..][..size])
    }
}

/// Transforms 3x3 weights to 6x6.
///
/// # Shapes
/// `weights`: `[9][depth][width]`, a width that is a multiple of 16; `into`: `[36][depth][16]` of
/// panel `panel`.
struct SpreadWeights<'a> {
    /// The weights.
    pub weights: &'a [f32],
    /// How many numbers each tap has in a row.
    pub width: usize,
    /// Which 16 of them.
    pub panel: usize,
    /// Where the numbers go.
    pub into: &'a mut [f32],
}

impl WithSimd for SpreadWeights<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = S::F32_LANES;
        let per_panel = gemm::COLUMNS / lanes;
        let width = self.width / lanes;
        let weights = S::as_simd_f32s(self.weights).0;
        let tap = weights.len() / 9;
        let into = S::as_mut_simd_f32s(self.into).0;
        let plane = into.len() / PLANES;
        let zero = simd.splat_f32s(0.0);
        for place in 0..plane {
            let from = place / per_panel * width + self.panel * per_panel + place % per_panel;
            let mut half = [[zero; 3]; SIDE];
            for column in 0..3 {
                let at = |row: usize| weights[(row * 3 + column) * tap + from];
                let to = spread_weights(simd, [at(0), at(1), at(2)]);
                for (half, to) in half.iter_mut().zip(to) {
                    half[column] = to;
                }
            }
            for (row, half) in half.iter().enumerate() {
                for (column, to) in spread_weights(simd, *half).into_iter().enumerate() {
                    into[(row * SIDE + column) * plane + place] = to;
                }
            }
        }
    }
}

/// The transform of three weights along an edge to six.
#[inline(always)]
fn spread_weights<S: Simd>(simd: S, g: [S::f32s; 3]) -> [S::f32s; SIDE] {
    let [quarter, sixth, minus_sixth] =
        [1.0 / 4.0, 1.0 / 6.0, -1.0 / 6.0].map(|x| simd.splat_f32s(x));
    let [twelfth, twenty_fourth] = [1.0 / 12.0, 1.0 / 24.0].map(|x| simd.splat_f32s(x));
    let near = simd.mul_f32s(minus_sixth, simd.add_f32s(g[0], g[2]));
    let near_odd = simd.mul_f32s(minus_sixth, g[1]);
    let far = simd.mul_add_e_f32s(sixth, g[2], simd.mul_f32s(twenty_fourth, g[0]));
    let far_odd = simd.mul_f32s(twelfth, g[1]);
    [
        simd.mul_f32s(quarter, g[0]),
        simd.add_f32s(near, near_odd),
        simd.sub_f32s(near, near_odd),
        simd.add_f32s(far, far_odd),
        simd.sub_f32s(far, far_odd),
        g[2],
    ]
}

/// Transforms sums of 6x6 products to the gradient of 3x3 weights.
///
/// # Shapes
/// `sums`: `[36][n]`; `into`: `[9][n]`; `n` is a multiple of 16.
pub(super) struct GatherWeights<'a> {
    /// The sums.
    pub sums: &'a [f32],
    /// Where the gradient goes.
    pub into: &'a mut [f32],
}

impl WithSimd for GatherWeights<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let sums = S::as_simd_f32s(self.sums).0;
        let into = S::as_mut_simd_f32s(self.into).0;
        let (plane, tap) = (sums.len() / PLANES, into.len() / 9);
        let zero = simd.splat_f32s(0.0);
        for place in 0..tap {
            let mut half = [[zero; SIDE]; 3];
            for row in 0..SIDE {
                let mut from = [zero; SIDE];
                for (column, from) in from.iter_mut().enumerate() {
                    *from = sums[(row * SIDE + column) * plane + place];
                }
                for (half, to) in half.iter_mut().zip(gather_weights(simd, from)) {
                    half[row] = to;
                }
            }
            for (column, half) in half.iter().enumerate() {
                for (row, to) in gather_weights(simd, *half).into_iter().enumerate() {
                    into[(row * 3 + column) * tap + place] = to;
                }
            }
        }
    }
}

/// The transform of six sums along an edge to three.
#[inline(always)]
fn gather_weights<S: Simd>(simd: S, u: [S::f32s; SIDE]) -> [S::f32s; 3] {
    let [quarter, sixth, minus_sixth] =
        [1.0 / 4.0, 1.0 / 6.0, -1.0 / 6.0].map(|x| simd.splat_f32s(x));
    let [twelfth, twenty_fourth] = [1.0 / 12.0, 1.0 / 24.0].map(|x| simd.splat_f32s(x));
    let (near, near_odd) = (simd.add_f32s(u[1], u[2]), simd.sub_f32s(u[2], u[1]));
    let (far, far_odd) = (simd.add_f32s(u[3], u[4]), simd.sub_f32s(u[3], u[4]));
    let outer = simd.mul_add_e_f32s(quarter, u[0], simd.mul_f32s(twenty_fourth, far));
    [
        simd.mul_add_e_f32s(minus_sixth, near, outer),
        simd.mul_add_e_f32s(twelfth, far_odd, simd.mul_f32s(sixth, near_odd)),
        simd.mul_add_e_f32s(sixth, simd.sub_f32s(far, near), u[5]),
    ]
}
