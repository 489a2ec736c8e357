//! Input: the numbers that a network is given for an image.
//!
//! Takes an image and the channels that a network was trained on; gives numbers that are about 0 in
//! the background and 1 in bright nuclei, whatever the exposure. One scale serves all channels of an
//! image, so that their proportions, the color of a stain, are kept. Everything up to the last
//! division is integer arithmetic.

use super::feature_map::{FeatureMap, Shape};
use crate::nuclei::SegmentError;
use crate::nuclei::resample::Resampling;
use crate::nuclei::signal::Signal;
use crate::profile::{Channel, Stains};
use crate::raster::{Image, Raster};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How the values of an image are brought to the scale of a network.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputScaling {
    /// Percentile of all values that becomes 0.
    pub low_percentile: f64,
    /// Percentile of all values that becomes 1.
    pub high_percentile: f64,
    /// Least value after scaling; what is lower becomes this.
    pub clip_low: f64,
    /// Greatest value after scaling; what is higher becomes this.
    pub clip_high: f64,
}

impl Default for InputScaling {
    fn default() -> Self {
        Self { low_percentile: 1.0, high_percentile: 99.8, clip_low: -0.5, clip_high: 2.0 }
    }
}

impl InputScaling {
    /// Greatest distance from 0 that values may be clipped at.
    pub const MAX_CLIP: f64 = 100.0;

    /// Whether percentiles lie in 0 to 100 and rise, and the clipping leaves 0 to 1 alone.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        0.0 <= self.low_percentile
            && self.low_percentile < self.high_percentile
            && self.high_percentile <= 100.0
            && (-Self::MAX_CLIP..=0.0).contains(&self.clip_low)
            && (1.0..=Self::MAX_CLIP).contains(&self.clip_high)
    }
}

/// Stains of an image whose clear glass is white, for channels that need no vectors.
///
/// Scaling takes off what another white would add to an optical density.
pub const CLEAR_GLASS: Stains =
    Stains { hematoxylin: [0.0; 3], dab: None, eosin: None, background: [255.0; 3] };

/// The channels that a network of so many inputs is usually given: gray as often as needed, or the
/// optical densities of red, green and blue; `None` for a color image and another number.
#[must_use]
pub fn usual_channels(is_color: bool, n_channels: usize) -> Option<Vec<Channel>> {
    match (is_color, n_channels) {
        (false, n_channels) => Some(vec![Channel::Gray; n_channels]),
        (true, 3) => Some(vec![Channel::OdRed, Channel::OdGreen, Channel::OdBlue]),
        (true, _) => None,
    }
}

/// The channels of an image, as integers in steps of a fixed size.
#[derive(Debug, Clone)]
pub struct Planes {
    /// Each channel once.
    rasters: Vec<Raster<u16>>,
    /// Which raster each input channel is.
    order: Vec<usize>,
}

impl Planes {
    /// Reads channels of an image; a channel that is named several times is read once.
    ///
    /// # Errors
    /// [`SegmentError::ChannelUnavailable`] when the image or the stains cannot give a channel.
    pub fn of_image(
        image: &Image,
        channels: &[Channel],
        stains: Option<&Stains>,
    ) -> Result<Self, SegmentError> {
        let mut known: Vec<Channel> = Vec::new();
        let mut planes = Self { rasters: Vec::new(), order: Vec::new() };
        for &channel in channels {
            let place = known.iter().position(|&other| other == channel);
            if place.is_none() {
                planes.rasters.push(Signal::of_channel(image, channel, stains)?.raster);
                known.push(channel);
            }
            planes.order.push(place.unwrap_or(known.len() - 1));
        }
        Ok(planes)
    }

    /// Averages all channels down to the working resolution.
    #[must_use]
    pub fn shrunk(self, resampling: Resampling) -> Self {
        let rasters =
            self.rasters.into_iter().map(|raster| resampling.downsample(raster)).collect();
        Self { rasters, ..self }
    }

    /// The raster of each input channel, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Raster<u16>> {
        self.order.iter().map(|&place| &self.rasters[place])
    }

    /// How many input channels there are.
    #[must_use]
    pub fn n_channels(&self) -> usize {
        self.order.len()
    }

    /// The scale that fits these values.
    ///
    /// A percentile is the least value that at least so many hundredths of all values do not
    /// exceed, in all channels together.
    ///
    /// # Edge cases
    /// Where both percentiles are one value, one step is the unit, so that a constant image is 0
    /// everywhere.
    ///
    /// # Sources
    /// Hyndman and Fan 1996, doi 10.2307/2684934, definition 1: unlike those that interpolate, it
    /// is the same when a channel is named several times.
    #[must_use]
    pub fn scale(&self, scaling: &InputScaling) -> Scale {
        let mut counts = vec![0_u64; 65_536];
        for (place, raster) in self.rasters.iter().enumerate() {
            let times = self.order.iter().filter(|&&other| other == place).count() as u64;
            raster.samples().iter().for_each(|&sample| counts[usize::from(sample)] += times);
        }
        let low = percentile(&counts, scaling.low_percentile);
        let high = percentile(&counts, scaling.high_percentile);
        Scale {
            low: f32::from(low),
            steps: f32::from((high - low).max(1)),
            clip: [scaling.clip_low as f32, scaling.clip_high as f32],
        }
    }

    /// The values that a network sees.
    ///
    /// # Shapes
    /// One map of the image's height and width, one channel for each that was asked for.
    #[must_use]
    pub fn scaled(&self, scaling: &InputScaling) -> FeatureMap {
        let scale = self.scale(scaling);
        let (width, height) =
            self.iter().next().map_or((0, 0), |raster| (raster.width(), raster.height()));
        let (width, height) = (width as usize, height as usize);
        let channels = self.n_channels();
        let mut map = FeatureMap::zeros(Shape { batch: 1, height, width, channels });
        if map.values.is_empty() {
            return map;
        }
        let rows = map.values.par_chunks_mut(width * channels).with_min_len(16);
        rows.enumerate().for_each(|(y, row)| {
            for (channel, raster) in self.iter().enumerate() {
                let samples = raster.row(y as u32);
                for (value, &sample) in row[channel..].iter_mut().step_by(channels).zip(samples) {
                    *value = scale.apply(sample);
                }
            }
        });
        map
    }
}

