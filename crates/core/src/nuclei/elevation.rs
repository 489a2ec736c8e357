//! Elevation map: the levels that the flood follows, high in the middle of nuclei.
//!
//! Takes a patch with its distances, or a signal; gives a level for each pixel of the region. Whole
//! patches are processed at once and in 16 bits, which suits vector instructions.

use crate::grid::components::Run;
use crate::grid::patch::{Cell, Patch};
use crate::vectors::dispatch_simd;

/// Levels of a patch.
#[derive(Debug, Default)]
pub struct ElevationMap {
    /// Level of each pixel of the patch: 0 outside the region, 1 to [`MAX_LEVEL`] inside.
    pub levels: Vec<u16>,
    /// Levels of one unit of `h`.
    pub levels_per_unit: f64,
    /// Values of a signal.
    values: Vec<i32>,
}

/// Highest level of an elevation map.
pub const MAX_LEVEL: u16 = 4_096;

/// Levels of one pixel of distance, before smoothing: sixty-fourths leave room for any region that
/// is no whole-slide fold.
const FINE: f64 = 64.0;

/// Squared distances up to this one have levels that fit 14 bits.
const MAX_SQUARE: u32 = 16_384;

impl ElevationMap {
    /// Elevation map of distances to the background, smoothed so that ragged outlines make no
    /// peaks.
    ///
    /// # Shapes
    /// `squares`: squared distances as `patch.cells`. `between` is overwritten.
    pub fn set_from_distances(&mut self, patch: &Patch, squares: &[u32], between: &mut Vec<u16>) {
        let farthest = squares.iter().fold(0, |farthest, &square| square.max(farthest));
        let distance = |square: u32| f64::from(square).sqrt() * FINE;
        let fold = (distance(farthest) / f64::from(u16::MAX)).max(1.0);
        self.levels.clear();
        self.levels.resize(squares.len(), 0);
        if farthest <= MAX_SQUARE {
            dispatch_simd!(fine_roots(squares, &mut self.levels));
            // Four times 14 bits are 16.
            self.smooth_twice(patch, between, |one, two, three| (one + 2 * two + three + 2) / 4);
        } else {
            for (level, &square) in self.levels.iter_mut().zip(squares) {
                *level = (distance(square) / fold) as u16;
            }
            self.smooth_twice(patch, between, |one, two, three| {
                ((u32::from(one) + 2 * u32::from(two) + u32::from(three) + 2) / 4) as u16
            });
        }
        let highest = self.levels.iter().fold(0, |highest, &level| level.max(highest));
        // A quarter of the fine steps where that suffices.
        let coarse = (highest / MAX_LEVEL + 1).max(4);
        if coarse == 4 {
            self.convert_inside(patch, |level| level / 4);
        } else {
            self.convert_inside(patch, |level| level / coarse);
        }
        self.levels_per_unit = FINE / fold / f64::from(coarse);
    }

    /// Elevation map of a signal inside the region.
    ///
    /// # Shapes
    /// `runs`: those that the patch was laid out from.
    pub fn set_from_signal(
        &mut self,
        patch: &Patch,
        runs: &[Run],
        signal: impl Fn(u32, u32) -> i32,
    ) {
        self.values.clear();
        for run in runs {
            self.values.extend((run.start..run.end).map(|x| signal(x, run.y)));
        }
        let low = self.values.iter().min().copied().unwrap_or(0);
        let high = self.values.iter().max().copied().unwrap_or(0);
        let step = ((high - low) / i32::from(MAX_LEVEL)) + 1;
        self.levels.clear();
        self.levels.resize(patch.cells.len(), 0);
        let places = patch.spans.iter().flat_map(|span| span.clone());
        for (at, value) in places.zip(&self.values) {
            self.levels[at] = ((value - low) / step) as u16 + 1;
        }
        self.levels_per_unit = 1.0 / f64::from(step);
    }

    /// Binomial smoothing, 1 2 1 in both directions, twice; `between` holds what is smooth in one.
    fn smooth_twice(
        &mut self,
        patch: &Patch,
        between: &mut Vec<u16>,
        blend: impl Fn(u16, u16, u16) -> u16 + Copy,
    ) {
        between.clear();
        between.resize(self.levels.len(), 0);
        for _ in 0..2 {
            // Rows run into each other for one pixel of the frame, which is cleared afterwards.
            dispatch_simd!(blend_neighbors(&self.levels, between, 1, blend));
            for row in between.chunks_exact_mut(patch.width) {
                row[0] = 0;
                row[patch.right_frame..].fill(0);
            }
            dispatch_simd!(blend_neighbors(between, &mut self.levels, patch.width, blend));
        }
    }

    /// Converts the levels of the region, and counts them from 1; the others become 0.
    fn convert_inside(&mut self, patch: &Patch, convert: impl Fn(u16) -> u16) {
        for (level, &cell) in self.levels.iter_mut().zip(&patch.cells) {
            *level = if cell == Cell::Inside { convert(*level) + 1 } else { 0 };
        }
    }
}

/// Roots of squared distances up to [`MAX_SQUARE`], in fine steps, rounded down.
#[inline(always)]
fn fine_roots(squares: &[u32], levels: &mut [u16]) {
    const FINE: i32 = self::FINE as i32;
    for (level, &square) in levels.iter_mut().zip(squares) {
        let square = square as i32 * (FINE * FINE);
        // Single precision is nearly exact, and beyond 2²³ it has whole numbers only: those that are
        // added are rounded there, to the nearest one, and stand in its lowest bits.
        let near = ((square as f32).sqrt() + 8_388_608.0).to_bits() as i32 & 0x007F_FFFF;
        let past = i32::from(near * near > square);
        *level = (near - past) as u16;
    }
}

/// Blends every level with those `step` places before and after it, where there are both.
#[inline(always)]
fn blend_neighbors(
    from: &[u16],
    to: &mut [u16],
    step: usize,
    blend: impl Fn(u16, u16, u16) -> u16,
) {
    let n = from.len() - 2 * step;
    let (before, here, after) = (&from[..n], &from[step..][..n], &from[2 * step..]);
    let sources = before.iter().zip(here).zip(after);
    for (level, ((&one, &two), &three)) in to[step..][..n].iter_mut().zip(sources) {
        *level = blend(one, two, three);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_rounded_down() {
        let squares: Vec<u32> = (0..=MAX_SQUARE).collect();
        let mut levels = vec![0; squares.len()];
        fine_roots(&squares, &mut levels);
        for (square, level) in squares.into_iter().zip(levels) {
            assert_eq!(u32::from(level), (square * 4096).isqrt(), "{square}");
        }
    }
}
