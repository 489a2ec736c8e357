//! Table: every key of a profile's file, in the order in which the schema names them.
//!
//! A key that is not here cannot be written, has no default and no digest. What holds between keys
//! stands with the reading of profiles.

mod parts;
mod image;
mod network;
mod classical;
mod nuclei;

use super::key::{Initial, Key, Kind, Part, Section, Setting, Stage};
use crate::profile::{MeasureGroup, MethodWord, Modality};
use classical::{BACKGROUND, DETECTION, SMOOTHING, SPLIT, THRESHOLD};
use image::{IMAGE, STAINS};
use network::UNET;
use nuclei::{CLASSIFY, MORPHOLOGY};
use parts::{KEY, NAME};
use schemars::JsonSchema as _;

/// Value of the key `schema` of a profile.
pub const SCHEMA: &str = "cellgate/profile/v1";

/// A section whose keys all have defaults.
const SECTION: Section =
    Section { name: "", meaning: "", is_required: false, idle: |_| None, keys: &[] };

/// A section that only the classical path reads.
const CLASSICAL_SECTION: Section =
    Section { idle: |profile| profile.unet().map(|_| "`method` is `unet`"), ..SECTION };

/// The parts of a profile's file.
pub static FILE: [Part; 15] = [
    Part::Key(Key {
        name: "schema",
        meaning: "Which schema the file follows: `cellgate/profile/v1`.",
        kind: Kind::Text { pattern: None, max_length: None, form: "" },
        default: Initial::Required,
        setting: |_| Setting::of(SCHEMA),
        ..KEY
    }),
    Part::Key(Key {
        name: "name",
        meaning: "Name of the profile: the file's name without its ending.",
        kind: NAME,
        default: Initial::Required,
        setting: |profile| Setting::of(&profile.name),
        ..KEY
    }),
    Part::Key(Key {
        name: "description",
        meaning: "What the profile is for, in your own words; changes no number.",
        kind: Kind::Text { pattern: None, max_length: Some(2000), form: "at most 2000 characters" },
        ..KEY
    }),
    Part::Section(Section {
        name: "image",
        meaning: "What kind of image the profile is for.",
        is_required: true,
        keys: &IMAGE,
        ..SECTION
    }),
    Part::Section(Section {
        name: "stains",
        meaning: "Stain vectors: the optical density that each stain gives to red, green and blue; brightfield only.",
        idle: |profile| {
            let has_none = profile.image.modality == Modality::Fluorescence;
            has_none.then_some("fluorescence images have no stain vectors")
        },
        keys: &STAINS,
        ..SECTION
    }),
    Part::Key(Key {
        name: "method",
        meaning: "How nuclei are found.",
        kind: Kind::Word(MethodWord::json_schema),
        default: Initial::Word("classical"),
        stage: Some(Stage::Signal),
        // Canonical forms are older than the word, so that only the newer method is named in them.
        setting: |profile| profile.unet().and_then(|_| Setting::of(MethodWord::Unet)),
        ..KEY
    }),
    Part::Section(Section {
        name: "unet",
        meaning: "The trained network, for `method: unet`; `detection`, `background`, `smoothing`, `threshold` and `split` then have no effect.",
        idle: |profile| profile.classical().map(|_| "`method` is `classical`"),
        keys: &UNET,
        ..SECTION
    }),
    Part::Section(Section {
        name: "detection",
        meaning: "What nuclei are detected on.",
        keys: &DETECTION,
        ..CLASSICAL_SECTION
    }),
    Part::Section(Section {
        name: "background",
        meaning: "Removal of uneven background.",
        keys: &BACKGROUND,
        ..CLASSICAL_SECTION
    }),
    Part::Section(Section {
        name: "smoothing",
        meaning: "Noise removal before the threshold.",
        keys: &SMOOTHING,
        ..CLASSICAL_SECTION
    }),
    Part::Section(Section {
        name: "threshold",
        meaning: "What counts as foreground: pixels above the threshold.",
        keys: &THRESHOLD,
        ..CLASSICAL_SECTION
    }),
    Part::Section(Section {
        name: "morphology",
        meaning: "Cleaning of the foreground and of the nuclei.",
        keys: &MORPHOLOGY,
        ..SECTION
    }),
    Part::Section(Section {
        name: "split",
        meaning: "Separation of touching nuclei.",
        keys: &SPLIT,
        ..CLASSICAL_SECTION
    }),
    Part::Section(Section {
        name: "classify",
        meaning: "Positivity; without it nuclei are not classified.",
        keys: &CLASSIFY,
        ..SECTION
    }),
    Part::Key(Key {
        name: "measure",
        meaning: "Groups of measurements to take.",
        kind: Kind::Words { of: MeasureGroup::json_schema, most: None, is_set: true, form: "" },
        default: Initial::Words(&["shape", "intensity"]),
        stage: Some(Stage::Measure),
        setting: |profile| Setting::of(&profile.measure),
        ..KEY
    }),
];
