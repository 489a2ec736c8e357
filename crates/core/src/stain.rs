//! Stain: from the color of a pixel to optical density and to amounts of stain.
//!
//! Optical density follows QuPath: `max(0, -log10(max(v, 1) / white))` for red, green and blue,
//! with `v` and `white` on the scale of 0 to 255. Amounts of stain solve `od = amounts * vectors`
//! with normalized vectors and their cross product as the third (Ruifrok and Johnston 2001);
//! negative amounts are kept. scikit-image's `rgb2hed` uses another unit, see ARCHITECTURE.

use crate::profile::{Channel, Stains};

/// Weights of red, green and blue in brightness, in ten-thousandths.
///
/// # Sources
/// ITU-R BT.709 as scikit-image's `rgb2gray` rounds it.
pub const GRAY_WEIGHTS: [u32; 3] = [2125, 7154, 721];

/// Optical densities of every sample value of red, green and blue.
#[derive(Debug, Clone)]
pub struct DensityTables {
    tables: [Vec<f64>; 3],
}

impl DensityTables {
    /// Tabulates optical density for samples from 0 to `max_value`.
    ///
    /// # Units
    /// `background`: brightness of clear glass on the scale of 0 to 255.
    #[must_use]
    pub fn new(background: [f64; 3], max_value: u16) -> Self {
        let scale = 255.0 / f64::from(max_value);
        let density = |value: u16, white: f64| {
            let bright = (f64::from(value) * scale).max(1.0);
            (-libm::log10(bright / white)).max(0.0)
        };
        let table = |white| (0..=max_value).map(|value| density(value, white)).collect();
        Self { tables: background.map(table) }
    }

    /// The optical densities of one pixel.
    #[must_use]
    pub fn densities(&self, rgb: [usize; 3]) -> [f64; 3] {
        [self.tables[0][rgb[0]], self.tables[1][rgb[1]], self.tables[2][rgb[2]]]
    }

    /// The table of one color: 0 red, 1 green, 2 blue.
    #[must_use]
    pub fn table(&self, color: usize) -> &[f64] {
        &self.tables[color]
    }
}

/// Mixture of optical densities that makes a brightfield channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mixture {
    /// Weighted sum of the optical densities of red, green and blue.
    Linear([f64; 3]),
    /// Sum of two stains, each a weighted sum, with negatives counted as 0.
    PositiveParts([f64; 3], [f64; 3]),
}

impl Mixture {
    /// Mixture that makes a channel; `None` for [`Channel::Gray`] and for stains that are not
    /// defined or too parallel to be told apart.
    #[must_use]
    pub fn of_channel(channel: Channel, stains: &Stains) -> Option<Self> {
        let amounts = || unmix(stains.hematoxylin, stains.dab.or(stains.eosin)?);
        Some(match channel {
            Channel::Gray => return None,
            Channel::HematoxylinOd => Self::Linear(amounts()?[0]),
            Channel::DabOd => stains.dab.and(amounts()).map(|stain| Self::Linear(stain[1]))?,
            Channel::EosinOd => stains.eosin.and(amounts()).map(|stain| Self::Linear(stain[1]))?,
            Channel::StainSum => amounts().map(|[one, two]| Self::PositiveParts(one, two))?,
            Channel::OdSum => Self::Linear([1.0, 1.0, 1.0]),
            Channel::OdRed => Self::Linear([1.0, 0.0, 0.0]),
            Channel::OdGreen => Self::Linear([0.0, 1.0, 0.0]),
            Channel::OdBlue => Self::Linear([0.0, 0.0, 1.0]),
        })
    }

    /// The channel's value for the optical densities of one pixel.
    #[must_use]
    pub fn value(self, density: [f64; 3]) -> f64 {
        match self {
            Self::Linear(weights) => dot(weights, density),
            Self::PositiveParts(one, two) => {
                dot(one, density).max(0.0) + dot(two, density).max(0.0)
            }
        }
    }
}

/// Weights of red, green and blue optical density in the amounts of two stains.
///
/// # Edge cases
/// `None` when a vector is zero or the two are parallel.
#[must_use]
pub fn unmix(first: [f64; 3], second: [f64; 3]) -> Option<[[f64; 3]; 2]> {
    let (one, two) = (normalize(first)?, normalize(second)?);
    let third = normalize(cross(one, two))?;
    // Rows of the inverse's transpose are cross products over the determinant.
    let determinant = dot(one, cross(two, third));
    let weights = |vector: [f64; 3]| vector.map(|part| part / determinant);
    Some([weights(cross(two, third)), weights(cross(third, one))])
}

fn normalize(vector: [f64; 3]) -> Option<[f64; 3]> {
    let length = dot(vector, vector).sqrt();
    (length > 1e-6).then(|| vector.map(|part| part / length))
}

fn dot(one: [f64; 3], two: [f64; 3]) -> f64 {
    one[0] * two[0] + one[1] * two[1] + one[2] * two[2]
}

fn cross(one: [f64; 3], two: [f64; 3]) -> [f64; 3] {
    [
        one[1] * two[2] - one[2] * two[1],
        one[2] * two[0] - one[0] * two[2],
        one[0] * two[1] - one[1] * two[0],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEMATOXYLIN: [f64; 3] = [0.65, 0.70, 0.29];
    const DAB: [f64; 3] = [0.27, 0.57, 0.78];

    #[test]
    fn amounts_are_recovered_from_a_mixture() {
        let [hematoxylin, dab] = unmix(HEMATOXYLIN, DAB).unwrap();
        let (one, two) = (normalize(HEMATOXYLIN).unwrap(), normalize(DAB).unwrap());
        let density = [0, 1, 2].map(|color| 0.4 * one[color] + 0.7 * two[color]);
        assert!((dot(hematoxylin, density) - 0.4).abs() < 1e-12);
        assert!((dot(dab, density) - 0.7).abs() < 1e-12);
    }

    #[test]
    fn density_is_zero_for_clear_glass_and_bounded_for_black() {
        let tables = DensityTables::new([255.0; 3], 255);
        assert_eq!(tables.densities([255, 255, 255]), [0.0; 3]);
        assert_eq!(tables.densities([0, 1, 255])[0], tables.densities([0, 1, 255])[1]);
        assert!((tables.densities([0, 0, 0])[0] - 2.406_540_180_433_955).abs() < 1e-12);
    }

    #[test]
    fn sixteen_bits_agree_with_eight() {
        let (eight, sixteen) =
            (DensityTables::new([240.0; 3], 255), DensityTables::new([240.0; 3], 65535));
        for value in 0..=255 {
            let (one, two) =
                (eight.densities([value; 3])[0], sixteen.densities([value * 257; 3])[0]);
            assert!((one - two).abs() < 1e-12, "{value}: {one} {two}");
        }
    }

    #[test]
    fn parallel_stains_cannot_be_told_apart() {
        assert_eq!(unmix(HEMATOXYLIN, HEMATOXYLIN.map(|part| 2.0 * part)), None);
        assert_eq!(unmix(HEMATOXYLIN, [0.0; 3]), None);
    }
}
