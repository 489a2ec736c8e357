//! Intensity: how a crop is lit, blurred and stained otherwise than its image is.
//!
//! Works on values as a network sees them: 0 is background, 1 a bright nucleus. For brightfield
//! they are optical densities, in which another amount of stain is a factor and another mixture of
//! stains a sum. Nothing is inverted: nuclei stay brighter than what is around them.

use super::recipe::IntensityRecipe;
use cellgate_inputs::dataset::random::Random;

/// Values of the curve that brightness follows, from 0 to [`CURVE_END`].
const CURVE_STEPS: usize = 256;

/// Values up to this follow the curve.
const CURVE_END: f32 = 2.0;

/// Points of uneven light across a crop, in each direction.
const LIGHTS: usize = 4;

/// A change of a crop's values.
#[derive(Debug, Clone)]
pub struct Relight {
    /// For each channel of the result the parts of those that it is mixed from.
    mixture: Option<[[f32; 3]; 3]>,
    /// Shift of each channel.
    shifts: [f32; 3],
    curve: Vec<f32>,
    contrast: f32,
    brightness: f32,
    blur_px: Option<f64>,
    shading: Option<Vec<f32>>,
    noise: Option<(f32, Random)>,
}

impl Relight {
    /// Draws a change.
    pub(super) fn draw(
        recipe: &IntensityRecipe,
        is_brightfield: bool,
        random: &mut Random,
    ) -> Self {
        let contrast = draw_factor(recipe.contrast, random);
        let gamma = draw_factor(recipe.gamma, random);
        let brightness = random.between(-recipe.brightness, recipe.brightness);
        let blur_px = random.between(0.3 * recipe.blur_px, recipe.blur_px);
        let is_blurred = random.chance(recipe.blur_chance) && 0.3 < recipe.blur_px;
        let noise = random.between(0.0, recipe.noise);
        let is_noisy = random.chance(recipe.noise_chance) && 0.0 < noise;
        let noise_seed = random.below(1 << 52) as u64;
        let shading = random.between(0.0, recipe.shading);
        let is_shaded = random.chance(recipe.shading_chance) && 0.0 < shading;
        let light = |_| 1.0 + (shading * random.between(-1.0, 1.0)) as f32;
        let lights: Vec<f32> = (0..LIGHTS * LIGHTS).map(light).collect();
        let stains = is_brightfield.then(|| draw_stains(recipe, random));
        Self {
            mixture: stains.map(|(mixture, _)| mixture),
            shifts: stains.map_or([0.0; 3], |(_, shifts)| shifts),
            curve: gamma_curve(gamma),
            contrast: contrast as f32,
            brightness: brightness as f32,
            blur_px: is_blurred.then_some(blur_px),
            shading: is_shaded.then_some(lights),
            noise: is_noisy.then(|| (noise as f32, Random::new(noise_seed, 0))),
        }
    }

    /// Changes values in place.
    ///
    /// # Shapes
    /// `[edge][edge][channels]`; `clip` bounds the result.
    pub fn apply(self, values: &mut [f32], edge: usize, channels: usize, clip: [f32; 2]) {
        if let Some(mixture) = self.mixture.filter(|_| channels == 3) {
            for pixel in values.as_chunks_mut::<3>().0 {
                let from = *pixel;
                for ((to, parts), shift) in pixel.iter_mut().zip(mixture).zip(self.shifts) {
                    *to = parts[0] * from[0] + parts[1] * from[1] + parts[2] * from[2] + shift;
                }
            }
        }
        if let Some(sigma_px) = self.blur_px {
            blur(values, edge, channels, sigma_px);
        }
        if let Some(lights) = &self.shading {
            shade(values, edge, channels, lights);
        }
        let (contrast, brightness) = (self.contrast, self.brightness);
        for value in values.iter_mut() {
            *value = apply_curve(&self.curve, *value) * contrast + brightness;
        }
        if let Some((sigma, mut random)) = self.noise {
            let scale = sigma * ROOT_OF_THREE / 65_536.0;
            values.iter_mut().for_each(|value| *value += scale * draw_nearly_normal(&mut random));
        }
        values.iter_mut().for_each(|value| *value = value.clamp(clip[0], clip[1]));
    }
}

/// Brings the sum of four numbers of variance 1/12 to a variance of 1.
const ROOT_OF_THREE: f32 = 1.732_050_8;

