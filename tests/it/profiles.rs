//! Profiles: the ones that tests vary, with lengths in pixels.

use cellgate_core::profile::{
    Background, Channel, Classical, ImageSpec, MeasureGroup, Method, MiddleClass, Modality,
    Morphology, Profile, Smoothing, Split, SplitMethod, Stains, Suppression, Threshold,
    ThresholdMethod,
};
use cellgate_core::units::{Area, Length};

/// All ways that images come about.
pub(crate) const MODALITIES: [Modality; 3] =
    [Modality::Fluorescence, Modality::He, Modality::IhcHdab];

/// All groups of measurements.
pub(crate) const GROUPS: [MeasureGroup; 6] = [
    MeasureGroup::Shape,
    MeasureGroup::Intensity,
    MeasureGroup::Crofton,
    MeasureGroup::Quartiles,
    MeasureGroup::Radius,
    MeasureGroup::Hu,
];

/// All methods of thresholding but the manual one, local ones with a window of 31 pixels.
pub(crate) const THRESHOLDS: [ThresholdMethod; 7] = [
    ThresholdMethod::Otsu,
    ThresholdMethod::Otsu3 { middle_class: MiddleClass::Foreground },
    ThresholdMethod::Otsu3 { middle_class: MiddleClass::Background },
    ThresholdMethod::Li,
    ThresholdMethod::Triangle,
    ThresholdMethod::LocalMean { window: Length::Px(31.0), global_fraction: 0.6 },
    ThresholdMethod::Sauvola { window: Length::Px(31.0), k: 0.2, global_fraction: 0.6 },
];

/// All methods of splitting.
pub(crate) const SPLITS: [SplitMethod; 4] = [
    SplitMethod::None,
    SplitMethod::Shape,
    SplitMethod::Intensity,
    SplitMethod::Log { sigma: Length::Px(3.0) },
];

/// Stain vectors of a modality, those of QuPath; none for fluorescence.
pub(crate) fn stains(modality: Modality) -> Option<Stains> {
    let hematoxylin = [0.65, 0.70, 0.29];
    let dab = (modality == Modality::IhcHdab).then_some([0.27, 0.57, 0.78]);
    let eosin = (modality == Modality::He).then_some([0.2159, 0.8012, 0.5581]);
    let stains = Stains { hematoxylin, dab, eosin, background: [255.0; 3] };
    modality.is_brightfield().then_some(stains)
}

/// A plain profile: a little smoothing, Otsu, small holes filled, split by shape.
pub(crate) fn plain(modality: Modality) -> Profile {
    let channel = if modality.is_brightfield() { Channel::OdSum } else { Channel::Gray };
    Profile {
        name: "plain".to_owned(),
        description: None,
        image: ImageSpec { modality, pixel_size: None, working_pixel_size: None },
        stains: stains(modality),
        method: Method::Classical(Classical {
            channel,
            background: Background::None,
            smoothing: Smoothing { median_radius: Length::Px(0.0), sigma: Length::Px(1.0) },
            threshold: Threshold {
                method: ThresholdMethod::Otsu,
                correction_factor: 1.0,
                bounds: [0.0, 4.0],
                log_transform: false,
            },
            split: Split { method: SplitMethod::Shape, suppression: Suppression::Auto, h: 0.75 },
        }),
        morphology: Morphology {
            open_radius: Length::Px(1.0),
            close_radius: Length::Px(0.0),
            fill_holes_max_area: Area::Px2(100.0),
            min_area: Area::Px2(20.0),
            max_area: None,
            exclude_border: false,
        },
        classify: None,
        measure: GROUPS.to_vec(),
    }
}

/// A profile that takes every pixel as it is: what lies above a level is foreground.
pub(crate) fn bare(modality: Modality, level: f64) -> Profile {
    let mut profile = plain(modality);
    let none = Length::Px(0.0);
    let classical = classical(&mut profile);
    classical.smoothing = Smoothing { median_radius: none, sigma: none };
    classical.threshold.method = ThresholdMethod::Manual { value: level };
    profile.morphology = Morphology {
        open_radius: none,
        close_radius: none,
        fill_holes_max_area: Area::Px2(0.0),
        min_area: Area::Px2(0.0),
        ..profile.morphology
    };
    profile
}

/// The classical half of a profile, to change.
pub(crate) fn classical(profile: &mut Profile) -> &mut Classical {
    match &mut profile.method {
        Method::Classical(classical) => classical,
        Method::Unet(_) => panic!("the profile is for a network"),
    }
}
