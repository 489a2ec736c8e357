//! Intensity: statistics of a channel over the pixels of a nucleus.

use super::object::Object;
use crate::params::{Channel, Stains};
use crate::raster::{Image, Raster};
use crate::stain::{DensityTables, GRAY_WEIGHTS, Mixture};

/// Channels of an image, read pixel by pixel in their units: brightness 0 to 1, or optical density.
pub struct Reader<'a> {
    image: &'a Image,
    /// The channels that are read, one after the other.
    pub channels: Vec<Channel>,
    source: Source,
}

enum Source {
    /// Brightness.
    Brightness,
    /// A weighted sum of optical densities.
    Sum(SumTables<1>),
    /// Two of them, which cost as much as one.
    Sums(SumTables<2>),
    /// Another mixture of optical densities.
    Mixture(DensityTables, Mixture),
}

/// What each sample value of each color adds to `C` channels.
struct SumTables<const C: usize>([Vec<[f64; C]>; 3]);

impl<const C: usize> SumTables<C> {
    fn new(weights: [[f64; 3]; C], densities: &DensityTables) -> Self {
        let table = |color: usize| {
            let added = |density: &f64| weights.map(|weights| weights[color] * density);
            densities.of_color(color).iter().map(added).collect()
        };
        Self([table(0), table(1), table(2)])
    }

    /// The tables of images whose samples have `N` values; `None` when they are for others.
    fn of_values<const N: usize>(&self) -> Option<[&[[f64; C]; N]; 3]> {
        let Self([red, green, blue]) = self;
        Some([red.as_array()?, green.as_array()?, blue.as_array()?])
    }
}

/// What is known of one channel of an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Intensity {
    /// Mean, population standard deviation, minimum, maximum and sum.
    pub statistics: [f64; 5],
    /// Median, first and third quartile, if they were asked for.
    pub quartiles: Option<[f64; 3]>,
}

/// Values of an object's pixels, used again for the next object.
#[derive(Debug, Default)]
pub struct Scratch {
    single: Vec<[f64; 1]>,
    paired: Vec<[f64; 2]>,
}

impl<'a> Reader<'a> {
    /// Prepares to read channels, in their order; those that the image does not have are left out.
    #[must_use]
    pub fn of_channels(
        image: &'a Image,
        channels: &[Channel],
        stains: Option<&Stains>,
    ) -> Vec<Self> {
        let needs_densities = channels.iter().any(|&channel| channel != Channel::Gray);
        let stains = stains.filter(|_| image.is_color() && needs_densities);
        let densities = stains.map(|stains| {
            (stains, DensityTables::new(stains.background, image.max_value() as u16))
        });
        let mut readers: Vec<Self> = Vec::new();
        // Weights of the last reader, if it is a sum that waits for another.
        let mut single: Option<[f64; 3]> = None;
        for &channel in channels {
            let source = if channel == Channel::Gray {
                single = None;
                Source::Brightness
            } else {
                let Some((stains, densities)) = &densities else { continue };
                match Mixture::of_channel(channel, stains) {
                    Some(Mixture::Linear(two)) => {
                        if let Some((reader, one)) = readers.last_mut().zip(single.take()) {
                            reader.source = Source::Sums(SumTables::new([one, two], densities));
                            reader.channels.push(channel);
                            continue;
                        }
                        single = Some(two);
                        Source::Sum(SumTables::new([two], densities))
                    }
                    Some(mixture) => {
                        single = None;
                        Source::Mixture(densities.clone(), mixture)
                    }
                    None => continue,
                }
            };
            readers.push(Self { image, channels: vec![channel], source });
        }
        readers
    }

    /// What there is to know of each channel over the pixels of an object.
    #[must_use]
    pub fn intensities(
        &self,
        object: &Object,
        wants_quartiles: bool,
        scratch: &mut Scratch,
    ) -> Vec<Intensity> {
        match self.image {
            Image::Gray8(raster) => {
                self.of_gray(object, raster, scratch);
            }
            Image::Gray16(raster) => {
                self.of_gray(object, raster, scratch);
            }
            Image::Rgb8(raster) => self.of_color::<256, _>(object, raster, scratch),
            Image::Rgb16(raster) => self.of_color::<65_536, _>(object, raster, scratch),
        }
        if matches!(self.source, Source::Sums(_)) {
            summed_up(&scratch.paired, wants_quartiles)
        } else {
            summed_up(&scratch.single, wants_quartiles)
        }
    }

    fn of_gray<T: Copy + Into<f64>>(
        &self,
        object: &Object,
        raster: &Raster<T>,
        scratch: &mut Scratch,
    ) {
        let max_value = self.image.max_value();
        collect(object, &mut scratch.single, raster, |value| [value.into() / max_value]);
    }

