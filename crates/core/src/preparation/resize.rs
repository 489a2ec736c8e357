//! Resize: images by the mean of what each new pixel covers, labels by what lies at its center.

use crate::raster::{Image, Labels, Raster};
use rayon::prelude::*;

/// The image with another size: each new pixel is the mean of the area that it covers, rounded to
/// nearest.
///
/// # Edge cases
/// A size of 0 is taken for 1. Enlarged by whole factors, pixels are repeated.
#[must_use]
pub fn resize_image(image: &Image, width: u32, height: u32) -> Image {
    match image {
        Image::Gray8(raster) => {
            let wide = raster.map(|sample| [u16::from(sample)]);
            Image::Gray8(resample_by_area(&wide, width, height).map(|[sample]| sample as u8))
        }
        Image::Gray16(raster) => {
            let wide = raster.map(|sample| [sample]);
            Image::Gray16(resample_by_area(&wide, width, height).map(|[sample]| sample))
        }
        Image::Rgb8(raster) => {
            let wide = raster.map(|color| color.map(u16::from));
            let new = resample_by_area(&wide, width, height);
            Image::Rgb8(new.map(|color| color.map(|part| part as u8)))
        }
        Image::Rgb16(raster) => Image::Rgb16(resample_by_area(raster, width, height)),
    }
}

/// Labels with another size: each new pixel has the number at its center.
///
/// # Edge cases
/// Nuclei smaller than a new pixel may vanish; numbers stay as they are.
#[must_use]
pub fn resize_labels(labels: &Labels, width: u32, height: u32) -> Labels {
    let (width, height) = (width.max(1), height.max(1));
    let at = |new: u32, n_new: u32, n_old: u32| {
        ((2 * u64::from(new) + 1) * u64::from(n_old) / (2 * u64::from(n_new))) as u32
    };
    Raster::from_fn(width, height, |x, y| {
        labels.at(at(x, width, labels.width()), at(y, height, labels.height()))
    })
}

fn resample_by_area<const N: usize>(
    raster: &Raster<[u16; N]>,
    width: u32,
    height: u32,
) -> Raster<[u16; N]> {
    let (width, height) = (width.max(1), height.max(1));
    let columns: Vec<Covered> = (0..width).map(|x| Covered::of(x, width, raster.width())).collect();
    let mut new = Raster::filled(width, height, [0; N]);
    // A new pixel covers as many shares along an axis as there are old pixels, see `Covered`.
    let total = u128::from(raster.width()) * u128::from(raster.height());
    let rows = new.samples_mut().par_chunks_mut(width as usize).enumerate();
    rows.for_each(|(y, line)| {
        let row = Covered::of(y as u32, height, raster.height());
        for (pixel, column) in line.iter_mut().zip(&columns) {
            let mut sums = [0_u128; N];
            for (old_y, down) in row.pixels() {
                let samples = raster.row(old_y);
                for (old_x, across) in column.pixels() {
                    let weight = u128::from(down) * u128::from(across);
                    let parts = sums.iter_mut().zip(samples[old_x as usize]);
                    parts.for_each(|(sum, part)| *sum += weight * u128::from(part));
                }
            }
            *pixel = sums.map(|sum| ((sum + total / 2) / total) as u16);
        }
    });
    new
}

/// Range that a new pixel covers along one axis; an old pixel is `n_new` units long.
#[derive(Clone, Copy)]
struct Covered {
    start: u64,
    end: u64,
    n_new: u64,
}

impl Covered {
    fn of(new: u32, n_new: u32, n_old: u32) -> Self {
        let (new, n_old) = (u64::from(new), u64::from(n_old));
        Self { start: new * n_old, end: (new + 1) * n_old, n_new: u64::from(n_new) }
    }

    /// Old pixels, each with how much of it is covered.
    fn pixels(self) -> impl Iterator<Item = (u32, u64)> {
        (self.start / self.n_new..self.end.div_ceil(self.n_new)).map(move |pixel| {
            let end = ((pixel + 1) * self.n_new).min(self.end);
            (pixel as u32, end - (pixel * self.n_new).max(self.start))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels;

    fn gray(width: u32, samples: &[u8]) -> Image {
        let height = samples.len() as u32 / width;
        Image::Gray8(Raster::from_samples(width, height, samples.to_vec()).unwrap())
    }

    #[test]
    fn a_new_pixel_is_the_mean_of_what_it_covers() {
        let image = gray(4, &[0, 10, 20, 30, 40, 50, 60, 70]);
        assert_eq!(resize_image(&image, 2, 1), gray(2, &[25, 45]));
        assert_eq!(resize_image(&image, 4, 2), image);
        // Three old pixels on two new ones: one and a half each.
        assert_eq!(resize_image(&gray(3, &[0, 30, 90]), 2, 1), gray(2, &[10, 70]));
        assert_eq!(resize_image(&gray(2, &[1, 5]), 4, 2), gray(4, &[1, 1, 5, 5, 1, 1, 5, 5]));
    }

    #[test]
    fn colors_and_sixteen_bits_are_averaged_alike() {
        let color =
            Image::Rgb8(Raster::from_samples(2, 1, vec![[0, 10, 255], [2, 30, 255]]).unwrap());
        assert_eq!(resize_image(&color, 1, 1), Image::Rgb8(Raster::filled(1, 1, [1, 20, 255])));
        let wide = Image::Gray16(Raster::from_samples(2, 1, vec![0, 65_535]).unwrap());
        assert_eq!(resize_image(&wide, 1, 1), Image::Gray16(Raster::filled(1, 1, 32_768)));
    }

    #[test]
    fn labels_are_never_mixed() {
        let labels = labels![1, 1, 0, 7; 1, 1, 0, 7];
        assert_eq!(resize_labels(&labels, 2, 1), labels![1, 7]);
        assert_eq!(resize_labels(&labels, 8, 2).samples()[..8], [1, 1, 1, 1, 0, 0, 7, 7]);
        assert_eq!(resize_labels(&labels, 4, 2), labels);
    }
}
