//! Markdown: the report as a pull-request comment and as a step summary.
//!
//! Gives GitHub-flavored Markdown of at most a given number of bytes; where it does not fit,
//! details are left out and that is said. All text from outside is written so that it can be
//! nothing but text: no markup, mention, reference, link or comment.

mod escape;

pub use escape::{code, prose};

use super::consent;
use super::explain::{amount, explain, outcome, score_label, title};
use super::model::{MeasurementReport, ProfileReport, ReasonLine, Report};
use crate::verdict::{Verdict, format_number, format_signed};
use cellgate_inputs::finding::Severity;
use std::fmt::Write as _;

/// Budget of a comment, in bytes; GitHub refuses text above 65,536 characters.
pub const MAX_BYTES: usize = 60_000;

/// How much is told; each level leaves out more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    Full,
    WithoutFields,
    WithoutMeasurements,
    TableOnly,
}

/// Most rows of any list.
const MAX_ROWS: usize = 50;

/// Renders the report; `page` is a link to the page with pictures.
///
/// # Edge cases
/// A report that does not fit in `max_bytes` loses tables of fields, then of measurements, then all
/// details; at last whole lines are cut from the end.
#[must_use]
pub fn render(report: &Report, page: Option<&str>, max_bytes: usize) -> String {
    let levels =
        [Detail::Full, Detail::WithoutFields, Detail::WithoutMeasurements, Detail::TableOnly];
    let mut text = String::new();
    for detail in levels {
        text = render_at(report, page, detail);
        if text.len() <= max_bytes {
            return text;
        }
    }
    cut(&text, max_bytes)
}

/// Cuts whole lines from the end and says so.
fn cut(text: &str, max_bytes: usize) -> String {
    const NOTE: &str = "\n_The rest did not fit; see the report._\n";
    let mut prefix = String::new();
    for line in text.split_inclusive('\n') {
        if prefix.len() + line.len() + NOTE.len() > max_bytes {
            break;
        }
        prefix.push_str(line);
    }
    if prefix.len() + NOTE.len() <= max_bytes {
        prefix.push_str(NOTE);
    }
    prefix
}

fn render_at(report: &Report, page: Option<&str>, detail: Detail) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_heading(&mut out, report, page);
    let _ = write_overview(&mut out, report);
    if detail < Detail::TableOnly {
        for (_, profile) in report.gravest_first() {
            let _ = write_details(&mut out, profile, detail);
        }
    } else {
        out.push_str("_Details did not fit here; see the report._\n\n");
    }
    let _ = write_findings(&mut out, report);
    let _ = write_footer(&mut out, report);
    out
}

/// The sign in front of a verdict; the word always stands beside it.
fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Unchanged | Verdict::Equivalent => "✅",
        Verdict::Inconclusive => "❔",
        Verdict::Drifted => "⚠️",
        Verdict::Broken => "❌",
    }
}

fn write_heading(out: &mut String, report: &Report, page: Option<&str>) -> std::fmt::Result {
    // A gate that fails for another reason than drift must not look calm.
    let is_calm = report.verdict <= Verdict::Equivalent;
    let sign = if !report.exit_code.is_passed() && is_calm { "❌" } else { sign(report.verdict) };
    writeln!(out, "### {sign} cellgate: {}\n", report.verdict)?;
    writeln!(out, "{}\n", outcome(report))?;
    if let Some(page) = page.filter(|page| is_plain_link(page)) {
        writeln!(out, "[Open the report with pictures]({page})\n")?;
    }
    write_reasons(out, &report.reasons)?;
    match consent::how_to_sentence(report) {
        Some(sentence) => writeln!(out, "{}.\n", prose(&capitalize(&sentence))),
        None => Ok(()),
    }
}

