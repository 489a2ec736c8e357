//! Tests: drift, accuracy and context in, word and exit code out.

use super::*;
use cellgate_core::accuracy::Scores;
use cellgate_core::drift::{
    Breach, Drift, FateCounts, FieldDrift, Interval, MeasurementDrift, Movement, Pairing, Rule,
    Shift,
};
use cellgate_inputs::project::AccuracyFloors;

fn measurement(movement: Option<Movement>) -> MeasurementDrift {
    let shift = Shift {
        mean: 3.0,
        interval: Interval { low: 2.5, high: 3.5 },
        n_fields: 6,
        is_decidable: true,
        sd: 0.5,
    };
    MeasurementDrift {
        name: "area_um2".into(),
        unit: Some("um2"),
        base: Some(40.0),
        head: Some(43.0),
        population: Some(shift),
        matched: None,
        parts: None,
        by_field: Vec::new(),
        margin: Some(2.0),
        movement,
        fields_needed: Some(12),
        n_undefined: (0, 0),
        distribution: None,
    }
}

fn field(n_base: u64, n_head: u64, is_identical: bool) -> FieldDrift {
    FieldDrift {
        name: "A01".into(),
        pairing: Pairing::default(),
        nuclei: FateCounts { n_base, n_head, ..FateCounts::default() },
        is_identical,
    }
}

fn drift(movement: Option<Movement>) -> Drift {
    Drift {
        fields: vec![field(9, 9, false); 3],
        measurements: vec![measurement(movement)],
        nuclei: FateCounts::default(),
        breaches: Vec::new(),
        min_fields: 3,
        seed: 0,
    }
}

fn scores(score: f64) -> Scores {
    Scores { f1_at_50: score, ap_at_50: score, map: score, aji: score, pq: score, dice: score }
}

