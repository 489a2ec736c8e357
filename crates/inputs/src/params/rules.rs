//! Rules: constraints between the keys of a profile.
//!
//! One function for each rule; all of them run, so that all problems are reported at once.

use crate::finding::Code;
use crate::yaml::{Remarks, Step, route};
use cellgate_core::profile::keys::{FILE, Key, Part, Section, physical_keys};
use cellgate_core::profile::*;
use cellgate_core::units::{Area, Length, PixelSize};
use serde_json::Value;
use std::f64::consts::PI;

/// Stains whose vectors are closer than this cannot be told apart, in degrees.
const MIN_STAIN_ANGLE_DEG: f64 = 10.0;

/// Runs every rule.
pub(super) fn check(written: &Value, profile: &Profile, remarks: &mut Remarks<'_>) {
    check_name(profile, remarks);
    check_pixel_size(profile, remarks);
    check_areas(profile, remarks);
    check_bounds(profile, remarks);
    check_manual_value(profile, remarks);
    check_blur(profile, remarks);
    check_background_radius(profile, remarks);
    check_positivity(profile, remarks);
    check_stains(profile, remarks);
    check_channels(profile, remarks);
    check_manual_threshold(profile, remarks);
    check_idle_keys(written, profile, remarks);
}

fn check_name(profile: &Profile, remarks: &mut Remarks<'_>) {
    let path = remarks.document.source().path.clone();
    let file = path.rsplit('/').next().unwrap_or(&path);
    let stem = file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml"));
    if let Some(stem) = stem
        && stem != profile.name
    {
        let message = format!("the profile is named `{}`, its file `{file}`", profile.name);
        let help = format!("write `name: {stem}`, or rename the file to `{}.yaml`", profile.name);
        remarks.error(&route("name"), Code::NameMismatch, message, &help);
    }
}

fn check_pixel_size(profile: &Profile, remarks: &mut Remarks<'_>) {
    if own_pixel_size(profile).is_none()
        && let Some(key) = physical_keys(profile).first()
    {
        let message = format!("`{key}` is in micrometers, but the profile has no pixel size");
        let help = "add `image.working_pixel_size_um` or `image.pixel_size_um`; else the dataset, \
                    the image files or `--pixel-size-um` must give one";
        remarks.key_warning(&route("image"), Code::PixelSizeMissing, message, help);
    }
}

/// The pixel size that the profile itself gives.
pub(super) fn own_pixel_size(profile: &Profile) -> Option<PixelSize> {
    profile.image.working_pixel_size.or(profile.image.pixel_size)
}

fn check_areas(profile: &Profile, remarks: &mut Remarks<'_>) {
    let morphology = &profile.morphology;
    let Some(most) = morphology.max_area else { return };
    let key = key_of_area("max_area", most);
    if areas_in_one_unit(profile, morphology.min_area, most)
        .is_some_and(|(least, most)| most <= least)
    {
        let least = display_area(morphology.min_area);
        let message = format!(
            "the largest nucleus ({}) is not above the smallest ({least})",
            display_area(most)
        );
        let help = "raise the maximum or lower the minimum";
        remarks.error(&route(&format!("morphology.{key}")), Code::RangeInverted, message, help);
    }
    let holes = morphology.fill_holes_max_area;
    if areas_in_one_unit(profile, holes, most).is_some_and(|(holes, most)| most < holes) {
        let message =
            format!("holes up to {} are filled, more than a nucleus may have", display_area(holes));
        let help = format!("stay below the largest nucleus, {}", display_area(most));
        let key = key_of_area("fill_holes_max_area", holes);
        remarks.key_warning(
            &route(&format!("morphology.{key}")),
            Code::RangeInverted,
            message,
            &help,
        );
    }
}

fn check_bounds(profile: &Profile, remarks: &mut Remarks<'_>) {
    let Some(classical) = profile.classical() else { return };
    let [lower, upper] = classical.threshold.bounds;
    if upper <= lower {
        let message = format!("the lower bound {lower} is not below the upper bound {upper}");
        remarks.error(
            &route("threshold.bounds"),
            Code::RangeInverted,
            message,
            "swap or widen them",
        );
    }
}

fn check_manual_value(profile: &Profile, remarks: &mut Remarks<'_>) {
    let Some(Threshold { method: ThresholdMethod::Manual { value }, bounds, .. }) =
        profile.classical().map(|classical| classical.threshold)
    else {
        return;
    };
    let [lower, upper] = bounds;
    if lower <= upper && !(lower..=upper).contains(&value) {
        let message = format!("the threshold {value} is outside its bounds {lower} to {upper}");
        let help = "change `value` or `bounds`";
        remarks.error(&route("threshold.value"), Code::OutOfRange, message, help);
    }
}

