//! Samples: fields as a training holds them, small enough to stay in memory all together.
//!
//! Takes fields with truth; gives for each pixel its channels in 16 bits, the number of its
//! nucleus, and how deep it lies in it: 5 bytes a pixel for gray images, 9 for three channels.

use super::recipe::Input;
use cellgate_core::grid::components::Run;
use cellgate_core::grid::distance::{Scratch, squared_distances};
use cellgate_core::grid::patch::Patch;
use cellgate_core::preparation::{PrepareError, resize_labels};
use cellgate_core::raster::{Labels, Raster};
use cellgate_core::segment::SegmentError;
use cellgate_core::unet::feature_map::{FeatureMap, Shape};
use cellgate_core::unet::input::{CLEAR_GLASS, Planes, Scale};
use cellgate_inputs::dataset::{Dataset, Field};
use cellgate_inputs::finding::{Code, Finding};
use cellgate_inputs::revision::Tree;
use cellgate_inputs::source::Place;
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Most memory that samples may take.
pub const MAX_BYTES: usize = 16 << 30;

/// A depth of 1 in the steps that depths are kept in.
pub const DEPTH_STEPS: f32 = 255.0;

/// One field, ready to be cropped.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Name of its field.
    pub name: String,
    /// Type of the image.
    pub image_type: String,
    /// Whether its channels are optical densities.
    pub is_brightfield: bool,
    /// Channels that are kept for each pixel: one where all inputs of the network are the same.
    pub n_kept: usize,
    /// `[height][width][n_kept]`, in the steps of the image's channels.
    pub values: Vec<u16>,
    /// How steps become the values that a network sees.
    pub scale: Scale,
    /// Numbers of nuclei from 1, 0 for background.
    pub labels: Raster<u16>,
    /// Distance to the nucleus's own border in [`DEPTH_STEPS`], 0 outside, 1 at its deepest pixel.
    pub depths: Vec<u8>,
    /// Column and row of the deepest pixel of each nucleus.
    pub centers: Vec<[u32; 2]>,
}

/// A field cannot become a sample.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SampleError {
    /// The image does not have what the network is to see.
    #[error(transparent)]
    Channel(#[from] SegmentError),
    /// The image cannot be prepared as the recipe says.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// There is no truth.
    #[error("the field has no mask to learn from")]
    NoTruth,
    /// Numbers of nuclei do not fit.
    #[error("the mask has {0} nuclei, more than 65,535; cut the image into parts")]
    TooManyNuclei(usize),
    /// An empty image.
    #[error("the image has no pixels")]
    NoPixels,
}

impl Sample {
    /// Makes a sample of a field.
    ///
    /// # Errors
    /// [`SampleError`] for a field without truth or without the channels.
    pub fn of_field(field: &Field, image_type: &str, input: &Input) -> Result<Self, SampleError> {
        let truth = field.truth.as_ref().ok_or(SampleError::NoTruth)?;
        let prepared = input.preparation.apply(&field.image, field.pixel_size)?;
        let (image, size) = (&prepared.image, (prepared.image.width(), prepared.image.height()));
        let truth = match size == (truth.width(), truth.height()) {
            true => Cow::Borrowed(truth),
            false => Cow::Owned(resize_labels(truth, size.0, size.1)),
        };
        if truth.n_px() == 0 {
            return Err(SampleError::NoPixels);
        }
        let is_brightfield = image.is_color();
        let channels = if is_brightfield { &input.color_channels } else { &input.gray_channels };
        let planes = Planes::of_image(image, channels, Some(&CLEAR_GLASS))?;
        let is_one = channels.windows(2).all(|pair| pair[0] == pair[1]);
        let n_kept = if is_one { 1 } else { channels.len() };
        let mut values = vec![0; truth.n_px() * n_kept];
        for (channel, raster) in planes.iter().take(n_kept).enumerate() {
            let places = values[channel..].iter_mut().step_by(n_kept);
            places.zip(raster.samples()).for_each(|(value, &sample)| *value = sample);
        }
        let (labels, nuclei) = number_nuclei(&truth)?;
        let mut depths = vec![0; truth.n_px()];
        let centers = measure_depths(&nuclei, &labels, &mut depths);
        Ok(Self {
            name: field.name.clone(),
            image_type: image_type.to_owned(),
            is_brightfield,
            n_kept,
            values,
            scale: planes.scale(&input.scaling),
            labels,
            depths,
            centers,
        })
    }