/// The sum of four even numbers in steps of 1/65,536, less its mean: nearly normal, and cheap.
fn draw_nearly_normal(random: &mut Random) -> f32 {
    let bits = random.bits();
    let sum = (0..4).map(|part| (bits >> (16 * part) & 0xFFFF) as i32).sum::<i32>();
    (sum - 2 * 65_535) as f32
}

/// A factor between the inverse of the greatest and the greatest, even on a logarithmic scale.
fn draw_factor(greatest: f64, random: &mut Random) -> f64 {
    let end = libm::log(greatest);
    libm::exp(random.between(-end, end))
}

fn draw_stains(recipe: &IntensityRecipe, random: &mut Random) -> ([[f32; 3]; 3], [f32; 3]) {
    let mut mixture = [[0.0; 3]; 3];
    for (channel, parts) in mixture.iter_mut().enumerate() {
        let own = draw_factor(recipe.stain_scale, random);
        for (other, part) in parts.iter_mut().enumerate() {
            let mixed = random.between(-recipe.stain_mix, recipe.stain_mix);
            *part = if other == channel { own } else { mixed } as f32;
        }
    }
    let shift = |_| random.between(-recipe.stain_shift, recipe.stain_shift) as f32;
    (mixture, [0; 3].map(shift))
}

/// `value ^ gamma` from 0 to 1, and on from there in a straight line.
fn gamma_curve(gamma: f64) -> Vec<f32> {
    let step = f64::from(CURVE_END) / CURVE_STEPS as f64;
    let bent = |place: usize| {
        let value = place as f64 * step;
        let bent = if value < 1.0 { libm::pow(value, gamma) } else { 1.0 + gamma * (value - 1.0) };
        bent as f32
    };
    (0..=CURVE_STEPS).map(bent).collect()
}

/// The curve at a value; what lies below 0 is left alone.
fn apply_curve(curve: &[f32], value: f32) -> f32 {
    if value <= 0.0 {
        return value;
    }
    let at = (value * (CURVE_STEPS as f32 / CURVE_END)).min(CURVE_STEPS as f32);
    let place = (at as usize).min(CURVE_STEPS - 1);
    curve[place] + (curve[place + 1] - curve[place]) * (at - place as f32)
}

/// Multiplies by light that is given at a few points of the crop; between them linear.
fn shade(values: &mut [f32], edge: usize, channels: usize, lights: &[f32]) {
    let cell = (LIGHTS - 1) as f32 / edge as f32;
    for (i, row) in values.chunks_exact_mut(edge * channels).enumerate() {
        let (y, down) = ((i as f32 * cell) as usize, (i as f32 * cell).fract());
        let between = |x: usize| {
            let (above, below) = (lights[y * LIGHTS + x], lights[(y + 1) * LIGHTS + x]);
            above + (below - above) * down
        };
        let of_row: [f32; LIGHTS] = std::array::from_fn(between);
        for (j, pixel) in row.chunks_exact_mut(channels).enumerate() {
            let (x, right) = ((j as f32 * cell) as usize, (j as f32 * cell).fract());
            let light = of_row[x] + (of_row[x + 1] - of_row[x]) * right;
            pixel.iter_mut().for_each(|value| *value *= light);
        }
    }
}

/// Gaussian blur, cut off at three standard deviations; edge pixels go on beyond the border.
fn blur(values: &mut [f32], edge: usize, channels: usize, sigma_px: f64) {
    let reach = (3.0 * sigma_px).ceil() as usize;
    let bell = |offset: usize| libm::exp(-0.5 * (offset as f64 / sigma_px).powi(2));
    let total = bell(0) + 2.0 * (1..=reach).map(bell).sum::<f64>();
    let weights: Vec<f32> = (0..=reach).map(|offset| (bell(offset) / total) as f32).collect();
    let mut across = vec![0.0; values.len()];
    let length = edge * channels;
    let mut padded = Vec::new();
    for (to, from) in across.chunks_exact_mut(length).zip(values.chunks_exact(length)) {
        padded.clear();
        (0..reach).for_each(|_| padded.extend_from_slice(&from[..channels]));
        padded.extend_from_slice(from);
        (0..reach).for_each(|_| padded.extend_from_slice(&from[length - channels..]));
        add_scaled(to, &padded[reach * channels..], weights[0]);
        for (offset, weight) in weights.iter().enumerate().skip(1) {
            add_scaled(to, &padded[(reach - offset) * channels..], *weight);
            add_scaled(to, &padded[(reach + offset) * channels..], *weight);
        }
    }
    let row = |i: isize| {
        let i = i.clamp(0, edge as isize - 1) as usize;
        &across[i * length..][..length]
    };
    for (i, to) in values.chunks_exact_mut(length).enumerate() {
        to.fill(0.0);
        for (offset, weight) in weights.iter().enumerate() {
            let offset = offset as isize;
            add_scaled(to, row(i as isize - offset), *weight);
            if offset > 0 {
                add_scaled(to, row(i as isize + offset), *weight);
            }
        }
    }
}

