//! Tests of phantoms: exact truth, and the same bytes everywhere.

use super::brightfield::{DAB, EOSIN, GLASS, HEMATOXYLIN, unit_vector};
use super::*;
use crate::dataset::label_components;

const MODALITIES: [Modality; 3] = [Modality::Fluorescence, Modality::He, Modality::IhcHdab];

fn small_phantom(modality: Modality, seed: u64) -> Phantom {
    Phantom { width: 160, height: 128, n_nuclei: 18, ..Phantom::new(modality, seed) }
}

#[test]
fn every_nucleus_is_present_as_one_connected_piece() {
    for modality in MODALITIES {
        for seed in 0..4 {
            let drawing = small_phantom(modality, seed).draw();
            assert!(drawing.nuclei.len() >= 12, "{modality:?} {seed}");
            for label in 1..=drawing.nuclei.len() as u32 {
                let mask = drawing.truth.map(|other| other == label);
                let n_parts = label_components(&mask).samples().iter().copied().max();
                assert_eq!(n_parts, Some(1), "{modality:?} {seed} {label}");
            }
            let highest = drawing.truth.samples().iter().copied().max();
            assert_eq!(highest, Some(drawing.nuclei.len() as u32));
        }
    }
}

#[test]
fn the_same_phantom_is_drawn_twice_and_another_seed_draws_another() {
    for modality in MODALITIES {
        let drawing = small_phantom(modality, 5).draw();
        assert_eq!(small_phantom(modality, 5).draw(), drawing);
        assert_ne!(small_phantom(modality, 6).draw().truth, drawing.truth);
    }
}

#[track_caller]
fn check_digest(modality: Modality, image: &str, truth: &str) {
    let drawing = Phantom::new(modality, 1).draw();
    let found =
        (digest_of_samples(&drawing.image).short(), digest_of_labels(&drawing.truth).short());
    assert_eq!(found, (image.to_owned(), truth.to_owned()));
}

/// These move only with a change of phantoms, which moves every engine fingerprint.
#[test]
fn pixels_are_the_same_on_every_machine() {
    check_digest(Modality::Fluorescence, "d4aefccf69ce", "47f094e7a42d");
    check_digest(Modality::He, "a4f6127724eb", "a30698501496");
    check_digest(Modality::IhcHdab, "7909aa5031e6", "b73ee4645cf3");
}

#[test]
fn nuclei_are_told_from_background_by_brightness() {
    for modality in MODALITIES {
        let drawing = small_phantom(modality, 2).draw();
        let brightness = |at: usize| match &drawing.image {
            Image::Gray8(raster) => f64::from(raster.samples()[at]),
            Image::Gray16(raster) => f64::from(raster.samples()[at]),
            Image::Rgb8(raster) => raster.samples()[at].iter().map(|c| f64::from(*c)).sum(),
            Image::Rgb16(_) => 0.0,
        };
        let mean = |inside: bool| {
            let is_selected = |at: &usize| (drawing.truth.samples()[*at] != 0) == inside;
            let values: Vec<f64> =
                (0..drawing.truth.n_px()).filter(is_selected).map(brightness).collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        let (nuclei, background) = (mean(true), mean(false));
        let (bright, dark) =
            if modality.is_brightfield() { (background, nuclei) } else { (nuclei, background) };
        assert!(bright > 1.4 * dark, "{modality:?}: {bright} {dark}");
    }
}

/// Optical density of DAB in a pixel, from the three stains' vectors.
fn dab_od([red, green, blue]: [u8; 3]) -> f64 {
    let od = [red, green, blue].map(f64::from).map(|value| -libm::log10(value.max(1.0) / 255.0));
    let od = [0, 1, 2].map(|channel| od[channel] + libm::log10(GLASS[channel]));
    let [hematoxylin, dab] = [HEMATOXYLIN, DAB].map(unit_vector);
    let cross = |a: [f64; 3], b: [f64; 3]| {
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    };
    let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let residual = unit_vector(cross(hematoxylin, dab));
    let normal = cross(residual, hematoxylin);
    dot(od, normal) / dot(dab, normal)
}

#[test]
fn truth_agrees_with_the_dab_that_the_picture_shows() {
    for seed in 0..3 {
        let drawing = small_phantom(Modality::IhcHdab, seed).draw();
        let Image::Rgb8(picture) = &drawing.image else { panic!("brightfield is color") };
        let mut seen = [false; 4];
        for (index, nucleus) in drawing.nuclei.iter().enumerate() {
            let is_own = |at: &usize| drawing.truth.samples()[*at] == index as u32 + 1;
            let densities: Vec<f64> = (0..picture.n_px())
                .filter(is_own)
                .map(|at| dab_od(picture.samples()[at]))
                .collect();
            let measured = densities.iter().sum::<f64>() / densities.len() as f64;
            assert!(
                (measured - nucleus.dab_od_mean).abs() < 0.06,
                "{seed} {index}: {measured} {nucleus:?}"
            );
            let class = [0.2, 0.4, 0.6].iter().filter(|threshold| measured >= **threshold).count();
            assert_eq!(class, nucleus.intensity as usize, "{seed} {index}: {measured} {nucleus:?}");
            seen[class] = true;
        }
        assert_eq!(seen, [true; 4]);
    }
}

#[test]
fn positive_fraction_is_kept_as_near_as_whole_nuclei_allow() {
    for (fraction, expected) in [(0.0, 0), (0.5, 9), (1.0, 18)] {
        let phantom =
            Phantom { positive_fraction: fraction, ..small_phantom(Modality::IhcHdab, 1) };
        let intensities = phantom.intensities(18);
        let n_positive = intensities.iter().filter(|i| **i != Intensity::Negative).count();
        assert_eq!(n_positive, expected);
    }
}

#[test]
fn stains_are_told_apart_by_their_vectors() {
    let vectors = [HEMATOXYLIN, EOSIN, DAB].map(unit_vector);
    for (first, second) in [(0, 1), (0, 2), (1, 2)] {
        let cosine: f64 = vectors[first].iter().zip(vectors[second]).map(|(a, b)| a * b).sum();
        assert!(cosine < 0.97, "{first} {second}: {cosine}");
    }
}

#[test]
fn odd_specs_are_drawn_without_fuss() {
    for modality in MODALITIES {
        let phantom = Phantom {
            width: 0,
            height: 33,
            n_nuclei: 60,
            positive_fraction: 7.0,
            ..Phantom::new(modality, 1)
        };
        let drawing = phantom.draw();
        assert_eq!((drawing.image.width(), drawing.image.height()), (Phantom::MIN_SIDE_PX, 33));
        let empty = Phantom { n_nuclei: 0, ..phantom }.draw();
        assert!(empty.nuclei.is_empty() && empty.truth.samples().iter().all(|label| *label == 0));
    }
}
