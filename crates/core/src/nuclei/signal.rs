//! Signal: the detection channel as integers, bright where nuclei are.
//!
//! Takes an image, gives one `u16` for each pixel with a fixed scale, so that everything that
//! follows is integer arithmetic and gives the same bits everywhere.

use super::SegmentError;
use crate::profile::{Channel, Stains};
use crate::raster::{Image, Raster};
use crate::stain::{DensityTables, GRAY_WEIGHTS, Mixture};
use crate::vectors::dispatch_simd;
use rayon::prelude::*;

/// Steps of one unit of optical density; `u16` then reaches 8, past what 8 bits can hold.
pub const STEPS_PER_OD: f64 = 8192.0;

/// The detection channel, in steps of a fixed size.
#[derive(Debug, Clone)]
pub struct Signal {
    /// Samples in steps, 0 where the channel is negative.
    pub raster: Raster<u16>,
    /// Steps of one unit of the channel: brightness 1, or optical density 1.
    pub steps_per_unit: f64,
}

impl Signal {
    /// Reads a channel of an image.
    ///
    /// # Errors
    /// [`SegmentError::ChannelUnavailable`] when the image or the stains cannot give the channel.
    pub fn of_channel(
        image: &Image,
        channel: Channel,
        stains: Option<&Stains>,
    ) -> Result<Self, SegmentError> {
        let unavailable = || SegmentError::ChannelUnavailable { channel, color: image.is_color() };
        if channel == Channel::Gray {
            return Ok(Self { raster: brightness(image), steps_per_unit: 65_535.0 });
        }
        let stains = stains.ok_or_else(unavailable)?;
        let mixture = Mixture::of_channel(channel, stains).ok_or_else(unavailable)?;
        let max_value = image.max_value() as u16;
        let tables = StepTables::new(mixture, &DensityTables::new(stains.background, max_value));
        let raster = match image {
            Image::Rgb8(raster) => {
                tables.as_arrays::<256>().map(|tables| sum_parts(raster, tables))
            }
            Image::Rgb16(raster) => {
                tables.as_arrays::<65_536>().map(|tables| sum_parts(raster, tables))
            }
            Image::Gray8(_) | Image::Gray16(_) => None,
        };
        let raster = raster.ok_or_else(unavailable)?;
        Ok(Self { raster, steps_per_unit: STEPS_PER_OD })
    }
}

/// Brightness of an image on the scale of 0 to 65,535.
#[must_use]
pub fn brightness(image: &Image) -> Raster<u16> {
    match image {
        Image::Gray8(raster) => raster.map(brightness_of_gray8),
        Image::Gray16(raster) => raster.clone(),
        Image::Rgb8(raster) => convert_pixels(raster, brightness_of_rgb8),
        Image::Rgb16(raster) => convert_pixels(raster, brightness_of_rgb16),
    }
}

/// Sum of the brightness of all pixels, on the scale of 0 to 65,535.
#[must_use]
pub fn brightness_sum(image: &Image) -> u64 {
    match image {
        Image::Gray8(raster) => sum(raster, brightness_of_gray8),
        Image::Gray16(raster) => sum(raster, |value| value),
        Image::Rgb8(raster) => sum(raster, brightness_of_rgb8),
        Image::Rgb16(raster) => sum(raster, brightness_of_rgb16),
    }
}

fn sum<T: Copy>(raster: &Raster<T>, convert: impl Fn(T) -> u16 + Copy) -> u64 {
    // Sums of short stretches fit 32 bits.
    let stretches = raster.samples().chunks(4096);
    stretches.map(|stretch| u64::from(dispatch_simd!(sum_of_stretch(stretch, convert)))).sum()
}

#[inline(always)]
fn sum_of_stretch<T: Copy>(stretch: &[T], convert: impl Fn(T) -> u16) -> u32 {
    let mut sum = 0;
    for &sample in stretch {
        sum += u32::from(convert(sample));
    }
    sum
}

#[inline(always)]
fn brightness_of_gray8(value: u8) -> u16 {
    u16::from(value) * 257
}

