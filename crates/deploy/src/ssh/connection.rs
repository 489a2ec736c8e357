//! Connection: one login to a host, with channels on it.
//!
//! The login is made by a master process of ssh, started here so that it has limits and an end;
//! channels go through the `openssh` crate over the master's socket.

use super::super::known_hosts::Pin;
use super::super::settings::Endpoint;
use super::super::transport::{Channel, Said};
use super::classify::{Attempt, classify, classify_channel, quote};
use super::client::Client;
use super::failure::{SshError, Unverified};
use super::program::program;
use super::{config, master};
use crate::wire::widen;
use openssh::{ChildStderr, ChildStdout, Session, Stdio};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

/// Outcome of a command that ran to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether it ended with 0.
    pub is_success: bool,
    /// Standard output, bounded.
    pub out: String,
    /// Standard error, bounded.
    pub err: String,
}

/// Bytes of a log of ssh that are read at most.
const MAX_LOG_BYTES: u64 = 64 << 10;

/// Bytes of each stream of a command that are kept at most.
const MAX_ANSWER_BYTES: u64 = 256 << 10;

/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 16 << 10;

/// Connections of this process, so that each has files of its own.
static N_CONNECTIONS: AtomicU32 = AtomicU32::new(0);

/// One login to a host.
pub(super) struct Connection {
    client: Arc<Client>,
    index: usize,
    session: Arc<Session>,
    socket: PathBuf,
    log: PathBuf,
    /// The process that holds the login.
    master: Option<Pid>,
}

impl Connection {
    /// Logs in.
    pub(super) async fn open(client: &Arc<Client>, index: usize) -> Result<Self, SshError> {
        let number = N_CONNECTIONS.fetch_add(1, Ordering::Relaxed) % 10_000;
        let socket = client.folder.path().join(format!("c-{index}-{number}"));
        let log = client.folder.path().join(format!("log-{index}-{number}"));
        // Without a pin the login fails by itself; the search says why.
        let (check, login) =
            tokio::join!(check_pins(client, index), launch(client, index, &socket, &log));
        check?;
        login?;
        let reply = timeout(client.limits.close, master::process_of(&socket)).await;
        let master = reply.ok().and_then(Result::ok).flatten();
        let session = Session::resume(socket.clone().into(), Some(log.clone().into()));
        let session = Arc::new(session);
        Ok(Self { client: Arc::clone(client), index, session, socket, log, master })
    }

    /// Opens a channel and waits for the first word of what runs there.
    pub(super) async fn open_channel(self: Arc<Self>, command: &str) -> Result<Channel, SshError> {
        let to_error = |error: openssh::Error| SshError::Other {
            host: self.host(),
            said: quote(&error.to_string()),
        };
        let mut remote = Session::to_raw_command(Arc::clone(&self.session), command);
        remote.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = remote.spawn().await.map_err(to_error)?;
        let streams = (child.stdin().take(), child.stdout().take(), child.stderr().take());
        let (Some(writer), Some(mut reader), Some(stderr)) = streams else {
            return Err(to_error(openssh::Error::Disconnected));
        };
        widen(&writer);
        let messages = Said::default();
        let listener = tokio::spawn(listen(stderr, messages.clone()));
        let limit = self.client.limits.first_word;
        let first = match timeout(limit, first_word(&mut reader)).await {
            Ok(Some(first)) => first,
            Ok(None) => {
                // The other stream says what ended the channel, and ends, too.
                let _ = timeout(limit, listener).await;
                let log = read_log(&self.log).await;
                return Err(classify_channel(&messages.text(), &log, &self.host(), command));
            }
            Err(_) => {
                let text = format!("nothing came within {} s", limit.as_secs());
                return Err(SshError::Lost { host: self.host(), said: text });
            }
        };
        let reader = Box::new(Cursor::new(first).chain(reader));
        Ok(Channel {
            reader,
            writer: Box::new(writer),
            said: messages,
            keep: Box::new((child, self)),
        })
    }

