//! Segmentation of images that are hardly images, and of random ones under random profiles.

use crate::profiles::{MODALITIES, SPLITS, THRESHOLDS, bare, classical, plain};
use crate::segment_determinism::check_contract;
use cellgate_core::profile::{
    Background, Modality, Profile, SplitMethod, Suppression, ThresholdMethod,
};
use cellgate_core::raster::{Image, Raster};
use cellgate_core::segment::segment;
use cellgate_core::units::{Area, Length};
use proptest::prelude::*;

/// Sizes that loops over rows, columns and words of 64 pixels trip over.
const SIZES: [(u32, u32); 12] = [
    (1, 1),
    (1, 2),
    (2, 1),
    (1, 150),
    (150, 1),
    (2, 2),
    (3, 3),
    (63, 5),
    (64, 5),
    (65, 5),
    (5, 64),
    (130, 3),
];

fn flat(modality: Modality, (width, height): (u32, u32), value: u8) -> Vec<Image> {
    let wide = u16::from(value) * 257;
    if modality.is_brightfield() {
        vec![
            Image::Rgb8(Raster::filled(width, height, [value; 3])),
            Image::Rgb16(Raster::filled(width, height, [wide; 3])),
        ]
    } else {
        vec![
            Image::Gray8(Raster::filled(width, height, value)),
            Image::Gray16(Raster::filled(width, height, wide)),
        ]
    }
}

fn count(image: &Image, profile: &Profile) -> u32 {
    let labels = segment(image, profile, None).unwrap();
    check_contract(&labels);
    labels.samples().iter().copied().max().unwrap_or(0)
}

#[test]
fn constant_images_have_no_nuclei() {
    for modality in MODALITIES {
        for method in THRESHOLDS {
            for log_transform in [false, true] {
                let mut profile = plain(modality);
                classical(&mut profile).threshold.method = method;
                classical(&mut profile).threshold.log_transform = log_transform;
                profile.morphology.min_area = Area::Px2(0.0);
                for value in [0, 77, 255] {
                    for image in SIZES.iter().flat_map(|&size| flat(modality, size, value)) {
                        assert_eq!(count(&image, &profile), 0, "{method:?}, {value}");
                    }
                }
            }
        }
    }
}

#[test]
fn an_image_that_is_all_foreground_is_one_nucleus() {
    for modality in MODALITIES {
        // Black absorbs all light; full brightness is the fluorescent counterpart.
        let value = if modality.is_brightfield() { 0 } else { 255 };
        for method in SPLITS {
            let mut profile = bare(modality, 0.5);
            classical(&mut profile).split.method = method;
            for image in SIZES.iter().flat_map(|&size| flat(modality, size, value)) {
                assert_eq!(count(&image, &profile), 1, "{method:?}, {}", image.width());
            }
        }
    }
}

#[test]
fn filters_wider_than_the_image_do_no_harm() {
    for modality in MODALITIES {
        let mut profile = plain(modality);
        classical(&mut profile).background = Background::Opening { radius: Length::Px(40.0) };
        classical(&mut profile).smoothing.median_radius = Length::Px(9.0);
        classical(&mut profile).smoothing.sigma = Length::Px(25.0);
        classical(&mut profile).threshold.method =
            ThresholdMethod::LocalMean { window: Length::Px(301.0), global_fraction: 0.0 };
        profile.morphology.open_radius = Length::Px(70.0);
        profile.morphology.close_radius = Length::Px(70.0);
        for image in SIZES.iter().flat_map(|&size| flat(modality, size, 90)) {
            assert_eq!(count(&image, &profile), 0);
        }
    }
}

#[test]
fn images_without_pixels_have_no_nuclei() {
    for modality in MODALITIES {
        for size in [(0, 0), (0, 7), (7, 0)] {
            for image in flat(modality, size, 0) {
                assert_eq!(count(&image, &plain(modality)), 0, "{size:?}");
                assert_eq!(count(&image, &bare(modality, 0.5)), 0, "{size:?}");
            }
        }
    }
}

#[test]
fn corners_do_not_join_nuclei_and_sides_do() {
    let board = Raster::from_fn(9, 9, |x, y| if (x + y) % 2 == 0 { 255 } else { 0 });
    assert_eq!(count(&Image::Gray8(board), &bare(Modality::Fluorescence, 0.5)), 41);
    let cross = Raster::from_fn(9, 9, |x, y| if x == 4 || y == 4 { 255 } else { 0 });
    let mut profile = bare(Modality::Fluorescence, 0.5);
    classical(&mut profile).split.method = SplitMethod::None;
    assert_eq!(count(&Image::Gray8(cross), &profile), 1);
}

