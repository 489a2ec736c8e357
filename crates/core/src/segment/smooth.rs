//! Smooth: Gaussian and median filters on `u16`, in integers.

use crate::grid::disk::disk_half_widths;
use crate::raster::Raster;
use crate::vectors::dispatch_simd;
use rayon::prelude::*;

/// Columns that one inner loop works on: small enough for registers, wide enough for vectors.
const LANES: usize = 32;

/// Weights of a Gaussian as 16-bit fractions that sum up to exactly one.
///
/// # Units
/// `sigma_px` in pixels. The kernel ends at four standard deviations.
///
/// # Edge cases
/// `None` when the kernel is a single pixel.
#[must_use]
fn gaussian_weights(sigma_px: f64) -> Option<Vec<u16>> {
    let radius = (4.0 * sigma_px + 0.5) as usize;
    if radius == 0 {
        return None;
    }
    let bell = |at: usize| {
        let distance = at as f64 - radius as f64;
        libm::exp(-0.5 * distance * distance / (sigma_px * sigma_px))
    };
    let bells: Vec<f64> = (0..=2 * radius).map(bell).collect();
    let sum: f64 = bells.iter().sum();
    let mut weights: Vec<u32> =
        bells.iter().map(|bell| libm::round(65_536.0 * bell / sum) as u32).collect();
    let others: u32 = weights.iter().sum::<u32>() - weights[radius];
    weights[radius] = 65_536 - others;
    // A center of 65,536 means that every other weight rounds to 0.
    (weights[radius] < 65_536).then(|| weights.iter().map(|&weight| weight as u16).collect())
}

/// Blurs with a Gaussian; samples beyond the border repeat the border.
///
/// # Units
/// `sigma_px` in pixels; 0 leaves the raster as it is.
///
/// # Sources
/// Kernel and border as scikit-image 0.26 `filters.gaussian`, rounded to whole steps after each
/// direction.
#[must_use]
pub fn gaussian(mut raster: Raster<u16>, sigma_px: f64) -> Raster<u16> {
    if let Some(weights) = gaussian_weights(sigma_px).filter(|_| raster.n_px() > 0) {
        blur_rows(&mut raster, &weights);
        blur_columns(&mut raster, &weights);
    }
    raster
}

fn blur_rows(raster: &mut Raster<u16>, weights: &[u16]) {
    let (width, radius) = (raster.width() as usize, weights.len() / 2);
    let rows = raster.samples_mut().par_chunks_mut(width).with_min_len(16);
    rows.for_each_init(Vec::new, |padded: &mut Vec<u16>, row| {
        padded.clear();
        padded.resize(radius, row[0]);
        padded.extend_from_slice(row);
        padded.resize(width + 2 * radius, row[width - 1]);
        let taps: Vec<&[u16]> = (0..weights.len()).map(|tap| &padded[tap..]).collect();
        dispatch_simd!(weigh_taps(row, weights, &taps));
    });
}

fn blur_columns(raster: &mut Raster<u16>, weights: &[u16]) {
    if 2 * weights.len() > BAND {
        blur_columns_to_copy(raster, weights);
    } else {
        blur_columns_in_place(raster, weights);
    }
}

/// Blurs into another raster: for a long kernel, bands would keep more aside than that takes.
fn blur_columns_to_copy(raster: &mut Raster<u16>, weights: &[u16]) {
    let (width, radius) = (raster.width() as usize, weights.len() / 2);
    let last = raster.height() as usize - 1;
    let mut blurred = Raster::filled(raster.width(), raster.height(), 0_u16);
    let rows = blurred.samples_mut().par_chunks_mut(width).with_min_len(16).enumerate();
    rows.for_each(|(y, row)| {
        let at = |tap: usize| raster.row((y + tap).saturating_sub(radius).min(last) as u32);
        let taps: Vec<&[u16]> = (0..weights.len()).map(at).collect();
        dispatch_simd!(weigh_taps(row, weights, &taps));
    });
    *raster = blurred;
}

/// Rows that are blurred from one copy, which for usual widths the processor's cache holds.
const BAND: usize = 64;

fn blur_columns_in_place(raster: &mut Raster<u16>, weights: &[u16]) {
    let (width, height) = (raster.width() as usize, raster.height() as usize);
    let radius = weights.len() / 2;
    // What bands read of their neighbors is kept aside, since these change.
    let mut neighbors = Vec::with_capacity(height.div_ceil(BAND) * 2 * radius * width);
    for first in (0..height).step_by(BAND) {
        let end = (first + BAND).min(height);
        let above = (first..first + radius).map(|at| at.saturating_sub(radius));
        for y in above.chain((end..end + radius).map(|at| at.min(height - 1))) {
            neighbors.extend_from_slice(raster.row(y as u32));
        }
    }
    let bands = raster.samples_mut().par_chunks_mut(BAND * width);
    let bands = bands.zip(neighbors.par_chunks(2 * radius * width));
    bands.for_each_init(Vec::new, |copy: &mut Vec<u16>, (rows, neighbors)| {
        let (above, below) = neighbors.split_at(radius * width);
        copy.clear();
        copy.reserve(rows.len() + neighbors.len());
        copy.extend_from_slice(above);
        copy.extend_from_slice(rows);
        copy.extend_from_slice(below);
        for (y, row) in rows.chunks_exact_mut(width).enumerate() {
            let taps: Vec<&[u16]> =
                copy[y * width..].chunks_exact(width).take(weights.len()).collect();
            dispatch_simd!(weigh_taps(row, weights, &taps));
        }
    });
}

