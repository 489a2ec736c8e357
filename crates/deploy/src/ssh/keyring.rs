//! Keyring: a private, short-lived ssh-agent that holds one key.
//!
//! The key goes from memory into the agent through a pipe and is never written anywhere. The
//! passphrase is asked for by `ssh-add` and answered by cellgate itself, see [`ASKPASS_REPLY`]. The
//! agent ends with the deploy; when the deploy is killed, it notices within ten seconds, and the key
//! has an end of its own besides.

use super::super::key::{KeyError, PrivateKey};
use super::classify::quote;
use super::failure::SshError;
use super::program::program;
use cellgate_inputs::secret::Secret;
use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Child;
use tokio::time::timeout;

/// Environment variable that turns cellgate into the program that answers `ssh-add`.
///
/// Its content is the passphrase, for the two processes that need it and for no other.
pub const ASKPASS_REPLY: &str = "CELLGATE_ASKPASS_REPLY";

/// Longest time that a program of the keyring may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Beginning of the question that `ssh-add` repeats without limit after a wrong passphrase.
const SECOND_QUESTION: &str = "Bad passphrase";

/// The answer to a question of `ssh-add`; `None` refuses it.
///
/// # Edge cases
/// A second question means that the first answer was wrong, and is refused. So are questions that
/// do not ask for a passphrase.
#[must_use]
pub fn askpass_answer<'a>(question: &str, reply: &'a Secret) -> Option<&'a str> {
    let is_expected = question.contains("passphrase") && !question.contains(SECOND_QUESTION);
    is_expected.then(|| reply.reveal())
}

/// An agent that holds one key.
pub(super) struct Keyring {
    /// Where it listens.
    pub(super) socket: PathBuf,
    /// The public half, as a line of `authorized_keys`.
    pub(super) public: String,
    agent: Option<Pid>,
    // The agent's companion lives as long as this end of its pipe.
    _companion: Child,
}

impl Keyring {
    /// Starts an agent in a private folder and gives it the key for a time.
    pub(super) async fn start(
        folder: &Path,
        key: &PrivateKey,
        passphrase: Option<&Secret>,
        askpass: &Path,
        lifetime: Duration,
    ) -> Result<Self, SshError> {
        let socket = folder.join("agent");
        let (companion, agent) = launch(&socket).await?;
        let mut keyring = Self { socket, public: String::new(), agent, _companion: companion };
        keyring.add(key, passphrase, askpass, lifetime).await?;
        keyring.public = match &key.public {
            Some(public) => public.clone(),
            None => keyring.list().await?,
        };
        Ok(keyring)
    }

    async fn add(
        &self,
        key: &PrivateKey,
        passphrase: Option<&Secret>,
        askpass: &Path,
        lifetime: Duration,
    ) -> Result<(), SshError> {
        let mut command = program("ssh-add");
        command.args(["-q", "-t", &lifetime.as_secs().max(1).to_string(), "-"]);
        command.env("SSH_AUTH_SOCK", &self.socket);
        // Before OpenSSH 8.4 a display meant that a program is to be asked.
        command.env("SSH_ASKPASS", askpass).env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", "-");
        if let Some(passphrase) = passphrase {
            command.env(ASKPASS_REPLY, passphrase.reveal());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let missing_error = |source| SshError::Missing { program: "ssh-add", source };
        let mut child = command.spawn().map_err(missing_error)?;
        if let Some(mut stdin) = child.stdin.take() {
            // An `ssh-add` that ends early says why, below.
            let _ = stdin.write_all(key.text.reveal().as_bytes()).await;
        }
        let Ok(result) = timeout(PATIENCE, child.wait_with_output()).await else {
            return Err(SshError::Keyring { said: "`ssh-add` did not end".to_owned() });
        };
        let output = result.map_err(missing_error)?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(
            if text.contains("incorrect passphrase") || (key.is_encrypted && text.trim().is_empty())
            {
                SshError::Key(KeyError::PassphraseWrong)
            } else if text.contains("libcrypto") || text.contains("invalid format") {
                SshError::Key(KeyError::Damaged)
            } else {
                SshError::Keyring { said: quote(&text) }
            },
        )
    }

    /// The public half of the key.
    async fn list(&self) -> Result<String, SshError> {
        let mut command = program("ssh-add");
        command.arg("-L").env("SSH_AUTH_SOCK", &self.socket);
        let missing_error = |source| SshError::Missing { program: "ssh-add", source };
        let Ok(result) = timeout(PATIENCE, command.output()).await else {
            return Err(SshError::Keyring { said: "`ssh-add -L` did not end".to_owned() });
        };
        let output = result.map_err(missing_error)?;
        let line = String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned);
        line.ok_or_else(|| SshError::Keyring { said: "it does not hold the key".to_owned() })
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        if let Some(agent) = self.agent {
            // It is gone already when this fails.
            let _ = kill_process(agent, Signal::TERM);
        }
    }
}

/// Starts the agent; it ends when its companion does, whose standard input is ours.
async fn launch(socket: &Path) -> Result<(Child, Option<Pid>), SshError> {
    let mut command = program("ssh-agent");
    command.arg("-a").arg(socket);
    command.args(["sh", "-c", "echo \"$SSH_AGENT_PID\" && exec cat >/dev/null"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let missing_error = |source| SshError::Missing { program: "ssh-agent", source };
    let mut child = command.spawn().map_err(missing_error)?;
    let keyring_error = |text: &str| SshError::Keyring { said: quote(text) };
    let stdout = child.stdout.take().ok_or_else(|| keyring_error("it has no output"))?;
    let mut line = String::new();
    let mut reader = BufReader::new(stdout.take(64));
    let read = timeout(PATIENCE, reader.read_line(&mut line)).await;
    let pid = line.trim().parse::<i32>().ok().filter(|pid| 1 < *pid);
    match (read, pid) {
        (Ok(Ok(_)), Some(pid)) => Ok((child, Pid::from_raw(pid))),
        _ => {
            let mut text = String::new();
            if let Some(stderr) = child.stderr.take() {
                let result = stderr.take(4096).read_to_string(&mut text).await;
                let _ = result.map_err(|error| text.push_str(&error.to_string()));
            }
            Err(keyring_error(&text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_told_once() {
        let reply = Secret::new("correct horse");
        let first = "Enter passphrase for (stdin): ";
        assert_eq!(askpass_answer(first, &reply), Some("correct horse"));
        assert_eq!(askpass_answer("Bad passphrase, try again for (stdin): ", &reply), None);
        assert_eq!(askpass_answer("Are you sure you want to continue?", &reply), None);
    }
}
