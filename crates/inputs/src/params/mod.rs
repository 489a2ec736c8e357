//! Params: cell-parameter profiles, from YAML text to a value that cannot be wrong.
//!
//! The types of a profile are `cellgate_core::profile`, the table of its keys
//! `cellgate_core::profile::keys`; only this module makes a [`Params`].

mod changes;
mod schema;
mod reference;
mod read;
mod rules;
mod load;

pub use cellgate_core::profile::keys::SCHEMA;
pub use changes::ChangedKey;
pub use load::{Loaded, file_of_tree, load, load_all, of_text};
pub use reference::reference_markdown;
pub use schema::schema;

use crate::finding::{Code, Finding};
use crate::source::{Place, Source};
use crate::yaml::{Document, route};
use cellgate_core::digest::Digest;
use cellgate_core::profile::Profile;
use cellgate_core::profile::keys::physical_keys;
use cellgate_core::units::PixelSize;
use std::ops::Deref;

/// A validated profile and its digest.
///
/// Holding one means that every range, unit and cross-field rule holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    profile: Profile,
    digest: Digest,
}

impl Params {
    /// Digest of the canonical form of the profile with its defaults: comments, order and
    /// formatting of the file do not change it, nor does its description.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The keys whose value differs in `head`, sorted by their path.
    #[must_use]
    pub fn changed_keys(&self, head: &Self) -> Vec<ChangedKey> {
        changes::changed_keys(&self.profile, &head.profile)
    }

    /// Whether the profile can run on images of a pixel size, or on images without one.
    ///
    /// `known` is what the caller, the dataset or the image file says; without it the profile's own
    /// pixel size counts. The finding's place is the profile's file as `path` names it.
    #[must_use]
    pub fn check_pixel_size(&self, known: Option<PixelSize>, path: &str) -> Vec<Finding> {
        let physical = physical_keys(&self.profile);
        let Some(key) = physical.first() else { return Vec::new() };
        if known.or(self.image.pixel_size).or(self.image.working_pixel_size).is_some() {
            return Vec::new();
        }
        let message = format!("`{key}` is in micrometers, but nobody knows the pixel size");
        let help = "give `--pixel-size-um`, a dataset with `pixel_size_um`, or \
                    `image.pixel_size_um` in the profile; or write lengths in pixels";
        vec![Finding::error(Code::PixelSizeMissing, Place::file(path), message).help(help)]
    }
}

impl Deref for Params {
    type Target = Profile;

    fn deref(&self) -> &Profile {
        &self.profile
    }
}

/// Where a key stands in a profile's text: `smoothing.sigma_um`; its section where the file leaves
/// it to its default, and the file's first line where there is neither.
#[must_use]
pub fn place_of_key(source: &Source, key: &str) -> Place {
    match Document::parse(source) {
        Ok(document) => document.key_place(&route(key)),
        Err(_) => Place::file(source.path.clone()),
    }
}

#[cfg(test)]
mod tests;
