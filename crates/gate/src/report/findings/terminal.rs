//! Terminal: findings for people, each with the line it is about.

use super::text::{neutralize_line, visible_char};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use cellgate_inputs::finding::{Finding, Severity};
use cellgate_inputs::source::{Source, Span};
use std::ops::Range;

/// The findings in their order, with the lines that they are about where `sources` has them.
///
/// # Edge cases
/// Control characters and marks that reorder text are shown as U+FFFD. Of a place over several
/// lines the first line is shown.
#[must_use]
pub fn human(findings: &[Finding], sources: &[Source], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for finding in findings {
        let source = sources.iter().find(|source| source.path == finding.place.path);
        text.push_str(&render_finding(finding, source, &renderer));
        text.push_str("\n\n");
    }
    text
}

/// How many findings of each severity there are, as the last line of an output.
#[must_use]
pub fn summary_line(findings: &[Finding]) -> String {
    let count =
        |severity: Severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let part = |severity: Severity| match count(severity) {
        0 => None,
        1 => Some(format!("1 {severity}")),
        n => Some(format!("{n} {severity}s")),
    };
    let parts = [Severity::Error, Severity::Warning, Severity::Note].map(part);
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "no findings".to_owned() } else { parts.join(", ") }
}

fn render_finding(finding: &Finding, source: Option<&Source>, renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let message = neutralize_line(&finding.message);
    let path = neutralize_line(&finding.place.path);
    let help = finding.help.as_deref().map(neutralize_line);
    let line = finding.place.span.zip(source).map(|(span, source)| first_line_of(source, span));
    let title = level.primary_title(message).id(finding.code.as_str());
    let mut group = match (&line, finding.place.span) {
        (Some((number, line, marked)), _) => {
            let mark = AnnotationKind::Primary.span(marked.clone());
            let snippet = Snippet::source(line.as_str()).line_start(*number).path(path);
            title.element(snippet.annotation(mark))
        }
        (None, span) => {
            let origin = annotate_snippets::Origin::path(path);
            title.element(match span {
                Some(span) => origin.line(span.line as usize).char_column(span.column as usize),
                None => origin,
            })
        }
    };
    if let Some(help) = help {
        group = group.element(Level::HELP.message(help));
    }
    renderer.render(&[group])
}

/// The number and visible text of a span's first line, and the span's bytes in that text.
fn first_line_of(source: &Source, span: Span) -> (usize, String, Range<usize>) {
    let start = source.text.floor_char_boundary(span.start_byte);
    let end = source.text.floor_char_boundary(span.end_byte.max(start));
    let line_start = source.text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line = source.text[line_start..].lines().next().unwrap_or_default();
    let mut text = String::new();
    let mut mark = None..None;
    for (at, character) in line.char_indices() {
        let at = line_start + at;
        if start <= at && mark.start.is_none() {
            mark.start = Some(text.len());
        }
        if end <= at && mark.end.is_none() {
            mark.end = Some(text.len());
        }
        // A tab would make the mark stand in another column than the text.
        text.push(if character == '\t' { ' ' } else { visible_char(character) });
    }
    let from = mark.start.unwrap_or(text.len());
    let to = mark.end.unwrap_or(text.len()).max(from);
    (span.line as usize, text, from..to)
}
