//! Recipe: every number that a training depends on, with its default.
//!
//! The same recipe and the same fields give the same weights on one backend. A model card carries
//! the recipe whole.

mod checks;

pub use checks::RecipeError;

use cellgate_core::digest::{Digest, DigestError};
use cellgate_core::preparation::Steps;
use cellgate_core::profile::Channel;
use cellgate_core::unet::architecture::{Architecture, Normalization, UpSampling};
use cellgate_core::unet::input::InputScaling;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Most crops of a batch.
pub const MAX_BATCH: u32 = 256;

/// Keys that came after the first recipes, by section; 0 means what was done before they came.
const LATER_KEYS: [(&str, &str); 3] =
    [("intensity", "eosin"), ("intensity", "eosin_chance"), ("targets", "least_nucleus_px")];

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
    /// The network's input.
    pub input: Input,
    /// Which crops are taken.
    pub sampling: Sampling,
    /// How crops are bent.
    pub warp: WarpRecipe,
    /// How crops are lit, blurred and stained.
    pub intensity: IntensityRecipe,
    /// The network's targets and their weights.
    pub targets: TargetRecipe,
    /// How the weights are found.
    pub optimization: Optimization,
}

/// The network's input: channels of an image, prepared and scaled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Input {
    /// Channels of gray images, which are taken for fluorescence.
    pub gray_channels: Vec<Channel>,
    /// Channels of color images, which are taken for brightfield.
    pub color_channels: Vec<Channel>,
    /// How the values of an image are brought to one scale.
    pub scaling: InputScaling,
    /// Steps that prepare an image, in training and at every prediction.
    #[serde(skip_serializing_if = "Steps::are_none")]
    pub preparation: Steps,
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
    /// Probability that eosin is added in brightfield, mostly beside nuclei; in none but what is seen as
    /// optical densities of red, green and blue, in this order.
    pub eosin_chance: f64,
    /// Greatest density of dense patches of that eosin, where a bright nucleus has 1.
    pub eosin: f64,
}

/// The network's targets and their weights.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetRecipe {
    /// A pixel with two nuclei no farther than this, in rows and in columns, is boundary.
    pub touching_px: u32,
    /// Weight that is added to pixels directly between two nuclei.
    pub touching_weight: f64,
    /// How far that reaches: standard deviation, in pixels.
    pub touching_sigma_px: f64,
    /// Nuclei of fewer pixels are learned as background: they are slips of who drew the mask.
    pub least_nucleus_px: u32,
}

/// How the weights are found: AdamW, warm-up and cosine to zero, once or several times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Validations without a better one until training ends, counted anew from each restart.
    pub patience: u32,
    /// Where the rate, come to zero, begins anew; the steps before do not depend on it, so that a
    /// training that came to its end can go on with one more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub restarts: Vec<Restart>,
}

/// A new beginning of the learning rate, and maybe of more.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// Steps before it.
    pub step: u64,
    /// Learning rate of its first step.
    pub rate: f64,
    /// How crops are lit, blurred and stained from here on, where that is not as before; whole, so
    /// that what it leaves out has its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intensity: Option<IntensityRecipe>,
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
            preparation: Steps::default(),
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
            eosin_chance: 0.5,
            eosin: 2.0,
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
        eosin_chance: 0.0,
        eosin: 0.0,
    };
}

impl Default for TargetRecipe {
    fn default() -> Self {
        // Ronneberger et al. 2015, equation 2, has a weight of 10 and a deviation of 5 px, on larger
        // cells.
        Self { touching_px: 2, touching_weight: 6.0, touching_sigma_px: 4.0, least_nucleus_px: 10 }
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
            restarts: Vec::new(),
        }
    }
}

impl Optimization {
    /// The restarts that came before a step or with it, and those that are still ahead.
    #[must_use]
    pub fn restarts_around(&self, step: u64) -> (&[Restart], &[Restart]) {
        let n_begun = self.restarts.partition_point(|restart| restart.step <= step);
        self.restarts.split_at(n_begun)
    }
}

impl Recipe {
    /// Reads a recipe; what it leaves out has its default.
    ///
    /// # Errors
    /// Error of the JSON reader, also for unknown keys.
    pub fn from_json(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }

    /// Reads the recipe of a training that has begun, maybe by an earlier version: keys that came
    /// later mean what was done before they came.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn from_training(bytes: &[u8]) -> serde_json::Result<Self> {
        Self::with_later_keys(bytes, |_, _| Value::from(0))
    }

    /// Reads the recipe that a training is to go on by: keys that came later, where it leaves them out,
    /// are those of the training.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn for_resume(bytes: &[u8], training: &Self) -> serde_json::Result<Self> {
        let training = serde_json::to_value(training)?;
        Self::with_later_keys(bytes, |section, key| training[section][key].clone())
    }

    fn with_later_keys(
        bytes: &[u8],
        missing: impl Fn(&str, &str) -> Value,
    ) -> serde_json::Result<Self> {
        let mut value: Value = serde_json::from_slice(bytes)?;
        if let Some(sections) = value.as_object_mut() {
            for (section, key) in LATER_KEYS {
                let keys = sections.entry(section).or_insert_with(|| Map::new().into());
                if let Some(keys) = keys.as_object_mut() {
                    keys.entry(key).or_insert_with(|| missing(section, key));
                }
            }
        }
        serde_json::from_value(value)
    }

    /// How crops of a step are lit, blurred and stained.
    #[must_use]
    pub fn intensity_at(&self, step: u64) -> &IntensityRecipe {
        let (past, _) = self.optimization.restarts_around(step);
        past.iter().rev().find_map(|restart| restart.intensity.as_ref()).unwrap_or(&self.intensity)
    }

    /// Trainings that the recipe's goes on from: with fewer restarts, each to its own last step.
    pub fn beginnings(&self) -> impl Iterator<Item = Self> {
        let restarts = &self.optimization.restarts;
        restarts.iter().enumerate().map(|(n_before, restart)| {
            let mut beginning = self.clone();
            beginning.optimization.steps = restart.step;
            beginning.optimization.restarts.truncate(n_before);
            beginning
        })
    }

    /// Digest of the whole recipe; of keys that came later only where they change something, so
    /// that a training goes on with the next version.
    ///
    /// # Errors
    /// [`DigestError`] when a number is not finite.
    pub fn digest(&self) -> Result<Digest, DigestError> {
        let whole = Digest::of_canonical(self)?;
        let Ok(mut value) = serde_json::to_value(self) else { return Ok(whole) };
        for (section, key) in LATER_KEYS {
            if let Some(Value::Object(section)) = value.get_mut(section)
                && section.get(key).and_then(Value::as_f64) == Some(0.0)
            {
                section.remove(key);
            }
        }
        Digest::of_canonical(&value)
    }
}
