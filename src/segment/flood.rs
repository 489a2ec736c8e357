//! Flood: watershed of one region, from its peaks down, with basins that merge on the way.
//!
//! Pixels are visited from the highest level to the lowest. A pixel without a visited neighbor
//! starts a basin; a pixel between basins decides whether the lower peak stands on its own. This
//! gives the basins of an h-maxima transform and of a marker-controlled watershed in one pass.

use super::distance::{Cell, Patch};

/// Relief of a patch: what the flood follows, high in the middle of nuclei.
#[derive(Debug, Default)]
pub struct Relief {
    /// Level of each pixel of the patch, at most [`MAX_LEVEL`].
    pub levels: Vec<u16>,
    /// Levels of one unit of `h`.
    pub levels_per_unit: f64,
}

/// Highest level of a relief: levels are sorted by counting.
pub const MAX_LEVEL: u16 = 4_095;

/// When a peak stands on its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// It rises this much above the saddle to a higher peak, in units of the relief.
    pub h: f64,
    /// It is this far from a higher peak.
    pub apart: Apart,
}

/// How far two peaks must be apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Apart {
    /// By a number of pixels.
    Px(f64),
    /// By this many times the larger distance of the two peaks to the background.
    Radii(f64),
}

/// A basin: where it is highest, and how far that is from the background.
#[derive(Debug, Clone, Copy)]
struct Peak {
    at: u32,
    level: u16,
    square: u32,
}

/// Basins of a flooded patch.
#[derive(Debug, Default)]
pub struct Basins {
    /// Places of the region's pixels in raster order.
    inside: Vec<u32>,
    /// First place in the order of each level, from the highest down.
    starts: Vec<u32>,
    /// Places of the region's pixels by falling level.
    order: Vec<u32>,
    /// Number of the basin of each pixel, from 1; 0 outside the region.
    numbers: Vec<u32>,
    parents: Vec<u32>,
    peaks: Vec<Peak>,
}

impl Basins {
    /// Floods a patch.
    ///
    /// # Shapes
    /// `relief.levels` and `squares` (squared distances to the background) as `patch.cells`.
    pub fn flood(&mut self, patch: &Patch, relief: &Relief, squares: &[u32], standing: Standing) {
        self.sort(patch, &relief.levels);
        self.numbers.clear();
        self.numbers.resize(patch.cells.len(), 0);
        self.parents.clear();
        self.parents.push(0);
        self.peaks.clear();
        self.peaks.push(Peak { at: 0, level: 0, square: 0 });
        let least_rise = standing.h * relief.levels_per_unit;
        let order = std::mem::take(&mut self.order);
        for &at in &order {
            let at = at as usize;
            let level = relief.levels[at];
            let around = neighbors(patch.width, at);
            let numbers = around.map(|neighbor| self.numbers[neighbor]);
            let first = numbers.into_iter().find(|&number| number != 0).unwrap_or(0);
            if first == 0 {
                let number = self.peaks.len() as u32;
                self.peaks.push(Peak { at: at as u32, level, square: squares[at] });
                self.parents.push(number);
                self.numbers[at] = number;
                continue;
            }
            if numbers.iter().all(|&number| number == 0 || number == first) {
                self.numbers[at] = self.root(first);
                continue;
            }
            let home = self.home(around, &relief.levels);
            self.numbers[at] = home;
            for number in numbers {
                let (one, two) = (self.root(home), self.root(number));
                if two != 0 && one != two {
                    self.meet(one, two, level, least_rise, standing.apart, patch.width);
                }
            }
        }
        self.order = order;
    }

    /// Number of the basin that a pixel ended up in; 0 outside the region.
    pub fn basin(&mut self, at: usize) -> u32 {
        self.root(self.numbers[at])
    }

    /// Upper limit of basin numbers.
    #[must_use]
    pub fn n_numbers(&self) -> usize {
        self.parents.len()
    }

    /// Sorts the region's pixels by falling level; equal levels stay in raster order.
    fn sort(&mut self, patch: &Patch, levels: &[u16]) {
        let highest = levels.iter().copied().max().unwrap_or(0).min(MAX_LEVEL);
        let starts = &mut self.starts;
        starts.clear();
        starts.resize(usize::from(highest) + 2, 0);
        self.inside.clear();
        for (at, (cell, &level)) in patch.cells.iter().zip(levels).enumerate() {
            if *cell == Cell::Inside {
                self.inside.push(at as u32);
                starts[usize::from(highest - level) + 1] += 1;
            }
        }
        for bucket in 1..starts.len() {
            starts[bucket] += starts[bucket - 1];
        }
        self.order.clear();
        self.order.resize(self.inside.len(), 0);
        for &at in &self.inside {
            let place = &mut starts[usize::from(highest - levels[at as usize])];
            self.order[*place as usize] = at;
            *place += 1;
        }
    }

