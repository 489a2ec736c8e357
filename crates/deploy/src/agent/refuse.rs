//! Refuse: how the agent says no.

use super::journal::JournalError;
use crate::wire::{Refusal, RefusalCode};
use rustix::io::Errno;
use std::io;

/// A refusal on its way to the other side; boxed, since it is rare and large.
pub type Refused = Box<Refusal>;

/// Makes a refusal that another attempt would not change.
#[must_use]
pub(super) fn refusal(
    code: RefusalCode,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Refusal {
    Refusal { code, message: message.into(), help: help.into(), retry_ms: None }
}

/// Reports that the disk or the system failed at something.
pub(super) fn io_refusal(what: &str) -> impl Fn(io::Error) -> Refused + '_ {
    move |error| {
        let help = match Errno::from_io_error(&error) {
            Some(Errno::NOSPC | Errno::DQUOT) => {
                "free some space on the server, or let `keep` be smaller; nothing was changed that \
                 is active"
            }
            Some(Errno::ROFS) => "the server's disk is read-only; look at its kernel log",
            Some(Errno::IO) => "the server's disk fails; look at its kernel log and replace it",
            Some(Errno::ACCESS | Errno::PERM) => {
                "let the agent's user own everything below the root"
            }
            Some(Errno::LOOP | Errno::NOTDIR) => {
                "something is in the place of a folder of the agent; remove it"
            }
            _ => "look at the server's disk; the same deploy may then be tried again",
        };
        let text = format!("{what}: {error}");
        Box::new(refusal(RefusalCode::Failed, text, help))
    }
}

/// Reports that a request does not fit here.
pub(super) fn protocol_refusal(what: &str) -> Refused {
    refusal(RefusalCode::Protocol, what, "use the same version on both sides").into()
}

impl From<JournalError> for Refused {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Io(error) => io_refusal("the journal")(error),
            JournalError::Damaged { .. } => {
                let help = "the agent cannot know what it promised and changes nothing; compare \
                            `current` with the last deploy, then move the journal away";
                Box::new(refusal(RefusalCode::Stranded, error.to_string(), help))
            }
        }
    }
}
