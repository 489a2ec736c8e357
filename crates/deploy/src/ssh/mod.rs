//! SSH: ways to the hosts of a target, over the system's own ssh.
//!
//! Takes a target's settings; gives a [`Transport`] for each host. ssh gets one file of settings and
//! nothing else of the machine, host keys are pinned on every hop, the key lies in a private agent,
//! and everything that is started ends with the deploy: also when it is killed, then within half a
//! minute. Knows nothing of frames.

mod cipher;
mod classify;
mod config;
mod connection;
mod dial;
mod failure;
mod keyring;
mod master;

pub use dial::{DialError, dial, hand_over};
pub use failure::{SshError, Unverified};
pub use keyring::{ASKPASS_REPLY, askpass_answer};

use super::key::{Repair, examine};
use super::known_hosts::KnownHosts;
use super::settings::{Endpoint, Settings};
use super::transport::{Channel, Purpose, Transport, TransportError};
use connection::Connection;
use keyring::Keyring;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinHandle};

/// Longest path of the private folder: a socket's address has 104 bytes on some systems, and ssh
/// needs 17 beside the name of its own.
const MAX_FOLDER_BYTES: usize = 104 - 17 - "/c-00-0000".len();

/// Where private folders are made when the usual place has a name too long or too odd.
const SHORT_FOLDER: &str = "/tmp";

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until a server answers.
    pub connect: Duration,
    /// Until a login is done, the answer included.
    pub login: Duration,
    /// Until the agent of a server says its first word.
    pub first_word: Duration,
    /// Until a connection is closed.
    pub close: Duration,
    /// Until the key is dropped from the private agent, whatever happens.
    pub key: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            login: Duration::from_secs(30),
            first_word: Duration::from_secs(30),
            close: Duration::from_secs(2),
            key: Duration::from_secs(2 * 3600),
        }
    }
}

/// Everything that the connections of one target share.
pub struct Client {
    settings: Settings,
    known_hosts: KnownHosts,
    limits: Limits,
    repairs: Vec<Repair>,
    keyring: Option<Keyring>,
    /// Names of hosts whose pins were found.
    pinned: std::sync::Mutex<BTreeSet<String>>,
    // Dropped last: the others have files in it.
    folder: TempDir,
}

/// A way to one host of a target.
pub struct Host {
    client: Arc<Client>,
    index: usize,
    command: String,
    connection: Mutex<Option<Arc<Connection>>>,
    /// A channel that was opened before anybody asked for it.
    reached: Mutex<Option<Result<Channel, SshError>>>,
    /// A login that was begun before anybody asked for it.
    ahead: Ahead,
}

/// A login on its way; dropped, it ends.
#[derive(Default)]
struct Ahead(std::sync::Mutex<Option<JoinHandle<Result<Connection, SshError>>>>);

impl Ahead {
    fn take(&self) -> Option<JoinHandle<Result<Connection, SshError>>> {
        self.0.lock().ok()?.take()
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let Some(login) = self.take() {
            login.abort();
        }
    }
}

impl Client {
    /// Examines keys and pins, and prepares what ssh needs; connects to nothing.
    ///
    /// `cellgate` is the program itself: it answers `ssh-add` when it is started with
    /// [`ASKPASS_REPLY`], and makes the connections for ssh.
    ///
    /// # Errors
    /// [`SshError`] about the key, its passphrase, the pins, or what this machine lacks.
    pub async fn open(
        settings: Settings,
        cellgate: &Path,
        limits: Limits,
    ) -> Result<Arc<Self>, SshError> {
        let passphrase = settings.passphrase.as_ref();
        let key = settings.key.as_ref().map(|key| examine(key, passphrase)).transpose()?;
        let known_hosts = KnownHosts::parse(&settings.known_hosts)?;
        let folder = private_folder()?;
        write(&folder.path().join("known_hosts"), &known_hosts.text)?;
        let keyring = async {
            let Some(key) = &key else { return Ok(None) };
            Keyring::start(folder.path(), key, passphrase, cellgate, limits.key).await.map(Some)
        };
        let (keyring, takes_first) = tokio::join!(keyring, cipher::can_be_preferred());
        let keyring = keyring?;
        if let Some(keyring) = &keyring {
            write(&folder.path().join("key.pub"), &(keyring.public.clone() + "\n"))?;
        }
        let agent = match &keyring {
            Some(keyring) => keyring.socket.clone(),
            None => {
                std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from).ok_or(SshError::NoAgent)?
            }
        };
        let public = folder.path().join("key.pub");
        let files = config::Files {
            folder: folder.path(),
            agent: &agent,
            public: keyring.is_some().then_some(&*public),
            cipher: takes_first.then(cipher::fastest).flatten(),
            cellgate,
        };
        let text = config::render(&files, &settings.hosts, &settings.jumps, limits.connect);
        write(&folder.path().join("config"), &text)?;
        let repairs = key.map(|key| key.repairs).unwrap_or_default();
        let pinned = std::sync::Mutex::default();
        Ok(Arc::new(Self { settings, known_hosts, limits, repairs, keyring, pinned, folder }))
    }

    /// What was repaired in the key, to be told.
    #[must_use]
    pub fn repairs(&self) -> &[Repair] {
        &self.repairs
    }

    /// The private folder of this client: sockets, pins, settings; gone when it is dropped.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The public half of the key, as a line of `authorized_keys`; `None` when the machine's agent
    /// is asked.
    #[must_use]
    pub fn public_key(&self) -> Option<&str> {
        self.keyring.as_ref().map(|keyring| &*keyring.public)
    }

    /// The way to a host: `command` is what the server is asked to run.
    ///
    /// A server with a forced command runs that one instead.
    #[must_use]
    pub fn host(self: &Arc<Self>, index: usize, command: String) -> Host {
        let (connection, reached) = (Mutex::new(None), Mutex::new(None));
        Host {
            client: Arc::clone(self),
            index,
            command,
            connection,
            reached,
            ahead: Ahead::default(),
        }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// What ssh would look for in the pins: of the host, or of those on the way.
    fn endpoints(&self, index: usize) -> impl Iterator<Item = &Endpoint> {
        self.settings.jumps.iter().chain(self.settings.hosts.get(index))
    }
}

