//! Remarks: verdicts as findings on the lines that caused them, for annotations and code scanning.

use super::approvals::Unreadable;
use super::profile::GatedProfile;
use super::sides::Case;
use crate::verdict::{Judgement, Need, Verdict};
use cellgate_approval::FILE;
use cellgate_inputs::finding::{Code, Finding, Severity};
use cellgate_inputs::params::place_of_key;
use cellgate_inputs::source::{Place, Span};

/// One finding for each changed key of a profile that did not pass, or for the profile's file.
pub(super) fn verdict_findings(profiles: &[GatedProfile]) -> Vec<Finding> {
    profiles
        .iter()
        .flat_map(|profile| profile_findings(&profile.tried.case, &profile.judgement))
        .collect()
}

/// The line of the approvals that is wrong.
pub(super) fn approvals_finding(why: &Unreadable) -> Finding {
    let line = match why {
        Unreadable::Log(error) => u32::try_from(error.line).ok(),
        Unreadable::File { .. } => None,
    };
    let span = line.map(|line| Span {
        line,
        column: 1,
        end_line: line,
        end_column: 1,
        start_byte: 0,
        end_byte: 0,
    });
    let message = format!("no approval counts, because their log is broken: {why}");
    let help = format!("restore `{FILE}` from a clone that saw it whole; it only ever grows");
    let place = Place { span, ..Place::file(FILE) };
    Finding::error(Code::ApprovalsBroken, place, message).help(help)
}

fn profile_findings(case: &Case, judgement: &Judgement) -> Vec<Finding> {
    let Some(code) = code(judgement) else { return Vec::new() };
    let severity = if judgement.is_approved { Severity::Note } else { Severity::Error };
    let reasons: Vec<&str> = judgement.reasons.iter().map(|reason| reason.text.as_str()).collect();
    let why = if reasons.is_empty() { judgement.verdict.to_string() } else { reasons.join("; ") };
    places(case)
        .into_iter()
        .map(|(place, key)| {
            let message = format!("{key}`{}` is {}: {why}", case.name, judgement.verdict);
            Finding { severity, ..Finding::error(code, place, message) }
        })
        .collect()
}

fn code(judgement: &Judgement) -> Option<Code> {
    match judgement.verdict {
        _ if judgement.is_below_floor => Some(Code::AccuracyBelowFloor),
        Verdict::Broken => Some(Code::Broken),
        Verdict::Drifted => Some(Code::Drifted),
        Verdict::Inconclusive => Some(Code::Inconclusive),
        Verdict::Unchanged | Verdict::Equivalent => (judgement.need == Need::Always
            && !judgement.is_approved)
            .then_some(Code::ApprovalMissing),
    }
}

/// Where the changed keys stand in head, each with what changed; the file when none is known.
fn places(case: &Case) -> Vec<(Place, String)> {
    let key_places = case.base.as_ref().zip(case.head.as_ref()).map(|(base, head)| {
        let keys = base.params.changed_keys(&head.params);
        let place = |key: &str| place_of_key(&head.source, key);
        keys.into_iter()
            .map(|change| {
                let text = format!("`{}` from {} to {}: ", change.key, change.base, change.head);
                (place(&change.key), text)
            })
            .collect::<Vec<_>>()
    });
    match key_places {
        Some(places) if !places.is_empty() => places,
        _ => vec![(Place::file(case.path.as_str()), String::new())],
    }
}
