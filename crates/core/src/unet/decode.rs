//! Decode: from probabilities to nuclei.
//!
//! Takes a network's answer; gives the pixels of each nucleus. What is probably nucleus is cleaned
//! and divided by the same seeds, watershed and rules as on the classical path; the landscape that
//! is flooded comes from the network.

use super::architecture::{OUTPUTS, Output};
use super::feature_map::FeatureMap;
use crate::grid::mask::Mask;
use crate::nuclei::SegmentError;
use crate::nuclei::cleaning::Cleaning;
use crate::nuclei::flood::{MinPeakDistance, PeakCriteria};
use crate::nuclei::split::{Guide, Region, split};
use crate::profile::{Separation, Unet};
use crate::raster::Raster;
use crate::units::PixelSize;
use rayon::prelude::*;

/// How a network's answer becomes nuclei.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decoding {
    /// Part of the answer that separates touching nuclei.
    pub separation: Separation,
    /// Pixels of at least this probability of lying in a nucleus are foreground.
    pub nucleus_threshold: f64,
    /// How much a center must rise above the saddle to its neighbor, as a probability.
    pub h: f64,
    /// How far apart two centers must be.
    pub min_peak_distance: MinPeakDistance,
}

/// Steps of a probability of 1 in the landscape.
const STEPS: f32 = 65_535.0;

impl Decoding {
    /// Decoding that a profile asks for.
    ///
    /// # Errors
    /// [`SegmentError::PixelSizeMissing`] when a length is in micrometers and `working` is `None`.
    pub fn new(unet: &Unet, working: Option<PixelSize>) -> Result<Self, SegmentError> {
        Ok(Self {
            separation: unet.separation,
            nucleus_threshold: unet.nucleus_threshold,
            h: unet.h,
            min_peak_distance: MinPeakDistance::of(unet.suppression, working)?,
        })
    }

    /// The nuclei of one map, in the order of their first pixel.
    ///
    /// # Shapes
    /// `answer`: one map with the channels of [`Output`].
    ///
    /// # Edge cases
    /// An answer without foreground has no nuclei; further maps of a batch are not looked at.
    #[must_use]
    pub fn nuclei(&self, answer: &FeatureMap, cleaning: &Cleaning) -> Vec<Region> {
        let size = (answer.shape.width as u32, answer.shape.height as u32);
        // Probabilities are compared as they are, before they become steps.
        let threshold = self.nucleus_threshold as f32;
        let nucleus = map_pixels(answer, |pixel| pixel[Output::Nucleus as usize]);
        let mask = Mask::of(&nucleus, |probability| threshold <= probability);
        let components = cleaning.regions(mask);
        let landscape = self.landscape(answer);
        let criteria = PeakCriteria {
            h: self.h * f64::from(STEPS),
            min_peak_distance: self.min_peak_distance,
        };
        let nuclei = split(&components, size, Guide::Signal(&landscape), criteria);
        cleaning.keep(nuclei, size)
    }

    /// Landscape that the flood follows, in steps: high within nuclei, low between them.
    #[must_use]
    pub fn landscape(&self, answer: &FeatureMap) -> Raster<u16> {
        let steps = |probability: f32| (probability * STEPS + 0.5) as u16;
        match self.separation {
            Separation::Boundary => map_pixels(answer, |pixel| {
                steps(pixel[Output::Nucleus as usize] * (1.0 - pixel[Output::Boundary as usize]))
            }),
            Separation::Distance => {
                map_pixels(answer, |pixel| steps(pixel[Output::Distance as usize]))
            }
        }
    }
}

/// One number for each pixel of the first map.
fn map_pixels<T: Copy + Default + Send>(
    answer: &FeatureMap,
    number: impl Fn(&[f32; OUTPUTS as usize]) -> T + Sync,
) -> Raster<T> {
    let (width, height) = (answer.shape.width, answer.shape.height);
    let mut raster = Raster::filled(width as u32, height as u32, T::default());
    let pixels = answer.values.as_chunks().0;
    let samples = raster.samples_mut().par_chunks_mut(1 << 14).zip(pixels.par_chunks(1 << 14));
    samples.for_each(|(samples, pixels)| {
        samples.iter_mut().zip(pixels).for_each(|(sample, pixel)| *sample = number(pixel));
    });
    raster
}

