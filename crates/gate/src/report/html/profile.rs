//! The part of the page about one profile.

use super::charts;
use super::parts::{MAX_ROWS, Picture, digest, pill, prose, reasons};
use crate::report::consent::describe_approval;
use crate::report::explain::{amount, cause, explain, named_parts, score_label, title};
use crate::report::model::{AccuracyReport, MeasurementReport, NucleiReport, ProfileReport};
use crate::verdict::{Verdict, format_number, format_signed};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};

pub(super) fn section(profile: &ProfileReport, index: usize, pictures: &[Picture]) -> Markup {
    html! {
        section.card id={ "profile-" (index) } aria-label=(profile.name) {
            div.title {
                h2 { (profile.name) }
                (pill(profile.verdict))
                @if profile.approved { span.pill.good { "approved" } }
                @else if profile.needs_approval { span.pill.ask { "needs an approval" } }
            }
            p.lead { (prose(&explain(profile))) }
            p.soft.small { "parameters " (side(&profile.params_digest.base)) " → " (side(&profile.params_digest.head)) }
            @if let Some(approval) = &profile.approval { p { "Approval: " (prose(&describe_approval(approval))) "." } }
            @if !profile.reasons.is_empty() { (reasons(&profile.reasons)) }
            (changed_keys(profile))
            @if profile.verdict == Verdict::Unchanged {
                // What did not change must not stand in the way of what did.
                details { summary { "Measurements, accuracy and fields" } (numbers(profile, pictures)) }
            } @else {
                (numbers(profile, pictures))
            }
        }
    }
}

fn numbers(profile: &ProfileReport, pictures: &[Picture]) -> Markup {
    html! {
        @if let Some(nuclei) = &profile.nuclei { (fates(nuclei)) }
        (measurements(profile))
        @if let Some(accuracy) = &profile.accuracy { (scores(accuracy)) }
        (distributions(profile))
        (field_pictures(profile, pictures))
        (fields(profile))
    }
}

fn side(value: &Option<String>) -> Markup {
    html! { @match value { Some(value) => (digest(value)), None => "none" } }
}

fn changed_keys(profile: &ProfileReport) -> Markup {
    let value = |value: &Option<String>| {
        html! { @match value { Some(value) => code { (value) }, None => span.soft { "not set" } } }
    };
    html! {
        @if !profile.changed_keys.is_empty() {
            h3 { "Changed keys" }
            div.scroll { table.stack {
                thead { tr { th { "key" } th { "base" } th { "head" } } }
                tbody {
                    @for changed in profile.changed_keys.iter().take(MAX_ROWS) {
                        tr {
                            th scope="row" { code { (changed.key) } }
                            td data-name="base" { (value(&changed.base)) }
                            td data-name="head" { (value(&changed.head)) }
                        }
                    }
                }
            } }
            (omission_note(profile.changed_keys.len(), "keys"))
        }
    }
}

fn omission_note(n_rows: usize, what: &str) -> Markup {
    html! { @if n_rows > MAX_ROWS { p.soft.small { (n_rows - MAX_ROWS) " more " (what) " are left out." } } }
}

/// Class of the color, word and number of each fate, base's nuclei first.
fn fate_rows(nuclei: &NucleiReport) -> [(&'static str, &'static str, u64); 6] {
    [
        ("matched-bg", "matched", nuclei.matched),
        ("modified-bg", "modified", nuclei.modified),
        ("regrouped-bg", "split", nuclei.split),
        ("merged-bg", "merged", nuclei.merged),
        ("vanished-bg", "vanished", nuclei.vanished),
        ("appeared-bg", "appeared", nuclei.appeared),
    ]
}

fn fates(nuclei: &NucleiReport) -> Markup {
    let rows = fate_rows(nuclei);
    html! {
        h3 { "What became of " (nuclei.base) " nuclei" span.soft { " (" (nuclei.head) " in head)" } }
        div.bar aria-hidden="true" {
            @for (class, _, n_nuclei) in rows {
                @if n_nuclei > 0 { i class=(class) style={ "flex:" (n_nuclei) } {} }
            }
        }
        ul.legend {
            @for (class, word, n_nuclei) in rows {
                li { span class={ "key " (class) } aria-hidden="true" {} (n_nuclei) " " (word) }
            }
            @if nuclei.reclassified > 0 { li { (nuclei.reclassified) " matched changed their class" } }
        }
    }
}

