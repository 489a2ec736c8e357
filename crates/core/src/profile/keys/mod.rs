//! Keys: the one table of what may stand in a profile's file, and what follows from it.
//!
//! For each key: its meaning, type, unit, range and default; its value in a profile, which the
//! canonical form, the digest and the list of changes are made of; why it may have no effect; and
//! the first stage of segmentation that reads it.

mod key;
mod table;

pub use key::{Initial, Key, Kind, Part, Section, Setting, Stage};
pub use table::{FILE, SCHEMA};

use crate::profile::Profile;
use serde_json::{Map, Value};

/// All keys of a profile's file, each with its section; a key of the file itself has none.
///
/// # Examples
/// ```
/// use cellgate_core::profile::keys::{SCHEMA, all, path_of};
///
/// assert_eq!(SCHEMA, "cellgate/profile/v1");
/// let paths: Vec<String> = all().map(|(section, key)| path_of(section, key)).collect();
/// assert!(paths.contains(&"threshold.window".to_owned()));
/// ```
pub fn all() -> impl Iterator<Item = (Option<&'static Section>, &'static Key)> {
    FILE.iter().flat_map(|part| {
        let (one, section) = match part {
            Part::Key(key) => (Some((None, key)), None),
            Part::Section(section) => (None, Some(section)),
        };
        let keys = section
            .into_iter()
            .flat_map(|section| section.keys.iter().map(move |key| (Some(section), key)));
        one.into_iter().chain(keys)
    })
}

/// A key's path without its unit: `smoothing.sigma`.
#[must_use]
pub fn path_of(section: Option<&Section>, key: &Key) -> String {
    match section {
        Some(section) => format!("{}.{}", section.name, key.name),
        None => key.name.to_owned(),
    }
}

/// The value that a key has in a profile.
#[derive(Debug, Clone)]
pub struct Set {
    /// The section that the key stands in.
    pub section: Option<&'static Section>,
    /// The key.
    pub key: &'static Key,
    /// Its value.
    pub setting: Setting,
}

impl Set {
    /// The key's path as it is written: `smoothing.sigma_um`.
    #[must_use]
    pub fn path(&self) -> String {
        let path = path_of(self.section, self.key);
        match self.setting.unit() {
            "" => path,
            unit => format!("{path}_{unit}"),
        }
    }

    /// The first stage that reads the key; `None` where it changes no number.
    #[must_use]
    pub fn stage(&self, profile: &Profile) -> Option<Stage> {
        let is_unet = profile.unet().is_some();
        self.key.stage.map(|stage| if is_unet { stage.with_network() } else { stage })
    }
}

/// Every key that has a value and an effect in a profile, in the table's order.
pub fn settings(profile: &Profile) -> impl Iterator<Item = Set> {
    all().filter_map(|(section, key)| {
        (key.setting)(profile).map(|setting| Set { section, key, setting })
    })
}

/// Paths of the keys whose value is in micrometers.
///
/// # Edge cases
/// Pixel sizes are not among them.
#[must_use]
pub fn physical_keys(profile: &Profile) -> Vec<String> {
    settings(profile).filter(|set| set.setting.is_physical()).map(|set| set.path()).collect()
}

/// The canonical form of a profile, which its digest and its changes are read from.
///
/// Defaults are filled in; the description is left out; keys without effect are left out; units stay
/// as they were written, so that `sigma_um: 1` and `sigma_px: 2` differ.
#[must_use]
pub fn canonical(profile: &Profile) -> Value {
    let mut file = Map::new();
    for set in settings(profile) {
        let unit = set.setting.unit();
        let name = set.key.name.to_owned();
        let name = if unit.is_empty() { name } else { format!("{name}_{unit}") };
        let value = set.setting.json();
        match set.section {
            None => {
                file.insert(name, value);
            }
            Some(section) => {
                let section = file.entry(section.name).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(section) = section {
                    section.insert(name, value);
                }
            }
        }
    }
    Value::Object(file)
}

/// The first stage that reads a key which differs in two profiles; `None` where no number differs.
///
/// # Edge cases
/// Two profiles of different methods differ from the first stage on.
#[must_use]
pub fn first_difference(base: &Profile, head: &Profile) -> Option<Stage> {
    if base.unet().is_some() != head.unet().is_some() {
        return Some(Stage::Signal);
    }
    let of = |profile: &Profile| -> Vec<(Stage, String, Value)> {
        let staged = settings(profile)
            .filter_map(|set| Some((set.stage(profile)?, set.path(), set.setting.json())));
        staged.collect()
    };
    let (base, head) = (of(base), of(head));
    let only = |one: &[(Stage, String, Value)], other: &[(Stage, String, Value)]| {
        one.iter().filter(|entry| !other.contains(entry)).map(|(stage, ..)| *stage).min()
    };
    [only(&base, &head), only(&head, &base)].into_iter().flatten().min()
}

#[cfg(test)]
mod tests;
