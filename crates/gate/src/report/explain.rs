//! Explain: in plain words, what changed most and why.
//!
//! Takes one profile of the report and gives one short sentence such as "area +4.2 % because 61
//! small nuclei vanished". It is made of numbers and of our own words; names from the change do
//! not enter it, except for the names of measurements.

use super::model::{MeasurementReport, NucleiReport, PartsReport, ProfileReport, Report};
use crate::exit::ExitCode;
use crate::verdict::{ReasonCode, Verdict, format_signed, format_signed_percent};

/// A measurement's name as people say it: without its unit, words apart.
///
/// # Examples
/// ```
/// use cellgate_gate::report::explain::label;
/// assert_eq!(label("equivalent_diameter_um"), "equivalent diameter");
/// assert_eq!(label("dab_od_mean"), "DAB OD mean");
/// ```
#[must_use]
pub fn label(name: &str) -> String {
    const UNITS: [&str; 6] = ["_per_mm2", "_um2", "_px2", "_um", "_px", "_rad"];
    let stem = UNITS.iter().find_map(|unit| name.strip_suffix(unit)).unwrap_or(name);
    let words = stem.split('_').map(|word| match word {
        "od" => "OD",
        "dab" => "DAB",
        "h" => "H",
        word => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A unit as it is printed; nothing for counts and ratios.
#[must_use]
pub fn printed_unit(unit: Option<&str>) -> &str {
    match unit {
        Some("um") => "µm",
        Some("um2") => "µm²",
        Some("px2") => "px²",
        Some("1/mm2") => "/mm²",
        Some("percent") => "points",
        Some(unit) => unit,
        None => "",
    }
}

/// A measurement's name with its unit, as it stands in tables.
#[must_use]
pub fn title(measurement: &MeasurementReport) -> String {
    let label = label(&measurement.name);
    match printed_unit(measurement.unit.as_deref()) {
        "" | "OD" | "points" => label,
        unit => format!("{label} ({unit})"),
    }
}

/// Code of the reason that the log of approvals is broken.
const BROKEN_LOG: &str = ReasonCode::ApprovalsBroken.as_str();

/// One sentence on what follows from the verdict, with a final period.
#[must_use]
pub fn outcome(report: &Report) -> &'static str {
    let is_calm = report.verdict <= Verdict::Equivalent;
    let is_approved = report.profiles.iter().any(|profile| profile.approved);
    match report.exit_code {
        ExitCode::Findings => "The gate fails: an input is invalid, see the findings.",
        ExitCode::Drift if report.verdict == Verdict::Inconclusive => {
            "The gate fails until somebody approves: it cannot be proven that nothing drifted."
        }
        ExitCode::Drift if report.verdict == Verdict::Broken => {
            "The gate fails: part of the result is missing or cannot be compared."
        }
        ExitCode::Drift => {
            "The gate fails until somebody approves: measurements moved beyond their tolerance."
        }
        ExitCode::Accuracy => {
            "The gate fails: accuracy against truth is below its floor, and no approval changes that."
        }
        ExitCode::NotApproved if report.reasons.iter().any(|reason| reason.code == BROKEN_LOG) => {
            "The gate fails: the log of approvals cannot be trusted."
        }
        ExitCode::NotApproved => {
            "The gate waits for an approval: what judges, or what runs, has changed."
        }
        ExitCode::Passed if is_calm => {
            "The gate passes: every judged measurement is within its tolerance."
        }
        ExitCode::Passed if report.fail_on == "never" => {
            "Reported only: this gate is set to never fail."
        }
        ExitCode::Passed if is_approved => "The gate passes: what moved has been approved.",
        ExitCode::Passed => "The gate passes at the level that it is set to fail on.",
        _ => "The gate could not finish.",
    }
}

/// One sentence on what changed most, without a final period.
#[must_use]
pub fn explain(profile: &ProfileReport) -> String {
    let Some(nuclei) = &profile.nuclei else {
        let reason = profile.reasons.first().map(|reason| reason.text.clone());
        return reason.unwrap_or_else(|| "there was nothing to compare".to_owned());
    };
    if profile.verdict == Verdict::Unchanged {
        return format!("all {} nuclei are the same", nuclei.base);
    }
    let Some(measurement) = most_moved(profile) else {
        return describe_fates(nuclei);
    };
    let movement = format!("{} {}", label(&measurement.name), amount(measurement));
    if measurement.verdict.as_deref() == Some("missing") {
        return format!("{} is no longer measured", label(&measurement.name));
    }
    if measurement.parts.is_none() {
        return format!("{movement}: {}", describe_fates(nuclei));
    }
    match cause(measurement, nuclei) {
        Some(cause) => format!("{movement} because {cause}"),
        None => movement,
    }
}

/// A shift in percent of base, or in its own unit where base is 0.
#[must_use]
pub fn amount(measurement: &MeasurementReport) -> String {
    // A percentage that moves is given in points: percent of percent misleads.
    let relative =
        measurement.relative_shift.filter(|_| measurement.unit.as_deref() != Some("percent"));
    match (relative, measurement.shift) {
        (Some(fraction), _) => format_signed_percent(fraction),
        (None, Some(shift)) => {
            format!("{} {}", format_signed(shift), printed_unit(measurement.unit.as_deref()))
                .trim_end()
                .to_owned()
        }
        (None, None) => "is undefined".to_owned(),
    }
}

/// The measurement with the gravest verdict, and of those the farthest beyond its margin.
#[must_use]
pub fn most_moved(profile: &ProfileReport) -> Option<&MeasurementReport> {
    let gravity = |measurement: &MeasurementReport| match measurement.verdict.as_deref() {
        Some("missing") => 4,
        Some("drifted") => 3,
        Some("inconclusive") => 2,
        Some("equivalent") => 1,
        _ => 0,
    };
    let distance = |measurement: &MeasurementReport| {
        let matched = measurement.matched.as_ref().map_or(0.0, |matched| matched.shift.abs());
        let shift = measurement.shift.map_or(0.0, f64::abs).max(matched);
        let margin = measurement.margin.unwrap_or(f64::INFINITY);
        if margin > 0.0 { shift / margin } else { f64::MAX }
    };
    let judged = profile.measurements.iter().filter(|m| gravity(m) > 0);
    judged.reduce(|worst, m| {
        let is_farther = gravity(m) == gravity(worst) && distance(m) > distance(worst);
        if gravity(m) > gravity(worst) || is_farther { m } else { worst }
    })
}

/// Parts below this fraction of a shift are not named as its causes.
const MIN_PART_FRACTION: f64 = 0.25;

/// Causes of a shift, the largest first; `None` when no part of the shift is large enough.
///
/// Each of several causes comes with the amount by which it moves the mean.
#[must_use]
pub fn cause(measurement: &MeasurementReport, nuclei: &NucleiReport) -> Option<String> {
    let (parts, shift) = (measurement.parts.as_ref()?, measurement.shift?);
    let is_cause = |part: f64| part * shift > 0.0 && part.abs() >= MIN_PART_FRACTION * shift.abs();
    let mut causes: Vec<(&str, f64)> =
        named_parts(parts).into_iter().filter(|&(_, part)| is_cause(part)).collect();
    causes.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let describe = |&(name, part): &(&str, f64)| describe_cause(measurement, nuclei, name, part);
    match causes.as_slice() {
        [] => None,
        [only] => Some(describe(only)),
        several => {
            let base = measurement.base.map(f64::abs).filter(|base| *base > 0.0);
            let share = |part: f64| {
                base.map_or(format_signed(part), |base| format_signed_percent(part / base))
            };
            let phrases =
                several.iter().map(|cause| format!("{} ({})", describe(cause), share(cause.1)));
            Some(phrases.collect::<Vec<_>>().join(" and "))
        }
    }
}

fn describe_cause(
    measurement: &MeasurementReport,
    nuclei: &NucleiReport,
    name: &str,
    part: f64,
) -> String {
    // Nuclei that vanished raise the mean when they lay below it; those that appeared, above it.
    let (low, high) = extreme_adjectives(&measurement.name);
    match name {
        "vanished" => {
            count_phrase(nuclei.vanished, if part > 0.0 { low } else { high }, "vanished")
        }
        "appeared" => {
            count_phrase(nuclei.appeared, if part > 0.0 { high } else { low }, "appeared")
        }
        "regrouped" if nuclei.merged < nuclei.split => count_phrase(nuclei.split, "", "fell apart"),
        "regrouped" if nuclei.merged > 0 => count_phrase(nuclei.merged, "", "grew together"),
        "regrouped" => "values are undefined on one side".to_owned(),
        "modified" => count_phrase(nuclei.modified, "", "overlap their partners little"),
        _ => format!("matched nuclei {}", change_verb(&measurement.name, part > 0.0)),
    }
}

/// A score against truth as people say it.
#[must_use]
pub fn score_label(name: &str) -> &str {
    match name {
        "f1_at_50" => "F1 at IoU 0.5",
        "ap_at_50" => "AP at IoU 0.5",
        "map" => "mAP, IoU 0.5 to 0.95",
        "aji" => "AJI",
        "pq" => "PQ",
        "dice" => "Dice",
        name => name,
    }
}

/// The parts of a shift with their names.
#[must_use]
pub fn named_parts(parts: &PartsReport) -> [(&'static str, f64); 5] {
    [
        ("matched", parts.matched),
        ("modified", parts.modified),
        ("regrouped", parts.regrouped),
        ("appeared", parts.appeared),
        ("vanished", parts.vanished),
    ]
}

fn count_phrase(n_nuclei: u64, quality: &str, what: &str) -> String {
    let noun = if n_nuclei == 1 { "nucleus" } else { "nuclei" };
    let words = [n_nuclei.to_string(), quality.to_owned(), noun.to_owned(), what.to_owned()];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn is_size(name: &str) -> bool {
    ["area", "perimeter", "axis", "equivalent_diameter", "feret"]
        .iter()
        .any(|size| name.starts_with(size))
}

fn is_density(name: &str) -> bool {
    name.contains("_od_")
}

/// Adjectives for nuclei with low and with high values.
fn extreme_adjectives(name: &str) -> (&'static str, &'static str) {
    if is_size(name) {
        ("small", "large")
    } else if is_density(name) {
        ("pale", "dark")
    } else if name.starts_with("gray_") {
        ("dim", "bright")
    } else {
        ("low-valued", "high-valued")
    }
}

fn change_verb(name: &str, rose: bool) -> &'static str {
    match (is_size(name), rose) {
        (true, true) => "grew",
        (true, false) => "shrank",
        (false, true) => "rose",
        (false, false) => "fell",
    }
}

/// The fates other than matched, the most frequent first.
#[must_use]
pub fn describe_fates(nuclei: &NucleiReport) -> String {
    let mut fates = [
        (nuclei.vanished, "vanished"),
        (nuclei.appeared, "appeared"),
        (nuclei.split, "fell apart"),
        (nuclei.merged, "grew together"),
        (nuclei.modified, "changed their outline"),
    ];
    fates.sort_by_key(|&(n_nuclei, _)| std::cmp::Reverse(n_nuclei));
    let nonzero = fates.iter().filter(|&&(n_nuclei, _)| n_nuclei > 0);
    let phrases: Vec<String> =
        nonzero.map(|(n_nuclei, fate)| format!("{n_nuclei} {fate}")).collect();
    match phrases.as_slice() {
        [] => format!("all {} nuclei have their partner", nuclei.base),
        _ => format!("of {} nuclei {}", nuclei.base, phrases.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(name: &str, parts: [f64; 5]) -> MeasurementReport {
        let shift: f64 = parts.iter().sum();
        let [matched, modified, regrouped, appeared, vanished] = parts;
        let mut measurement = crate::report::model::sample::measurement(name);
        measurement.shift = Some(shift);
        measurement.relative_shift = Some(shift / 100.0);
        measurement.parts = Some(PartsReport { matched, modified, regrouped, appeared, vanished });
        measurement
    }

    const NUCLEI: NucleiReport = NucleiReport {
        base: 300,
        head: 242,
        matched: 220,
        modified: 4,
        split: 3,
        merged: 12,
        appeared: 1,
        vanished: 61,
        reclassified: 0,
    };

    #[track_caller]
    fn check(name: &str, parts: [f64; 5], expected: Option<&str>) {
        assert_eq!(cause(&measurement(name, parts), &NUCLEI).as_deref(), expected);
    }

    #[test]
    fn the_largest_part_is_the_cause() {
        check("area_um2", [0.3, 0.0, 0.0, 0.0, 3.9], Some("61 small nuclei vanished"));
        check("area_um2", [0.3, 0.0, 0.0, 0.0, -3.9], Some("61 large nuclei vanished"));
        check("dab_od_mean", [0.0, 0.0, 0.0, -0.2, 0.0], Some("1 pale nucleus appeared"));
        check("area_um2", [-2.0, 0.0, 0.1, 0.0, 0.0], Some("matched nuclei shrank"));
        check("gray_mean", [2.0, 0.0, 0.1, 0.0, 0.0], Some("matched nuclei rose"));
        check("area_um2", [0.0, 0.0, 5.0, 0.0, 0.0], Some("12 nuclei grew together"));
    }

    #[test]
    fn several_causes_are_told_with_their_share() {
        let expected = "matched nuclei grew (+2.00) and 61 small nuclei vanished (+1.00)";
        check("area_um2", [2.0, 0.0, -0.5, 0.0, 1.0], Some(expected));
    }

    #[test]
    fn without_a_main_part_there_is_no_cause() {
        check("area_um2", [1.0, 1.0, 1.0, 1.0, 1.0], None);
        check("area_um2", [0.0; 5], None);
    }

    #[test]
    fn fates_are_told_by_number() {
        let expected = "of 300 nuclei 61 vanished, 12 grew together, 4 changed their outline, 3 fell apart, 1 appeared";
        assert_eq!(describe_fates(&NUCLEI), expected);
    }
}
