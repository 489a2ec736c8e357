//! Flood: watershed of one region, with basins that merge where a peak does not stand on its own.
//!
//! This gives the basins of an h-maxima transform and of a marker-controlled watershed at once, as
//! if pixels were visited from the highest level to the lowest, equal levels in raster order. Only
//! the few pixels between basins are really sorted and visited like that: where any other pixel
//! belongs is known from its neighbors alone, by climbing to the highest.

use super::SegmentError;
use super::elevation::ElevationMap;
use crate::grid::mask::pack_bits;
use crate::grid::patch::Patch;
use crate::profile::Suppression;
use crate::units::PixelSize;
use crate::vectors::dispatch_simd;
use std::hint::select_unpredictable;
use std::ops::Range;

/// How far apart peaks are under `suppression: auto`.
///
/// Two touching disks have their centers two radii apart; the ridge of one long nucleus has its
/// peaks within one.
pub const AUTO_MIN_PEAK_DISTANCE: MinPeakDistance = MinPeakDistance::Radii(1.0);

/// When a peak stands on its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeakCriteria {
    /// It rises this much above the saddle to a higher peak, in units of the elevation map.
    pub h: f64,
    /// It is this far from a higher peak.
    pub min_peak_distance: MinPeakDistance,
}

/// How far two peaks must be apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MinPeakDistance {
    /// By a number of pixels.
    Px(f64),
    /// By this many times the larger distance of the two peaks to the background.
    Radii(f64),
}

impl MinPeakDistance {
    /// Distance that a profile's suppression asks for.
    ///
    /// # Errors
    /// [`SegmentError::PixelSizeMissing`] when it is in micrometers and `working` is `None`.
    pub fn of(suppression: Suppression, working: Option<PixelSize>) -> Result<Self, SegmentError> {
        Ok(match suppression {
            Suppression::Auto => AUTO_MIN_PEAK_DISTANCE,
            Suppression::Distance(length) => {
                Self::Px(length.px(working).ok_or(SegmentError::PixelSizeMissing)?)
            }
        })
    }
}

/// A basin: where it is highest, and how far that is from the background.
#[derive(Debug, Clone, Copy)]
struct Peak {
    at: u32,
    level: u16,
    square: u32,
}

/// Which neighbor a pixel climbs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Climb {
    /// None: the pixel is a peak, or outside the region.
    Stay = 0,
    Up,
    Left,
    Right,
    Down,
}

/// A pixel where basins meet; the first to be visited is the least.
///
/// Its depth below the highest level, then its place: one number, which sorts in half the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Saddle(u64);

impl Saddle {
    fn new(at: usize, level: u16) -> Self {
        Self(u64::from(u16::MAX - level) << 32 | at as u64)
    }

    fn at(self) -> usize {
        self.0 as u32 as usize
    }
}

/// Basins of a flooded patch.
#[derive(Debug, Default)]
pub struct Basins {
    climbs: Vec<Climb>,
    /// The basin that each basin has joined; itself when none.
    parents: Vec<u32>,
    peaks: Vec<Peak>,
    /// Runs with pixels whose way turns.
    unfinished: Vec<usize>,
    /// Pixels of a run beside other basins, as bits.
    borders: Vec<u64>,
    saddles: Vec<Saddle>,
}

/// How much a basin must stand on its own to be left when it meets a higher one.
#[derive(Debug, Clone, Copy)]
struct Least {
    /// How much its peak rises above the saddle, in levels.
    rise: f64,
    /// How far its peak lies from the other.
    min_peak_distance: MinPeakDistance,
}

impl Basins {
    /// Floods a patch; squared distances to the background become numbers of basins, from 1.
    ///
    /// # Shapes
    /// `elevation.levels` and `places` as `patch.cells`; `places` are 0 outside the region, before
    /// and after.
    pub fn flood(
        &mut self,
        patch: &Patch,
        elevation: &ElevationMap,
        places: &mut [u32],
        criteria: PeakCriteria,
    ) {
        dispatch_simd!(self.find_climbs(patch.width, &elevation.levels));
        self.climb(patch, &elevation.levels, places);
        if self.peaks.len() > 2 {
            self.find_saddles(patch, &elevation.levels, places);
            let least = Least {
                rise: criteria.h * elevation.levels_per_unit,
                min_peak_distance: criteria.min_peak_distance,
            };
            self.merge_basins(patch.width, &elevation.levels, places, least);
        }
    }

    /// The basin that a basin ended up in.
    #[must_use]
    pub fn basin_of(&self, number: u32) -> u32 {
        self.parents[number as usize]
    }

    /// Upper limit of basin numbers.
    #[must_use]
    pub fn n_numbers(&self) -> usize {
        self.parents.len()
    }