impl Host {
    /// Where it leads.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.client.settings.hosts[self.index]
    }

    /// Folder on the server.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.client.settings.path
    }

    /// The public half of the key, as a line of `authorized_keys`; `None` when the machine's agent
    /// is asked.
    #[must_use]
    pub fn public_key(&self) -> Option<&str> {
        self.client.public_key()
    }

    /// Runs a command of one's own on the server, with these bytes as its input.
    ///
    /// # Errors
    /// [`SshError`]; that the command failed is no error.
    pub async fn run(&self, command: &str, input: Vec<u8>) -> Result<Answer, SshError> {
        let connection = self.shared().await?;
        connection.run(command, input).await
    }

    /// Closes the connection, when there is one.
    ///
    /// Dropping it does the same without waiting for the server.
    pub async fn close(&self) {
        drop(self.reached.lock().await.take());
        if let Some(login) = self.ahead.take() {
            login.abort();
        }
        let connection = self.connection.lock().await.take();
        if let Some(connection) = connection {
            connection.close().await;
        }
    }

    /// The connection that channels share.
    async fn shared(&self) -> Result<Arc<Connection>, SshError> {
        let mut connection = self.connection.lock().await;
        if let Some(connection) = &*connection {
            return Ok(Arc::clone(connection));
        }
        let opened = Arc::new(Connection::open(&self.client, self.index).await?);
        *connection = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// Opens the control channel before anybody asks for it; what fails is told when somebody does.
    pub async fn reach(&self) {
        let opened = self.channel(Purpose::Control).await;
        *self.reached.lock().await = Some(opened);
    }

    async fn channel(&self, purpose: Purpose) -> Result<Channel, SshError> {
        match purpose {
            Purpose::Control => match self.reached.lock().await.take() {
                Some(opened) => opened,
                None => self.control().await,
            },
            Purpose::Data => self.shared().await?.channel(&self.command).await,
            Purpose::Confirm => {
                // One that was made ahead may have ended since.
                if let Some(Ok(Ok(connection))) = self.logged_in_ahead().await
                    && let Ok(channel) = Arc::new(connection).channel(&self.command).await
                {
                    return Ok(channel);
                }
                let connection = Connection::open(&self.client, self.index).await?;
                Arc::new(connection).channel(&self.command).await
            }
        }
    }

    /// A control channel; over a new connection where the one that was there is broken.
    async fn control(&self) -> Result<Channel, SshError> {
        let is_new = self.connection.lock().await.is_none();
        let opened = self.shared().await?.channel(&self.command).await;
        if is_new || !matches!(opened, Err(SshError::Lost { .. })) {
            return opened;
        }
        drop(self.connection.lock().await.take());
        self.shared().await?.channel(&self.command).await
    }

    async fn logged_in_ahead(&self) -> Option<Result<Result<Connection, SshError>, JoinError>> {
        match self.ahead.take() {
            Some(login) => Some(login.await),
            None => None,
        }
    }
}

/// What a command of one's own came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether it ended with 0.
    pub is_success: bool,
    /// Standard output, bounded.
    pub out: String,
    /// Standard error, bounded.
    pub err: String,
}

impl Transport for Host {
    async fn open(&self, purpose: Purpose) -> Result<Channel, TransportError> {
        self.channel(purpose).await.map_err(|error| {
            let is_transient = error.may_pass();
            let why = std::error::Error::source(&error).map(|why| format!(": {why}"));
            let message = format!("{error}{}", why.unwrap_or_default());
            TransportError { message, help: error.remedy(), is_transient }
        })
    }

    fn log_in_ahead(&self) {
        let (client, index) = (Arc::clone(&self.client), self.index);
        if let Ok(mut ahead) = self.ahead.0.lock() {
            let begin = || tokio::spawn(async move { Connection::open(&client, index).await });
            ahead.get_or_insert_with(begin);
        }
    }
}

/// A program of OpenSSH that sees nothing of this machine's environment but where programs are.
fn program(name: &'static str) -> Command {
    let mut command = Command::new(name);
    command.env_clear().env("LC_ALL", "C").kill_on_drop(true).stdin(Stdio::null());
    for name in ["PATH", "HOME"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

fn private_folder() -> Result<TempDir, SshError> {
    let usual = std::env::temp_dir();
    let is_short = usual.as_os_str().len() + "/cg-123456".len() <= MAX_FOLDER_BYTES;
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    // The path stands in a shell's line where a host is reached through another.
    let is_fit = is_short && usual.to_str().is_some_and(|path| path.chars().all(is_plain));
    let parent = if is_fit { usual } else { PathBuf::from(SHORT_FOLDER) };
    let mut builder = tempfile::Builder::new();
    builder.prefix("cg-").permissions(std::fs::Permissions::from_mode(0o700));
    builder.tempdir_in(&parent).map_err(|source| SshError::Folder { path: parent, source })
}

fn write(path: &Path, text: &str) -> Result<(), SshError> {
    std::fs::write(path, text).map_err(|source| SshError::Folder { path: path.to_owned(), source })
}
