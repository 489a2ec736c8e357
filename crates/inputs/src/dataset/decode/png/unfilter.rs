//! Unfilter: from the differences that a PNG file stores to samples.
//!
//! A sample is predicted from those to its left, above, and above to the left, so that each waits for
//! the one before it. Rows do not wait: several are worked on at once here, each a pixel behind the
//! row above it, in the lanes of one vector.

use cellgate_core::vectors::dispatch_simd;

/// Bytes that are worked on at once.
const N_LANES: usize = 16;

/// One step of all rows: a pixel of each, 16 bits a byte.
type Lanes = [i16; N_LANES];

/// Most steps between reading differences and writing samples: few enough for the fastest cache.
const MAX_STEPS: usize = 256;

/// Bytes that follow the rows of differences, whatever they are.
pub(super) const PADDING: usize = 2;

/// Rows of an image that are worked on abreast, from the top of the image to its bottom.
pub(super) trait Abreast {
    /// Most rows at once.
    fn n_rows(&self) -> usize;

    /// Turns the next rows of differences into rows of samples.
    ///
    /// # Shapes
    /// `raw`: at most [`Self::n_rows`], each after the number of its filter, and [`PADDING`]; `samples`:
    /// as many rows.
    ///
    /// # Edge cases
    /// `None` for a filter that does not exist; `samples` then mean nothing.
    fn unfilter_band(&mut self, raw: &[u8], samples: &mut [u8]) -> Option<()>;
}

/// Converter of differences into samples.
///
/// # Shapes
/// `n_bytes` a pixel: 1, 2, 3, 4, 6 or 8; `None` for others.
///
/// # Sources
/// PNG, third edition, section 9: <https://www.w3.org/TR/png-3/#9Filters>.
pub(super) fn abreast(width: usize, n_bytes: usize) -> Option<Box<dyn Abreast>> {
    Some(match n_bytes {
        1 => Box::new(Rows::<1, 1>::new(width)),
        2 => Box::new(Rows::<2, 2>::new(width)),
        3 => Box::new(Rows::<3, 4>::new(width)),
        4 => Box::new(Rows::<4, 4>::new(width)),
        6 => Box::new(Rows::<6, 8>::new(width)),
        8 => Box::new(Rows::<8, 8>::new(width)),
        _ => return None,
    })
}

/// Rows of pixels of `BYTES` bytes, each of which takes `LANES` lanes.
struct Rows<const BYTES: usize, const LANES: usize> {
    /// Pixels of a row.
    width: usize,
    /// Steps between reading and writing.
    n_steps: usize,
    /// Differences, then samples, of a step.
    bytes: Vec<[u8; N_LANES]>,
    /// The same, as they are computed with.
    lanes: Vec<Lanes>,
    /// The row above those that are worked on.
    above: Vec<[i16; LANES]>,
}

/// Which rows have which filter: all bits of their lanes.
struct Filters {
    left: Lanes,
    up: Lanes,
    average: Lanes,
    paeth: Lanes,
}

impl<const BYTES: usize, const LANES: usize> Rows<BYTES, LANES> {
    /// Rows at once.
    const N_ROWS: usize = N_LANES / LANES;

    fn new(width: usize) -> Self {
        let all_steps = width + Self::N_ROWS - 1;
        let n_steps = all_steps.div_ceil(all_steps.div_ceil(MAX_STEPS));
        Self {
            width,
            n_steps,
            bytes: vec![[0; N_LANES]; n_steps],
            lanes: vec![[0; N_LANES]; n_steps],
            above: vec![[0; LANES]; all_steps + n_steps],
        }
    }

    /// The pixels of a row that are worked on in the steps from `first` on, and the step of the first
    /// of them.
    fn pixels(&self, row: usize, first: usize) -> (std::ops::Range<usize>, usize) {
        let at = |step: usize| step.saturating_sub(row).min(self.width);
        let pixels = at(first)..at(first + self.n_steps);
        (pixels.clone(), (pixels.start + row).saturating_sub(first))
    }
}

impl<const BYTES: usize, const LANES: usize> Abreast for Rows<BYTES, LANES> {
    fn n_rows(&self) -> usize {
        Self::N_ROWS
    }

