//! Split: from connected regions to nuclei.
//!
//! Every region is worked on by itself, in a patch of its own, so that regions can be split in
//! parallel and the result does not depend on how many threads do it.

use super::elevation::ElevationMap;
use super::flood::{Basins, PeakCriteria};
use crate::grid::components::{Components, Run};
use crate::grid::distance::{Scratch, squared_distances};
use crate::grid::patch::Patch;
use crate::raster::Raster;
use rayon::prelude::*;

/// The pixels of one nucleus, as runs from top to bottom and from left to right.
pub type Region = Vec<Run>;

/// Quantity that the split of a region follows.
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
    criteria: PeakCriteria,
) -> Vec<Region> {
    let regions: Vec<&[Run]> = components.iter().collect();
    let mut nuclei: Vec<Region> = if matches!(guide, Guide::Whole) {
        regions.into_iter().map(<[Run]>::to_vec).collect()
    } else {
        let split_one = |bench: &mut Bench, runs: &&[Run]| {
            bench.patch.lay_out_within(runs, (width, height));
            bench.split(runs, guide, criteria)
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
    patch: Patch,
    /// Squared distance of each pixel to the background, then the number of its basin.
    places: Vec<u32>,
    scratch: Scratch,
    elevation: ElevationMap,
    basins: Basins,
}

impl Bench {
    /// Splits the region that was laid out.
    fn split(&mut self, runs: &[Run], guide: Guide<'_>, criteria: PeakCriteria) -> Vec<Region> {
        let Self { patch, places, scratch, elevation, basins } = self;
        squared_distances(patch, scratch, places);
        match guide {
            Guide::Whole | Guide::Distance => {
                elevation.set_from_distances(patch, places, &mut scratch.columns);
            }
            Guide::Signal(raster) => {
                elevation.set_from_signal(patch, runs, |x, y| i32::from(raster.at(x, y)));
            }
            Guide::Laplacian(raster) => {
                elevation.set_from_signal(patch, runs, |x, y| negative_laplacian(raster, x, y));
            }
        }
        basins.flood(patch, elevation, places, criteria);
        if basins.is_one() { vec![runs.to_vec()] } else { self.collect(runs) }
    }

    /// The basins as runs of the image.
    fn collect(&self, runs: &[Run]) -> Vec<Region> {
        let mut regions: Vec<Region> = vec![Vec::new(); self.basins.n_numbers()];
        for (run, span) in runs.iter().zip(&self.patch.spans) {
            let mut start = run.start;
            let number_at = |x: u32| self.places[span.start + (x - run.start) as usize];
            let basin_at = |x: u32| self.basins.basin_of(number_at(x));
            while start < run.end {
                let basin = basin_at(start);
                let other = (start + 1..run.end).find(|&x| basin_at(x) != basin);
                let end = other.unwrap_or(run.end);
                regions[basin as usize].push(Run { y: run.y, start, end });
                start = end;
            }
        }
        regions.retain(|runs| !runs.is_empty());
        regions
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::mask::Mask;
    use crate::nuclei::flood::AUTO_MIN_PEAK_DISTANCE;
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
        let criteria = PeakCriteria { h: 0.75, min_peak_distance: AUTO_MIN_PEAK_DISTANCE };
        let nuclei = split(&components, (mask.width(), mask.height()), guide, criteria);
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