fn capitalize(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// Whether a link cannot leave its parentheses or run anything.
fn is_plain_link(link: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#=&%+".contains(c);
    link.starts_with("https://") && link.chars().all(is_plain)
}

fn write_reasons(out: &mut String, reasons: &[ReasonLine]) -> std::fmt::Result {
    for reason in reasons.iter().take(MAX_ROWS) {
        let weight = match reason.severity {
            Severity::Error => "**error**: ",
            Severity::Warning => "**warning**: ",
            Severity::Note => "",
        };
        writeln!(out, "- {weight}{}", prose(&reason.text))?;
    }
    write_more(out, reasons.len(), "reasons")?;
    if reasons.is_empty() { Ok(()) } else { writeln!(out) }
}

fn write_more(out: &mut String, n_rows: usize, what: &str) -> std::fmt::Result {
    match n_rows.checked_sub(MAX_ROWS + 1) {
        Some(_) => writeln!(out, "\n_{} more {what}._", n_rows - MAX_ROWS),
        None => Ok(()),
    }
}

fn write_overview(out: &mut String, report: &Report) -> std::fmt::Result {
    if report.profiles.is_empty() {
        return Ok(());
    }
    writeln!(out, "| profile | verdict | what changed most | nuclei | accuracy (F1) |")?;
    writeln!(out, "|---|---|---|---|---|")?;
    for (_, profile) in report.gravest_first().into_iter().take(MAX_ROWS) {
        let approved = if profile.approved { ", approved" } else { "" };
        let nuclei = profile.nuclei.map_or(String::new(), |n| format!("{} → {}", n.base, n.head));
        writeln!(
            out,
            "| {} | {} {}{approved} | {} | {nuclei} | {} |",
            code(&profile.name),
            sign(profile.verdict),
            profile.verdict,
            prose(&explain(profile)),
            f1_cell(profile),
        )?;
    }
    write_more(out, report.profiles.len(), "profiles")?;
    writeln!(out)
}

fn f1_cell(profile: &ProfileReport) -> String {
    let accuracy = profile.accuracy.as_ref();
    let score = accuracy.and_then(|accuracy| accuracy.scores.iter().find(|s| s.name == "f1_at_50"));
    match score.map(|score| (score.base, score.head)) {
        Some((Some(base), Some(head))) => {
            format!("{} → {}", format_number(base), format_number(head))
        }
        Some((None, Some(head))) => format_number(head),
        Some((_, None)) | None => String::new(),
    }
}

fn write_details(out: &mut String, profile: &ProfileReport, detail: Detail) -> std::fmt::Result {
    writeln!(
        out,
        "<details><summary><b>{}</b>: details</summary>\n",
        escape::escape_html(&profile.name)
    )?;
    if let Some(approval) = &profile.approval {
        writeln!(out, "Approval: {}.\n", prose(&consent::describe_approval(approval)))?;
    }
    write_reasons(out, &profile.reasons)?;
    write_changed_keys(out, profile)?;
    if detail < Detail::WithoutMeasurements {
        write_measurements(out, profile)?;
    }
    write_fates(out, profile)?;
    write_accuracy(out, profile)?;
    if detail < Detail::WithoutFields {
        write_fields(out, profile)?;
    }
    writeln!(out, "</details>\n")
}

fn write_changed_keys(out: &mut String, profile: &ProfileReport) -> std::fmt::Result {
    if profile.changed_keys.is_empty() {
        return Ok(());
    }
    writeln!(out, "| changed key | base | head |\n|---|---|---|")?;
    for change in profile.changed_keys.iter().take(MAX_ROWS) {
        let side = |value: &Option<String>| value.as_deref().map_or("–".to_owned(), code);
        let (base, head) = (side(&change.base), side(&change.head));
        writeln!(out, "| {} | {base} | {head} |", code(&change.key))?;
    }
    write_more(out, profile.changed_keys.len(), "keys")?;
    writeln!(out)
}

fn write_measurements(out: &mut String, profile: &ProfileReport) -> std::fmt::Result {
    let judged: Vec<&MeasurementReport> =
        profile.measurements.iter().filter(|m| m.verdict.is_some()).collect();
    if judged.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "| measurement | base | head | shift | 90 % interval | margin | matched only | verdict |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|--:|---|")?;
    for m in judged.iter().take(MAX_ROWS) {
        let number = |value: Option<f64>| value.map_or("–".to_owned(), format_number);
        let shift = m.shift.map_or("–".to_owned(), |shift| match amount(m) {
            amount if amount.ends_with('%') => format!("{} ({amount})", format_signed(shift)),
            _ => format_signed(shift),
        });
        let interval = match (m.ci, m.range) {
            (Some([low, high]), _) => format!("{} to {}", format_signed(low), format_signed(high)),
            (None, Some([low, high])) => {
                format!("range {} to {}", format_signed(low), format_signed(high))
            }
            (None, None) => "–".to_owned(),
        };
        let matched =
            m.matched.as_ref().map_or("–".to_owned(), |matched| format_signed(matched.shift));
        writeln!(
            out,
            "| {} | {} | {} | {shift} | {interval} | ±{} | {matched} | {} |",
            prose(&title(m)),
            number(m.base),
            number(m.head),
            number(m.margin),
            prose(m.verdict.as_deref().unwrap_or_default()),
        )?;
    }
    write_more(out, judged.len(), "measurements")?;
    writeln!(out)
}

fn write_fates(out: &mut String, profile: &ProfileReport) -> std::fmt::Result {
    let Some(nuclei) = &profile.nuclei else { return Ok(()) };
    writeln!(
        out,
        "| nuclei | matched | modified | split | merged | appeared | vanished | reclassified |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|--:|--:|")?;
    let n = nuclei;
    writeln!(
        out,
        "| {} → {} | {} | {} | {} | {} | {} | {} | {} |\n",
        n.base,
        n.head,
        n.matched,
        n.modified,
        n.split,
        n.merged,
        n.appeared,
        n.vanished,
        n.reclassified,
    )
}

