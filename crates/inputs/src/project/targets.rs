//! Targets: servers that releases are deployed to, and what they must have to spare.
//!
//! Holds names of environment variables, never their contents.

use super::raw::{
    DEFAULT_DISK_GB, DEFAULT_KEEP, DEFAULT_MEMORY_GB, DEFAULT_PORT, RawJump, RawMonitor, RawSecret,
    RawSetting, RawTarget,
};
use crate::finding::Code;
use crate::revision::normalize;
use crate::yaml::Remarks;

/// A server that releases are deployed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A folder of this machine.
    Local {
        /// The folder as written.
        folder: String,
    },
    /// One or more hosts over SSH.
    Ssh(SshTarget),
}

/// Hosts over SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshTarget {
    /// Hosts; the first is the canary. At least one.
    pub hosts: Vec<Setting>,
    /// SSH port.
    pub port: u16,
    /// User to log in as.
    pub user: Setting,
    /// Environment variable of the private key; `None` asks the SSH agent.
    pub key_env: Option<String>,
    /// Environment variable of the key's passphrase.
    pub passphrase_env: Option<String>,
    /// Known host keys: their text in an environment variable, or a file of the repository.
    pub known_hosts: Setting,
    /// Hosts to go through, in the order of the way.
    pub jumps: Vec<Jump>,
    /// Absolute folder on the server.
    pub path: String,
    /// How many releases stay on the server.
    pub keep: u32,
}

/// A host to go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jump {
    /// Its name.
    pub host: Setting,
    /// SSH port.
    pub port: u16,
    /// User to log in as; `None` is the target's.
    pub user: Option<Setting>,
}

/// A setting that may come from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// As it stands in the file.
    Literal(String),
    /// In the environment variable of that name.
    Env(String),
}

/// Memory and disk that a target must have to spare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonitorLimits {
    /// Least memory, in gigabytes.
    pub min_memory_gb: f64,
    /// Least disk, in gigabytes.
    pub min_disk_gb: f64,
}

/// Reads one target; `None` when a finding says why not.
pub(super) fn read_target(
    name: &str,
    raw: &RawTarget,
    remarks: &mut Remarks<'_>,
) -> Option<Target> {
    let route = |key: &'static str| ["targets".into(), name.into(), key.into()];
    if let Some(folder) = &raw.local {
        for key in ssh_keys(raw) {
            let message = format!("`{key}` has no effect with `local`");
            let help = "delete it; a local target is a folder of this machine";
            remarks.error(&route(key), Code::KeyWithoutEffect, message, help);
        }
        return Some(Target::Local { folder: folder.clone() });
    }
    let mut missing = Vec::new();
    let mut require = |key: &'static str, is_there: bool| {
        if !is_there {
            missing.push(key);
        }
    };
    require("hosts", raw.hosts.is_some());
    require("user", raw.user.is_some());
    require("known_hosts", raw.known_hosts.is_some());
    require("path", raw.path.is_some());
    for key in missing {
        let message = format!("the key `{key}` is missing in `targets.{name}`");
        let help = "add it, or give `local: FOLDER` alone for a folder of this machine";
        remarks.key_error(&["targets".into(), name.into()], Code::MissingKey, message, help);
    }
    check_target(name, raw, remarks);
    let env = |secret: &RawSecret| secret.env.clone();
    let jump = |raw: &RawJump| Jump {
        host: read_setting(&raw.host),
        port: raw.port.unwrap_or(DEFAULT_PORT),
        user: raw.user.as_ref().map(read_setting),
    };
    Some(Target::Ssh(SshTarget {
        hosts: raw.hosts.as_ref()?.iter().map(read_setting).collect(),
        port: raw.port.unwrap_or(DEFAULT_PORT),
        user: read_setting(raw.user.as_ref()?),
        key_env: raw.key.as_ref().map(env),
        passphrase_env: raw.passphrase.as_ref().map(env),
        known_hosts: read_setting(raw.known_hosts.as_ref()?),
        jumps: raw.jump.iter().flatten().map(jump).collect(),
        path: raw.path.clone()?,
        keep: raw.keep.unwrap_or(DEFAULT_KEEP),
    }))
}

/// Reports values that the schema allows but a target may not have.
fn check_target(name: &str, raw: &RawTarget, remarks: &mut Remarks<'_>) {
    let route = |key: &'static str| ["targets".into(), name.into(), key.into()];
    if raw.path.as_ref().is_some_and(|path| path.split('/').any(|part| part == "..")) {
        let help = "give the folder itself, without `..`";
        remarks.error(&route("path"), Code::WrongForm, "the path climbs with `..`", help);
    }
    if raw.passphrase.is_some() && raw.key.is_none() {
        let message = "`passphrase` has no effect without `key`";
        let help =
            "name the key, too; without `key` the SSH agent is asked, which needs no passphrase";
        remarks.error(&route("passphrase"), Code::KeyWithoutEffect, message, help);
    }
    if let Some(RawSetting::Literal(file)) = &raw.known_hosts
        && normalize(file).is_none()
    {
        let message = format!("the path `{file}` leads out of the repository");
        let help = "give a path relative to this file, or `{env: NAME}` for the lines themselves";
        remarks.error(&route("known_hosts"), Code::PathOutside, message, help);
    }
    let hosts: Vec<Setting> = raw.hosts.iter().flatten().map(read_setting).collect();
    for (index, host) in hosts.iter().enumerate().filter(|(at, host)| hosts[..*at].contains(host)) {
        let display = match host {
            Setting::Literal(text) | Setting::Env(text) => text,
        };
        let route = ["targets".into(), name.into(), "hosts".into(), index.into()];
        let message = format!("the host `{display}` occurs twice in `targets.{name}`");
        remarks.error(&route, Code::NameTaken, message, "delete one of the two");
    }
}

/// The keys of a raw target that belong to SSH.
fn ssh_keys(raw: &RawTarget) -> impl Iterator<Item = &'static str> {
    let keys = [
        ("hosts", raw.hosts.is_some()),
        ("port", raw.port.is_some()),
        ("user", raw.user.is_some()),
        ("key", raw.key.is_some()),
        ("passphrase", raw.passphrase.is_some()),
        ("known_hosts", raw.known_hosts.is_some()),
        ("jump", raw.jump.is_some()),
        ("path", raw.path.is_some()),
        ("keep", raw.keep.is_some()),
    ];
    keys.into_iter().filter(|(_, is_there)| *is_there).map(|(key, _)| key)
}

fn read_setting(raw: &RawSetting) -> Setting {
    match raw {
        RawSetting::Literal(text) => Setting::Literal(text.clone()),
        RawSetting::Env(name) => Setting::Env(name.clone()),
    }
}

pub(super) fn monitor_limits(raw: &RawMonitor) -> MonitorLimits {
    MonitorLimits {
        min_memory_gb: raw.min_memory_gb.unwrap_or(DEFAULT_MEMORY_GB),
        min_disk_gb: raw.min_disk_gb.unwrap_or(DEFAULT_DISK_GB),
    }
}
