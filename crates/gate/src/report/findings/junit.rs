//! JUnit: findings as the XML that test dashboards read.

use super::text::visible_char;
use cellgate_inputs::finding::{Finding, Severity};
use std::fmt::Write as _;

/// The findings as a JUnit report: a failed case for each error, a passed one for each file of
/// `files` without errors; warnings and notes stand in the report's output.
#[must_use]
pub fn junit(findings: &[Finding], files: &[String]) -> String {
    let is_error = |finding: &&Finding| finding.severity == Severity::Error;
    let errors: Vec<&Finding> = findings.iter().filter(is_error).collect();
    let is_clean = |file: &&String| errors.iter().all(|error| *error.place.path != ***file);
    let clean: Vec<&String> = files.iter().filter(is_clean).collect();
    let n_cases = errors.len() + clean.len();
    let counts = format!("tests=\"{n_cases}\" failures=\"{}\"", errors.len());
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a text cannot fail.
    let _ = writeln!(xml, "<testsuites name=\"cellgate\" {counts}>");
    let _ = writeln!(xml, "  <testsuite name=\"cellgate validate\" {counts}>");
    for file in clean {
        let name = escape_xml(file);
        let _ = writeln!(xml, "    <testcase classname=\"cellgate.validate\" name=\"{name}\"/>");
    }
    for finding in &errors {
        let _ = write!(xml, "{}", test_case(finding));
    }
    let remarks: Vec<String> =
        findings.iter().filter(|finding| !is_error(finding)).map(full_message).collect();
    if !remarks.is_empty() {
        let _ = writeln!(xml, "    <system-out>{}</system-out>", escape_xml(&remarks.join("\n")));
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn test_case(finding: &Finding) -> String {
    let name = escape_xml(&format!("{} {}", location(finding), finding.code));
    let (message, body) = (escape_xml(&finding.message), escape_xml(&full_message(finding)));
    format!(
        "    <testcase classname=\"cellgate.validate\" name=\"{name}\">\n      \
         <failure type=\"{}\" message=\"{message}\">{body}</failure>\n    </testcase>\n",
        finding.code
    )
}

fn location(finding: &Finding) -> String {
    match finding.place.span {
        Some(span) => format!("{}:{}:{}", finding.place.path, span.line, span.column),
        None => finding.place.path.to_string(),
    }
}

fn full_message(finding: &Finding) -> String {
    let help = finding.help.as_ref().map_or(String::new(), |help| format!(" ({help})"));
    format!("{}: {}: {}{help}", location(finding), finding.severity, finding.message)
}

/// Text for an attribute or an element; XML 1.0 has no form for control characters at all.
fn escape_xml(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\n' => xml.push_str("&#10;"),
            '\u{fffe}' | '\u{ffff}' => xml.push('\u{fffd}'),
            other => xml.push(visible_char(other)),
        }
    }
    xml
}