    fn unfilter_band(&mut self, raw: &[u8], samples: &mut [u8]) -> Option<()> {
        let stride = self.width * BYTES;
        let n_rows = samples.len() / stride;
        let filters = Filters::of(|lane| {
            let row = lane / LANES;
            if row < n_rows { raw[row * (stride + 1)] } else { 0 }
        })?;
        let mut state = ([0; N_LANES], [0; N_LANES]);
        for first in (0..self.width + n_rows - 1).step_by(self.n_steps) {
            let end = first + self.n_steps;
            if first < n_rows || end > self.width {
                // What no row has a pixel for predicts nothing.
                self.bytes.fill([0; N_LANES]);
            }
            for row in 0..n_rows {
                let (pixels, step) = self.pixels(row, first);
                let differences = &raw[row * (stride + 1) + 1 + pixels.start * BYTES..];
                let n_differences = pixels.len() * BYTES + LANES - BYTES;
                let to = self.bytes.get_mut(step..).unwrap_or_default();
                gather::<BYTES, LANES>(&differences[..n_differences], to, row);
            }
            let above = &self.above[first..end];
            state =
                dispatch_simd!(predict(&filters, (&mut self.bytes, &mut self.lanes), above, state));
            for row in 0..n_rows {
                let (pixels, step) = self.pixels(row, first);
                let samples = &mut samples[row * stride..][..stride];
                let samples = &mut samples[pixels.start * BYTES..pixels.end * BYTES];
                let from = self.bytes.get(step..).unwrap_or_default();
                scatter::<BYTES, LANES>(from, samples, row);
                if row + 1 == Self::N_ROWS {
                    let lanes = self.lanes.get(step..).unwrap_or_default();
                    for (above, lanes) in self.above[pixels].iter_mut().zip(lanes) {
                        above.copy_from_slice(&lanes[N_LANES - LANES..]);
                    }
                }
            }
        }
        Some(())
    }
}

impl Filters {
    /// Sorts lanes by the number of their filter.
    fn of(filter: impl Fn(usize) -> u8) -> Option<Self> {
        let numbers: [u8; N_LANES] = std::array::from_fn(filter);
        let with = |number: u8| numbers.map(|other| -i16::from(other == number));
        let filters = Self { left: with(1), up: with(2), average: with(3), paeth: with(4) };
        numbers.iter().all(|number| *number <= 4).then_some(filters)
    }
}

/// Lays the pixels of a row into its lanes; a pixel more than `BYTES` wide lies over the next one.
fn gather<const BYTES: usize, const LANES: usize>(
    differences: &[u8],
    steps: &mut [[u8; N_LANES]],
    row: usize,
) {
    for (step, pixel) in steps.iter_mut().zip(differences.windows(LANES).step_by(BYTES)) {
        if let (Some(lanes), Some(pixel)) =
            (step.as_chunks_mut::<LANES>().0.get_mut(row), pixel.first_chunk::<LANES>())
        {
            *lanes = *pixel;
        }
    }
}

/// Lays the lanes of a row next to each other; what a pixel writes too much, the next one covers.
fn scatter<const BYTES: usize, const LANES: usize>(
    steps: &[[u8; N_LANES]],
    samples: &mut [u8],
    row: usize,
) {
    let lanes = |step: &[u8; N_LANES]| step.as_chunks::<LANES>().0[row];
    let n_pixels = samples.len() / BYTES;
    let Some((last, others)) = steps[..n_pixels].split_last() else { return };
    for (index, step) in others.iter().enumerate() {
        let at = index * BYTES;
        samples[at..at + LANES].copy_from_slice(&lanes(step));
    }
    samples[(n_pixels - 1) * BYTES..].copy_from_slice(&lanes(last)[..BYTES]);
}

