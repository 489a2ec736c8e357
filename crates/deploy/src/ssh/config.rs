//! Config: the one file of settings that ssh gets, a block for each host.
//!
//! ssh reads neither the user's nor the system's file, so that a deploy goes the same way
//! from every machine. Hosts on the way are as strict as the last one.

use super::super::settings::Endpoint;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Seconds without a sign of life after which ssh asks for one; three are asked for.
const ALIVE_SECONDS: u64 = 5;

/// Seconds that a connection without channels outlives a deploy that was killed.
const PERSIST_SECONDS: u64 = 30;

/// Files that the settings name.
pub(super) struct Files<'a> {
    /// The private folder: this file is `config` in it, the pinned host keys are `known_hosts`.
    pub(super) folder: &'a Path,
    /// Socket of the agent that holds the key.
    pub(super) agent: &'a Path,
    /// Public half of the key; `None` offers every key of the agent.
    pub(super) public: Option<&'a Path>,
    /// The cipher that is tried first.
    pub(super) cipher: Option<&'a str>,
    /// This program, which makes the connections.
    pub(super) cellgate: &'a Path,
}

/// The name of a target's host in the file.
pub(super) fn host_alias(host: usize) -> String {
    format!("host-{host}")
}

/// The name of a host on the way to a target's host in the file.
pub(super) fn jump_alias(host: usize, jump: usize) -> String {
    format!("jump-{host}-{jump}")
}

/// Where the ssh of a host on the way writes its words, in the private folder.
pub(super) fn jump_log(folder: &Path, host: usize, jump: usize) -> PathBuf {
    folder.join(format!("log-{}", jump_alias(host, jump)))
}

/// Where the connection to a target's host, or to the first host on the way there, logs why it
/// failed.
pub(super) fn dial_log(folder: &Path, host: usize) -> PathBuf {
    folder.join(format!("log-dial-{host}"))
}

/// Writes the settings.
///
/// Hosts and users were checked: they hold no space, no `%` and no quotation mark; neither does the
/// folder.
pub(super) fn render(
    files: &Files<'_>,
    hosts: &[Endpoint],
    jumps: &[Endpoint],
    connect: Duration,
) -> String {
    let mut text = String::new();
    for (host, endpoint) in hosts.iter().enumerate() {
        for (jump, endpoint) in jumps.iter().enumerate() {
            write_host(&mut text, &jump_alias(host, jump), endpoint);
            write_proxy(&mut text, files, connect, (host, jump));
        }
        write_host(&mut text, &host_alias(host), endpoint);
        write_proxy(&mut text, files, connect, (host, jumps.len()));
    }
    let lines = [
        ("UserKnownHostsFile", files.folder.join("known_hosts").display().to_string()),
        ("GlobalKnownHostsFile", "/dev/null".to_owned()),
        ("StrictHostKeyChecking", "yes".to_owned()),
        ("UpdateHostKeys", "no".to_owned()),
        ("CheckHostIP", "no".to_owned()),
        ("VerifyHostKeyDNS", "no".to_owned()),
        ("HashKnownHosts", "no".to_owned()),
        ("BatchMode", "yes".to_owned()),
        ("PreferredAuthentications", "publickey".to_owned()),
        ("PasswordAuthentication", "no".to_owned()),
        ("KbdInteractiveAuthentication", "no".to_owned()),
        ("IdentityAgent", quote_path(files.agent)),
        ("IdentityFile", files.public.map_or_else(|| "none".to_owned(), quote_path)),
        ("IdentitiesOnly", if files.public.is_some() { "yes" } else { "no" }.to_owned()),
        ("ForwardAgent", "no".to_owned()),
        ("ForwardX11", "no".to_owned()),
        ("PermitLocalCommand", "no".to_owned()),
        ("RequestTTY", "no".to_owned()),
        ("EscapeChar", "none".to_owned()),
        ("Compression", "no".to_owned()),
        ("TCPKeepAlive", "yes".to_owned()),
        ("ServerAliveInterval", ALIVE_SECONDS.to_string()),
        ("ServerAliveCountMax", "3".to_owned()),
        ("ConnectTimeout", connect.as_secs().max(1).to_string()),
        ("ConnectionAttempts", "1".to_owned()),
        ("ControlPersist", PERSIST_SECONDS.to_string()),
    ];
    text.push_str("Host *\n");
    for (key, value) in lines {
        let _ = writeln!(text, "  {key} {value}");
    }
    if let Some(cipher) = files.cipher {
        let _ = writeln!(text, "  Ciphers ^{cipher}");
    }
    text
}