/// How one image's steps become values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    low: f32,
    steps: f32,
    clip: [f32; 2],
}

impl Scale {
    /// The value of a sample.
    #[must_use]
    pub fn apply(self, sample: u16) -> f32 {
        ((f32::from(sample) - self.low) / self.steps).clamp(self.clip[0], self.clip[1])
    }

    /// The unclipped value of a sample that lies between steps.
    #[must_use]
    pub fn apply_between(self, sample: f32) -> f32 {
        (sample - self.low) / self.steps
    }

    /// Clips a value.
    #[must_use]
    pub fn clip(self, value: f32) -> f32 {
        value.clamp(self.clip[0], self.clip[1])
    }
}

/// The least value that at least `percent` hundredths of all values do not exceed.
fn percentile(counts: &[u64], percent: f64) -> u16 {
    let total: u64 = counts.iter().sum();
    let rank = ((percent / 100.0 * total as f64).ceil() as u64).clamp(1, total.max(1));
    let mut sum = 0;
    let reached = counts.iter().position(|&count| {
        sum += count;
        rank <= sum
    });
    reached.unwrap_or(0) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALING: InputScaling = InputScaling {
        low_percentile: 10.0,
        high_percentile: 90.0,
        clip_low: -0.05,
        clip_high: 1.1,
    };

    /// Brightness in steps of the sixteen-bit scale.
    fn planes(samples: Vec<u16>, channels: &[Channel]) -> Planes {
        let raster = Raster::from_samples(samples.len() as u32, 1, samples).unwrap();
        Planes::of_image(&Image::Gray16(raster), channels, None).unwrap()
    }

    #[test]
    fn percentiles_become_zero_and_one() {
        // Of 1..=100 the 10th percentile is 10, the 90th 90.
        let scaled = planes((1..=100).collect(), &[Channel::Gray]).scaled(&SCALING);
        assert_eq!([scaled.values[9], scaled.values[49], scaled.values[89]], [0.0, 0.5, 1.0]);
        assert_eq!([scaled.values[0], scaled.values[99]], [-0.05, 1.1], "clipped");
    }

    #[test]
    fn a_repeated_channel_changes_no_value() {
        let samples: Vec<u16> = (0..77).map(|value| value * value % 1000).collect();
        let once = planes(samples.clone(), &[Channel::Gray]).scaled(&SCALING);
        let thrice = planes(samples, &[Channel::Gray; 3]).scaled(&SCALING);
        assert_eq!(thrice.shape, once.shape.with_channels(3));
        let repeated: Vec<f32> = once.values.iter().flat_map(|&value| [value; 3]).collect();
        assert_eq!(thrice.values, repeated);
    }

    #[test]
    fn exposure_does_not_change_what_a_network_sees() {
        let samples: Vec<u16> = (0..500).map(|value| (value * 79) % 1009).collect();
        let brighter = samples.iter().map(|value| 3 * value + 200).collect();
        let one = planes(samples, &[Channel::Gray]).scaled(&SCALING);
        let two = planes(brighter, &[Channel::Gray]).scaled(&SCALING);
        let difference = one.values.iter().zip(&two.values).map(|(one, two)| (one - two).abs());
        assert!(difference.fold(0.0, f32::max) < 1e-6);
    }

    #[test]
    fn a_constant_image_is_zero() {
        assert_eq!(planes(vec![700; 9], &[Channel::Gray]).scaled(&SCALING).values, [0.0; 9]);
        assert!(planes(vec![], &[Channel::Gray]).scaled(&SCALING).values.is_empty());
    }

    #[test]
    fn a_gray_image_has_no_stain() {
        let image = Image::Gray8(Raster::filled(2, 2, 9));
        assert!(Planes::of_image(&image, &[Channel::OdRed], None).is_err());
    }

    #[test]
    fn colors_keep_their_proportions() {
        let stains = Stains {
            hematoxylin: [0.65, 0.70, 0.29],
            dab: None,
            eosin: Some([0.2159, 0.8012, 0.5581]),
            background: [255.0; 3],
        };
        let image = Image::Rgb8(Raster::from_samples(2, 1, vec![[255; 3], [26, 81, 255]]).unwrap());
        let channels = [Channel::OdRed, Channel::OdGreen, Channel::OdBlue];
        let scaling =
            InputScaling { low_percentile: 0.0, high_percentile: 100.0, ..InputScaling::default() };
        let scaled = Planes::of_image(&image, &channels, Some(&stains)).unwrap().scaled(&scaling);
        let (red, green) = (255.0_f32 / 26.0, 255.0_f32 / 81.0);
        let expected = [0.0, 0.0, 0.0, 1.0, green.log10() / red.log10(), 0.0];
        for (value, expected) in scaled.values.iter().zip(expected) {
            assert!((value - expected).abs() < 2e-4, "{value} is not {expected}");
        }
    }
}
