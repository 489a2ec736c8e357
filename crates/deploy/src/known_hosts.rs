//! Known hosts: the host keys that are pinned, told apart from what people paste by mistake.
//!
//! Takes the lines of `known_hosts`; gives them in clean form with the fingerprint of each key.
//! Which line belongs to a host is asked of `ssh-keygen -F`, which knows hashed names, patterns and
//! ports; see [`super::ssh`]. Trusts nothing on first use.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use cellgate_core::digest::Digest;

/// Lines that are read at most.
const MAX_LINES: usize = 10_000;

/// Pinned host keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHosts {
    /// Clean lines, each ending in a line feed.
    pub text: String,
    /// Pin of each line, in the order of the file.
    pub pins: Vec<Pin>,
}

/// Host key that one line pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Its line in the original text, from 1.
    pub line: usize,
    /// `ssh-ed25519` and the like.
    pub key_type: String,
    /// `SHA256:` and the digest in base64, as ssh shows it.
    pub fingerprint: String,
}

/// Why lines pin nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KnownHostsError {
    /// There is no line.
    #[error(
        "no host key is pinned: set `known_hosts` to the lines that `ssh-keyscan HOST` prints, \
         after comparing their fingerprints on the server's own console"
    )]
    Empty,
    /// There are more lines than a target needs.
    #[error("known hosts have more than {MAX_LINES} lines: give those of this target alone")]
    TooMany,
    /// A private key was pasted.
    #[error(
        "known hosts hold a private key: replace that key now, since it may have been logged, and \
         set the lines that `ssh-keyscan HOST` prints"
    )]
    PrivateKey,
    /// A line is a digest.
    #[error(
        "line {line} of known hosts is a fingerprint: the whole key is needed, as \
         `HOST ssh-ed25519 AAAA…`"
    )]
    Fingerprint {
        /// From 1.
        line: usize,
    },
    /// A line has a key and no host.
    #[error(
        "line {line} of known hosts has no host before the key: write `HOST ssh-ed25519 AAAA…`, \
         with a port other than 22 `[HOST]:PORT ssh-ed25519 AAAA…`"
    )]
    NoHost {
        /// From 1.
        line: usize,
    },
    /// A line is cut off or damaged.
    #[error(
        "line {line} of known hosts is damaged: it needs `HOST TYPE KEY`, with the whole key in \
         one line"
    )]
    Damaged {
        /// From 1.
        line: usize,
    },
}

impl KnownHostsError {
    /// The error in kebab-case; never changes.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "known-hosts-empty",
            Self::TooMany => "known-hosts-too-many",
            Self::PrivateKey => "known-hosts-private-key",
            Self::Fingerprint { .. } => "known-hosts-fingerprint",
            Self::NoHost { .. } => "known-hosts-no-host",
            Self::Damaged { .. } => "known-hosts-damaged",
        }
    }
}

impl KnownHosts {
    /// Reads lines of `known_hosts`.
    ///
    /// # Edge cases
    /// Comments and empty lines are dropped, CRLF becomes a line feed. Markers (`@cert-authority`,
    /// `@revoked`) stay. A line that pins nothing is an error, where ssh would pass over it.
    ///
    /// # Errors
    /// [`KnownHostsError`].
    pub fn parse(text: &str) -> Result<Self, KnownHostsError> {
        if text.contains("PRIVATE KEY-----") {
            return Err(KnownHostsError::PrivateKey);
        }
        let mut known_hosts = Self { text: String::new(), pins: Vec::new() };
        let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
        for (index, line) in lines {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if known_hosts.pins.len() == MAX_LINES {
                return Err(KnownHostsError::TooMany);
            }
            known_hosts.pins.push(parse_pin(index + 1, line)?);
            known_hosts.text.push_str(line);
            known_hosts.text.push('\n');
        }
        if known_hosts.pins.is_empty() { Err(KnownHostsError::Empty) } else { Ok(known_hosts) }
    }

    /// The pins of a line in the clean text, from 1.
    #[must_use]
    pub fn pin(&self, line: usize) -> Option<&Pin> {
        self.pins.get(line.checked_sub(1)?)
    }
}

fn parse_pin(line: usize, text: &str) -> Result<Pin, KnownHostsError> {
    let mut words = text.split_whitespace().peekable();
    let is_marker = |word: &&str| word.starts_with('@');
    words.next_if(is_marker);
    let (Some(hosts), key_type, key) = (words.next(), words.next(), words.next()) else {
        return Err(KnownHostsError::Damaged { line });
    };
    if hosts.starts_with("SHA256:") || key_type.is_some_and(|word| word.starts_with("SHA256:")) {
        return Err(KnownHostsError::Fingerprint { line });
    }
    if is_key_type(hosts) {
        return Err(KnownHostsError::NoHost { line });
    }
    let (Some(key_type), Some(key)) = (key_type, key) else {
        return Err(KnownHostsError::Damaged { line });
    };
    let blob = STANDARD.decode(key).map_err(|_| KnownHostsError::Damaged { line })?;
    let blob_type = blob
        .split_first_chunk::<4>()
        .and_then(|(length, rest)| rest.get(..u32::from_be_bytes(*length) as usize));
    if blob_type != Some(key_type.as_bytes()) {
        return Err(KnownHostsError::Damaged { line });
    }
    Ok(Pin { line, key_type: key_type.to_owned(), fingerprint: fingerprint(&blob) })
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|start| word.starts_with(start))
}

/// The fingerprint of a public key's bytes, as ssh shows it.
fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Digest::of_bytes(blob).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The host key of github.com that GitHub publishes, with its fingerprint.
    const GITHUB: &str = "github.com ssh-ed25519 \
        AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[test]
    fn lines_are_cleaned_and_digested() {
        let text = format!("\u{feff}# comment\r\n\r\n{GITHUB} octocat\r\n@revoked *{GITHUB}");
        let known_hosts = KnownHosts::parse(&text).unwrap();
        assert_eq!(known_hosts.text.lines().count(), 2);
        assert!(!known_hosts.text.contains('\r'));
        // https://docs.github.com/en/authentication: GitHub's SSH key fingerprints.
        let published = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";
        assert_eq!(known_hosts.pin(1).unwrap().fingerprint, published);
        assert_eq!((known_hosts.pin(1).unwrap().line, known_hosts.pin(3)), (3, None));
    }

    #[track_caller]
    fn check(text: &str, code: &str) {
        let error = KnownHosts::parse(text).unwrap_err();
        assert_eq!(error.code(), code);
        assert!(!error.to_string().contains("AAAAC3"), "{error}");
    }

    #[test]
    fn what_people_paste_by_mistake_is_named() {
        let (_, key) = GITHUB.split_once(' ').unwrap();
        check("", "known-hosts-empty");
        check("# only a comment\n", "known-hosts-empty");
        check(key, "known-hosts-no-host");
        check("SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU", "known-hosts-fingerprint");
        check("h SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU", "known-hosts-fingerprint");
        check("h ssh-ed25519", "known-hosts-damaged");
        check(&GITHUB[..GITHUB.len() - 3], "known-hosts-damaged");
        check(&GITHUB.replace("ed25519", "rsa"), "known-hosts-damaged");
        check("-----BEGIN OPENSSH PRIVATE KEY-----\n", "known-hosts-private-key");
    }
}
