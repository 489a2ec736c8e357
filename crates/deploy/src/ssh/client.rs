//! Client: key, known hosts, settings and private folder that all connections of a deploy share.

use super::failure::SshError;
use super::keyring::Keyring;
use super::{cipher, config};
use crate::key::{Repair, examine};
use crate::known_hosts::KnownHosts;
use crate::settings::{Endpoint, Settings};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Longest path of the private folder: a socket's address has 104 bytes on some systems, and ssh
/// needs 17 besides the name of its own.
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
    pub(super) settings: Settings,
    pub(super) known_hosts: KnownHosts,
    pub(super) limits: Limits,
    pub(super) repairs: Vec<Repair>,
    pub(super) keyring: Option<Keyring>,
    /// Names of hosts whose pins were found.
    pub(super) pinned: std::sync::Mutex<BTreeSet<String>>,
    // Dropped last: the others have files in it.
    pub(super) folder: TempDir,
}

impl Client {
    /// Examines keys and pins, and prepares what ssh needs; connects to nothing.
    ///
    /// `cellgate` is the program itself: it answers `ssh-add` when it is started with
    /// [`super::ASKPASS_REPLY`], and makes the connections for ssh.
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
        let (keyring, can_prefer) = tokio::join!(keyring, cipher::is_preference_supported());
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
            cipher: can_prefer.then(cipher::fastest).flatten(),
            cellgate,
        };
        let text = config::render(&files, &settings.hosts, &settings.jumps, limits.connect);
        write(&folder.path().join("config"), &text)?;
        let repairs = key.map(|key| key.repairs).unwrap_or_default();
        let pinned = std::sync::Mutex::default();
        Ok(Arc::new(Self { settings, known_hosts, limits, repairs, keyring, pinned, folder }))
    }

    /// Repairs that were made to the key, to be reported.
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

    pub(super) fn config_path(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// Endpoints that ssh looks for in the pins: the jumps on the way, then the host.
    pub(super) fn endpoints(&self, index: usize) -> impl Iterator<Item = &Endpoint> {
        self.settings.jumps.iter().chain(self.settings.hosts.get(index))
    }
}

fn private_folder() -> Result<TempDir, SshError> {
    let folder = std::env::temp_dir();
    let is_short = folder.as_os_str().len() + "/cg-123456".len() <= MAX_FOLDER_BYTES;
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    // The path is part of a shell's line where a host is reached through another.
    let is_fit = is_short && folder.to_str().is_some_and(|path| path.chars().all(is_plain));
    let parent = if is_fit { folder } else { PathBuf::from(SHORT_FOLDER) };
    let mut builder = tempfile::Builder::new();
    builder.prefix("cg-").permissions(std::fs::Permissions::from_mode(0o700));
    builder.tempdir_in(&parent).map_err(|source| SshError::Folder { path: parent, source })
}

fn write(path: &Path, text: &str) -> Result<(), SshError> {
    std::fs::write(path, text).map_err(|source| SshError::Folder { path: path.to_owned(), source })
}
