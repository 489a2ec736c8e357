//! Raw: a profile's file as it is written, key by key.
//!
//! The one source of the JSON Schema, of the ranges and units in messages and of the reference
//! table. Every key but three may be left out; a length or an area has a key for each unit.

use super::defaults;
use cellgate_core::profile::{Channel, MeasureGroup, MiddleClass, Modality};
use cellgate_core::profile::{Normalization, Separation, UpSampling};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// Cell parameters for one type of image.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "cellgate profile")]
pub(super) struct RawProfile {
    /// Which schema the file follows: `cellgate/profile/v1`.
    #[expect(dead_code, reason = "checked before the file is read")]
    pub(super) schema: String,
    /// Name of the profile: the file's name without its ending.
    #[schemars(regex(pattern = "^[a-z0-9][a-z0-9-]{0,63}$"), extend("x-form" = "lowercase letters, digits and hyphens"))]
    pub(super) name: String,
    /// What the profile is for, in your own words; changes no number.
    #[schemars(length(max = 2000), extend("x-form" = "at most 2000 characters"))]
    pub(super) description: Option<String>,
    /// What kind of image the profile is for.
    pub(super) image: RawImage,
    /// Stain vectors: the optical density that each stain gives to red, green and blue; brightfield only.
    pub(super) stains: Option<RawStains>,
    /// How nuclei are found.
    #[schemars(extend("default" = "classical"))]
    pub(super) method: Option<MethodWord>,
    /// The trained network, for `method: unet`; `detection`, `background`, `smoothing`, `threshold` and `split` then have no effect.
    pub(super) unet: Option<RawUnet>,
    /// What nuclei are detected on.
    #[serde(default)]
    pub(super) detection: RawDetection,
    /// Removal of uneven background.
    #[serde(default)]
    pub(super) background: RawBackground,
    /// Noise removal before the threshold.
    #[serde(default)]
    pub(super) smoothing: RawSmoothing,
    /// What counts as foreground: pixels above the threshold.
    #[serde(default)]
    pub(super) threshold: RawThreshold,
    /// Cleaning of the foreground and of the nuclei.
    #[serde(default)]
    pub(super) morphology: RawMorphology,
    /// Separation of touching nuclei.
    #[serde(default)]
    pub(super) split: RawSplit,
    /// Positivity; without it nuclei are not classified.
    pub(super) classify: Option<RawClassify>,
    /// Groups of measurements to take.
    #[schemars(length(min = 1), extend("uniqueItems" = true, "default" = defaults::MEASURE))]
    pub(super) measure: Option<Vec<MeasureGroup>>,
}

/// How nuclei are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum MethodWord {
    /// By the steps that the sections of this file describe.
    Classical,
    /// By a trained network.
    Unet,
}

/// What kind of image the profile is for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawImage {
    /// How the image came about.
    pub(super) modality: Modality,
    /// Pixel size to use when neither the caller, the dataset nor the image file knows one.
    #[schemars(range(min = 0.01, max = 100.0), extend("x-unit" = "µm"))]
    pub(super) pixel_size_um: Option<f64>,
    /// Resolution to segment at: finer images are averaged down, coarser ones are left alone.
    #[schemars(range(min = 0.01, max = 100.0), extend("x-unit" = "µm", "x-renamed-from" = ["requestedPixelSizeMicrons", "requested_pixel_size_um"]))]
    pub(super) working_pixel_size_um: Option<f64>,
}

/// Stain vectors: the optical density that each stain gives to red, green and blue.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStains {
    /// Hematoxylin.
    #[schemars(inner(range(min = -1.0, max = 1.0)), extend("default" = defaults::HEMATOXYLIN))]
    pub(super) hematoxylin: Option<[f64; 3]>,
    /// Diaminobenzidine, for `ihc_hdab`.
    #[schemars(inner(range(min = -1.0, max = 1.0)), extend("default" = defaults::DAB))]
    pub(super) dab: Option<[f64; 3]>,
    /// Eosin, for `he`.
    #[schemars(inner(range(min = -1.0, max = 1.0)), extend("default" = defaults::EOSIN))]
    pub(super) eosin: Option<[f64; 3]>,
    /// Red, green and blue of clear glass.
    #[schemars(inner(range(min = 1.0, max = 255.0)), extend("default" = defaults::CLEAR_GLASS))]
    pub(super) background: Option<[f64; 3]>,
}