    /// Columns and rows.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        (self.labels.width(), self.labels.height())
    }

    /// The whole image as a network sees it.
    ///
    /// # Shapes
    /// One map of the sample's size with `n_inputs` channels; one kept channel goes to all of them.
    ///
    /// # Panics
    /// When several channels are kept, and not `n_inputs`.
    #[must_use]
    pub fn to_input(&self, n_inputs: usize) -> FeatureMap {
        assert!(self.n_kept == 1 || self.n_kept == n_inputs, "channels of sample and network");
        let (width, height) = self.size();
        let (width, height) = (width as usize, height as usize);
        let mut map = FeatureMap::zeros(Shape { batch: 1, height, width, channels: n_inputs });
        if self.n_kept == 1 {
            let pixels = map.values.chunks_exact_mut(n_inputs.max(1)).zip(&self.values);
            pixels.for_each(|(pixel, &value)| pixel.fill(self.scale.apply(value)));
        } else {
            let places = map.values.iter_mut().zip(&self.values);
            places.for_each(|(place, &value)| *place = self.scale.apply(value));
        }
        map
    }

    /// The same field, with nuclei of fewer than `least_px` pixels as background.
    #[must_use]
    pub fn without_specks(mut self, least_px: u32) -> Self {
        let mut n_px = vec![0_u32; self.centers.len() + 1];
        self.labels.samples().iter().for_each(|&label| n_px[usize::from(label)] += 1);
        if n_px[1..].iter().all(|&n_px| least_px <= n_px) {
            return self;
        }
        // What each nucleus is numbered from now on.
        let mut numbers = vec![0_u16; n_px.len()];
        let mut centers = Vec::with_capacity(self.centers.len());
        for (label, &center) in self.centers.iter().enumerate() {
            if least_px <= n_px[label + 1] {
                centers.push(center);
                numbers[label + 1] = centers.len() as u16;
            }
        }
        for (label, depth) in self.labels.samples_mut().iter_mut().zip(&mut self.depths) {
            *label = numbers[usize::from(*label)];
            if *label == 0 {
                *depth = 0;
            }
        }
        self.centers = centers;
        self
    }

    /// The true nuclei.
    #[must_use]
    pub fn truth(&self) -> Labels {
        self.labels.map(u32::from)
    }

    /// Memory that the sample takes, in bytes.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        2 * self.values.len() + 3 * self.labels.n_px() + 8 * self.centers.len()
    }
}

/// Opens fields of a dataset, given by their places, and makes samples of them, in that order.
///
/// # Errors
/// Findings for every field that cannot be used, and when all together do not fit [`MAX_BYTES`].
pub fn read(
    dataset: &Dataset,
    tree: &Tree,
    fields: &[usize],
    input: &Input,
) -> Result<Vec<Sample>, Vec<Finding>> {
    let read_one = |&place: &usize| {
        let entry = &dataset.fields()[place];
        let field = entry.open(tree)?;
        Sample::of_field(&field, &entry.image_type, input).map_err(|error| {
            let message = format!("field `{}` cannot be learned from: {error}", entry.name);
            let help = "give it a mask and the channels of the recipe, or move it to testing";
            vec![Finding::error(Code::ImageModality, dataset.place().clone(), message).help(help)]
        })
    };
    let mut samples = Vec::with_capacity(fields.len());
    let mut findings = Vec::new();
    let mut n_bytes = 0;
    // Part by part, so that a dataset that does not fit is refused before the memory is full.
    for part in fields.chunks(64) {
        let read: Vec<Result<Sample, Vec<Finding>>> = part.par_iter().map(read_one).collect();
        for result in read {
            match result {
                Ok(sample) => {
                    n_bytes += sample.n_bytes();
                    samples.push(sample);
                }
                Err(found) => findings.extend(found),
            }
        }
        if MAX_BYTES < n_bytes {
            findings.push(too_large_finding(dataset.place()));
            break;
        }
    }
    if findings.is_empty() { Ok(samples) } else { Err(findings) }
}

fn too_large_finding(place: &Place) -> Finding {
    let message = format!("the fields for training take more than {} GiB", MAX_BYTES >> 30);
    Finding::error(Code::ImageTooLarge, place.clone(), message)
        .help("train on fewer or smaller fields")
}

/// Numbers nuclei from 1 in the order of their first pixel, and gives their runs.
fn number_nuclei(truth: &Labels) -> Result<(Raster<u16>, Vec<Vec<Run>>), SampleError> {
    let mut numbers: BTreeMap<u32, u32> = BTreeMap::new();
    let mut nuclei: Vec<Vec<Run>> = Vec::new();
    let mut labels = Raster::filled(truth.width(), truth.height(), 0_u16);
    for y in 0..truth.height() {
        let mut start = 0;
        for run in truth.row(y).chunk_by(|one, other| one == other) {
            let end = start + run.len() as u32;
            if run[0] > 0 {
                let next = nuclei.len() as u32;
                let number = *numbers.entry(run[0]).or_insert(next);
                if number == next {
                    nuclei.push(Vec::new());
                }
                nuclei[number as usize].push(Run { y, start, end });
                labels.row_mut(y)[start as usize..end as usize].fill((number + 1) as u16);
            }
            start = end;
        }
    }
    if usize::from(u16::MAX) < nuclei.len() {
        return Err(SampleError::TooManyNuclei(nuclei.len()));
    }
    Ok((labels, nuclei))
}

