//! Mask: foreground as one bit for each pixel, and binary morphology on 64 pixels at a time.

use crate::grid::disk::disk_half_widths;
use crate::raster::Raster;
use crate::vectors::dispatch_simd;
use rayon::prelude::*;

/// Foreground of a raster, one bit for each pixel; bits past the end of a row are 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    width: u32,
    height: u32,
    words_by_row: usize,
    words: Vec<u64>,
}

impl Mask {
    /// Makes a mask without foreground.
    #[must_use]
    pub fn empty(width: u32, height: u32) -> Self {
        let words_by_row = (width as usize).div_ceil(64);
        Self { width, height, words_by_row, words: vec![0; words_by_row * height as usize] }
    }

    /// Makes a mask by asking whether each sample of a raster is foreground.
    #[must_use]
    pub fn of<T: Copy + Sync>(
        raster: &Raster<T>,
        is_foreground: impl Fn(T) -> bool + Sync,
    ) -> Self {
        let mut mask = Self::empty(raster.width(), raster.height());
        mask.fill_rows(|y, words| {
            for (word, block) in words.iter_mut().zip(raster.row(y).chunks(64)) {
                let mut bytes = [0_u8; 64];
                for (byte, &sample) in bytes.iter_mut().zip(block) {
                    *byte = u8::from(is_foreground(sample));
                }
                *word = pack_bits(&bytes);
            }
        });
        mask
    }

    /// Number of columns.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Number of rows.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The words of row `y`; the lowest bit of the first is column 0.
    #[must_use]
    pub fn row(&self, y: u32) -> &[u64] {
        &self.words[y as usize * self.words_by_row..][..self.words_by_row]
    }

    /// Whether the pixel in column `x` of row `y` is foreground.
    #[must_use]
    pub fn at(&self, x: u32, y: u32) -> bool {
        self.row(y)[x as usize / 64] >> (x % 64) & 1 == 1
    }

    /// Makes the columns `start..end` of row `y` foreground.
    pub fn set_run(&mut self, y: u32, start: u32, end: u32) {
        let row = &mut self.words[y as usize * self.words_by_row..][..self.words_by_row];
        let (start, end) = (start as usize, end as usize);
        for (index, word) in row.iter_mut().enumerate().take(end.div_ceil(64)).skip(start / 64) {
            let from = start.saturating_sub(index * 64);
            let to = (end - index * 64).min(64);
            *word |= u64::MAX << from & u64::MAX >> (64 - to);
        }
    }

