//! Words: how verdicts and severities stand in the report.

use crate::verdict::Verdict;
use cellgate_inputs::finding::Severity;
use serde::{Deserialize, Deserializer, Serializer};

pub(super) mod verdict_word {
    use super::{Deserialize, Deserializer, Serializer, Verdict};

    pub(in super::super) fn serialize<S: Serializer>(
        verdict: &Verdict,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(verdict.as_str())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Verdict, D::Error> {
        let word = String::deserialize(from)?;
        let known = Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == word);
        known.ok_or_else(|| serde::de::Error::custom("not a verdict"))
    }
}

pub(super) mod severity_word {
    use super::{Deserialize, Deserializer, Serializer, Severity};

    pub(in super::super) fn serialize<S: Serializer>(
        severity: &Severity,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_str(severity)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Severity, D::Error> {
        let word = String::deserialize(from)?;
        let all = [Severity::Note, Severity::Warning, Severity::Error];
        let known = all.into_iter().find(|severity| severity.to_string() == word);
        known.ok_or_else(|| serde::de::Error::custom("not a severity"))
    }
}