fn measurements(profile: &ProfileReport) -> Markup {
    let is_measured = |m: &&MeasurementReport| m.base.or(m.head).is_some() || m.verdict.is_some();
    let (judged, others): (Vec<_>, Vec<_>) =
        profile.measurements.iter().filter(is_measured).partition(|m| m.verdict.is_some());
    html! {
        @if !judged.is_empty() {
            h3 { "Measurements" }
            ul.legend {
                li { span.key style="background:var(--good-bg);border:1px solid var(--good)" {} "within the margin" }
                li { "● all nuclei, with 90 % interval" }
                li { "○ matched nuclei alone" }
                li { "· one field" }
                li { "► beyond the plot" }
            }
            div.scroll { table.stack {
                thead { tr {
                    th { "measurement" } th.number { "base" } th.number { "head" } th.number { "shift" }
                    th.interval { "shift against margin" } th.number { "margin" } th { "verdict" }
                } }
                tbody { @for m in judged.iter().take(MAX_ROWS) { (row(m, profile)) } }
            } }
            (omission_note(judged.len(), "measurements"))
        }
        @if !others.is_empty() {
            p.soft.small {
                "Measured and not judged: "
                @for (index, m) in others.iter().take(MAX_ROWS).enumerate() {
                    @if index > 0 { ", " }
                    (title(m)) @if m.shift.is_some() { " " (with_minus_sign(&amount(m))) }
                }
            }
        }
    }
}

fn row(m: &MeasurementReport, profile: &ProfileReport) -> Markup {
    let number = |value: Option<f64>| {
        value.map_or("–".to_owned(), |value| with_minus_sign(&format_number(value)))
    };
    let relative = Some(amount(m)).filter(|amount| amount.ends_with('%'));
    html! {
        tr {
            th scope="row" { (title(m)) (shift_explanation(m, profile)) }
            td.number data-name="base" { (number(m.base)) }
            td.number data-name="head" { (number(m.head)) }
            td.number data-name="shift" {
                span {
                    (m.shift.map_or("–".to_owned(), |shift| with_minus_sign(&format_signed(shift))))
                    @if let Some(relative) = relative { br; span.soft.small { (with_minus_sign(&relative)) } }
                }
            }
            td.interval { (charts::interval(m)) }
            td.number data-name="margin" { "±" (number(m.margin)) }
            td data-name="verdict" { (movement(m)) }
        }
    }
}

/// The cause of a shift and its parts, where it was not calm.
fn shift_explanation(m: &MeasurementReport, profile: &ProfileReport) -> Markup {
    let is_calm = matches!(m.verdict.as_deref(), Some("unchanged" | "equivalent"));
    let cause = profile.nuclei.as_ref().and_then(|nuclei| cause(m, nuclei)).filter(|_| !is_calm);
    let parts = m.parts.as_ref().filter(|_| !is_calm).map(named_parts);
    html! {
        @if let Some(cause) = cause { div.soft.small { "because " (cause) } }
        @if let Some(parts) = parts {
            div.soft.small {
                @for (index, (name, part)) in parts.iter().filter(|(_, part)| *part != 0.0).enumerate() {
                    @if index > 0 { " · " }
                    (name) " " (with_minus_sign(&format_signed(*part)))
                }
            }
        }
    }
}

fn movement(m: &MeasurementReport) -> Markup {
    let word = m.verdict.as_deref().unwrap_or_default();
    let known = Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == word);
    html! {
        span {
            @match known { Some(verdict) => (pill(verdict)), None => span.pill.bad { (word) } }
            @if let Some(n_fields) = m.fields_needed { br; span.soft.small { "about " (n_fields) " fields would decide" } }
        }
    }
}

/// Numbers with a minus sign in the place of a hyphen.
fn with_minus_sign(number: &str) -> String {
    number.replace('-', "−")
}

