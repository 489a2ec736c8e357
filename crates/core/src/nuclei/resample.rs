//! Resample: to the working resolution and back.
//!
//! Finer images are averaged down before they are segmented; labels are painted at the image's own
//! resolution. Coarser images are left alone: pixels that were never taken cannot be made up.

use super::split::Region;
use crate::raster::{Labels, Raster};
use crate::units::PixelSize;
use rayon::prelude::*;

/// How image pixels and working pixels relate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resampling {
    /// Image pixels along one working pixel; 1 when nothing is resampled.
    factor: f64,
    working: Option<PixelSize>,
}

/// Working resolutions closer to the image's than this are not worth the loss of sharpness.
const LEAST_FACTOR: f64 = 1.05;

impl Resampling {
    /// Relates an image's pixel size to the working resolution that a profile asks for.
    #[must_use]
    pub fn between(image: Option<PixelSize>, working: Option<PixelSize>) -> Self {
        let factor = image.zip(working).map_or(1.0, |(image, working)| image.pixels_per(working));
        if factor < LEAST_FACTOR {
            Self { factor: 1.0, working: None }
        } else {
            Self { factor, working }
        }
    }

    /// The pixel size that lengths are converted with.
    #[must_use]
    pub fn working_pixel_size(self, image: Option<PixelSize>) -> Option<PixelSize> {
        self.working.or(image)
    }

    /// Averages a signal down to the working resolution.
    #[must_use]
    pub fn downsample(self, raster: Raster<u16>) -> Raster<u16> {
        if self.factor == 1.0 {
            return raster;
        }
        let columns = self.shares(raster.width());
        let rows = self.shares(raster.height());
        let width = columns.len() as u32;
        let mut shrunk = Raster::filled(width, rows.len() as u32, 0_u16);
        let lines = shrunk.samples_mut().par_chunks_mut(width as usize).zip(&rows);
        lines.for_each(|(line, row)| {
            for (sample, column) in line.iter_mut().zip(&columns) {
                let mut sum = 0_u64;
                for (y, row_weight) in row.pixels() {
                    let samples = raster.row(y);
                    for (x, column_weight) in column.pixels() {
                        sum += row_weight * column_weight * u64::from(samples[x as usize]);
                    }
                }
                let weight = row.total() * column.total();
                *sample = ((sum + weight / 2) / weight) as u16;
            }
        });
        shrunk
    }

    /// Paints nuclei, found at the working resolution, as labels of the image's size.
    #[must_use]
    pub fn paint(self, nuclei: &[Region], width: u32, height: u32) -> Labels {
        let mut labels = Labels::filled(width, height, 0);
        let (columns, rows) = (self.nearest(width), self.nearest(height));
        for (number, runs) in nuclei.iter().enumerate() {
            for run in runs {
                let (start, end) = (columns.first_at(run.start), columns.first_at(run.end));
                for y in rows.first_at(run.y)..rows.first_at(run.y + 1) {
                    labels.row_mut(y)[start as usize..end as usize].fill(number as u32 + 1);
                }
            }
        }
        labels
    }

    /// Which image pixels, and how much of each, make up each working pixel along one axis.
    fn shares(self, n_px: u32) -> Vec<Share> {
        // Ends in 1024ths of an image pixel keep the sums whole.
        let end = |index: u32| {
            ((f64::from(index) * self.factor * 1024.0) as u64).min(u64::from(n_px) * 1024)
        };
        let n_working = self.n_working(n_px);
        (0..n_working).map(|index| Share { start: end(index), end: end(index + 1) }).collect()
    }

    fn n_working(self, n_px: u32) -> u32 {
        ((f64::from(n_px) / self.factor) as u32).max(1)
    }

    fn nearest(self, n_px: u32) -> Nearest {
        Nearest { factor: self.factor, n_px, n_working: self.n_working(n_px) }
    }
}

/// A stretch of image pixels, in 1024ths.
#[derive(Debug, Clone, Copy)]
struct Share {
    start: u64,
    end: u64,
}

impl Share {
    fn pixels(self) -> impl Iterator<Item = (u32, u64)> {
        (self.start / 1024..self.end.div_ceil(1024)).map(move |pixel| {
            let covered = ((pixel + 1) * 1024).min(self.end) - (pixel * 1024).max(self.start);
            (pixel as u32, covered)
        })
    }

    fn total(self) -> u64 {
        self.end - self.start
    }
}

/// Which working pixel the center of an image pixel lies in, along one axis.
#[derive(Clone, Copy)]
struct Nearest {
    factor: f64,
    n_px: u32,
    n_working: u32,
}

impl Nearest {
    /// The first image pixel that belongs to a working pixel or a later one.
    fn first_at(self, working: u32) -> u32 {
        if working >= self.n_working {
            return self.n_px;
        }
        let start = f64::from(working) * self.factor - 0.5;
        (libm::ceil(start).max(0.0) as u32).min(self.n_px)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::components::Run;

    fn between(image_um: f64, working_um: f64) -> Resampling {
        Resampling::between(PixelSize::from_um(image_um), PixelSize::from_um(working_um))
    }

    #[test]
    fn averages_keep_the_mean_for_any_factor() {
        let raster = Raster::from_fn(60, 40, |x, y| ((x * 37 + y * 91) * 7919 % 65_521) as u16);
        let mean = |raster: &Raster<u16>| {
            raster.samples().iter().map(|&value| f64::from(value)).sum::<f64>()
                / raster.n_px() as f64
        };
        for working in [1.0, 1.25, 2.0, 0.6] {
            let shrunk = between(0.5, working).downsample(raster.clone());
            assert!((mean(&shrunk) - mean(&raster)).abs() < 400.0, "{working}");
        }
        assert_eq!(between(0.5, 1.0).downsample(Raster::filled(7, 5, 9)).samples(), [9; 6]);
    }

    #[test]
    fn coarse_images_are_left_alone() {
        let raster = Raster::from_fn(5, 5, |x, y| (x + y) as u16);
        assert_eq!(between(0.5, 0.25).downsample(raster.clone()), raster);
        assert_eq!(between(0.5, 0.51).downsample(raster.clone()), raster);
    }

    #[test]
    fn painting_covers_every_pixel_once() {
        for working in [0.5, 1.0, 0.8, 1.3] {
            let resampling = between(0.5, working);
            let (columns, rows) = (resampling.n_working(31), resampling.n_working(17));
            let strip = |y| {
                vec![
                    Run { y, start: 0, end: columns / 2 },
                    Run { y, start: columns / 2, end: columns },
                ]
            };
            let nuclei: Vec<Region> = (0..rows).map(strip).collect();
            let labels = resampling.paint(&nuclei, 31, 17);
            assert!(labels.samples().iter().all(|&label| label > 0), "{working}");
            assert_eq!(labels.at(30, 16), rows);
        }
    }
}
