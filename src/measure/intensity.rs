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
    /// A weighted sum of optical densities.
    Sum(SumTables),
    /// Another mixture of optical densities.
    Mixture(DensityTables, Mixture),
}

/// What each sample value of each color adds to a channel.
struct SumTables([Vec<f64>; 3]);

impl SumTables {
    /// The tables of images whose samples have `N` values; `None` when they are for others.
    fn of_values<const N: usize>(&self) -> Option<[&[f64; N]; 3]> {
        let Self([red, green, blue]) = self;
        Some([red.as_array()?, green.as_array()?, blue.as_array()?])
    }
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
            Mixture::Linear(weights) => Source::Sum(SumTables([0, 1, 2].map(|color| {
                tables.of_color(color).iter().map(|density| weights[color] * density).collect()
            }))),
            Mixture::PositiveParts(..) => Source::Mixture(tables, mixture),
        };
        Some(Self { image, source })
    }

    /// The values of an object's pixels, in raster order.
    pub fn values(&self, object: &Object, values: &mut Vec<f64>) {
        values.clear();
        // Growing to the size of a large object would leave a trail of smaller buffers.
        values.reserve(object.n_px() as usize);
        let max_value = self.image.max_value();
        match self.image {
            Image::Gray8(raster) => {
                collect(object, values, raster, |value| f64::from(value) / max_value);
            }
            Image::Gray16(raster) => {
                collect(object, values, raster, |value| f64::from(value) / max_value);
            }
            Image::Rgb8(raster) => self.collect_color::<256, _>(object, values, raster),
            Image::Rgb16(raster) => self.collect_color::<65_536, _>(object, values, raster),
        }
    }

    fn collect_color<const N: usize, T: Copy + Into<u32> + Into<usize>>(
        &self,
        object: &Object,
        values: &mut Vec<f64>,
        raster: &Raster<[T; 3]>,
    ) {
        let max_value = self.image.max_value();
        let places = |rgb: [T; 3]| rgb.map(Into::<usize>::into);
        match &self.source {
            Source::Brightness => {
                collect(object, values, raster, |rgb| {
                    brightness(rgb.map(Into::<u32>::into), max_value)
                });
            }
            Source::Sum(tables) => {
                let Some([red, green, blue]) = tables.of_values::<N>() else { return };
                collect(object, values, raster, |rgb| {
                    let [r, g, b] = places(rgb);
                    red[r] + green[g] + blue[b]
                });
            }
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

/// Mean, population standard deviation, minimum, maximum and sum of each channel.
///
/// # Shapes
/// `channels`: as many values each.
#[must_use]
pub fn statistics(channels: &[Vec<f64>]) -> Vec<[f64; 5]> {
    // A sum waits for the one before it; those of two channels can be made meanwhile.
    let (pairs, rest) = channels.as_chunks::<2>();
    let of_pairs = pairs.iter().flat_map(|[one, two]| of_several([one, two]));
    of_pairs.chain(rest.iter().flat_map(|one| of_several([one]))).collect()
}

fn of_several<const N: usize>(channels: [&Vec<f64>; N]) -> [[f64; 5]; N] {
    let n_px = channels.iter().map(|values| values.len()).min().unwrap_or(0);
    let channels = channels.map(|values| &values[..n_px]);
    let (mut sums, mut spreads) = ([0.0; N], [0.0; N]);
    let (mut lows, mut highs) = ([f64::INFINITY; N], [f64::NEG_INFINITY; N]);
    for at in 0..n_px {
        for (channel, values) in channels.iter().enumerate() {
            let value = values[at];
            sums[channel] += value;
            lows[channel] = if value < lows[channel] { value } else { lows[channel] };
            highs[channel] = if value > highs[channel] { value } else { highs[channel] };
        }
    }
    let means = sums.map(|sum| sum / n_px as f64);
    for at in 0..n_px {
        for (channel, values) in channels.iter().enumerate() {
            let difference = values[at] - means[channel];
            spreads[channel] += difference * difference;
        }
    }
    std::array::from_fn(|channel| {
        let deviation = (spreads[channel] / n_px as f64).sqrt();
        [means[channel], deviation, lows[channel], highs[channel], sums[channel]]
    })
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
