//! Nuclei: the keys of the sections `morphology` and `classify`.

use super::parts::{KEY, OF_CHANNEL, area_setting, length_setting};
use crate::profile::ClassMeasurement;
use crate::profile::keys::key::{Initial, Key, Kind, Setting, Stage};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

pub(super) static MORPHOLOGY: [Key; 6] = [
    Key {
        name: "open_radius",
        meaning: "Radius of the disk of the opening; 0 leaves it out.",
        kind: Kind::Length { um: [0.0, 50.0], px: [0.0, 100.0] },
        default: Initial::Number(0.0),
        stage: Some(Stage::Mask),
        setting: |profile| length_setting(profile.morphology.open_radius),
        ..KEY
    },
    Key {
        name: "close_radius",
        meaning: "Radius of the disk of the closing; 0 leaves it out.",
        kind: Kind::Length { um: [0.0, 50.0], px: [0.0, 100.0] },
        default: Initial::Number(0.0),
        stage: Some(Stage::Mask),
        setting: |profile| length_setting(profile.morphology.close_radius),
        ..KEY
    },
    Key {
        name: "fill_holes_max_area",
        meaning: "Holes up to this area are filled; 0 fills none.",
        kind: AREA,
        // Nucleoli and vacuoles leave holes of a few square micrometers.
        default: Initial::Number(25.0),
        stage: Some(Stage::Mask),
        setting: |profile| area_setting(profile.morphology.fill_holes_max_area),
        ..KEY
    },
    Key {
        name: "min_area",
        meaning: "Smaller nuclei are dropped.",
        kind: AREA,
        // QuPath's smallest nucleus.
        default: Initial::Number(10.0),
        renamed_from: &["minAreaMicrons"],
        renamed_from_px: &["minArea"],
        stage: Some(Stage::Mask),
        setting: |profile| area_setting(profile.morphology.min_area),
        ..KEY
    },
    Key {
        name: "max_area",
        meaning: "Larger nuclei are dropped; without it every size is kept.",
        kind: AREA,
        renamed_from: &["maxAreaMicrons"],
        renamed_from_px: &["maxArea"],
        stage: Some(Stage::Clean),
        setting: |profile| area_setting(profile.morphology.max_area?),
        ..KEY
    },
    Key {
        name: "exclude_border",
        meaning: "Whether nuclei that touch the image's border are dropped.",
        kind: Kind::Flag,
        default: Initial::Flag(false),
        renamed_from: &["discard_border_objects", "exclude_border_objects"],
        stage: Some(Stage::Clean),
        setting: |profile| Setting::of(profile.morphology.exclude_border),
        ..KEY
    },
];

pub(super) static CLASSIFY: [Key; 2] = [
    Key {
        name: "measurement",
        meaning: "The measurement that decides: a channel and `mean` or `max`.",
        kind: Kind::Word(measurements),
        default: Initial::Required,
        renamed_from: &["thresholdCompartment"],
        stage: Some(Stage::Measure),
        setting: |profile| Setting::of(profile.classify.as_ref()?.measurement.word()),
        ..KEY
    },
    Key {
        name: "thresholds",
        meaning: "One threshold (negative, positive) or three (negative, 1+, 2+, 3+), rising; a value at a threshold belongs above it.",
        kind: Kind::Numbers {
            count: [1, 3],
            range: [0.0, 20.0],
            unit: OF_CHANNEL,
            form: "one threshold, or three",
        },
        default: Initial::Required,
        renamed_from: &["thresholdPositive1", "thresholdPositive2", "thresholdPositive3"],
        stage: Some(Stage::Measure),
        setting: |profile| Setting::of(&profile.classify.as_ref()?.thresholds),
        ..KEY
    },
];

/// Areas of nuclei and holes.
const AREA: Kind = Kind::Area { um2: [0.0, 100_000.0], px2: [0.0, 1_000_000.0] };

/// The measurements that may decide, as words.
fn measurements(_: &mut SchemaGenerator) -> Schema {
    let words: Vec<Value> = ClassMeasurement::all().map(|one| Value::from(one.word())).collect();
    json_schema!({"type": "string", "enum": words})
}
