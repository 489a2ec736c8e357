//! Picture: fields with what was found over what is true, for the eye.
//!
//! Draws the outlines of `report::overlay`: true nuclei on the side of base, found ones on the side
//! of head, one line where both agree.

use super::{Decoder, Judged, Validation};
use crate::sample::Sample;
use cellgate_core::drift::pair;
use cellgate_core::nuclei::signal::STEPS_PER_OD;
use cellgate_core::overlap::Overlaps;
use cellgate_core::raster::{Image, Raster};
use cellgate_core::unet::plan::Network;
use cellgate_gate::report::overlay::draw;
use std::collections::BTreeMap;

/// A field with both outlines.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// The field.
    pub name: String,
    /// Type of the image.
    pub image_type: String,
    /// How well it is found.
    pub mean_ap: f64,
    /// Red, green and blue.
    pub colors: Raster<[u8; 3]>,
}

/// Draws, of each type, the field that is found worst, the middle one and the best.
///
/// `samples` are those that `validation` was made of, with the same decoder.
///
/// # Panics
/// As of [`Decoder::predict`].
#[must_use]
pub fn pictures(
    network: &Network,
    samples: &[Sample],
    decoder: &Decoder,
    validation: &Validation,
) -> Vec<Picture> {
    let mut types: BTreeMap<&str, Vec<&Judged>> = BTreeMap::new();
    for field in validation.worst() {
        types.entry(&field.image_type).or_default().push(field);
    }
    let mut pictures = Vec::new();
    for fields in types.values() {
        let mut places = vec![0, fields.len() / 2, fields.len() - 1];
        places.dedup();
        for field in places.into_iter().map(|place| fields[place]) {
            let sample = samples.iter().find(|sample| sample.name == field.name);
            pictures.extend(sample.map(|sample| picture(network, sample, decoder, field)));
        }
    }
    pictures
}

fn picture(network: &Network, sample: &Sample, decoder: &Decoder, field: &Judged) -> Picture {
    let (truth, found) = (sample.truth(), decoder.labels(&decoder.predict(network, sample)));
    let pairing = Overlaps::count(&truth, &found).ok().map(|overlaps| pair(&overlaps));
    Picture {
        name: sample.name.clone(),
        image_type: sample.image_type.clone(),
        mean_ap: field.accuracy.scores.map,
        colors: draw(&reconstruct_image(sample), Some(&truth), Some(&found), pairing.as_ref()),
    }
}

/// The image that a sample was made of, as far as its channels tell.
fn reconstruct_image(sample: &Sample) -> Image {
    let (width, height) = sample.size();
    let first = |x: u32, y: u32| (y * width + x) as usize * sample.n_kept;
    if sample.is_brightfield && sample.n_kept == 3 {
        // What reaches the camera through an optical density, of 255.
        let light = |steps: u16| 255.0 * libm::exp10(-f64::from(steps) / STEPS_PER_OD);
        let pixel = |x, y| {
            let at = first(x, y);
            [at, at + 1, at + 2].map(|at| light(sample.values[at]).round() as u8)
        };
        Image::Rgb8(Raster::from_fn(width, height, pixel))
    } else {
        Image::Gray16(Raster::from_fn(width, height, |x, y| sample.values[first(x, y)]))
    }
}
