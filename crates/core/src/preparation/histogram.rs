//! Histogram: made flat, or like another image's.
//!
//! # Sources
//! Gonzalez and Woods, Digital Image Processing, section 3.3: equalization and specification of
//! histograms.

use crate::raster::{Image, Raster};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Levels of a reference.
const LEVELS: usize = 256;

/// Most pixels that a reference counts: more than any image has.
const MAX_COUNT: u64 = 1 << 40;

/// Steps of 16 bits in one level of a reference.
const STEPS_PER_LEVEL: i128 = 257;

/// The histogram of an image, for others to be made like it.
///
/// # Shapes
/// For each channel how many of the image's pixels are at each of 256 levels or below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Counts", into = "Counts")]
pub struct Reference {
    channels: Vec<[u64; LEVELS]>,
}

/// A reference as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    channels: Vec<Vec<u64>>,
}

impl From<Reference> for Counts {
    fn from(reference: Reference) -> Self {
        Self { channels: reference.channels.into_iter().map(Vec::from).collect() }
    }
}

impl TryFrom<Counts> for Reference {
    type Error = &'static str;

    fn try_from(counts: Counts) -> Result<Self, Self::Error> {
        let channel = |counts: Vec<u64>| {
            let rises = counts.is_sorted();
            let counts = <[u64; LEVELS]>::try_from(counts).ok()?;
            let is_image = (1..=MAX_COUNT).contains(&counts[LEVELS - 1]);
            (rises && is_image).then_some(counts)
        };
        let channels: Option<Vec<_>> = counts.channels.into_iter().map(channel).collect();
        let channels = channels.filter(|channels| matches!(channels.len(), 1 | 3));
        let channels = channels.ok_or("1 or 3 channels of 256 counts that rise are needed")?;
        Ok(Self { channels })
    }
}

/// A gray image cannot be made like a color image, nor the other way around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} image cannot be made like {}",
    if *.0 { "a color" } else { "a gray" }, if *.0 { "a gray one" } else { "a color one" }
)]
pub struct MatchError(bool);

impl Reference {
    /// The histogram of an image; 16 bits are counted by their upper eight.
    #[must_use]
    pub fn of(image: &Image) -> Self {
        let counted = |samples: &mut dyn Iterator<Item = u8>| {
            let mut counts = [0_u64; LEVELS];
            samples.for_each(|sample| counts[usize::from(sample)] += 1);
            let mut sum = 0;
            counts.map(|count| {
                sum += count;
                sum
            })
        };
        let high = |sample: u16| (sample >> 8) as u8;
        let channels = match image {
            Image::Gray8(raster) => vec![counted(&mut raster.samples().iter().copied())],
            Image::Gray16(raster) => {
                vec![counted(&mut raster.samples().iter().map(|&sample| high(sample)))]
            }
            Image::Rgb8(raster) => (0..3)
                .map(|channel| counted(&mut raster.samples().iter().map(|color| color[channel])))
                .collect(),
            Image::Rgb16(raster) => (0..3)
                .map(|channel| {
                    counted(&mut raster.samples().iter().map(|color| high(color[channel])))
                })
                .collect(),
        };
        Self { channels }
    }
}

/// The image with a flat histogram: each level becomes the fraction of pixels below it.
///
/// Colors keep their chroma: their brightness is made flat, and each of red, green and blue moves by
/// as much, within its range.
///
/// # Edge cases
/// A constant image stays as it is.
#[must_use]
pub fn equalize_histogram(image: &Image) -> Image {
    match image {
        Image::Gray8(raster) => {
            let samples = raster.samples().iter().map(|&sample| u16::from(sample));
            let flat = equalization_table(samples, 255);
            Image::Gray8(raster.map(|sample| flat[usize::from(sample)] as u8))
        }
        Image::Gray16(raster) => {
            let flat = equalization_table(raster.samples().iter().copied(), u16::MAX);
            Image::Gray16(raster.map(|sample| flat[usize::from(sample)]))
        }
        Image::Rgb8(raster) => {
            let wide = raster.map(|color| color.map(u16::from));
            let moved = equalize_colors(&wide, 255);
            Image::Rgb8(moved.map(|color| color.map(|part| part as u8)))
        }
        Image::Rgb16(raster) => Image::Rgb16(equalize_colors(raster, u16::MAX)),
    }
}

fn equalize_colors(raster: &Raster<[u16; 3]>, most: u16) -> Raster<[u16; 3]> {
    let flat = equalization_table(raster.samples().iter().map(|&color| brightness(color)), most);
    raster.map(|color| {
        let old = brightness(color);
        let shift = i32::from(flat[usize::from(old)]) - i32::from(old);
        color.map(|part| (i32::from(part) + shift).clamp(0, i32::from(most)) as u16)
    })
}

