//! Intensity: statistics of a channel over the pixels of a nucleus.

use super::object::Object;
use crate::params::{Channel, Stains};
use crate::raster::{Image, Raster};
use crate::stain::{DensityTables, GRAY_WEIGHTS, Mixture};

/// A channel of an image, read pixel by pixel in its unit: brightness 0 to 1, or optical density.
pub struct Reader<'a> {
    image: &'a Image,
    source: Source,
}

enum Source {
    /// Brightness.
    Brightness,
    /// A weighted sum of optical densities: what each value of each color adds.
    Sum([Vec<f64>; 3]),
    /// Another mixture of optical densities.
    Mixture(DensityTables, Mixture),
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
        let source = match mixture {
            Mixture::Linear(weights) => Source::Sum([0, 1, 2].map(|color| {
                tables.of_color(color).iter().map(|density| weights[color] * density).collect()
            })),
            Mixture::PositiveParts(..) => Source::Mixture(tables, mixture),
        };
        Some(Self { image, source })
    }

    /// The values of an object's pixels, in raster order.
    pub fn values(&self, object: &Object, values: &mut Vec<f64>) {
        values.clear();
        let max_value = self.image.max_value();
        match self.image {
            Image::Gray8(raster) => {
                collect(object, values, raster, |value| f64::from(value) / max_value);
            }
            Image::Gray16(raster) => {
                collect(object, values, raster, |value| f64::from(value) / max_value);
            }
            Image::Rgb8(raster) => self.collect_color(object, values, raster),
            Image::Rgb16(raster) => self.collect_color(object, values, raster),
        }
    }

    fn collect_color<T: Copy + Into<u32>>(
        &self,
        object: &Object,
        values: &mut Vec<f64>,
        raster: &Raster<[T; 3]>,
    ) {
        let max_value = self.image.max_value();
        let places = |rgb: [T; 3]| rgb.map(|value| value.into() as usize);
        match &self.source {
            Source::Brightness => {
                collect(object, values, raster, |rgb| brightness(rgb.map(Into::into), max_value));
            }
            Source::Sum([red, green, blue]) => collect(object, values, raster, |rgb| {
                let [r, g, b] = places(rgb);
                red[r] + green[g] + blue[b]
            }),
            Source::Mixture(tables, mixture) => {
                collect(object, values, raster, |rgb| mixture.value(tables.of(places(rgb))));
            }
        }
    }
}

fn collect<T: Copy>(
    object: &Object,
    values: &mut Vec<f64>,
    raster: &Raster<T>,
    value: impl Fn(T) -> f64,
) {
    for run in &object.runs {
        let row = &raster.row(run.y)[run.start as usize..run.end as usize];
        values.extend(row.iter().map(|&sample| value(sample)));
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
