//! Exit: the codes that the program ends with, which scripts and workflows rely on.
//!
//! Declared once: the table of the README and the paragraph of `--help` are made from here.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Declares the codes: number, what `--help` says of it, and what the README says of it.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $short:literal, $meaning:literal;)+) => {
        /// Result of a command, as the program's exit code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "u8", try_from = "u8")]
        pub enum ExitCode {
            $($(#[$doc])* $name = $number,)+
        }

        impl ExitCode {
            /// Every code, by its number.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Meaning of the code, in a few words.
            #[must_use]
            pub fn short(self) -> &'static str {
                match self { $(Self::$name => $short),+ }
            }

            /// Meaning of the code, in full.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning),+ }
            }
        }
    };
}

codes! {
    /// All is well.
    Passed = 0, "passed", "passed";
    /// The tool itself failed.
    ToolFailed = 1, "the tool failed", "the tool failed: see the message";
    /// The arguments do not fit together.
    Usage = 2, "usage", "usage";
    /// Nothing was there to check.
    NothingToCheck = 3, "nothing to check", "nothing to check: no profiles or no fields matched";
    /// An input is invalid.
    Findings = 10, "findings", "findings: an input is invalid";
    /// Measurements moved.
    Drift = 11, "drift", "drift beyond tolerance, inconclusive, or broken, and not approved";
    /// Agreement with truth is too low.
    Accuracy = 12, "accuracy below its floor", "accuracy below its floor";
    /// Nobody agreed to this.
    NotApproved = 13, "not approved", "not approved, or the approval does not match";
    /// A deploy did not begin.
    DeployRefused = 20, "deploy refused", "deploy refused before anything changed";
    /// A deploy was taken back.
    DeployFailed = 21, "deploy failed",
        "deploy failed, the previous release is active and healthy";
    /// A deploy could not be taken back.
    PersonNeeded = 22, "manual repair is needed", "deploy failed, rollback failed: repair it by hand";
    /// Nobody knows what a server runs.
    Unknown = 23, "what is active is not known",
        "the state of the server is unknown: the message says how to ask";
    /// A target is not as it should be.
    Unhealthy = 24, "the target is unhealthy", "the target is unhealthy: see its findings";
}

impl ExitCode {
    /// The number.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The code of a number; `None` when no code has it.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }

    /// Whether nothing stands in the way.
    #[must_use]
    pub fn is_passed(self) -> bool {
        self == Self::Passed
    }

    /// The table of the README, in Markdown.
    #[must_use]
    pub fn table() -> String {
        let row = |code: &Self| format!("| {code} | {} |\n", code.meaning());
        let rows: String = Self::ALL.iter().map(row).collect();
        format!("| code | meaning |\n|---|---|\n{rows}")
    }

    /// All codes in a sentence, `0 passed, …`, in lines of at most `width` characters that end between
    /// two codes; lines but the first begin with two spaces.
    #[must_use]
    pub fn sentence(lead: &str, width: usize) -> String {
        let mut lines = vec![lead.to_owned()];
        for code in Self::ALL {
            let end = if Some(code) == Self::ALL.last() { '.' } else { ',' };
            let part = format!(" {code} {}{end}", code.short());
            match lines.last_mut() {
                Some(line) if line.chars().count() + part.chars().count() <= width => {
                    line.push_str(&part);
                }
                _ => lines.push(format!(" {part}")),
            }
        }
        lines.join("\n")
    }
}

impl fmt::Display for ExitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

impl From<ExitCode> for u8 {
    fn from(code: ExitCode) -> Self {
        code.number()
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

/// No exit code has this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no exit code of cellgate")]
pub struct NoExitCode(u8);

impl TryFrom<u8> for ExitCode {
    type Error = NoExitCode;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        Self::from_number(number).ok_or(NoExitCode(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_are_read_back() {
        assert!(ExitCode::ALL.windows(2).all(|pair| pair[0].number() < pair[1].number()));
        for &code in ExitCode::ALL {
            let json = serde_json::to_string(&code).unwrap();
            assert_eq!(json, code.number().to_string());
            assert_eq!(serde_json::from_str::<ExitCode>(&json).unwrap(), code);
        }
        assert!(serde_json::from_str::<ExitCode>("14").is_err());
    }

    #[test]
    fn the_sentence_has_every_code_and_keeps_to_its_width() {
        let sentence = ExitCode::sentence("Exit codes:", 80);
        assert!(sentence.starts_with("Exit codes: 0 passed, 1 the tool failed,"), "{sentence}");
        assert!(sentence.lines().all(|line| line.chars().count() <= 80), "{sentence}");
        for code in ExitCode::ALL {
            let words = sentence.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains(&format!("{code} {}", code.short())), "{code}");
        }
    }
}