    fn of_color<const N: usize, T: Copy + Into<u32> + Into<usize>>(
        &self,
        object: &Object,
        raster: &Raster<[T; 3]>,
        scratch: &mut Scratch,
    ) {
        let max_value = self.image.max_value();
        match &self.source {
            Source::Brightness => collect(object, &mut scratch.single, raster, |rgb| {
                [brightness(rgb.map(Into::<u32>::into), max_value)]
            }),
            Source::Sum(tables) => {
                collect_sums::<N, 1, _>(object, &mut scratch.single, raster, tables)
            }
            Source::Sums(tables) => {
                collect_sums::<N, 2, _>(object, &mut scratch.paired, raster, tables)
            }
            Source::Mixture(tables, mixture) => {
                collect(object, &mut scratch.single, raster, |rgb| {
                    [mixture.value(tables.of(rgb.map(Into::<usize>::into)))]
                });
            }
        }
    }
}

fn collect_sums<const N: usize, const C: usize, T: Copy + Into<usize>>(
    object: &Object,
    values: &mut Vec<[f64; C]>,
    raster: &Raster<[T; 3]>,
    tables: &SumTables<C>,
) {
    let Some([red, green, blue]) = tables.of_values::<N>() else { return values.clear() };
    collect(object, values, raster, |rgb| {
        let [r, g, b] = rgb.map(Into::<usize>::into);
        let (red, green, blue) = (red[r], green[g], blue[b]);
        std::array::from_fn(|channel| red[channel] + green[channel] + blue[channel])
    });
}

/// The values of an object's pixels, in raster order.
fn collect<T: Copy, const C: usize>(
    object: &Object,
    values: &mut Vec<[f64; C]>,
    raster: &Raster<T>,
    value: impl Fn(T) -> [f64; C],
) {
    values.clear();
    // Growing to the size of a large object would leave a trail of smaller buffers.
    values.reserve(object.n_px() as usize);
    for run in &object.runs {
        let row = &raster.row(run.y)[run.start as usize..run.end as usize];
        values.extend(row.iter().map(|&sample| value(sample)));
    }
}

fn brightness(rgb: [u32; 3], max_value: f64) -> f64 {
    let weighed: u32 = rgb.iter().zip(GRAY_WEIGHTS).map(|(&value, weight)| value * weight).sum();
    f64::from(weighed) / (10_000.0 * max_value)
}

/// Statistics of each channel, and quartiles if they are wanted.
fn summed_up<const C: usize>(values: &[[f64; C]], wants_quartiles: bool) -> Vec<Intensity> {
    let of_channel = |channel: usize, statistics: [f64; 5]| {
        let quartiles = wants_quartiles.then(|| {
            let mut values: Vec<f64> = values.iter().map(|values| values[channel]).collect();
            quartiles(&mut values)
        });
        Intensity { statistics, quartiles }
    };
    let channels = statistics(values).into_iter().enumerate();
    channels.map(|(channel, statistics)| of_channel(channel, statistics)).collect()
}

/// Mean, population standard deviation, minimum, maximum and sum of each channel.
fn statistics<const C: usize>(values: &[[f64; C]]) -> [[f64; 5]; C] {
    // A sum waits for the one before it; that of another channel is made meanwhile.
    let (mut sums, mut spreads) = ([0.0; C], [0.0; C]);
    let (mut lows, mut highs) = ([f64::INFINITY; C], [f64::NEG_INFINITY; C]);
    for values in values {
        for channel in 0..C {
            let value = values[channel];
            sums[channel] += value;
            lows[channel] = if value < lows[channel] { value } else { lows[channel] };
            highs[channel] = if value > highs[channel] { value } else { highs[channel] };
        }
    }
    let means = sums.map(|sum| sum / values.len() as f64);
    for values in values {
        for channel in 0..C {
            let difference = values[channel] - means[channel];
            spreads[channel] += difference * difference;
        }
    }
    std::array::from_fn(|channel| {
        let deviation = (spreads[channel] / values.len() as f64).sqrt();
        [means[channel], deviation, lows[channel], highs[channel], sums[channel]]
    })
}

/// Median, first and third quartile; interpolated linearly between ranks. Sorts the values.
fn quartiles(values: &mut [f64]) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let quantile = |fraction: f64| {
        let rank = fraction * (values.len() - 1) as f64;
        let (below, share) = (rank as usize, rank.fract());
        let above = (below + 1).min(values.len() - 1);
        values[below] + share * (values[above] - values[below])
    };
    [quantile(0.5), quantile(0.25), quantile(0.75)]
}
