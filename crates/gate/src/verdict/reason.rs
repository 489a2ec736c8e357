//! Reasons of a verdict: a code that never changes, a weight, and a sentence.

use cellgate_inputs::finding::Severity;
use std::fmt;

/// Why a verdict is what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Kind of the reason.
    pub code: ReasonCode,
    /// How much it weighs; an error makes the verdict worse than `equivalent`.
    pub severity: Severity,
    /// One sentence without a final period. It may quote names from the change.
    pub text: String,
}

macro_rules! reason_codes {
    ($($variant:ident $text:literal $meaning:literal;)+) => {
        /// Kind of a reason; its text form never changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ReasonCode {
            $(#[doc = $meaning] $variant,)+
        }

        impl ReasonCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code in kebab-case.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
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

reason_codes! {
    NothingCompared "nothing-compared" "There was no profile or no field to compare.";
    HeadInvalid "head-invalid" "Head's profile is invalid.";
    BaseInvalid "base-invalid" "Base's profile is invalid, so there is nothing to compare with.";
    Incomparable "incomparable" "The two sides cannot be compared.";
    FieldFailed "field-failed" "A field could not be processed with head's profile.";
    BaseFieldFailed "base-field-failed" "A field could not be processed with base's profile.";
    FieldEmptied "field-emptied" "A field lost all its nuclei.";
    MeasurementMissing "measurement-missing" "A judged measurement is gone.";
    MeasurementDrifted "measurement-drifted" "A measurement moved beyond its margin.";
    MeasurementInconclusive "measurement-inconclusive" "A measurement cannot be told from its margin.";
    NothingJudged "nothing-judged" "Results differ, and no tolerance judges any measurement.";
    TooFewFields "too-few-fields" "There are too few fields to decide.";
    StructureVanished "structure-vanished" "Too many nuclei vanished.";
    StructureAppeared "structure-appeared" "Too many nuclei appeared.";
    StructureSplit "structure-split" "Too many nuclei fell apart.";
    StructureMerged "structure-merged" "Too many nuclei grew together.";
    NewProfile "new-profile" "The profile is new.";
    DeletedProfile "deleted-profile" "The profile was deleted.";
    AccuracyBelowFloor "accuracy-below-floor" "Accuracy against truth misses its floor.";
    AccuracyUnknown "accuracy-unknown" "A floor is set and no field has truth.";
    AccuracyMoved "accuracy-moved" "Accuracy against truth moved.";
    DatasetChanged "dataset-changed" "The fixture dataset changed.";
    PolicyChanged "policy-changed" "Tolerances, floors or the approval policy changed.";
    EngineChanged "engine-changed" "The engine gives other numbers than the one approved last.";
    EngineNondeterministic "engine-nondeterministic" "The engine gave different results for the same input.";
    ApprovalsBroken "approvals-broken" "The log of approvals cannot be trusted.";
    FindingsPresent "findings-present" "An input is invalid.";
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