/// Sets `row[x]` to the weighted sum of `taps[0][x], taps[1][x], …`, rounded.
#[inline(always)]
fn weigh_taps(row: &mut [u16], weights: &[u16], taps: &[&[u16]]) {
    let (blocks, rest) = row.as_chunks_mut::<LANES>();
    let n_blocks = blocks.len();
    for (index, block) in blocks.iter_mut().enumerate() {
        let mut sums = [32_768_u32; LANES];
        // Weights mirror, so that two taps share one multiplication.
        let (left, right) = taps.split_at(taps.len() / 2);
        for ((one, two), &weight) in left.iter().zip(right[1..].iter().rev()).zip(weights) {
            let one = &one[index * LANES..][..LANES];
            let two = &two[index * LANES..][..LANES];
            for ((sum, &one), &two) in sums.iter_mut().zip(one).zip(two) {
                let both = u32::from(one) + u32::from(two);
                *sum = sum.wrapping_add(u32::from(weight) * both);
            }
        }
        let (center, weight) = (&right[0][index * LANES..][..LANES], weights[taps.len() / 2]);
        for (sum, &value) in sums.iter_mut().zip(center) {
            *sum = sum.wrapping_add(u32::from(weight) * u32::from(value));
        }
        for (sample, sum) in block.iter_mut().zip(sums) {
            *sample = (sum >> 16) as u16;
        }
    }
    for (at, sample) in rest.iter_mut().enumerate() {
        let x = n_blocks * LANES + at;
        let products =
            taps.iter().zip(weights).map(|(tap, &weight)| u32::from(weight) * u32::from(tap[x]));
        *sample = (products.fold(32_768, u32::wrapping_add) >> 16) as u16;
    }
}

/// Replaces each sample by the median of the disk around it, clipped at the border.
///
/// # Units
/// `radius_px` in pixels; below 1 leaves the raster as it is.
///
/// # Edge cases
/// Of an even number of samples the lower of the two in the middle.
///
/// # Sources
/// Huang, Yang and Tang 1979: a histogram that moves with the window.
#[must_use]
pub(super) fn median(raster: Raster<u16>, radius_px: f64) -> Raster<u16> {
    let half_widths = disk_half_widths(radius_px);
    if half_widths.len() < 2 {
        return raster;
    }
    let width = raster.width() as usize;
    let mut filtered = Raster::filled(raster.width(), raster.height(), 0_u16);
    let rows = filtered.samples_mut().par_chunks_mut(width.max(1)).enumerate();
    rows.for_each_init(MovingHistogram::new, |window, (y, row)| {
        median_row(&raster, y as i64, &half_widths, window, row);
    });
    filtered
}

fn median_row(
    raster: &Raster<u16>,
    y: i64,
    half_widths: &[usize],
    window: &mut MovingHistogram,
    row: &mut [u16],
) {
    let (width, height) = (i64::from(raster.width()), i64::from(raster.height()));
    let reach = half_widths.len() as i64 - 1;
    let lines: Vec<(&[u16], i64)> = (-reach..=reach)
        .filter(|dy| (0..height).contains(&(y + dy)))
        .map(|dy| (raster.row((y + dy) as u32), half_widths[dy.unsigned_abs() as usize] as i64))
        .collect();
    for &(line, half) in &lines {
        line[..(half.min(width - 1) + 1) as usize].iter().for_each(|&value| window.add(value));
    }
    for x in 0..width {
        row[x as usize] = window.median();
        for &(line, half) in &lines {
            if x - half >= 0 {
                window.remove(line[(x - half) as usize]);
            }
            if x + half + 1 < width {
                window.add(line[(x + half + 1) as usize]);
            }
        }
    }
    for &(line, half) in &lines {
        let left = (width - half).max(0) as usize;
        line[left..].iter().for_each(|&value| window.remove(value));
    }
}

/// Counts of the values in a window, fine and by 256.
struct MovingHistogram {
    fine: Vec<u16>,
    coarse: [u32; 256],
    n: u32,
}

impl MovingHistogram {
    fn new() -> Self {
        Self { fine: vec![0; 65_536], coarse: [0; 256], n: 0 }
    }

    fn add(&mut self, value: u16) {
        self.fine[usize::from(value)] += 1;
        self.coarse[usize::from(value >> 8)] += 1;
        self.n += 1;
    }

    fn remove(&mut self, value: u16) {
        self.fine[usize::from(value)] -= 1;
        self.coarse[usize::from(value >> 8)] -= 1;
        self.n -= 1;
    }

