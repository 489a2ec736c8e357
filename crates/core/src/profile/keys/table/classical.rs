//! Classical: the keys of the sections that only the classical path reads.

use super::parts::{
    KEY, OF_CHANNEL, SUPPRESSION, SUPPRESSION_AUTO, auto_setting, length_setting, number_kind,
};
use crate::profile::keys::key::{Initial, Key, Kind, Setting, Stage};
use crate::profile::{
    BackgroundWord, Channel, Classical, MiddleClass, Profile, SplitMethod, SplitWord,
    ThresholdMethod, ThresholdWord,
};
use schemars::JsonSchema as _;
use serde_json::json;

pub(super) static DETECTION: [Key; 1] = [Key {
    name: "channel",
    meaning: "The channel that nuclei are bright in.",
    kind: Kind::Word(Channel::json_schema),
    default: Initial::By {
        key: "image.modality",
        value: |modality| match modality {
            "fluorescence" => json!(Channel::Gray),
            "he" => json!(Channel::HematoxylinOd),
            _ => json!(Channel::OdSum),
        },
        shown: "`gray` for fluorescence, `hematoxylin_od` for he, `od_sum` for ihc_hdab",
    },
    renamed_from: &["detectionImage", "detectionImageBrightfield"],
    stage: Some(Stage::Signal),
    setting: |profile| Setting::of(profile.classical()?.channel),
    ..KEY
}];

pub(super) static BACKGROUND: [Key; 2] = [
    Key {
        name: "method",
        meaning: "How the background is found.",
        kind: Kind::Word(BackgroundWord::json_schema),
        default: Initial::Word("none"),
        renamed_from: &["backgroundByReconstruction"],
        stage: Some(Stage::Background),
        setting: |profile| Setting::of(profile.classical()?.background.word()),
        ..KEY
    },
    Key {
        name: "radius",
        meaning: "Radius of the disk, larger than any nucleus's; needed with `opening` and `reconstruction`.",
        kind: Kind::Length { um: [0.1, 500.0], px: [1.0, 1000.0] },
        renamed_from: &["backgroundRadiusMicrons"],
        renamed_from_px: &["backgroundRadius"],
        stage: Some(Stage::Background),
        setting: |profile| length_setting(profile.classical()?.background.radius()?),
        idle: "`background.method` is `none`",
        ..KEY
    },
];

pub(super) static SMOOTHING: [Key; 2] = [
    Key {
        name: "median_radius",
        meaning: "Radius of the disk whose median replaces each pixel; 0 leaves it out.",
        kind: Kind::Length { um: [0.0, 50.0], px: [0.0, 100.0] },
        default: Initial::Number(0.0),
        renamed_from: &["medianRadiusMicrons"],
        renamed_from_px: &["medianRadius"],
        stage: Some(Stage::Background),
        setting: |profile| length_setting(profile.classical()?.smoothing.median_radius),
        ..KEY
    },
    Key {
        name: "sigma",
        meaning: "Standard deviation of the Gaussian; 0 leaves it out.",
        kind: Kind::Length { um: [0.0, 50.0], px: [0.0, 100.0] },
        // Half a micrometer blurs single pixels, not the border of a nucleus.
        default: Initial::Number(0.5),
        renamed_from: &["sigmaMicrons"],
        renamed_from_px: &["threshold_smoothing_scale"],
        stage: Some(Stage::Smooth),
        setting: |profile| length_setting(profile.classical()?.smoothing.sigma),
        ..KEY
    },
];