    /// Whether all pixels ended up in one basin.
    #[must_use]
    pub fn is_one(&self) -> bool {
        self.parents.iter().skip(2).all(|parent| *parent == self.parents[1])
    }

    /// Finds the highest neighbor that is visited before each pixel; of equal ones the first in
    /// raster order.
    #[inline(always)]
    fn find_climbs(&mut self, width: usize, levels: &[u16]) {
        self.climbs.clear();
        self.climbs.resize(levels.len(), Climb::Stay);
        let inner = width..levels.len() - width;
        let shifted = |by: usize| &levels[by..][..inner.len()];
        let (up, left, here) = (shifted(0), shifted(width - 1), shifted(width));
        let (right, down) = (shifted(width + 1), shifted(2 * width));
        let around = up.iter().zip(left).zip(right).zip(down);
        for ((climb, &here), (((&up, &left), &right), &down)) in
            self.climbs[inner].iter_mut().zip(here).zip(around)
        {
            let highest = up.max(left).max(right.max(down));
            // Of neighbors as high as the pixel, those above and to the left come before it.
            let after = if highest == here { Climb::Stay } else { Climb::Down };
            let after = if right == highest && highest != here { Climb::Right } else { after };
            let visited = if left == highest { Climb::Left } else { after };
            let visited = if up == highest { Climb::Up } else { visited };
            *climb = if highest < here { Climb::Stay } else { visited };
        }
    }

    /// Numbers the pixels by the peak that they climb to.
    ///
    /// Row by row, from the top and then from the bottom: a pixel has the number of the neighbor that
    /// it climbs to, which nearly always has its own by then. No processor foresees where pixels climb
    /// to, so that choosing must not be a jump.
    fn climb(&mut self, patch: &Patch, levels: &[u16], places: &mut [u32]) {
        self.parents.clear();
        self.parents.push(0);
        self.peaks.clear();
        self.peaks.push(Peak { at: 0, level: 0, square: 0 });
        for span in &patch.spans {
            let (above, rest) = places.split_at_mut(span.start);
            let above = &above[span.start - patch.width..][..span.len()];
            self.climb_up(span.clone(), levels, &mut rest[..span.len()], above);
        }
        self.unfinished.clear();
        for (index, span) in patch.spans.iter().enumerate().rev() {
            let (row, below) = places[span.start..].split_at_mut(patch.width);
            let (row, below) = (&mut row[..span.len()], &below[..span.len()]);
            if !climb_down(&self.climbs[span.clone()], row, below) {
                self.unfinished.push(index);
            }
        }
        for &index in &self.unfinished {
            self.climb_unfinished(patch.spans[index].clone(), patch.width, places);
        }
    }

    /// Numbers the peaks of a run, and what climbs to them or to the row above; squares go.
    fn climb_up(&mut self, span: Range<usize>, levels: &[u16], row: &mut [u32], above: &[u32]) {
        let climbs = &self.climbs[span.clone()];
        let mut last = 0;
        for (x, ((place, &climb), &above)) in row.iter_mut().zip(climbs).zip(above).enumerate() {
            let square = *place;
            let along = select_unpredictable(climb == Climb::Left, last, 0);
            last = select_unpredictable(climb == Climb::Up, above, along);
            if climb == Climb::Stay {
                last = self.peaks.len() as u32;
                let at = span.start + x;
                self.parents.push(last);
                self.peaks.push(Peak { at: at as u32, level: levels[at], square });
            }
            *place = last;
        }
        climb_right(climbs, row);
    }

    /// Numbers the few pixels whose way turns from up to down.
    fn climb_unfinished(&self, span: Range<usize>, width: usize, numbers: &mut [u32]) {
        // Places to go for each climb; what does not stand on a table is hard to foresee.
        let steps = [0, width.wrapping_neg(), usize::MAX, 1, width];
        for start in span {
            let mut at = start;
            while numbers[at] == 0 {
                at = at.wrapping_add(steps[self.climbs[at] as usize]);
            }
            let number = numbers[at];
            let mut at = start;
            while numbers[at] == 0 {
                numbers[at] = number;
                at = at.wrapping_add(steps[self.climbs[at] as usize]);
            }
        }
    }