/// The trained network, for `method: unet`; `detection`, `background`, `smoothing`, `threshold` and `split` then have no effect.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUnet {
    /// Name of the model: `NAME.safetensors` and `NAME.card.json` in the folder of models.
    #[schemars(regex(pattern = "^[a-z0-9][a-z0-9-]{0,63}$"), extend("x-form" = "lowercase letters, digits and hyphens"))]
    pub(super) model: String,
    /// Digest of the weights' file, which the model's card names.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"), extend("x-form" = "64 lowercase hexadecimal digits"))]
    pub(super) weights_sha256: String,
    /// What the network is given; nuclei are bright in all of it.
    #[schemars(length(min = 1, max = 8), extend("x-form" = "one to eight channels", "x-default" = "`[gray, gray, gray]` for fluorescence, else `[od_red, od_green, od_blue]`"))]
    pub(super) channels: Option<Vec<Channel>>,
    /// How many times the network halves the resolution.
    #[schemars(range(min = 1, max = 5), extend("default" = defaults::DEPTH))]
    pub(super) depth: Option<u32>,
    /// Channels of the network's first level.
    #[schemars(range(min = 8, max = 64), extend("multipleOf" = 8, "x-form" = "a multiple of 8", "default" = defaults::BASE_WIDTH))]
    pub(super) base_width: Option<u32>,
    /// What follows each 3x3 convolution.
    #[schemars(extend("default" = "batch"))]
    pub(super) normalization: Option<Normalization>,
    /// How resolution is doubled.
    #[schemars(extend("default" = "transposed"))]
    pub(super) up_sampling: Option<UpSampling>,
    /// What of the network's answer touching nuclei are separated by.
    #[schemars(extend("default" = "distance"))]
    pub(super) separation: Option<Separation>,
    /// Pixels of at least this probability of lying in a nucleus are foreground.
    #[schemars(range(min = 0.0, max = 1.0), extend("default" = defaults::NUCLEUS_THRESHOLD, "x-renamed-from" = ["prob_thresh"]))]
    pub(super) nucleus_threshold: Option<f64>,
    /// How much a center must rise above the saddle to its neighbor, as a probability.
    #[schemars(range(min = 0.0, max = 1.0), extend("default" = defaults::NETWORK_H))]
    pub(super) h: Option<f64>,
    /// `auto`: how close two centers of nuclei may be follows the image's own nuclei.
    #[schemars(extend("default" = "auto"))]
    pub(super) suppression: Option<AutoWord>,
    /// How close two centers of nuclei may be, as a fixed distance; instead of `suppression`.
    #[schemars(range(min = 0.0, max = 500.0), extend("x-unit" = "µm"))]
    pub(super) suppression_um: Option<f64>,
    /// The same in pixels.
    #[schemars(range(min = 0.0, max = 1000.0), extend("x-unit" = "px"))]
    pub(super) suppression_px: Option<f64>,
    /// Whether the answers for the image and its mirror images are averaged: better, and several times slower.
    #[schemars(extend("default" = false))]
    pub(super) mirror_averaging: Option<bool>,
    /// Edge of the tiles that large images are predicted in, overlap included.
    #[schemars(range(min = 512, max = 4096), extend("multipleOf" = 32, "x-unit" = "px", "x-form" = "a multiple of 32", "default" = defaults::TILE_PX))]
    pub(super) tile_px: Option<u32>,
}

/// What nuclei are detected on.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDetection {
    /// The channel that nuclei are bright in.
    #[schemars(extend("x-default" = "`gray` for fluorescence, `hematoxylin_od` for he, `od_sum` for ihc_hdab", "x-renamed-from" = ["detectionImage", "detectionImageBrightfield"]))]
    pub(super) channel: Option<Channel>,
}

/// Removal of uneven background.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBackground {
    /// How the background is found.
    #[schemars(extend("default" = "none", "x-renamed-from" = ["backgroundByReconstruction"]))]
    pub(super) method: Option<BackgroundMethod>,
    /// Radius of the disk, larger than any nucleus's; needed with `opening` and `reconstruction`.
    #[schemars(range(min = 0.1, max = 500.0), extend("x-unit" = "µm", "x-renamed-from" = ["backgroundRadiusMicrons"]))]
    pub(super) radius_um: Option<f64>,
    /// The same in pixels.
    #[schemars(range(min = 1.0, max = 1000.0), extend("x-unit" = "px", "x-renamed-from" = ["backgroundRadius"]))]
    pub(super) radius_px: Option<f64>,
}

/// How the background is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum BackgroundMethod {
    /// The channel is left as it is.
    None,
    /// The opening by a disk is subtracted.
    Opening,
    /// The reconstruction by dilation of the erosion by a disk is subtracted.
    Reconstruction,
}