fn case(comparison: Comparison<'_>) -> ProfileCase<'_> {
    ProfileCase {
        name: "ihc-hdab",
        comparison,
        failed_fields: &[],
        accuracy: AccuracyCase::default(),
        is_approved: false,
    }
}

/// Verdict, first reason and the exit codes with `broken`, `drifted` and `never`.
#[track_caller]
fn check(case: &ProfileCase<'_>, verdict: Verdict, reason: Option<ReasonCode>, codes: [u8; 3]) {
    check_in(&Context::default(), case, verdict, reason, codes);
}

#[track_caller]
fn check_in(
    context: &Context,
    case: &ProfileCase<'_>,
    verdict: Verdict,
    reason: Option<ReasonCode>,
    codes: [u8; 3],
) {
    let judgement = judge(std::slice::from_ref(case), context);
    assert_eq!(judgement.profiles[0].verdict, verdict);
    assert_eq!(judgement.profiles[0].reasons.first().map(|reason| reason.code), reason);
    let found =
        [FailOn::Broken, FailOn::Drifted, FailOn::Never].map(|f| judgement.exit_code(f).number());
    assert_eq!(found, codes);
}

#[test]
fn identical_fields_are_unchanged() {
    let unchanged_drift = Drift { fields: vec![field(9, 9, true); 3], ..drift(None) };
    check(&case(Comparison::Drift(&unchanged_drift)), Verdict::Unchanged, None, [0, 0, 0]);
}

#[test]
fn the_movement_of_a_measurement_leads_to_the_verdict() {
    use ReasonCode::{
        MeasurementDrifted, MeasurementInconclusive, MeasurementMissing, NothingJudged,
    };
    let table = [
        (Some(Movement::Unchanged), Verdict::Equivalent, None, [0, 0, 0]),
        (Some(Movement::Equivalent), Verdict::Equivalent, None, [0, 0, 0]),
        (
            Some(Movement::Inconclusive),
            Verdict::Inconclusive,
            Some(MeasurementInconclusive),
            [0, 11, 0],
        ),
        (Some(Movement::Drifted), Verdict::Drifted, Some(MeasurementDrifted), [0, 11, 0]),
        (Some(Movement::Missing), Verdict::Broken, Some(MeasurementMissing), [11, 11, 0]),
        (None, Verdict::Inconclusive, Some(NothingJudged), [0, 11, 0]),
    ];
    for (movement, verdict, reason, codes) in table {
        check(&case(Comparison::Drift(&drift(movement))), verdict, reason, codes);
    }
}

#[test]
fn a_broken_log_of_approvals_lets_nothing_pass() {
    let context = Context { broken_approvals: Some("line 2".into()), ..Context::default() };
    let unchanged_drift = Drift { fields: vec![field(9, 9, true); 3], ..drift(None) };
    let unchanged_case = case(Comparison::Drift(&unchanged_drift));
    check_in(&context, &unchanged_case, Verdict::Unchanged, None, [13, 13, 0]);
    let judgement = judge(&[unchanged_case], &context);
    assert_eq!(judgement.reasons[0].code, ReasonCode::ApprovalsBroken);
    assert!(judgement.reasons[0].text.ends_with("line 2"));
    let drifted = drift(Some(Movement::Drifted));
    let drifted_case = case(Comparison::Drift(&drifted));
    let reason = Some(ReasonCode::MeasurementDrifted);
    check_in(&context, &drifted_case, Verdict::Drifted, reason, [13, 11, 0]);
}

#[test]
fn reasons_tell_the_shift_its_interval_and_the_margin() {
    let drifted = drift(Some(Movement::Drifted));
    let text = |drift| {
        judge(&[case(Comparison::Drift(drift))], &Context::default()).profiles[0].reasons[0]
            .text
            .clone()
    };
    assert_eq!(
        text(&drifted),
        "`area_um2` moved by +3.00 um2 (90 % interval +2.50 to +3.50), beyond its margin of 2.00 um2"
    );
    let inconclusive = drift(Some(Movement::Inconclusive));
    assert!(text(&inconclusive).ends_with("margin of 2.00 um2; about 12 fields would decide"));
}

#[test]
fn proven_drift_does_not_hide_behind_an_inconclusive_measurement() {
    let measurements = [Movement::Inconclusive, Movement::Drifted, Movement::Inconclusive]
        .map(|movement| measurement(Some(movement)));
    let mixed_drift = Drift { measurements: measurements.to_vec(), ..drift(None) };
    let reason = Some(ReasonCode::MeasurementDrifted);
    check(&case(Comparison::Drift(&mixed_drift)), Verdict::Drifted, reason, [0, 11, 0]);
}

#[test]
fn structure_counts_beside_statistics() {
    let equivalent = drift(Some(Movement::Equivalent));
    let breach = Breach { rule: Rule::Vanished, n_nuclei: 61, n_base: 300, limit: 0.05 };
    let vanished_drift = Drift { breaches: vec![breach], ..equivalent.clone() };
    let reason = Some(ReasonCode::StructureVanished);
    check(&case(Comparison::Drift(&vanished_drift)), Verdict::Drifted, reason, [0, 11, 0]);
    let emptied_drift = Drift {
        fields: vec![field(9, 9, false), field(9, 0, false), field(9, 9, false)],
        ..equivalent
    };
    let reason = Some(ReasonCode::FieldEmptied);
    check(&case(Comparison::Drift(&emptied_drift)), Verdict::Broken, reason, [11, 11, 0]);
}

#[test]
fn nothing_compared_never_passes() {
    let empty_drift = Drift { fields: Vec::new(), ..drift(Some(Movement::Equivalent)) };
    let reason = Some(ReasonCode::NothingCompared);
    check(&case(Comparison::Drift(&empty_drift)), Verdict::Broken, reason, [11, 11, 0]);
    let judgement = judge(&[], &Context::default());
    assert_eq!(
        (judgement.verdict, judgement.exit_code(FailOn::Broken).number()),
        (Verdict::Broken, 11)
    );
}

#[test]
fn too_few_fields_cannot_pass() {
    let small_drift = Drift { min_fields: 4, ..drift(Some(Movement::Equivalent)) };
    let reason = Some(ReasonCode::TooFewFields);
    check(&case(Comparison::Drift(&small_drift)), Verdict::Inconclusive, reason, [0, 11, 0]);
}

#[test]
fn profiles_without_a_comparison_need_an_approval() {
    let table = [
        (Comparison::New, ReasonCode::NewProfile),
        (Comparison::Deleted, ReasonCode::DeletedProfile),
        (Comparison::BaseInvalid, ReasonCode::BaseInvalid),
    ];
    for (comparison, reason) in table {
        let unapproved = case(comparison);
        check(&unapproved, Verdict::Inconclusive, Some(reason), [13, 11, 0]);
        let approved = ProfileCase { is_approved: true, ..unapproved };
        check(&approved, Verdict::Inconclusive, Some(reason), [0, 0, 0]);
    }
    let invalid = Some(ReasonCode::HeadInvalid);
    check(&case(Comparison::HeadInvalid), Verdict::Broken, invalid, [10, 10, 10]);
    let impossible_case = case(Comparison::Impossible { why: "shapes differ".into() });
    check(&impossible_case, Verdict::Broken, Some(ReasonCode::Incomparable), [11, 11, 0]);
}

#[test]
fn failed_fields_weigh_by_the_side_that_failed() {
    let equivalent = drift(Some(Movement::Equivalent));
    let failures = |in_base, in_head| {
        [FailedField { name: "A02".into(), in_base, in_head, why: "the image is torn".into() }]
    };
    let (head, base) = (failures(false, true), failures(true, false));
    let head_case = ProfileCase { failed_fields: &head, ..case(Comparison::Drift(&equivalent)) };
    check(&head_case, Verdict::Broken, Some(ReasonCode::FieldFailed), [11, 11, 0]);
    let base_case = ProfileCase { failed_fields: &base, ..case(Comparison::Drift(&equivalent)) };
    check(&base_case, Verdict::Inconclusive, Some(ReasonCode::BaseFieldFailed), [0, 11, 0]);
}

#[test]
fn accuracy_is_held_to_its_floor() {
    let equivalent = drift(Some(Movement::Equivalent));
    let floors = AccuracyFloors { f1_at_50: Some(0.6), ..AccuracyFloors::default() };
    let with = |head| ProfileCase {
        accuracy: AccuracyCase { base: None, head, floors },
        ..case(Comparison::Drift(&equivalent))
    };
    check(&with(Some(scores(0.6))), Verdict::Equivalent, None, [0, 0, 0]);
    check(&with(Some(scores(0.61))), Verdict::Equivalent, None, [0, 0, 0]);
    let reason = Some(ReasonCode::AccuracyBelowFloor);
    check(&with(Some(scores(0.59))), Verdict::Equivalent, reason, [12, 12, 0]);
    check(&with(None), Verdict::Equivalent, Some(ReasonCode::AccuracyUnknown), [12, 12, 0]);
    let approved = ProfileCase { is_approved: true, ..with(Some(scores(0.59))) };
    check(&approved, Verdict::Equivalent, reason, [12, 12, 0]);
}

#[test]
fn accuracy_says_where_it_moved() {
    let (low, high) = (scores(0.5), scores(0.7));
    let mixed = Scores { dice: 0.9, ..low };
    assert_eq!(direction(&low, &low), Direction::Same);
    assert_eq!(direction(&low, &high), Direction::TowardTruth);
    assert_eq!(direction(&high, &low), Direction::AwayFromTruth);
    assert_eq!(direction(&high, &mixed), Direction::Mixed);
}

#[test]
fn an_approved_drift_passes() {
    let drifted = drift(Some(Movement::Drifted));
    let approved = ProfileCase { is_approved: true, ..case(Comparison::Drift(&drifted)) };
    check(&approved, Verdict::Drifted, Some(ReasonCode::MeasurementDrifted), [0, 0, 0]);
}

#[test]
fn a_changed_context_needs_an_approval_and_keeps_the_word() {
    let unchanged_drift = Drift { fields: vec![field(9, 9, true); 3], ..drift(None) };
    let change = Some(Change { base: Some("12ab".into()), head: None });
    let contexts = [
        Context { dataset: change.clone(), ..Context::default() },
        Context { policy: change.clone(), ..Context::default() },
        Context { engine: change, ..Context::default() },
    ];
    for context in contexts {
        let unapproved = case(Comparison::Drift(&unchanged_drift));
        check_in(&context, &unapproved, Verdict::Unchanged, None, [13, 13, 0]);
        let approved = ProfileCase { is_approved: true, ..unapproved };
        check_in(&context, &approved, Verdict::Unchanged, None, [0, 0, 0]);
        let judgement = judge(&[approved], &context);
        assert!(judgement.reasons[0].text.ends_with("(12ab to none)"));
    }
}

#[test]
fn different_results_for_the_same_input_fail_even_when_approved() {
    let unchanged_drift = Drift { fields: vec![field(9, 9, true); 3], ..drift(None) };
    let noise = NoiseFloor {
        n_fields: 3,
        differing_fields: vec!["A01".into()],
        n_differing_px: 5,
        ..NoiseFloor::default()
    };
    let context = Context { noise: Some(noise), ..Context::default() };
    let unapproved = case(Comparison::Drift(&unchanged_drift));
    let approved = ProfileCase { is_approved: true, ..unapproved };
    check_in(&context, &approved, Verdict::Unchanged, None, [11, 11, 0]);
    let judgement = judge(&[approved], &context);
    assert_eq!(judgement.verdict, Verdict::Broken);
    assert_eq!(judgement.reasons[0].code, ReasonCode::EngineNondeterministic);
}

#[test]
fn findings_come_before_accuracy_before_drift() {
    let drifted = drift(Some(Movement::Drifted));
    let floors = AccuracyFloors { f1_at_50: Some(0.6), ..AccuracyFloors::default() };
    let profile = ProfileCase {
        accuracy: AccuracyCase { base: None, head: Some(scores(0.1)), floors },
        ..case(Comparison::Drift(&drifted))
    };
    let context = Context { has_error_findings: true, ..Context::default() };
    let judgement = judge(std::slice::from_ref(&profile), &context);
    assert_eq!(judgement.exit_code(FailOn::Never).number(), 10);
    assert_eq!(judgement.exit_code(FailOn::Drifted).number(), 10);
    assert_eq!(judge(&[profile], &Context::default()).exit_code(FailOn::Drifted).number(), 12);
}

#[test]
fn the_worst_profile_speaks_for_all() {
    let (equivalent, drifted) = (drift(Some(Movement::Equivalent)), drift(Some(Movement::Drifted)));
    let cases = [case(Comparison::Drift(&equivalent)), case(Comparison::Drift(&drifted))];
    let judgement = judge(&cases, &Context::default());
    assert_eq!(judgement.verdict, Verdict::Drifted);
    assert!(judgement.needs_approval());
    assert_eq!(judgement.profiles[0].verdict, Verdict::Equivalent);
}

#[test]
fn words_are_read_back() {
    for word in ["broken", "drifted", "never"] {
        assert_eq!(word.parse::<FailOn>().map(FailOn::as_str), Ok(word));
    }
    assert_eq!("always".parse::<FailOn>(), Err(FailOnSyntax));
    assert!(Verdict::ALL.is_sorted());
}
