//! Key: faults of a private key, reported before anything is connected.
//!
//! Takes the text of a secret as people paste it; gives a key that ssh reads, or one error with one
//! remedy. A fault that has only one remedy is repaired, and the repair is reported. Never shows a
//! byte of the key, never writes it anywhere, and never decrypts it: `ssh-add` finds out whether
//! the passphrase fits, see [`super::ssh`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cellgate_inputs::secret::Secret;
use std::borrow::Cow;
use std::fmt;

/// Longest text of a key; an RSA key of 16,384 bits has 12 kB.
pub const MAX_KEY_BYTES: usize = 64 << 10;

/// Characters in a line of a rewritten key: OpenSSL reads no longer ones behind headers.
const LINE_LENGTH: usize = 64;

/// First bytes of an OpenSSH key once its lines are decoded.
const OPENSSH_MAGIC: &[u8] = b"openssh-key-v1\0";

/// A private key in the form that ssh reads.
#[derive(Debug, Clone)]
pub struct PrivateKey {
    /// Lines that end in a line feed, the last one, too.
    pub text: Secret,
    /// Whether a passphrase is needed.
    pub is_encrypted: bool,
    /// The public half as type and base64, where the key's form shows it without a passphrase.
    pub public: Option<String>,
    /// Repairs, in the order in which the faults were found.
    pub repairs: Vec<Repair>,
}

/// Something that has one meaning only and was put right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// The whole key was in base64 once more.
    Base64,
    /// Quotation marks stood around it.
    Quotes,
    /// Line feeds were written as a backslash and an `n`.
    EscapedLineFeeds,
    /// Lines ended in carriage return and line feed.
    CarriageReturns,
    /// All lines stood in one.
    JoinedLines,
    /// The last line had no line feed.
    FinalLineFeed,
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base64 => "the key was in base64 once more",
            Self::Quotes => "the key had quotation marks around it",
            Self::EscapedLineFeeds => "the key's line feeds were written as `\\n`",
            Self::CarriageReturns => "the key's lines ended in CRLF",
            Self::JoinedLines => "the key's lines stood in one",
            Self::FinalLineFeed => "the key's last line had no line feed",
        })
    }
}

/// Why a text is no key that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing is inside.
    #[error("the private key is empty: set the secret to the whole text of the key file")]
    Empty,
    /// It is longer than any key.
    #[error("the private key has more than {MAX_KEY_BYTES} bytes: give the key file alone")]
    TooLong,
    /// The other half of the pair.
    #[error(
        "this is the public key: give the private one, the file of the same name without `.pub`"
    )]
    Public,
    /// A certificate, of a host, a user or a website.
    #[error("this is a certificate, not a private key: give the key that it was made for")]
    Certificate,
    /// PuTTY's own form.
    #[error(
        "this is a key in PuTTY's form: open it in PuTTYgen and choose Conversions, Export \
         OpenSSH key; or run `puttygen key.ppk -O private-openssh-new -o key`"
    )]
    Putty,
    /// The form of ssh.com.
    #[error("this is a key in the form of ssh.com: convert it with `ssh-keygen -i -f old > new`")]
    SshCom,
    /// The name of a file.
    #[error("this is the path of a key, not the key: set the secret to the content of that file")]
    Path,
    /// A digest of a key.
    #[error(
        "this is a key's fingerprint, not the key: give the whole text of the private key file"
    )]
    Fingerprint,
    /// Two keys.
    #[error("several keys stand in the secret: give one, or one secret for each target")]
    Several,
    /// The end is missing.
    #[error(
        "the private key is cut off: copy the whole file, from the line `-----BEGIN` to the line \
         `-----END`, both included"
    )]
    Truncated,
    /// The lines between first and last are no key.
    #[error(
        "the private key is damaged between its first and last line: copy the file anew, without \
         an editor that changes lines"
    )]
    Damaged,
    /// ssh no longer takes it.
    #[error("this is a DSA key, which ssh no longer takes: make one with `ssh-keygen -t ed25519`")]
    Dsa,
    /// The key is in a device.
    #[error(
        "this key lives in a security device that somebody must touch: for deploys make one with \
         `ssh-keygen -t ed25519`"
    )]
    Device,
    /// Anything else.
    #[error(
        "this is not a private key: one begins with `-----BEGIN OPENSSH PRIVATE KEY-----` or \
         another `PRIVATE KEY` line"
    )]
    NotAKey,
    /// It is encrypted.
    #[error(
        "the private key needs a passphrase: name its variable under `passphrase:` of the target \
         and set it"
    )]
    PassphraseMissing,
    /// It is encrypted with another one.
    #[error(
        "the passphrase does not fit the private key: correct the secret; mind spaces at its ends"
    )]
    PassphraseWrong,
}

