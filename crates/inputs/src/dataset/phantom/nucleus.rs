//! One drawn nucleus: a deformed ellipse with chromatin.

use crate::dataset::random::{Noise, Random, smooth};
use std::ops::Range;

/// Shape and texture of one nucleus; lengths in pixels.
#[derive(Debug, Clone)]
pub(super) struct Nucleus {
    x: f64,
    y: f64,
    semi_major: f64,
    semi_minor: f64,
    cos: f64,
    sin: f64,
    /// Cosine and sine amplitudes of the second and third harmonic of the outline.
    harmonics: [f64; 4],
    chromatin: Chromatin,
    /// Places of the nucleoli, relative to the center.
    nucleoli: Vec<(f64, f64)>,
}

/// How a nucleus's inside looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chromatin {
    /// Even, a little mottled.
    Dense,
    /// Pale inside with a rim and nucleoli.
    Vesicular,
}

/// Largest amplitude of each harmonic; four together leave the outline star-shaped.
const MAX_HARMONIC: f64 = 0.055;

/// Factor by which the outline can exceed the ellipse.
const REACH: f64 = 1.0 + 4.0 * MAX_HARMONIC;

/// Size of the grains of chromatin, in pixels.
const GRAIN_PX: f64 = 2.6;

impl Nucleus {
    /// Draws a nucleus with its center at the origin.
    pub(super) fn random(random: &mut Random, vesicular_fraction: f64) -> Self {
        let semi_minor = random.between(5.5, 8.5);
        let semi_major = semi_minor * random.between(1.05, 1.75);
        let (cos, sin) = random.direction();
        let harmonics = [(); 4].map(|()| random.between(-MAX_HARMONIC, MAX_HARMONIC));
        let vesicular = random.chance(vesicular_fraction);
        let n_nucleoli = 1 + random.below(3);
        let nucleoli = (0..n_nucleoli)
            .map(|_| {
                let (right, down) = random.direction();
                let distance = random.between(0.1, 0.55) * semi_minor;
                (right * distance, down * distance)
            })
            .collect();
        let chromatin = if vesicular { Chromatin::Vesicular } else { Chromatin::Dense };
        Self { x: 0.0, y: 0.0, semi_major, semi_minor, cos, sin, harmonics, chromatin, nucleoli }
    }

    /// The same nucleus with its center elsewhere.
    pub(super) fn at(self, x: f64, y: f64) -> Self {
        Self { x, y, ..self }
    }

    pub(super) fn center(&self) -> (f64, f64) {
        (self.x, self.y)
    }

    /// Radius of the circle of about the same area.
    pub(super) fn radius(&self) -> f64 {
        (self.semi_major * self.semi_minor).sqrt()
    }

    /// Pixels of a `width` by `height` image that can lie in or at the nucleus, row by row.
    pub(super) fn pixels_near(
        &self,
        width: u32,
        height: u32,
    ) -> impl Iterator<Item = (u32, u32)> + use<> {
        let [columns, rows] = self.box_near(width, height);
        rows.flat_map(move |y| columns.clone().map(move |x| (x, y)))
    }

    /// Columns and rows of those pixels.
    pub(super) fn box_near(&self, width: u32, height: u32) -> [Range<u32>; 2] {
        let reach = self.semi_major * REACH + 2.0;
        let range = |center: f64, end: u32| {
            let first = (center - reach).floor().clamp(0.0, f64::from(end)) as u32;
            first..((center + reach).ceil().clamp(0.0, f64::from(end)) as u32)
        };
        [range(self.x, width), range(self.y, height)]
    }

    /// Distance of a pixel from the center, as a fraction of the outline's in that direction:
    /// below 1 inside.
    pub(super) fn depth(&self, x: u32, y: u32) -> f64 {
        let (right, down) = (f64::from(x) - self.x, f64::from(y) - self.y);
        let along = (right * self.cos + down * self.sin) / self.semi_major;
        let across = (down * self.cos - right * self.sin) / self.semi_minor;
        let radius = (along * along + across * across).sqrt();
        if radius < 1e-9 {
            return 0.0;
        }
        let (cos, sin) = (along / radius, across / radius);
        let waves = [
            cos * cos - sin * sin,
            2.0 * cos * sin,
            cos * (4.0 * cos * cos - 3.0),
            sin * (3.0 - 4.0 * sin * sin),
        ];
        let outline = 1.0
            + waves
                .iter()
                .zip(self.harmonics)
                .map(|(wave, amplitude)| wave * amplitude)
                .sum::<f64>();
        radius / outline
    }

    /// How much of a pixel the nucleus covers, 0 to 1.
    pub(super) fn coverage(&self, x: u32, y: u32) -> f64 {
        ((1.0 - self.depth(x, y)) * self.semi_minor + 0.5).clamp(0.0, 1.0)
    }

    /// How dense the chromatin is at a pixel, about 1 on average.
    pub(super) fn density(&self, x: u32, y: u32, noise: Noise) -> f64 {
        let mottle = noise.at(f64::from(x), f64::from(y), GRAIN_PX) - 0.5;
        match self.chromatin {
            Chromatin::Dense => 1.05 + 0.45 * mottle,
            Chromatin::Vesicular => {
                let rim = smooth((self.depth(x, y) - 0.6) / 0.35);
                0.72 + 0.4 * rim + 0.7 * mottle + 0.5 * self.nucleolus(x, y)
            }
        }
    }

    /// How near a pixel is to a nucleolus, 1 at its center.
    pub(super) fn nucleolus(&self, x: u32, y: u32) -> f64 {
        let nearness = |(right, down): &(f64, f64)| {
            let (dx, dy) = (f64::from(x) - self.x - right, f64::from(y) - self.y - down);
            let falloff = 1.0 + (dx * dx + dy * dy) / 3.0;
            1.0 / (falloff * falloff)
        };
        self.nucleoli.iter().map(nearness).fold(0.0, f64::max)
    }
}