/// 0.2125 red + 0.7154 green + 0.0721 blue, as everywhere.
fn brightness([red, green, blue]: [u16; 3]) -> u16 {
    let [red, green, blue] = [red, green, blue].map(u32::from);
    ((2_125 * red + 7_154 * green + 721 * blue + 5_000) / 10_000) as u16
}

/// Table from old to new levels that makes a histogram flat.
fn equalization_table(samples: impl Iterator<Item = u16>, most: u16) -> Vec<u16> {
    let below = cumulative(samples, most);
    let total = below.last().copied().unwrap_or(0);
    let first = below.iter().copied().find(|&count| count > 0).unwrap_or(0);
    let span = total - first;
    if span == 0 {
        return (0..=most).collect();
    }
    let level = |count: u64| {
        let above = u128::from(count.saturating_sub(first));
        ((above * u128::from(most) + u128::from(span) / 2) / u128::from(span)) as u16
    };
    below.into_iter().map(level).collect()
}

/// How many samples are at each level or below it.
fn cumulative(samples: impl Iterator<Item = u16>, most: u16) -> Vec<u64> {
    let mut counts = vec![0_u64; usize::from(most) + 1];
    samples.for_each(|sample| counts[usize::from(sample)] += 1);
    let mut sum = 0;
    for count in &mut counts {
        sum += *count;
        *count = sum;
    }
    counts
}

/// The image with a histogram like a reference's, channel by channel: each level becomes the lowest
/// one of the reference that at least as large a fraction of pixels does not exceed.
///
/// # Edge cases
/// An image of 8 bits made like itself stays as it is. 16 bits lie between the levels of the
/// reference.
///
/// # Errors
/// [`MatchError`] when one is gray and the other has colors.
pub fn match_histogram(image: &Image, reference: &Reference) -> Result<Image, MatchError> {
    let tables = |samples: &dyn Fn(usize) -> Vec<u16>, most: u16| -> Vec<Vec<u16>> {
        let table = |(channel, reference_counts): (usize, &[u64; LEVELS])| {
            matching_table(&cumulative(samples(channel).into_iter(), most), reference_counts, most)
        };
        reference.channels.iter().enumerate().map(table).collect()
    };
    let n_channels = if image.is_color() { 3 } else { 1 };
    if reference.channels.len() != n_channels {
        return Err(MatchError(image.is_color()));
    }
    Ok(match image {
        Image::Gray8(raster) => {
            let all = |_| raster.samples().iter().map(|&sample| u16::from(sample)).collect();
            let tables = tables(&all, 255);
            Image::Gray8(raster.map(|sample| tables[0][usize::from(sample)] as u8))
        }
        Image::Gray16(raster) => {
            let tables = tables(&|_| raster.samples().to_vec(), u16::MAX);
            Image::Gray16(raster.map(|sample| tables[0][usize::from(sample)]))
        }
        Image::Rgb8(raster) => {
            let of = |channel: usize| {
                raster.samples().iter().map(|color| u16::from(color[channel])).collect()
            };
            let tables = tables(&of, 255);
            let new = |channel: usize, part: u8| tables[channel][usize::from(part)] as u8;
            Image::Rgb8(raster.map(|[red, green, blue]| [new(0, red), new(1, green), new(2, blue)]))
        }
        Image::Rgb16(raster) => {
            let of = |channel: usize| raster.samples().iter().map(|color| color[channel]).collect();
            let tables = tables(&of, u16::MAX);
            let new = |channel: usize, part: u16| tables[channel][usize::from(part)];
            Image::Rgb16(
                raster.map(|[red, green, blue]| [new(0, red), new(1, green), new(2, blue)]),
            )
        }
    })
}

/// Table from old to new levels, from the cumulative counts of the image and of the reference.
fn matching_table(below: &[u64], reference: &[u64; LEVELS], most: u16) -> Vec<u16> {
    let total = i128::from(below.last().copied().unwrap_or(0));
    let reference_total = i128::from(reference[LEVELS - 1]);
    let mut level = 0;
    let new = |&count: &u64| {
        let share = i128::from(count) * reference_total;
        while level + 1 < LEVELS && i128::from(reference[level]) * total < share {
            level += 1;
        }
        if most == 255 {
            return level as u16;
        }
        // Between this level and the one before, by what is missing to this one.
        let before = level.checked_sub(1).map_or(0, |before| reference[before]);
        let width = (i128::from(reference[level]) - i128::from(before)) * total;
        let missing = i128::from(reference[level]) * total - share;
        let back = if width > 0 { STEPS_PER_LEVEL * missing / width } else { 0 };
        (level as i128 * STEPS_PER_LEVEL - back).clamp(0, i128::from(most)) as u16
    };
    below.iter().map(new).collect()
}

