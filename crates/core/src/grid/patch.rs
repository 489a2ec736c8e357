//! Patch: a region cut out of an image, with a frame around it.
//!
//! Takes the runs of a region, gives a small raster that fits the processor's cache. The frame
//! keeps the neighbors of every region pixel inside the patch, and rows are padded to whole
//! vectors.

use super::components::Run;
use std::ops::Range;

/// Widths are multiples of this many pixels, so that rows have no rest for the inner loops.
pub const LANES: usize = 16;

/// A region cut out of an image, with a frame of at least one pixel around it.
#[derive(Debug, Default)]
pub struct Patch {
    /// Columns, the frame included.
    pub width: usize,
    /// Rows, the frame included.
    pub height: usize,
    /// First column of the frame on the right.
    pub right_frame: usize,
    /// Kind of each pixel, row by row.
    pub cells: Vec<Cell>,
    /// Places of the region's pixels in `cells`, a range for each run.
    pub spans: Vec<Range<usize>>,
}

/// Kind of a pixel in a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// Outside of the region, but inside the image.
    Outside,
    /// Part of the region.
    Inside,
    /// Beyond the border of the image: not part of the region, and no background either.
    Beyond,
}

impl Patch {
    /// Lays a region out; all around it is background.
    pub fn lay_out(&mut self, runs: &[Run]) {
        let (columns, rows) = bounds(runs);
        self.right_frame = (columns.end - columns.start + 1) as usize;
        self.width = (self.right_frame + 1).next_multiple_of(LANES);
        self.height = (rows.end - rows.start + 2) as usize;
        self.cells.clear();
        self.cells.resize(self.width * self.height, Cell::Outside);
        self.spans.clear();
        // Buffers of few sizes are easily found a place for.
        self.spans.reserve(runs.len().next_power_of_two());
        for run in runs {
            let row = (run.y - rows.start + 1) as usize * self.width;
            let start = row + (run.start - columns.start + 1) as usize;
            let span = start..start + run.n_px() as usize;
            self.cells[span.clone()].fill(Cell::Inside);
            self.spans.push(span);
        }
    }

    /// Lays a region out; beyond the borders of an image of that size there is no background.
    pub fn lay_out_within(&mut self, runs: &[Run], (width, height): (u32, u32)) {
        self.lay_out(runs);
        let (columns, rows) = bounds(runs);
        let (stride, last) = (self.width, self.width * (self.height - 1));
        if rows.start == 0 {
            self.cells[..stride].fill(Cell::Beyond);
        }
        if rows.end == height {
            self.cells[last..].fill(Cell::Beyond);
        }
        for row in self.cells.chunks_exact_mut(stride) {
            if columns.start == 0 {
                row[0] = Cell::Beyond;
            }
            if columns.end == width {
                row[self.right_frame..].fill(Cell::Beyond);
            }
        }
    }
}

/// Columns and rows that hold a region.
fn bounds(runs: &[Run]) -> (Range<u32>, Range<u32>) {
    let left = runs.iter().map(|run| run.start).min().unwrap_or(0);
    let right = runs.iter().map(|run| run.end).max().unwrap_or(0);
    let top = runs.first().map_or(0, |run| run.y);
    let bottom = runs.last().map_or(0, |run| run.y + 1);
    (left..right, top..bottom)
}
