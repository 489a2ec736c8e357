//! Components: connected regions of a mask, as runs of pixels.
//!
//! Works on runs and not on pixels: a region of thousands of pixels is a few dozen runs.

use super::mask::Mask;
use std::ops::Range;

/// Foreground pixels side by side in one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Row.
    pub y: u32,
    /// First column.
    pub start: u32,
    /// Column after the last.
    pub end: u32,
}

impl Run {
    /// Number of pixels.
    #[must_use]
    pub fn n_px(self) -> u32 {
        self.end - self.start
    }
}

/// The connected regions of a mask, in the order of their first pixel.
#[derive(Debug, Clone)]
pub struct Components {
    runs: Vec<Run>,
    ranges: Vec<Range<u32>>,
}

impl Components {
    /// Finds the 4-connected regions of the foreground.
    #[must_use]
    pub fn of_foreground(mask: &Mask) -> Self {
        let (runs, rows) = runs(mask, |word| word);
        Self::connect(runs, &rows)
    }

    /// Finds the 4-connected regions of the background.
    #[must_use]
    pub fn of_background(mask: &Mask) -> Self {
        let (runs, rows) = runs(mask, |word| !word);
        Self::connect(runs, &rows)
    }

    /// The runs of each region, from top to bottom and from left to right.
    pub fn iter(&self) -> impl Iterator<Item = &[Run]> {
        self.ranges.iter().map(|range| &self.runs[range.start as usize..range.end as usize])
    }

    /// Keeps only the regions that a rule accepts.
    pub fn retain(&mut self, accepts: impl Fn(&[Run]) -> bool) {
        let runs = &self.runs;
        self.ranges.retain(|range| accepts(&runs[range.start as usize..range.end as usize]));
    }

    fn connect(runs: Vec<Run>, rows: &[usize]) -> Self {
        let mut parents: Vec<u32> = (0..runs.len() as u32).collect();
        for lines in rows.windows(3) {
            let (mut above, above_end) = (lines[0], lines[1]);
            for at in lines[1]..lines[2] {
                while above < above_end && runs[above].end <= runs[at].start {
                    above += 1;
                }
                let mut touching = above;
                while touching < above_end && runs[touching].start < runs[at].end {
                    unite(&mut parents, touching as u32, at as u32);
                    touching += 1;
                }
            }
        }
        group(runs, parents)
    }
}

/// Sorts runs by their region, keeping their order inside it.
fn group(runs: Vec<Run>, mut parents: Vec<u32>) -> Components {
    // A root is the first run of its region, so that regions are numbered in raster order; a parent
    // comes before its children, and has its number by then.
    let mut sizes: Vec<u32> = Vec::new();
    for at in 0..runs.len() {
        let parent = parents[at] as usize;
        if parent == at {
            parents[at] = sizes.len() as u32;
            sizes.push(0);
        } else {
            parents[at] = parents[parent];
        }
        sizes[parents[at] as usize] += 1;
    }
    let numbers = parents;
    let mut end = 0;
    let range = |size: &u32| {
        end += size;
        end - size..end
    };
    let ranges: Vec<Range<u32>> = sizes.iter().map(range).collect();
    let mut places: Vec<u32> = ranges.iter().map(|range| range.start).collect();
    // Buffers of few sizes are easily found a place for, and that of the runs has grown to one of them.
    let mut sorted = Vec::with_capacity(runs.capacity());
    sorted.extend_from_slice(&runs);
    for (run, number) in runs.into_iter().zip(numbers) {
        let place = &mut places[number as usize];
        sorted[*place as usize] = run;
        *place += 1;
    }
    Components { runs: sorted, ranges }
}

