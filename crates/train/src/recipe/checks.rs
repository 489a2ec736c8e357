//! Checks: numbers of a recipe that cannot be used.

use super::{
    Input, IntensityRecipe, MAX_BATCH, MAX_CROP_PX, Optimization, Recipe, Restart, Sampling,
    TargetRecipe, WarpRecipe,
};
use cellgate_core::profile::Channel;

/// A number of a recipe cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the recipe's `{key}` must be {needed}")]
pub struct RecipeError {
    /// The key, with dots between its levels.
    pub key: &'static str,
    /// Condition that its value must meet.
    pub needed: &'static str,
}

impl Recipe {
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
        self.check_targets(&mut need);
        for intensity in self.intensities() {
            intensity.check(&mut need);
        }
        self.check_optimization(&mut need);
        problems
    }

    fn check_input(&self, need: &mut impl FnMut(bool, &'static str, &'static str)) {
        let Input { gray_channels, color_channels, scaling, preparation } = &self.input;
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
        need(preparation.are_possible(), "input.preparation", "edges of 1 to 20,000 px");
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
    }

    fn check_targets(&self, need: &mut impl FnMut(bool, &'static str, &'static str)) {
        let TargetRecipe { touching_px, touching_weight, touching_sigma_px, least_nucleus_px } =
            self.targets;
        need((1..=4).contains(&touching_px), "targets.touching_px", "1 to 4");
        need((0.0..=100.0).contains(&touching_weight), "targets.touching_weight", "0 to 100");
        need((0.5..=50.0).contains(&touching_sigma_px), "targets.touching_sigma_px", "0.5 to 50");
        need(least_nucleus_px <= 10_000, "targets.least_nucleus_px", "0 to 10,000");
    }

    /// How crops are lit, from the start and from each restart that changes it.
    fn intensities(&self) -> impl Iterator<Item = &IntensityRecipe> {
        let restarts = self.optimization.restarts.iter();
        std::iter::once(&self.intensity).chain(restarts.filter_map(|it| it.intensity.as_ref()))
    }

    fn check_optimization(&self, need: &mut impl FnMut(bool, &'static str, &'static str)) {
        let Optimization { steps, rate, weight_decay, beta_1, beta_2, clip_norm, .. } =
            self.optimization;
        let restarts = &self.optimization.restarts;
        let ends = restarts.iter().map(|restart| restart.step).chain([steps]);
        let rises = ends.clone().zip(ends.skip(1)).all(|(before, after)| before < after);
        let is_rate = |restart: &Restart| 0.0 < restart.rate && restart.rate <= 1.0;
        let begins = restarts.iter().all(|restart| 0 < restart.step && is_rate(restart));
        let needed = "steps that rise to below `steps`, each with a rate above 0 and at most 1";
        need(rises && begins && restarts.len() <= 100, "optimization.restarts", needed);
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

impl IntensityRecipe {
    fn check(&self, need: &mut impl FnMut(bool, &'static str, &'static str)) {
        let shifts = [self.brightness, self.noise, self.shading, self.stain_shift];
        let mut shifts = shifts.into_iter().chain([self.stain_mix]);
        need(shifts.all(is_chance), "intensity", "0 to 1 for every shift, mixture and shading");
        let mut factors = [self.contrast, self.gamma, self.stain_scale].into_iter();
        need(
            factors.all(|factor| (1.0..=4.0).contains(&factor)),
            "intensity",
            "1 to 4 for factors",
        );
        let chances = [self.blur_chance, self.noise_chance, self.shading_chance, self.eosin_chance];
        need(chances.into_iter().all(is_chance), "intensity", "0 to 1 for every chance");
        need((0.0..=4.0).contains(&self.blur_px), "intensity.blur_px", "0 to 4");
        need((0.0..=4.0).contains(&self.eosin), "intensity.eosin", "0 to 4");
    }
}

fn is_chance(number: f64) -> bool {
    (0.0..=1.0).contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellgate_core::digest::Digest;

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
        check(|recipe| recipe.targets.least_nucleus_px = 1 << 20, "targets.least_nucleus_px");
        check(|recipe| recipe.optimization.rate = 0.0, "optimization.rate");
        let restart = Restart { step: 4000, rate: 1e-3, intensity: None };
        check(|recipe| recipe.optimization.restarts = vec![restart], "optimization.restarts");
        let intensity = Some(IntensityRecipe { eosin: 9.0, ..IntensityRecipe::NONE });
        let restart = Restart { step: 2000, rate: 1e-3, intensity };
        check(|recipe| recipe.optimization.restarts = vec![restart], "intensity.eosin");
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

    #[test]
    fn keys_that_came_later_mean_what_was_done_before() {
        let mut value = serde_json::to_value(Recipe::default()).unwrap();
        value["intensity"].as_object_mut().unwrap().retain(|key, _| !key.starts_with("eosin"));
        value["targets"].as_object_mut().unwrap().remove("least_nucleus_px");
        let bytes = serde_json::to_vec(&value).unwrap();
        let read = Recipe::from_training(&bytes).unwrap();
        assert_eq!((read.intensity.eosin_chance, read.targets.least_nucleus_px), (0.0, 0));
        assert_eq!(read.digest().unwrap(), Digest::of_canonical(&value).unwrap());
        assert_eq!(Recipe::from_json(&bytes).unwrap(), Recipe::default());
        let bare = Recipe::from_training(b"{}").unwrap();
        assert_eq!((bare.intensity.eosin_chance, bare.targets.least_nucleus_px), (0.0, 0));
        // A recipe that a training goes on by is the training's where it says nothing.
        for training in [read, Recipe::default()] {
            assert_eq!(Recipe::for_resume(&bytes, &training).unwrap(), training);
        }
    }
}