/// Fills in how deep each pixel lies in its nucleus; gives the deepest pixel of each.
///
/// Distances reach to the edges of the outermost pixels, half a pixel before their neighbors'
/// centers. The border of the image is no border of a nucleus.
fn measure_depths(nuclei: &[Vec<Run>], labels: &Raster<u16>, depths: &mut [u8]) -> Vec<[u32; 2]> {
    let (width, height) = (labels.width(), labels.height());
    let (mut patch, mut scratch, mut squares) = (Patch::default(), Scratch::default(), Vec::new());
    let mut centers = Vec::with_capacity(nuclei.len());
    for runs in nuclei {
        patch.lay_out_within(runs, (width, height));
        squared_distances(&patch, &mut scratch, &mut squares);
        let depth = |square: u32| f64::from(square).sqrt() - 0.5;
        let deepest = depth(squares.iter().copied().max().unwrap_or(1)).max(0.5);
        let mut center = (0, [0, 0]);
        for (run, span) in runs.iter().zip(&patch.spans) {
            let first = (run.y * width + run.start) as usize;
            for (offset, &square) in squares[span.clone()].iter().enumerate() {
                if center.0 < square {
                    center = (square, [run.start + offset as u32, run.y]);
                }
                let part = depth(square) / deepest * f64::from(DEPTH_STEPS);
                depths[first + offset] = part.round().clamp(1.0, 255.0) as u8;
            }
        }
        centers.push(center.1);
    }
    centers
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use cellgate_core::digest::Digest;
    use cellgate_core::labels;
    use cellgate_core::raster::Image;

    fn field(image: Image, truth: Labels) -> Field {
        let digest = Digest::of_bytes(b"");
        Field { name: "one".to_owned(), image, truth: Some(truth), pixel_size: None, digest }
    }

    /// A sample of a gray image of 16 bits.
    pub(crate) fn sample_of(truth: Labels, value: impl Fn(u32, u32) -> u16) -> Sample {
        let image = Image::Gray16(Raster::from_fn(truth.width(), truth.height(), value));
        Sample::of_field(&field(image, truth), "x", &Input::default()).unwrap()
    }

    #[test]
    fn nuclei_are_numbered_and_their_depth_is_measured_to_their_own_border() {
        let truth = labels![
            0, 0, 0, 0, 0, 0, 0;
            0, 7, 7, 7, 9, 9, 0;
            0, 7, 7, 7, 9, 9, 0;
            0, 7, 7, 7, 9, 9, 0;
            0, 0, 0, 0, 0, 0, 0
        ];
        let image = Image::Gray8(Raster::filled(7, 5, 100));
        let sample = Sample::of_field(&field(image, truth), "x", &Input::default()).unwrap();
        assert_eq!(sample.labels.row(1), [0, 1, 1, 1, 2, 2, 0]);
        assert_eq!(sample.centers, [[2, 2], [4, 1]]);
        // The middle of the first lies 1.5 from its border, its rim 0.5; the other is all rim.
        assert_eq!(sample.depths[14..21], [0, 85, 255, 85, 255, 255, 0]);
        assert_eq!((sample.n_kept, sample.values.len(), sample.size()), (1, 35, (7, 5)));
    }

    #[test]
    fn specks_become_background_and_others_are_numbered_anew() {
        let truth = labels![3, 3, 0, 4, 0, 5; 3, 3, 0, 0, 0, 5];
        let sample = sample_of(truth, |x, _| x as u16);
        let cleaned = sample.clone().without_specks(2);
        assert_eq!(cleaned.labels.samples(), [1, 1, 0, 0, 0, 2, 1, 1, 0, 0, 0, 2]);
        assert_eq!((cleaned.depths[3], cleaned.depths[5]), (0, sample.depths[5]));
        assert_eq!(cleaned.centers, [sample.centers[0], sample.centers[2]]);
        let same = sample.clone().without_specks(1);
        assert_eq!((same.labels, same.centers), (sample.labels, sample.centers));
    }

    #[test]
    fn the_border_of_the_image_is_no_border_of_a_nucleus() {
        let truth = labels![1, 1, 1, 0; 1, 1, 1, 0];
        let image = Image::Gray8(Raster::filled(4, 2, 100));
        let sample = Sample::of_field(&field(image, truth), "x", &Input::default()).unwrap();
        assert_eq!(sample.depths[..4], [255, 153, 51, 0]);
    }

    #[test]
    fn a_color_keeps_three_channels_and_nuclei_are_bright_in_them() {
        let pixels = vec![[255, 255, 255], [60, 30, 90]];
        let image = Image::Rgb8(Raster::from_samples(2, 1, pixels).unwrap());
        let sample =
            Sample::of_field(&field(image, labels![0, 1]), "he", &Input::default()).unwrap();
        assert!(sample.is_brightfield && sample.n_kept == 3);
        assert_eq!(sample.values[..3], [0; 3]);
        assert!(sample.values[4] > sample.values[3] && sample.values[3] > sample.values[5]);
    }

    #[test]
    fn a_field_without_truth_is_refused() {
        let mut field = field(Image::Gray8(Raster::filled(1, 1, 0)), labels![0]);
        field.truth = None;
        let error = Sample::of_field(&field, "x", &Input::default()).unwrap_err();
        assert_eq!(error, SampleError::NoTruth);
    }
}
