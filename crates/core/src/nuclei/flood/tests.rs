//! Basins by the definition, and in rows whose basins are plain to see.

use super::*;
use crate::grid::components::Run;
use proptest::prelude::*;

/// Basins of the pixels of runs, each with a level and a squared distance, numbered from 1 as they
/// come.
fn flood_pixels(runs: &[Run], pixels: &[(u16, u32)], criteria: PeakCriteria) -> Vec<u32> {
    let mut patch = Patch::default();
    patch.lay_out(runs);
    let mut elevation = ElevationMap::default();
    elevation.levels.resize(patch.cells.len(), 0);
    elevation.levels_per_unit = 1.0;
    let mut places = vec![0; patch.cells.len()];
    for (at, &pixel) in patch.spans.iter().cloned().flatten().zip(pixels) {
        (elevation.levels[at], places[at]) = pixel;
    }
    let mut basins = Basins::default();
    basins.flood(&patch, &elevation, &mut places, criteria);
    let numbers = patch.spans.iter().cloned().flatten().map(|at| basins.basin_of(places[at]));
    renumber(numbers)
}

fn renumber(numbers: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut distinct = Vec::new();
    let number = |number: u32| {
        let known = distinct.iter().position(|&other| other == number);
        known.unwrap_or_else(|| {
            distinct.push(number);
            distinct.len() - 1
        }) as u32
            + 1
    };
    numbers.map(number).collect()
}

/// Basins of a row of pixels.
#[track_caller]
fn check(levels: &[u16], criteria: PeakCriteria, expected: &[u32]) {
    let pixels: Vec<(u16, u32)> =
        levels.iter().map(|&level| (level, u32::from(level).pow(2))).collect();
    let row = [Run { y: 0, start: 0, end: levels.len() as u32 }];
    assert_eq!(flood_pixels(&row, &pixels, criteria), expected);
}

/// The same by the definition: all pixels of a grid are visited, one after the other.
fn flood_by_definition(
    width: usize,
    grid: &[Option<(u16, u32)>],
    PeakCriteria { h, min_peak_distance }: PeakCriteria,
) -> Vec<u32> {
    fn root(parents: &[usize], mut at: usize) -> usize {
        while parents[at] != at {
            at = parents[at];
        }
        at
    }
    let mut order: Vec<usize> = (0..grid.len()).filter(|&at| grid[at].is_some()).collect();
    order.sort_by_key(|&at| (std::cmp::Reverse(grid[at].unwrap().0), at));
    // The peak that each pixel climbs to, and the one that each peak has joined.
    let (mut peaks, mut parents) = (vec![None; grid.len()], (0..grid.len()).collect::<Vec<_>>());
    for at in order {
        let (x, y) = (at % width, at / width);
        let around = [
            (y > 0).then(|| at - width),
            (x > 0).then(|| at - 1),
            (x + 1 < width).then_some(at + 1),
            Some(at + width).filter(|&below| below < grid.len()),
        ];
        let visited: Vec<usize> =
            around.into_iter().flatten().filter(|&next| peaks[next].is_some()).collect();
        let level = |at: usize| grid[at].unwrap().0;
        let highest = visited.iter().map(|&next| level(next)).max();
        let first = visited.iter().find(|&&next| Some(level(next)) == highest);
        let home = first.map_or(at, |&next| peaks[next].unwrap());
        peaks[at] = Some(home);
        for next in visited {
            let (one, two) = (root(&parents, home), root(&parents, peaks[next].unwrap()));
            // The higher peak; of equal ones the first.
            let rank = |peak: usize| (std::cmp::Reverse(level(peak)), peak);
            let (high, low) = if rank(one) < rank(two) { (one, two) } else { (two, one) };
            let rise = level(low) - level(at);
            let dx = (high % width) as f64 - (low % width) as f64;
            let dy = (high / width) as f64 - (low / width) as f64;
            let square = |at: usize| f64::from(grid[at].unwrap().1);
            let is_close = match min_peak_distance {
                MinPeakDistance::Px(px) => dx * dx + dy * dy < px * px,
                MinPeakDistance::Radii(radii) => {
                    dx * dx + dy * dy < radii * radii * square(high).max(square(low))
                }
            };
            if rise == 0 || f64::from(rise) < h || is_close {
                parents[low] = high;
            }
        }
    }
    renumber(peaks.into_iter().flatten().map(|peak| root(&parents, peak) as u32))
}

