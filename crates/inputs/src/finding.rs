//! Findings: remarks about an input, as values.
//!
//! Terminal, annotation, SARIF, JUnit and JSON are renderings of this one type, see `report`.
//! A finding says that an input is wrong; an error says that cellgate could not do its work.

use crate::source::Place;
use std::fmt;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Probably not meant; does not fail the run.
    Warning,
    /// The input is invalid; exit code 10.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One remark about an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Kind of the remark.
    pub code: Code,
    /// How much it weighs.
    pub severity: Severity,
    /// Where it belongs.
    pub place: Place,
    /// The problem, in one sentence without a final period.
    pub message: String,
    /// Allowed values or advice, in one sentence without a final period.
    pub help: Option<String>,
}

impl Finding {
    /// Makes an error.
    #[must_use]
    pub fn error(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, place, message: message.into(), help: None }
    }

    /// Makes a warning.
    #[must_use]
    pub fn warning(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, place, message) }
    }

    /// Makes a note.
    #[must_use]
    pub fn note(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(code, place, message) }
    }

    /// Adds what is allowed or what to do.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// Whether any finding makes the input invalid.
#[must_use]
pub fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

/// The candidate that a mistyped word was probably meant to be.
///
/// # Edge cases
/// Upper case, hyphens and spaces count as lower case and underscores. `None` when no candidate is
/// near; the first of several that are equally near.
#[must_use]
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let normalize = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let word = normalize(word);
    // One edit in three characters still looks like the word; beyond 64 nobody mistypes, and the
    // comparison costs the product of the lengths.
    let n_characters = word.chars().count();
    let limit = (n_characters / 3).max(1);
    if 64 < n_characters {
        return None;
    }
    let distance = |candidate: &str| strsim::damerau_levenshtein(&word, &normalize(candidate));
    let distances = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    distances.filter(|(d, _)| *d <= limit).min_by_key(|(d, _)| *d).map(|(_, candidate)| candidate)
}

macro_rules! codes {
    ($($(#[$section:meta])* $variant:ident $text:literal $meaning:literal;)+) => {
        /// Kind of a finding; its text form never changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)+
        }

        impl Code {
            /// Every code, in the order of the path.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code in kebab-case.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Meaning of the code, in one sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning),+ }
            }
        }
    };
}

codes! {
    // Text and YAML.
    FileUnreadable "file-unreadable" "The file cannot be read.";
    FileTooLarge "file-too-large" "The file is larger than cellgate accepts.";
    TextNotUtf8 "text-not-utf8" "The file is not UTF-8 text.";
    TextHasNul "text-has-nul" "The file contains a NUL byte or another control character.";
    YamlSyntax "yaml-syntax" "The file is not valid YAML.";
    YamlDuplicateKey "yaml-duplicate-key" "A key occurs twice in one mapping.";
    YamlAlias "yaml-alias" "Anchors and aliases are not accepted.";
    YamlTag "yaml-tag" "Tags are not accepted.";
    YamlDepth "yaml-depth" "The file is nested too deeply.";
    YamlDocuments "yaml-documents" "The file is empty or holds more than one document.";
    SchemaMissing "schema-missing" "The file does not say which schema it follows.";
    SchemaUnknown "schema-unknown" "The file follows another schema than the one expected here.";
    SchemaTooNew "schema-too-new" "The file follows a newer version of the schema.";
    SchemaTooOld "schema-too-old" "The file follows a version of the schema that is no longer read.";
    UnknownKey "unknown-key" "A key that the schema does not know.";
    RenamedKey "renamed-key" "A key that has another name here.";
    MissingKey "missing-key" "A required key is missing.";
    WrongType "wrong-type" "A value has the wrong type.";
    UnknownValue "unknown-value" "A value is not among those allowed.";
    OutOfRange "out-of-range" "A number is outside its allowed range.";
    TooManyItems "too-many-items" "A list has too few or too many items.";
    WrongForm "wrong-form" "A text does not have the form that is needed.";
    // Profiles.
    NameMismatch "name-mismatch" "A profile's name differs from its file's name.";
    NameTaken "name-taken" "Two things have the same name.";
    UnitConflict "unit-conflict" "A length is given in both units.";
    PixelSizeMissing "pixel-size-missing" "A length in micrometers needs a pixel size.";
    PixelSizeConflict "pixel-size-conflict" "Two sources of the pixel size differ by more than 1 %.";
    PixelSizeAssumed "pixel-size-assumed" "The image is taken to be at the working resolution.";
    RangeInverted "range-inverted" "A minimum is above its maximum.";
    RadiusTooSmall "radius-too-small" "The background's radius is smaller than the largest nucleus's.";
    BlurTooWide "blur-too-wide" "Smoothing is wider than the smallest nucleus.";
    ThresholdsNotRising "thresholds-not-rising" "Thresholds of positivity do not rise.";
    StainsParallel "stains-parallel" "Two stain vectors are nearly parallel.";
    StainMissing "stain-missing" "A stain that the profile uses is not defined.";
    ChannelModality "channel-modality" "The channel does not exist for this modality.";
    KeyWithoutEffect "key-without-effect" "A key has no effect with the other keys.";
    // Projects.
    ReferenceUnknown "reference-unknown" "A name refers to something that is not defined.";
    PathOutside "path-outside" "A path leads out of its folder.";
    NothingMatched "nothing-matched" "A selection matches nothing.";
    // Datasets and images.
    ImageUnreadable "image-unreadable" "The image cannot be decoded.";
    ImageTooLarge "image-too-large" "The image is larger than cellgate accepts.";
    ImageUnsupported "image-unsupported" "The image cannot be represented faithfully.";
    ImageModality "image-modality" "The image does not fit the profile's modality.";
    DigestMismatch "digest-mismatch" "A file's content is not what its digest says.";
    MaskShape "mask-shape" "A mask has another size than its image.";
    MaskNotLabels "mask-not-labels" "A mask is not a label image.";
    SplitLeak "split-leak" "Fields of one group are in both training and testing.";
    DatasetLayout "dataset-layout" "The dataset's files do not follow the layout.";
    // Judgement: a verdict as a remark about the profile that it is on.
    Drifted "drifted" "A profile's measurements moved beyond their tolerance.";
    Inconclusive "inconclusive" "It could not be decided whether a profile's measurements moved.";
    Broken "broken" "A profile has no result that could be compared.";
    AccuracyBelowFloor "accuracy-below-floor" "A profile's accuracy is below its floor.";
    ApprovalMissing "approval-missing" "A change must be approved and is not.";
    RunsDiffer "runs-differ" "Two runs were not made alike.";
    ApprovalsBroken "approvals-broken" "The log of approvals cannot be trusted.";
    ApprovalsDiverged "approvals-diverged" "Two branches of approvals have each records of their own.";
    ProfileUngated "profile-ungated" "No entry of the gate tries a profile.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_kebab_case() {
        let mut texts: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
        let kebab =
            |t: &str| t.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        assert!(texts.iter().all(|text| kebab(text)));
    }
}