pub(super) static THRESHOLD: [Key; 9] = [
    Key {
        name: "method",
        meaning: "How the threshold is found.",
        kind: Kind::Word(ThresholdWord::json_schema),
        default: Initial::Word("otsu"),
        renamed_from: &["thresholding_method", "threshold_method"],
        stage: Some(Stage::Threshold),
        setting: |profile| Setting::of(threshold_method(profile)?.word()),
        ..KEY
    },
    Key {
        name: "value",
        meaning: "The threshold itself, for `manual`; in the channel's unit.",
        kind: Kind::Number { range: [0.0, 20.0], unit: OF_CHANNEL },
        renamed_from: &["manual_threshold"],
        stage: Some(Stage::Threshold),
        setting: |profile| match threshold_method(profile)? {
            ThresholdMethod::Manual { value } => Setting::of(value),
            _ => None,
        },
        idle: "`threshold.method` is not `manual`",
        ..KEY
    },
    Key {
        name: "correction_factor",
        meaning: "Factor that the found threshold is multiplied with.",
        kind: number_kind(0.1, 10.0),
        default: Initial::Number(1.0),
        renamed_from: &["threshold_correction_factor"],
        stage: Some(Stage::Threshold),
        setting: |profile| Setting::of(profile.classical()?.threshold.correction_factor),
        ..KEY
    },
    Key {
        name: "bounds",
        meaning: "Lowest and highest threshold; in the channel's unit.",
        kind: Kind::Numbers { count: [2, 2], range: [0.0, 20.0], unit: OF_CHANNEL, form: "" },
        // The channel's own range; an optical density above 3 lets one photon in a thousand through.
        default: Initial::By {
            key: "detection.channel",
            value: |channel| match channel {
                "gray" => json!([0.0, 1.0]),
                _ => json!([0.0, 3.0]),
            },
            shown: "`[0, 1]` for `gray`, else `[0, 3]`",
        },
        renamed_from: &["lower_and_upper_bounds_on_threshold", "threshold_range"],
        stage: Some(Stage::Threshold),
        setting: |profile| Setting::of(profile.classical()?.threshold.bounds),
        ..KEY
    },
    Key {
        name: "window",
        meaning: "Edge of the window, for `local_mean` and `sauvola`.",
        kind: Kind::Length { um: [0.1, 1000.0], px: [3.0, 4000.0] },
        // About three nuclei wide, so that each window sees background.
        default: Initial::Number(30.0),
        renamed_from_px: &["adaptive_window_size", "size_of_adaptive_window"],
        stage: Some(Stage::Threshold),
        setting: |profile| length_setting(threshold_method(profile)?.window()?),
        idle: "`threshold.method` is neither `local_mean` nor `sauvola`",
        ..KEY
    },
    Key {
        name: "k",
        meaning: "Weight of the contrast, for `sauvola`.",
        kind: number_kind(0.0, 1.0),
        // The weight in most published uses on dark backgrounds.
        default: Initial::Number(0.2),
        stage: Some(Stage::Threshold),
        setting: |profile| match threshold_method(profile)? {
            ThresholdMethod::Sauvola { k, .. } => Setting::of(k),
            _ => None,
        },
        idle: "`threshold.method` is not `sauvola`",
        ..KEY
    },
    Key {
        name: "global_fraction",
        meaning: "Lowest local threshold as a fraction of the image's Otsu threshold, for `local_mean` and `sauvola`.",
        kind: number_kind(0.0, 1.0),
        // CellProfiler's lower limit of a local threshold.
        default: Initial::Number(0.7),
        stage: Some(Stage::Threshold),
        setting: |profile| match threshold_method(profile)? {
            ThresholdMethod::LocalMean { global_fraction, .. }
            | ThresholdMethod::Sauvola { global_fraction, .. } => Setting::of(global_fraction),
            _ => None,
        },
        idle: "`threshold.method` is neither `local_mean` nor `sauvola`",
        ..KEY
    },
    Key {
        name: "middle_class",
        meaning: "Where the class in the middle belongs, for `otsu3`.",
        kind: Kind::Word(MiddleClass::json_schema),
        default: Initial::Word("foreground"),
        renamed_from: &["assign_middle_to_foreground"],
        stage: Some(Stage::Threshold),
        setting: |profile| match threshold_method(profile)? {
            ThresholdMethod::Otsu3 { middle_class } => Setting::of(middle_class),
            _ => None,
        },
        idle: "`threshold.method` is not `otsu3`",
        ..KEY
    },
    Key {
        name: "log_transform",
        meaning: "Whether the threshold is sought among logarithms of the values.",
        kind: Kind::Flag,
        default: Initial::Flag(false),
        renamed_from: &["log_transform_before_thresholding"],
        stage: Some(Stage::Threshold),
        setting: |profile| Setting::of(profile.classical()?.threshold.log_transform),
        ..KEY
    },
];

pub(super) static SPLIT: [Key; 5] = [
    Key {
        name: "method",
        meaning: "What the separation follows.",
        kind: Kind::Word(SplitWord::json_schema),
        default: Initial::Word("shape"),
        renamed_from: &["declump_method", "unclump_method"],
        stage: Some(Stage::Split),
        setting: |profile| Setting::of(profile.classical()?.split.method.word()),
        ..KEY
    },
    Key {
        stage: Some(Stage::Split),
        setting: |profile| auto_setting(classical_with_split(profile)?.split.suppression),
        idle: NOTHING_IS_SPLIT,
        ..SUPPRESSION_AUTO
    },
    Key {
        renamed_from_px: &["suppress_local_maxima", "maxima_suppression_size"],
        stage: Some(Stage::Split),
        setting: |profile| {
            length_setting(classical_with_split(profile)?.split.suppression.distance()?)
        },
        idle: NOTHING_IS_SPLIT,
        ..SUPPRESSION
    },
    Key {
        name: "h",
        meaning: "How much a center must rise above the saddle to its neighbor: in pixels for `shape`, in the channel's unit for `intensity` and `log`.",
        kind: number_kind(0.0, 100.0),
        default: Initial::By {
            key: "split.method",
            value: |method| match method {
                "none" => json!(0.0),
                "shape" => json!(0.75),
                _ => json!(0.02),
            },
            shown: "`0.75` for `shape`, `0.02` for `intensity` and `log`",
        },
        stage: Some(Stage::Split),
        setting: |profile| Setting::of(classical_with_split(profile)?.split.h),
        idle: NOTHING_IS_SPLIT,
        ..KEY
    },
    Key {
        name: "log_sigma",
        meaning: "Standard deviation of the Gaussian, for `log`: about 0.7 of a nucleus's radius.",
        kind: Kind::Length { um: [0.1, 100.0], px: [0.5, 200.0] },
        // Blobs of 3.5 micrometers radius: the scale is the radius over the square root of 2.
        default: Initial::Number(2.5),
        stage: Some(Stage::Split),
        setting: |profile| length_setting(profile.classical()?.split.method.log_sigma()?),
        idle: "`split.method` is not `log`",
        ..KEY
    },
];

const NOTHING_IS_SPLIT: &str = "`split.method` is `none`";

fn threshold_method(profile: &Profile) -> Option<ThresholdMethod> {
    profile.classical().map(|classical| classical.threshold.method)
}

/// The classical path where it divides touching nuclei.
fn classical_with_split(profile: &Profile) -> Option<&Classical> {
    profile.classical().filter(|classical| classical.split.method != SplitMethod::None)
}
