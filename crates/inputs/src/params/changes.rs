//! Changes: the keys that differ between two profiles.

use cellgate_core::profile::Profile;
use cellgate_core::profile::keys::{Set, path_of, settings};
use serde_json::Value;
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

/// The keys that differ, sorted by their path.
///
/// # Edge cases
/// Keys that have an effect only in one of the two profiles are among them.
pub(super) fn changed_keys(base: &Profile, head: &Profile) -> Vec<ChangedKey> {
    let (base, head) = (flatten(base), flatten(head));
    let mut names: Vec<&String> = base.keys().chain(head.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let changed_names = names.into_iter().filter(|name| base.get(*name) != head.get(*name));
    let side = |entry: Option<&Entry>, other: Option<&Entry>| match entry {
        None => "-".to_owned(),
        Some(entry) => match other {
            Some(other) if other.unit != entry.unit && entry.value != "0" => {
                format!("{} {}", entry.value, entry.unit).trim_end().to_owned()
            }
            _ => entry.value.clone(),
        },
    };
    changed_names
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
fn flatten(profile: &Profile) -> BTreeMap<String, Entry> {
    let entry = |set: Set| {
        let unit = match set.setting.unit() {
            "um" => "µm",
            "px" => "px",
            "um2" => "µm²",
            "px2" => "px²",
            _ => "",
        };
        let key = set.path();
        let path = path_of(set.section, set.key);
        let value = match set.setting.json() {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let value = value.strip_suffix(".0").map_or(value.clone(), str::to_owned);
        (path, Entry { key, value, unit })
    };
    let mut entries: BTreeMap<String, Entry> = settings(profile).map(entry).collect();
    // Canonical forms are older than the word, so that only the newer method is named in them.
    entries.entry("method".to_owned()).or_insert_with(|| Entry {
        key: "method".to_owned(),
        value: "classical".to_owned(),
        unit: "",
    });
    entries
}
