//! Table: every key of a profile's file, in the order in which the schema names them.
//!
//! A key that is not here cannot be written, has no default and no digest. What holds between keys
//! stands with the reading of profiles.

use super::key::{Initial, Key, Kind, Part, Section, Setting, Stage};
use crate::profile::{
    AutoWord, BackgroundWord, Channel, ClassMeasurement, Classical, MeasureGroup, MethodWord,
    MiddleClass, Modality, Normalization, Profile, Separation, SplitMethod, SplitWord, Stains,
    Suppression, ThresholdMethod, ThresholdWord, Unet, UpSampling,
};
use crate::units::{Area, Length};
use schemars::{JsonSchema as _, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// What the key `schema` of a profile says.
pub const SCHEMA: &str = "cellgate/profile/v1";

/// A key of which nothing is known yet.
const KEY: Key = Key {
    name: "",
    meaning: "",
    kind: Kind::Flag,
    default: Initial::Absent,
    renamed_from: &[],
    renamed_from_px: &[],
    stage: None,
    setting: |_| None,
    idle: "",
};

/// A section whose keys all have defaults.
const SECTION: Section =
    Section { name: "", meaning: "", is_required: false, idle: |_| None, keys: &[] };

/// A section that only the classical path reads.
const CLASSICAL_SECTION: Section =
    Section { idle: |profile| profile.unet().map(|_| "`method` is `unet`"), ..SECTION };

/// A name that can be a file's.
const NAME: Kind = Kind::Text {
    pattern: Some("^[a-z0-9][a-z0-9-]{0,63}$"),
    max_length: None,
    form: "lowercase letters, digits and hyphens",
};

/// The unit of thresholds: brightness from 0 to 1, or optical density.
const OF_CHANNEL: &str = "in the channel's unit";

/// A number without a unit.
const fn number(least: f64, most: f64) -> Kind {
    Kind::Number { range: [least, most], unit: "" }
}

/// A pixel size.
const PIXEL_SIZE: Kind = Kind::Number { range: [0.01, 100.0], unit: "µm" };

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

static IMAGE: [Key; 3] = [
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
static STAINS: [Key; 4] = [
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

/// Defaults are the network that ships: 1.9 million parameters, 4 MB in half precision.
static UNET: [Key; 14] = [
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
        kind: number(0.0, 1.0),
        default: Initial::Number(0.5),
        renamed_from: &["prob_thresh"],
        stage: Some(Stage::Decode),
        setting: |profile| Setting::of(profile.unet()?.nucleus_threshold),
        ..KEY
    },
    Key {
        name: "h",
        meaning: "How much a center must rise above the saddle to its neighbor, as a probability.",
        kind: number(0.0, 1.0),
        // Three tenths of a nucleus's depth: less is the texture of one nucleus.
        default: Initial::Number(0.3),
        stage: Some(Stage::Decode),
        setting: |profile| Setting::of(profile.unet()?.h),
        ..KEY
    },
    Key {
        stage: Some(Stage::Decode),
        setting: |profile| auto(network_suppression(profile)?),
        ..SUPPRESSION_AUTO
    },
    Key {
        stage: Some(Stage::Decode),
        setting: |profile| length(network_suppression(profile)?.distance()?),
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

static DETECTION: [Key; 1] = [Key {
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

static BACKGROUND: [Key; 2] = [
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
        setting: |profile| length(profile.classical()?.background.radius()?),
        idle: "`background.method` is `none`",
        ..KEY
    },
];

static SMOOTHING: [Key; 2] = [
    Key {
        name: "median_radius",
        meaning: "Radius of the disk whose median replaces each pixel; 0 leaves it out.",
        kind: Kind::Length { um: [0.0, 50.0], px: [0.0, 100.0] },
        default: Initial::Number(0.0),
        renamed_from: &["medianRadiusMicrons"],
        renamed_from_px: &["medianRadius"],
        stage: Some(Stage::Background),
        setting: |profile| length(profile.classical()?.smoothing.median_radius),
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
        setting: |profile| length(profile.classical()?.smoothing.sigma),
        ..KEY
    },
];

static THRESHOLD: [Key; 9] = [
    Key {
        name: "method",
        meaning: "How the threshold is found.",
        kind: Kind::Word(ThresholdWord::json_schema),
        default: Initial::Word("otsu"),
        renamed_from: &["thresholding_method", "threshold_method"],
        stage: Some(Stage::Threshold),
        setting: |profile| Setting::of(threshold(profile)?.word()),
        ..KEY
    },
    Key {
        name: "value",
        meaning: "The threshold itself, for `manual`; in the channel's unit.",
        kind: Kind::Number { range: [0.0, 20.0], unit: OF_CHANNEL },
        renamed_from: &["manual_threshold"],
        stage: Some(Stage::Threshold),
        setting: |profile| match threshold(profile)? {
            ThresholdMethod::Manual { value } => Setting::of(value),
            _ => None,
        },
        idle: "`threshold.method` is not `manual`",
        ..KEY
    },
    Key {
        name: "correction_factor",
        meaning: "Factor that the found threshold is multiplied with.",
        kind: number(0.1, 10.0),
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
        setting: |profile| length(threshold(profile)?.window()?),
        idle: "`threshold.method` is neither `local_mean` nor `sauvola`",
        ..KEY
    },
    Key {
        name: "k",
        meaning: "Weight of the contrast, for `sauvola`.",
        kind: number(0.0, 1.0),
        // The weight in most published uses on dark backgrounds.
        default: Initial::Number(0.2),
        stage: Some(Stage::Threshold),
        setting: |profile| match threshold(profile)? {
            ThresholdMethod::Sauvola { k, .. } => Setting::of(k),
            _ => None,
        },
        idle: "`threshold.method` is not `sauvola`",
        ..KEY
    },
    Key {
        name: "global_fraction",
        meaning: "Lowest local threshold as a fraction of the image's Otsu threshold, for `local_mean` and `sauvola`.",
        kind: number(0.0, 1.0),
        // CellProfiler's lower limit of a local threshold.
        default: Initial::Number(0.7),
        stage: Some(Stage::Threshold),
        setting: |profile| match threshold(profile)? {
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
        setting: |profile| match threshold(profile)? {
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

static MORPHOLOGY: [Key; 6] = [
    Key {
        name: "open_radius",
        meaning: "Radius of the disk of the opening; 0 leaves it out.",
        kind: Kind::Length { um: [0.0, 50.0], px: [0.0, 100.0] },
        default: Initial::Number(0.0),
        stage: Some(Stage::Mask),
        setting: |profile| length(profile.morphology.open_radius),
        ..KEY
    },
    Key {
        name: "close_radius",
        meaning: "Radius of the disk of the closing; 0 leaves it out.",
        kind: Kind::Length { um: [0.0, 50.0], px: [0.0, 100.0] },
        default: Initial::Number(0.0),
        stage: Some(Stage::Mask),
        setting: |profile| length(profile.morphology.close_radius),
        ..KEY
    },
    Key {
        name: "fill_holes_max_area",
        meaning: "Holes up to this area are filled; 0 fills none.",
        kind: AREA,
        // Nucleoli and vacuoles leave holes of a few square micrometers.
        default: Initial::Number(25.0),
        stage: Some(Stage::Mask),
        setting: |profile| area(profile.morphology.fill_holes_max_area),
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
        setting: |profile| area(profile.morphology.min_area),
        ..KEY
    },
    Key {
        name: "max_area",
        meaning: "Larger nuclei are dropped; without it every size is kept.",
        kind: AREA,
        renamed_from: &["maxAreaMicrons"],
        renamed_from_px: &["maxArea"],
        stage: Some(Stage::Clean),
        setting: |profile| area(profile.morphology.max_area?),
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

/// Areas of nuclei and holes.
const AREA: Kind = Kind::Area { um2: [0.0, 100_000.0], px2: [0.0, 1_000_000.0] };

static SPLIT: [Key; 5] = [
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
        setting: |profile| auto(dividing(profile)?.split.suppression),
        idle: NOTHING_IS_SPLIT,
        ..SUPPRESSION_AUTO
    },
    Key {
        renamed_from_px: &["suppress_local_maxima", "maxima_suppression_size"],
        stage: Some(Stage::Split),
        setting: |profile| length(dividing(profile)?.split.suppression.distance()?),
        idle: NOTHING_IS_SPLIT,
        ..SUPPRESSION
    },
    Key {
        name: "h",
        meaning: "How much a center must rise above the saddle to its neighbor: in pixels for `shape`, in the channel's unit for `intensity` and `log`.",
        kind: number(0.0, 100.0),
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
        setting: |profile| Setting::of(dividing(profile)?.split.h),
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
        setting: |profile| length(profile.classical()?.split.method.log_sigma()?),
        idle: "`split.method` is not `log`",
        ..KEY
    },
];

const NOTHING_IS_SPLIT: &str = "`split.method` is `none`";

/// How close two centers may be, as the image's own nuclei say.
const SUPPRESSION_AUTO: Key = Key {
    name: "suppression",
    meaning: "`auto`: how close two centers of nuclei may be follows the image's own nuclei.",
    kind: Kind::Word(AutoWord::json_schema),
    default: Initial::Word("auto"),
    ..KEY
};

/// How close two centers may be, as people say.
const SUPPRESSION: Key = Key {
    name: "suppression",
    meaning: "How close two centers of nuclei may be, as a fixed distance; instead of `suppression`.",
    kind: Kind::Length { um: [0.0, 500.0], px: [0.0, 1000.0] },
    ..KEY
};

static CLASSIFY: [Key; 2] = [
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

/// The measurements that may decide, as words.
fn measurements(_: &mut SchemaGenerator) -> Schema {
    let words: Vec<Value> = ClassMeasurement::all().map(|one| Value::from(one.word())).collect();
    json_schema!({"type": "string", "enum": words})
}

fn stains(profile: &Profile) -> Option<&Stains> {
    profile.stains.as_ref()
}

fn threshold(profile: &Profile) -> Option<ThresholdMethod> {
    profile.classical().map(|classical| classical.threshold.method)
}

/// The classical path where it divides touching nuclei.
fn dividing(profile: &Profile) -> Option<&Classical> {
    profile.classical().filter(|classical| classical.split.method != SplitMethod::None)
}

fn network_suppression(profile: &Profile) -> Option<Suppression> {
    profile.unet().map(|unet: &Unet| unet.suppression)
}

fn auto(suppression: Suppression) -> Option<Setting> {
    match suppression {
        Suppression::Auto => Setting::of(AutoWord::Auto),
        Suppression::Distance(_) => None,
    }
}

fn length(length: Length) -> Option<Setting> {
    Some(Setting::Length(length))
}

fn area(area: Area) -> Option<Setting> {
    Some(Setting::Area(area))
}
