//! Parts: elements that every part of the page uses: verdicts, digests, reasons, text with code.

use crate::report::model::ReasonLine;
use crate::verdict::Verdict;
use cellgate_inputs::finding::Severity;
use maud::{Markup, html};

/// Most rows of any table.
pub(super) const MAX_ROWS: usize = 200;

/// A field as a picture, see `overlay`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The profile's name.
    pub profile: String,
    /// The field's name.
    pub field: String,
    /// The picture as PNG.
    pub png: Vec<u8>,
}

/// Class and sign of a verdict; its word always stands beside them.
pub(super) fn class_and_sign(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Unchanged => ("good", "="),
        Verdict::Equivalent => ("good", "≈"),
        Verdict::Inconclusive => ("ask", "?"),
        Verdict::Drifted => ("warn", "≠"),
        Verdict::Broken => ("bad", "×"),
    }
}

pub(super) fn pill(verdict: Verdict) -> Markup {
    let (class, sign) = class_and_sign(verdict);
    html! { span class={ "pill " (class) } { span aria-hidden="true" { (sign) " " } (verdict) } }
}

/// The first digits; the whole stands in the tooltip.
pub(super) fn digest(digest: &str) -> Markup {
    html! { code title=(digest) { (digest.chars().take(12).collect::<String>()) } }
}

/// Reasons as a list; names between backticks become code.
pub(super) fn reasons(reasons: &[ReasonLine]) -> Markup {
    html! {
        ul.reasons {
            @for reason in reasons.iter().take(MAX_ROWS) {
                li {
                    @match reason.severity {
                        Severity::Error => b { "Error: " },
                        Severity::Warning => b { "Warning: " },
                        Severity::Note => {},
                    }
                    (prose(&reason.text))
                }
            }
            @if reasons.len() > MAX_ROWS { li { (reasons.len() - MAX_ROWS) " more" } }
        }
    }
}

pub(super) fn prose(text: &str) -> Markup {
    html! {
        @for (index, stretch) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (stretch) } } @else { (stretch) }
        }
    }
}
