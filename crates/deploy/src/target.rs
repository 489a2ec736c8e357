//! Target: the hosts that a name of the project file stands for, with a way to each.
//!
//! Takes `production`, or `local:DIR` for a folder of this machine. Connects to nothing yet.

use super::fleet::Host;
use super::key::Repair;
use super::local::Local;
use super::settings::{SettingsError, resolve};
use super::ssh::{self, Client, Limits, SshError};
use super::transport::{Channel, Purpose, Transport, TransportError};
use crate::wire::Base;
use cellgate_inputs::finding::closest;
use cellgate_inputs::project::{Project, Target};
use cellgate_inputs::revision::Tree;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Prefix of a target that is a folder.
const LOCAL: &str = "local:";

/// Releases that stay where the project does not say.
const DEFAULT_KEEP: u32 = 5;

/// A way to an agent.
pub enum HostTransport {
    /// As a child process.
    Local(Local),
    /// Over SSH.
    Ssh(Box<ssh::Host>),
}

impl Transport for HostTransport {
    async fn open(&self, purpose: Purpose) -> Result<Channel, TransportError> {
        match self {
            Self::Local(local) => local.open(purpose).await,
            Self::Ssh(host) => host.open(purpose).await,
        }
    }

    fn log_in_ahead(&self) {
        match self {
            Self::Local(_) => {}
            Self::Ssh(host) => host.log_in_ahead(),
        }
    }
}

/// The hosts of a target.
pub struct Hosts {
    /// The first is the canary.
    pub hosts: Vec<Host<HostTransport>>,
    /// How many releases stay there.
    pub keep: u32,
    /// Repairs of the key.
    pub repairs: Vec<Repair>,
    /// Client that the hosts share over SSH.
    pub client: Option<Arc<Client>>,
}

/// A target cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// There is none of that name.
    #[error("`targets` of cellgate.yaml has no `{name}`: {help}")]
    Unknown {
        /// The name.
        name: String,
        /// Advice: a similar name, or the names that are defined.
        help: String,
    },
    /// Its settings are not usable.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Its key or its pins are not usable.
    #[error("{}", .0.full_message())]
    Ssh(SshError),
}

/// The target of a name.
///
/// # Errors
/// [`TargetError::Unknown`] with what was probably meant.
pub fn find(name: &str, project: Option<&Project>) -> Result<Target, TargetError> {
    if let Some(folder) = name.strip_prefix(LOCAL).filter(|folder| !folder.is_empty()) {
        return Ok(Target::Local { folder: folder.to_owned() });
    }
    let targets = project.map(|project| &project.targets);
    if let Some(target) = targets.and_then(|targets| targets.get(name)) {
        return Ok(target.clone());
    }
    let known: Vec<&str> =
        targets.into_iter().flat_map(|targets| targets.keys()).map(String::as_str).collect();
    let help = match closest(name, known.iter().copied()) {
        Some(similar) => format!("did you mean `{similar}`?"),
        None if known.is_empty() => {
            "none is defined; define one, or give `local:DIR` for a folder of this machine".into()
        }
        None => format!("defined: {}", known.join(", ")),
    };
    Err(TargetError::Unknown { name: name.to_owned(), help })
}

/// Prepares the ways to a target's hosts.
///
/// `program` is cellgate itself: the agent of a local target, what answers `ssh-add`, and what makes
/// connections for ssh. Relative local folders are below `folder`.
///
/// # Errors
/// [`TargetError`], with all problems of the settings at once.
pub async fn open(
    target: &Target,
    folder: &Path,
    program: &Path,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Hosts, TargetError> {
    let target = match target {
        Target::Local { folder: local } => {
            let root: PathBuf = folder.join(local);
            let name = format!("{LOCAL}{local}");
            let way = HostTransport::Local(Local::new(program, root));
            let hosts = vec![Host { name, way, base: Base::Planned }];
            return Ok(Hosts { hosts, keep: DEFAULT_KEEP, repairs: Vec::new(), client: None });
        }
        Target::Ssh(target) => target,
    };
    let settings = resolve(target, &Tree::Folder(folder.to_owned()), variable)?;
    let (n_hosts, command) = (settings.hosts.len(), agent_command(&settings.path));
    let client = Client::open(settings, program, Limits::default()).await;
    let client = client.map_err(TargetError::Ssh)?;
    let host = |index| {
        let way = client.host(index, command.clone());
        let name = way.endpoint().known_as();
        Host { name, way: HostTransport::Ssh(Box::new(way)), base: Base::Planned }
    };
    Ok(Hosts {
        hosts: (0..n_hosts).map(host).collect(),
        keep: target.keep,
        repairs: client.repairs().to_vec(),
        client: Some(Arc::clone(&client)),
    })
}

/// Command for a server without a forced command: the program that a bootstrap installed, or else
/// the system's.
fn agent_command(path: &str) -> String {
    // The form of the path was checked: it holds nothing that a shell would read.
    format!(
        "exec sh -c 'if [ -x {path}/bin/cellgate ]; then exec {path}/bin/cellgate agent --root \
         {path}; else exec cellgate agent --root {path}; fi'"
    )
}

impl Hosts {
    /// Reaches every host that is not this machine, while something else is done. A failure is
    /// reported when the host is needed.
    pub async fn reach(&self) {
        let reach = self.hosts.iter().filter_map(|host| match &host.way {
            HostTransport::Ssh(way) => Some(way.reach()),
            HostTransport::Local(_) => None,
        });
        futures_util::future::join_all(reach).await;
    }

    /// Closes every connection.
    pub async fn close(&self) {
        let close = self.hosts.iter().filter_map(|host| match &host.way {
            HostTransport::Ssh(way) => Some(way.close()),
            HostTransport::Local(_) => None,
        });
        futures_util::future::join_all(close).await;
    }
}
