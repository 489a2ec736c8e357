//! Findings as JSON, for programs.

use cellgate_inputs::finding::Finding;
use serde_json::{Value, json};

/// Value of the `schema` key of [`document`].
pub const SCHEMA: &str = "cellgate/findings/v1";

/// The findings as a list, in their order.
///
/// # Edge cases
/// A finding about a whole file has `null` for line and column; lines and columns count from 1.
#[must_use]
pub fn list(findings: &[Finding]) -> Value {
    let entry = |finding: &Finding| {
        let span = finding.place.span;
        json!({
            "code": finding.code.as_str(),
            "severity": finding.severity.to_string(),
            "file": &*finding.place.path,
            "line": span.map(|span| span.line),
            "column": span.map(|span| span.column),
            "end_line": span.map(|span| span.end_line),
            "end_column": span.map(|span| span.end_column),
            "message": finding.message,
            "help": finding.help,
        })
    };
    findings.iter().map(entry).collect()
}

/// The findings as a document of its own.
#[must_use]
pub fn document(findings: &[Finding]) -> Value {
    json!({"schema": SCHEMA, "findings": list(findings)})
}
