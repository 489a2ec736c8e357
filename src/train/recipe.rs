//! Recipe: every number that a training depends on, with its default.
//!
//! The same recipe and the same fields give the same weights on one backend. A model card carries
//! the recipe whole.

use crate::digest::{Digest, DigestError};
use crate::params::Channel;
use crate::unet::architecture::{Architecture, Normalization, UpSampling};
use crate::unet::input::InputScaling;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Most crops of a batch.
pub const MAX_BATCH: u32 = 256;

/// Keys that came after the first recipes, by section, and the number that means what was done
/// before they came.
const LATER_KEYS: [(&str, &str, u64); 0] = [];

/// Longest edge of a crop, in pixels.
pub const MAX_CROP_PX: u32 = 2048;

/// Everything that a training depends on, besides its fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// Where all random numbers start.
    pub seed: u64,
    /// The form of the network.
    pub architecture: Architecture,
    /// What the network sees of an image.
    pub input: Input,
    /// Which crops are taken.
    pub sampling: Sampling,
    /// How crops are bent.
    pub warp: WarpRecipe,
    /// How crops are lit, blurred and stained.
    pub intensity: IntensityRecipe,
    /// What the network is to answer.
    pub targets: TargetRecipe,
    /// How the weights are found.
    pub optimization: Optimization,
}

/// What the network sees of an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Input {
    /// Channels of gray images, which are taken for fluorescence.
    pub gray_channels: Vec<Channel>,
    /// Channels of color images, which are taken for brightfield.
    pub color_channels: Vec<Channel>,
    /// How the values of an image are brought to one scale.
    pub scaling: InputScaling,
}

/// Which crops are taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// Crops of a batch.
    pub batch: u32,
    /// Edge of a crop, in pixels; a multiple of the network's stride.
    pub crop_px: u32,
    /// Part of the fields that is kept for validation, group by group.
    pub validation_fraction: f64,
    /// How often each image type is taken, relative to the others. A type that is not named has
    /// the square root of its number of fields.
    pub type_weights: BTreeMap<String, f64>,
    /// Probability that a crop's center is a nucleus, not any place.
    pub nucleus_chance: f64,
}

/// How crops are bent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WarpRecipe {
    /// Whether crops are turned by any angle and mirrored.
    pub turns: bool,
    /// Least and greatest magnification; evenly spread on a logarithmic scale.
    pub scale: [f64; 2],
    /// Greatest shear, as a part of the length.
    pub shear: f64,
    /// Probability of an elastic bend.
    pub elastic_chance: f64,
    /// Standard deviation of an elastic bend's shifts, in pixels of the crop.
    pub elastic_px: f64,
    /// Distance between the shifts of an elastic bend, in pixels of the crop.
    pub elastic_cell_px: u32,
}

/// How crops are lit, blurred and stained. Values are those of the scaled input: 0 is background, 1
/// a bright nucleus.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IntensityRecipe {
    /// Greatest change of brightness, either way.
    pub brightness: f64,
    /// Greatest factor of contrast; its inverse is the least.
    pub contrast: f64,
    /// Greatest exponent of brightness; its inverse is the least.
    pub gamma: f64,
    /// Probability of blur.
    pub blur_chance: f64,
    /// Greatest standard deviation of blur, in pixels.
    pub blur_px: f64,
    /// Probability of noise.
    pub noise_chance: f64,
    /// Greatest standard deviation of noise.
    pub noise: f64,
    /// Probability of uneven light.
    pub shading_chance: f64,
    /// Greatest change of brightness by uneven light, as a part of it.
    pub shading: f64,
    /// Greatest factor of one channel's stain in brightfield; its inverse is the least.
    pub stain_scale: f64,
    /// Greatest shift of one channel in brightfield.
    pub stain_shift: f64,
    /// Greatest part of another channel that is mixed into one in brightfield.
    pub stain_mix: f64,
}

/// What the network is to answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetRecipe {
    /// A pixel with two nuclei no farther than this, in rows and in columns, is boundary.
    pub touching_px: u32,
    /// What is added to the weight of pixels directly between two nuclei.
    pub touching_weight: f64,
    /// How far that reaches: standard deviation, in pixels.
    pub touching_sigma_px: f64,
}

