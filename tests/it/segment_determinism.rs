//! Segmentation does not depend on threads or on where in the image a field lies, and its labels
//! are what the contract says: connected, in raster order, within the limits of the profile.

use crate::profiles::{GROUPS, MODALITIES, SPLITS, THRESHOLDS, classical, plain, stains};
use cellgate_core::measure::{Nuclei, Request, channels_of, measure};
use cellgate_core::profile::{Background, Modality, Profile, SplitMethod};
use cellgate_core::raster::{Image, Labels, Raster};
use cellgate_core::segment::segment;
use cellgate_core::units::{Area, Length, PixelSize};
use cellgate_inputs::dataset::phantom::Phantom;
use rayon::ThreadPoolBuilder;

/// Profiles of a modality that together use every method of every stage.
fn profiles_of_every_method(modality: Modality) -> Vec<Profile> {
    let plain = plain(modality);
    let mut profiles = Vec::new();
    for method in THRESHOLDS {
        let mut profile = plain.clone();
        classical(&mut profile).threshold.method = method;
        profiles.push(profile);
    }
    for method in SPLITS {
        let mut profile = plain.clone();
        classical(&mut profile).split.method = method;
        if matches!(method, SplitMethod::Intensity | SplitMethod::Log { .. }) {
            classical(&mut profile).split.h = 0.02;
        }
        profiles.push(profile);
    }
    for background in [
        Background::Opening { radius: Length::Px(15.0) },
        Background::Reconstruction { radius: Length::Px(15.0) },
    ] {
        let mut profile = plain.clone();
        classical(&mut profile).background = background;
        classical(&mut profile).smoothing.median_radius = Length::Px(2.0);
        classical(&mut profile).threshold.log_transform = true;
        profile.morphology.close_radius = Length::Px(2.0);
        profiles.push(profile);
    }
    profiles
}

fn labels_of(image: &Image, profile: &Profile) -> Labels {
    segment(image, profile, None).unwrap()
}

#[test]
fn threads_do_not_change_labels_or_measurements() {
    for modality in MODALITIES {
        let image = Phantom::new(modality, 3).draw().image;
        let stains = stains(modality);
        let of_threads = |n_threads| -> Vec<(Labels, Nuclei)> {
            let pool = ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let one = |profile: &Profile| {
                let labels = labels_of(&image, profile);
                let request = Request {
                    groups: &GROUPS,
                    channels: channels_of(modality),
                    stains: stains.as_ref(),
                    classify: None,
                    pixel_size: None,
                };
                let nuclei = measure(&labels, &image, &request).unwrap();
                (labels, nuclei)
            };
            pool.install(|| profiles_of_every_method(modality).iter().map(one).collect())
        };
        let alone = of_threads(1);
        assert!(alone.iter().all(|(_, nuclei)| nuclei.len() > 5), "{modality:?}");
        for n_threads in [2, 3, 7] {
            assert!(of_threads(n_threads) == alone, "{modality:?}, {n_threads} threads");
        }
    }
}

/// A field in a larger, evenly filled image.
fn pad_image(image: &Image, (left, top): (u32, u32), width: u32, height: u32) -> Image {
    fn pad<T: Copy>(
        raster: &Raster<T>,
        (left, top): (u32, u32),
        width: u32,
        height: u32,
    ) -> Raster<T> {
        let fill = raster.at(0, 0);
        Raster::from_fn(width, height, |x, y| match (x.checked_sub(left), y.checked_sub(top)) {
            (Some(x), Some(y)) if x < raster.width() && y < raster.height() => raster.at(x, y),
            _ => fill,
        })
    }
    match image {
        Image::Gray8(raster) => Image::Gray8(pad(raster, (left, top), width, height)),
        Image::Gray16(raster) => Image::Gray16(pad(raster, (left, top), width, height)),
        Image::Rgb8(raster) => Image::Rgb8(pad(raster, (left, top), width, height)),
        Image::Rgb16(raster) => Image::Rgb16(pad(raster, (left, top), width, height)),
    }
}

#[test]
fn moving_the_field_moves_the_labels() {
    // Twice the widest filter, so that no window reaches the border.
    let (first, second, margin) = ((40, 40), (73, 51), 80);
    for modality in MODALITIES {
        let field = Phantom { width: 128, height: 112, n_nuclei: 12, ..Phantom::new(modality, 5) };
        let image = field.draw().image;
        let (width, height) = (image.width() + margin + 40, image.height() + margin + 40);
        let one = pad_image(&image, first, width, height);
        let two = pad_image(&image, second, width, height);
        for profile in profiles_of_every_method(modality) {
            let (one, two) = (labels_of(&one, &profile), labels_of(&two, &profile));
            let (dx, dy) = (second.0 - first.0, second.1 - first.1);
            let moved = Labels::from_fn(width, height, |x, y| {
                let from = (x.checked_sub(dx), y.checked_sub(dy));
                if let (Some(x), Some(y)) = from { one.at(x, y) } else { 0 }
            });
            assert!(moved == two, "{modality:?}, {profile:?}");
        }
    }
}