fn any_image(modality: Modality) -> impl Strategy<Value = Image> {
    let size = (1_u32..48, 1_u32..48);
    size.prop_flat_map(|(width, height)| {
        let samples = prop::collection::vec(
            prop::sample::select(vec![0_u8, 3, 60, 61, 128, 200, 254, 255]),
            (width * height * 3) as usize,
        );
        (Just((width, height)), samples, 1_usize..6)
    })
    .prop_map(move |((width, height), samples, grain)| {
        // Coarse grains make blobs; a grain of one pixel makes noise.
        let at = |x: u32, y: u32, color: usize| {
            let (x, y) = (x as usize / grain, y as usize / grain);
            samples[(y * width as usize + x) * 3 + color]
        };
        let color = |x, y| [at(x, y, 0), at(x, y, 1), at(x, y, 2)];
        if modality.is_brightfield() {
            Image::Rgb8(Raster::from_fn(width, height, color))
        } else if grain % 2 == 0 {
            let wide = |x, y| u16::from(at(x, y, 0)) << 8 | u16::from(at(x, y, 1));
            Image::Gray16(Raster::from_fn(width, height, wide))
        } else {
            Image::Gray8(Raster::from_fn(width, height, |x, y| at(x, y, 0)))
        }
    })
}

fn any_profile(modality: Modality) -> impl Strategy<Value = Profile> {
    let radius = || prop::sample::select(vec![0.0, 0.9, 1.0, 1.5, 2.0, 4.7, 30.0]);
    let manual = (0.0..3.0_f64).prop_map(|value| ThresholdMethod::Manual { value });
    let method = prop_oneof![manual, prop::sample::select(THRESHOLDS.to_vec())];
    let background = prop_oneof![
        Just(Background::None),
        radius().prop_map(|radius| Background::Opening { radius: Length::Px(radius) }),
        radius().prop_map(|radius| Background::Reconstruction { radius: Length::Px(radius) }),
    ];
    let suppression = prop_oneof![
        Just(Suppression::Auto),
        (0.0..20.0_f64).prop_map(|px| Suppression::Distance(Length::Px(px))),
    ];
    let filters = (background, radius(), 0.0..6.0_f64);
    let threshold = (method, 0.3..2.0_f64, any::<bool>());
    let areas = (0.0..50.0_f64, 0.0..30.0_f64, prop::option::of(30.0..500.0_f64));
    let morphology = (radius(), radius(), areas, any::<bool>());
    let split = (prop::sample::select(SPLITS.to_vec()), suppression, 0.0..3.0_f64);
    (filters, threshold, morphology, split).prop_map(
        move |(filters, threshold, (open, close, (holes, least, most), border), split)| {
            let mut profile = plain(modality);
            classical(&mut profile).background = filters.0;
            classical(&mut profile).smoothing.median_radius = Length::Px(filters.1.min(5.0));
            classical(&mut profile).smoothing.sigma = Length::Px(filters.2);
            classical(&mut profile).threshold.method = threshold.0;
            classical(&mut profile).threshold.correction_factor = threshold.1;
            classical(&mut profile).threshold.log_transform = threshold.2;
            profile.morphology.open_radius = Length::Px(open);
            profile.morphology.close_radius = Length::Px(close);
            profile.morphology.fill_holes_max_area = Area::Px2(holes);
            profile.morphology.min_area = Area::Px2(least);
            profile.morphology.max_area = most.map(Area::Px2);
            profile.morphology.exclude_border = border;
            classical(&mut profile).split.method = split.0;
            classical(&mut profile).split.suppression = split.1;
            classical(&mut profile).split.h = split.2;
            profile
        },
    )
}

fn any_field() -> impl Strategy<Value = (Image, Profile)> {
    prop::sample::select(MODALITIES.to_vec())
        .prop_flat_map(|modality| (any_image(modality), any_profile(modality)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_profile_keeps_the_contract_on_any_image((image, profile) in any_field()) {
        let labels = segment(&image, &profile, None).unwrap();
        check_contract(&labels);
        prop_assert_eq!((labels.width(), labels.height()), (image.width(), image.height()));
        let n_px = |label: u32| labels.samples().iter().filter(|&&other| other == label).count();
        let n_nuclei = labels.samples().iter().copied().max().unwrap_or(0);
        for label in 1..=n_nuclei {
            let area = n_px(label) as f64;
            prop_assert!(profile.morphology.min_area.number() <= area);
            prop_assert!(profile.morphology.max_area.is_none_or(|most| area <= most.number()));
        }
    }
}
