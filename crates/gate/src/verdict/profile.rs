//! One profile: from its drift and accuracy to its verdict.

use super::judgement::{Direction, Judgement, Need};
use super::word::Verdict;
use super::{Reason, ReasonCode, format_number, format_signed};
use cellgate_core::accuracy::Scores;
use cellgate_core::drift::{Breach, Drift, MeasurementDrift, Movement, Rule, Shift};
use cellgate_inputs::project::AccuracyFloors;
use std::cmp::Reverse;

/// Inputs for judging one profile.
#[derive(Debug, Clone)]
pub struct ProfileCase<'a> {
    /// The profile's name.
    pub name: &'a str,
    /// How the two sides compare.
    pub comparison: Comparison<'a>,
    /// Fields that could not be processed.
    pub failed_fields: &'a [FailedField],
    /// Agreement with truth.
    pub accuracy: AccuracyCase,
    /// Whether somebody has agreed to exactly this.
    pub is_approved: bool,
}

/// How the two sides of a profile compare.
#[derive(Debug, Clone)]
pub enum Comparison<'a> {
    /// Both sides ran.
    Drift(&'a Drift),
    /// Base does not have the profile.
    New,
    /// Head does not have the profile.
    Deleted,
    /// Head's profile does not validate.
    HeadInvalid,
    /// Base's profile does not validate.
    BaseInvalid,
    /// Both sides ran and cannot be compared.
    Impossible {
        /// Why not, in one sentence without a final period.
        why: String,
    },
}

/// A field that could not be processed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedField {
    /// The field's name.
    pub name: String,
    /// Whether it failed with base's profile.
    pub in_base: bool,
    /// Whether it failed with head's profile.
    pub in_head: bool,
    /// Why, in one sentence without a final period.
    pub why: String,
}

/// Agreement with truth, as means over fields.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AccuracyCase {
    /// Base's; `None` without truth or without base.
    pub base: Option<Scores>,
    /// Head's; `None` without truth or without head.
    pub head: Option<Scores>,
    /// Lowest accuracy, from base's policy.
    pub floors: AccuracyFloors,
}

/// Says where accuracy moved from base to head.
#[must_use]
pub fn direction(base: &Scores, head: &Scores) -> Direction {
    let moves =
        base.entries().into_iter().zip(head.entries()).map(|((_, b), (_, h))| (h > b, h < b));
    match moves.fold((false, false), |(rose, fell), (up, down)| (rose | up, fell | down)) {
        (false, false) => Direction::Same,
        (true, false) => Direction::TowardTruth,
        (false, true) => Direction::AwayFromTruth,
        (true, true) => Direction::Mixed,
    }
}

/// Judges one profile by itself.
pub(super) fn judge(case: &ProfileCase<'_>) -> Judgement {
    let (mut verdict, mut reasons) = judge_comparison(&case.comparison);
    for field in case.failed_fields {
        let (worst, reason) = judge_failed_field(field);
        verdict = verdict.max(worst);
        reasons.push(reason);
    }
    // Without a valid profile in head there is no score to hold to a floor.
    let has_head = !matches!(case.comparison, Comparison::Deleted | Comparison::HeadInvalid);
    let (floor_reasons, is_below_floor) =
        if has_head { check_floors(&case.accuracy) } else { (Vec::new(), false) };
    reasons.extend(floor_reasons);
    let direction = case.accuracy.base.zip(case.accuracy.head).map(|(b, h)| direction(&b, &h));
    reasons.extend(accuracy_reason(&case.accuracy, direction));
    reasons.sort_by_key(|reason| Reverse(reason.severity));
    let need = match case.comparison {
        Comparison::New | Comparison::Deleted | Comparison::BaseInvalid => Need::Always,
        Comparison::Drift(_) | Comparison::HeadInvalid | Comparison::Impossible { .. } => {
            if verdict >= Verdict::Inconclusive { Need::ForDrift } else { Need::None }
        }
    };
    Judgement {
        name: case.name.to_owned(),
        verdict,
        reasons,
        need,
        is_approved: case.is_approved,
        is_below_floor,
        direction,
    }
}