fn scores(accuracy: &AccuracyReport) -> Markup {
    let number = |value: Option<f64>| value.map_or("–".to_owned(), format_number);
    html! {
        h3 {
            "Accuracy against truth"
            @if let Some(direction) = &accuracy.direction { span.soft { " (" (direction) ")" } }
        }
        div.scroll { table.stack {
            thead { tr { th { "score" } th.number { "base" } th.number { "head" } th.number { "shift" } th.number { "floor" } th {} } }
            tbody {
                @for score in accuracy.scores.iter().take(MAX_ROWS) {
                    @let shift = score.base.zip(score.head).map(|(base, head)| head - base);
                    @let is_below = score.head.zip(score.floor).is_some_and(|(head, floor)| head < floor);
                    tr {
                        th scope="row" { (score_label(&score.name)) }
                        td.number data-name="base" { (number(score.base)) }
                        td.number data-name="head" { (number(score.head)) }
                        td.number data-name="shift" { (shift.map_or("–".to_owned(), |shift| with_minus_sign(&format_signed(shift)))) }
                        td.number data-name="floor" { (number(score.floor)) }
                        td data-name="" {
                            @if is_below { span.pill.bad { "below floor" } }
                            @else if score.floor.is_some() { span.pill.good { "above floor" } }
                        }
                    }
                }
            }
        } }
    }
}

fn distributions(profile: &ProfileReport) -> Markup {
    let spread: Vec<_> = profile
        .measurements
        .iter()
        .filter_map(|m| Some((m, m.histogram.as_ref()?)))
        .take(12)
        .collect();
    html! {
        @if !spread.is_empty() {
            h3 { "How nuclei are spread" }
            ul.legend {
                li { span.key style="background:var(--base);opacity:.45" {} "base" }
                li { span.key.stroke style="color:var(--head)" {} "head" }
                li { "upright lines: medians" }
            }
            div.grid {
                @for (m, histogram) in spread {
                    figure { (charts::distribution(histogram, &title(m))) figcaption { (title(m)) } }
                }
            }
        }
    }
}

fn field_pictures(profile: &ProfileReport, pictures: &[Picture]) -> Markup {
    let own_pictures: Vec<&Picture> =
        pictures.iter().filter(|p| p.profile == profile.name).collect();
    let n_left_out = profile.fields.len().saturating_sub(own_pictures.len());
    html! {
        @if !own_pictures.is_empty() {
            h3 { "Fields" }
            ul.legend {
                li { span.key.stroke style="color:var(--soft)" {} "outline of both" }
                li { span.key.stroke style="color:#0072b2" {} "base alone" }
                li { span.key.stroke style="color:#e69f00" {} "head alone" }
                li { span.key.vanished-bg {} "vanished" }
                li { span.key.appeared-bg {} "appeared" }
                li { span.key.regrouped-bg {} "split or merged" }
            }
            div.grid.pictures {
                @for picture in own_pictures { (field_picture(profile, picture)) }
            }
            @if n_left_out > 0 { p.soft.small { (n_left_out) " fields that changed less are not pictured." } }
        }
    }
}

fn field_picture(profile: &ProfileReport, picture: &Picture) -> Markup {
    let nuclei = profile.fields.iter().find(|field| field.name == picture.field).map(|f| f.nuclei);
    let caption =
        nuclei.map_or(String::new(), |nuclei| crate::report::explain::describe_fates(&nuclei));
    html! {
        figure {
            img src={ "data:image/png;base64," (STANDARD.encode(&picture.png)) }
                alt={ "Field " (picture.field) ": " (caption) };
            figcaption { b { (picture.field) } " " span.soft { (caption) } }
        }
    }
}

fn fields(profile: &ProfileReport) -> Markup {
    let order = profile.worst_fields();
    html! {
        @if !profile.fields.is_empty() {
            h3 { "Every field, the most changed first" }
            div.scroll { table {
                thead { tr {
                    th { "field" } th.number { "base" } th.number { "head" } th.number { "matched" }
                    th.number { "modified" } th.number { "split" } th.number { "merged" }
                    th.number { "vanished" } th.number { "appeared" }
                } }
                tbody {
                    @for field in order.iter().take(MAX_ROWS).filter_map(|&index| profile.fields.get(index)) {
                        @let n = &field.nuclei;
                        tr {
                            th scope="row" { (field.name) @if field.identical { " " span.pill.good { "same" } } }
                            @for count in [n.base, n.head, n.matched, n.modified, n.split, n.merged, n.vanished, n.appeared] {
                                td.number { (count) }
                            }
                        }
                    }
                }
            } }
            (omission_note(profile.fields.len(), "fields"))
        }
    }
}
