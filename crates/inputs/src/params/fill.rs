//! Fill: from the raw file to a profile with every default in place.
//!
//! Reports what one key alone or a pair of keys for one length has wrong; rules between sections
//! stand in `rules`.

use super::defaults;
use super::raw::*;
use super::wire::class_measurements;
use crate::finding::Code;
use crate::yaml::{Remarks, route};
use cellgate_core::profile::*;
use cellgate_core::profile::{Normalization, Separation, Unet, UpSampling};
use cellgate_core::units::{Area, Length, PixelSize};

/// The profile that the file describes.
pub(super) fn fill(raw: &RawProfile, remarks: &mut Remarks<'_>) -> Profile {
    let raw = &without_idle_sections(raw);
    let modality = raw.image.modality;
    let channel = raw.detection.channel.unwrap_or(defaults::channel(modality));
    let mut measure = raw.measure.clone().unwrap_or(defaults::MEASURE.to_vec());
    measure.sort_unstable();
    measure.dedup();
    Profile {
        name: raw.name.clone(),
        description: raw.description.clone(),
        image: ImageSpec {
            modality,
            pixel_size: raw.image.pixel_size_um.and_then(PixelSize::from_um),
            working_pixel_size: raw.image.working_pixel_size_um.and_then(PixelSize::from_um),
        },
        stains: modality.is_brightfield().then(|| stains(raw.stains.as_ref(), modality)),
        unet: unet(raw, remarks),
        detection: Detection { channel },
        background: background(&raw.background, remarks),
        smoothing: smoothing(&raw.smoothing, remarks),
        threshold: threshold(&raw.threshold, channel, remarks),
        morphology: morphology(&raw.morphology, remarks),
        split: split(&raw.split, remarks),
        classify: raw.classify.as_ref().and_then(|raw| classify(raw, remarks)),
        measure,
    }
}

/// The file with the sections that its method does not use as if they were not written; `effects`
/// names them.
fn without_idle_sections(raw: &RawProfile) -> RawProfile {
    let mut raw = raw.clone();
    if is_unet(&raw) {
        raw.detection = RawDetection::default();
        raw.background = RawBackground::default();
        raw.smoothing = RawSmoothing { sigma_px: Some(0.0), ..RawSmoothing::default() };
        raw.threshold = RawThreshold::default();
        raw.split = RawSplit::default();
    } else {
        raw.unet = None;
    }
    raw
}

/// Whether a network finds the nuclei.
pub(super) fn is_unet(raw: &RawProfile) -> bool {
    raw.method == Some(MethodWord::Unet)
}

fn unet(raw: &RawProfile, remarks: &mut Remarks<'_>) -> Option<Unet> {
    if is_unet(raw) && raw.unet.is_none() {
        let message = "the method needs a network".to_owned();
        let help = "add the section `unet` with `model` and `weights_sha256`";
        remarks.error(&route("method"), Code::MissingKey, message, help);
    }
    let modality = raw.image.modality;
    let raw = raw.unet.as_ref()?;
    // The schema allows digests only.
    let weights = raw.weights_sha256.parse().ok()?;
    let distances = [raw.suppression_um, raw.suppression_px];
    Some(Unet {
        model: raw.model.clone(),
        weights,
        channels: raw.channels.clone().unwrap_or_else(|| defaults::network_channels(modality)),
        depth: raw.depth.unwrap_or(defaults::DEPTH),
        base_width: raw.base_width.unwrap_or(defaults::BASE_WIDTH),
        normalization: raw.normalization.unwrap_or(Normalization::Batch),
        up_sampling: raw.up_sampling.unwrap_or(UpSampling::Transposed),
        separation: raw.separation.unwrap_or(Separation::Distance),
        nucleus_threshold: raw.nucleus_threshold.unwrap_or(defaults::NUCLEUS_THRESHOLD),
        h: raw.h.unwrap_or(defaults::NETWORK_H),
        suppression: suppression(remarks, "unet", raw.suppression, distances),
        mirror_averaging: raw.mirror_averaging.unwrap_or(false),
        tile_px: raw.tile_px.unwrap_or(defaults::TILE_PX),
    })
}