fn judge_comparison(comparison: &Comparison<'_>) -> (Verdict, Vec<Reason>) {
    let (verdict, reason) = match comparison {
        Comparison::Drift(found) => return judge_drift(found),
        Comparison::New => (
            Verdict::Inconclusive,
            Reason::warning(
                ReasonCode::NewProfile,
                "the profile is new: it is judged by accuracy alone and needs an approval",
            ),
        ),
        Comparison::Deleted => (
            Verdict::Inconclusive,
            Reason::warning(
                ReasonCode::DeletedProfile,
                "the profile was deleted, which needs an approval",
            ),
        ),
        Comparison::HeadInvalid => (
            Verdict::Broken,
            Reason::error(ReasonCode::HeadInvalid, "head's profile is invalid; see the findings"),
        ),
        Comparison::BaseInvalid => (
            Verdict::Inconclusive,
            Reason::warning(
                ReasonCode::BaseInvalid,
                "base's profile is invalid: head's is judged by accuracy alone and needs an \
                 approval",
            ),
        ),
        Comparison::Impossible { why } => (
            Verdict::Broken,
            Reason::error(ReasonCode::Incomparable, format!("base and head do not compare: {why}")),
        ),
    };
    (verdict, vec![reason])
}

fn judge_failed_field(field: &FailedField) -> (Verdict, Reason) {
    let (name, why) = (&field.name, &field.why);
    if field.in_head {
        let text = format!("field `{name}` failed: {why}");
        (Verdict::Broken, Reason::error(ReasonCode::FieldFailed, text))
    } else {
        let text = format!("field `{name}` failed with base's profile and is not compared: {why}");
        (Verdict::Inconclusive, Reason::warning(ReasonCode::BaseFieldFailed, text))
    }
}

fn judge_drift(drift: &Drift) -> (Verdict, Vec<Reason>) {
    if drift.fields.is_empty() {
        let reason = Reason::error(ReasonCode::NothingCompared, "no field was compared");
        return (Verdict::Broken, vec![reason]);
    }
    if drift.is_identical() {
        return (Verdict::Unchanged, Vec::new());
    }
    let mut verdict = Verdict::Equivalent;
    let mut reasons = Vec::new();
    let mut add = |worst: Verdict, reason: Reason| {
        verdict = verdict.max(worst);
        reasons.push(reason);
    };
    for field in drift.fields.iter().filter(|field| field.is_emptied()) {
        let text = format!("field `{}` lost all its {} nuclei", field.name, field.nuclei.n_base);
        add(Verdict::Broken, Reason::error(ReasonCode::FieldEmptied, text));
    }
    for breach in &drift.breaches {
        add(Verdict::Drifted, breach_reason(breach));
    }
    for measurement in &drift.measurements {
        if let Some((worst, reason)) = judge_measurement(measurement) {
            add(worst, reason);
        }
    }
    if drift.measurements.iter().all(|measurement| measurement.movement.is_none()) {
        let text = "results differ, and no tolerance judges any measurement";
        add(Verdict::Inconclusive, Reason::warning(ReasonCode::NothingJudged, text));
    }
    let n_fields = drift.fields.len();
    if n_fields < drift.min_fields.max(2) as usize {
        let text = format!(
            "{n_fields} compared, {} needed to decide: the range over fields is shown in the \
             place of a confidence interval",
            drift.min_fields.max(2),
        );
        add(Verdict::Inconclusive, Reason::warning(ReasonCode::TooFewFields, text));
    }
    (verdict, reasons)
}

fn breach_reason(breach: &Breach) -> Reason {
    let code = match breach.rule {
        Rule::Vanished => ReasonCode::StructureVanished,
        Rule::Appeared => ReasonCode::StructureAppeared,
        Rule::Split => ReasonCode::StructureSplit,
        Rule::Merged => ReasonCode::StructureMerged,
    };
    let fraction = match breach.n_base {
        0 => "of none in base".to_owned(),
        n_base => {
            let percent = 100.0 * breach.n_nuclei as f64 / n_base as f64;
            format!("{} % of the {n_base} in base", format_number(percent))
        }
    };
    let (n_nuclei, fate) = (breach.n_nuclei, breach.rule.as_str());
    let limit = format_number(100.0 * breach.limit);
    let text = format!("{n_nuclei} nuclei {fate}, {fraction}; the limit is {limit} %");
    Reason::error(code, text)
}

