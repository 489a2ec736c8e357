//! Eosin: a crop of stained tissue with more of what is red in it than its image has.
//!
//! Blood, muscle and collagen take eosin, are often darker than nuclei, and are not nuclei; images
//! that happen to have none of them do not teach that. The stain is added as optical densities add
//! up, in smooth pale ground and in dense patches with clear borders, and spares the nuclei.

use super::recipe::IntensityRecipe;
use cellgate_inputs::dataset::random::{Bumps, Noise, Random};

/// Greatest density of the pale ground, where a bright nucleus has 1.
const PALE: f64 = 0.4;

/// Probability that there are dense patches on the pale ground.
const DENSE_CHANCE: f64 = 0.7;

/// Least density of a dense patch.
const LEAST_DENSE: f64 = 0.3;

/// The depth from which on a nucleus counts as its middle: drawn outlines are rough, and a step
/// along them would be learned for a nucleus's border.
const MIDDLE: f32 = 0.4;

/// Eosin to be added to a crop.
#[derive(Debug, Clone)]
pub(super) struct Eosin {
    /// Density of red, green and blue where there is 1 of it.
    color: [f32; 3],
    /// Part of it that the middle of a nucleus takes.
    in_nuclei: f32,
    pale: f64,
    dense: Option<Dense>,
    ground: Bumps,
    grain: Bumps,
    graininess: f64,
    /// Divisor of all densities: an image is scaled by its darkest parts, eosin included.
    divisor: f32,
}

/// Dense patches: where smooth noise is above a limit.
#[derive(Debug, Clone)]
struct Dense {
    density: f64,
    patches: Bumps,
    limit: f64,
    /// How far above the limit the density is whole.
    border: f64,
    /// Directions along and across fibers, the second squeezed.
    along: [f64; 2],
    across: [f64; 2],
}

impl Eosin {
    /// Draws what is added; `None` for the crops that the recipe spares.
    ///
    /// # Sources
    /// The color lies about those of Ruifrok and Johnston 2001, PMID 11531144 (.07, .99, .11), and of
    /// QuPath 0.5 (.22, .80, .56).
    pub(super) fn draw(recipe: &IntensityRecipe, random: &mut Random) -> Option<Self> {
        if !(random.chance(recipe.eosin_chance) && 0.0 < recipe.eosin) {
            return None;
        }
        let color = [(0.0, 0.25), (1.0, 1.0), (0.1, 0.7)]
            .map(|(least, most)| random.between(least, most) as f32);
        let in_nuclei = random.between(0.3, 1.0) as f32;
        let pale = random.between(0.0, PALE.min(recipe.eosin));
        let seed = random.bits();
        let ground = Noise::new(seed, 0).with_bumps_of(random.between(30.0, 120.0));
        let grain = Noise::new(seed, 1).with_bumps_of(random.between(2.5, 7.0));
        let graininess = random.between(0.0, 0.5);
        let dense = random.chance(DENSE_CHANCE).then(|| Dense::draw(recipe, seed, random));
        let darkest = dense.as_ref().map_or(0.0, |dense| dense.density * random.between(0.6, 1.0));
        let divisor = darkest.max(1.0) as f32;
        Some(Self { color, in_nuclei, pale, dense, ground, grain, graininess, divisor })
    }

    /// Adds it in place.
    ///
    /// # Shapes
    /// `values` is `[edge][edge][3]`; `depths`, `[edge][edge]`, is 0 outside nuclei and 1 deepest in
    /// them.
    pub(super) fn apply(&self, values: &mut [f32], depths: &[f32], edge: usize) {
        let pixels = values.as_chunks_mut::<3>().0.iter_mut().zip(depths);
        for (place, (pixel, depth)) in pixels.enumerate() {
            let (column, row) = (place % edge, place / edge);
            let spared = (1.0 - self.in_nuclei) * (depth / MIDDLE).min(1.0);
            let density = self.density(column as f64, row as f64) as f32 * (1.0 - spared);
            for (value, part) in pixel.iter_mut().zip(self.color) {
                *value = (*value + part * density) / self.divisor;
            }
        }
    }