#[cfg(test)]
mod tests {
    use super::super::feature_map::Shape;
    use super::*;
    use crate::nuclei::flood::AUTO_MIN_PEAK_DISTANCE;

    const CLEANING: Cleaning = Cleaning {
        open_radius_px: 0.0,
        close_radius_px: 0.0,
        fill_holes_max_px2: 10.0,
        min_area_px2: 5.0,
        max_area_px2: f64::INFINITY,
        exclude_border: false,
    };

    /// Two disks that overlap, drawn as a network would answer at its best.
    fn answer() -> FeatureMap {
        let shape = Shape { batch: 1, height: 40, width: 64, channels: 3 };
        let pixel = |index: usize| {
            let (x, y) = ((index % 64) as f32, (index / 64) as f32);
            let depth = |center: f32| 12.0 - ((x - center).powi(2) + (y - 20.0).powi(2)).sqrt();
            let (one, two) = (depth(20.0), depth(40.0));
            let deepest = one.max(two);
            let is_seam = (x - 30.0).abs() < 1.0 && 0.0 <= deepest;
            let (nucleus, seam) =
                (f32::from(u8::from(0.0 <= deepest)), f32::from(u8::from(is_seam)));
            [nucleus, seam, deepest.max(0.0) / 12.0]
        };
        FeatureMap { shape, values: (0..shape.n_px()).flat_map(pixel).collect() }
    }

    #[track_caller]
    fn check_count(separation: Separation, h: f64, expected: usize) {
        let decoding = Decoding {
            separation,
            nucleus_threshold: 0.5,
            h,
            min_peak_distance: AUTO_MIN_PEAK_DISTANCE,
        };
        let nuclei = decoding.nuclei(&answer(), &CLEANING);
        assert_eq!(nuclei.len(), expected, "{separation:?} at {h}");
        let n_px: u32 = nuclei.iter().flatten().map(|run| run.n_px()).sum();
        let in_nucleus = answer().values.iter().step_by(3).filter(|&&value| 0.5 <= value).count();
        assert_eq!(n_px as usize, in_nucleus, "no pixel is lost");
    }

    #[test]
    fn both_landscapes_divide_touching_nuclei() {
        check_count(Separation::Boundary, 0.1, 2);
        check_count(Separation::Distance, 0.1, 2);
    }

    #[test]
    fn what_does_not_rise_enough_is_one_nucleus() {
        // The saddle of the distances lies at 2 / 12 of the peaks' height.
        check_count(Separation::Distance, 0.99, 1);
    }

    #[test]
    fn certainty_decides_what_is_foreground() {
        let mut answer = answer();
        answer.values.iter_mut().step_by(3).for_each(|value| *value *= 0.5);
        let decoding = |nucleus_threshold| Decoding {
            separation: Separation::Boundary,
            nucleus_threshold,
            h: 0.1,
            min_peak_distance: AUTO_MIN_PEAK_DISTANCE,
        };
        assert_eq!(
            decoding(0.5).nuclei(&answer, &CLEANING).len(),
            2,
            "the threshold belongs to it"
        );
        assert_eq!(decoding(0.51).nuclei(&answer, &CLEANING).len(), 0);
    }

    #[test]
    fn cleaning_drops_what_the_profile_does_not_want() {
        let decoding = Decoding {
            separation: Separation::Boundary,
            nucleus_threshold: 0.5,
            h: 0.1,
            min_peak_distance: AUTO_MIN_PEAK_DISTANCE,
        };
        let small = Cleaning { max_area_px2: 100.0, ..CLEANING };
        assert_eq!(decoding.nuclei(&answer(), &small).len(), 0);
        let inside = Cleaning { exclude_border: true, ..CLEANING };
        assert_eq!(decoding.nuclei(&answer(), &inside).len(), 2);
    }
}
