//! Consent: in plain words, who has approved a profile or what is missing, and how to approve.
//!
//! Takes the report alone; names, reasons and digests in its sentences stand between backticks, as
//! everywhere in reports, so that each rendering can escape them.

use super::model::{ApprovalReport, ApproverReport, DifferenceReport, Report};

/// How to approve exactly what a report tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HowTo {
    /// The comment on the pull request, without the reason.
    pub comment: String,
    /// The command, run in the repository.
    pub command: String,
}

/// How to approve; `None` when nobody needs to or no approval would help.
#[must_use]
pub fn how_to(report: &Report) -> Option<HowTo> {
    if !report.awaits_approval() || report.check_approvable().is_err() {
        return None;
    }
    let digest = report.digest().ok()?.short();
    Some(HowTo {
        comment: format!("/cellgate approve {digest} REASON"),
        command: "cellgate approve --report cellgate-report/report.json --reason \"REASON\""
            .to_owned(),
    })
}

/// One sentence on how to approve, without a final period.
#[must_use]
pub fn how_to_sentence(report: &Report) -> Option<String> {
    let how_to = how_to(report)?;
    let (comment, command) = (how_to.comment, how_to.command);
    Some(format!(
        "to approve exactly this, comment `{comment}` on the pull request, or run `{command}`"
    ))
}

/// One sentence on the approval of a profile, without a final period.
#[must_use]
pub fn describe_approval(approval: &ApprovalReport) -> String {
    let first = approval.by.first();
    let who = first.map_or("nobody".to_owned(), |by| quote(&by.who));
    match approval.state.as_str() {
        "approved" => {
            let approvers: Vec<String> = approval.by.iter().map(describe_approver).collect();
            format!("approved by {}", approvers.join("; and by "))
        }
        "missing" => "nobody has approved it yet".to_owned(),
        "stale" => {
            let differences: Vec<String> =
                approval.differences.iter().map(describe_difference).collect();
            let when = first.map_or(String::new(), |by| format!(" on {}", quote(&by.when)));
            format!("{who} approved something else{when}: {}", differences.join("; "))
        }
        "revoked" => {
            let why = first.map_or(String::new(), |by| format!(": {}", quote(&by.why)));
            let when = first.map_or(String::new(), |by| format!(" on {}", quote(&by.when)));
            format!("the approval was revoked by {who}{when}{why}")
        }
        "too-few" => {
            let approvers: Vec<String> = approval.by.iter().map(describe_approver).collect();
            let (n_people, needed) = (approval.by.len(), approval.needed);
            format!("{n_people} of {needed} people have approved: {}", approvers.join("; and "))
        }
        "by-author" => {
            format!("{who} has approved and is the change's author, whom the policy does not count")
        }
        "permission-too-low" => {
            let permission = first.map_or("", |by| by.permission.as_str());
            let needed = approval.permission.as_deref().unwrap_or("write");
            format!(
                "{who} has approved with permission {}, and {} is needed",
                quote(permission),
                quote(needed)
            )
        }
        _ => "its approval is unknown".to_owned(),
    }
}

/// Who, when and why.
fn describe_approver(by: &ApproverReport) -> String {
    let pull_request =
        by.pull_request.map_or(String::new(), |number| format!(" in pull request {number}"));
    let (who, when, why) = (quote(&by.who), quote(&by.when), quote(&by.why));
    format!("{who} on {when}{pull_request}: {why}")
}

fn describe_difference(difference: &DifferenceReport) -> String {
    let short_digest = |digest: &Option<String>| {
        digest
            .as_deref()
            .map_or("none".to_owned(), |digest| quote(&digest.chars().take(12).collect::<String>()))
    };
    let approved = short_digest(&difference.approved);
    let present = short_digest(&difference.present);
    format!("{} digest {approved} was approved, {present} is there", quote(&difference.part))
}

/// A text as a name in a sentence.
fn quote(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::sample;

    fn approval(state: &str) -> ApprovalReport {
        let person = |who: &str| ApproverReport {
            who: who.to_owned(),
            permission: "write".to_owned(),
            why: "pale nuclei were `noise`".to_owned(),
            when: "2026-03-01T09:30:00Z".to_owned(),
            report_digest: "a".repeat(64),
            pull_request: Some(12),
        };
        ApprovalReport {
            state: state.to_owned(),
            by: vec![person("ada"), person("bob")],
            needed: 3,
            permission: Some("admin".to_owned()),
            differences: vec![DifferenceReport {
                part: "params".to_owned(),
                approved: Some("a".repeat(64)),
                present: None,
            }],
        }
    }

    #[track_caller]
    fn check(state: &str, expected: &str) {
        assert_eq!(describe_approval(&approval(state)), expected);
    }

    #[test]
    fn every_state_is_told() {
        check("missing", "nobody has approved it yet");
        check(
            "approved",
            "approved by `ada` on `2026-03-01T09:30:00Z` in pull request 12: `pale nuclei were \
             'noise'`; and by `bob` on `2026-03-01T09:30:00Z` in pull request 12: `pale nuclei were \
             'noise'`",
        );
        check(
            "stale",
            "`ada` approved something else on `2026-03-01T09:30:00Z`: `params` digest \
             `aaaaaaaaaaaa` was approved, none is there",
        );
        check(
            "revoked",
            "the approval was revoked by `ada` on `2026-03-01T09:30:00Z`: `pale nuclei were 'noise'`",
        );
        assert!(
            describe_approval(&approval("too-few"))
                .starts_with("2 of 3 people have approved: `ada` on")
        );
        check(
            "by-author",
            "`ada` has approved and is the change's author, whom the policy does not count",
        );
        check(
            "permission-too-low",
            "`ada` has approved with permission `write`, and `admin` is needed",
        );
        check("unheard-of", "its approval is unknown");
    }

    #[test]
    fn how_to_approve_is_told_only_where_it_helps() {
        let mut report = sample::report();
        let sentence = how_to_sentence(&report).unwrap();
        let digest = report.digest().unwrap().short();
        assert!(sentence.contains(&format!("`/cellgate approve {digest} REASON`")), "{sentence}");
        report.profiles.iter_mut().for_each(|profile| profile.approved = true);
        assert_eq!(how_to(&report), None);
        report.profiles[0].approved = false;
        report.profiles[0].reasons[0].code = "accuracy-below-floor".to_owned();
        assert_eq!(how_to(&report), None);
    }
}
