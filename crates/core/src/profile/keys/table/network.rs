//! Network: the keys of the section `unet`.

use super::parts::{
    KEY, NAME, SUPPRESSION, SUPPRESSION_AUTO, auto_setting, length_setting, number_kind,
};
use crate::profile::keys::key::{Initial, Key, Kind, Setting, Stage};
use crate::profile::{Channel, Normalization, Profile, Separation, Suppression, UpSampling};
use schemars::JsonSchema as _;
use serde_json::json;

/// Defaults are the network that ships: 1.9 million parameters, 4 MB in half precision.
pub(super) static UNET: [Key; 14] = [
    Key {
        name: "model",
        meaning: "Name of the model: `NAME.safetensors` and `NAME.card.json` in the folder of models.",
        kind: NAME,
        default: Initial::Required,
        // The name of a file changes no number; the digest of the weights is their identity.
        ..KEY
    },
    Key {
        name: "weights_sha256",
        meaning: "Digest of the weights' file, which the model's card names.",
        kind: Kind::Text {
            pattern: Some("^[0-9a-f]{64}$"),
            max_length: None,
            form: "64 lowercase hexadecimal digits",
        },
        default: Initial::Required,
        stage: Some(Stage::Prediction),
        setting: |profile| Setting::of(profile.unet()?.weights),
        ..KEY
    },
    Key {
        name: "channels",
        meaning: "What the network is given; nuclei are bright in all of it.",
        kind: Kind::Words {
            of: Channel::json_schema,
            most: Some(8),
            is_set: false,
            form: "one to eight channels",
        },
        // Nuclei are bright in brightness and in optical density, so that one network serves both.
        default: Initial::By {
            key: "image.modality",
            value: |modality| match modality {
                "fluorescence" => json!(["gray", "gray", "gray"]),
                _ => json!(["od_red", "od_green", "od_blue"]),
            },
            shown: "`[gray, gray, gray]` for fluorescence, else `[od_red, od_green, od_blue]`",
        },
        stage: Some(Stage::Prediction),
        setting: |profile| Setting::of(&profile.unet()?.channels),
        ..KEY
    },
    Key {
        name: "depth",
        meaning: "How many times the network halves the resolution.",
        kind: Kind::Whole { range: [1, 5], multiple_of: None, unit: "", form: "" },
        default: Initial::Whole(4),
        stage: Some(Stage::Prediction),
        setting: |profile| Setting::of(profile.unet()?.depth),
        ..KEY
    },
    Key {
        name: "base_width",
        meaning: "Channels of the network's first level.",
        kind: Kind::Whole {
            range: [8, 64],
            multiple_of: Some(8),
            unit: "",
            form: "a multiple of 8",
        },
        default: Initial::Whole(16),
        stage: Some(Stage::Prediction),
        setting: |profile| Setting::of(profile.unet()?.base_width),
        ..KEY
    },
    Key {
        name: "normalization",
        meaning: "What follows each 3x3 convolution.",
        kind: Kind::Word(Normalization::json_schema),
        default: Initial::Word("batch"),
        stage: Some(Stage::Prediction),
        setting: |profile| Setting::of(profile.unet()?.normalization),
        ..KEY
    },
    Key {
        name: "up_sampling",
        meaning: "How resolution is doubled.",
        kind: Kind::Word(UpSampling::json_schema),
        default: Initial::Word("transposed"),
        stage: Some(Stage::Prediction),
        setting: |profile| Setting::of(profile.unet()?.up_sampling),
        ..KEY
    },
    Key {
        name: "separation",
        meaning: "What of the network's answer touching nuclei are separated by.",
        kind: Kind::Word(Separation::json_schema),
        default: Initial::Word("distance"),
        stage: Some(Stage::Decode),
        setting: |profile| Setting::of(profile.unet()?.separation),
        ..KEY
    },
    Key {
        name: "nucleus_threshold",
        meaning: "Pixels of at least this probability of lying in a nucleus are foreground.",
        kind: number_kind(0.0, 1.0),
        default: Initial::Number(0.5),
        renamed_from: &["prob_thresh"],
        stage: Some(Stage::Decode),
        setting: |profile| Setting::of(profile.unet()?.nucleus_threshold),
        ..KEY
    },
    Key {
        name: "h",
        meaning: "How much a center must rise above the saddle to its neighbor, as a probability.",
        kind: number_kind(0.0, 1.0),
        // Three tenths of a nucleus's depth: less is the texture of one nucleus.
        default: Initial::Number(0.3),
        stage: Some(Stage::Decode),
        setting: |profile| Setting::of(profile.unet()?.h),
        ..KEY
    },
    Key {
        stage: Some(Stage::Decode),
        setting: |profile| auto_setting(network_suppression(profile)?),
        ..SUPPRESSION_AUTO
    },
    Key {
        stage: Some(Stage::Decode),
        setting: |profile| length_setting(network_suppression(profile)?.distance()?),
        ..SUPPRESSION
    },
    Key {
        name: "mirror_averaging",
        meaning: "Whether the answers for the image and its mirror images are averaged: better, and several times slower.",
        kind: Kind::Flag,
        default: Initial::Flag(false),
        stage: Some(Stage::Prediction),
        setting: |profile| Setting::of(profile.unet()?.mirror_averaging),
        ..KEY
    },
    Key {
        name: "tile_px",
        meaning: "Edge of the tiles that large images are predicted in, overlap included.",
        kind: Kind::Whole {
            range: [512, 4096],
            multiple_of: Some(32),
            unit: "px",
            form: "a multiple of 32",
        },
        // Four million numbers a level: a whole camera image in one piece, in less than half a
        // gigabyte.
        default: Initial::Whole(1024),
        stage: Some(Stage::Prediction),
        setting: |profile| Setting::of(profile.unet()?.tile_px),
        ..KEY
    },
];

fn network_suppression(profile: &Profile) -> Option<Suppression> {
    profile.unet().map(|unet| unet.suppression)
}
