//! Distance: from every pixel of a region to the nearest pixel outside it, exact.

use super::patch::{Cell, LANES, Patch};
use crate::vectors::dispatch_simd;
use std::ops::Range;

/// Largest distance that is told apart, in pixels: that of a region without any background.
pub const MAX_DISTANCE_PX: u16 = 16_383;

const _: () = assert!(MAX_DISTANCE_PX as u64 * MAX_DISTANCE_PX as u64 <= u32::MAX as u64);

/// Squared distances, in whole pixels, of a patch; 0 outside the region.
///
/// # Sources
/// Meijster, Roerdink and Hesselink 2000, A general algorithm for computing distance transforms
/// in linear time, doi:10.1007/0-306-47025-X_36. Agrees with scipy's `distance_transform_edt`,
/// which knows no background beyond the border either.
pub fn squared_distances(patch: &Patch, scratch: &mut Scratch, squares: &mut Vec<u32>) {
    dispatch_simd!(column_distances(patch, scratch));
    squares.clear();
    squares.resize(patch.cells.len(), 0);
    let rows = squares.chunks_exact_mut(patch.width).zip(patch.cells.chunks_exact(patch.width));
    for ((squares, cells), line) in rows.zip(scratch.columns.chunks_exact(patch.width)) {
        if dispatch_simd!(scan_nearby(line, cells, &mut scratch.heights, squares)) {
            continue;
        }
        for run in runs_with_neighbors(line) {
            lower_envelope(&line[run.clone()], &mut scratch.parabolas, &mut squares[run]);
        }
        for (square, _) in squares.iter_mut().zip(cells).filter(|at| *at.1 != Cell::Inside) {
            *square = 0;
        }
    }
}

/// Distance to the background along each column.
#[inline(always)]
fn column_distances(patch: &Patch, scratch: &mut Scratch) {
    let Scratch { columns, beside, .. } = scratch;
    columns.clear();
    columns.resize(patch.cells.len(), 0);
    beside.clear();
    beside.resize(patch.width, MAX_DISTANCE_PX);
    let lines = columns.chunks_exact_mut(patch.width).zip(patch.cells.chunks_exact(patch.width));
    for (line, cells) in lines {
        for ((distance, above), &cell) in line.iter_mut().zip(beside.iter_mut()).zip(cells) {
            let grown = (*above + 1).min(MAX_DISTANCE_PX);
            *distance = if cell == Cell::Outside { 0 } else { grown };
            *above = *distance;
        }
    }
    for line in columns.chunks_exact_mut(patch.width).rev() {
        for (distance, below) in line.iter_mut().zip(beside.iter_mut()) {
            *distance = (*distance).min(*below + 1);
            *below = *distance;
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
    /// Distances along columns; free for something else once the squares are there.
    pub(crate) columns: Vec<u16>,
    beside: Vec<u16>,
    heights: Vec<i16>,
    parabolas: Vec<Parabola>,
}

/// A parabola of the lower envelope: its vertex and the first column where it is lowest.
#[derive(Debug, Clone, Copy)]
struct Parabola {
    vertex: i64,
    height: i64,
    start: i64,
}

/// Up to this distance looking around is faster than the envelope, and squares fit 16 bits.
const NEAR_PX: u16 = 128;

/// So many columns farther are looked at before asking whether that was far enough.
const STRIDE: usize = 4;

/// As [`lower_envelope`], for rows whose region pixels are near the background: looks left and
/// right of a block of columns at once, only as far as something closer can be. Gives whether it
/// was near enough everywhere; if not, the squares mean nothing.
#[inline(always)]
fn scan_nearby(
    columns: &[u16],
    cells: &[Cell],
    heights: &mut Vec<i16>,
    squares: &mut [u32],
) -> bool {
    let margin = usize::from(NEAR_PX);
    heights.clear();
    heights.resize(margin, i16::MAX);
    // Whatever lies farther than near is never the nearest to what is near.
    heights.extend(columns.iter().map(|&distance| distance.min(NEAR_PX + 1).pow(2) as i16));
    heights.resize(columns.len() + 2 * margin, i16::MAX);
    let (cells, _) = cells.as_chunks::<LANES>();
    let (squares, _) = squares.as_chunks_mut::<LANES>();
    for (index, (squares, cells)) in squares.iter_mut().zip(cells).enumerate() {
        let at = margin + index * LANES;
        let Some(&(mut sums)) = heights[at..].first_chunk::<LANES>() else { return false };
        for (sum, &cell) in sums.iter_mut().zip(cells) {
            *sum = if cell == Cell::Inside { *sum } else { 0 };
        }
        let reach_past = |sums: &[i16; LANES], square: i16| {
            sums.iter().fold(false, |any, &sum| any | (sum > square))
        };
        let mut offset = 1;
        while reach_past(&sums, offset * offset) {
            // Columns to the left from the farthest on, to the right from the nearest on.
            let last = offset + STRIDE as i16 - 1;
            let left = heights[at - last as usize..].first_chunk::<{ LANES + STRIDE - 1 }>();
            let right = heights[at + offset as usize..].first_chunk::<{ LANES + STRIDE - 1 }>();
            let Some((left, right)) = left.zip(right).filter(|_| last < NEAR_PX as i16) else {
                return false;
            };
            for step in 0..STRIDE {
                let square = (offset + step as i16).pow(2);
                for (lane, sum) in sums.iter_mut().enumerate() {
                    let nearer = left[lane + STRIDE - 1 - step].min(right[lane + step]);
                    *sum = (*sum).min(nearer.saturating_add(square));
                }
            }
            offset += STRIDE as i16;
        }
        *squares = sums.map(|sum| sum as u32);
    }
    true
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
        let stride = width.next_multiple_of(LANES);
        let framed = |x: usize, y: usize| if x < width { cell(x, y) } else { Cell::Beyond };
        let cells: Vec<Cell> = (0..height)
            .flat_map(|y| (0..stride).map(move |x| (x, y)))
            .map(|(x, y)| framed(x, y))
            .collect();
        let patch = Patch { width: stride, height, cells, ..Patch::default() };
        let mut squares = Vec::new();
        squared_distances(&patch, &mut Scratch::default(), &mut squares);
        for (at, &square) in squares.iter().enumerate() {
            let expected = match patch.cells[at] {
                Cell::Inside => (0..patch.cells.len())
                    .filter(|&other| patch.cells[other] == Cell::Outside)
                    .map(|other| {
                        let dx = (at % stride).abs_diff(other % stride);
                        let dy = (at / stride).abs_diff(other / stride);
                        (dx * dx + dy * dy) as u32
                    })
                    .min()
                    .unwrap_or(u32::from(MAX_DISTANCE_PX).pow(2)),
                Cell::Outside | Cell::Beyond => 0,
            };
            assert_eq!(square, expected, "({}, {})", at % stride, at / stride);
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