/// Change to an image's histogram.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Histogram {
    /// It stays.
    #[default]
    Kept,
    /// It is made flat.
    Equalized,
    /// It is made like another image's.
    Matched(Box<Reference>),
}

impl Histogram {
    /// The image with its new histogram.
    ///
    /// # Errors
    /// [`MatchError`] when one is gray and the other has colors.
    pub fn apply<'a>(&self, image: &'a Image) -> Result<Cow<'a, Image>, MatchError> {
        match self {
            Self::Kept => Ok(Cow::Borrowed(image)),
            Self::Equalized => Ok(Cow::Owned(equalize_histogram(image))),
            Self::Matched(reference) => match_histogram(image, reference).map(Cow::Owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(samples: &[u8]) -> Image {
        let width = samples.len() as u32;
        Image::Gray8(Raster::from_samples(width, 1, samples.to_vec()).unwrap())
    }

    fn noise(seed: u32, n_px: u32) -> Vec<u8> {
        let sample = |index: u32| {
            let mixed = (index.wrapping_add(seed)).wrapping_mul(2_654_435_761) >> 9;
            ((mixed % 160) * (mixed % 160) / 160) as u8
        };
        (0..n_px).map(sample).collect()
    }

    #[test]
    fn four_levels_as_often_as_each_other_are_spread_evenly() {
        assert_eq!(equalize_histogram(&gray(&[10, 40, 20, 30])), gray(&[0, 255, 85, 170]));
        assert_eq!(equalize_histogram(&gray(&[7, 7, 7])), gray(&[7, 7, 7]), "nothing to spread");
        let wide = Image::Gray16(Raster::from_samples(3, 1, vec![5, 900, 70]).unwrap());
        let flat = Image::Gray16(Raster::from_samples(3, 1, vec![0, 65_535, 32_768]).unwrap());
        assert_eq!(equalize_histogram(&wide), flat);
    }

    #[test]
    fn a_flat_histogram_stays_within_one_level() {
        let once = equalize_histogram(&gray(&noise(1, 10_000)));
        let twice = equalize_histogram(&once);
        let (Image::Gray8(once), Image::Gray8(twice)) = (once, twice) else { panic!("gray") };
        let most = once.samples().iter().zip(twice.samples()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(most <= Some(1), "{most:?}");
    }

    #[test]
    fn colors_keep_the_differences_between_their_parts() {
        let colors = vec![[10, 60, 20], [100, 110, 120], [200, 180, 190]];
        let image = Image::Rgb8(Raster::from_samples(3, 1, colors).unwrap());
        let Image::Rgb8(flat) = equalize_histogram(&image) else { panic!("color") };
        // Brightness 46, 109 and 185 become 0, 128 and 255; 46 is more than red and blue have.
        assert_eq!(flat.samples(), [[0, 14, 0], [119, 129, 139], [255, 250, 255]]);
    }

    #[test]
    fn an_image_like_itself_stays_and_one_like_another_has_its_histogram() {
        let (one, other) = (gray(&noise(3, 5_000)), gray(&noise(77, 5_000)));
        assert_eq!(match_histogram(&one, &Reference::of(&one)).unwrap(), one);
        let ramp = gray(&(0..=255).collect::<Vec<u8>>());
        let flat = match_histogram(&other, &Reference::of(&ramp)).unwrap();
        let Image::Gray8(raster) = &flat else { panic!("gray") };
        let below = cumulative(raster.samples().iter().map(|&sample| u16::from(sample)), 255);
        // A level of the ramp holds a 256th of all pixels; one of the image at most a tenth.
        for (level, count) in below.iter().enumerate() {
            let share = *count as f64 / 5_000.0 - (level + 1) as f64 / 256.0;
            assert!(share < 0.01 && -0.12 < share, "{level}: {share}");
        }
    }

    #[test]
    fn halves_are_matched_by_hand() {
        // Half of the pixels to 50, half to 200.
        let reference = Reference::of(&gray(&[50, 200]));
        assert_eq!(
            match_histogram(&gray(&[1, 2, 3, 4]), &reference).unwrap(),
            gray(&[50, 50, 200, 200])
        );
        let wide = Image::Gray16(Raster::from_samples(2, 1, vec![9, 10]).unwrap());
        let like = Image::Gray16(Raster::from_samples(2, 1, vec![50 * 257, 200 * 257]).unwrap());
        assert_eq!(match_histogram(&wide, &reference).unwrap(), like);
    }

    #[test]
    fn gray_and_color_cannot_be_made_alike() {
        let color = Image::Rgb8(Raster::filled(2, 2, [1, 2, 3]));
        assert_eq!(match_histogram(&color, &Reference::of(&gray(&[1]))), Err(MatchError(true)));
        assert_eq!(match_histogram(&gray(&[1]), &Reference::of(&color)), Err(MatchError(false)));
    }
}