/// How the weights are found: AdamW, warm-up and cosine to zero.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Optimization {
    /// Steps of the whole schedule.
    pub steps: u64,
    /// Greatest learning rate.
    pub rate: f64,
    /// Steps until the rate is reached.
    pub warm_up_steps: u64,
    /// Decoupled weight decay of convolutions; normalization and biases have none.
    pub weight_decay: f64,
    /// Decay of the gradient's mean.
    pub beta_1: f64,
    /// Decay of the gradient's square.
    pub beta_2: f64,
    /// Greatest norm of all gradients together.
    pub clip_norm: f64,
    /// Decay of the mean of weights that is validated and kept.
    pub ema_decay: f64,
    /// Weight of the Dice loss beside the cross-entropy of nuclei.
    pub dice_weight: f64,
    /// Weight of the cross-entropy of boundaries.
    pub boundary_weight: f64,
    /// Weight of the loss of distances.
    pub distance_weight: f64,
    /// Steps between validations.
    pub validate_every: u64,
    /// Validations without a better one until training ends.
    pub patience: u32,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            seed: 1,
            architecture: Architecture {
                in_channels: 3,
                base_width: 16,
                depth: 4,
                normalization: Normalization::Batch,
                up_sampling: UpSampling::Transposed,
            },
            input: Input::default(),
            sampling: Sampling::default(),
            warp: WarpRecipe::default(),
            intensity: IntensityRecipe::default(),
            targets: TargetRecipe::default(),
            optimization: Optimization::default(),
        }
    }
}

impl Default for Input {
    fn default() -> Self {
        Self {
            gray_channels: vec![Channel::Gray; 3],
            color_channels: vec![Channel::OdRed, Channel::OdGreen, Channel::OdBlue],
            scaling: InputScaling::default(),
        }
    }
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            batch: 8,
            crop_px: 256,
            validation_fraction: 0.1,
            type_weights: BTreeMap::new(),
            nucleus_chance: 0.5,
        }
    }
}

impl Default for WarpRecipe {
    fn default() -> Self {
        Self {
            turns: true,
            scale: [0.6, 1.7],
            shear: 0.08,
            elastic_chance: 0.5,
            elastic_px: 3.0,
            elastic_cell_px: 48,
        }
    }
}

impl WarpRecipe {
    /// Crops as they are.
    pub const NONE: Self = Self {
        turns: false,
        scale: [1.0, 1.0],
        shear: 0.0,
        elastic_chance: 0.0,
        elastic_px: 0.0,
        elastic_cell_px: 48,
    };
}

impl Default for IntensityRecipe {
    fn default() -> Self {
        Self {
            brightness: 0.1,
            contrast: 1.6,
            gamma: 1.5,
            blur_chance: 0.15,
            blur_px: 1.5,
            noise_chance: 0.3,
            noise: 0.08,
            shading_chance: 0.25,
            shading: 0.35,
            stain_scale: 1.25,
            stain_shift: 0.1,
            stain_mix: 0.1,
        }
    }
}

impl IntensityRecipe {
    /// Values as they are.
    pub const NONE: Self = Self {
        brightness: 0.0,
        contrast: 1.0,
        gamma: 1.0,
        blur_chance: 0.0,
        blur_px: 0.0,
        noise_chance: 0.0,
        noise: 0.0,
        shading_chance: 0.0,
        shading: 0.0,
        stain_scale: 1.0,
        stain_shift: 0.0,
        stain_mix: 0.0,
    };
}

impl Default for TargetRecipe {
    fn default() -> Self {
        // Ronneberger et al. 2015, equation 2, has a weight of 10 and a deviation of 5 px, on larger
        // cells.
        Self { touching_px: 2, touching_weight: 6.0, touching_sigma_px: 4.0 }
    }
}

impl Default for Optimization {
    fn default() -> Self {
        Self {
            steps: 4000,
            rate: 2e-3,
            warm_up_steps: 100,
            weight_decay: 1e-2,
            beta_1: 0.9,
            beta_2: 0.999,
            clip_norm: 1.0,
            ema_decay: 0.998,
            dice_weight: 1.0,
            boundary_weight: 1.0,
            distance_weight: 1.0,
            validate_every: 250,
            patience: 12,
        }
    }
}

/// A number of a recipe cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the recipe's `{key}` must be {needed}")]
pub struct RecipeError {
    /// The key, with dots between its levels.
    pub key: &'static str,
    /// What is needed.
    pub needed: &'static str,
}

impl Recipe {
    /// Reads a recipe; what it leaves out has its default.
    ///
    /// # Errors
    /// What JSON's reader says, also of unknown keys.
    pub fn of_json(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }

    /// Reads the recipe of a training that has begun, maybe by an earlier version: keys that came
    /// later mean what was done before they came.
    ///
    /// # Errors
    /// As [`Self::of_json`].
    pub fn of_training(bytes: &[u8]) -> serde_json::Result<Self> {
        let mut value: Value = serde_json::from_slice(bytes)?;
        for (section, key, before) in LATER_KEYS {
            if let Some(Value::Object(section)) = value.get_mut(section) {
                section.entry(key).or_insert(Value::from(before));
            }
        }
        serde_json::from_value(value)
    }

    /// Digest of the whole recipe; of keys that came later only where they change something, so
    /// that a training goes on with the next version.
    ///
    /// # Errors
    /// [`DigestError`] when a number is not finite.
    pub fn digest(&self) -> Result<Digest, DigestError> {
        let Ok(mut value) = serde_json::to_value(self) else { return Digest::of_canonical(self) };
        for (section, key, before) in LATER_KEYS {
            if let Some(Value::Object(section)) = value.get_mut(section)
                && section.get(key) == Some(&Value::from(before))
            {
                section.remove(key);
            }
        }
        Digest::of_canonical(&value)
    }

    /// Everything that is wrong with the recipe.
    #[must_use]
    pub fn problems(&self) -> Vec<RecipeError> {
        let mut problems = Vec::new();
        let mut need = |holds: bool, key: &'static str, needed: &'static str| {
            if !holds {
                problems.push(RecipeError { key, needed });
            }
        };
        need(self.architecture.is_possible(), "architecture", "within a network's bounds");
        self.check_input(&mut need);
        self.check_sampling(&mut need);
        self.check_warp(&mut need);
        self.check_intensity(&mut need);
        self.check_optimization(&mut need);
        problems
    }

    fn check_input(&self, need: &mut impl FnMut(bool, &'static str, &'static str)) {
        let Input { gray_channels, color_channels, scaling } = &self.input;
        let count = self.architecture.in_channels as usize;
        let many = "as many channels as the network has inputs";
        need(gray_channels.len() == count, "input.gray_channels", many);
        need(color_channels.len() == count, "input.color_channels", many);
        let is_gray = gray_channels.iter().all(|&channel| channel == Channel::Gray);
        need(is_gray, "input.gray_channels", "`gray`, as often as the network has inputs");
        let is_density = |channel: &Channel| {
            matches!(channel, Channel::OdSum | Channel::OdRed | Channel::OdGreen | Channel::OdBlue)
        };
        let needed = "optical densities, which need no stain vectors";
        need(color_channels.iter().all(is_density), "input.color_channels", needed);
        need(scaling.is_possible(), "input.scaling", "rising percentiles, clipped outside 0 to 1");
    }

    fn check_sampling(&self, need: &mut impl FnMut(bool, &'static str, &'static str)) {
        let Sampling { batch, crop_px, validation_fraction, type_weights, nucleus_chance } =
            &self.sampling;
        need((1..=MAX_BATCH).contains(batch), "sampling.batch", "1 to 256");
        let stride = self.architecture.stride() as u32;
        let fits = (16..=MAX_CROP_PX).contains(crop_px) && crop_px.is_multiple_of(stride);
        need(fits, "sampling.crop_px", "16 to 2048, a multiple of the network's stride");
        let is_part = (0.0..=0.5).contains(validation_fraction);
        need(is_part, "sampling.validation_fraction", "0 to 0.5");
        need(is_chance(*nucleus_chance), "sampling.nucleus_chance", "0 to 1");
        let mut weights = type_weights.values();
        let is_weight = weights.all(|weight| (0.0..=1e6).contains(weight));
        need(is_weight, "sampling.type_weights", "0 to 1,000,000");
    }

    fn check_warp(&self, need: &mut impl FnMut(bool, &'static str, &'static str)) {
        let WarpRecipe { scale: [least, most], shear, elastic_px, elastic_cell_px, .. } = self.warp;
        let rises = 0.1 <= least && least <= most && most <= 10.0;
        need(rises, "warp.scale", "0.1 to 10, rising");
        need((0.0..=0.5).contains(&shear), "warp.shear", "0 to 0.5");
        need(is_chance(self.warp.elastic_chance), "warp.elastic_chance", "0 to 1");
        need((0.0..=32.0).contains(&elastic_px), "warp.elastic_px", "0 to 32");
        need((8..=512).contains(&elastic_cell_px), "warp.elastic_cell_px", "8 to 512");
        let TargetRecipe { touching_px, touching_weight, touching_sigma_px } = self.targets;
        need((1..=4).contains(&touching_px), "targets.touching_px", "1 to 4");
        need((0.0..=100.0).contains(&touching_weight), "targets.touching_weight", "0 to 100");
        need((0.5..=50.0).contains(&touching_sigma_px), "targets.touching_sigma_px", "0.5 to 50");
    }

