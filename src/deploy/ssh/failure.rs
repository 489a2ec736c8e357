//! Failure: what went wrong between here and the server, from what ssh says.
//!
//! ssh reports everything in English words on one stream and with exit code 255. This is the one
//! place that reads these words; each class has a test against a real server. The words are asked
//! for in English (`LC_ALL=C`).

use super::super::key::KeyError;
use super::super::known_hosts::KnownHostsError;
use std::error::Error as _;
use std::path::PathBuf;

/// Characters of ssh's own words that a message repeats at most.
const MAX_QUOTED: usize = 600;

/// The connection to a server could not be made or was lost; the text says what is wrong,
/// [`SshError::remedy`] what to do. Hosts are named as `known_hosts` names them.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// The private key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The pinned host keys cannot be used.
    #[error(transparent)]
    KnownHosts(#[from] KnownHostsError),
    /// A program of OpenSSH is not there.
    #[error("`{program}` cannot be started")]
    Missing {
        /// The program's name.
        program: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// A private file cannot be written.
    #[error("`{}` cannot be written", .path.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// No key is named and no agent runs.
    #[error("no SSH agent is there to ask: `SSH_AUTH_SOCK` is not set")]
    NoAgent,
    /// The private agent failed.
    #[error("the private SSH agent failed: {said}")]
    Keyring {
        /// Its words.
        said: String,
    },
    /// No pin belongs to the host.
    #[error("no key of {host} is pinned in known hosts")]
    HostUnknown {
        /// The host.
        host: String,
        /// What the server showed, when it showed something.
        offered: Option<Box<Unverified>>,
    },
    /// The server shows another key than the pinned one.
    #[error("the host key of {host} is not the pinned one: the server sent {sent}, {}", listed(.pinned))]
    HostKeyDiffers {
        /// The host.
        host: String,
        /// Type and fingerprint that the server sent.
        sent: String,
        /// Type and fingerprint of each pin.
        pinned: Vec<String>,
    },
    /// The pins name the key as revoked.
    #[error("the host key of {host} is marked `@revoked` in known hosts")]
    HostKeyRevoked {
        /// The host.
        host: String,
    },
    /// The server lets nobody in with this user and key.
    #[error("the server refused the login {login} with the key {offered}")]
    LoginRefused {
        /// User and host.
        login: String,
        /// Fingerprint of the key that was offered.
        offered: String,
    },
    /// Nobody listens.
    #[error("{host} refused the connection: no SSH server listens on that port")]
    ConnectionRefused {
        /// The host.
        host: String,
    },
    /// Nobody answers.
    #[error("{host} does not answer")]
    NoAnswer {
        /// The host.
        host: String,
    },
    /// The name leads nowhere.
    #[error("the name service does not know {host}")]
    NameUnknown {
        /// The host.
        host: String,
    },
    /// There is no way to it.
    #[error("there is no route to {host}")]
    Unreachable {
        /// The host.
        host: String,
    },
    /// Something else listens there.
    #[error("what listens at {host} is no SSH server")]
    NotSsh {
        /// The host.
        host: String,
    },
    /// The server hung up before the login.
    #[error("{host} hung up before the login")]
    HungUp {
        /// The host.
        host: String,
    },
    /// The two sides share no algorithm.
    #[error("{host} and this ssh share no algorithm: {said}")]
    NoCommonAlgorithm {
        /// The host.
        host: String,
        /// ssh's words.
        said: String,
    },
    /// The login did not end in time.
    #[error("the login to {host} did not end within {seconds} s")]
    LoginTimeout {
        /// The host.
        host: String,
        /// The limit.
        seconds: u64,
    },
    /// The server opens no more channels.
    #[error("{host} opens no more channels on one connection")]
    TooFewSessions {
        /// The host.
        host: String,
    },
    /// The server has no such command.
    #[error("{host} cannot run `{command}`: there is no such program")]
    CommandMissing {
        /// The host.
        host: String,
        /// What was to run.
        command: String,
    },
    /// The connection broke.
    #[error("the connection to {host} broke: {said}")]
    Lost {
        /// The host.
        host: String,
        /// ssh's words.
        said: String,
    },
    /// ssh says something that no class is known for.
    #[error("ssh failed at {host}: {said}")]
    Other {
        /// The host.
        host: String,
        /// ssh's words.
        said: String,
    },
}

/// A host key that a server showed and that nobody has checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unverified {
    /// The line that would pin it.
    pub line: String,
    /// Its type and fingerprint.
    pub fingerprint: String,
}