fn add_scaled(to: &mut [f32], from: &[f32], weight: f32) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += weight * from);
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIP: [f32; 2] = [-0.5, 2.0];

    fn ramp(edge: usize, channels: usize) -> Vec<f32> {
        (0..edge * edge * channels).map(|at| at as f32 / (edge * edge * channels) as f32).collect()
    }

    #[test]
    fn no_change_leaves_values_as_they_are() {
        for channels in [1, 3] {
            let mut values = ramp(16, channels);
            let relight = Relight::draw(&IntensityRecipe::NONE, true, &mut Random::new(1, 1));
            relight.apply(&mut values, 16, channels, CLIP);
            for (value, before) in values.iter().zip(ramp(16, channels)) {
                assert!((value - before).abs() < 1e-6, "{value} {before}");
            }
        }
    }

    #[test]
    fn brighter_stays_brighter() {
        let recipe = IntensityRecipe {
            noise_chance: 0.0,
            blur_chance: 0.0,
            shading_chance: 0.0,
            ..IntensityRecipe::default()
        };
        for seed in 0..50 {
            let mut values = ramp(16, 1);
            let relight = Relight::draw(&recipe, false, &mut Random::new(seed, 1));
            relight.apply(&mut values, 16, 1, CLIP);
            assert!(values.windows(2).all(|pair| pair[0] <= pair[1]), "seed {seed}");
        }
    }

    #[test]
    fn the_curve_is_a_power_up_to_one() {
        let curve = gamma_curve(2.0);
        for value in [0.1_f32, 0.33, 0.5, 0.9] {
            assert!((apply_curve(&curve, value) - value * value).abs() < 1e-4);
        }
        assert_eq!(apply_curve(&curve, -0.3), -0.3);
        assert!((apply_curve(&curve, 1.5) - 2.0).abs() < 1e-5);
    }

    #[test]
    fn blur_keeps_the_sum_of_a_point_and_spreads_it_by_its_deviation() {
        for channels in [1, 3] {
            let edge = 33;
            let mut values = vec![0.0; edge * edge * channels];
            values[(16 * edge + 16) * channels] = 1.0;
            blur(&mut values, edge, channels, 1.5);
            let at = |place: usize| values[place * channels];
            let sum: f32 = (0..edge * edge).map(at).sum();
            let spread: f32 = (0..edge * edge)
                .map(|place| at(place) * ((place % edge) as f32 - 16.0).powi(2))
                .sum();
            assert!((sum - 1.0).abs() < 1e-5, "{sum}");
            assert!((spread.sqrt() - 1.5).abs() < 0.03, "{spread}");
            assert!((1..channels).all(|channel| {
                values[channel..].iter().step_by(channels).all(|value| *value == 0.0)
            }));
        }
    }

    #[test]
    fn noise_has_its_deviation() {
        let mut random = Random::new(3, 0);
        let draws: Vec<f64> = (0..20_000)
            .map(|_| f64::from(draw_nearly_normal(&mut random) * ROOT_OF_THREE / 65_536.0))
            .collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|draw| draw * draw).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }

    #[test]
    fn stains_mix_linearly() {
        let (mixture, shifts) = draw_stains(&IntensityRecipe::default(), &mut Random::new(2, 0));
        let relight = Relight {
            mixture: Some(mixture),
            shifts,
            ..Relight::draw(&IntensityRecipe::NONE, false, &mut Random::new(1, 1))
        };
        let mut values = vec![0.2, 0.5, 0.7];
        relight.apply(&mut values, 1, 3, CLIP);
        for (channel, value) in values.iter().enumerate() {
            let parts = mixture[channel];
            let expected = 0.2 * parts[0] + 0.5 * parts[1] + 0.7 * parts[2] + shifts[channel];
            assert!((value - expected).abs() < 1e-3, "{value} {expected}");
        }
    }
}
