//! Brightfield: stains that absorb white light, by Beer and Lambert's law.
//!
//! Each stain is a map of optical density; red, green and blue follow from the stains' vectors, the
//! glass and the light.

use super::layout::Layout;
use super::nucleus::Nucleus;
use super::optics::{Camera, Light, blur};
use super::purpose;
use super::subject::{Intensity, Phantom};
use crate::dataset::random::{Random, smooth};
use cellgate_core::raster::{Image, Labels, Raster};

/// Optical density of red, green and blue for one unit of hematoxylin, eosin and DAB.
///
/// # Sources
/// Ruifrok, Johnston 2001, Quantification of histochemical staining by color deconvolution; the
/// rounded vectors that QuPath starts from.
pub(super) const HEMATOXYLIN: [f64; 3] = [0.65, 0.70, 0.29];
pub(super) const EOSIN: [f64; 3] = [0.22, 0.80, 0.56];
pub(super) const DAB: [f64; 3] = [0.27, 0.57, 0.78];

/// Red, green and blue of clear glass, as a fraction of the camera's largest value.
pub(super) const GLASS: [f64; 3] = [0.975, 0.97, 0.975];

/// Blur of the objective, in pixels.
const FOCUS_SIGMA_PX: f64 = 0.8;

/// Blur of nuclei far from the focus, in pixels.
const HAZE_SIGMA_PX: f64 = 4.0;

/// Optical densities of the stains, one map each.
struct Stained {
    hematoxylin: Raster<f64>,
    eosin: Raster<f64>,
    dab: Raster<f64>,
}

/// Draws a section stained with hematoxylin and eosin.
pub(super) fn draw_he(phantom: &Phantom, layout: &Layout) -> Image {
    let (width, height) = (phantom.width, phantom.height);
    let mut random = phantom.random(purpose::STAIN);
    let mut stained = tissue(phantom, &mut random, (0.02, 0.05), (0.08, 0.36));
    let noise = phantom.noise(purpose::CHROMATIN);
    for nucleus in &layout.nuclei {
        let amount = random.between(0.55, 0.95);
        stain(&mut stained.hematoxylin, nucleus, 0.35, |x, y| {
            amount * nucleus.density(x, y, noise)
        });
        stain(&mut stained.eosin, nucleus, 0.5, |_, _| 0.05);
    }
    add_specks(&mut stained.eosin, &mut random, 5, 3.0);
    let light = Light::random(&mut random, width, height, 0.05);
    expose(phantom, &stained, &light)
}

/// Draws a section stained with hematoxylin, and with DAB where nuclei are positive; gives the mean
/// optical density of DAB in each nucleus, too.
pub(super) fn draw_hdab(
    phantom: &Phantom,
    layout: &Layout,
    intensities: &[Intensity],
) -> (Image, Vec<f64>) {
    let (width, height) = (phantom.width, phantom.height);
    let mut random = phantom.random(purpose::STAIN);
    let mut stained = tissue(phantom, &mut random, (0.03, 0.09), (0.0, 0.0));
    let noise = phantom.noise(purpose::CHROMATIN);
    let dab_targets: Vec<f64> = intensities
        .iter()
        .map(|intensity| {
            let (low, high) = intensity.dab_od_range();
            random.between(low, high)
        })
        .collect();
    for ((nucleus, intensity), dab) in layout.nuclei.iter().zip(intensities).zip(&dab_targets) {
        // DAB hides the counterstain in part: little of it is added to positive nuclei.
        let share = if *intensity == Intensity::Negative { 1.0 } else { 0.35 };
        let hematoxylin = share * random.between(0.42, 0.75);
        let grain = |x, y| 1.0 + 0.5 * (noise.at(f64::from(x), f64::from(y), 3.4) - 0.5);
        stain(&mut stained.hematoxylin, nucleus, 0.3, |x, y| {
            hematoxylin * nucleus.density(x, y, noise)
        });
        stain(&mut stained.dab, nucleus, 0.0, |x, y| dab * grain(x, y));
    }
    add_specks(&mut stained.dab, &mut random, 4, 3.0);
    level_dab(&mut stained.dab, layout, &dab_targets);
    let light = Light::random(&mut random, width, height, 0.05);
    let means = means_by_label(&stained.dab, &layout.truth, layout.nuclei.len());
    (expose(phantom, &stained, &light), means)
}

