//! Verdict: may the change pass, and why.
//!
//! Takes drift, accuracy, floors and what else changed; gives one word and its reasons for each
//! profile, one for all, and the exit code. This is the only place that decides; reports repeat it.
//! It compares nothing itself and reads nothing.

mod judgement;
mod word;
mod number;
mod profile;
mod reason;

use crate::exit::ExitCode;
pub use judgement::{Direction, Judgement, Need};
pub use number::{format_number, format_signed, format_signed_percent};
pub use profile::{AccuracyCase, Comparison, FailedField, ProfileCase, direction};
pub use reason::{Reason, ReasonCode};
pub use word::Verdict;

use cellgate_core::drift::NoiseFloor;
use cellgate_inputs::finding::Severity;
use std::str::FromStr;

/// From which verdict on the gate fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailOn {
    /// Only `broken`.
    Broken,
    /// `inconclusive`, `drifted` and `broken`.
    #[default]
    Drifted,
    /// Nothing: drift and accuracy are reported and do not fail, for adopting the gate.
    Never,
}

impl FailOn {
    /// The word on the command line and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Drifted => "drifted",
            Self::Never => "never",
        }
    }

    fn is_failed_by(self, verdict: Verdict) -> bool {
        match self {
            Self::Broken => verdict == Verdict::Broken,
            Self::Drifted => verdict >= Verdict::Inconclusive,
            Self::Never => false,
        }
    }
}

impl FromStr for FailOn {
    type Err = FailOnSyntax;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Broken, Self::Drifted, Self::Never];
        all.into_iter().find(|fail_on| fail_on.as_str() == text).ok_or(FailOnSyntax)
    }
}

/// The text is none of the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a level to fail on: use `broken`, `drifted` or `never`")]
pub struct FailOnSyntax;

/// A digest on both sides that differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Before; `None` when base has none.
    pub base: Option<String>,
    /// After; `None` when head has none.
    pub head: Option<String>,
}

/// Changes outside of the profiles, and facts that hold for all profiles.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Context {
    /// Digests of the dataset, when they differ. Base's fields are judged.
    pub dataset: Option<Change>,
    /// Digests of the policy, when they differ. Base's policy judges.
    pub policy: Option<Change>,
    /// Fingerprint approved last (base) and of this engine (head), when they differ.
    pub engine: Option<Change>,
    /// Base run twice; `None` when it was not tried.
    pub noise: Option<NoiseFloor>,
    /// Why the log of approvals cannot be trusted; `None` when it can.
    pub broken_approvals: Option<String>,
    /// Whether an input is invalid.
    pub has_error_findings: bool,
}

/// Decision about the whole change.
#[derive(Debug, Clone, PartialEq)]
pub struct GateJudgement {
    /// The gravest verdict of all profiles.
    pub verdict: Verdict,
    /// Reasons that hold for all profiles, the gravest first.
    pub reasons: Vec<Reason>,
    /// Every profile, in the order given.
    pub profiles: Vec<Judgement>,
    has_error_findings: bool,
    is_deterministic: bool,
    has_broken_approvals: bool,
}

/// Judges every profile and the change as a whole.
///
/// # Edge cases
/// Without profiles the verdict is `Broken`: an empty set never passes.
#[must_use]
pub fn judge(cases: &[ProfileCase<'_>], context: &Context) -> GateJudgement {
    let mut reasons = context_reasons(context);
    if cases.is_empty() {
        reasons.push(Reason::error(ReasonCode::NothingCompared, "no profile was compared"));
    }
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.severity));
    let must_approve = [&context.dataset, &context.policy, &context.engine];
    let floor =
        if must_approve.iter().any(|change| change.is_some()) { Need::Always } else { Need::None };
    let profiles: Vec<Judgement> = cases
        .iter()
        .map(|case| {
            let judgement = profile::judge(case);
            Judgement { need: judgement.need.max(floor), ..judgement }
        })
        .collect();
    let is_deterministic = context.noise.as_ref().is_none_or(NoiseFloor::is_zero);
    let worst = profiles.iter().map(|profile| profile.verdict).max();
    GateJudgement {
        verdict: worst.filter(|_| is_deterministic).unwrap_or(Verdict::Broken),
        reasons,
        profiles,
        has_error_findings: context.has_error_findings
            || cases.iter().any(|case| matches!(case.comparison, Comparison::HeadInvalid)),
        is_deterministic,
        has_broken_approvals: context.broken_approvals.is_some(),
    }
}