    /// The basin of the highest visited neighbor; of equal neighbors the first in raster order.
    fn home(&mut self, around: [usize; 4], levels: &[u16]) -> u32 {
        let visited = around.into_iter().filter(|&neighbor| self.numbers[neighbor] != 0);
        let highest = visited.rev().max_by_key(|&neighbor| levels[neighbor]);
        highest.map_or(0, |neighbor| self.root(self.numbers[neighbor]))
    }

    /// Two basins meet at a saddle: the lower joins the higher unless it stands on its own.
    fn meet(
        &mut self,
        one: u32,
        two: u32,
        saddle: u16,
        least_rise: f64,
        apart: Apart,
        width: usize,
    ) {
        let (one_peak, two_peak) = (self.peaks[one as usize], self.peaks[two as usize]);
        let one_is_higher = (one_peak.level, two_peak.at) > (two_peak.level, one_peak.at);
        let (high, low) = if one_is_higher { (one, two) } else { (two, one) };
        let (high_peak, low_peak) = (self.peaks[high as usize], self.peaks[low as usize]);
        let rise = f64::from(low_peak.level - saddle);
        let place = |at: u32| ((at as usize % width) as f64, (at as usize / width) as f64);
        let ((x0, y0), (x1, y1)) = (place(high_peak.at), place(low_peak.at));
        let gap = (x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0);
        let least_gap = match apart {
            Apart::Px(px) => px * px,
            Apart::Radii(radii) => radii * radii * f64::from(high_peak.square.max(low_peak.square)),
        };
        if rise == 0.0 || rise < least_rise || gap < least_gap {
            self.parents[low as usize] = high;
        }
    }

    fn root(&mut self, number: u32) -> u32 {
        let mut root = number;
        while self.parents[root as usize] != root {
            self.parents[root as usize] = self.parents[self.parents[root as usize] as usize];
            root = self.parents[root as usize];
        }
        root
    }
}

/// The four neighbors of a pixel inside the frame, in raster order.
fn neighbors(width: usize, at: usize) -> [usize; 4] {
    [at - width, at - 1, at + 1, at + width]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Levels of a row of pixels, framed; gives the basins of the row, renumbered from 1.
    #[track_caller]
    fn check(levels: &[u16], standing: Standing, expected: &[u32]) {
        let width = levels.len() + 2;
        let mut cells = vec![Cell::Outside; 3 * width];
        cells[width + 1..2 * width - 1].fill(Cell::Inside);
        let mut framed = vec![0; 3 * width];
        framed[width + 1..2 * width - 1].copy_from_slice(levels);
        let squares: Vec<u32> = framed.iter().map(|&level| u32::from(level).pow(2)).collect();
        let patch = Patch { width, height: 3, cells };
        let relief = Relief { levels: framed, levels_per_unit: 1.0 };
        let mut basins = Basins::default();
        basins.flood(&patch, &relief, &squares, standing);
        let mut seen = Vec::new();
        let row = (width + 1..2 * width - 1).map(|at| {
            let basin = basins.basin(at);
            let known = seen.iter().position(|&other| other == basin);
            known.unwrap_or_else(|| {
                seen.push(basin);
                seen.len() - 1
            }) as u32
                + 1
        });
        assert_eq!(row.collect::<Vec<_>>(), expected);
    }

    const RISE_2: Standing = Standing { h: 2.0, apart: Apart::Px(0.0) };

    #[test]
    fn peaks_above_h_divide_and_lower_ones_join() {
        check(&[3, 5, 3, 6, 2], RISE_2, &[1, 1, 2, 2, 2]);
        check(&[3, 5, 4, 6, 2], RISE_2, &[1, 1, 1, 1, 1]);
        check(&[9, 1, 9, 8, 9], RISE_2, &[1, 1, 2, 2, 2]);
    }

    #[test]
    fn a_plateau_is_one_peak_even_without_h() {
        let standing = Standing { h: 0.0, apart: Apart::Px(0.0) };
        check(&[4, 4, 4, 4], standing, &[1, 1, 1, 1]);
        check(&[4, 1, 4, 4], standing, &[1, 1, 2, 2]);
    }

    #[test]
    fn peaks_that_are_close_join() {
        let levels = [5, 1, 6, 3, 2, 1, 2, 5];
        check(&levels, Standing { h: 1.0, apart: Apart::Px(4.0) }, &[1, 1, 1, 1, 1, 1, 2, 2]);
        check(&levels, Standing { h: 1.0, apart: Apart::Radii(0.5) }, &[1, 1, 1, 1, 1, 1, 2, 2]);
        check(&levels, Standing { h: 1.0, apart: Apart::Radii(1.0) }, &[1; 8]);
    }
}
