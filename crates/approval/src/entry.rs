//! Entry: a person's approval or revocation of a change, before it has a place in the log.

use super::binding::Binding;
use super::timestamp::Timestamp;
use cellgate_core::digest::Digest;
use std::fmt;
use std::str::FromStr;

/// Most characters of a reason.
pub const MAX_WHY_CHARS: usize = 1_000;

/// Most characters of a person's name: those of the longest mail address.
const MAX_WHO_CHARS: usize = 254;

/// Larger numbers are not the same in every JSON reader.
const MAX_PULL_REQUEST: u64 = 1 << 53;

/// Decision about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The change may pass.
    Approve,
    /// The approved change may no longer pass.
    Revoke,
}

impl Action {
    /// The word in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Revoke => "revoke",
        }
    }
}

impl FromStr for Action {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Approve, Self::Revoke];
        let known = all.into_iter().find(|action| action.as_str() == text);
        known.ok_or(EntryError { key: "action", wanted: "`approve` or `revoke`" })
    }
}

/// A permission on a repository, as GitHub names it, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// May read.
    Read,
    /// May also sort issues.
    Triage,
    /// May push.
    Write,
    /// May also manage the repository.
    Maintain,
    /// May do everything.
    Admin,
}

impl Permission {
    /// The word in the log and in `cellgate.yaml`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Permission {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Read, Self::Triage, Self::Write, Self::Maintain, Self::Admin];
        let known = all.into_iter().find(|permission| permission.as_str() == text);
        let wanted = "one of `read`, `triage`, `write`, `maintain`, `admin`";
        known.ok_or(EntryError { key: "permission", wanted })
    }
}

/// A person's approval or revocation of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The decision.
    pub action: Action,
    /// Profiles and digests that the decision holds for.
    pub binding: Binding,
    /// The report that was seen; told, not compared.
    pub report_digest: Digest,
    /// Head's commit, 40 or 64 hexadecimal digits; told, not compared.
    pub commit: Option<String>,
    /// Number of the pull request, from 1; told, not compared.
    pub pull_request: Option<u64>,
    /// Who says it: a login, or a mail address.
    pub who: String,
    /// Permission of that person on the repository.
    pub permission: Permission,
    /// Who made the change, where it is known.
    pub author: Option<String>,
    /// Why, in one line.
    pub why: String,
    /// When.
    pub when: Timestamp,
}

/// A value of an entry does not have its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` is not {wanted}")]
pub struct EntryError {
    /// The value's key in the log.
    pub key: &'static str,
    /// Form that the value must have, in words.
    pub wanted: &'static str,
}

impl Entry {
    /// Checks the form of every value.
    ///
    /// # Errors
    /// [`EntryError`] for the first that does not have it.
    pub fn check(&self) -> Result<(), EntryError> {
        let person = "a login or a mail address of at most 254 characters, without spaces";
        let forms = [
            (
                self.binding.is_well_formed(),
                "binding",
                "1 to 200 profiles, each once, sorted by name",
            ),
            (
                self.commit.as_deref().is_none_or(is_commit),
                "commit",
                "40 or 64 lowercase hexadecimal digits",
            ),
            (
                self.pull_request.is_none_or(|number| (1..=MAX_PULL_REQUEST).contains(&number)),
                "pull_request",
                "a number from 1",
            ),
            (is_person(&self.who), "who", person),
            (self.author.as_deref().is_none_or(is_person), "author", person),
            (
                is_reason(&self.why),
                "why",
                "a reason: one line of 1 to 1000 characters, without control characters",
            ),
        ];
        match forms.into_iter().find(|(holds, _, _)| !holds) {
            None => Ok(()),
            Some((_, key, wanted)) => Err(EntryError { key, wanted }),
        }
    }
}

fn is_commit(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    [40, 64].contains(&text.len()) && text.bytes().all(is_digit)
}

fn is_person(text: &str) -> bool {
    let is_plain = |c: char| !c.is_whitespace() && !is_deceptive(c) && c != ',' && c != '"';
    // A name that begins with a hyphen would be an option to the program that checks signatures.
    (1..=MAX_WHO_CHARS).contains(&text.chars().count())
        && !text.starts_with('-')
        && text.chars().all(is_plain)
}

fn is_reason(text: &str) -> bool {
    (1..=MAX_WHY_CHARS).contains(&text.chars().count())
        && text.trim() == text
        && !text.chars().any(is_deceptive)
}

/// Whether a character breaks lines or turns the direction of reading.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// The first digits of a report's digest, enough of them to name it: 12 to 64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestPrefix(String);

impl DigestPrefix {
    /// Fewest digits that name a report; [`Digest::short`] gives as many.
    pub const MIN_DIGITS: usize = 12;

    /// Whether a digest begins so.
    #[must_use]
    pub fn names(&self, digest: &Digest) -> bool {
        digest.to_string().starts_with(&self.0)
    }
}

impl fmt::Display for DigestPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DigestPrefix {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if (Self::MIN_DIGITS..=64).contains(&text.len()) && text.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            let wanted = "the first 12 to 64 lowercase hexadecimal digits of a report's digest";
            Err(EntryError { key: "digest", wanted })
        }
    }
}
