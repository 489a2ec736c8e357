//! Intensity: statistics of a channel over the pixels of a nucleus.

use super::object::Object;
use crate::profile::{Channel, Stains};
use crate::raster::{Image, Raster};
use crate::stain::{DensityTables, GRAY_WEIGHTS, Mixture};
use crate::vectors::dispatch_simd;

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

/// Amount that each sample value of each color adds to `C` channels.
struct SumTables<const C: usize>([Vec<[f64; C]>; 3]);

impl<const C: usize> SumTables<C> {
    fn new(weights: [[f64; 3]; C], densities: &DensityTables) -> Self {
        let table = |color: usize| {
            let added = |density: &f64| weights.map(|weights| weights[color] * density);
            densities.table(color).iter().map(added).collect()
        };
        Self([table(0), table(1), table(2)])
    }

    /// The tables of images whose samples have `N` values; `None` when they are for others.
    fn as_arrays<const N: usize>(&self) -> Option<[&[[f64; C]; N]; 3]> {
        let Self([red, green, blue]) = self;
        Some([red.as_array()?, green.as_array()?, blue.as_array()?])
    }
}

/// Statistics of one channel over the pixels of an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Intensity {
    /// Mean, population standard deviation, minimum, maximum and sum.
    pub statistics: [f64; 5],
    /// Median, first and third quartile, if they were asked for.
    pub quartiles: Option<[f64; 3]>,
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

    /// Statistics of each channel over the pixels of an object.
    #[must_use]
    pub fn intensities(&self, object: &Object, wants_quartiles: bool) -> Vec<Intensity> {
        let max_value = self.image.max_value();
        let gray = |value: f64| [value / max_value];
        match self.image {
            Image::Gray8(raster) => {
                Pixels { object, raster }.summarize(|value| gray(value.into()), wants_quartiles)
            }
            Image::Gray16(raster) => {
                Pixels { object, raster }.summarize(|value| gray(value.into()), wants_quartiles)
            }
            Image::Rgb8(raster) => {
                self.color_intensities::<256, _>(Pixels { object, raster }, wants_quartiles)
            }
            Image::Rgb16(raster) => {
                self.color_intensities::<65_536, _>(Pixels { object, raster }, wants_quartiles)
            }
        }
    }

    fn color_intensities<const N: usize, T: Copy + Into<u32> + Into<usize>>(
        &self,
        pixels: Pixels<'_, [T; 3]>,
        wants_quartiles: bool,
    ) -> Vec<Intensity> {
        let max_value = self.image.max_value();
        match &self.source {
            Source::Brightness => {
                let value = |rgb: [T; 3]| [brightness(rgb.map(Into::<u32>::into), max_value)];
                pixels.summarize(value, wants_quartiles)
            }
            Source::Sum(tables) => {
                let Some(tables) = tables.as_arrays::<N>() else { return Vec::new() };
                pixels.summarize(
                    #[inline(always)]
                    |rgb| sum_entries(tables, rgb),
                    wants_quartiles,
                )
            }
            Source::Sums(tables) => {
                let Some(tables) = tables.as_arrays::<N>() else { return Vec::new() };
                pixels.summarize(
                    #[inline(always)]
                    |rgb| sum_entries(tables, rgb),
                    wants_quartiles,
                )
            }
            Source::Mixture(tables, mixture) => {
                let value = |rgb: [T; 3]| [mixture.value(tables.densities(rgb.map(Into::into)))];
                pixels.summarize(value, wants_quartiles)
            }
        }
    }
}

/// Sums of the table entries of three sample values, one for each channel.
#[inline(always)]
fn sum_entries<const N: usize, const C: usize, T: Into<usize>>(
    [red, green, blue]: [&[[f64; C]; N]; 3],
    [r, g, b]: [T; 3],
) -> [f64; C] {
    let (mut sums, green, blue) = (red[r.into()], green[g.into()], blue[b.into()]);
    for channel in 0..C {
        sums[channel] = sums[channel] + green[channel] + blue[channel];
    }
    sums
}

fn brightness(rgb: [u32; 3], max_value: f64) -> f64 {
    let weighed: u32 = rgb.iter().zip(GRAY_WEIGHTS).map(|(&value, weight)| value * weight).sum();
    f64::from(weighed) / (10_000.0 * max_value)
}

/// The pixels of an object.
struct Pixels<'a, T> {
    object: &'a Object,
    raster: &'a Raster<T>,
}

