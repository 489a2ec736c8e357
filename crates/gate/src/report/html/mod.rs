//! HTML: the report as one page that needs nothing else.
//!
//! Styles, charts and pictures stand inside the page; it loads nothing and runs nothing, and a
//! policy in it forbids both. It follows light and dark, prints, and fits a telephone. All text is
//! escaped by the template.

mod parts;
mod charts;
mod profile;

pub use parts::Picture;

use super::consent;
use super::explain::{explain, outcome};
use super::model::{Report, Revision};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use parts::{MAX_ROWS, class_and_sign, digest, pill, prose, reasons};

/// Most pictures of one page; more are counted and left out.
pub const MAX_PICTURES: usize = 24;

/// Most bytes of pictures of one page.
pub const MAX_PICTURE_BYTES: usize = 24 << 20;

const STYLE: &str = include_str!("style.css");

/// Renders the page.
///
/// Pictures are shown in the order given, as far as [`MAX_PICTURES`] and [`MAX_PICTURE_BYTES`]
/// allow; [`worst_fields`](super::model::ProfileReport::worst_fields) says which to draw.
#[must_use]
pub fn render(report: &Report, pictures: &[Picture]) -> String {
    let pictures = limit_to_budget(pictures);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy"
                    content="default-src 'none'; style-src 'unsafe-inline'; img-src data:";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { "cellgate: " (report.verdict) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { (banner(report)) (facts(report)) }
                main {
                    @if report.profiles.len() > 1 { (overview(report)) }
                    @for (index, profile) in report.gravest_first() {
                        (profile::section(profile, index, pictures))
                    }
                    (findings(report))
                }
                footer { (statistics(report)) }
            }
        }
    }
    .into_string()
}

fn limit_to_budget(pictures: &[Picture]) -> &[Picture] {
    let mut n_bytes = 0;
    let fits = |picture: &&Picture| {
        n_bytes += picture.png.len();
        n_bytes <= MAX_PICTURE_BYTES
    };
    &pictures[..pictures.iter().take(MAX_PICTURES).take_while(fits).count()]
}

fn banner(report: &Report) -> Markup {
    let (class, sign) = class_and_sign(report.verdict);
    // A gate that fails for another reason than drift must not look calm.
    let class = if !report.exit_code.is_passed() && class == "good" { "bad" } else { class };
    html! {
        div class={ "banner " (class) } {
            h1 { span aria-hidden="true" { (sign) } (capitalize(report.verdict.as_str())) }
            p.lead { (outcome(report)) }
            @if !report.reasons.is_empty() { (reasons(&report.reasons)) }
            (how_to(report))
        }
    }
}

fn how_to(report: &Report) -> Markup {
    html! {
        @if let Some(how_to) = consent::how_to(report) {
            p {
                "To approve exactly this, comment " code { (how_to.comment) }
                " on the pull request, or run " code { (how_to.command) } "."
            }
        }
    }
}

fn capitalize(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

fn facts(report: &Report) -> Markup {
    let approved_engine = report.engine.approved_fingerprint.as_deref();
    html! {
        dl.facts {
            div { dt { "base" } dd { (revision(&report.base)) } }
            div { dt { "head" } dd { (revision(&report.head)) } }
            div { dt { "cellgate" } dd { (report.engine.version) " · " (digest(&report.engine.fingerprint)) } }
            @if let Some(engine) = approved_engine { div { dt { "engine approved last" } dd { (digest(engine)) } } }
            div { dt { "dataset" } dd { (digest(&report.dataset_digest)) } }
            div { dt { "policy" } dd { (digest(&report.policy_digest)) } }
            div { dt { "fails on" } dd { (report.fail_on) } }
            div { dt { "noise floor" } dd { (noise(report)) } }
        }
    }
}

fn revision(revision: &Revision) -> Markup {
    html! {
        (revision.name)
        @if let Some(commit) = &revision.commit { " · " (digest(commit)) }
    }
}

fn noise(report: &Report) -> String {
    match &report.noise_floor {
        None => "not measured".to_owned(),
        Some(noise) if noise.differing_fields.is_empty() => {
            format!("zero: {} fields run twice, same to the bit", noise.n_fields)
        }
        Some(noise) => format!(
            "{} of {} fields differ, {} px",
            noise.differing_fields.len(),
            noise.n_fields,
            noise.n_differing_px
        ),
    }
}

fn overview(report: &Report) -> Markup {
    html! {
        section.card aria-label="Profiles" {
            h2 { "Profiles" }
            div.scroll { table.stack {
                thead { tr { th { "profile" } th { "verdict" } th { "what changed most" } } }
                tbody {
                    @for (index, profile) in report.gravest_first() {
                        tr {
                            th scope="row" { a href={ "#profile-" (index) } { (profile.name) } }
                            td data-name="verdict" { (pill(profile.verdict)) }
                            td data-name="changed most" { span { (prose(&explain(profile))) } }
                        }
                    }
                }
            } }
        }
    }
}

fn findings(report: &Report) -> Markup {
    html! {
        @if !report.findings.is_empty() {
            section.card aria-label="Findings" {
                h2 { "Findings" }
                ul.reasons {
                    @for finding in report.findings.iter().take(MAX_ROWS) {
                        li {
                            b { (finding.severity) ": " }
                            code { (finding.path) @if let Some(line) = finding.line { ":" (line) } }
                            " " (prose(&finding.message))
                            @if let Some(help) = &finding.help { span.soft { " · " (prose(help)) } }
                            " " code.soft { (finding.code) }
                        }
                    }
                    @if report.findings.len() > MAX_ROWS { li { (report.findings.len() - MAX_ROWS) " more" } }
                }
            }
        }
    }
}

fn statistics(report: &Report) -> Markup {
    let statistics = &report.statistics;
    html! {
        p.soft.small {
            "How to read it: the field is the unit, because nuclei of one field resemble each other. "
            "Each interval holds the true shift with a confidence of "
            (format!("{:.0} %", 100.0 * statistics.confidence))
            ": the union of Student's interval and of the percentile bootstrap over fields ("
            (statistics.resamples) " resamples, seed " (statistics.seed) "). "
            "Within the margin on both ends is equivalent (two one-sided tests; all must hold, so no "
            "correction). Wholly outside, and beyond Holm's bound over all measurements, is drifted. "
            "Anything else is inconclusive. Fewer than " (statistics.min_fields)
            " fields cannot decide."
        }
    }
}

#[cfg(test)]
mod tests;
