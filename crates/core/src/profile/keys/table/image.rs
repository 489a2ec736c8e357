//! Image: the keys of the sections `image` and `stains`.

use super::parts::KEY;
use crate::profile::keys::key::{Initial, Key, Kind, Setting, Stage};
use crate::profile::{Modality, Profile, Stains};
use schemars::JsonSchema as _;

/// A pixel size.
const PIXEL_SIZE: Kind = Kind::Number { range: [0.01, 100.0], unit: "µm" };

pub(super) static IMAGE: [Key; 3] = [
    Key {
        name: "modality",
        meaning: "How the image came about.",
        kind: Kind::Word(Modality::json_schema),
        default: Initial::Required,
        stage: Some(Stage::Signal),
        setting: |profile| Setting::of(profile.image.modality),
        ..KEY
    },
    Key {
        name: "pixel_size_um",
        meaning: "Pixel size to use when neither the caller, the dataset nor the image file knows one.",
        kind: PIXEL_SIZE,
        stage: Some(Stage::Signal),
        setting: |profile| Setting::of(profile.image.pixel_size?.um()),
        ..KEY
    },
    Key {
        name: "working_pixel_size_um",
        meaning: "Resolution to segment at: finer images are averaged down, coarser ones are left alone.",
        kind: PIXEL_SIZE,
        renamed_from: &["requestedPixelSizeMicrons", "requested_pixel_size_um"],
        stage: Some(Stage::Signal),
        setting: |profile| Setting::of(profile.image.working_pixel_size?.um()),
        ..KEY
    },
];

/// Defaults are the vectors that QuPath starts with for H-DAB and H&E.
///
/// # Sources
/// Bankhead et al. 2017, doi:10.1038/s41598-017-17204-5; hematoxylin and DAB after Ruifrok and
/// Johnston 2001.
pub(super) static STAINS: [Key; 4] = [
    Key {
        name: "hematoxylin",
        meaning: "Hematoxylin.",
        kind: VECTOR,
        default: Initial::Numbers(&[0.65, 0.70, 0.29]),
        stage: Some(Stage::Signal),
        setting: |profile| Setting::of(stains(profile)?.hematoxylin),
        ..KEY
    },
    Key {
        name: "dab",
        meaning: "Diaminobenzidine, for `ihc_hdab`.",
        kind: VECTOR,
        default: Initial::Numbers(&[0.27, 0.57, 0.78]),
        stage: Some(Stage::Signal),
        setting: |profile| Setting::of(stains(profile)?.dab?),
        idle: "the modality is `he`",
        ..KEY
    },
    Key {
        name: "eosin",
        meaning: "Eosin, for `he`.",
        kind: VECTOR,
        default: Initial::Numbers(&[0.2159, 0.8012, 0.5581]),
        stage: Some(Stage::Signal),
        setting: |profile| Setting::of(stains(profile)?.eosin?),
        idle: "the modality is `ihc_hdab`",
        ..KEY
    },
    Key {
        name: "background",
        meaning: "Red, green and blue of clear glass.",
        kind: Kind::Numbers { count: [3, 3], range: [1.0, 255.0], unit: "", form: "" },
        default: Initial::Numbers(&[255.0, 255.0, 255.0]),
        stage: Some(Stage::Signal),
        setting: |profile| Setting::of(stains(profile)?.background),
        ..KEY
    },
];

/// The optical density that a stain gives to red, green and blue.
const VECTOR: Kind = Kind::Numbers { count: [3, 3], range: [-1.0, 1.0], unit: "", form: "" };

fn stains(profile: &Profile) -> Option<&Stains> {
    profile.stains.as_ref()
}
