//! Conv: 3x3 convolution with zero padding, and its two gradients.
//!
//! Takes one or more inputs, which count as one whose channels follow each other, and weights
//! `[3][3][in][out]`: `weights[((row * 3 + column) * inputs + input) * outputs + output]`. Works
//! through Winograd's F(4x4, 3x3) on all threads; bits do not depend on their number. Never holds
//! a whole transformed map.

mod strips;
mod bands;
mod channels;
mod layer;
mod sums;
mod tiles;
mod weights;

pub use layer::Layer;
use strips::{pieces, spread_inputs, strip_tiles};

use super::feature_map::{FeatureMap, View};
use super::gemm;
use crate::vectors;
use crate::vectors::{Simd, WithSimd};
use bands::Band;
use channels::{Widened, contiguous_indices, narrow_channels, padded_indices};
use rayon::prelude::*;
use tiles::{Grid, Planes};
use weights::Packed;

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
    let (from, to) = (padded_indices(&channels), contiguous_indices(outputs));
    let packed = Packed::new(&from, &to, |tap, input, output| {
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
    let (from, to) = (contiguous_indices(outputs), padded_indices(inputs));
    let packed = Packed::new(&from, &to, |tap, output, input| {
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
    let places = padded_indices(&channels);
    let depth = places.last().map_or(0, |last| last + 1);
    let width = outputs.next_multiple_of(gemm::COLUMNS);
    let sums = sums::sum_over_tiles(&inputs, &gradient, depth, width);
    let mut plain = vec![0.0; 9 * depth * width];
    vectors::run_simd(weights::GatherWeights { sums: &sums, into: &mut plain });
    let rows = plain
        .chunks_exact(depth * width)
        .flat_map(|tap| places.iter().flat_map(move |place| &tap[place * width..][..outputs]));
    rows.copied().collect()
}

/// Convolves with transformed weights; the outputs' channels are told off to several maps.
fn convolve(inputs: &[Widened<'_>], packed: &Packed, outputs: &[usize]) -> Vec<FeatureMap> {
    let shape = inputs[0].shape;
    let wide = |channels: &usize| channels.next_multiple_of(tiles::LANES);
    let zeros = |channels| FeatureMap::zeros(shape.with_channels(channels));
    let mut maps: Vec<_> = outputs.iter().map(wide).map(zeros).collect();
    let mut bands = bands::cut(&mut maps, None);
    convolve_into(inputs, packed, None, &mut bands);
    drop(bands);
    maps.into_iter().zip(outputs).map(|(map, channels)| narrow_channels(map, *channels)).collect()
}

/// Convolves with transformed weights into the bands of the outputs.
fn convolve_into(
    inputs: &[Widened<'_>],
    packed: &Packed,
    bias: Option<&[f32]>,
    bands: &mut [Band<'_>],
) {
    let grid = Grid::new(inputs[0].shape);
    let row = inputs.iter().map(|input| input.shape.channels).sum::<usize>();
    let into_row = packed.panels * gemm::COLUMNS;
    let strip = strip_tiles(row + into_row);
    let threads = rayon::current_num_threads();
    let least = strip.min(bands.len() * grid.across / threads).div_ceil(grid.across.max(1));
    let per_task = (bands.len() / (4 * threads)).max(least).max(1);
    let planes = || (Planes::new(strip, row), Planes::new(strip, into_row));
    let tasks = bands.par_chunks_mut(per_task).enumerate();
    tasks.for_each_init(planes, |(from, to), (task, bands)| {
        let first = task * per_task * grid.across;
        let tiles = first..first + bands.len() * grid.across;
        for tiles in pieces(tiles, strip) {
            spread_inputs(inputs, grid, tiles.clone(), from);
            vectors::run_simd(Multiply { from, packed, to, tiles: tiles.len() });
            vectors::run_simd(bands::Gather { from: to, grid, tiles, first, bands, bias });
        }
    });
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

#[cfg(test)]
mod tests;
