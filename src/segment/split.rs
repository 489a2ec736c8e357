//! Split: from connected regions to nuclei.
//!
//! Every region is worked on by itself, in a patch of its own, so that regions can be split in
//! parallel and the result does not depend on how many threads do it.

use super::components::{Components, Run};
use super::distance::{Cell, MAX_DISTANCE_PX, Patch, Scratch, squared_distances};
use super::flood::{Apart, Basins, MAX_LEVEL, Relief, Standing};
use crate::raster::Raster;
use rayon::prelude::*;

/// The pixels of one nucleus, as runs from top to bottom and from left to right.
pub type Region = Vec<Run>;

/// What the split of a region follows.
#[derive(Debug, Clone, Copy)]
pub enum Guide<'a> {
    /// One nucleus for each region.
    Whole,
    /// Distance to the background; `h` in pixels.
    Distance,
    /// A signal; `h` in its steps.
    Signal(&'a Raster<u16>),
    /// The negative Laplacian of a signal that is already smooth; `h` in its steps.
    Laplacian(&'a Raster<u16>),
}

/// Splits the regions of a mask of `width` times `height` pixels into nuclei, sorted by their first
/// pixel.
#[must_use]
pub fn split(
    components: &Components,
    (width, height): (u32, u32),
    guide: Guide<'_>,
    standing: Standing,
) -> Vec<Region> {
    let regions: Vec<&[Run]> = components.iter().collect();
    let mut nuclei: Vec<Region> = if matches!(guide, Guide::Whole) {
        regions.into_iter().map(<[Run]>::to_vec).collect()
    } else {
        let split_one = |bench: &mut Bench, runs: &&[Run]| {
            bench.lay(runs, width, height);
            bench.split(guide, standing)
        };
        regions
            .par_iter()
            .with_min_len(8)
            .map_init(Bench::default, split_one)
            .flatten_iter()
            .collect()
    };
    nuclei.sort_unstable_by_key(|runs| (runs[0].y, runs[0].start));
    nuclei
}

/// Buffers for one region, used again for the next.
#[derive(Default)]
struct Bench {
    left: i64,
    top: i64,
    patch: Patch,
    squares: Vec<u32>,
    scratch: Scratch,
    relief: Relief,
    basins: Basins,
    rough: Vec<i32>,
}

impl Bench {
    /// Lays a region out as a patch with a frame of one pixel.
    fn lay(&mut self, runs: &[Run], width: u32, height: u32) {
        let left = runs.iter().map(|run| run.start).min().unwrap_or(0);
        let right = runs.iter().map(|run| run.end).max().unwrap_or(0);
        let (top, bottom) = (runs[0].y, runs[runs.len() - 1].y + 1);
        (self.left, self.top) = (i64::from(left) - 1, i64::from(top) - 1);
        let patch = &mut self.patch;
        (patch.width, patch.height) = ((right - left + 2) as usize, (bottom - top + 2) as usize);
        patch.cells.clear();
        patch.cells.resize(patch.width * patch.height, Cell::Outside);
        if top == 0 {
            patch.cells[..patch.width].fill(Cell::Beyond);
        }
        if bottom == height {
            let last = patch.width * (patch.height - 1);
            patch.cells[last..].fill(Cell::Beyond);
        }
        if left == 0 {
            patch.cells.iter_mut().step_by(patch.width).for_each(|cell| *cell = Cell::Beyond);
        }
        if right == width {
            let ends = patch.cells.iter_mut().skip(patch.width - 1);
            ends.step_by(patch.width).for_each(|cell| *cell = Cell::Beyond);
        }
        for run in runs {
            let row = (run.y - top + 1) as usize * patch.width;
            let start = row + (run.start - left + 1) as usize;
            patch.cells[start..start + run.n_px() as usize].fill(Cell::Inside);
        }
    }

    fn split(&mut self, guide: Guide<'_>, standing: Standing) -> Vec<Region> {
        squared_distances(&self.patch, &mut self.scratch, &mut self.squares);
        match guide {
            Guide::Whole | Guide::Distance => self.distance_relief(),
            Guide::Signal(raster) => self.signal_relief(|x, y| i32::from(raster.at(x, y))),
            Guide::Laplacian(raster) => self.signal_relief(|x, y| negative_laplacian(raster, x, y)),
        }
        self.basins.flood(&self.patch, &self.relief, &self.squares, standing);
        self.collect()
    }

    /// Relief of distances to the background, smoothed so that ragged outlines make no peaks.
    fn distance_relief(&mut self) {
        // Sixty-fourths of a pixel leave room for any region that is no whole-slide fold.
        const FINE: f64 = 64.0;
        let farthest = self.squares.iter().copied().max().unwrap_or(0);
        let distance = |square: u32| f64::from(square).sqrt() * FINE;
        let fold = (distance(farthest) / f64::from(u16::MAX)).max(1.0);
        let levels = &mut self.relief.levels;
        levels.clear();
        // The usual divisors are told to the compiler: it divides by one and by four for nothing.
        if fold == 1.0 {
            levels.extend(self.squares.iter().map(|&square| distance(square) as u16));
        } else {
            levels.extend(self.squares.iter().map(|&square| (distance(square) / fold) as u16));
        }
        smooth(levels, self.patch.width);
        smooth(levels, self.patch.width);
        let highest = levels.iter().copied().max().unwrap_or(0);
        // A quarter of the fine steps where that suffices, to sort by counting.
        let coarse = (highest / (MAX_LEVEL + 1) + 1).max(4);
        if coarse == 4 {
            levels.iter_mut().for_each(|level| *level /= 4);
        } else {
            levels.iter_mut().for_each(|level| *level /= coarse);
        }
        self.relief.levels_per_unit = FINE / fold / f64::from(coarse);
    }

    /// Relief of a signal inside the region.
    fn signal_relief(&mut self, signal: impl Fn(u32, u32) -> i32) {
        let width = self.patch.width;
        let rough = &mut self.rough;
        rough.clear();
        rough.extend(self.patch.cells.iter().enumerate().map(|(at, cell)| {
            let x = (self.left + (at % width) as i64) as u32;
            let y = (self.top + (at / width) as i64) as u32;
            if *cell == Cell::Inside { signal(x, y) } else { i32::MIN }
        }));
        let inside = || rough.iter().filter(|value| **value != i32::MIN);
        let low = inside().min().copied().unwrap_or(0);
        let high = inside().max().copied().unwrap_or(0);
        let step = ((high - low) / (i32::from(MAX_LEVEL) + 1)) + 1;
        let level =
            |value: &i32| if *value == i32::MIN { 0 } else { ((value - low) / step) as u16 };
        self.relief.levels.clear();
        self.relief.levels.extend(rough.iter().map(level));
        self.relief.levels_per_unit = 1.0 / f64::from(step);
    }

    /// The basins as runs of the image.
    fn collect(&mut self) -> Vec<Region> {
        let mut regions: Vec<Region> = vec![Vec::new(); self.basins.n_numbers()];
        for row in 1..self.patch.height - 1 {
            let y = (self.top + row as i64) as u32;
            let mut last = 0;
            for column in 1..self.patch.width - 1 {
                let basin = self.basins.basin(row * self.patch.width + column);
                let x = (self.left + column as i64) as u32;
                match regions[basin as usize].last_mut() {
                    _ if basin == 0 => {}
                    Some(run) if basin == last => run.end = x + 1,
                    _ => regions[basin as usize].push(Run { y, start: x, end: x + 1 }),
                }
                last = basin;
            }
        }
        regions.retain(|runs| !runs.is_empty());
        regions
    }
}

/// Binomial smoothing, 1 2 1 in both directions.
fn smooth(levels: &mut [u16], width: usize) {
    let blend = |one: u16, two: u16, three: u16| {
        ((u32::from(one) + 2 * u32::from(two) + u32::from(three) + 2) / 4) as u16
    };
    for row in levels.chunks_mut(width) {
        let mut before = row[0];
        for x in 1..width - 1 {
            let here = row[x];
            row[x] = blend(before, here, row[x + 1]);
            before = here;
        }
    }
    let mut before = levels[..width].to_vec();
    for start in (width..levels.len() - width).step_by(width) {
        for x in 0..width {
            let here = levels[start + x];
            levels[start + x] = blend(before[x], here, levels[start + width + x]);
            before[x] = here;
        }
    }
}

/// Four times a sample less its four neighbors; samples beyond the border repeat the border.
fn negative_laplacian(raster: &Raster<u16>, x: u32, y: u32) -> i32 {
    let (last_x, last_y) = (raster.width() - 1, raster.height() - 1);
    let at = |x: u32, y: u32| i32::from(raster.at(x, y));
    4 * at(x, y)
        - at(x.saturating_sub(1), y)
        - at((x + 1).min(last_x), y)
        - at(x, y.saturating_sub(1))
        - at(x, (y + 1).min(last_y))
}

/// How far apart peaks are under `suppression: auto`.
///
/// Two touching disks have their centers two radii apart; the ridge of one long nucleus has its
/// peaks within one.
pub const AUTO_APART: Apart = Apart::Radii(1.0);

const _: () = assert!(MAX_DISTANCE_PX as u64 * MAX_DISTANCE_PX as u64 <= u32::MAX as u64);

#[cfg(test)]
mod tests {
    use super::super::mask::Mask;
    use super::*;
    use crate::raster::Labels;

    fn disks(centers: &[(f64, f64, f64)]) -> Mask {
        let inside = |x: u32, y: u32| {
            let (x, y) = (f64::from(x), f64::from(y));
            centers.iter().any(|&(cx, cy, r)| (x - cx).powi(2) + (y - cy).powi(2) <= r * r)
        };
        Mask::of(&Labels::from_fn(120, 80, |x, y| u32::from(inside(x, y))), |label| label > 0)
    }

    #[track_caller]
    fn check_count(mask: &Mask, guide: Guide<'_>, expected: usize) {
        let components = Components::of_foreground(mask);
        let standing = Standing { h: 0.75, apart: AUTO_APART };
        let nuclei = split(&components, (mask.width(), mask.height()), guide, standing);
        assert_eq!(nuclei.len(), expected);
        let n_px: u32 = nuclei.iter().flatten().map(|run| run.n_px()).sum();
        assert_eq!(u64::from(n_px), mask.n_foreground(), "no pixel is lost");
    }

    #[test]
    fn touching_disks_are_divided_at_the_neck() {
        check_count(&disks(&[(30.0, 40.0, 12.0), (52.0, 40.0, 12.0)]), Guide::Distance, 2);
        check_count(
            &disks(&[(30.0, 40.0, 12.0), (49.0, 40.0, 9.0), (40.0, 58.0, 11.0)]),
            Guide::Distance,
            3,
        );
        check_count(&disks(&[(30.0, 40.0, 12.0), (52.0, 40.0, 12.0)]), Guide::Whole, 1);
    }

    #[test]
    fn one_disk_stays_whole_also_at_the_border() {
        check_count(&disks(&[(30.0, 40.0, 15.0)]), Guide::Distance, 1);
        check_count(&disks(&[(0.0, 40.0, 15.0)]), Guide::Distance, 1);
        check_count(&disks(&[(119.0, 79.0, 15.0)]), Guide::Distance, 1);
    }

    #[test]
    fn a_dark_valley_divides_a_convex_region() {
        let mask = disks(&[(40.0, 40.0, 20.0)]);
        let signal = Raster::from_fn(120, 80, |x, _| 5_000 + 100 * x.abs_diff(40) as u16);
        check_count(&mask, Guide::Signal(&signal), 2);
    }
}