/// Adds to the differences of each step what is predicted; goes on from the pixels to the left and
/// above to the left that the steps before ended with, and gives those of the last.
#[inline(always)]
fn predict<const LANES: usize>(
    filters: &Filters,
    (bytes, lanes): (&mut [[u8; N_LANES]], &mut [Lanes]),
    above: &[[i16; LANES]],
    (mut left, mut corner): (Lanes, Lanes),
) -> (Lanes, Lanes) {
    for (lane, &byte) in lanes.as_flattened_mut().iter_mut().zip(bytes.as_flattened()) {
        *lane = i16::from(byte);
    }
    for (step, above) in lanes.iter_mut().zip(above) {
        // Above a row stands what the row above it had one step ago.
        let mut up = [0; N_LANES];
        up[..LANES].copy_from_slice(above);
        up[LANES..].copy_from_slice(&left[..N_LANES - LANES]);
        for lane in 0..N_LANES {
            let (a, b, c) = (left[lane], up[lane], corner[lane]);
            let (to_left, to_up, to_corner) = ((b - c).abs(), (a - c).abs(), (a + b - c - c).abs());
            let other = if to_up <= to_corner { b } else { c };
            let paeth = if to_left <= to_up.min(to_corner) { a } else { other };
            let predicted = a & filters.left[lane]
                | b & filters.up[lane]
                | (a + b) >> 1 & filters.average[lane]
                | paeth & filters.paeth[lane];
            step[lane] = (step[lane] + predicted) & 0xFF;
        }
        (left, corner) = (*step, up);
    }
    for (byte, &lane) in bytes.as_flattened_mut().iter_mut().zip(lanes.as_flattened()) {
        *byte = lane as u8;
    }
    (left, corner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows by the definition, sample by sample.
    fn unfilter_by_definition(
        raw: &[u8],
        (width, n_bytes): (usize, usize),
        height: usize,
    ) -> Vec<u8> {
        let stride = width * n_bytes;
        let mut samples = vec![0_u8; stride * height];
        for at in 0..samples.len() {
            let (x, y) = (at % stride, at / stride);
            let neighbor = |is_there: bool, back: usize| {
                if is_there { i16::from(samples[at - back]) } else { 0 }
            };
            let left = neighbor(x >= n_bytes, n_bytes);
            let up = neighbor(y > 0, stride);
            let corner = neighbor(x >= n_bytes && y > 0, stride + n_bytes);
            let nearest = [left, up, corner].into_iter().min_by_key(|&value| {
                // The first of those that are equally near.
                (left + up - corner - value).abs()
            });
            let predicted = match raw[y * (stride + 1)] {
                0 => 0,
                1 => left,
                2 => up,
                3 => (left + up) / 2,
                _ => nearest.unwrap(),
            };
            samples[at] = raw[y * (stride + 1) + 1 + x].wrapping_add(predicted as u8);
        }
        samples
    }

    /// All rows of an image.
    fn unfilter(
        mut raw: &[u8],
        (width, n_bytes): (usize, usize),
        samples: &mut [u8],
    ) -> Option<()> {
        let stride = width * n_bytes;
        let mut rows = abreast(width, n_bytes)?;
        for samples in samples.chunks_mut(stride * rows.n_rows()) {
            let n_raw = samples.len() / stride * (stride + 1);
            rows.unfilter_band(&raw[..n_raw + PADDING], samples)?;
            raw = &raw[n_raw..];
        }
        Some(())
    }

    #[test]
    fn every_filter_is_that_of_the_definition() {
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        for n_bytes in [1, 2, 3, 4, 6, 8] {
            for (width, height) in [(1, 1), (1, 40), (2, 3), (7, 17), (255, 4), (256, 9), (700, 18)]
            {
                let n_row = width * n_bytes + 1;
                let mut raw: Vec<u8> = (0..n_row * height + PADDING).map(|_| random()).collect();
                for (y, row) in raw.chunks_exact_mut(n_row).enumerate() {
                    row[0] = if y % 9 < 5 { 4 } else { random() % 5 };
                }
                let mut samples = vec![0; width * n_bytes * height];
                assert_eq!(unfilter(&raw, (width, n_bytes), &mut samples), Some(()));
                let expected = unfilter_by_definition(&raw, (width, n_bytes), height);
                assert!(samples == expected, "{n_bytes} bytes, {width} by {height}");
            }
        }
    }

    #[test]
    fn unknown_filters_are_not_guessed() {
        let mut samples = [0; 6];
        let raw = [0, 1, 2, 3, 5, 1, 2, 3, 0, 0];
        assert_eq!(unfilter(&raw, (3, 1), &mut samples), None);
        assert!(abreast(3, 5).is_none());
    }
}