impl SshError {
    /// The error in kebab-case; never changes.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Key(error) => error.code(),
            Self::KnownHosts(error) => error.code(),
            Self::Missing { .. } => "ssh-missing",
            Self::Folder { .. } => "ssh-folder",
            Self::NoAgent => "ssh-no-agent",
            Self::Keyring { .. } => "ssh-keyring",
            Self::HostUnknown { .. } => "ssh-host-unknown",
            Self::HostKeyDiffers { .. } => "ssh-host-key-differs",
            Self::HostKeyRevoked { .. } => "ssh-host-key-revoked",
            Self::LoginRefused { .. } => "ssh-login-refused",
            Self::ConnectionRefused { .. } => "ssh-connection-refused",
            Self::NoAnswer { .. } => "ssh-no-answer",
            Self::NameUnknown { .. } => "ssh-name-unknown",
            Self::Unreachable { .. } => "ssh-unreachable",
            Self::NotSsh { .. } => "ssh-not-ssh",
            Self::HungUp { .. } => "ssh-hung-up",
            Self::NoCommonAlgorithm { .. } => "ssh-no-common-algorithm",
            Self::LoginTimeout { .. } => "ssh-login-timeout",
            Self::TooFewSessions { .. } => "ssh-too-few-sessions",
            Self::CommandMissing { .. } => "ssh-command-missing",
            Self::Lost { .. } => "ssh-lost",
            Self::Other { .. } => "ssh-other",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        let remedy = match self {
            Self::Key(_) | Self::KnownHosts(_) => "correct the secret and run this again",
            Self::Missing { .. } => "install OpenSSH's client (`openssh-client`)",
            Self::Folder { .. } => "set `TMPDIR` to a folder with space",
            Self::NoAgent => "name the private key under `key:` of the target, or start an agent",
            Self::Keyring { .. } => {
                "check that this machine lets sockets be made in its temporary folder"
            }
            Self::HostUnknown { offered: Some(offered), .. } => return offered.remedy(),
            Self::HostUnknown { offered: None, .. } => {
                "take its line from the server's own console: /etc/ssh/ssh_host_ed25519_key.pub"
            }
            Self::HostKeyDiffers { .. } => {
                "do not deploy before somebody has compared the key on the server's own console; \
                 when the server was set up anew, replace its line in known hosts"
            }
            Self::HostKeyRevoked { .. } => "give the server a new host key and pin that one",
            Self::LoginRefused { .. } => {
                "check `user`, and that the line of this key stands in that user's \
                 `authorized_keys`, which only that user may write, its folders included"
            }
            Self::ConnectionRefused { .. } => "check `hosts`, `port` and whether sshd runs",
            Self::NoAnswer { .. } => {
                "check `hosts` and `port`, and whether a firewall lets this machine in"
            }
            Self::NameUnknown { .. } => "check `hosts` and `jump`",
            Self::Unreachable { .. } => "check the network and the address",
            Self::NotSsh { .. } => "check `port`",
            Self::HungUp { .. } => {
                "wait and try again: it may have too many connections at once (`MaxStartups`) or \
                 shut this address out (fail2ban); its log says which"
            }
            Self::NoCommonAlgorithm { .. } => "update the older of the two",
            Self::LoginTimeout { .. } => "look into the server's log",
            Self::TooFewSessions { .. } => "raise `MaxSessions` in its sshd_config to 4 or more",
            Self::CommandMissing { .. } => {
                "install cellgate there, or run `cellgate deploy --bootstrap` once"
            }
            Self::Lost { .. } => {
                "run this again: what arrived is kept; `cellgate status` tells the state"
            }
            Self::Other { .. } => "look into the server's log",
        };
        remedy.to_owned()
    }

    /// What is wrong, why, and what to do about it.
    #[must_use]
    pub fn in_full(&self) -> String {
        let why = self.source().map(|source| format!(": {source}")).unwrap_or_default();
        format!("{self}{why}; {}", self.remedy())
    }

    /// Whether the same attempt may succeed later without anybody changing anything.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::ConnectionRefused { .. }
                | Self::NoAnswer { .. }
                | Self::Unreachable { .. }
                | Self::HungUp { .. }
                | Self::LoginTimeout { .. }
                | Self::Lost { .. }
        )
    }
}

impl Unverified {
    fn remedy(&self) -> String {
        let Self { line, fingerprint } = self;
        format!(
            "the server showed a key that nobody has checked, UNVERIFIED {fingerprint}: compare it \
             on the server's own console with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`, \
             and only when both agree add this line to known hosts: {line}"
        )
    }
}

fn listed(pins: &[String]) -> String {
    if pins.is_empty() {
        "pinned is another".to_owned()
    } else {
        format!("pinned is {}", pins.join(", "))
    }
}

/// What the classes are told apart by.
pub(super) struct Attempt<'a> {
    /// The host as `known_hosts` names it.
    pub(super) host: &'a str,
    /// User and host.
    pub(super) login: &'a str,
    /// Fingerprint of the key that was offered.
    pub(super) offered: &'a str,
}

