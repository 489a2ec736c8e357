//! Object: the pixels of one label, and the label image taken apart into objects.

use crate::grid::components::Run;
use crate::raster::Labels;

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
            let mut start = find_labeled(row, 0);
            while start < row.len() {
                let label = row[start];
                let length = row[start..].iter().position(|&other| other != label);
                let end = length.map_or(row.len(), |length| start + length);
                runs.push((label, Run { y, start: start as u32, end: end as u32 }));
                start = find_labeled(row, end);
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

    /// The object as bits.
    #[must_use]
    pub fn bits(&self) -> ObjectBits {
        let words_by_row = (self.x1 - self.x0 + 2).div_ceil(64) as usize;
        let n_rows = (self.y1 - self.y0 + 2) as usize;
        let mut bits = ObjectBits { words_by_row, words: vec![0; words_by_row * n_rows] };
        for run in &self.runs {
            let row = (run.y - self.y0 + 1) as usize * words_by_row;
            let (start, end) = (run.start - self.x0 + 1, run.end - self.x0 + 1);
            let words = &mut bits.words[row..row + words_by_row];
            for index in start / 64..end.div_ceil(64) {
                let (from, to) = (start.max(index * 64) - index * 64, (end - index * 64).min(64));
                words[index as usize] |= u64::MAX << from & u64::MAX >> (64 - to);
            }
        }
        bits
    }
}

/// The first column from `start` on that has a label; the row's length when there is none.
fn find_labeled(row: &[u32], start: usize) -> usize {
    // Most of an image is background: whole blocks of it are skipped at once.
    let (blocks, _) = row[start..].as_chunks::<16>();
    let is_empty = |block: &&[u32; 16]| block.iter().fold(0, |all, label| all | label) == 0;
    let from = start + 16 * blocks.iter().take_while(is_empty).count();
    row[from..].iter().position(|&label| label != 0).map_or(row.len(), |offset| from + offset)
}

/// An object as one bit for each pixel, with a frame of zeros: 64 pixels are looked at together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectBits {
    words_by_row: usize,
    words: Vec<u64>,
}

impl ObjectBits {
    /// Number of rows, the frame included.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.words.len() / self.words_by_row
    }

    /// Number of words of a row.
    #[must_use]
    pub fn n_words(&self) -> usize {
        self.words_by_row
    }

    /// A word of a row, the same pixels' neighbors to the left, and those to the right.
    #[must_use]
    pub fn word_with_neighbors(&self, row: usize, index: usize) -> [u64; 3] {
        let row = &self.words[row * self.words_by_row..][..self.words_by_row];
        let word = |index: usize| row.get(index).copied().unwrap_or(0);
        let (before, here, after) = (word(index.wrapping_sub(1)), word(index), word(index + 1));
        [here, here << 1 | before >> 63, here >> 1 | after << 63]
    }

    /// The pixels that have one of their four neighbors outside.
    #[must_use]
    pub fn border(&self) -> Self {
        let mut border = Self { words_by_row: self.words_by_row, words: vec![0; self.words.len()] };
        for row in 1..self.n_rows() - 1 {
            for index in 0..self.words_by_row {
                let [here, left, right] = self.word_with_neighbors(row, index);
                let [above, ..] = self.word_with_neighbors(row - 1, index);
                let [below, ..] = self.word_with_neighbors(row + 1, index);
                border.words[row * self.words_by_row + index] =
                    here & !(left & right & above & below);
            }
        }
        border
    }
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