impl GateJudgement {
    /// Whether somebody must agree and has not.
    #[must_use]
    pub fn needs_approval(&self) -> bool {
        self.profiles.iter().any(|profile| profile.need > Need::None && !profile.is_approved)
    }

    /// The exit code: 10 findings, before 12 accuracy, before 11 drift, before 13 not approved.
    ///
    /// `never` turns 11, 12 and 13 into 0. An approval turns a profile's 11 and 13 into 0; nothing
    /// but repair helps against findings, accuracy below its floor, an engine that gives different
    /// numbers twice, or a log of approvals that cannot be trusted.
    #[must_use]
    pub fn exit_code(&self, fail_on: FailOn) -> ExitCode {
        let unapproved = || self.profiles.iter().filter(|profile| !profile.is_approved);
        if self.has_error_findings {
            ExitCode::Findings
        } else if fail_on == FailOn::Never {
            ExitCode::Passed
        } else if self.profiles.iter().any(|profile| profile.is_below_floor) {
            ExitCode::Accuracy
        } else if !self.is_deterministic
            || self.profiles.is_empty()
            || unapproved().any(|profile| fail_on.is_failed_by(profile.verdict))
        {
            ExitCode::Drift
        } else if self.has_broken_approvals
            || unapproved().any(|profile| profile.need == Need::Always)
        {
            ExitCode::NotApproved
        } else {
            ExitCode::Passed
        }
    }
}

fn context_reasons(context: &Context) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut add = |change: &Option<Change>, code, what: &str| {
        if let Some(change) = change {
            let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "none".to_owned());
            let text = format!("{what} ({} to {})", side(&change.base), side(&change.head));
            reasons.push(Reason::warning(code, text));
        }
    };
    add(
        &context.dataset,
        ReasonCode::DatasetChanged,
        "the dataset changed; base's fields are judged, and the change needs an approval",
    );
    add(
        &context.policy,
        ReasonCode::PolicyChanged,
        "the policy changed; base's policy judges, and the change needs an approval",
    );
    add(
        &context.engine,
        ReasonCode::EngineChanged,
        "the engine gives other numbers than the one approved last, which needs an approval",
    );
    if let Some(noise) = context.noise.as_ref().filter(|noise| !noise.is_zero()) {
        let text = format!(
            "the engine gave different results for the same input: {} of {} fields differ, {} px \
             in all, first `{}`",
            noise.differing_fields.len(),
            noise.n_fields,
            noise.n_differing_px,
            noise.differing_fields[0],
        );
        reasons.push(Reason::error(ReasonCode::EngineNondeterministic, text));
    }
    if let Some(why) = &context.broken_approvals {
        let text = format!("no approval counts, because the log of approvals is broken: {why}");
        reasons.push(Reason::error(ReasonCode::ApprovalsBroken, text));
    }
    if context.has_error_findings {
        reasons.push(Reason::error(ReasonCode::FindingsPresent, "an input is invalid"));
    }
    reasons
}

impl Reason {
    fn error(code: ReasonCode, text: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, text: text.into() }
    }

    fn warning(code: ReasonCode, text: impl Into<String>) -> Self {
        Self { code, severity: Severity::Warning, text: text.into() }
    }

    fn note(code: ReasonCode, text: impl Into<String>) -> Self {
        Self { code, severity: Severity::Note, text: text.into() }
    }
}

#[cfg(test)]
mod tests;