    /// Runs a command to its end.
    pub(super) async fn run(&self, command: &str, input: Vec<u8>) -> Result<Answer, SshError> {
        let lost_error = |error: openssh::Error| SshError::Lost {
            host: self.host(),
            said: quote(&error.to_string()),
        };
        let mut remote = Session::to_raw_command(Arc::clone(&self.session), command);
        remote.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = remote.spawn().await.map_err(lost_error)?;
        let streams = (child.stdin().take(), child.stdout().take(), child.stderr().take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = streams else {
            return Err(lost_error(openssh::Error::Disconnected));
        };
        let send = async move {
            // A command that stops reading says why on its other streams.
            let _ = stdin.write_all(&input).await;
        };
        let ((), out, err) = tokio::join!(send, read_all(stdout), read_all(stderr));
        match child.wait().await {
            Ok(status) => Ok(Answer { is_success: status.success(), out, err }),
            Err(openssh::Error::Remote(_)) => Ok(Answer { is_success: false, out, err }),
            Err(_) => {
                let log = read_log(&self.log).await;
                Err(classify_channel(&err, &log, &self.host(), command))
            }
        }
    }

    /// Ends the login and every channel on it.
    pub(super) async fn close(&self) {
        if self.master.is_none() {
            let session = Session::resume(self.socket.clone().into(), None);
            // A master that does not answer ends by itself, without channels.
            let _ = timeout(self.client.limits.close, session.close()).await;
        }
        self.end();
    }

    fn end(&self) {
        if let Some(master) = self.master.filter(|_| self.socket.exists()) {
            let _ = kill_process(master, Signal::TERM);
        }
    }

    fn host(&self) -> String {
        self.client.settings.hosts[self.index].known_as()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether the pins know every host on the way.
async fn check_pins(client: &Client, index: usize) -> Result<(), SshError> {
    for endpoint in client.endpoints(index) {
        let host = endpoint.known_as();
        if client.pinned.lock().is_ok_and(|pinned| pinned.contains(&host)) {
            continue;
        }
        if pins(client, endpoint).await?.is_empty() {
            let offered = scan_host_key(client, index, endpoint).await.map(Box::new);
            return Err(SshError::HostUnknown { host, offered });
        }
        if let Ok(mut pinned) = client.pinned.lock() {
            pinned.insert(host);
        }
    }
    Ok(())
}

/// Starts a master; it goes into the background once the login is done.
async fn launch(client: &Client, index: usize, socket: &Path, log: &Path) -> Result<(), SshError> {
    let endpoint = &client.settings.hosts[index];
    let mut command = program("ssh");
    command.arg("-F").arg(client.config_path()).arg("-S").arg(socket).arg("-E").arg(log);
    command.args(["-M", "-N", "-f", "--", &config::host_alias(index)]);
    // The master keeps what it inherits, so nothing here may wait for its end.
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let jump_logs =
        (0..client.settings.jumps.len()).map(|jump| config::jump_log(client.folder(), index, jump));
    let dial_log = config::dial_log(client.folder(), index);
    let logs: Vec<PathBuf> =
        [dial_log].into_iter().chain(jump_logs).chain([log.to_owned()]).collect();
    for log in &logs {
        // Words of an earlier attempt would be taken for those of this one.
        let _ = std::fs::remove_file(log);
    }
    let missing_error = |source| SshError::Missing { program: "ssh", source };
    let mut child = command.spawn().map_err(missing_error)?;
    let Ok(status) = timeout(client.limits.login, child.wait()).await else {
        let host = endpoint.known_as();
        return Err(SshError::LoginTimeout { host, seconds: client.limits.login.as_secs() });
    };
    if status.map_err(missing_error)?.success() {
        return Ok(());
    }
    let mut output = String::new();
    for log in &logs {
        output += &read_log(log).await;
    }
    let offered = match client.public_key() {
        Some(line) => fingerprint_of(line),
        None => "of the SSH agent".to_owned(),
    };
    let host = endpoint.known_as();
    let login = endpoint.to_string();
    let attempt = Attempt { host: &host, login: &login, offered: &offered };
    Err(with_pins(client, index, classify(&output, &attempt)).await)
}

/// Adds the pinned fingerprints to a host key that is not one of them.
async fn with_pins(client: &Client, index: usize, error: SshError) -> SshError {
    let host = match &error {
        SshError::HostKeyDiffers { host, .. } | SshError::HostUnknown { host, .. } => host.clone(),
        _ => return error,
    };
    let endpoint = client.endpoints(index).find(|endpoint| endpoint.known_as() == host);
    let Some(endpoint) = endpoint.or(client.settings.hosts.get(index)) else { return error };
    let pinned = pins(client, endpoint).await.unwrap_or_default();
    let pinned = pinned.iter().map(|pin| format!("{} {}", pin.key_type, pin.fingerprint)).collect();
    match error {
        SshError::HostKeyDiffers { host, sent, .. } => {
            SshError::HostKeyDiffers { host, sent, pinned }
        }
        // Pins of other types than the server has: to ssh the host is unknown.
        _ => {
            let sent = scan_host_key(client, index, endpoint).await;
            let sent =
                sent.map_or_else(|| "another type".to_owned(), |offered| offered.fingerprint);
            SshError::HostKeyDiffers { host, sent, pinned }
        }
    }
}

/// The pins that belong to an endpoint, as `ssh-keygen` finds them.
async fn pins(client: &Client, endpoint: &Endpoint) -> Result<Vec<Pin>, SshError> {
    let mut command = program("ssh-keygen");
    command.args(["-F", &endpoint.known_as(), "-f"]);
    command.arg(client.folder.path().join("known_hosts"));
    let missing_error = |source| SshError::Missing { program: "ssh-keygen", source };
    let result = timeout(client.limits.login, command.output()).await;
    let output = match result {
        Ok(output) => output.map_err(missing_error)?,
        Err(_) => return Ok(Vec::new()),
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |text: &str| {
        let (_, rest) = text.split_once(" found: line ")?;
        rest.split_whitespace().next()?.parse().ok()
    };
    Ok(text
        .lines()
        .filter_map(line)
        .filter_map(|line| client.known_hosts.pin(line))
        .cloned()
        .collect())
}

/// The line that would pin what a server shows, and its fingerprint. Nobody has checked either.
async fn scan_host_key(client: &Client, index: usize, endpoint: &Endpoint) -> Option<Unverified> {
    // Hosts before this one are pinned, or the search would have ended there.
    let jump = client.settings.jumps.iter().position(|jump| jump == endpoint);
    let alias =
        jump.map_or_else(|| config::host_alias(index), |jump| config::jump_alias(index, jump));
    let path = client.folder.path().join(format!("unverified-{alias}"));
    let mut command = program("ssh");
    command.arg("-F").arg(client.config_path());
    command.arg("-o").arg(format!("UserKnownHostsFile={}", path.display()));
    for option in ["StrictHostKeyChecking=accept-new", "PreferredAuthentications=none"] {
        command.args(["-o", option]);
    }
    command.args(["-o", "ControlPath=none", "-N", "--", &alias]);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().ok()?;
    let _ = timeout(client.limits.login, child.wait()).await;
    let text = tokio::fs::read_to_string(&path).await.ok()?;
    let line = text.lines().next()?.to_owned();
    let known_hosts = super::KnownHosts::parse(&line).ok()?;
    let pin = known_hosts.pin(1)?;
    let fingerprint = format!("{} {}", pin.key_type, pin.fingerprint);
    Some(Unverified { line, fingerprint })
}

/// Fingerprint of a line of `authorized_keys`.
fn fingerprint_of(line: &str) -> String {
    let known_hosts = super::KnownHosts::parse(&format!("key {line}"));
    let pin = known_hosts.ok().and_then(|known_hosts| known_hosts.pin(1).cloned());
    pin.map_or_else(|| "of the target".to_owned(), |pin| pin.fingerprint)
}

/// Bytes up to the first that come; `None` when the stream ends without.
async fn first_word(reader: &mut ChildStdout) -> Option<Vec<u8>> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let n = reader.read(&mut buffer).await.unwrap_or(0);
    buffer.truncate(n);
    (0 < n).then_some(buffer)
}

async fn listen(mut stderr: ChildStderr, messages: Said) {
    let mut buffer = vec![0; BUFFER_BYTES];
    while let Ok(n) = stderr.read(&mut buffer).await {
        if n == 0 {
            return;
        }
        messages.add(&buffer[..n]);
    }
}

async fn read_all(stream: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut bytes = Vec::new();
    let mut bounded = stream.take(MAX_ANSWER_BYTES);
    // What came before a failure is what there is to report.
    let _ = bounded.read_to_end(&mut bytes).await;
    let _ = tokio::io::copy(&mut bounded.into_inner(), &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn read_log(path: &Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = tokio::fs::File::open(path).await {
        let _ = file.take(MAX_LOG_BYTES).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