fn stains(raw: Option<&RawStains>, modality: Modality) -> Stains {
    let raw = raw.cloned().unwrap_or_default();
    let dab = raw.dab.unwrap_or(defaults::DAB);
    let eosin = raw.eosin.unwrap_or(defaults::EOSIN);
    Stains {
        hematoxylin: raw.hematoxylin.unwrap_or(defaults::HEMATOXYLIN),
        dab: (modality == Modality::IhcHdab).then_some(dab),
        eosin: (modality == Modality::He).then_some(eosin),
        background: raw.background.unwrap_or(defaults::CLEAR_GLASS),
    }
}

fn background(raw: &RawBackground, remarks: &mut Remarks<'_>) -> Background {
    let keys = ["background", "radius"];
    let radius = length(remarks, keys, raw.radius_um, raw.radius_px);
    let method = raw.method.unwrap_or(BackgroundMethod::None);
    if method == BackgroundMethod::None {
        return Background::None;
    }
    let radius = radius.unwrap_or_else(|| {
        let message = "the background needs a radius".to_owned();
        let help =
            "add `radius_um` (or `radius_px`), larger than the radius of the largest nucleus";
        remarks.error(&route("background.method"), Code::MissingKey, message, help);
        Length::Px(1.0)
    });
    match method {
        BackgroundMethod::None => Background::None,
        BackgroundMethod::Opening => Background::Opening { radius },
        BackgroundMethod::Reconstruction => Background::Reconstruction { radius },
    }
}

fn smoothing(raw: &RawSmoothing, remarks: &mut Remarks<'_>) -> Smoothing {
    let median =
        length(remarks, ["smoothing", "median_radius"], raw.median_radius_um, raw.median_radius_px);
    let sigma = length(remarks, ["smoothing", "sigma"], raw.sigma_um, raw.sigma_px);
    Smoothing {
        median_radius: median.unwrap_or(Length::Px(0.0)),
        sigma: sigma.unwrap_or(Length::Um(defaults::SIGMA_UM)),
    }
}

fn threshold(raw: &RawThreshold, channel: Channel, remarks: &mut Remarks<'_>) -> Threshold {
    let window = length(remarks, ["threshold", "window"], raw.window_um, raw.window_px);
    let window = window.unwrap_or(Length::Um(defaults::WINDOW_UM));
    let global_fraction = raw.global_fraction.unwrap_or(defaults::GLOBAL_FRACTION);
    let method = match raw.method.unwrap_or(ThresholdWord::Otsu) {
        ThresholdWord::Manual => {
            let value = raw.value.unwrap_or_else(|| {
                let message = "the threshold needs a value".to_owned();
                let help = "add `value`, in the channel's unit";
                remarks.error(&route("threshold.method"), Code::MissingKey, message, help);
                0.0
            });
            ThresholdMethod::Manual { value }
        }
        ThresholdWord::Otsu => ThresholdMethod::Otsu,
        ThresholdWord::Otsu3 => ThresholdMethod::Otsu3 {
            middle_class: raw.middle_class.unwrap_or(MiddleClass::Foreground),
        },
        ThresholdWord::Li => ThresholdMethod::Li,
        ThresholdWord::Triangle => ThresholdMethod::Triangle,
        ThresholdWord::LocalMean => ThresholdMethod::LocalMean { window, global_fraction },
        ThresholdWord::Sauvola => {
            let k = raw.k.unwrap_or(defaults::SAUVOLA_K);
            ThresholdMethod::Sauvola { window, k, global_fraction }
        }
    };
    Threshold {
        method,
        correction_factor: raw.correction_factor.unwrap_or(defaults::CORRECTION_FACTOR),
        bounds: raw.bounds.unwrap_or(defaults::bounds(channel)),
        log_transform: raw.log_transform.unwrap_or(false),
    }
}

fn morphology(raw: &RawMorphology, remarks: &mut Remarks<'_>) -> Morphology {
    let name = |key| ["morphology", key];
    let open = length(remarks, name("open_radius"), raw.open_radius_um, raw.open_radius_px);
    let close = length(remarks, name("close_radius"), raw.close_radius_um, raw.close_radius_px);
    let holes = name("fill_holes_max_area");
    let holes = area(remarks, holes, raw.fill_holes_max_area_um2, raw.fill_holes_max_area_px2);
    let least = area(remarks, name("min_area"), raw.min_area_um2, raw.min_area_px2);
    let most = area(remarks, name("max_area"), raw.max_area_um2, raw.max_area_px2);
    Morphology {
        open_radius: open.unwrap_or(Length::Px(0.0)),
        close_radius: close.unwrap_or(Length::Px(0.0)),
        fill_holes_max_area: holes.unwrap_or(Area::Um2(defaults::FILL_HOLES_UM2)),
        min_area: least.unwrap_or(Area::Um2(defaults::MIN_AREA_UM2)),
        max_area: most,
        exclude_border: raw.exclude_border.unwrap_or(false),
    }
}