/// Verdict and reason that a measurement adds; nothing within its margin or when it is not judged.
fn judge_measurement(measurement: &MeasurementDrift) -> Option<(Verdict, Reason)> {
    let (name, margin) = (&measurement.name, measurement.margin?);
    let margin_text = with_unit(format_number(margin), measurement.unit);
    match measurement.movement? {
        Movement::Unchanged | Movement::Equivalent => None,
        Movement::Missing => {
            let text = format!("base has `{name}`, head has not");
            Some((Verdict::Broken, Reason::error(ReasonCode::MeasurementMissing, text)))
        }
        Movement::Drifted => {
            let is_outside = |shift: &Shift| shift.is_decidable && shift.is_outside(margin);
            let shift = describe_shift(measurement, is_outside)?;
            let text = format!("`{name}` moved by {shift}, beyond its margin of {margin_text}");
            Some((Verdict::Drifted, Reason::error(ReasonCode::MeasurementDrifted, text)))
        }
        Movement::Inconclusive => {
            let is_undecided = |shift: &Shift| !(shift.is_decidable && shift.is_within(margin));
            let shift = describe_shift(measurement, is_undecided)
                .unwrap_or_else(|| "an unknown amount".into());
            let hint = measurement.fields_needed.map_or(String::new(), |n_fields| {
                format!("; about {n_fields} fields would decide")
            });
            let text = format!(
                "`{name}` moved by {shift}, which cannot be told from its margin of \
                 {margin_text}{hint}"
            );
            Some((
                Verdict::Inconclusive,
                Reason::warning(ReasonCode::MeasurementInconclusive, text),
            ))
        }
    }
}

/// The first shift of a measurement that `is_meant`, with its interval.
fn describe_shift(
    measurement: &MeasurementDrift,
    is_meant: impl Fn(&Shift) -> bool,
) -> Option<String> {
    let population = measurement.population.filter(&is_meant).map(|shift| (shift, ""));
    let matched =
        measurement.matched.filter(&is_meant).map(|shift| (shift, " over matched nuclei"));
    let (shift, scope) = population.or(matched)?;
    let interval = if shift.is_decidable { "90 % interval" } else { "range over fields" };
    Some(format!(
        "{}{scope} ({interval} {} to {})",
        with_unit(format_signed(shift.mean), measurement.unit),
        format_signed(shift.interval.low),
        format_signed(shift.interval.high),
    ))
}

fn with_unit(number: String, unit: Option<&str>) -> String {
    unit.map_or(number.clone(), |unit| format!("{number} {unit}"))
}

/// Holds head's accuracy to the floors; also says whether it misses one.
fn check_floors(accuracy: &AccuracyCase) -> (Vec<Reason>, bool) {
    let floors = &accuracy.floors;
    let named = [
        ("f1_at_50", floors.f1_at_50),
        ("ap_at_50", floors.ap_at_50),
        ("map", floors.map),
        ("aji", floors.aji),
        ("pq", floors.pq),
        ("dice", floors.dice),
    ];
    let set_floors: Vec<(&str, f64)> =
        named.into_iter().filter_map(|(name, floor)| Some((name, floor?))).collect();
    let Some(head) = accuracy.head else {
        let text = "an accuracy floor is set, and head has no score: no field has truth";
        let reason = Reason::error(ReasonCode::AccuracyUnknown, text);
        return if set_floors.is_empty() { (Vec::new(), false) } else { (vec![reason], true) };
    };
    let score = |name: &str| head.entries().into_iter().find(|(score, _)| *score == name);
    let reasons = set_floors.into_iter().filter_map(|(name, floor)| {
        let (_, score) = score(name)?;
        let text =
            format!("`{name}` is {}, its floor is {}", format_number(score), format_number(floor));
        (score < floor).then(|| Reason::error(ReasonCode::AccuracyBelowFloor, text))
    });
    let reasons: Vec<Reason> = reasons.collect();
    let is_below_floor = !reasons.is_empty();
    (reasons, is_below_floor)
}

fn accuracy_reason(accuracy: &AccuracyCase, direction: Option<Direction>) -> Option<Reason> {
    let (base, head) = accuracy.base.zip(accuracy.head)?;
    let word = match direction? {
        Direction::Same => return None,
        Direction::Mixed => "both ways",
        moved @ (Direction::TowardTruth | Direction::AwayFromTruth) => moved.as_str(),
    };
    let text = format!(
        "accuracy moved {word}: F1 {} to {}, mAP {} to {}",
        format_number(base.f1_at_50),
        format_number(head.f1_at_50),
        format_number(base.map),
        format_number(head.map),
    );
    Some(Reason::note(ReasonCode::AccuracyMoved, text))
}