/// Fails unless labels are numbered from 1 without gaps in the order of their first pixel, and each
/// is one 4-connected piece.
#[track_caller]
pub(crate) fn check_contract(labels: &Labels) {
    let mut visited = labels.map(|label| label == 0);
    let mut n_found = 0;
    for y in 0..labels.height() {
        for x in 0..labels.width() {
            if visited.at(x, y) {
                continue;
            }
            n_found += 1;
            let label = labels.at(x, y);
            assert_eq!(label, n_found, "a gap, a wrong order, or two pieces at ({x}, {y})");
            let mut open = vec![(x, y)];
            visited.set(x, y, true);
            while let Some((x, y)) = open.pop() {
                let around =
                    [(x.wrapping_sub(1), y), (x + 1, y), (x, y.wrapping_sub(1)), (x, y + 1)];
                for (x, y) in around {
                    let inside = x < labels.width() && y < labels.height();
                    if inside && !visited.at(x, y) && labels.at(x, y) == label {
                        visited.set(x, y, true);
                        open.push((x, y));
                    }
                }
            }
        }
    }
}

/// Areas of the labels in pixels, by label.
fn areas(labels: &Labels) -> Vec<u32> {
    let mut areas = Vec::new();
    for &label in labels.samples().iter().filter(|&&label| label > 0) {
        areas.resize(areas.len().max(label as usize), 0);
        areas[label as usize - 1] += 1;
    }
    areas
}

#[test]
fn labels_are_connected_and_numbered_in_raster_order() {
    for modality in MODALITIES {
        let image = Phantom::new(modality, 4).draw().image;
        for profile in profiles_of_every_method(modality) {
            check_contract(&labels_of(&image, &profile));
        }
    }
}

#[test]
fn labels_are_connected_at_another_working_resolution() {
    let image = Phantom::new(Modality::IhcHdab, 4).draw().image;
    for working in [0.55, 0.8, 1.0, 1.3] {
        let mut profile = plain(Modality::IhcHdab);
        profile.image.working_pixel_size = PixelSize::from_um(working);
        let labels = segment(&image, &profile, PixelSize::from_um(0.5)).unwrap();
        check_contract(&labels);
        assert!(areas(&labels).len() > 10, "{working} µm");
    }
}

#[test]
fn areas_keep_to_the_limits() {
    for modality in MODALITIES {
        let image = Phantom::new(modality, 1).draw().image;
        let mut profile = plain(modality);
        let all = areas(&labels_of(&image, &profile));
        let mut sorted = all.clone();
        sorted.sort_unstable();
        let (low, high) = (sorted[sorted.len() / 4], sorted[sorted.len() * 3 / 4]);
        profile.morphology.max_area = Some(Area::Px2(f64::from(high)));
        assert!(areas(&labels_of(&image, &profile)).iter().all(|&area| area <= high));
        profile.morphology.min_area = Area::Px2(f64::from(low));
        let retained = areas(&labels_of(&image, &profile));
        assert!(retained.iter().all(|area| (low..=high).contains(area)), "{modality:?}");
        assert!(retained.contains(&low) && retained.contains(&high), "limits are inclusive");
    }
}

#[test]
fn nuclei_at_the_border_go_and_no_others() {
    for modality in MODALITIES {
        let image = Phantom::new(modality, 2).draw().image;
        let mut profile = plain(modality);
        let all = labels_of(&image, &profile);
        profile.morphology.exclude_border = true;
        let inner = labels_of(&image, &profile);
        let (width, height) = (all.width(), all.height());
        let at_border = |x: u32, y: u32| x == 0 || y == 0 || x + 1 == width || y + 1 == height;
        let mut cut = vec![false; areas(&all).len() + 1];
        for y in 0..height {
            for x in 0..width {
                cut[all.at(x, y) as usize] |= at_border(x, y);
            }
        }
        cut[0] = true;
        assert!(cut[1..].contains(&true), "{modality:?}: nothing at the border to drop");
        let mask = all.map(|label| !cut[label as usize]);
        assert!(mask == inner.map(|label| label > 0), "{modality:?}");
    }
}
