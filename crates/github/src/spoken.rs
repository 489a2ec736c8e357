//! Spoken: the command in a comment's first line, or none.
//!
//! `/cellgate approve DIGEST reason` and `/cellgate revoke DIGEST reason`. Anybody may write
//! anything: the text is bounded, read once from left to right, and everything else is not for us.

use cellgate_approval::{Action, DigestPrefix, MAX_WHY_CHARS};

/// Longer first lines are no command, in bytes.
const MAX_LINE_BYTES: usize = 8 << 10;

/// Command that a comment gives us, if any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spoken {
    /// Nothing.
    NotForUs,
    /// A command that cannot be understood, with what to write.
    Malformed(String),
    /// A command.
    Command(Command),
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Action to take.
    pub action: Action,
    /// With which report.
    pub report: DigestPrefix,
    /// Why.
    pub why: String,
}

impl Spoken {
    /// Reads a comment.
    ///
    /// # Edge cases
    /// Only a first line that begins with `/cellgate approve` or `/cellgate revoke` speaks to us.
    /// Lines after it are for people.
    #[must_use]
    pub fn parse(comment: &str) -> Self {
        let line = comment.split(['\n', '\r']).next().unwrap_or_default();
        if MAX_LINE_BYTES < line.len() {
            return Self::NotForUs;
        }
        let mut rest = line;
        if take_word(&mut rest) != "/cellgate" || !line.starts_with('/') {
            return Self::NotForUs;
        }
        let Ok(action) = take_word(&mut rest).parse::<Action>() else { return Self::NotForUs };
        let report = take_word(&mut rest).parse::<DigestPrefix>();
        let why = rest.trim();
        let n_chars = why.chars().count();
        let is_reason =
            (1..=MAX_WHY_CHARS).contains(&n_chars) && !why.chars().any(char::is_control);
        match report {
            Ok(report) if is_reason => {
                Self::Command(Command { action, report, why: why.to_owned() })
            }
            Ok(_) => {
                let form = format!("`/cellgate {} DIGEST REASON`", action.as_str());
                Self::Malformed(format!("say why in the same line: {form}"))
            }
            Err(error) => Self::Malformed(error.to_string()),
        }
    }
}

/// Takes the first word off a text.
fn take_word<'a>(rest: &mut &'a str) -> &'a str {
    let text = rest.trim_start_matches([' ', '\t']);
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    let (word, remainder) = text.split_at(end);
    *rest = remainder;
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(comment: &str, action: Action, why: &str) {
        let expected =
            Command { action, report: "0123456789ab".parse().unwrap(), why: why.to_owned() };
        assert_eq!(Spoken::parse(comment), Spoken::Command(expected), "{comment}");
    }

    #[test]
    fn a_command_is_read() {
        check("/cellgate approve 0123456789ab noise", Action::Approve, "noise");
        check("/cellgate revoke 0123456789ab it was slide 7", Action::Revoke, "it was slide 7");
        check("/cellgate  approve\t0123456789ab  noise \r\nmore", Action::Approve, "noise");
        check("/cellgate approve 0123456789ab <!-- @x `y`", Action::Approve, "<!-- @x `y`");
    }

    #[test]
    fn everything_else_is_not_for_us() {
        for comment in [
            "",
            "looks good",
            "please /cellgate approve 0123456789ab noise",
            " /cellgate approve 0123456789ab noise",
            "> /cellgate approve 0123456789ab noise",
            "\n/cellgate approve 0123456789ab noise",
            "/cellgateapprove 0123456789ab noise",
            "/cellgate-bot approve 0123456789ab noise",
            "/CELLGATE approve 0123456789ab noise",
            "/cellgate merge 0123456789ab noise",
            "/cellgate",
            "`/cellgate approve 0123456789ab noise`",
        ] {
            assert_eq!(Spoken::parse(comment), Spoken::NotForUs, "{comment:?}");
        }
        let comment = format!("/cellgate approve 0123456789ab {}", "x".repeat(300_000));
        assert_eq!(Spoken::parse(&comment), Spoken::NotForUs);
    }

    #[test]
    fn a_command_that_lacks_something_is_told() {
        for comment in [
            "/cellgate approve",
            "/cellgate approve noise",
            "/cellgate approve 0123 noise",
            "/cellgate approve 0123456789AB noise",
            "/cellgate approve 0123456789ab",
            "/cellgate revoke 0123456789ab   ",
            "/cellgate approve 0123456789ab a\u{0}b",
        ] {
            assert!(matches!(Spoken::parse(comment), Spoken::Malformed(_)), "{comment:?}");
        }
    }

    proptest! {
        #[test]
        fn any_comment_is_read_without_panic(comment in ".{0,200}", cut in 0..40usize) {
            let _ = Spoken::parse(&comment);
            let command = "/cellgate approve 0123456789ab noise";
            let _ = Spoken::parse(&format!("{}{comment}", &command[..cut.min(command.len())]));
        }
    }
}