proptest! {
    #[test]
    fn basins_are_those_of_visiting_pixel_by_pixel(
        (width, pixels) in (1_usize..150, 1_usize..9, 1_u16..40, 0_u8..4).prop_flat_map(
            |(width, height, n_levels, n_holes)| {
                let pixel = (1..=n_levels, 1_u32..50, 0_u8..10).prop_map(
                    move |(level, square, hole)| (hole >= n_holes).then_some((level, square))
                );
                (Just(width), proptest::collection::vec(pixel, width * height))
            }
        ),
        h in 0_u8..6,
        min_peak_distance in prop_oneof![
            (0_u8..6).prop_map(|px| MinPeakDistance::Px(px.into())),
            (0_u8..3).prop_map(|radii| MinPeakDistance::Radii(radii.into())),
        ],
    ) {
        let mut runs: Vec<Run> = Vec::new();
        for at in (0..pixels.len()).filter(|&at| pixels[at].is_some()) {
            let (x, y) = ((at % width) as u32, (at / width) as u32);
            match runs.last_mut() {
                Some(run) if run.y == y && run.end == x => run.end += 1,
                _ => runs.push(Run { y, start: x, end: x + 1 }),
            }
        }
        prop_assume!(!runs.is_empty());
        let inside: Vec<(u16, u32)> = pixels.iter().flatten().copied().collect();
        let criteria = PeakCriteria { h: h.into(), min_peak_distance };
        prop_assert_eq!(
            flood_pixels(&runs, &inside, criteria),
            flood_by_definition(width, &pixels, criteria)
        );
    }
}

const RISE_2: PeakCriteria = PeakCriteria { h: 2.0, min_peak_distance: MinPeakDistance::Px(0.0) };

#[test]
fn peaks_above_h_divide_and_lower_ones_join() {
    check(&[3, 5, 3, 6, 2], RISE_2, &[1, 1, 2, 2, 2]);
    check(&[3, 5, 4, 6, 2], RISE_2, &[1, 1, 1, 1, 1]);
    check(&[9, 1, 9, 8, 9], RISE_2, &[1, 1, 2, 2, 2]);
}

#[test]
fn basins_are_the_same_wherever_in_a_row_they_meet() {
    for n_before in 0..140 {
        let levels = [&vec![9; n_before][..], &[9, 1, 9, 8, 9]].concat();
        let expected = [&vec![1; n_before][..], &[1, 1, 2, 2, 2]].concat();
        check(&levels, RISE_2, &expected);
        let levels = [&vec![3; n_before][..], &[3, 5, 4, 6, 2]].concat();
        check(&levels, RISE_2, &vec![1; n_before + 5]);
    }
}

#[test]
fn a_plateau_is_one_peak_even_without_h() {
    let criteria = PeakCriteria { h: 0.0, min_peak_distance: MinPeakDistance::Px(0.0) };
    check(&[4, 4, 4, 4], criteria, &[1, 1, 1, 1]);
    check(&[4, 1, 4, 4], criteria, &[1, 1, 2, 2]);
}

#[test]
fn peaks_that_are_close_join() {
    let levels = [5, 1, 6, 3, 2, 1, 2, 5];
    let criteria = |min_peak_distance| PeakCriteria { h: 1.0, min_peak_distance };
    check(&levels, criteria(MinPeakDistance::Px(4.0)), &[1, 1, 1, 1, 1, 1, 2, 2]);
    check(&levels, criteria(MinPeakDistance::Radii(0.5)), &[1, 1, 1, 1, 1, 1, 2, 2]);
    check(&levels, criteria(MinPeakDistance::Radii(1.0)), &[1; 8]);
}