    /// Number of foreground pixels.
    #[must_use]
    pub fn n_foreground(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Lets every row be written, in parallel; bits past the end of a row are cleared afterwards.
    pub fn fill_rows(&mut self, write: impl Fn(u32, &mut [u64]) + Sync) {
        let past_end = !u64::MAX.checked_shl(self.width % 64).unwrap_or(0);
        let last_word = if self.width.is_multiple_of(64) { u64::MAX } else { past_end };
        let rows = self.words.par_chunks_mut(self.words_by_row.max(1)).with_min_len(16);
        rows.enumerate().for_each(|(y, words)| {
            write(y as u32, words);
            if let Some(word) = words.last_mut() {
                *word &= last_word;
            }
        });
    }

    /// Opening by a disk: what no disk inside the foreground covers is removed.
    ///
    /// # Units
    /// `radius_px` in pixels; below 1 leaves the mask as it is.
    ///
    /// # Edge cases
    /// Beyond the border counts as foreground for the erosion and as background for the dilation,
    /// so that the border itself removes nothing (scikit-image 0.26 `morphology.opening`).
    #[must_use]
    pub fn opened(self, radius_px: f64) -> Self {
        if radius_px < 1.0 { self } else { self.eroded(radius_px).dilated(radius_px) }
    }

    /// Closing by a disk: what no disk inside the background covers is added.
    ///
    /// # Units
    /// `radius_px` in pixels; below 1 leaves the mask as it is.
    ///
    /// # Edge cases
    /// As for [`Self::opened`].
    #[must_use]
    pub fn closed(self, radius_px: f64) -> Self {
        if radius_px < 1.0 { self } else { self.dilated(radius_px).eroded(radius_px) }
    }

    fn eroded(&self, radius_px: f64) -> Self {
        self.combine_over_disks(radius_px, u64::MAX, |one, two| one & two)
    }

    fn dilated(&self, radius_px: f64) -> Self {
        self.combine_over_disks(radius_px, 0, |one, two| one | two)
    }

    /// Combines the disk around every pixel; beyond the border stands `outside`.
    fn combine_over_disks(
        &self,
        radius_px: f64,
        outside: u64,
        combine: impl Fn(u64, u64) -> u64 + Copy + Sync,
    ) -> Self {
        let half_widths = disk_half_widths(radius_px);
        let reach = half_widths.len() as i64 - 1;
        let mut result = Self::empty(self.width, self.height);
        result.fill_rows(|y, words| {
            words.fill(outside);
            let mut line = Vec::new();
            for dy in -reach..=reach {
                let from = i64::from(y) + dy;
                if !(0..i64::from(self.height)).contains(&from) {
                    continue;
                }
                let half = half_widths[dy.unsigned_abs() as usize];
                if half <= MAX_NEAR_PX {
                    self.pad_row(from as u32, 1, outside, &mut line);
                    dispatch_simd!(combine_near(&line, half as u32, words, combine));
                    continue;
                }
                self.combine_over_window(from as u32, half, outside, combine, &mut line);
                words.iter_mut().zip(&line).for_each(|(word, &bits)| *word = combine(*word, bits));
            }
        });
        result
    }

    /// Lays row `y` into `line`, between `pad` words of what stands beyond the border.
    fn pad_row(&self, y: u32, pad: usize, outside: u64, line: &mut Vec<u64>) {
        line.clear();
        line.resize(pad, outside);
        line.extend_from_slice(self.row(y));
        line.resize(self.words_by_row + 2 * pad, outside);
        if !self.width.is_multiple_of(64) {
            // The unused bits of the last word lie beyond the border, too.
            let used = !(u64::MAX << (self.width % 64));
            line[pad + self.words_by_row - 1] &= used;
            line[pad + self.words_by_row - 1] |= outside & !used;
        }
    }

    /// Combines `2 * half + 1` pixels of row `y` around every pixel, into `line`.
    fn combine_over_window(
        &self,
        y: u32,
        half: usize,
        outside: u64,
        combine: impl Fn(u64, u64) -> u64,
        line: &mut Vec<u64>,
    ) {
        let pad = half / 64 + 1;
        self.pad_row(y, pad, outside, line);
        // Windows of lengths 1, 2, 4, … to the right, then two of them that overlap.
        let (window, mut length) = (2 * half + 1, 1);
        while 2 * length <= window {
            for index in 0..line.len() {
                line[index] = combine(line[index], bits_from(line, index, length, outside));
            }
            length *= 2;
        }
        let start = pad * 64 - half;
        for index in 0..self.words_by_row {
            let (one, two) = (start + index * 64, start + index * 64 + window - length);
            let bits = combine(
                bits_from(line, one / 64, one % 64, outside),
                bits_from(line, two / 64, two % 64, outside),
            );
            // Reading runs ahead of writing by at least `pad` words less one bit's worth.
            line[index] = bits;
        }
        line.truncate(self.words_by_row);
    }
}

/// Up to so many columns to either side, one after the other is faster than doubling windows.
const MAX_NEAR_PX: usize = 8;

/// Combines `2 * half + 1` pixels of a line around every pixel with `words`; the line has a word more
/// at either end.
#[inline(always)]
fn combine_near(line: &[u64], half: u32, words: &mut [u64], combine: impl Fn(u64, u64) -> u64) {
    let n = words.len();
    let (before, here, after) = (&line[..n], &line[1..=n], &line[2..]);
    for (word, &bits) in words.iter_mut().zip(here) {
        *word = combine(*word, bits);
    }
    for by in 1..=half {
        let around = before.iter().zip(here).zip(after);
        for (word, ((&before, &here), &after)) in words.iter_mut().zip(around) {
            let (left, right) = (here << by | before >> (64 - by), here >> by | after << (64 - by));
            *word = combine(*word, combine(left, right));
        }
    }
}

/// One bit for each byte of 0 or 1; the lowest for the first.
#[inline(always)]
pub(crate) fn pack_bits(bytes: &[u8; 64]) -> u64 {
    // The product moves the byte `i` to the bit `i` of the highest byte; nothing carries over.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, _) = bytes.as_chunks::<8>();
    let bits = eights.iter().map(|eight| u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56);
    bits.enumerate().fold(0, |word, (at, bits)| word | bits << (8 * at))
}

/// 64 bits that start `offset` bits after the start of a word.
fn bits_from(words: &[u64], index: usize, offset: usize, outside: u64) -> u64 {
    let (index, shift) = (index + offset / 64, offset % 64);
    let word = |at: usize| words.get(at).copied().unwrap_or(outside);
    if shift == 0 { word(index) } else { word(index) >> shift | word(index + 1) << (64 - shift) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(width: u32, height: u32, one_in: u32) -> Mask {
        let raster = Raster::from_fn(width, height, |x, y| {
            let mixed = (x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77))
                .wrapping_mul(0xC2B2_AE3D);
            (mixed >> 16) % one_in
        });
        Mask::of(&raster, |value| value == 0)
    }

    fn brute_force(mask: &Mask, radius: f64, is_erosion: bool) -> Mask {
        let reach = radius as i64;
        let raster = Raster::from_fn(mask.width(), mask.height(), |x, y| {
            let mut disk = (-reach..=reach)
                .flat_map(|dy| (-reach..=reach).map(move |dx| (dx, dy)))
                .filter(|&(dx, dy)| (dx * dx + dy * dy) as f64 <= radius * radius)
                .map(|(dx, dy)| (i64::from(x) + dx, i64::from(y) + dy))
                .filter(|&(x, y)| {
                    (0..i64::from(mask.width())).contains(&x)
                        && (0..i64::from(mask.height())).contains(&y)
                })
                .map(|(x, y)| mask.at(x as u32, y as u32));
            if is_erosion { disk.all(|bit| bit) } else { disk.any(|bit| bit) }
        });
        Mask::of(&raster, |bit| bit)
    }

    #[test]
    fn morphology_is_that_of_the_definition() {
        for (width, radius) in [(1, 1.0), (63, 1.0), (64, 2.0), (65, 3.5), (200, 2.0), (130, 40.0)]
        {
            let mask = noise(width, 30, 3);
            assert_eq!(mask.dilated(radius), brute_force(&mask, radius, false), "{width} {radius}");
            let mask = brute_force(&noise(width, 30, 40), 2.0, false);
            assert_eq!(mask.eroded(radius), brute_force(&mask, radius, true), "{width} {radius}");
        }
    }

    #[test]
    fn opening_and_closing_do_nothing_twice() {
        let mask = brute_force(&noise(150, 40, 30), 2.0, false);
        let opened = mask.clone().opened(2.0);
        assert_eq!(opened.clone().opened(2.0), opened);
        let closed = mask.closed(2.0);
        assert_eq!(closed.clone().closed(2.0), closed);
    }

    #[test]
    fn runs_are_set_across_words() {
        for (start, end) in [(0, 1), (0, 64), (63, 65), (5, 5 + 128), (100, 130), (64, 128)] {
            let mut mask = Mask::empty(140, 2);
            mask.set_run(1, start, end);
            assert_eq!(mask.n_foreground(), u64::from(end - start), "{start} {end}");
            assert!(mask.at(start, 1) && mask.at(end - 1, 1) && !mask.at(start, 0));
        }
    }
}
