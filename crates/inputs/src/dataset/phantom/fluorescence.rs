//! Fluorescence: bright nuclei on a dark, uneven background.

use super::layout::Layout;
use super::nucleus::Nucleus;
use super::optics::{Camera, Light, blur};
use super::purpose;
use super::subject::{CameraBits, Phantom};
use crate::dataset::random::Noise;
use cellgate_core::raster::{Image, Raster};

/// Blur of the objective, in pixels.
const FOCUS_SIGMA_PX: f64 = 1.1;

/// Blur of nuclei far from the focus, in pixels.
const HAZE_SIGMA_PX: f64 = 6.0;

/// Fraction of its brightness that a nucleus keeps below another one.
const SEEN_THROUGH: f64 = 0.45;

/// Draws the nuclei of a layout.
pub(super) fn draw(phantom: &Phantom, layout: &Layout) -> Image {
    let (width, height) = (phantom.width, phantom.height);
    let mut random = phantom.random(purpose::STAIN);
    let noise = phantom.noise(purpose::CHROMATIN);
    let mut sharp = Raster::filled(width, height, 0.0);
    for nucleus in &layout.nuclei {
        add(&mut sharp, nucleus, random.between(0.3, 0.85), noise);
    }
    for _ in 0..4 {
        let (x, y) =
            (random.between(0.0, f64::from(width)), random.between(0.0, f64::from(height)));
        add_speck(&mut sharp, x, y, random.between(0.2, 0.9));
    }
    let mut haze = Raster::filled(width, height, 0.0);
    for _ in 0..5 {
        let nucleus = Nucleus::random(&mut random, 0.0);
        let (x, y) =
            (random.between(0.0, f64::from(width)), random.between(0.0, f64::from(height)));
        add(&mut haze, &nucleus.at(x, y), random.between(0.1, 0.25), noise);
    }
    let light = Light::random(&mut random, width, height, 0.5);
    let (sharp, haze) = (blur(&sharp, FOCUS_SIGMA_PX), blur(&haze, HAZE_SIGMA_PX));
    let tissue = phantom.noise(purpose::TISSUE).with_bumps_of(70.0);
    let brightness = Raster::from_fn(width, height, |x, y| {
        let glow = 0.035 + 0.03 * tissue.at(f64::from(x), f64::from(y));
        (sharp.at(x, y) + haze.at(x, y) + glow) * light.at(x, y)
    });
    record(phantom, &brightness)
}

fn add(brightness: &mut Raster<f64>, nucleus: &Nucleus, amount: f64, noise: Noise) {
    for (x, y) in nucleus.pixels_near(brightness.width(), brightness.height()) {
        let coverage = nucleus.coverage(x, y);
        // Nucleoli hold little DNA; a nucleus is a flattened ball, thinner at its rim.
        let depth = nucleus.depth(x, y).min(1.0);
        let dome = 0.7 + 0.4 * (1.0 - depth * depth);
        let light =
            amount * dome * nucleus.density(x, y, noise) * (1.0 - 0.45 * nucleus.nucleolus(x, y));
        let below = brightness.at(x, y);
        brightness.set(x, y, below * (1.0 - coverage * (1.0 - SEEN_THROUGH)) + coverage * light);
    }
}

fn add_speck(brightness: &mut Raster<f64>, x: f64, y: f64, amount: f64) {
    let (column, row) = (x as u32, y as u32);
    let old = brightness.at(column, row);
    brightness.set(column, row, old + 4.0 * amount);
}

fn record(phantom: &Phantom, brightness: &Raster<f64>) -> Image {
    let camera = match phantom.camera {
        CameraBits::Eight => {
            Camera { full_well: 2_500.0, read_noise: 8.0, offset: 6.0, max_value: 255.0 }
        }
        CameraBits::Twelve => {
            Camera { full_well: 6_000.0, read_noise: 8.0, offset: 100.0, max_value: 4_095.0 }
        }
    };
    let mut random = phantom.random(purpose::CAMERA);
    let values: Vec<f64> = brightness
        .samples()
        .chunks(2)
        .flat_map(|pair| {
            pair.iter()
                .zip(random.normals())
                .map(|(b, normal)| camera.record(*b, normal))
                .collect::<Vec<_>>()
        })
        .collect();
    let index = |x: u32, y: u32| y as usize * phantom.width as usize + x as usize;
    match phantom.camera {
        CameraBits::Eight => {
            Image::Gray8(Raster::from_fn(phantom.width, phantom.height, |x, y| {
                values[index(x, y)] as u8
            }))
        }
        CameraBits::Twelve => {
            Image::Gray16(Raster::from_fn(phantom.width, phantom.height, |x, y| {
                values[index(x, y)] as u16
            }))
        }
    }
}
