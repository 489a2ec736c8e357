//! SARIF: findings as code scanning reads them.
//!
//! # Sources
//! SARIF 2.1.0, OASIS standard, <https://docs.oasis-open.org/sarif/sarif/v2.1.0/>.

use cellgate_core::digest::Digest;
use cellgate_inputs::finding::{Code, Finding, Severity};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Code scanning keeps so many results of a run.
const MAX_RESULTS: usize = 5000;

/// The findings as a SARIF log of one run, worst first, at most 5000.
#[must_use]
pub fn sarif(findings: &[Finding]) -> Value {
    let codes: BTreeSet<Code> = findings.iter().map(|finding| finding.code).collect();
    let codes: Vec<Code> = codes.into_iter().collect();
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    sorted.truncate(MAX_RESULTS);
    let rule =
        |code: &Code| json!({"id": code.as_str(), "shortDescription": {"text": code.meaning()}});
    let results: Vec<Value> = sorted.iter().map(|finding| result(finding, &codes)).collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "cellgate",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": codes.iter().map(rule).collect::<Vec<Value>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(finding: &Finding, codes: &[Code]) -> Value {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let help = finding.help.as_ref().map_or(String::new(), |help| format!("; {help}"));
    let mut location = json!({"artifactLocation": {"uri": uri(&finding.place.path)}});
    if let Some(span) = finding.place.span {
        location["region"] = json!({
            "startLine": span.line,
            "startColumn": span.column,
            "endLine": span.end_line,
            "endColumn": span.end_column,
        });
    }
    // Lines are left out, so that a result keeps its identity when text is added above it.
    let identity = format!("{}\n{}\n{}", finding.code, finding.place.path, finding.message);
    json!({
        "ruleId": finding.code.as_str(),
        "ruleIndex": codes.iter().position(|code| *code == finding.code),
        "level": level,
        "message": {"text": format!("{}{help}", finding.message)},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"cellgate/v1": Digest::of_bytes(identity.as_bytes()).to_string()},
    })
}

/// A path as a relative URI.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