/// Noise removal before the threshold.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSmoothing {
    /// Radius of the disk whose median replaces each pixel; 0 leaves it out.
    #[schemars(range(min = 0.0, max = 50.0), extend("x-unit" = "µm", "default" = 0, "x-renamed-from" = ["medianRadiusMicrons"]))]
    pub(super) median_radius_um: Option<f64>,
    /// The same in pixels.
    #[schemars(range(min = 0.0, max = 100.0), extend("x-unit" = "px", "x-renamed-from" = ["medianRadius"]))]
    pub(super) median_radius_px: Option<f64>,
    /// Standard deviation of the Gaussian; 0 leaves it out.
    #[schemars(range(min = 0.0, max = 50.0), extend("x-unit" = "µm", "default" = defaults::SIGMA_UM, "x-renamed-from" = ["sigmaMicrons"]))]
    pub(super) sigma_um: Option<f64>,
    /// The same in pixels.
    #[schemars(range(min = 0.0, max = 100.0), extend("x-unit" = "px", "x-renamed-from" = ["threshold_smoothing_scale"]))]
    pub(super) sigma_px: Option<f64>,
}

/// What counts as foreground: pixels above the threshold.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawThreshold {
    /// How the threshold is found.
    #[schemars(extend("default" = "otsu", "x-renamed-from" = ["thresholding_method", "threshold_method"]))]
    pub(super) method: Option<ThresholdWord>,
    /// The threshold itself, for `manual`; in the channel's unit.
    #[schemars(range(min = 0.0, max = 20.0), extend("x-unit" = "in the channel's unit", "x-renamed-from" = ["manual_threshold"]))]
    pub(super) value: Option<f64>,
    /// Factor that the found threshold is multiplied with.
    #[schemars(range(min = 0.1, max = 10.0), extend("default" = defaults::CORRECTION_FACTOR, "x-renamed-from" = ["threshold_correction_factor"]))]
    pub(super) correction_factor: Option<f64>,
    /// Lowest and highest threshold; in the channel's unit.
    #[schemars(inner(range(min = 0.0, max = 20.0)), extend("x-unit" = "in the channel's unit", "x-default" = "`[0, 1]` for `gray`, else `[0, 3]`", "x-renamed-from" = ["lower_and_upper_bounds_on_threshold", "threshold_range"]))]
    pub(super) bounds: Option<[f64; 2]>,
    /// Edge of the window, for `local_mean` and `sauvola`.
    #[schemars(range(min = 0.1, max = 1000.0), extend("x-unit" = "µm", "default" = defaults::WINDOW_UM))]
    pub(super) window_um: Option<f64>,
    /// The same in pixels.
    #[schemars(range(min = 3.0, max = 4000.0), extend("x-unit" = "px", "x-renamed-from" = ["adaptive_window_size", "size_of_adaptive_window"]))]
    pub(super) window_px: Option<f64>,
    /// Weight of the contrast, for `sauvola`.
    #[schemars(range(min = 0.0, max = 1.0), extend("default" = defaults::SAUVOLA_K))]
    pub(super) k: Option<f64>,
    /// Lowest local threshold as a fraction of the image's Otsu threshold, for `local_mean` and `sauvola`.
    #[schemars(range(min = 0.0, max = 1.0), extend("default" = defaults::GLOBAL_FRACTION))]
    pub(super) global_fraction: Option<f64>,
    /// Where the class in the middle belongs, for `otsu3`.
    #[schemars(extend("default" = "foreground", "x-renamed-from" = ["assign_middle_to_foreground"]))]
    pub(super) middle_class: Option<MiddleClass>,
    /// Whether the threshold is sought among logarithms of the values.
    #[schemars(extend("default" = false, "x-renamed-from" = ["log_transform_before_thresholding"]))]
    pub(super) log_transform: Option<bool>,
}

/// How the threshold is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ThresholdWord {
    /// The fixed `value`.
    Manual,
    /// Otsu 1979: two classes with the largest variance between them.
    Otsu,
    /// Otsu with three classes.
    Otsu3,
    /// Li and Lee 1993: minimum cross-entropy.
    Li,
    /// Zack 1977: farthest from the line between the histogram's peak and its tail.
    Triangle,
    /// Mean of a window around each pixel.
    LocalMean,
    /// Sauvola 2000: mean of the window, lowered where its contrast is low.
    Sauvola,
}

