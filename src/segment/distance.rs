//! Distance: from every pixel of a region to the nearest pixel outside it, exact.

use std::ops::Range;

/// A region cut out of an image, with a frame of one pixel around it.
///
/// The frame keeps neighbors of every region pixel inside the patch.
#[derive(Debug, Default)]
pub struct Patch {
    /// Columns, the frame included.
    pub width: usize,
    /// Rows, the frame included.
    pub height: usize,
    /// What each pixel is, row by row.
    pub cells: Vec<Cell>,
}

/// What a pixel of a patch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// Outside of the region, but inside the image.
    Outside,
    /// Part of the region.
    Inside,
    /// Beyond the border of the image: not part of the region, and no background either.
    Beyond,
}

/// Largest distance that is told apart, in pixels: that of a region without any background.
pub const MAX_DISTANCE_PX: u16 = 16_383;

/// Squared distances, in whole pixels, of a patch; 0 outside the region.
///
/// # Sources
/// Meijster, Roerdink and Hesselink 2000, A general algorithm for computing distance transforms
/// in linear time, doi:10.1007/0-306-47025-X_36. Agrees with scipy's `distance_transform_edt`,
/// which knows no background beyond the border either.
pub fn squared_distances(patch: &Patch, scratch: &mut Scratch, squares: &mut Vec<u32>) {
    let Patch { width, height, ref cells } = *patch;
    let columns = &mut scratch.columns;
    columns.clear();
    columns.resize(width * height, 0);
    let mut above = vec![MAX_DISTANCE_PX; width];
    for (line, cells) in columns.chunks_exact_mut(width).zip(cells.chunks_exact(width)) {
        for ((distance, above), &cell) in line.iter_mut().zip(&mut above).zip(cells) {
            let grown = (*above + 1).min(MAX_DISTANCE_PX);
            *distance = if cell == Cell::Outside { 0 } else { grown };
            *above = *distance;
        }
    }
    let mut below = above;
    for line in columns.chunks_exact_mut(width).rev() {
        for (distance, below) in line.iter_mut().zip(&mut below) {
            *distance = (*distance).min(*below + 1);
            *below = *distance;
        }
    }
    squares.clear();
    squares.resize(width * height, 0);
    for y in 0..height {
        let row = y * width..(y + 1) * width;
        let line = &columns[row.clone()];
        if line.iter().all(|&distance| distance <= NEAR_PX) {
            nearest(line, &mut scratch.near, &mut squares[row.clone()]);
        } else {
            for run in runs_with_neighbors(line) {
                let squares = &mut squares[row.clone()][run.clone()];
                lower_envelope(&line[run], &mut scratch.parabolas, squares);
            }
        }
        for (square, cell) in squares[row.clone()].iter_mut().zip(&cells[row]) {
            if *cell != Cell::Inside {
                *square = 0;
            }
        }
    }
}

/// Stretches of a row without background, each with the background pixel before and after it: what
/// lies farther is never nearer than these two.
fn runs_with_neighbors(line: &[u16]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + line[at..].iter().position(|&distance| distance > 0)?;
        let length = line[start..].iter().position(|&distance| distance == 0);
        at = length.map_or(line.len(), |length| start + length);
        Some(start.saturating_sub(1)..(at + 1).min(line.len()))
    })
}

/// Buffers that are used again from region to region.
#[derive(Debug, Default)]
pub struct Scratch {
    columns: Vec<u16>,
    parabolas: Vec<Parabola>,
    near: Near,
}

/// A parabola of the lower envelope: its vertex and the first column where it is lowest.
#[derive(Debug, Clone, Copy)]
struct Parabola {
    vertex: i64,
    height: i64,
    start: i64,
}

/// Up to this distance looking around is faster than the envelope, and squares fit 16 bits.
const NEAR_PX: u16 = 32;

/// A square that no sum of two near ones reaches.
const FAR: i16 = 16_384;

/// Buffers of [`nearest`].
#[derive(Debug, Default)]
struct Near {
    /// Squared distances along the columns, with a margin to look into.
    heights: Vec<i16>,
    /// The smallest sums so far.
    sums: Vec<i16>,
}