fn check_blur(profile: &Profile, remarks: &mut Remarks<'_>) {
    let smallest = radius_of(profile.morphology.min_area);
    let smoothing = profile.classical().map(|classical| classical.smoothing);
    let blurs = [
        (["smoothing", "sigma"], smoothing.map(|smoothing| smoothing.sigma)),
        (["smoothing", "median_radius"], smoothing.map(|smoothing| smoothing.median_radius)),
        (["morphology", "open_radius"], Some(profile.morphology.open_radius)),
    ];
    for ([section, name], blur) in blurs {
        let Some(blur) = blur else { continue };
        // Without a smallest nucleus there is nothing to compare with.
        let Some((blur_px, least)) = lengths_in_one_unit(profile, blur, smallest) else { continue };
        if 0.0 < least && least < blur_px {
            let key = key_of_length(name, blur);
            let message =
                format!("`{key}` is {}, wider than the smallest nucleus", display_length(blur));
            let radius = display_length(smallest);
            let help = format!("stay below {radius}, the radius of a nucleus of the minimum area");
            remarks.error(&route(&format!("{section}.{key}")), Code::BlurTooWide, message, &help);
        }
    }
}

fn check_background_radius(profile: &Profile, remarks: &mut Remarks<'_>) {
    let background = profile.classical().map(|classical| classical.background);
    let Some(radius) = background.and_then(Background::radius) else { return };
    let Some(most) = profile.morphology.max_area else { return };
    let largest = radius_of(most);
    if lengths_in_one_unit(profile, radius, largest).is_some_and(|(radius, most)| radius < most) {
        let key = key_of_length("radius", radius);
        let message =
            format!("`{key}` is {}, narrower than the largest nucleus", display_length(radius));
        let least = display_length(largest);
        let help = format!("go above {least}, the radius of a nucleus of the maximum area");
        remarks.key_warning(
            &route(&format!("background.{key}")),
            Code::RadiusTooSmall,
            message,
            &help,
        );
    }
}

fn check_positivity(profile: &Profile, remarks: &mut Remarks<'_>) {
    let Some(classify) = &profile.classify else { return };
    if classify.thresholds.windows(2).any(|pair| pair[1] <= pair[0]) {
        let message = format!("the thresholds {:?} do not rise", classify.thresholds);
        let help = "give them from weak to strong, each above the one before";
        remarks.error(&route("classify.thresholds"), Code::ThresholdsNotRising, message, help);
    }
}

fn check_stains(profile: &Profile, remarks: &mut Remarks<'_>) {
    let Some(stains) = &profile.stains else { return };
    let second = stains.dab.map(|dab| ("dab", dab)).or(stains.eosin.map(|eosin| ("eosin", eosin)));
    let named = [Some(("hematoxylin", stains.hematoxylin)), second];
    let mut any_is_zero = false;
    for (name, vector) in named.into_iter().flatten() {
        if norm(vector) == 0.0 {
            any_is_zero = true;
            let message = format!("the vector of {name} is zero");
            let help = "give the optical densities of red, green and blue; at least one is not 0";
            remarks.error(&route(&format!("stains.{name}")), Code::OutOfRange, message, help);
        }
    }
    let Some((name, vector)) = second else { return };
    if !any_is_zero && is_nearly_parallel(stains.hematoxylin, vector) {
        let message = format!("the vectors of hematoxylin and {name} are less than 10° apart");
        let help = "two stains of nearly one color cannot be told apart; check the vectors";
        remarks.error(&route(&format!("stains.{name}")), Code::StainsParallel, message, help);
    }
}

fn check_channels(profile: &Profile, remarks: &mut Remarks<'_>) {
    let modality = profile.image.modality;
    let channels: Vec<&str> = [
        Channel::Gray,
        Channel::HematoxylinOd,
        Channel::DabOd,
        Channel::EosinOd,
        Channel::StainSum,
        Channel::OdSum,
        Channel::OdRed,
        Channel::OdGreen,
        Channel::OdBlue,
    ]
    .into_iter()
    .filter(|channel| channel.exists_in(modality))
    .map(Channel::as_str)
    .collect();
    let help = format!("channels of this modality: {}", channels.join(", "));
    let describe = |channel: Channel| {
        format!("images of this modality have no channel `{}`", channel.as_str())
    };
    let channel = profile.classical().map(|classical| classical.channel);
    if let Some(channel) = channel.filter(|channel| !channel.exists_in(modality)) {
        remarks.error(&route("detection.channel"), Code::ChannelModality, describe(channel), &help);
    }
    for (index, channel) in profile.unet().into_iter().flat_map(|unet| &unet.channels).enumerate() {
        if !channel.exists_in(modality) {
            let mut at = route("unet.channels");
            at.push(Step::Index(index));
            remarks.error(&at, Code::ChannelModality, describe(*channel), &help);
        }
    }
    if let Some(classify) = &profile.classify
        && !classify.measurement.channel.exists_in(modality)
    {
        let message = describe(classify.measurement.channel);
        remarks.error(&route("classify.measurement"), Code::ChannelModality, message, &help);
    }
}

