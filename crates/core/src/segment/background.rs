//! Background: subtraction of everything wider than a nucleus from the signal.
//!
//! Gray-scale morphology with flat disks, in integers. Beyond the border there is nothing: windows
//! are clipped.

use crate::grid::disk::disk_half_widths;
use crate::raster::Raster;
use crate::vectors::dispatch_simd;
use rayon::prelude::*;
use std::collections::VecDeque;

/// Subtracts the opening by a disk (white top-hat).
///
/// # Units
/// `radius_px` in pixels.
#[must_use]
pub(super) fn subtract_opening(raster: &Raster<u16>, radius_px: f64) -> Raster<u16> {
    subtract(raster, &dilate(&erode(raster, radius_px), radius_px))
}

/// Subtracts the reconstruction by dilation of the erosion by a disk: unlike the opening it follows
/// the shape of everything that is wider than the disk somewhere.
///
/// # Units
/// `radius_px` in pixels.
///
/// # Sources
/// Vincent 1993, Morphological grayscale reconstruction in image analysis, hybrid algorithm,
/// doi:10.1109/83.217222; 8-connected.
#[must_use]
pub(super) fn subtract_reconstruction(raster: &Raster<u16>, radius_px: f64) -> Raster<u16> {
    subtract(raster, &reconstruct(erode(raster, radius_px), raster))
}

fn subtract(raster: &Raster<u16>, background: &Raster<u16>) -> Raster<u16> {
    let pairs = raster.samples().iter().zip(background.samples());
    let samples = pairs.map(|(&sample, &back)| sample.saturating_sub(back)).collect();
    Raster::from_samples(raster.width(), raster.height(), samples).expect("the shape is kept")
}

/// The smallest sample in the disk around each pixel.
fn erode(raster: &Raster<u16>, radius_px: f64) -> Raster<u16> {
    extremes_over_disks::<Smallest>(raster, radius_px)
}

/// The largest sample in the disk around each pixel.
fn dilate(raster: &Raster<u16>, radius_px: f64) -> Raster<u16> {
    extremes_over_disks::<Largest>(raster, radius_px)
}

/// Which of two samples wins; `NEUTRAL` never does, and stands beyond the border.
trait Extreme {
    const NEUTRAL: u16;
    fn pick(one: u16, other: u16) -> u16;
}

struct Smallest;
struct Largest;

impl Extreme for Smallest {
    const NEUTRAL: u16 = u16::MAX;
    #[inline(always)]
    fn pick(one: u16, other: u16) -> u16 {
        one.min(other)
    }
}

impl Extreme for Largest {
    const NEUTRAL: u16 = 0;
    #[inline(always)]
    fn pick(one: u16, other: u16) -> u16 {
        one.max(other)
    }
}

/// The extreme over the disk around each pixel.
fn extremes_over_disks<E: Extreme>(raster: &Raster<u16>, radius_px: f64) -> Raster<u16> {
    let half_widths = disk_half_widths(radius_px);
    let (width, height) = (raster.width() as usize, i64::from(raster.height()));
    let mut extremes = raster.clone();
    // Rows of a disk with equal half width share one horizontal pass.
    let mut first = 0;
    while first < half_widths.len() {
        let half = half_widths[first];
        let last = half_widths.iter().rposition(|&other| other == half).unwrap_or(first);
        let lines = extremes_over_windows::<E>(raster, half);
        extremes.samples_mut().par_chunks_mut(width.max(1)).enumerate().for_each(|(y, row)| {
            for reach in first..=last {
                let above = y as i64 - reach as i64;
                let below = y as i64 + reach as i64;
                for from in [above, below].into_iter().filter(|from| (0..height).contains(from)) {
                    let line = lines.row(from as u32);
                    dispatch_simd!(pick_each::<E>(row, line));
                }
            }
        });
        first = last + 1;
    }
    extremes
}

/// The extreme of `2 * half + 1` samples of a row around each pixel.
fn extremes_over_windows<E: Extreme>(raster: &Raster<u16>, half: usize) -> Raster<u16> {
    let (width, window) = (raster.width() as usize, 2 * half + 1);
    let mut extremes = raster.clone();
    let rows = extremes.samples_mut().par_chunks_mut(width.max(1)).with_min_len(16);
    rows.for_each_init(<(Vec<u16>, Vec<u16>)>::default, |(right, spare), row| {
        right.clear();
        right.resize(half, E::NEUTRAL);
        right.extend_from_slice(row);
        right.resize(width + 2 * half, E::NEUTRAL);
        spare.clone_from(right);
        dispatch_simd!(row_extremes::<E>(right, spare, window, row));
    });
    extremes
}