/// Cleaning of the foreground and of the nuclei.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMorphology {
    /// Radius of the disk of the opening; 0 leaves it out.
    #[schemars(range(min = 0.0, max = 50.0), extend("x-unit" = "µm", "default" = 0))]
    pub(super) open_radius_um: Option<f64>,
    /// The same in pixels.
    #[schemars(range(min = 0.0, max = 100.0), extend("x-unit" = "px"))]
    pub(super) open_radius_px: Option<f64>,
    /// Radius of the disk of the closing; 0 leaves it out.
    #[schemars(range(min = 0.0, max = 50.0), extend("x-unit" = "µm", "default" = 0))]
    pub(super) close_radius_um: Option<f64>,
    /// The same in pixels.
    #[schemars(range(min = 0.0, max = 100.0), extend("x-unit" = "px"))]
    pub(super) close_radius_px: Option<f64>,
    /// Holes up to this area are filled; 0 fills none.
    #[schemars(range(min = 0.0, max = 100_000.0), extend("x-unit" = "µm²", "default" = defaults::FILL_HOLES_UM2))]
    pub(super) fill_holes_max_area_um2: Option<f64>,
    /// The same in pixels.
    #[schemars(range(min = 0.0, max = 1_000_000.0), extend("x-unit" = "px²"))]
    pub(super) fill_holes_max_area_px2: Option<f64>,
    /// Smaller nuclei are dropped.
    #[schemars(range(min = 0.0, max = 100_000.0), extend("x-unit" = "µm²", "default" = defaults::MIN_AREA_UM2, "x-renamed-from" = ["minAreaMicrons"]))]
    pub(super) min_area_um2: Option<f64>,
    /// The same in pixels.
    #[schemars(range(min = 0.0, max = 1_000_000.0), extend("x-unit" = "px²", "x-renamed-from" = ["minArea"]))]
    pub(super) min_area_px2: Option<f64>,
    /// Larger nuclei are dropped; without it every size is kept.
    #[schemars(range(min = 0.0, max = 100_000.0), extend("x-unit" = "µm²", "x-renamed-from" = ["maxAreaMicrons"]))]
    pub(super) max_area_um2: Option<f64>,
    /// The same in pixels.
    #[schemars(range(min = 0.0, max = 1_000_000.0), extend("x-unit" = "px²", "x-renamed-from" = ["maxArea"]))]
    pub(super) max_area_px2: Option<f64>,
    /// Whether nuclei that touch the image's border are dropped.
    #[schemars(extend("default" = false, "x-renamed-from" = ["discard_border_objects", "exclude_border_objects"]))]
    pub(super) exclude_border: Option<bool>,
}

/// Separation of touching nuclei.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSplit {
    /// What the separation follows.
    #[schemars(extend("default" = "shape", "x-renamed-from" = ["declump_method", "unclump_method"]))]
    pub(super) method: Option<SplitWord>,
    /// `auto`: how close two centers of nuclei may be follows the image's own nuclei.
    #[schemars(extend("default" = "auto"))]
    pub(super) suppression: Option<AutoWord>,
    /// How close two centers of nuclei may be, as a fixed distance; instead of `suppression`.
    #[schemars(range(min = 0.0, max = 500.0), extend("x-unit" = "µm"))]
    pub(super) suppression_um: Option<f64>,
    /// The same in pixels.
    #[schemars(range(min = 0.0, max = 1000.0), extend("x-unit" = "px", "x-renamed-from" = ["suppress_local_maxima", "maxima_suppression_size"]))]
    pub(super) suppression_px: Option<f64>,
    /// How much a center must rise above the saddle to its neighbor: in pixels for `shape`, in the channel's unit for `intensity` and `log`.
    #[schemars(range(min = 0.0, max = 100.0), extend("x-default" = "`0.75` for `shape`, `0.02` for `intensity` and `log`"))]
    pub(super) h: Option<f64>,
    /// Standard deviation of the Gaussian, for `log`: about 0.7 of a nucleus's radius.
    #[schemars(range(min = 0.1, max = 100.0), extend("x-unit" = "µm", "default" = defaults::LOG_SIGMA_UM))]
    pub(super) log_sigma_um: Option<f64>,
    /// The same in pixels.
    #[schemars(range(min = 0.5, max = 200.0), extend("x-unit" = "px"))]
    pub(super) log_sigma_px: Option<f64>,
}

/// What the separation follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum SplitWord {
    /// One nucleus for each connected region.
    None,
    /// Distance to the background: necks divide.
    Shape,
    /// The smoothed channel: dark valleys divide.
    Intensity,
    /// The negative Laplacian of a Gaussian: blobs of its scale.
    Log,
}

/// The word `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum AutoWord {
    /// Found from the image.
    Auto,
}

/// Positivity: the class of a nucleus by one of its measurements.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClassify {
    /// The measurement that decides: a channel and `mean` or `max`.
    #[schemars(schema_with = "measurements", extend("x-renamed-from" = ["thresholdCompartment"]))]
    pub(super) measurement: String,
    /// One threshold (negative, positive) or three (negative, 1+, 2+, 3+), rising; a value at a threshold belongs above it.
    #[schemars(length(min = 1, max = 3), inner(range(min = 0.0, max = 20.0)), extend("x-unit" = "in the channel's unit", "x-form" = "one threshold, or three", "x-renamed-from" = ["thresholdPositive1", "thresholdPositive2", "thresholdPositive3"]))]
    pub(super) thresholds: Vec<f64>,
}

/// The measurements that may decide, as words.
fn measurements(_: &mut SchemaGenerator) -> Schema {
    let words: Vec<String> = super::wire::class_measurements().map(|(word, _)| word).collect();
    json_schema!({"type": "string", "enum": words})
}