#[inline(always)]
fn brightness_of_rgb8(rgb: [u8; 3]) -> u16 {
    // 255 times 257 times all weights is well below 2^32.
    ((weighted_sum(rgb.map(u32::from)) * 257 + 5_000) / 10_000) as u16
}

#[inline(always)]
fn brightness_of_rgb16(rgb: [u16; 3]) -> u16 {
    ((weighted_sum(rgb.map(u32::from)) + 5_000) / 10_000) as u16
}

/// Brightness of a color, in ten-thousandths of the samples' unit.
#[inline(always)]
fn weighted_sum(rgb: [u32; 3]) -> u32 {
    // A chain of iterators would be a call for each pixel.
    rgb[0] * GRAY_WEIGHTS[0] + rgb[1] * GRAY_WEIGHTS[1] + rgb[2] * GRAY_WEIGHTS[2]
}

fn convert_pixels<T: Copy + Sync>(
    raster: &Raster<T>,
    convert: impl Fn(T) -> u16 + Sync,
) -> Raster<u16> {
    let mut mixed = Raster::filled(raster.width(), raster.height(), 0_u16);
    let width = raster.width().max(1) as usize;
    let rows = mixed.samples_mut().par_chunks_mut(width).zip(raster.samples().par_chunks(width));
    rows.with_min_len(16).for_each(|(to, from)| {
        dispatch_simd!({
            for (sample, &pixel) in to.iter_mut().zip(from) {
                *sample = convert(pixel);
            }
        });
    });
    mixed
}

/// Steps that each sample value of each color adds to the two parts of the channel.
///
/// Both parts are in one number, the first multiplied by 2³²: one addition adds both.
struct StepTables {
    colors: [Vec<i64>; 3],
}

impl StepTables {
    fn new(mixture: Mixture, densities: &DensityTables) -> Self {
        let (first, second) = match mixture {
            Mixture::Linear(weights) => (weights, [0.0; 3]),
            Mixture::PositiveParts(one, two) => (one, two),
        };
        let steps = |weight: f64, density: f64| libm::round(weight * density * STEPS_PER_OD) as i64;
        let table = |color: usize| {
            let both = |&density: &f64| {
                (steps(first[color], density) << 32) + steps(second[color], density)
            };
            densities.table(color).iter().map(both).collect()
        };
        Self { colors: [table(0), table(1), table(2)] }
    }

    /// The tables of images whose samples have `N` values; `None` when they are for others.
    fn as_arrays<const N: usize>(&self) -> Option<[&[i64; N]; 3]> {
        let [red, green, blue] = &self.colors;
        Some([red.as_array()?, green.as_array()?, blue.as_array()?])
    }
}

/// Pixels whose parts are added up before any is limited: looking up and limiting are fast by
/// themselves.
const BLOCK: usize = 32;

/// The sums of the two parts of all pixels.
fn sum_parts<const N: usize, T: Copy + Sync + Into<usize>>(
    raster: &Raster<[T; 3]>,
    tables: [&[i64; N]; 3],
) -> Raster<u16> {
    let mut sums = Raster::filled(raster.width(), raster.height(), 0_u16);
    let width = raster.width().max(1) as usize;
    let rows = sums.samples_mut().par_chunks_mut(width).zip(raster.samples().par_chunks(width));
    rows.with_min_len(16).for_each(|(to, from)| {
        for (to, from) in to.chunks_mut(BLOCK).zip(from.chunks(BLOCK)) {
            let mut both = [0; BLOCK];
            for (both, rgb) in both.iter_mut().zip(from) {
                let [red, green, blue] = *rgb;
                *both = tables[0][red.into()] + tables[1][green.into()] + tables[2][blue.into()];
            }
            dispatch_simd!(add_positive_parts(&both, to));
        }
    });
    sums
}

/// Adds the two parts of each pixel, negative ones counted as 0.
#[inline(always)]
fn add_positive_parts(both: &[i64; BLOCK], sums: &mut [u16]) {
    for (sum, &both) in sums.iter_mut().zip(both) {
        // The upper half is one less where the lower one is negative.
        let second = both as i32;
        let first = (both >> 32) as i32 - (second >> 31);
        *sum = (first.max(0) + second.max(0)).min(65_535) as u16;
    }
}