impl<T: Copy> Pixels<'_, T> {
    /// Takes all pixels in raster order.
    #[inline(always)]
    fn for_each(&self, mut take: impl FnMut(T)) {
        for run in &self.object.runs {
            for &sample in &self.raster.row(run.y)[run.start as usize..run.end as usize] {
                take(sample);
            }
        }
    }

    /// Sums, minima and maxima.
    #[inline(always)]
    fn sums<const C: usize>(
        &self,
        value: impl Fn(T) -> [f64; C],
    ) -> ([f64; C], [f64; C], [f64; C]) {
        // The highest is found as the lowest of the negated: both are the same work.
        let (mut sums, mut lows, mut depths) = ([0.0; C], [f64::INFINITY; C], [f64::INFINITY; C]);
        self.for_each(
            #[inline(always)]
            |sample| {
                let values = value(sample);
                for channel in 0..C {
                    let value = values[channel];
                    sums[channel] += value;
                    lows[channel] = if value < lows[channel] { value } else { lows[channel] };
                    depths[channel] =
                        if -value < depths[channel] { -value } else { depths[channel] };
                }
            },
        );
        (sums, lows, depths.map(|depth| -depth))
    }

    /// Sums of the squared distances to the mean.
    #[inline(always)]
    fn squared_deviations<const C: usize>(
        &self,
        value: impl Fn(T) -> [f64; C],
        means: [f64; C],
    ) -> [f64; C] {
        let mut spreads = [0.0; C];
        self.for_each(
            #[inline(always)]
            |sample| {
                let values = value(sample);
                for channel in 0..C {
                    let difference = values[channel] - means[channel];
                    spreads[channel] += difference * difference;
                }
            },
        );
        spreads
    }

    /// Statistics of the channels that pixels have a value in, and quartiles if they are wanted.
    ///
    /// Values are made anew in each round: to keep those of a large object takes longer.
    fn summarize<const C: usize>(
        &self,
        value: impl Fn(T) -> [f64; C],
        wants_quartiles: bool,
    ) -> Vec<Intensity> {
        let n_px = self.object.n_px() as f64;
        let (sums, lows, highs) = dispatch_simd!(self.sums(&value));
        let means = sums.map(|sum| sum / n_px);
        let spreads = dispatch_simd!(self.squared_deviations(&value, means));
        let of_channel = |channel: usize| {
            let deviation = (spreads[channel] / n_px).sqrt();
            let (low, high) = (lows[channel], highs[channel]);
            let quartiles = wants_quartiles.then(|| {
                let mut values = Vec::with_capacity(n_px as usize);
                self.for_each(|sample| values.push(value(sample)[channel]));
                quartiles(&mut values)
            });
            let statistics = [means[channel], deviation, low, high, sums[channel]];
            Intensity { statistics, quartiles }
        };
        (0..C).map(of_channel).collect()
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::components::Run;

    const STAINS: Stains = Stains {
        hematoxylin: [0.65, 0.70, 0.29],
        dab: Some([0.27, 0.57, 0.78]),
        eosin: None,
        background: [255.0; 3],
    };

    fn image() -> Image {
        Image::Rgb8(Raster::from_fn(20, 10, |x, y| {
            [(x * 13 % 251) as u8, (y * 29 + x) as u8, (x * y * 7 % 255) as u8]
        }))
    }

    fn intensities(image: &Image, channels: &[Channel]) -> Vec<Intensity> {
        let object = Object {
            label: 1,
            runs: vec![Run { y: 2, start: 3, end: 11 }, Run { y: 3, start: 0, end: 20 }],
            x0: 0,
            y0: 2,
            x1: 20,
            y1: 4,
        };
        let readers = Reader::of_channels(image, channels, Some(&STAINS));
        readers.iter().flat_map(|reader| reader.intensities(&object, true)).collect()
    }

    #[test]
    fn channels_read_together_are_those_read_alone() {
        let image = image();
        let channels = [
            Channel::HematoxylinOd,
            Channel::DabOd,
            Channel::Gray,
            Channel::OdSum,
            Channel::StainSum,
            Channel::OdRed,
            Channel::OdGreen,
            Channel::OdBlue,
        ];
        let alone: Vec<Intensity> =
            channels.iter().flat_map(|&channel| intensities(&image, &[channel])).collect();
        assert_eq!(alone.len(), channels.len());
        assert_eq!(intensities(&image, &channels), alone);
        let pair = Reader::of_channels(&image, &channels[..2], Some(&STAINS));
        assert_eq!(pair.len(), 1, "two stains are one reader");
    }

    #[test]
    fn sixteen_bits_tell_what_eight_bits_tell() {
        let image = image();
        let Image::Rgb8(raster) = &image else { panic!("the image has colors") };
        let fine = Raster::from_fn(raster.width(), raster.height(), |x, y| {
            raster.at(x, y).map(|sample| u16::from(sample) * 257)
        });
        for channels in [
            &[Channel::HematoxylinOd, Channel::EosinOd, Channel::DabOd][..],
            &[Channel::Gray, Channel::OdSum, Channel::OdRed, Channel::OdGreen, Channel::OdBlue],
        ] {
            let coarse = intensities(&image, channels);
            let found = intensities(&Image::Rgb16(fine.clone()), channels);
            assert_eq!(found.len(), coarse.len());
            for (found, coarse) in found.iter().zip(&coarse) {
                for (one, other) in found.statistics.iter().zip(&coarse.statistics) {
                    assert!((one - other).abs() < 1e-9, "{found:?} {coarse:?}");
                }
            }
        }
    }

    #[test]
    fn statistics_are_those_of_the_values() {
        let image = image();
        let Image::Rgb8(raster) = &image else { panic!("the image has colors") };
        let pixels = raster.row(2)[3..11].iter().chain(raster.row(3));
        let weighed = |rgb: [u8; 3]| 0.2125 * f64::from(rgb[0]) + 0.7154 * f64::from(rgb[1]);
        let value = |rgb: &[u8; 3]| (weighed(*rgb) + 0.0721 * f64::from(rgb[2])) / 255.0;
        let mut values: Vec<f64> = pixels.map(value).collect();
        values.sort_by(f64::total_cmp);
        let mean = values.iter().sum::<f64>() / 28.0;
        let spread = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let expected = [mean, (spread / 28.0).sqrt(), values[0], values[27], mean * 28.0];
        let found = intensities(&image, &[Channel::Gray])[0];
        for (found, expected) in found.statistics.into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        let median = (values[13] + values[14]) / 2.0;
        assert!((found.quartiles.unwrap()[0] - median).abs() < 1e-12);
    }

    #[test]
    fn a_gray_image_has_no_stains() {
        let gray = Image::Gray8(Raster::filled(20, 10, 255));
        let channels = [Channel::HematoxylinOd, Channel::Gray, Channel::DabOd];
        let found = intensities(&gray, &channels);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].statistics[..4], [1.0, 0.0, 1.0, 1.0]);
    }
}
