//! Intensity: statistics of a channel over the pixels of a nucleus.

use super::object::Object;
use crate::params::{Channel, Stains};
use crate::raster::Image;
use crate::stain::{DensityTables, GRAY_WEIGHTS, Mixture};

/// A channel of an image, read pixel by pixel in its unit: brightness 0 to 1, or optical density.
pub struct Reader<'a> {
    image: &'a Image,
    source: Source,
}

enum Source {
    /// Brightness; the table has what each gray value stands for.
    Brightness,
    /// A mixture of optical densities.
    Density(DensityTables, Mixture),
}

impl<'a> Reader<'a> {
    /// Prepares to read a channel; `None` when the image does not have it.
    #[must_use]
    pub fn new(image: &'a Image, channel: Channel, stains: Option<&Stains>) -> Option<Self> {
        if channel == Channel::Gray {
            return Some(Self { image, source: Source::Brightness });
        }
        let stains = stains.filter(|_| image.is_color())?;
        let mixture = Mixture::of_channel(channel, stains)?;
        let tables = DensityTables::new(stains.background, image.max_value() as u16);
        Some(Self { image, source: Source::Density(tables, mixture) })
    }

    /// The values of an object's pixels, in raster order.
    pub fn values(&self, object: &Object, values: &mut Vec<f64>) {
        values.clear();
        let max_value = self.image.max_value();
        match (self.image, &self.source) {
            (Image::Gray8(raster), _) => {
                collect(object, values, |x, y| f64::from(raster.at(x, y)) / max_value);
            }
            (Image::Gray16(raster), _) => {
                collect(object, values, |x, y| f64::from(raster.at(x, y)) / max_value);
            }
            (Image::Rgb8(raster), Source::Brightness) => {
                collect(object, values, |x, y| {
                    brightness(raster.at(x, y).map(u32::from), max_value)
                });
            }
            (Image::Rgb16(raster), Source::Brightness) => {
                collect(object, values, |x, y| {
                    brightness(raster.at(x, y).map(u32::from), max_value)
                });
            }
            (Image::Rgb8(raster), Source::Density(tables, mixture)) => {
                collect(object, values, |x, y| {
                    mixture.value(tables.of(raster.at(x, y).map(usize::from)))
                });
            }
            (Image::Rgb16(raster), Source::Density(tables, mixture)) => {
                collect(object, values, |x, y| {
                    mixture.value(tables.of(raster.at(x, y).map(usize::from)))
                });
            }
        }
    }
}

fn collect(object: &Object, values: &mut Vec<f64>, value: impl Fn(u32, u32) -> f64) {
    for run in &object.runs {
        values.extend((run.start..run.end).map(|x| value(x, run.y)));
    }
}

fn brightness(rgb: [u32; 3], max_value: f64) -> f64 {
    let weighed: u32 = rgb.iter().zip(GRAY_WEIGHTS).map(|(&value, weight)| value * weight).sum();
    f64::from(weighed) / (10_000.0 * max_value)
}

/// Mean, population standard deviation, minimum, maximum and sum.
#[must_use]
pub fn statistics(values: &[f64]) -> [f64; 5] {
    let n = values.len() as f64;
    let first = (0.0, f64::INFINITY, f64::NEG_INFINITY);
    let (sum, low, high) = values.iter().fold(first, |(sum, low, high), &value| {
        (sum + value, f64::min(low, value), f64::max(high, value))
    });
    let mean = sum / n;
    let spread: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    [mean, (spread / n).sqrt(), low, high, sum]
}

/// Median, first and third quartile; interpolated linearly between ranks. Sorts the values.
#[must_use]
pub fn quartiles(values: &mut [f64]) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let quantile = |fraction: f64| {
        let rank = fraction * (values.len() - 1) as f64;
        let (below, share) = (rank as usize, rank.fract());
        let above = (below + 1).min(values.len() - 1);
        values[below] + share * (values[above] - values[below])
    };
    [quantile(0.5), quantile(0.25), quantile(0.75)]
}