    /// Finds the pixels that are visited when another basin has already come up to them.
    fn find_saddles(&mut self, patch: &Patch, levels: &[u16], numbers: &[u32]) {
        self.saddles.clear();
        // Rarely more; growing would leave a trail of smaller buffers.
        self.saddles.reserve(levels.len() / 16);
        for span in patch.spans.iter().cloned() {
            dispatch_simd!(find_borders(
                &numbers[span.start..],
                patch.width,
                span.len(),
                &mut self.borders
            ));
            for (index, &border) in self.borders.iter().enumerate() {
                let mut remaining = border;
                while remaining != 0 {
                    let at = span.start + 64 * index + remaining.trailing_zeros() as usize;
                    remaining &= remaining - 1;
                    for next in [at + 1, at + patch.width] {
                        if numbers[next] != numbers[at] && numbers[next] != 0 {
                            let later = if levels[next] <= levels[at] { next } else { at };
                            self.saddles.push(Saddle::new(later, levels[later]));
                        }
                    }
                }
            }
        }
        self.saddles.sort_unstable();
        self.saddles.dedup();
    }

    /// Lets basins meet at their saddles, from the highest down.
    fn merge_basins(&mut self, width: usize, levels: &[u16], numbers: &[u32], least: Least) {
        let saddles = std::mem::take(&mut self.saddles);
        for saddle in &saddles {
            let at = saddle.at();
            let level = levels[at];
            let home = numbers[at];
            for (neighbor, level_then) in neighbors(width, at) {
                let is_visited = levels[neighbor] >= level + level_then;
                let number = numbers[neighbor];
                if !is_visited || number == home || number == 0 {
                    continue;
                }
                let (one, two) = (self.root(home), self.root(number));
                if one != two {
                    self.merge_at_saddle(one, two, level, least, width);
                }
            }
        }
        self.saddles = saddles;
        for number in 1..self.parents.len() as u32 {
            self.parents[number as usize] = self.root(number);
        }
    }

    /// Two basins meet at a saddle: the lower joins the higher unless it stands on its own.
    fn merge_at_saddle(&mut self, one: u32, two: u32, saddle: u16, least: Least, width: usize) {
        let (one_peak, two_peak) = (self.peaks[one as usize], self.peaks[two as usize]);
        let one_is_higher = (one_peak.level, two_peak.at) > (two_peak.level, one_peak.at);
        let (high, low) = if one_is_higher { (one, two) } else { (two, one) };
        let (high_peak, low_peak) = (self.peaks[high as usize], self.peaks[low as usize]);
        let rise = f64::from(low_peak.level - saddle);
        let place = |at: u32| ((at as usize % width) as f64, (at as usize / width) as f64);
        let ((x0, y0), (x1, y1)) = (place(high_peak.at), place(low_peak.at));
        let gap = (x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0);
        let least_gap = match least.min_peak_distance {
            MinPeakDistance::Px(px) => px * px,
            MinPeakDistance::Radii(radii) => {
                radii * radii * f64::from(high_peak.square.max(low_peak.square))
            }
        };
        if rise == 0.0 || rise < least.rise || gap < least_gap {
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

/// Numbers the pixels of a run that climb to the row below or along the run; whether all have a number
/// now.
fn climb_down(climbs: &[Climb], row: &mut [u32], below: &[u32]) -> bool {
    let mut last = 0;
    for ((number, &climb), &below) in row.iter_mut().zip(climbs).zip(below) {
        let along = select_unpredictable(climb == Climb::Left, last, *number);
        last = select_unpredictable(climb == Climb::Down, below, along);
        *number = last;
    }
    climb_right(climbs, row) > 0
}

/// Numbers the pixels of a run that climb to their right neighbor; gives the lowest number.
fn climb_right(climbs: &[Climb], row: &mut [u32]) -> u32 {
    let (mut last, mut lowest) = (0, u32::MAX);
    for (number, &climb) in row.iter_mut().zip(climbs).rev() {
        last = select_unpredictable(climb == Climb::Right, last, *number);
        *number = last;
        lowest = lowest.min(last);
    }
    lowest
}

/// Finds the pixels of a run that have another number than their right or lower neighbor, as bits.
#[inline(always)]
fn find_borders(numbers: &[u32], width: usize, n_px: usize, borders: &mut Vec<u64>) {
    borders.clear();
    let (here, right, below) = (&numbers[..n_px], &numbers[1..=n_px], &numbers[width..][..n_px]);
    let neighbors = right.chunks(64).zip(below.chunks(64));
    for (here, (right, below)) in here.chunks(64).zip(neighbors) {
        let mut differ = [0_u8; 64];
        for (differ, ((&here, &right), &below)) in
            differ.iter_mut().zip(here.iter().zip(right).zip(below))
        {
            *differ = u8::from(here != right) | u8::from(here != below);
        }
        borders.push(pack_bits(&differ));
    }
}

/// The four neighbors of a pixel inside the frame, in raster order, and how much higher each must
/// be to be visited before the pixel.
fn neighbors(width: usize, at: usize) -> [(usize, u16); 4] {
    [(at - width, 0), (at - 1, 0), (at + 1, 1), (at + width, 1)]
}

#[cfg(test)]
mod tests;