/// The class of what ssh said while it connected.
///
/// Host keys come first: everything after a key that does not fit is a consequence of it.
pub(super) fn classify(said: &str, attempt: &Attempt<'_>) -> SshError {
    let host = named_host(said).unwrap_or_else(|| attempt.host.to_owned());
    let has = |words: &str| said.contains(words);
    if has("REVOKED HOST KEY DETECTED") {
        SshError::HostKeyRevoked { host }
    } else if has("REMOTE HOST IDENTIFICATION HAS CHANGED") || has("host certificate") {
        SshError::HostKeyDiffers { host, sent: sent_key(said), pinned: Vec::new() }
    } else if has("you have requested strict checking") || has("Host key verification failed") {
        SshError::HostUnknown { host, offered: None }
    } else if has("Permission denied (") || has("Too many authentication failures") {
        let login = refused_login(said).unwrap_or_else(|| attempt.login.to_owned());
        SshError::LoginRefused { login, offered: attempt.offered.to_owned() }
    } else if has("Could not resolve hostname") {
        SshError::NameUnknown { host }
    } else if has("Connection refused") {
        SshError::ConnectionRefused { host }
    } else if has("timed out") || has("Timeout, server") {
        SshError::NoAnswer { host }
    } else if has("No route to host") || has("Network is unreachable") {
        SshError::Unreachable { host }
    } else if has("banner line contains invalid characters")
        || has("Bad remote protocol version")
        || has("ssh_dispatch_run_fatal")
    {
        SshError::NotSsh { host }
    } else if has("no matching ") || has("Unable to negotiate") {
        SshError::NoCommonAlgorithm { host, said: quoted(said) }
    } else if has("kex_exchange_identification") || has("Connection closed by") || has("reset by") {
        SshError::HungUp { host }
    } else {
        SshError::Other { host, said: quoted(said) }
    }
}

/// The class of what ssh and the command said after the login.
pub(super) fn classify_channel(said: &str, log: &str, host: &str, command: &str) -> SshError {
    let host = host.to_owned();
    let has = |words: &str| said.contains(words);
    if has("Session open refused by peer") || has("open failed: administratively prohibited") {
        return SshError::TooFewSessions { host };
    }
    if has("command not found") || has(": not found") || has("No such file or directory") {
        return SshError::CommandMissing { host, command: command.to_owned() };
    }
    let words = [log, said].into_iter().map(quoted).find(|words| !words.is_empty());
    let said = words.unwrap_or_else(|| "nothing was said about why".to_owned());
    SshError::Lost { host, said }
}

/// ssh's words for a message: one line, printable, bounded.
pub(super) fn quoted(said: &str) -> String {
    let is_noise = |line: &&str| line.is_empty() || line.bytes().all(|byte| byte == b'@');
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !is_noise(line)).collect();
    let text = lines.join("; ");
    let printable =
        text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter });
    printable.take(MAX_QUOTED).collect()
}

/// The host whose key was looked at, which may be one on the way.
fn named_host(said: &str) -> Option<String> {
    let after = |start: &str, end: &str| {
        let (_, rest) = said.split_once(start)?;
        let (name, _) = rest.split_once(end)?;
        (!name.is_empty() && !name.contains(char::is_whitespace)).then(|| name.to_owned())
    };
    after("Host key for ", " has changed")
        .or_else(|| after("host key is known for ", " and you have"))
        .or_else(|| after("Could not resolve hostname ", ":"))
        .or_else(|| {
            let (_, rest) = said.split_once("connect to host ")?;
            let mut words = rest.split_whitespace();
            let (host, _, port) = (words.next()?, words.next()?, words.next()?);
            let port = port.trim_end_matches(':');
            Some(if port == "22" { host.to_owned() } else { format!("[{host}]:{port}") })
        })
}

/// `user@host` of a refused login, which may be one on the way.
fn refused_login(said: &str) -> Option<String> {
    let (before, _) = said.split_once(": Permission denied (")?;
    let login = before.lines().last()?.trim();
    (login.contains('@') && !login.contains(char::is_whitespace)).then(|| login.to_owned())
}

/// Type and fingerprint of the key that the server sent.
fn sent_key(said: &str) -> String {
    let kind = said.split_once("fingerprint for the ").and_then(|(_, rest)| rest.split_once(' '));
    let digest = said.split_once("SHA256:").map(|(_, rest)| {
        let is_digit = |letter: &char| letter.is_ascii_alphanumeric() || "+/".contains(*letter);
        rest.chars().take_while(is_digit).take(64).collect::<String>()
    });
    match (kind, digest) {
        (Some((kind, _)), Some(digest)) => format!("{kind} SHA256:{digest}"),
        _ => "another one".to_owned(),
    }
}