/// Windows of lengths 1, 2, 4, … to the right, then two of them that overlap.
///
/// # Shapes
/// `right` is the row with `NEUTRAL` around it, and `spare` of the same length; both are used up.
#[inline(always)]
fn row_extremes<'a, E: Extreme>(
    mut right: &'a mut [u16],
    mut spare: &'a mut [u16],
    window: usize,
    row: &mut [u16],
) {
    let mut length = 1;
    while 2 * length <= window {
        let pairs = right.iter().zip(&right[length..]);
        // The last `length` are left as they are: `NEUTRAL` in both.
        spare.iter_mut().zip(pairs).for_each(|(to, (&one, &two))| *to = E::pick(one, two));
        std::mem::swap(&mut right, &mut spare);
        length *= 2;
    }
    let pairs = right.iter().zip(&right[window - length..]);
    row.iter_mut().zip(pairs).for_each(|(to, (&one, &two))| *to = E::pick(one, two));
}

#[inline(always)]
fn pick_each<E: Extreme>(row: &mut [u16], line: &[u16]) {
    row.iter_mut().zip(line).for_each(|(to, &value)| *to = E::pick(*to, value));
}

/// Reconstruction by dilation of `marker` under `mask`.
fn reconstruct(marker: Raster<u16>, mask: &Raster<u16>) -> Raster<u16> {
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    let mut level = marker.into_samples();
    let ceiling = mask.samples();
    let around = |at: usize| {
        let (x, y) = ((at % width) as i64, (at / width) as i64);
        let steps = [(-1, -1), (0, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (0, 1), (1, 1)];
        let inside = move |&(x, y): &(i64, i64)| {
            (0..width as i64).contains(&x) && (0..height as i64).contains(&y)
        };
        let places = steps.map(|(dx, dy)| (x + dx, y + dy));
        places.into_iter().filter(inside).map(move |(x, y)| y as usize * width + x as usize)
    };
    for at in 0..level.len() {
        let reach = around(at).filter(|&other| other < at).map(|other| level[other]).max();
        level[at] = level[at].max(reach.unwrap_or(0)).min(ceiling[at]);
    }
    let mut queue = VecDeque::new();
    for at in (0..level.len()).rev() {
        let reach = around(at).filter(|&other| other > at).map(|other| level[other]).max();
        level[at] = level[at].max(reach.unwrap_or(0)).min(ceiling[at]);
        let can_grow = |other: usize| level[other] < level[at] && level[other] < ceiling[other];
        if around(at).filter(|&other| other > at).any(can_grow) {
            queue.push_back(at);
        }
    }
    while let Some(at) = queue.pop_front() {
        for other in around(at) {
            if level[other] < level[at] && level[other] != ceiling[other] {
                level[other] = level[at].min(ceiling[other]);
                queue.push_back(other);
            }
        }
    }
    Raster::from_samples(mask.width(), mask.height(), level).expect("the shape is kept")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot_on_slope() -> Raster<u16> {
        Raster::from_fn(60, 50, |x, y| {
            let spot = (x as i64 - 30).pow(2) + (y as i64 - 25).pow(2) <= 16;
            100 + 2 * x as u16 + if spot { 500 } else { 0 }
        })
    }

    #[test]
    fn slope_goes_and_spot_stays() {
        for subtract in [subtract_opening, subtract_reconstruction] {
            let flat = subtract(&spot_on_slope(), 8.0);
            assert!(flat.at(30, 25) >= 490, "{}", flat.at(30, 25));
            assert!(flat.at(10, 10) <= 40, "{}", flat.at(10, 10));
        }
    }

    #[test]
    fn extremes_are_those_of_the_disk_clipped_at_the_border() {
        let raster = Raster::from_fn(23, 19, |x, y| ((x * 37 + y * 91) * 7919 % 65_521) as u16);
        for radius in [0_i64, 1, 3, 6, 15, 40] {
            let (eroded, dilated) = (erode(&raster, radius as f64), dilate(&raster, radius as f64));
            for (x, y) in (0..19).flat_map(|y| (0..23).map(move |x| (x, y))) {
                let in_disk = (0..19_i64)
                    .flat_map(|row| (0..23_i64).map(move |column| (column, row)))
                    .filter(|(column, row)| {
                        (column - x).pow(2) + (row - y).pow(2) <= radius * radius
                    })
                    .map(|(column, row)| raster.at(column as u32, row as u32));
                let extremes = (eroded.at(x as u32, y as u32), dilated.at(x as u32, y as u32));
                let expected = (in_disk.clone().min().unwrap(), in_disk.max().unwrap());
                assert_eq!(extremes, expected, "({x}, {y}), radius {radius}");
            }
        }
    }

    #[test]
    fn reconstruction_fills_the_plateau_it_touches_and_no_other() {
        let mask = Raster::from_fn(9, 1, |x, _| [5, 9, 9, 5, 2, 5, 9, 9, 5][x as usize]);
        let marker = Raster::from_fn(9, 1, |x, _| if x == 1 { 9 } else { 0 });
        assert_eq!(reconstruct(marker, &mask).samples(), [5, 9, 9, 5, 2, 2, 2, 2, 2]);
    }
}