/// The runs of a mask and, for each row, the index of its first run; one more index than rows, and
/// an empty row before the first.
fn runs(mask: &Mask, view: impl Fn(u64) -> u64) -> (Vec<Run>, Vec<usize>) {
    let mut runs = Vec::new();
    let mut rows = vec![0, 0];
    for y in 0..mask.height() {
        let row = mask.row(y);
        let mut open: Option<u32> = None;
        for (index, &word) in row.iter().enumerate() {
            // Bits that differ from their left neighbor start or end a run.
            let word = view(word);
            let mut edges = word ^ (word << 1 | u64::from(open.is_some()));
            while edges != 0 {
                let x = index as u32 * 64 + edges.trailing_zeros();
                edges &= edges - 1;
                open = match open {
                    None => Some(x),
                    Some(start) => {
                        runs.push(Run { y, start, end: x });
                        None
                    }
                };
            }
        }
        if let Some(start) = open {
            runs.push(Run { y, start, end: mask.width() });
        }
        // The view of a row's unused bits may have made a run past its end.
        while runs.last().is_some_and(|run| run.y == y && run.start >= mask.width()) {
            runs.pop();
        }
        if let Some(run) = runs.last_mut() {
            run.end = run.end.min(mask.width());
        }
        rows.push(runs.len());
    }
    (runs, rows)
}

fn find(parents: &mut [u32], at: u32) -> u32 {
    let mut root = at;
    while parents[root as usize] != root {
        parents[root as usize] = parents[parents[root as usize] as usize];
        root = parents[root as usize];
    }
    root
}

fn unite(parents: &mut [u32], one: u32, two: u32) {
    let (one, two) = (find(parents, one), find(parents, two));
    let (first, second) = (one.min(two), one.max(two));
    parents[second as usize] = first;
}

/// Fills the holes of a mask: background that does not reach the border, 4-connected.
///
/// # Units
/// `max_area_px2` in pixels; larger holes stay.
pub fn fill_holes(mask: &mut Mask, max_area_px2: f64) {
    if max_area_px2 < 1.0 {
        return;
    }
    let (last_x, last_y) = (mask.width(), mask.height().saturating_sub(1));
    let holes = Components::of_background(mask);
    for hole in holes.iter() {
        let reaches_border =
            |run: &Run| run.start == 0 || run.end == last_x || run.y == 0 || run.y == last_y;
        let area: u64 = hole.iter().map(|run| u64::from(run.n_px())).sum();
        if area as f64 <= max_area_px2 && !hole.iter().any(reaches_border) {
            hole.iter().for_each(|run| mask.set_run(run.y, run.start, run.end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels;
    use crate::raster::Labels;

    fn mask(labels: &Labels) -> Mask {
        Mask::of(labels, |label| label > 0)
    }

    #[track_caller]
    fn check_areas(components: &Components, expected: &[u32]) {
        let areas: Vec<u32> =
            components.iter().map(|runs| runs.iter().map(|run| run.n_px()).sum()).collect();
        assert_eq!(areas, expected);
    }

    #[test]
    fn corners_do_not_connect() {
        let mask = mask(&labels![1, 0, 1; 0, 1, 0; 1, 0, 1]);
        check_areas(&Components::of_foreground(&mask), &[1, 1, 1, 1, 1]);
        check_areas(&Components::of_background(&mask), &[1, 1, 1, 1]);
    }

    #[test]
    fn arms_that_meet_below_are_one() {
        let mask = mask(&labels![1, 0, 1, 0, 1; 1, 0, 1, 0, 1; 1, 1, 1, 0, 0; 0, 0, 0, 1, 1]);
        check_areas(&Components::of_foreground(&mask), &[7, 2, 2]);
    }

    #[test]
    fn runs_cross_words_and_end_at_the_border() {
        let wide = Labels::from_fn(200, 3, |x, y| u32::from(y == 1 && (60..200).contains(&x)));
        check_areas(&Components::of_foreground(&mask(&wide)), &[140]);
        check_areas(&Components::of_background(&mask(&wide)), &[460]);
        let full = Labels::filled(64, 2, 1);
        check_areas(&Components::of_foreground(&mask(&full)), &[128]);
        check_areas(&Components::of_background(&mask(&full)), &[]);
    }

    #[test]
    fn only_enclosed_holes_up_to_the_limit_are_filled() {
        let ring = labels![
            1, 1, 1, 1, 1, 0;
            1, 0, 1, 0, 1, 1;
            1, 1, 1, 0, 1, 0;
            1, 1, 1, 1, 1, 1
        ];
        let filled = |max_area_px2| {
            let mut mask = mask(&ring);
            fill_holes(&mut mask, max_area_px2);
            mask.n_foreground()
        };
        assert_eq!([filled(0.0), filled(1.0), filled(2.0), filled(9.0)], [19, 20, 22, 22]);
    }
}
