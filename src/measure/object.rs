//! Object: the pixels of one label, and the label image taken apart into objects.

use crate::raster::Labels;
use crate::segment::components::Run;

/// The pixels of one label, which may be in several pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The label.
    pub label: u32,
    /// Its pixels, as runs from top to bottom and from left to right.
    pub runs: Vec<Run>,
    /// First column.
    pub x0: u32,
    /// First row.
    pub y0: u32,
    /// Column after the last.
    pub x1: u32,
    /// Row after the last.
    pub y1: u32,
}

impl Object {
    /// Takes a label image apart, sorted by label.
    #[must_use]
    pub fn all(labels: &Labels) -> Vec<Self> {
        let mut runs: Vec<(u32, Run)> = Vec::new();
        for y in 0..labels.height() {
            let row = labels.row(y);
            let mut start = next_labeled(row, 0);
            while start < row.len() {
                let label = row[start];
                let length = row[start..].iter().position(|&other| other != label);
                let end = length.map_or(row.len(), |length| start + length);
                runs.push((label, Run { y, start: start as u32, end: end as u32 }));
                start = next_labeled(row, end);
            }
        }
        runs.sort_by_key(|&(label, _)| label);
        runs.chunk_by(|one, two| one.0 == two.0).map(Self::of_runs).collect()
    }

    fn of_runs(runs: &[(u32, Run)]) -> Self {
        let (label, first) = runs[0];
        let bounds = runs.iter().fold((first.start, first.end), |(x0, x1), (_, run)| {
            (x0.min(run.start), x1.max(run.end))
        });
        Self {
            label,
            x0: bounds.0,
            y0: first.y,
            x1: bounds.1,
            y1: runs[runs.len() - 1].1.y + 1,
            runs: runs.iter().map(|&(_, run)| run).collect(),
        }
    }

    /// Number of pixels.
    #[must_use]
    pub fn n_px(&self) -> u64 {
        self.runs.iter().map(|run| u64::from(run.n_px())).sum()
    }

    /// Whether a pixel lies on the border of an image of that size.
    #[must_use]
    pub fn touches_border(&self, width: u32, height: u32) -> bool {
        self.x0 == 0 || self.y0 == 0 || self.x1 == width || self.y1 == height
    }

    /// The object as 0 and 1 in a patch with a frame of one pixel.
    #[must_use]
    pub fn patch(&self) -> ObjectPatch {
        let width = (self.x1 - self.x0 + 2) as usize;
        let height = (self.y1 - self.y0 + 2) as usize;
        let mut pixels = vec![0; width * height];
        for run in &self.runs {
            let start = (run.y - self.y0 + 1) as usize * width + (run.start - self.x0 + 1) as usize;
            pixels[start..start + run.n_px() as usize].fill(1);
        }
        ObjectPatch { width, height, pixels }
    }
}

/// The first column from `start` on that has a label; the row's length when there is none.
fn next_labeled(row: &[u32], start: usize) -> usize {
    // Most of an image is background: whole blocks of it are skipped at once.
    let (blocks, _) = row[start..].as_chunks::<16>();
    let is_empty = |block: &&[u32; 16]| block.iter().fold(0, |all, label| all | label) == 0;
    let from = start + 16 * blocks.iter().take_while(is_empty).count();
    row[from..].iter().position(|&label| label != 0).map_or(row.len(), |offset| from + offset)
}

/// An object as 0 and 1, with a frame of zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectPatch {
    /// Columns, the frame included.
    pub width: usize,
    /// Rows, the frame included.
    pub height: usize,
    /// 1 inside, row by row.
    pub pixels: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels;

    #[test]
    fn pieces_of_one_label_are_one_object() {
        let objects = Object::all(&labels![7, 7, 0, 2; 0, 0, 2, 2; 7, 0, 0, 0]);
        assert_eq!(objects.iter().map(|object| object.label).collect::<Vec<_>>(), [2, 7]);
        assert_eq!(objects[1].n_px(), 3);
        assert_eq!((objects[1].x0, objects[1].y0, objects[1].x1, objects[1].y1), (0, 0, 2, 3));
    }

    #[test]
    fn no_label_is_no_object() {
        assert_eq!(Object::all(&Labels::filled(3, 3, 0)), []);
    }
}
