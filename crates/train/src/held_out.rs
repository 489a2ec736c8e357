//! Held out: how well weights do on crops of fields that no step sees.

use super::batch::{Batch, Batches};
use super::loss;
use super::recipe::{IntensityRecipe, Recipe, WarpRecipe};
use super::sample::Sample;
use cellgate_core::unet::plan::Network;

/// Batches that are judged by.
const BATCHES: u64 = 6;

/// Crops of fields for validation, as they are.
#[derive(Debug)]
pub struct HeldOut {
    batches: Vec<Batch>,
    factors: [f32; loss::PARTS],
}

impl HeldOut {
    /// Takes the fields; none gives nothing.
    #[must_use]
    pub fn new(samples: Vec<Sample>, recipe: &Recipe, factors: [f32; loss::PARTS]) -> Option<Self> {
        let plain =
            Recipe { warp: WarpRecipe::NONE, intensity: IntensityRecipe::NONE, ..recipe.clone() };
        let batches = Batches::new(samples, plain)?;
        let batches = (0..BATCHES).map(|step| batches.batch(step)).collect();
        Some(Self { batches, factors })
    }

    /// The mean loss.
    #[must_use]
    pub fn loss(&self, network: &Network) -> f64 {
        let of_batch = |batch: &Batch| {
            let mut logits = network.predict(&batch.input);
            logits
                .values
                .iter_mut()
                .for_each(|p| *p = libm::logf(*p / (1.0 - *p)).clamp(-20.0, 20.0));
            let parts = loss::parts(logits.view(), batch.targets.view(), batch.weights.view());
            let weighted = parts.iter().zip(self.factors);
            weighted.map(|(part, factor)| f64::from(part * factor)).sum::<f64>()
        };
        self.batches.iter().map(of_batch).sum::<f64>() / self.batches.len() as f64
    }
}
