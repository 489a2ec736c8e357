//! Params: cell-parameter profiles, from YAML text to a value that cannot be wrong.
//!
//! `profile` holds the types that the pixel floor reads; only this module makes a [`Params`].

mod profile;

pub use profile::{
    Background, Channel, ClassMeasurement, Classify, Detection, ImageSpec, MeasureGroup,
    MiddleClass, Modality, Morphology, Profile, Smoothing, Split, SplitMethod, Stains, Statistic,
    Suppression, Threshold, ThresholdMethod,
};

use crate::digest::Digest;
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
}

impl Deref for Params {
    type Target = Profile;

    fn deref(&self) -> &Profile {
        &self.profile
    }
}
