//! Binding: the digests that an approval holds for, and how two bindings differ.
//!
//! It is the state that will stand once the change is merged: head's profiles, what head tries
//! them on, head's policy, and the engine that ran them. Commits are no part of it, so that squash,
//! rebase and merge keep an approval.

use cellgate_core::digest::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeSet;
use std::fmt;

/// More profiles are refused.
pub(super) const MAX_PROFILES: usize = 200;

/// The digests that an approval holds for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// Every profile, sorted by name.
    pub profiles: Vec<ProfileBinding>,
    /// Digest of the policy: tolerances, accuracy floors, who may approve.
    #[serde(with = "hex")]
    pub policy_digest: Digest,
    /// Fingerprint of the engine that ran them.
    #[serde(with = "hex")]
    pub engine_fingerprint: Digest,
}

/// One profile of a binding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileBinding {
    /// Its name.
    pub name: String,
    /// Digest of the validated profile; `None` when it is deleted.
    #[serde(with = "hex_or_null")]
    pub params_digest: Option<Digest>,
    /// Digest of what it is tried on, dataset by dataset; `None` when nothing tries it.
    #[serde(with = "hex_or_null")]
    pub dataset_digest: Option<Digest>,
}

/// One profile and the digests that its approval must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject<'a> {
    /// The profile's name.
    pub profile: &'a str,
    /// Digest of the validated profile; `None` when it is deleted.
    pub params: Option<Digest>,
    /// Digest of what it is tried on; `None` when nothing tries it.
    pub dataset: Option<Digest>,
    /// Digest of the policy.
    pub policy: Digest,
    /// Fingerprint of the engine.
    pub engine: Digest,
}

/// A digest that two bindings have each for its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Of which profile; `None` for what holds for all.
    pub profile: Option<String>,
    /// Which digest.
    pub part: Part,
    /// The one that was approved; `None` when there is none.
    pub approved: Option<Digest>,
    /// The one that is there now; `None` when there is none.
    pub present: Option<Digest>,
}

/// One of the digests of a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Of the profile's parameters.
    Params,
    /// Of what the profile is tried on.
    Dataset,
    /// Of the policy.
    Policy,
    /// Of the engine's numbers.
    Engine,
}

impl Part {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Params => "params",
            Self::Dataset => "dataset",
            Self::Policy => "policy",
            Self::Engine => "engine",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |digest: Option<Digest>| digest.map_or("none".into(), |digest| digest.short());
        if let Some(profile) = &self.profile {
            write!(f, "`{profile}`: ")?;
        }
        let (approved, present) = (side(self.approved), side(self.present));
        write!(f, "{} digest {approved} was approved, {present} is there", self.part.as_str())
    }
}

impl Binding {
    /// Subjects that need an approval, one for each profile.
    pub fn subjects(&self) -> impl Iterator<Item = Subject<'_>> {
        self.profiles.iter().map(|profile| Subject {
            profile: &profile.name,
            params: profile.params_digest,
            dataset: profile.dataset_digest,
            policy: self.policy_digest,
            engine: self.engine_fingerprint,
        })
    }

    /// Subject of one profile in this binding; an unknown profile counts as deleted.
    #[must_use]
    pub fn subject<'a>(&self, profile: &'a str) -> Subject<'a> {
        let entry = self.profiles.iter().find(|entry| entry.name == profile);
        Subject {
            profile,
            params: entry.and_then(|entry| entry.params_digest),
            dataset: entry.and_then(|entry| entry.dataset_digest),
            policy: self.policy_digest,
            engine: self.engine_fingerprint,
        }
    }

    /// Where `present` differs from this binding, profile by profile and then in what holds for
    /// all.
    ///
    /// # Edge cases
    /// A profile that one side does not name counts as deleted there and tried on nothing, so one
    /// that is neither there nor tried makes no difference.
    #[must_use]
    pub fn differences(&self, present: &Self) -> Vec<Difference> {
        let names: BTreeSet<&str> = self
            .profiles
            .iter()
            .chain(&present.profiles)
            .map(|profile| profile.name.as_str())
            .collect();
        let mut found = Vec::new();
        for name in names {
            let parts = self.subject(name).differences(&present.subject(name));
            let is_of_profile =
                |(part, _, _): &(Part, _, _)| matches!(part, Part::Params | Part::Dataset);
            found.extend(parts.into_iter().filter(is_of_profile).map(
                |(part, approved, present)| Difference {
                    profile: Some(name.to_owned()),
                    part,
                    approved,
                    present,
                },
            ));
        }
        let common = [
            (Part::Policy, self.policy_digest, present.policy_digest),
            (Part::Engine, self.engine_fingerprint, present.engine_fingerprint),
        ];
        let differences = common.into_iter().filter(|(_, approved, present)| approved != present);
        found.extend(differences.map(|(part, approved, present)| Difference {
            profile: None,
            part,
            approved: Some(approved),
            present: Some(present),
        }));
        found
    }

    /// Whether there are profiles, not too many, each once and in the order of their names.
    pub(super) fn is_well_formed(&self) -> bool {
        let is_name = |name: &str| {
            !name.is_empty() && name.len() <= 200 && !name.chars().any(char::is_control)
        };
        (1..=MAX_PROFILES).contains(&self.profiles.len())
            && self.profiles.iter().all(|profile| is_name(&profile.name))
            && self.profiles.windows(2).all(|pair| pair[0].name < pair[1].name)
    }
}

impl Subject<'_> {
    /// The digests in which `present` differs from this subject.
    pub(super) fn differences(
        &self,
        present: &Self,
    ) -> Vec<(Part, Option<Digest>, Option<Digest>)> {
        let parts = [
            (Part::Params, self.params, present.params),
            (Part::Dataset, self.dataset, present.dataset),
            (Part::Policy, Some(self.policy), Some(present.policy)),
            (Part::Engine, Some(self.engine), Some(present.engine)),
        ];
        parts.into_iter().filter(|(_, approved, present)| approved != present).collect()
    }
}

/// A digest as its 64 digits.
pub(super) mod hex {
    use super::{Deserialize, Deserializer, Digest, Serializer};
    use serde::de::Error;

    pub(crate) fn serialize<S: Serializer>(digest: &Digest, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(digest)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// A digest as its 64 digits, or null; the key must be there.
mod hex_or_null {
    use super::{Deserialize, Deserializer, Digest, Serializer};
    use serde::de::Error;

    pub(crate) fn serialize<S: Serializer>(
        digest: &Option<Digest>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => to.collect_str(digest),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Digest>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|digits| digits.parse().map_err(D::Error::custom)).transpose()
    }
}