    fn density(&self, x: f64, y: f64) -> f64 {
        let pale = self.pale * (0.5 + 0.5 * self.ground.at(x, y));
        let dense = self.dense.as_ref().map_or(0.0, |dense| dense.density_at(x, y));
        (pale + dense) * (1.0 + self.graininess * (self.grain.at(x, y) - 0.5))
    }
}

impl Dense {
    fn draw(recipe: &IntensityRecipe, seed: u64, random: &mut Random) -> Self {
        let density = random.between(LEAST_DENSE.min(recipe.eosin), recipe.eosin);
        let size_px = libm::exp(random.between(libm::log(16.0), libm::log(128.0)));
        let patches = Noise::new(seed, 2).with_bumps_of(size_px);
        let (limit, border) = (random.between(0.35, 0.7), random.between(0.02, 0.2));
        let (cos, sin) = random.direction();
        let squeeze = libm::exp(random.between(0.0, libm::log(4.0)));
        let across = [-sin * squeeze, cos * squeeze];
        Self { density, patches, limit, border, along: [cos, sin], across }
    }

    fn density_at(&self, x: f64, y: f64) -> f64 {
        let project = |[dx, dy]: [f64; 2]| dx * x + dy * y;
        let above = self.patches.at(project(self.along), project(self.across)) - self.limit;
        self.density * (above / self.border).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGE: usize = 64;

    fn recipe() -> IntensityRecipe {
        IntensityRecipe { eosin_chance: 1.0, ..IntensityRecipe::default() }
    }

    fn draw_eosin(seed: u64) -> Eosin {
        Eosin::draw(&recipe(), &mut Random::new(seed, 0)).unwrap()
    }

    #[test]
    fn none_is_drawn_without_a_chance_or_an_amount() {
        let none = IntensityRecipe { eosin_chance: 0.0, ..recipe() };
        assert!(Eosin::draw(&none, &mut Random::new(1, 0)).is_none());
        let none = IntensityRecipe { eosin: 0.0, ..recipe() };
        assert!(Eosin::draw(&none, &mut Random::new(1, 0)).is_none());
    }

    #[test]
    fn densities_add_up_and_spare_nuclei() {
        for seed in 0..20 {
            let eosin = draw_eosin(seed);
            let before = vec![0.3; EDGE * EDGE * 3];
            let depth = |place: usize| if place % EDGE < EDGE / 2 { 0.7 } else { 0.0 };
            let depths: Vec<f32> = (0..EDGE * EDGE).map(depth).collect();
            let mut values = before.clone();
            eosin.apply(&mut values, &depths, EDGE);
            let mut all = before;
            eosin.apply(&mut all, &[0.0; EDGE * EDGE], EDGE);
            let pixels = values.as_chunks::<3>().0.iter().zip(all.as_chunks::<3>().0);
            for (place, (pixel, bare)) in pixels.enumerate() {
                let added = pixel.map(|value| value * eosin.divisor - 0.3);
                let whole = bare[1] * eosin.divisor - 0.3;
                let part = if place % EDGE < EDGE / 2 { eosin.in_nuclei } else { 1.0 };
                assert!(0.0 <= whole && f64::from(whole) <= (2.0 + PALE) * 1.25, "{whole}");
                for (added, color) in added.into_iter().zip(eosin.color) {
                    assert!((added - part * color * whole).abs() < 1e-5, "seed {seed}");
                }
            }
        }
    }

    #[test]
    fn some_crops_have_dense_patches_that_fill_part_of_them() {
        let parts: Vec<f64> = (0..200)
            .filter_map(|seed| {
                let dense = draw_eosin(seed).dense?;
                let is_dense = |place: usize| {
                    let (x, y) = ((place % EDGE) as f64, (place / EDGE) as f64);
                    dense.density_at(x, y) > 0.5 * dense.density
                };
                let n_dense = (0..EDGE * EDGE).filter(|&place| is_dense(place)).count();
                Some(n_dense as f64 / (EDGE * EDGE) as f64)
            })
            .collect();
        assert!((110..170).contains(&parts.len()), "{}", parts.len());
        let n_partly = parts.iter().filter(|part| (0.02..0.98).contains(*part)).count();
        assert!(n_partly > parts.len() / 2, "{n_partly} of {}", parts.len());
    }
}
