//! Difference: changes from one release to the next, for people.
//!
//! Takes two releases, or two texts of one profile; gives lists. Decides nothing.

use super::{Release, ReleasedFile};
use cellgate_inputs::finding::Finding;
use cellgate_inputs::params::of_text;
use cellgate_inputs::source::Source;
use std::collections::BTreeMap;

pub use cellgate_inputs::params::ChangedKey as ParameterChange;

/// Differences between two releases; everything is sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Files that head alone has.
    pub added: Vec<String>,
    /// Files that base alone has.
    pub removed: Vec<String>,
    /// Files of both whose bytes or mode differ.
    pub changed: Vec<String>,
    /// Profiles that head alone has.
    pub added_profiles: Vec<String>,
    /// Profiles that base alone has.
    pub removed_profiles: Vec<String>,
    /// Profiles of both whose parameters differ.
    pub changed_profiles: Vec<String>,
    /// Whether the engine gives other numbers.
    pub is_other_engine: bool,
    /// Whether the policy differs.
    pub is_other_policy: bool,
}

impl Release {
    /// Differences of `head` from `base`; everything of `head` is new when there is no `base`.
    #[must_use]
    pub fn difference(base: Option<&Self>, head: &Self) -> Difference {
        let files = |release: &Self| -> BTreeMap<String, _> {
            let entry = |file: &ReleasedFile| (file.path.clone(), (file.sha256, file.mode));
            release.files.iter().map(entry).collect()
        };
        let profiles = |release: &Self| -> BTreeMap<String, _> {
            release.profiles.iter().map(|one| (one.name.clone(), one.params_digest)).collect()
        };
        let base_files = base.map(files).unwrap_or_default();
        let base_profiles = base.map(profiles).unwrap_or_default();
        let (added, removed, changed) = compare(&base_files, &files(head));
        let (added_profiles, removed_profiles, changed_profiles) =
            compare(&base_profiles, &profiles(head));
        Difference {
            added,
            removed,
            changed,
            added_profiles,
            removed_profiles,
            changed_profiles,
            is_other_engine: base
                .is_some_and(|base| base.engine_fingerprint != head.engine_fingerprint),
            is_other_policy: base.is_some_and(|base| base.policy_digest != head.policy_digest),
        }
    }
}

type Names = Vec<String>;

/// Keys that only head has, only base has, and whose values differ.
fn compare<T: PartialEq>(
    base: &BTreeMap<String, T>,
    head: &BTreeMap<String, T>,
) -> (Names, Names, Names) {
    let added = head.keys().filter(|key| !base.contains_key(*key)).cloned().collect();
    let removed = base.keys().filter(|key| !head.contains_key(*key)).cloned().collect();
    let differs = |key: &&String| base.get(*key).is_some_and(|value| head.get(*key) != Some(value));
    let changed = head.keys().filter(differs).cloned().collect();
    (added, removed, changed)
}

/// The parameters that differ between two texts of one profile, key by key.
///
/// # Errors
/// The findings of the text that is not valid.
pub fn parameter_changes(
    base: &Source,
    head: &Source,
) -> Result<Vec<ParameterChange>, Vec<Finding>> {
    let (base, head) = (of_text(base)?, of_text(head)?);
    Ok(base.params.changed_keys(&head.params))
}
