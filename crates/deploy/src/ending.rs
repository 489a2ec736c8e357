//! Ending: how a deploy ended that did not end well, and what that says about the server.

use super::connection::TalkError;
use crate::wire::RefusalCode;
use cellgate_gate::exit::ExitCode;

/// State of a server after a deploy that did not end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// As before; the server refused before anything changed.
    Refused,
    /// As before; the deploy was taken back.
    Failed,
    /// Something that a person must look at.
    Stranded,
    /// Not known.
    Unknown,
}

impl Ended {
    /// The exit code.
    #[must_use]
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Refused => ExitCode::DeployRefused,
            Self::Failed => ExitCode::DeployFailed,
            Self::Stranded => ExitCode::PersonNeeded,
            Self::Unknown => ExitCode::Unknown,
        }
    }
}

/// How far a deploy was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Before the lock.
    Before,
    /// Between the lock and the switch.
    Prepared,
    /// The switch was asked for.
    After,
}

/// A deploy did not end well.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// State of the server.
    pub ended: Ended,
    /// Why, and what to do next.
    pub message: String,
    /// Code of the server's refusal, if it refused.
    pub refusal: Option<RefusalCode>,
    is_transient: bool,
}

impl Failure {
    /// A failure with a reason.
    #[must_use]
    pub fn new(ended: Ended, message: impl Into<String>) -> Self {
        Self { ended, message: message.into(), refusal: None, is_transient: false }
    }

    /// Whether the connection broke before anything was switched, so that another attempt may do.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.is_transient
    }

    pub(super) fn in_phase(phase: Phase, error: TalkError) -> Self {
        use RefusalCode::{
            Active, Invalid, Locked, Moved, NotApproved, Pending, Preflight, Replayed, RolledBack,
            Stranded, Unknown,
        };
        let refusal = match &error {
            TalkError::Refused(refusal) => Some(refusal.code),
            _ => None,
        };
        let is_policy = |code| {
            [Active, Invalid, Locked, Moved, NotApproved, Pending, Preflight, Replayed, Unknown]
                .contains(&code)
        };
        let ended = match (refusal, phase) {
            (Some(Stranded), _) => Ended::Stranded,
            (Some(RolledBack), _) => Ended::Failed,
            (Some(code), _) if is_policy(code) => Ended::Refused,
            (_, Phase::Before) => Ended::Refused,
            (_, Phase::Prepared) => Ended::Failed,
            (_, Phase::After) => Ended::Unknown,
        };
        let is_transient = match &error {
            TalkError::Transport(error) => error.is_transient,
            TalkError::Wire { .. } | TalkError::Ended(_) | TalkError::Silent(_) => true,
            TalkError::Refused(_) | TalkError::Unexpected => false,
        };
        let mut message = error.to_string();
        if ended == Ended::Unknown {
            message.push_str("; ask by `cellgate status` what is active");
        }
        Self { ended, message, refusal, is_transient: is_transient && phase != Phase::After }
    }
}