    fn median(&self) -> u16 {
        let mut remaining = self.n.div_ceil(2);
        let mut high = 0;
        while self.coarse[high] < remaining {
            remaining -= self.coarse[high];
            high += 1;
        }
        let mut value = high << 8;
        while u32::from(self.fine[value]) < remaining {
            remaining -= u32::from(self.fine[value]);
            value += 1;
        }
        value as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_sum_to_one_and_mirror() {
        for sigma in [0.3, 0.5, 1.0, 1.5, 4.2, 20.0] {
            let weights = gaussian_weights(sigma).unwrap();
            assert_eq!(weights.iter().map(|&weight| u32::from(weight)).sum::<u32>(), 65_536);
            assert!(weights.iter().eq(weights.iter().rev()), "{sigma}");
        }
        assert_eq!(gaussian_weights(0.0), None);
        assert_eq!(gaussian_weights(0.1), None);
    }

    #[test]
    fn constant_stays_constant_under_every_filter() {
        for value in [0, 1, 40_000, 65_535] {
            let flat = Raster::filled(70, 5, value);
            assert_eq!(gaussian(flat.clone(), 2.0), flat);
            assert_eq!(median(flat.clone(), 3.0), flat);
        }
    }

    #[test]
    fn blur_is_the_float_gaussian_to_one_step() {
        let noise = |x: u32, y: u32| ((x * 7919 + y * 104_729) % 65_521) as u16;
        let raster = Raster::from_fn(45, 33, noise);
        let blurred = gaussian(raster.clone(), 1.3);
        let radius = 5_i64;
        let bell = |d: i64| (-0.5 * (d * d) as f64 / 1.69).exp();
        let sum: f64 = (-radius..=radius).map(bell).sum();
        let at =
            |x: i64, y: i64| f64::from(raster.at(x.clamp(0, 44) as u32, y.clamp(0, 32) as u32));
        for (x, y) in [(0, 0), (10, 10), (44, 32), (32, 5), (31, 31)] {
            let offsets =
                (-radius..=radius).flat_map(|dy| (-radius..=radius).map(move |dx| (dx, dy)));
            let exact: f64 =
                offsets.map(|(dx, dy)| bell(dx) * bell(dy) * at(x + dx, y + dy)).sum::<f64>()
                    / (sum * sum);
            let found = f64::from(blurred.at(x as u32, y as u32));
            assert!((found - exact).abs() < 4.0, "({x}, {y}): {found} {exact}");
        }
    }

    #[test]
    fn every_pixel_is_that_of_the_definition_however_rows_are_shared_out() {
        let noise = |x: u32, y: u32| ((x * 7919 + y * 104_729) % 65_521) as u16;
        let kernels = [1.0, 1.5, 3.8, 3.9, 21.0];
        for (height, sigma) in [1, 10, 63, 64, 65, 200]
            .into_iter()
            .flat_map(|height| kernels.map(|sigma| (height, sigma)))
        {
            let weights = gaussian_weights(sigma).unwrap();
            let radius = weights.len() as i64 / 2;
            let rounded = |at: &dyn Fn(i64) -> u16| {
                let products = weights.iter().zip(-radius..);
                let products = products.map(|(&weight, d)| u32::from(weight) * u32::from(at(d)));
                (products.fold(32_768, u32::wrapping_add) >> 16) as u16
            };
            let clamped =
                |at: u32, d: i64, n: u32| (i64::from(at) + d).clamp(0, i64::from(n) - 1) as u32;
            let raster = Raster::from_fn(37, height, noise);
            let in_rows =
                Raster::from_fn(37, height, |x, y| rounded(&|d| raster.at(clamped(x, d, 37), y)));
            let blurred = Raster::from_fn(37, height, |x, y| {
                rounded(&|d| in_rows.at(x, clamped(y, d, height)))
            });
            assert_eq!(gaussian(raster, sigma), blurred, "{height} {sigma}");
        }
    }

    #[test]
    fn median_is_the_sorted_middle_of_the_disk() {
        let raster = Raster::from_fn(17, 11, |x, y| ((x * 31 + y * 17) * 6151 % 65_521) as u16);
        let filtered = median(raster.clone(), 2.0);
        for (x, y) in [(0_i64, 0_i64), (8, 5), (16, 10), (1, 9)] {
            let inside = |dx: i64, dy: i64| {
                dx * dx + dy * dy <= 4 && (0..17).contains(&(x + dx)) && (0..11).contains(&(y + dy))
            };
            let mut values: Vec<u16> = (-2..=2)
                .flat_map(|dy| (-2..=2).map(move |dx| (dx, dy)))
                .filter(|&(dx, dy)| inside(dx, dy))
                .map(|(dx, dy)| raster.at((x + dx) as u32, (y + dy) as u32))
                .collect();
            values.sort_unstable();
            assert_eq!(
                filtered.at(x as u32, y as u32),
                values[values.len().div_ceil(2) - 1],
                "({x}, {y})"
            );
        }
    }
}
