//! Judgement: the decision about one profile.

use super::reason::Reason;
use super::word::Verdict;

/// Whether somebody must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Passes by itself.
    None,
    /// Passes if somebody approves the drift.
    ForDrift,
    /// Must be approved whatever was measured: a new or deleted profile, dataset, policy, engine.
    Always,
}

/// Decision about one profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The profile's name.
    pub name: String,
    /// How head stands to base.
    pub verdict: Verdict,
    /// Why, the gravest first.
    pub reasons: Vec<Reason>,
    /// Whether somebody must agree.
    pub need: Need,
    /// Whether somebody has agreed to exactly this.
    pub is_approved: bool,
    /// Whether accuracy misses a floor. No approval changes that.
    pub is_below_floor: bool,
    /// Where accuracy moved; `None` without truth on both sides.
    pub direction: Option<Direction>,
}

/// Where accuracy moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// No score changed.
    Same,
    /// No score fell and at least one rose.
    TowardTruth,
    /// No score rose and at least one fell.
    AwayFromTruth,
    /// Some rose and some fell.
    Mixed,
}

impl Direction {
    /// The words in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "unchanged",
            Self::TowardTruth => "toward truth",
            Self::AwayFromTruth => "away from truth",
            Self::Mixed => "mixed",
        }
    }
}