/// Tissue without nuclei: fibers and grains of hematoxylin and eosin from `low` to `high` optical
/// density, a few holes, and nuclei far from the focus.
fn tissue(
    phantom: &Phantom,
    random: &mut Random,
    hematoxylin: (f64, f64),
    eosin: (f64, f64),
) -> Stained {
    let (width, height) = (phantom.width, phantom.height);
    let noise = phantom.noise(purpose::TISSUE);
    let (cos, sin) = random.direction();
    let [waves, fibers, patches, grains] =
        [45.0, 5.0, 38.0, 3.0].map(|cell| noise.with_bumps_of(cell));
    let texture = Raster::from_fn(width, height, |x, y| {
        let (x, y) = (f64::from(x), f64::from(y));
        let (along, across) = (x * cos + y * sin, y * cos - x * sin);
        let wave = 10.0 * waves.at(x, y);
        let fiber = fibers.at(along / 7.0, across + wave);
        0.45 * patches.at(x, y) + 0.4 * fiber + 0.15 * grains.at(x, y)
    });
    let mut holes = Raster::filled(width, height, 0.0);
    for _ in 0..3 {
        let hole = Nucleus::random(random, 0.0);
        let (x, y) =
            (random.between(0.0, f64::from(width)), random.between(0.0, f64::from(height)));
        stain(&mut holes, &hole.at(x, y), 1.0, |_, _| 1.0);
    }
    let mut haze = Raster::filled(width, height, 0.0);
    for _ in 0..5 {
        let nucleus = Nucleus::random(random, 0.0);
        let (x, y) =
            (random.between(0.0, f64::from(width)), random.between(0.0, f64::from(height)));
        let amount = random.between(0.1, 0.22);
        stain(&mut haze, &nucleus.at(x, y), 0.5, |_, _| amount);
    }
    let haze = blur(&haze, HAZE_SIGMA_PX);
    let map = |(low, high): (f64, f64), share_of_haze: f64| {
        Raster::from_fn(width, height, |x, y| {
            let body = low + (high - low) * smooth(1.4 * texture.at(x, y) - 0.2);
            body * (1.0 - 0.9 * holes.at(x, y).min(1.0)) + share_of_haze * haze.at(x, y)
        })
    };
    Stained {
        hematoxylin: map(hematoxylin, 1.0),
        eosin: map(eosin, 0.0),
        dab: Raster::filled(width, height, 0.015),
    }
}

/// Adds a nucleus to a stain's map; `seen_through` is how much of what lies below stays visible.
fn stain(
    od: &mut Raster<f64>,
    nucleus: &Nucleus,
    seen_through: f64,
    amount: impl Fn(u32, u32) -> f64,
) {
    for (x, y) in nucleus.pixels_near(od.width(), od.height()) {
        let coverage = nucleus.coverage(x, y);
        let background = od.at(x, y) * (1.0 - coverage * (1.0 - seen_through));
        od.set(x, y, background + coverage * amount(x, y));
    }
}

/// Blurs the DAB, and scales it inside each nucleus until its mean is the target, so that the
/// truth holds for what is visible.
fn level_dab(dab: &mut Raster<f64>, layout: &Layout, targets: &[f64]) {
    *dab = blur(dab, FOCUS_SIGMA_PX);
    let means = means_by_label(dab, &layout.truth, layout.nuclei.len());
    for (sample, label) in dab.samples_mut().iter_mut().zip(layout.truth.samples()) {
        if let Some(index) = (*label as usize).checked_sub(1) {
            *sample *= targets[index] / means[index].max(1e-6);
        }
    }
}

fn means_by_label(od: &Raster<f64>, truth: &Labels, n_labels: usize) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); n_labels];
    for (sample, label) in od.samples().iter().zip(truth.samples()) {
        if let Some(index) = (*label as usize).checked_sub(1) {
            sums[index].0 += sample;
            sums[index].1 += 1.0;
        }
    }
    sums.into_iter().map(|(sum, n): (f64, f64)| sum / n.max(1.0)).collect()
}

fn add_specks(od: &mut Raster<f64>, random: &mut Random, n_specks: u32, amount: f64) {
    for _ in 0..n_specks {
        let x = random.below(od.width() as usize) as u32;
        let y = random.below(od.height() as usize) as u32;
        od.set(x, y, od.at(x, y) + amount);
        let next_x = (x + 1).min(od.width() - 1);
        od.set(next_x, y, od.at(next_x, y) + 0.5 * amount);
    }
}

/// Lets light through the stains, and records it.
fn expose(phantom: &Phantom, stained: &Stained, light: &Light) -> Image {
    let camera = Camera { full_well: 14_000.0, read_noise: 12.0, offset: 0.0, max_value: 255.0 };
    let mut random = phantom.random(purpose::CAMERA);
    let hematoxylin = blur(&stained.hematoxylin, FOCUS_SIGMA_PX);
    let eosin = blur(&stained.eosin, FOCUS_SIGMA_PX);
    let vectors = [unit_vector(HEMATOXYLIN), unit_vector(EOSIN), unit_vector(DAB)];
    let mut image = Raster::filled(phantom.width, phantom.height, [0_u8; 3]);
    for y in 0..phantom.height {
        for x in 0..phantom.width {
            let amounts = [hematoxylin.at(x, y), eosin.at(x, y), stained.dab.at(x, y)];
            let [red, green] = random.normals();
            let [blue, _] = random.normals();
            let normals = [red, green, blue];
            let color = [0, 1, 2].map(|channel| {
                let od: f64 = amounts
                    .iter()
                    .zip(vectors)
                    .map(|(amount, vector)| amount * vector[channel])
                    .sum();
                let transmitted = GLASS[channel] * light.at(x, y) * libm::exp10(-od);
                camera.record(transmitted, normals[channel]) as u8
            });
            image.set(x, y, color);
        }
    }
    Image::Rgb8(image)
}

/// A vector of length 1 in the same direction.
pub(super) fn unit_vector(vector: [f64; 3]) -> [f64; 3] {
    let length = vector.iter().map(|part| part * part).sum::<f64>().sqrt();
    vector.map(|part| part / length)
}
