//! Annotations: findings as workflow commands, which GitHub shows beside the changed lines.
//!
//! # Sources
//! GitHub Docs, Workflow commands for GitHub Actions; escapes after the runner's
//! `ActionCommand.cs`.

use super::text::visible_char;
use cellgate_inputs::finding::{Finding, Severity};
use std::fmt::Write as _;

/// GitHub shows so many annotations of one level for a step and drops the rest.
const MAX_PER_LEVEL: usize = 10;

/// The findings as workflow commands, one a line, worst first, at most ten of each level.
///
/// # Edge cases
/// Of more than ten of a level, the tenth tells how many are not shown.
#[must_use]
pub fn annotations(findings: &[Finding]) -> String {
    let levels =
        [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "notice")];
    let mut text = String::new();
    for (severity, command) in levels {
        let of_level: Vec<&Finding> =
            findings.iter().filter(|finding| finding.severity == severity).collect();
        let fits = of_level.len() <= MAX_PER_LEVEL;
        let n_shown = if fits { of_level.len() } else { MAX_PER_LEVEL - 1 };
        for finding in &of_level[..n_shown] {
            text.push_str(&workflow_command(command, finding));
        }
        if !fits {
            let rest = of_level.len() - n_shown;
            // Writing to a text cannot fail.
            let _ =
                writeln!(text, "::{command} title=cellgate::{rest} more {severity}s, see the log");
        }
    }
    text
}

fn workflow_command(command: &str, finding: &Finding) -> String {
    let mut properties = vec![("file", finding.place.path.to_string())];
    if let Some(span) = finding.place.span {
        properties.push(("line", span.line.to_string()));
        properties.push(("endLine", span.end_line.to_string()));
        // GitHub takes columns only within one line.
        if span.line == span.end_line {
            properties.push(("col", span.column.to_string()));
            properties.push(("endColumn", span.end_column.to_string()));
        }
    }
    properties.push(("title", format!("cellgate: {}", finding.code)));
    let properties: Vec<String> = properties
        .into_iter()
        .map(|(name, value)| format!("{name}={}", escape_property(&value)))
        .collect();
    let help = finding.help.as_ref().map_or(String::new(), |help| format!("\n{help}"));
    let message = escape_message(&format!("{}{help}", finding.message));
    format!("::{command} {}::{message}\n", properties.join(","))
}

/// A message: the runner turns these three escapes back, `%25` last.
fn escape_message(text: &str) -> String {
    let is_line_end = |character: char| matches!(character, '\r' | '\n');
    let text: String =
        text.chars().map(|c| if is_line_end(c) { c } else { visible_char(c) }).collect();
    // The old form of commands is obeyed anywhere in a line.
    let text = text.replace("##[", "# #[");
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_message(text).replace(':', "%3A").replace(',', "%2C")
}