fn split(raw: &RawSplit, remarks: &mut Remarks<'_>) -> Split {
    let distances = [raw.suppression_um, raw.suppression_px];
    let suppression = suppression(remarks, "split", raw.suppression, distances);
    let sigma = length(remarks, ["split", "log_sigma"], raw.log_sigma_um, raw.log_sigma_px);
    let (method, default_h) = match raw.method.unwrap_or(SplitWord::Shape) {
        SplitWord::None => (SplitMethod::None, 0.0),
        SplitWord::Shape => (SplitMethod::Shape, defaults::SHAPE_H_PX),
        SplitWord::Intensity => (SplitMethod::Intensity, defaults::INTENSITY_H),
        SplitWord::Log => {
            let sigma = sigma.unwrap_or(Length::Um(defaults::LOG_SIGMA_UM));
            (SplitMethod::Log { sigma }, defaults::INTENSITY_H)
        }
    };
    Split { method, suppression, h: raw.h.unwrap_or(default_h) }
}

fn suppression(
    remarks: &mut Remarks<'_>,
    section: &str,
    auto: Option<AutoWord>,
    [um, px]: [Option<f64>; 2],
) -> Suppression {
    let distance = length(remarks, [section, "suppression"], um, px);
    if distance.is_some() && auto.is_some() {
        let message = "`suppression: auto` stands beside a fixed distance".to_owned();
        let route = route(&format!("{section}.suppression"));
        remarks.error(&route, Code::UnitConflict, message, "keep one of the two");
    }
    distance.map_or(Suppression::Auto, Suppression::Distance)
}

fn classify(raw: &RawClassify, remarks: &mut Remarks<'_>) -> Option<Classify> {
    if raw.thresholds.len() == 2 {
        let message = "there are 2 thresholds of positivity".to_owned();
        let help = "give one (negative, positive) or three (negative, 1+, 2+, 3+)";
        remarks.error(&route("classify.thresholds"), Code::TooManyItems, message, help);
    }
    // The schema allows these words only.
    let (_, measurement) = class_measurements().find(|(word, _)| *word == raw.measurement)?;
    Some(Classify { measurement, thresholds: raw.thresholds.clone() })
}

/// A length from its two keys; 0 is the same in both units and needs no pixel size.
fn length(
    remarks: &mut Remarks<'_>,
    [section, name]: [&str; 2],
    um: Option<f64>,
    px: Option<f64>,
) -> Option<Length> {
    one_unit(remarks, section, [format!("{name}_um"), format!("{name}_px")], um, px);
    match (um, px) {
        (Some(um), _) if um != 0.0 => Some(Length::Um(um)),
        (Some(_), _) => Some(Length::Px(0.0)),
        (None, px) => px.map(Length::Px),
    }
}

/// An area from its two keys.
fn area(
    remarks: &mut Remarks<'_>,
    [section, name]: [&str; 2],
    um2: Option<f64>,
    px2: Option<f64>,
) -> Option<Area> {
    one_unit(remarks, section, [format!("{name}_um2"), format!("{name}_px2")], um2, px2);
    match (um2, px2) {
        (Some(um2), _) if um2 != 0.0 => Some(Area::Um2(um2)),
        (Some(_), _) => Some(Area::Px2(0.0)),
        (None, px2) => px2.map(Area::Px2),
    }
}

fn one_unit(
    remarks: &mut Remarks<'_>,
    section: &str,
    [physical, pixels]: [String; 2],
    um: Option<f64>,
    px: Option<f64>,
) {
    if um.is_some() && px.is_some() {
        let message = format!("`{physical}` and `{pixels}` both stand in `{section}`");
        remarks.error(
            &route(&format!("{section}.{pixels}")),
            Code::UnitConflict,
            message,
            "keep one of the two",
        );
    }
}
