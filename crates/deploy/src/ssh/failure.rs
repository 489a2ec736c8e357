//! Failure: faults between here and the server, each with its remedy.
//!
//! Faults that a person would handle differently are different kinds. `classify` decides which
//! words of ssh mean which kind.

use super::super::key::KeyError;
use super::super::known_hosts::KnownHostsError;
use std::error::Error as _;
use std::path::PathBuf;

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
        /// Error of the system.
        source: std::io::Error,
    },
    /// A private file cannot be written.
    #[error("`{}` cannot be written", .path.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// Error of the system.
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
        /// Key that the server showed, if it showed one.
        offered: Option<Box<Unverified>>,
    },
    /// The server shows another key than the pinned one.
    #[error("the host key of {host} is not the pinned one: the server sent {sent}, {}", describe_pins(.pinned))]
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
        /// Command that was to run.
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

    /// Remedy for the error.
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
                "run this again: what arrived is kept; `cellgate status` shows the state"
            }
            Self::Other { .. } => "look into the server's log",
        };
        remedy.to_owned()
    }

    /// The error, its cause and its remedy.
    #[must_use]
    pub fn full_message(&self) -> String {
        let cause = self.source().map(|source| format!(": {source}")).unwrap_or_default();
        format!("{self}{cause}; {}", self.remedy())
    }

    /// Whether the same attempt may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
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

fn describe_pins(pins: &[String]) -> String {
    if pins.is_empty() {
        "pinned is another".to_owned()
    } else {
        format!("pinned is {}", pins.join(", "))
    }
}