/// As [`lower_envelope`], for columns near the background: looks left and right of all columns at
/// once, as far as something closer can be.
fn nearest(columns: &[u16], near: &mut Near, squares: &mut [u32]) {
    let (margin, n) = (usize::from(NEAR_PX), columns.len());
    let Near { heights, sums } = near;
    heights.clear();
    heights.resize(n + 2 * margin, FAR);
    for (height, &distance) in heights[margin..].iter_mut().zip(columns) {
        *height = (distance * distance) as i16;
    }
    sums.clear();
    sums.extend_from_slice(&heights[margin..margin + n]);
    let farthest = columns.iter().copied().max().unwrap_or(0);
    for offset in 1..farthest {
        let (reach, step) = (usize::from(offset), (offset * offset) as i16);
        let (left, right) = (&heights[margin - reach..][..n], &heights[margin + reach..][..n]);
        for ((sum, &left), &right) in sums.iter_mut().zip(left).zip(right) {
            *sum = (*sum).min(left.min(right) + step);
        }
    }
    squares.iter_mut().zip(sums).for_each(|(square, sum)| *square = *sum as u32);
}

/// For each column the smallest `(x - u)² + columns[u]²` over all columns `u`.
fn lower_envelope(columns: &[u16], parabolas: &mut Vec<Parabola>, squares: &mut [u32]) {
    parabolas.clear();
    for (u, &distance) in columns.iter().enumerate() {
        let (vertex, height) = (u as i64, i64::from(distance) * i64::from(distance));
        let value = |p: &Parabola, x: i64| (x - p.vertex) * (x - p.vertex) + p.height;
        let new = Parabola { vertex, height, start: 0 };
        while parabolas.last().is_some_and(|last| value(last, last.start) > value(&new, last.start))
        {
            parabolas.pop();
        }
        let start = match parabolas.last() {
            None => 0,
            // The first column where the new parabola is lower than the last.
            Some(last) => {
                let rise = vertex * vertex - last.vertex * last.vertex + height - last.height;
                rise.div_euclid(2 * (vertex - last.vertex)) + 1
            }
        };
        if start < columns.len() as i64 {
            parabolas.push(Parabola { start, ..new });
        }
    }
    let mut ends = parabolas.iter().skip(1).map(|next| next.start as usize);
    for parabola in parabolas.iter() {
        let end = ends.next().unwrap_or(columns.len());
        for (x, square) in squares.iter_mut().enumerate().take(end).skip(parabola.start as usize) {
            let offset = x as i64 - parabola.vertex;
            *square = (offset * offset + parabola.height) as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_against_definition(width: usize, height: usize, cell: impl Fn(usize, usize) -> Cell) {
        let cells: Vec<Cell> = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .map(|(x, y)| cell(x, y))
            .collect();
        let patch = Patch { width, height, cells };
        let mut squares = Vec::new();
        squared_distances(&patch, &mut Scratch::default(), &mut squares);
        for (at, &square) in squares.iter().enumerate() {
            let expected = match patch.cells[at] {
                Cell::Inside => (0..width * height)
                    .filter(|&other| patch.cells[other] == Cell::Outside)
                    .map(|other| {
                        let dx = (at % width).abs_diff(other % width);
                        let dy = (at / width).abs_diff(other / width);
                        (dx * dx + dy * dy) as u32
                    })
                    .min()
                    .unwrap_or(u32::from(MAX_DISTANCE_PX).pow(2)),
                Cell::Outside | Cell::Beyond => 0,
            };
            assert_eq!(square, expected, "({}, {})", at % width, at / width);
        }
    }

    #[test]
    fn distances_are_those_of_the_definition() {
        check_against_definition(21, 15, |x, y| {
            let inside = (x as i64 - 10).pow(2) * 2 + (y as i64 - 7).pow(2) * 3 < 120;
            if inside { Cell::Inside } else { Cell::Outside }
        });
        check_against_definition(30, 20, |x, y| {
            if x * 7919 % 13 == 0 && y * 104_729 % 7 == 0 { Cell::Outside } else { Cell::Inside }
        });
    }

    #[test]
    fn beyond_the_border_is_no_background() {
        check_against_definition(9, 9, |x, y| match (x, y) {
            (0, _) | (_, 0) => Cell::Beyond,
            (8, _) | (_, 8) => Cell::Outside,
            _ => Cell::Inside,
        });
        check_against_definition(4, 4, |x, _| if x == 0 { Cell::Beyond } else { Cell::Inside });
    }
}
