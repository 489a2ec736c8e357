//! Key: the record that describes one key of a profile's file.

use crate::profile::Profile;
use crate::units::{Area, Length};
use schemars::{Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Value, json};

/// A part of a profile's file.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// A key of the file itself.
    Key(Key),
    /// A section with keys.
    Section(Section),
}

/// A section of a profile's file.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// Its subject, in words.
    pub meaning: &'static str,
    /// Whether it must be there.
    pub is_required: bool,
    /// Why nothing in it has an effect in a profile; `None` where it has one.
    pub idle: fn(&Profile) -> Option<&'static str>,
    /// Its keys.
    pub keys: &'static [Key],
}

/// A key of a profile's file.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name, without the unit of a length or an area.
    pub name: &'static str,
    /// Its meaning, in words.
    pub meaning: &'static str,
    /// Kind of value that it takes.
    pub kind: Kind,
    /// Its value where it is not written.
    pub default: Initial,
    /// Its names in other programs; for a length or an area, those in micrometers.
    pub renamed_from: &'static [&'static str],
    /// Names of a length or an area in pixels in other programs.
    pub renamed_from_px: &'static [&'static str],
    /// The first stage that reads it; `None` where it changes no number.
    pub stage: Option<Stage>,
    /// Its value in a profile, for the canonical form; `None` where it has no effect or no value.
    pub setting: fn(&Profile) -> Option<Setting>,
    /// Why it has no effect where a profile has no setting of it.
    pub idle: &'static str,
}

impl Key {
    /// The names that may be written: two for a length or an area, one for each unit.
    #[must_use]
    pub fn written(&self) -> Vec<String> {
        match self.kind.units() {
            Some([physical, pixels]) => {
                vec![format!("{}_{physical}", self.name), format!("{}_{pixels}", self.name)]
            }
            None => vec![self.name.to_owned()],
        }
    }
}

/// Kind of value that a key takes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A text.
    Text {
        /// The regular expression that it matches.
        pattern: Option<&'static str>,
        /// Most characters.
        max_length: Option<u32>,
        /// Its form, in words; empty where any text will do.
        form: &'static str,
    },
    /// One of several words: the schema of their type.
    Word(fn(&mut SchemaGenerator) -> Schema),
    /// Several different words.
    Words {
        /// The schema of their type.
        of: fn(&mut SchemaGenerator) -> Schema,
        /// Most of them; one at least.
        most: Option<u32>,
        /// Whether each may stand once only.
        is_set: bool,
        /// Form of the list, in words.
        form: &'static str,
    },
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Whole {
        /// Least and most.
        range: [u32; 2],
        /// It is a multiple of this.
        multiple_of: Option<u32>,
        /// Its unit.
        unit: &'static str,
        /// Its form, in words.
        form: &'static str,
    },
    /// A number.
    Number {
        /// Least and most.
        range: [f64; 2],
        /// Its unit.
        unit: &'static str,
    },
    /// Several numbers.
    Numbers {
        /// How many, at least and at most.
        count: [u32; 2],
        /// Least and most of each.
        range: [f64; 2],
        /// Their unit.
        unit: &'static str,
        /// Form of the list, in words.
        form: &'static str,
    },
    /// A length, in a key for each unit.
    Length {
        /// Least and most in micrometers.
        um: [f64; 2],
        /// Least and most in pixels of the working resolution.
        px: [f64; 2],
    },
    /// An area, in a key for each unit.
    Area {
        /// Least and most in square micrometers.
        um2: [f64; 2],
        /// Least and most in pixels of the working resolution.
        px2: [f64; 2],
    },
}

impl Kind {
    /// The endings of a length's or an area's keys.
    #[must_use]
    pub fn units(&self) -> Option<[&'static str; 2]> {
        match self {
            Self::Length { .. } => Some(["um", "px"]),
            Self::Area { .. } => Some(["um2", "px2"]),
            _ => None,
        }
    }
}

/// Value of a key that is not written.
#[derive(Debug, Clone, Copy)]
pub enum Initial {
    /// The key must be written.
    Required,
    /// Nothing: the key has no value then.
    Absent,
    /// A switch.
    Flag(bool),
    /// A whole number.
    Whole(u32),
    /// A number; a length in micrometers, an area in square micrometers.
    Number(f64),
    /// Several numbers.
    Numbers(&'static [f64]),
    /// A word.
    Word(&'static str),
    /// Several words.
    Words(&'static [&'static str]),
    /// Value that the word of another key determines.
    By {
        /// Path of the other key, whose value is a word.
        key: &'static str,
        /// The value.
        value: fn(&str) -> Value,
        /// All of it in words, for people.
        shown: &'static str,
    },
}

impl Initial {
    /// The value; `None` where there is none, or where it rests on another key.
    #[must_use]
    pub fn plain(&self) -> Option<Value> {
        match *self {
            Self::Required | Self::Absent | Self::By { .. } => None,
            Self::Flag(flag) => Some(json!(flag)),
            Self::Whole(number) => Some(json!(number)),
            Self::Number(number) => Some(json!(number)),
            Self::Numbers(numbers) => Some(json!(numbers)),
            Self::Word(word) => Some(json!(word)),
            Self::Words(words) => Some(json!(words)),
        }
    }
}

/// The value of a key in a profile.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// As it is written.
    Plain(Value),
    /// A length, whose unit is written into the key.
    Length(Length),
    /// An area, whose unit is written into the key.
    Area(Area),
}

impl Setting {
    /// A value that is written as it serializes.
    ///
    /// # Edge cases
    /// `None` for what has no JSON form.
    pub(super) fn of(value: impl Serialize) -> Option<Self> {
        serde_json::to_value(value).ok().map(Self::Plain)
    }

    /// The unit that is written into the key; empty where there is none.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        match self {
            Self::Plain(_) => "",
            Self::Length(length) if length.is_physical() => "um",
            Self::Length(_) => "px",
            Self::Area(area) if area.is_physical() => "um2",
            Self::Area(_) => "px2",
        }
    }

    /// Whether the value is in micrometers and needs a pixel size.
    #[must_use]
    pub fn is_physical(&self) -> bool {
        matches!(self.unit(), "um" | "um2")
    }

    /// The value as JSON, in the unit of [`Self::unit`].
    #[must_use]
    pub fn json(self) -> Value {
        match self {
            Self::Plain(value) => value,
            Self::Length(length) => Value::from(length.number()),
            Self::Area(area) => Value::from(area.number()),
        }
    }
}

/// A stage of finding and measuring nuclei, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The detection channel, at the working resolution.
    Signal,
    /// Speckles and uneven background are taken away.
    Background,
    /// The blur before the threshold.
    Smooth,
    /// The threshold is found.
    Threshold,
    /// The foreground is cleaned and falls into regions.
    Mask,
    /// Touching nuclei are divided.
    Split,
    /// Nuclei that are not wanted are dropped, the others are painted.
    Clean,
    /// A network's answer.
    Prediction,
    /// A network's answer becomes nuclei.
    Decode,
    /// Nuclei are measured and classified.
    Measure,
}

impl Stage {
    /// The stage that does the same when a network finds the nuclei.
    #[must_use]
    pub fn with_network(self) -> Self {
        match self {
            Self::Signal | Self::Prediction => Self::Prediction,
            Self::Measure => Self::Measure,
            Self::Background
            | Self::Smooth
            | Self::Threshold
            | Self::Mask
            | Self::Split
            | Self::Clean
            | Self::Decode => Self::Decode,
        }
    }
}