fn check_manual_threshold(profile: &Profile, remarks: &mut Remarks<'_>) {
    let threshold = profile.classical().map(|classical| classical.threshold);
    let is_manual = |threshold: &Threshold| threshold.method.word() == ThresholdWord::Manual;
    if threshold.is_some_and(|threshold| is_manual(&threshold) && threshold.log_transform) {
        let reason = "`threshold.method` is `manual`, so nothing is sought";
        warn_without_effect("threshold.log_transform", reason, DELETE_KEY, remarks);
    }
}

/// Warns about every key that stands in the file and has no effect beside the others.
fn check_idle_keys(written: &Value, profile: &Profile, remarks: &mut Remarks<'_>) {
    for part in &FILE {
        let Part::Section(section) = part else { continue };
        match (section.idle)(profile) {
            Some(reason) => {
                // A section stands in the file even where nothing in it could be read.
                let is_there = remarks.document.value().get(section.name).is_some();
                let help = if section.name == "unet" {
                    "delete the section, or write `method: unet`"
                } else {
                    DELETE_KEY
                };
                if is_there {
                    warn_without_effect(section.name, reason, help, remarks);
                }
            }
            None => check_idle_keys_of(section, written, profile, remarks),
        }
    }
}

fn check_idle_keys_of(
    section: &Section,
    written: &Value,
    profile: &Profile,
    remarks: &mut Remarks<'_>,
) {
    let Some(written) = written.get(section.name) else { return };
    let has_setting = |key: &Key| (key.setting)(profile).is_some();
    // A key of two forms has an effect in one of them; both together are reported as a conflict.
    let has_effect =
        |key: &Key| section.keys.iter().any(|other| other.name == key.name && has_setting(other));
    let is_idle = |key: &&Key| !key.idle.is_empty() && !has_effect(key);
    for key in section.keys.iter().filter(is_idle) {
        for name in key.written().iter().filter(|name| written.get(name.as_str()).is_some()) {
            warn_without_effect(&format!("{}.{name}", section.name), key.idle, DELETE_KEY, remarks);
        }
    }
}

const DELETE_KEY: &str = "delete the key";

fn warn_without_effect(path: &str, reason: &str, help: &str, remarks: &mut Remarks<'_>) {
    let message = format!("`{path}` has no effect: {reason}");
    remarks.key_warning(&route(path), Code::KeyWithoutEffect, message, help);
}

/// Two areas in one unit; `None` when they cannot be compared.
fn areas_in_one_unit(profile: &Profile, one: Area, other: Area) -> Option<(f64, f64)> {
    if one.is_physical() == other.is_physical() {
        return Some((one.number(), other.number()));
    }
    let pixel = own_pixel_size(profile);
    Some((one.px2(pixel)?, other.px2(pixel)?))
}

/// Two lengths in one unit; `None` when they cannot be compared.
fn lengths_in_one_unit(profile: &Profile, one: Length, other: Length) -> Option<(f64, f64)> {
    if one.is_physical() == other.is_physical() {
        return Some((one.number(), other.number()));
    }
    let pixel = own_pixel_size(profile);
    Some((one.px(pixel)?, other.px(pixel)?))
}

/// Radius of the disk of an area.
fn radius_of(area: Area) -> Length {
    let radius = (area.number() / PI).sqrt();
    if area.is_physical() { Length::Um(radius) } else { Length::Px(radius) }
}

/// Whether the angle between two vectors is below [`MIN_STAIN_ANGLE_DEG`], signs aside.
fn is_nearly_parallel(one: [f64; 3], other: [f64; 3]) -> bool {
    let dot: f64 = (0..3).map(|axis| one[axis] * other[axis]).sum();
    let cosine = dot.abs() / (norm(one) * norm(other));
    libm::cos(MIN_STAIN_ANGLE_DEG * PI / 180.0) < cosine
}

fn norm(vector: [f64; 3]) -> f64 {
    vector.iter().map(|part| part * part).sum::<f64>().sqrt()
}

fn display_length(length: Length) -> String {
    let unit = if length.is_physical() { "µm" } else { "px" };
    format!("{} {unit}", round_to_hundredths(length.number()))
}

fn display_area(area: Area) -> String {
    let unit = if area.is_physical() { "µm²" } else { "px²" };
    format!("{} {unit}", round_to_hundredths(area.number()))
}

fn round_to_hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

fn key_of_length(name: &str, length: Length) -> String {
    format!("{name}_{}", if length.is_physical() { "um" } else { "px" })
}

fn key_of_area(name: &str, area: Area) -> String {
    format!("{name}_{}", if area.is_physical() { "um2" } else { "px2" })
}