    fn check_intensity(&self, need: &mut impl FnMut(bool, &'static str, &'static str)) {
        let recipe = &self.intensity;
        let shifts = [recipe.brightness, recipe.noise, recipe.shading, recipe.stain_shift];
        let mut shifts = shifts.into_iter().chain([recipe.stain_mix]);
        need(shifts.all(is_chance), "intensity", "0 to 1 for every shift, mixture and shading");
        let mut factors = [recipe.contrast, recipe.gamma, recipe.stain_scale].into_iter();
        need(
            factors.all(|factor| (1.0..=4.0).contains(&factor)),
            "intensity",
            "1 to 4 for factors",
        );
        let chances = [recipe.blur_chance, recipe.noise_chance, recipe.shading_chance];
        need(chances.into_iter().all(is_chance), "intensity", "0 to 1 for every chance");
        need((0.0..=4.0).contains(&recipe.blur_px), "intensity.blur_px", "0 to 4");
    }

    fn check_optimization(&self, need: &mut impl FnMut(bool, &'static str, &'static str)) {
        let Optimization { steps, rate, weight_decay, beta_1, beta_2, clip_norm, .. } =
            self.optimization;
        need((1..=100_000_000).contains(&steps), "optimization.steps", "1 to 100,000,000");
        need(0.0 < rate && rate <= 1.0, "optimization.rate", "above 0, at most 1");
        need(is_chance(weight_decay), "optimization.weight_decay", "0 to 1");
        let is_decay = |decay: f64| (0.0..1.0).contains(&decay);
        need(is_decay(beta_1), "optimization.beta_1", "0 to below 1");
        need(is_decay(beta_2), "optimization.beta_2", "0 to below 1");
        need(is_decay(self.optimization.ema_decay), "optimization.ema_decay", "0 to below 1");
        need(0.0 < clip_norm && clip_norm.is_finite(), "optimization.clip_norm", "above 0");
        let Optimization { dice_weight, boundary_weight, distance_weight, .. } = self.optimization;
        let mut weights = [dice_weight, boundary_weight, distance_weight].into_iter();
        let is_weight = weights.all(|weight| (0.0..=100.0).contains(&weight));
        need(is_weight, "optimization", "0 to 100 for the weights of losses");
        need(0 < self.optimization.validate_every, "optimization.validate_every", "above 0");
    }
}

fn is_chance(number: f64) -> bool {
    (0.0..=1.0).contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(change: impl Fn(&mut Recipe), key: &str) {
        let mut recipe = Recipe::default();
        change(&mut recipe);
        let keys: Vec<_> = recipe.problems().iter().map(|problem| problem.key).collect();
        assert_eq!(keys, [key]);
    }

    #[test]
    fn the_default_has_no_problem() {
        assert_eq!(Recipe::default().problems(), []);
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        check(|recipe| recipe.sampling.crop_px = 250, "sampling.crop_px");
        check(|recipe| recipe.sampling.batch = 0, "sampling.batch");
        check(|recipe| recipe.warp.scale = [2.0, 1.0], "warp.scale");
        check(|recipe| recipe.warp.shear = f64::NAN, "warp.shear");
        check(|recipe| recipe.intensity.gamma = 0.5, "intensity");
        check(|recipe| recipe.optimization.rate = 0.0, "optimization.rate");
        check(
            |recipe| recipe.input.color_channels[1] = Channel::HematoxylinOd,
            "input.color_channels",
        );
    }

    #[test]
    fn a_recipe_reads_back_what_it_writes_and_fills_what_is_missing() {
        let recipe = Recipe { seed: 7, ..Recipe::default() };
        let text = serde_json::to_string(&recipe).unwrap();
        assert_eq!(serde_json::from_str::<Recipe>(&text).unwrap(), recipe);
        assert_eq!(serde_json::from_str::<Recipe>("{\"seed\": 7}").unwrap(), recipe);
        assert!(serde_json::from_str::<Recipe>("{\"sead\": 7}").is_err());
        assert_ne!(recipe.digest().unwrap(), Recipe::default().digest().unwrap());
    }
}
