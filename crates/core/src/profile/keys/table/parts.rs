//! Parts: keys, kinds and settings that rows of the table share.

use crate::profile::keys::key::{Initial, Key, Kind, Setting};
use crate::profile::{AutoWord, Suppression};
use crate::units::{Area, Length};
use schemars::JsonSchema as _;

/// A key of which nothing is known yet.
pub(super) const KEY: Key = Key {
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

/// A name that can be a file's.
pub(super) const NAME: Kind = Kind::Text {
    pattern: Some("^[a-z0-9][a-z0-9-]{0,63}$"),
    max_length: None,
    form: "lowercase letters, digits and hyphens",
};

/// The unit of thresholds: brightness from 0 to 1, or optical density.
pub(super) const OF_CHANNEL: &str = "in the channel's unit";

/// A number without a unit.
pub(super) const fn number_kind(least: f64, most: f64) -> Kind {
    Kind::Number { range: [least, most], unit: "" }
}

/// How close two centers may be, as the image's own nuclei say.
pub(super) const SUPPRESSION_AUTO: Key = Key {
    name: "suppression",
    meaning: "`auto`: how close two centers of nuclei may be follows the image's own nuclei.",
    kind: Kind::Word(AutoWord::json_schema),
    default: Initial::Word("auto"),
    ..KEY
};

/// How close two centers may be, as people say.
pub(super) const SUPPRESSION: Key = Key {
    name: "suppression",
    meaning: "How close two centers of nuclei may be, as a fixed distance; instead of `suppression`.",
    kind: Kind::Length { um: [0.0, 500.0], px: [0.0, 1000.0] },
    ..KEY
};

pub(super) fn auto_setting(suppression: Suppression) -> Option<Setting> {
    match suppression {
        Suppression::Auto => Setting::of(AutoWord::Auto),
        Suppression::Distance(_) => None,
    }
}

pub(super) fn length_setting(length: Length) -> Option<Setting> {
    Some(Setting::Length(length))
}

pub(super) fn area_setting(area: Area) -> Option<Setting> {
    Some(Setting::Area(area))
}
