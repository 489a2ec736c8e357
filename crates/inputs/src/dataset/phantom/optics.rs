//! Optics and camera of a phantom: blur, uneven light and noise.

use crate::dataset::random::Random;
use cellgate_core::raster::Raster;

/// Blurs with a Gaussian of `sigma` pixels; the image continues its border's values outside.
pub(super) fn blur(raster: &Raster<f64>, sigma: f64) -> Raster<f64> {
    let reach = (3.0 * sigma).ceil() as i64;
    let weights: Vec<f64> =
        (-reach..=reach).map(|at| libm::exp(-((at * at) as f64) / (2.0 * sigma * sigma))).collect();
    let total: f64 = weights.iter().sum();
    let (width, height) = (raster.width(), raster.height());
    let clamp = |at: i64, end: u32| at.clamp(0, i64::from(end) - 1) as u32;
    // Each pixel's sum has the order of the weights, however many pixels are summed at once.
    let add = |sums: &mut [f64], weight: f64, samples: &[f64]| {
        sums.iter_mut().zip(samples).for_each(|(sum, sample)| *sum += weight * sample);
    };
    let mut rows = Raster::filled(width, height, -0.0);
    let mut padded_row = vec![0.0; width as usize + 2 * reach as usize];
    for y in 0..height {
        let row = raster.row(y);
        for (sample, at) in padded_row.iter_mut().zip(-reach..) {
            *sample = row[clamp(at, width) as usize];
        }
        let sums = rows.row_mut(y);
        weights
            .iter()
            .zip(0..)
            .for_each(|(weight, first)| add(sums, *weight, &padded_row[first..]));
        sums.iter_mut().for_each(|sum| *sum /= total);
    }
    let mut blurred = Raster::filled(width, height, -0.0);
    for y in 0..height {
        let sums = blurred.row_mut(y);
        for (weight, offset) in weights.iter().zip(-reach..) {
            add(sums, *weight, rows.row(clamp(i64::from(y) + offset, height)));
        }
        sums.iter_mut().for_each(|sum| *sum /= total);
    }
    blurred
}

/// Light that is strongest near the middle and falls off to one side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Light {
    falloff: f64,
    tilt: (f64, f64),
    width: f64,
    height: f64,
}

impl Light {
    pub(super) fn random(random: &mut Random, width: u32, height: u32, strength: f64) -> Self {
        let (right, down) = random.direction();
        let tilt = strength * random.between(0.2, 0.6);
        Self {
            falloff: strength * random.between(0.4, 1.0),
            tilt: (right * tilt, down * tilt),
            width: f64::from(width),
            height: f64::from(height),
        }
    }

    /// The light at a pixel, about 1.
    pub(super) fn at(&self, x: u32, y: u32) -> f64 {
        let (right, down) = (f64::from(x) / self.width - 0.5, f64::from(y) / self.height - 0.5);
        1.0 - self.falloff * (right * right + down * down)
            + self.tilt.0 * right
            + self.tilt.1 * down
    }
}

/// A camera that counts photons.
#[derive(Debug, Clone, Copy)]
pub(super) struct Camera {
    /// Electrons that give the largest value.
    pub(super) full_well: f64,
    /// Noise of reading out, in electrons.
    pub(super) read_noise: f64,
    /// Value without any light.
    pub(super) offset: f64,
    /// Largest value.
    pub(super) max_value: f64,
}

impl Camera {
    /// The value that a brightness of 0 to 1 is recorded as, with the noise `normal` (of mean 0 and
    /// standard deviation 1).
    pub(super) fn record(&self, brightness: f64, normal: f64) -> f64 {
        let electrons = brightness.max(0.0) * self.full_well;
        let noise = (electrons + self.read_noise * self.read_noise).sqrt() * normal;
        let value =
            self.offset + (electrons + noise) / self.full_well * (self.max_value - self.offset);
        value.round().clamp(0.0, self.max_value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blur_keeps_constants_and_spreads_a_point() {
        let flat = Raster::filled(9, 7, 3.0);
        assert!(blur(&flat, 1.5).samples().iter().all(|sample| (sample - 3.0).abs() < 1e-12));
        let mut point = Raster::filled(31, 31, 0.0);
        point.set(15, 15, 1.0);
        let spread = blur(&point, 2.0);
        assert!((spread.samples().iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let peak = 1.0 / (2.0 * std::f64::consts::PI * 4.0);
        assert!((spread.at(15, 15) - peak).abs() < 0.001);
    }

    #[test]
    fn camera_is_linear_and_clips() {
        let camera = Camera { full_well: 1000.0, read_noise: 5.0, offset: 10.0, max_value: 255.0 };
        assert_eq!(camera.record(0.0, 0.0), 10.0);
        assert_eq!(camera.record(1.0, 0.0), 255.0);
        assert_eq!(camera.record(2.0, 0.0), 255.0);
        assert_eq!(camera.record(0.0, -100.0), 0.0);
    }
}
