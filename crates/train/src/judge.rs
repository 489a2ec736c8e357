//! Judge: how good weights are, by fields that no step sees.
//!
//! Takes the fields for validation; finds their nuclei with the weights, the way a profile would,
//! and compares with the truth.

use super::held_out::HeldOut;
use super::loss;
use super::recipe::Recipe;
use super::record;
use super::sample::Sample;
use super::validation::{Decoder, validate};
use cellgate_core::unet::plan::Network;
use cellgate_core::unet::weights::Weights;

/// Fields for validation.
#[derive(Debug)]
pub struct Judge {
    fields: Vec<Sample>,
    crops: Option<HeldOut>,
    decoder: Decoder,
}

impl Judge {
    /// Takes the fields, and what each part of the loss counts.
    #[must_use]
    pub fn new(fields: Vec<Sample>, recipe: &Recipe, factors: [f32; loss::PARTS]) -> Self {
        let crops = HeldOut::new(fields.clone(), recipe, factors);
        Self { fields, crops, decoder: Decoder::default() }
    }

    /// The fields.
    #[must_use]
    pub fn fields(&self) -> &[Sample] {
        &self.fields
    }

    /// Decoder that finds the nuclei.
    #[must_use]
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Judges the weights of a step.
    ///
    /// # Edge cases
    /// Without fields the score is 0.
    #[must_use]
    pub fn validate(&self, step: u64, weights: &Weights) -> record::Validation {
        let network = Network::new(weights);
        let found = validate(&network, &self.fields, &self.decoder);
        let of_types = found.by_type().into_iter();
        record::Validation {
            step,
            score: found.score().unwrap_or(0.0),
            held_out_loss: self.crops.as_ref().map(|crops| crops.loss(&network)),
            mean_ap: of_types.map(|figures| (figures.image_type, figures.mean_ap)).collect(),
        }
    }
}