impl KeyError {
    /// The error in kebab-case; never changes.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "key-empty",
            Self::TooLong => "key-too-long",
            Self::Public => "key-public",
            Self::Certificate => "key-certificate",
            Self::Putty => "key-putty",
            Self::SshCom => "key-ssh-com",
            Self::Path => "key-path",
            Self::Fingerprint => "key-fingerprint",
            Self::Several => "key-several",
            Self::Truncated => "key-truncated",
            Self::Damaged => "key-damaged",
            Self::Dsa => "key-dsa",
            Self::Device => "key-device",
            Self::NotAKey => "key-not-a-key",
            Self::PassphraseMissing => "key-passphrase-missing",
            Self::PassphraseWrong => "key-passphrase-wrong",
        }
    }
}

/// Examines a private key, and repairs what has one meaning only.
///
/// # Errors
/// [`KeyError`]; [`KeyError::PassphraseMissing`] when it is encrypted and `passphrase` is `None`.
pub fn examine(text: &Secret, passphrase: Option<&Secret>) -> Result<PrivateKey, KeyError> {
    if text.reveal().len() > MAX_KEY_BYTES {
        return Err(KeyError::TooLong);
    }
    let mut repairs = Vec::new();
    let text = unwrap_text(text.reveal(), &mut repairs)?;
    let block = Block::parse(&text)?;
    block.add_line_repairs(&text, &mut repairs);
    let (is_encrypted, public) = block.check()?;
    if is_encrypted && passphrase.is_none() {
        return Err(KeyError::PassphraseMissing);
    }
    Ok(PrivateKey { text: Secret::new(block.text()), is_encrypted, public, repairs })
}

/// The text without what was put around it.
fn unwrap_text<'a>(text: &'a str, repairs: &mut Vec<Repair>) -> Result<Cow<'a, str>, KeyError> {
    let mut text = Cow::Borrowed(text.trim_start_matches('\u{feff}').trim_start());
    if text.trim_end().is_empty() {
        return Err(KeyError::Empty);
    }
    for quote in ['"', '\''] {
        let inside = text.trim_end().strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        if let Some(inside) = inside {
            repairs.push(Repair::Quotes);
            text = Cow::Owned(inside.trim_start().to_owned());
        }
    }
    if !text.contains("-----BEGIN ") {
        let decoded = STANDARD.decode(without_spaces(&text));
        let decoded = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok());
        match decoded.filter(|decoded| decoded.contains("-----BEGIN ")) {
            None => return Err(error_about_foreign_text(&text)),
            Some(decoded) => {
                repairs.push(Repair::Base64);
                text = Cow::Owned(decoded);
            }
        }
    }
    if !text.trim_end().contains('\n') && text.contains("\\n") {
        repairs.push(Repair::EscapedLineFeeds);
        text = Cow::Owned(text.replace("\\r", "").replace("\\n", "\n"));
    }
    Ok(text)
}

fn without_spaces(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_whitespace()).collect()
}

/// Returns the most probable kind of a text without the first line of a key.
fn error_about_foreign_text(text: &str) -> KeyError {
    let text = text.trim();
    let first = text.split_whitespace().next().unwrap_or_default();
    let is_key_type = |word: &str| {
        ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|start| word.starts_with(start))
    };
    if text.starts_with("PuTTY-User-Key-File-") {
        KeyError::Putty
    } else if first.ends_with("-cert-v01@openssh.com") {
        KeyError::Certificate
    } else if is_key_type(first) || text.starts_with("---- BEGIN SSH2 PUBLIC KEY") {
        KeyError::Public
    } else if text.starts_with("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY") {
        KeyError::SshCom
    } else if first.starts_with("SHA256:") || first.starts_with("MD5:") {
        KeyError::Fingerprint
    } else if text.contains("-----END ") {
        KeyError::Truncated
    } else if !text.contains('\n') && (text.starts_with(['/', '~']) || first.contains("id_")) {
        KeyError::Path
    } else {
        KeyError::NotAKey
    }
}

/// One block of a PEM file: what its first line names, its headers, its bytes in base64.
struct Block<'a> {
    label: &'a str,
    /// Name and value, as `Proc-Type` and `4,ENCRYPTED`.
    headers: Vec<(&'a str, &'a str)>,
    body: String,
}

impl<'a> Block<'a> {
    fn parse(text: &'a str) -> Result<Self, KeyError> {
        let (_, rest) = text.split_once("-----BEGIN ").ok_or(KeyError::NotAKey)?;
        let (label, rest) = rest.split_once("-----").ok_or(KeyError::Truncated)?;
        match label {
            "PUBLIC KEY" | "RSA PUBLIC KEY" | "SSH2 PUBLIC KEY" => return Err(KeyError::Public),
            "CERTIFICATE" | "CERTIFICATE REQUEST" => return Err(KeyError::Certificate),
            "DSA PRIVATE KEY" => return Err(KeyError::Dsa),
            "OPENSSH PRIVATE KEY"
            | "RSA PRIVATE KEY"
            | "EC PRIVATE KEY"
            | "PRIVATE KEY"
            | "ENCRYPTED PRIVATE KEY" => {}
            _ => return Err(KeyError::NotAKey),
        }
        let end = format!("-----END {label}-----");
        let (inside, after) = rest.split_once(end.as_str()).ok_or(KeyError::Truncated)?;
        if inside.contains("-----") {
            return Err(KeyError::Truncated);
        }
        if after.contains("-----BEGIN ") {
            return Err(KeyError::Several);
        }
        let mut words = inside.split_whitespace();
        let mut headers = Vec::new();
        let mut body = String::new();
        while let Some(word) = words.next() {
            match word.strip_suffix(':') {
                Some(name) => headers.push((name, words.next().ok_or(KeyError::Truncated)?)),
                None => body.push_str(word),
            }
        }
        Ok(Self { label, headers, body })
    }