fn write_host(text: &mut String, alias: &str, endpoint: &Endpoint) {
    let Endpoint { host, port, user } = endpoint;
    let _ = writeln!(text, "Host {alias}\n  HostName {host}\n  Port {port}\n  User {user}");
}

/// The way to a host: through the one before, where there is one, or by a connection of our own.
/// `ProxyJump` would send its words to nobody.
fn write_proxy(
    text: &mut String,
    files: &Files<'_>,
    connect: Duration,
    (host, n_before): (usize, usize),
) {
    let folder = files.folder.display();
    let Some(before) = n_before.checked_sub(1) else {
        let (cellgate, log) = (quote_for_shell(files.cellgate), dial_log(files.folder, host));
        let (seconds, log) = (connect.as_secs().max(1), log.display());
        let command = format!("{cellgate} dial --seconds {seconds} --log {log} -- %h %p");
        let _ = writeln!(text, "  ProxyCommand {command}\n  ProxyUseFdpass yes");
        return;
    };
    let (log, alias) = (jump_log(files.folder, host, before), jump_alias(host, before));
    let log = log.display();
    let _ = writeln!(text, "  ProxyCommand ssh -F {folder}/config -E {log} -W [%h]:%p -- {alias}");
}

/// A path as one word of a shell's line, in which ssh expands `%`.
fn quote_for_shell(path: &Path) -> String {
    let path = path.display().to_string().replace('%', "%%").replace('\'', "'\\''");
    format!("'{path}'")
}

/// A path for the file; `%` would be expanded.
fn quote_path(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hop_is_strict_and_nothing_is_learned() {
        let endpoint =
            |host: &str, port| Endpoint { host: host.to_owned(), port, user: "u".to_owned() };
        let files = Files {
            folder: Path::new("/tmp/cg"),
            agent: Path::new("/tmp/agent"),
            public: Some(Path::new("/tmp/key.pub")),
            cipher: Some("first"),
            cellgate: Path::new("/opt/it's 5%/cellgate"),
        };
        let jumps = [endpoint("one", 22), endpoint("two", 2222)];
        let text = render(&files, &[endpoint("server", 22)], &jumps, Duration::from_secs(9));
        let blocks = "Host jump-0-0\n  HostName one\n  Port 22\n  User u\n  \
            ProxyCommand '/opt/it'\\''s 5%%/cellgate' dial --seconds 9 --log /tmp/cg/log-dial-0 -- %h %p\n  \
            ProxyUseFdpass yes\n\
            Host jump-0-1\n  HostName two\n  Port 2222\n  User u\n  \
            ProxyCommand ssh -F /tmp/cg/config -E /tmp/cg/log-jump-0-0 -W [%h]:%p -- jump-0-0\n\
            Host host-0\n  HostName server\n  Port 22\n  User u\n  \
            ProxyCommand ssh -F /tmp/cg/config -E /tmp/cg/log-jump-0-1 -W [%h]:%p -- jump-0-1\n\
            Host *\n  UserKnownHostsFile /tmp/cg/known_hosts\n";
        assert!(text.starts_with(blocks), "{text}");
        let lines = ["StrictHostKeyChecking yes", "UpdateHostKeys no", "IdentitiesOnly yes"];
        // A cipher comes before the others and takes none away.
        for line in lines.into_iter().chain(["Ciphers ^first"]) {
            assert!(text.contains(&format!("\n  {line}\n")), "{line}");
        }
    }
}