fn write_accuracy(out: &mut String, profile: &ProfileReport) -> std::fmt::Result {
    let Some(accuracy) = &profile.accuracy else { return Ok(()) };
    writeln!(out, "| accuracy against truth | base | head | floor |\n|---|--:|--:|--:|")?;
    for score in accuracy.scores.iter().take(MAX_ROWS) {
        let number = |value: Option<f64>| value.map_or("–".to_owned(), format_number);
        let (base, head, floor) = (number(score.base), number(score.head), number(score.floor));
        writeln!(out, "| {} | {base} | {head} | {floor} |", prose(score_label(&score.name)))?;
    }
    writeln!(out)
}

fn write_fields(out: &mut String, profile: &ProfileReport) -> std::fmt::Result {
    if profile.fields.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "| field | nuclei | matched | modified | split | merged | appeared | vanished |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|--:|--:|")?;
    for field in profile.fields.iter().take(MAX_ROWS) {
        let n = &field.nuclei;
        writeln!(
            out,
            "| {} | {} → {} | {} | {} | {} | {} | {} | {} |",
            code(&field.name),
            n.base,
            n.head,
            n.matched,
            n.modified,
            n.split,
            n.merged,
            n.appeared,
            n.vanished,
        )?;
    }
    write_more(out, profile.fields.len(), "fields")?;
    writeln!(out)
}

fn write_findings(out: &mut String, report: &Report) -> std::fmt::Result {
    if report.findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "**Findings**\n")?;
    for finding in report.findings.iter().take(MAX_ROWS) {
        let line = finding.line.map_or(String::new(), |line| format!(":{line}"));
        let place = code(&format!("{}{line}", finding.path));
        let help =
            finding.help.as_deref().map_or(String::new(), |help| format!(" ({})", prose(help)));
        let (severity, message) = (finding.severity, prose(&finding.message));
        writeln!(out, "- **{severity}** {place} {message}{help} [{}]", prose(&finding.code))?;
    }
    write_more(out, report.findings.len(), "findings")?;
    writeln!(out)
}

fn write_footer(out: &mut String, report: &Report) -> std::fmt::Result {
    let statistics = &report.statistics;
    let noise = match &report.noise_floor {
        None => "not measured".to_owned(),
        Some(noise) if noise.differing_fields.is_empty() => {
            format!("zero, {} fields run twice", noise.n_fields)
        }
        Some(noise) => format!("{} fields differ", noise.differing_fields.len()),
    };
    let short = |digest: &str| code(&digest.chars().take(12).collect::<String>());
    writeln!(
        out,
        "<sub>base {} · head {} · cellgate {} · engine {} · dataset {} · policy {} · noise floor: \
         {noise} · {} bootstrap resamples of fields, seed {}</sub>",
        revision(&report.base),
        revision(&report.head),
        prose(&report.engine.version),
        short(&report.engine.fingerprint),
        short(&report.dataset_digest),
        short(&report.policy_digest),
        statistics.resamples,
        statistics.seed,
    )
}

fn revision(revision: &super::model::Revision) -> String {
    let commit = revision.commit.as_deref().map(|c| c.chars().take(12).collect::<String>());
    commit.map_or_else(|| code(&revision.name), |commit| code(&commit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::sample;

    #[test]
    fn the_verdict_stands_first_and_each_profile_has_a_row() {
        let text = render(&sample::report(), None, MAX_BYTES);
        assert!(text.starts_with("### ⚠️ cellgate: drifted\n"), "{text}");
        assert!(text.contains("| `ihc-hdab` | ⚠️ drifted |"), "{text}");
        assert!(text.contains("vanished"), "{text}");
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut report = sample::report();
        let hostile = "`|<!-- x -->|@octocat #1 [a](b) <img src=x>\n| new row |\u{202e}**b**";
        report.profiles[0].name = hostile.to_owned();
        report.profiles[0].changed_keys[0].head = Some(hostile.to_owned());
        report.profiles[0].fields[0].name = hostile.to_owned();
        report.reasons[0].text = hostile.to_owned();
        let text = render(&report, Some("javascript:alert(1)"), MAX_BYTES);
        for forbidden in ["<!--", "\u{202e}", "javascript:", "\n| new row"] {
            assert!(!text.contains(forbidden), "{forbidden} in {text}");
        }
        // Outside of code spans, the odd stretches between backticks, nothing is left alive.
        for line in text.lines().filter(|line| line.contains("octocat")) {
            for prose in line.split('`').step_by(2) {
                assert!(!prose.contains("@octocat") && !prose.contains("<img"), "{line}");
                assert!(!prose.contains("#1") && !prose.contains("[a]("), "{line}");
            }
        }
    }

    #[test]
    fn a_report_that_is_too_long_loses_details_and_then_lines() {
        let mut report = sample::report();
        let profile = report.profiles[0].clone();
        report.profiles = vec![profile; 40];
        for max_bytes in [60_000, 20_000, 3_000, 200, 10] {
            let text = render(&report, None, max_bytes);
            assert!(text.len() <= max_bytes, "{} > {max_bytes}", text.len());
        }
        assert!(render(&report, None, 20_000).contains("did not fit"));
    }
}