    /// Adds the repairs that the original lines need.
    fn add_line_repairs(&self, text: &str, repairs: &mut Vec<Repair>) {
        if text.contains('\r') {
            repairs.push(Repair::CarriageReturns);
        }
        if !text.trim_end().contains(['\n', '\r']) {
            repairs.push(Repair::JoinedLines);
        } else if !text.ends_with(['\n', ' ', '\t']) && !repairs.contains(&Repair::Quotes) {
            repairs.push(Repair::FinalLineFeed);
        }
    }

    /// Whether the key is encrypted, and what it shows of its public half, once it is whole.
    fn check(&self) -> Result<(bool, Option<String>), KeyError> {
        let bytes = STANDARD.decode(&self.body).map_err(|_| match self.body.len() % 4 {
            0 => KeyError::Damaged,
            _ => KeyError::Truncated,
        })?;
        if self.label == "OPENSSH PRIVATE KEY" {
            return read_openssh(&bytes);
        }
        let find_header = |name: &str| self.headers.iter().find(|header| header.0 == name);
        if find_header("Proc-Type").is_some_and(|header| header.1.ends_with("ENCRYPTED")) {
            // Its bytes are a cipher's blocks, whose number says nothing.
            let is_whole = find_header("DEK-Info").is_some();
            return if is_whole { Ok((true, None)) } else { Err(KeyError::Damaged) };
        }
        check_der_length(&bytes)?;
        Ok((self.label == "ENCRYPTED PRIVATE KEY", None))
    }

    /// The key as `ssh-keygen` writes it.
    fn text(&self) -> String {
        let mut text = format!("-----BEGIN {}-----\n", self.label);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\n"));
        }
        if !self.headers.is_empty() {
            text.push('\n');
        }
        // The body decoded as base64, so each character is one byte.
        let mut rest = self.body.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(LINE_LENGTH));
            text.push_str(line);
            text.push('\n');
            rest = after;
        }
        text.push_str(&format!("-----END {}-----\n", self.label));
        text
    }
}

/// Reads the open part of OpenSSH's form.
///
/// # Sources
/// PROTOCOL.key of OpenSSH.
fn read_openssh(bytes: &[u8]) -> Result<(bool, Option<String>), KeyError> {
    let rest = bytes.strip_prefix(OPENSSH_MAGIC).ok_or(KeyError::Damaged)?;
    let (cipher, rest) = split_length_prefixed(rest)?;
    let (_kdf, rest) = split_length_prefixed(rest)?;
    let (_kdf_options, rest) = split_length_prefixed(rest)?;
    let (n_keys, rest) = rest.split_first_chunk::<4>().ok_or(KeyError::Truncated)?;
    if u32::from_be_bytes(*n_keys) != 1 {
        return Err(KeyError::Damaged);
    }
    let (public, rest) = split_length_prefixed(rest)?;
    let (key_type, _) = split_length_prefixed(public)?;
    let (_private, _tag) = split_length_prefixed(rest)?;
    if key_type.starts_with(b"sk-") {
        return Err(KeyError::Device);
    }
    if key_type == b"ssh-dss" {
        return Err(KeyError::Dsa);
    }
    let is_word = |byte: &u8| byte.is_ascii_graphic();
    let name = std::str::from_utf8(key_type).ok().filter(|_| key_type.iter().all(is_word));
    let public = name.map(|name| format!("{name} {}", STANDARD.encode(public)));
    Ok((cipher != b"none", public))
}

/// A length in four bytes and as many bytes after it.
fn split_length_prefixed(bytes: &[u8]) -> Result<(&[u8], &[u8]), KeyError> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(KeyError::Truncated)?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or(KeyError::Truncated)
}

/// Whether the outermost sequence is as long as it says.
fn check_der_length(bytes: &[u8]) -> Result<(), KeyError> {
    let [0x30, length, rest @ ..] = bytes else { return Err(KeyError::Damaged) };
    let (n_bytes, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x84 => {
            let (digits, rest) =
                rest.split_at_checked(usize::from(length & 0x7f)).ok_or(KeyError::Truncated)?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return Err(KeyError::Damaged),
    };
    if rest.len() < n_bytes { Err(KeyError::Truncated) } else { Ok(()) }
}
