//! Lines: reasons and findings as the report tells them.

use super::words::severity_word;
use cellgate_inputs::finding::Severity;
use serde::{Deserialize, Serialize};

/// One reason of a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasonLine {
    /// Kebab-case code.
    pub code: String,
    /// How much it weighs.
    #[serde(with = "severity_word")]
    pub severity: Severity,
    /// One sentence without a final period; names in it stand between backticks.
    pub text: String,
}

/// One remark about an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingLine {
    /// Kebab-case code.
    pub code: String,
    /// How much it weighs.
    #[serde(with = "severity_word")]
    pub severity: Severity,
    /// File.
    pub path: String,
    /// Line, from 1; absent for the whole file.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
    /// Text of the remark.
    pub message: String,
    /// Advice on what to do.
    pub help: Option<String>,
}
