//! Wire: the canonical form of a profile, which its digest and its changes are read from.
//!
//! Defaults are filled in; the description is left out; keys without effect are left out; units
//! stay as they were written, so `sigma_um: 1` and `sigma_px: 2` differ.

use cellgate_core::digest::{Digest, DigestError};
use cellgate_core::profile::Unet;
use cellgate_core::profile::*;
use cellgate_core::units::{Area, Length};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A key that differs between two profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedKey {
    /// Path of the key as head writes it, or base where head lacks it: `smoothing.sigma_um`.
    pub key: String,
    /// Base's value, with its unit where the units differ; `-` where base has none.
    pub base: String,
    /// Head's value, likewise.
    pub head: String,
}

/// Digests the canonical form.
pub(super) fn digest(profile: &Profile) -> Result<Digest, DigestError> {
    Digest::of_canonical(&wire(profile))
}

/// The keys that differ, sorted by their path.
///
/// # Edge cases
/// Keys that have an effect only in one of the two profiles are among them.
pub(super) fn changed_keys(base: &Profile, head: &Profile) -> Vec<ChangedKey> {
    let (base, head) = (flat(base), flat(head));
    let mut names: Vec<&String> = base.keys().chain(head.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let changed = names.into_iter().filter(|name| base.get(*name) != head.get(*name));
    let side = |entry: Option<&Entry>, other: Option<&Entry>| match entry {
        None => "-".to_owned(),
        Some(entry) => match other {
            Some(other) if other.unit != entry.unit && entry.value != "0" => {
                format!("{} {}", entry.value, entry.unit).trim_end().to_owned()
            }
            _ => entry.value.clone(),
        },
    };
    changed
        .map(|name| {
            let (base, head) = (base.get(name), head.get(name));
            let key = head.or(base).map_or_else(String::new, |entry| entry.key.clone());
            ChangedKey { key, base: side(base, head), head: side(head, base) }
        })
        .collect()
}

/// One key of the flattened form.
#[derive(PartialEq)]
struct Entry {
    key: String,
    value: String,
    unit: &'static str,
}

/// Keys by their path without the unit.
fn flat(profile: &Profile) -> BTreeMap<String, Entry> {
    let mut entries = BTreeMap::new();
    flatten(&wire(profile), "", &mut entries);
    // Canonical forms are older than the word, so that only the newer method is named in them.
    entries.entry("method".to_owned()).or_insert_with(|| Entry {
        key: "method".to_owned(),
        value: "classical".to_owned(),
        unit: "",
    });
    entries
}

fn flatten(value: &Value, path: &str, entries: &mut BTreeMap<String, Entry>) {
    if let Value::Object(map) = value {
        for (key, value) in map {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            flatten(value, &path, entries);
        }
        return;
    }
    let units = [("_um2", "µm²"), ("_px2", "px²"), ("_um", "µm"), ("_px", "px")];
    let unit = units.into_iter().find(|(ending, _)| path.ends_with(ending));
    let (ending, unit) = unit.unwrap_or(("", ""));
    let name = path.strip_suffix(ending).unwrap_or(path).to_owned();
    let value = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let value = value.strip_suffix(".0").map_or(value.clone(), str::to_owned);
    entries.insert(name, Entry { key: path.to_owned(), value, unit });
}

/// The canonical form.
fn wire(profile: &Profile) -> Value {
    let mut map = Map::new();
    map.insert("schema".to_owned(), json!(super::SCHEMA));
    map.insert("name".to_owned(), json!(profile.name));
    map.insert("image".to_owned(), image(&profile.image));
    if let Some(stains) = &profile.stains {
        let named = [("dab", stains.dab), ("eosin", stains.eosin)];
        let mut section =
            json!({"hematoxylin": stains.hematoxylin, "background": stains.background});
        for (name, vector) in named {
            if let Some(vector) = vector {
                section[name] = json!(vector);
            }
        }
        map.insert("stains".to_owned(), section);
    }
    match &profile.unet {
        None => classical(profile, &mut map),
        Some(network) => {
            map.insert("method".to_owned(), json!("unet"));
            map.insert("unet".to_owned(), unet(network));
        }
    }
    map.insert("morphology".to_owned(), morphology(&profile.morphology));
    if let Some(classify) = &profile.classify {
        let section = json!({
            "measurement": word_of(classify.measurement),
            "thresholds": classify.thresholds,
        });
        map.insert("classify".to_owned(), section);
    }
    map.insert("measure".to_owned(), json!(profile.measure));
    Value::Object(map)
}

fn image(image: &ImageSpec) -> Value {
    let mut section = json!({"modality": image.modality});
    let sizes =
        [("pixel_size_um", image.pixel_size), ("working_pixel_size_um", image.working_pixel_size)];
    for (name, size) in sizes {
        if let Some(size) = size {
            section[name] = json!(size.um());
        }
    }
    section
}

/// What only the classical path reads.
fn classical(profile: &Profile, map: &mut Map<String, Value>) {
    let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
    put("detection", json!({"channel": profile.detection.channel}));
    put("background", background(profile.background));
    let mut smoothing = Map::new();
    put_length(&mut smoothing, "median_radius", profile.smoothing.median_radius);
    put_length(&mut smoothing, "sigma", profile.smoothing.sigma);
    put("smoothing", Value::Object(smoothing));
    put("threshold", threshold(&profile.threshold));
    put("split", split(&profile.split));
}

/// The network without the name of its file, which changes no number.
fn unet(unet: &Unet) -> Value {
    let section = json!({
        "weights_sha256": unet.weights,
        "channels": unet.channels,
        "depth": unet.depth,
        "base_width": unet.base_width,
        "normalization": unet.normalization,
        "up_sampling": unet.up_sampling,
        "separation": unet.separation,
        "nucleus_threshold": unet.nucleus_threshold,
        "h": unet.h,
        "mirror_averaging": unet.mirror_averaging,
        "tile_px": unet.tile_px,
    });
    let Value::Object(mut section) = section else { return section };
    put_suppression(&mut section, unet.suppression);
    Value::Object(section)
}

fn background(background: Background) -> Value {
    let (method, radius) = match background {
        Background::None => ("none", None),
        Background::Opening { radius } => ("opening", Some(radius)),
        Background::Reconstruction { radius } => ("reconstruction", Some(radius)),
    };
    let mut section = Map::from_iter([("method".to_owned(), json!(method))]);
    if let Some(radius) = radius {
        put_length(&mut section, "radius", radius);
    }
    Value::Object(section)
}

fn threshold(threshold: &Threshold) -> Value {
    let mut section = Map::new();
    let mut put = |key: &str, value: Value| section.insert(key.to_owned(), value);
    put("correction_factor", json!(threshold.correction_factor));
    put("bounds", json!(threshold.bounds));
    put("log_transform", json!(threshold.log_transform));
    let (word, window) = match threshold.method {
        ThresholdMethod::Manual { value } => {
            put("value", json!(value));
            ("manual", None)
        }
        ThresholdMethod::Otsu => ("otsu", None),
        ThresholdMethod::Otsu3 { middle_class } => {
            put("middle_class", json!(middle_class));
            ("otsu3", None)
        }
        ThresholdMethod::Li => ("li", None),
        ThresholdMethod::Triangle => ("triangle", None),
        ThresholdMethod::LocalMean { window, global_fraction } => {
            put("global_fraction", json!(global_fraction));
            ("local_mean", Some(window))
        }
        ThresholdMethod::Sauvola { window, k, global_fraction } => {
            put("global_fraction", json!(global_fraction));
            put("k", json!(k));
            ("sauvola", Some(window))
        }
    };
    put("method", json!(word));
    if let Some(window) = window {
        put_length(&mut section, "window", window);
    }
    Value::Object(section)
}

fn morphology(morphology: &Morphology) -> Value {
    let mut section = Map::new();
    put_length(&mut section, "open_radius", morphology.open_radius);
    put_length(&mut section, "close_radius", morphology.close_radius);
    put_area(&mut section, "fill_holes_max_area", morphology.fill_holes_max_area);
    put_area(&mut section, "min_area", morphology.min_area);
    if let Some(max_area) = morphology.max_area {
        put_area(&mut section, "max_area", max_area);
    }
    section.insert("exclude_border".to_owned(), json!(morphology.exclude_border));
    Value::Object(section)
}

fn split(split: &Split) -> Value {
    let mut section = Map::new();
    let word = match split.method {
        SplitMethod::None => "none",
        SplitMethod::Shape => "shape",
        SplitMethod::Intensity => "intensity",
        SplitMethod::Log { sigma } => {
            put_length(&mut section, "log_sigma", sigma);
            "log"
        }
    };
    section.insert("method".to_owned(), json!(word));
    if split.method != SplitMethod::None {
        section.insert("h".to_owned(), json!(split.h));
        put_suppression(&mut section, split.suppression);
    }
    Value::Object(section)
}

fn put_suppression(section: &mut Map<String, Value>, suppression: Suppression) {
    match suppression {
        Suppression::Auto => {
            section.insert("suppression".to_owned(), json!("auto"));
        }
        Suppression::Distance(distance) => put_length(section, "suppression", distance),
    }
}

fn put_length(section: &mut Map<String, Value>, name: &str, length: Length) {
    let unit = if length.is_physical() { "um" } else { "px" };
    section.insert(format!("{name}_{unit}"), json!(length.number()));
}

fn put_area(section: &mut Map<String, Value>, name: &str, area: Area) {
    let unit = if area.is_physical() { "um2" } else { "px2" };
    section.insert(format!("{name}_{unit}"), json!(area.number()));
}

/// The measurements that may decide about positivity, by their words in the file.
pub(super) fn class_measurements() -> impl Iterator<Item = (String, ClassMeasurement)> {
    let channels = [Channel::Gray, Channel::HematoxylinOd, Channel::DabOd, Channel::EosinOd];
    let statistics = [Statistic::Mean, Statistic::Max];
    let all = channels.into_iter().flat_map(move |channel| {
        statistics.map(|statistic| ClassMeasurement { channel, statistic })
    });
    all.map(|measurement| (word_of(measurement), measurement))
}

/// A measurement as a column of `nuclei.csv` names it.
fn word_of(measurement: ClassMeasurement) -> String {
    let channel = measurement.channel.as_str();
    match measurement.statistic {
        Statistic::Mean => format!("{channel}_mean"),
        Statistic::Max => format!("{channel}_max"),
    }
}
