//! Classify: which failure the words of ssh mean.
//!
//! ssh reports everything in English words on one stream and with exit code 255. This is the one
//! place that reads these words; each class has a test against a real server. The words are asked
//! for in English (`LC_ALL=C`).

use super::failure::SshError;

/// Characters of ssh's own words that a message repeats at most.
const MAX_QUOTED: usize = 600;

/// Host, login and key of an attempt to log in.
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
pub(super) fn classify(output: &str, attempt: &Attempt<'_>) -> SshError {
    let host = named_host(output).unwrap_or_else(|| attempt.host.to_owned());
    let has = |words: &str| output.contains(words);
    if has("REVOKED HOST KEY DETECTED") {
        SshError::HostKeyRevoked { host }
    } else if has("REMOTE HOST IDENTIFICATION HAS CHANGED") || has("host certificate") {
        SshError::HostKeyDiffers { host, sent: sent_key(output), pinned: Vec::new() }
    } else if has("you have requested strict checking") || has("Host key verification failed") {
        SshError::HostUnknown { host, offered: None }
    } else if has("Permission denied (") || has("Too many authentication failures") {
        let login = refused_login(output).unwrap_or_else(|| attempt.login.to_owned());
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
        SshError::NoCommonAlgorithm { host, said: quote(output) }
    } else if has("kex_exchange_identification") || has("Connection closed by") || has("reset by") {
        SshError::HungUp { host }
    } else {
        SshError::Other { host, said: quote(output) }
    }
}

/// The class of what ssh and the command said after the login.
pub(super) fn classify_channel(output: &str, log: &str, host: &str, command: &str) -> SshError {
    let host = host.to_owned();
    let has = |words: &str| output.contains(words);
    if has("Session open refused by peer") || has("open failed: administratively prohibited") {
        return SshError::TooFewSessions { host };
    }
    if has("command not found") || has(": not found") || has("No such file or directory") {
        return SshError::CommandMissing { host, command: command.to_owned() };
    }
    let words = [log, output].into_iter().map(quote).find(|words| !words.is_empty());
    let text = words.unwrap_or_else(|| "nothing was said about why".to_owned());
    SshError::Lost { host, said: text }
}

/// ssh's words for a message: one line, printable, bounded.
pub(super) fn quote(output: &str) -> String {
    let is_noise = |line: &&str| line.is_empty() || line.bytes().all(|byte| byte == b'@');
    let lines: Vec<&str> = output.lines().map(str::trim).filter(|line| !is_noise(line)).collect();
    let text = lines.join("; ");
    let printable =
        text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter });
    printable.take(MAX_QUOTED).collect()
}

/// The host whose key was looked at, which may be one on the way.
fn named_host(output: &str) -> Option<String> {
    let name_between = |start: &str, end: &str| {
        let (_, rest) = output.split_once(start)?;
        let (name, _) = rest.split_once(end)?;
        (!name.is_empty() && !name.contains(char::is_whitespace)).then(|| name.to_owned())
    };
    name_between("Host key for ", " has changed")
        .or_else(|| name_between("host key is known for ", " and you have"))
        .or_else(|| name_between("Could not resolve hostname ", ":"))
        .or_else(|| {
            let (_, rest) = output.split_once("connect to host ")?;
            let mut words = rest.split_whitespace();
            let (host, _, port) = (words.next()?, words.next()?, words.next()?);
            let port = port.trim_end_matches(':');
            Some(if port == "22" { host.to_owned() } else { format!("[{host}]:{port}") })
        })
}

/// `user@host` of a refused login, which may be one on the way.
fn refused_login(output: &str) -> Option<String> {
    let (before, _) = output.split_once(": Permission denied (")?;
    let login = before.lines().last()?.trim();
    (login.contains('@') && !login.contains(char::is_whitespace)).then(|| login.to_owned())
}

/// Type and fingerprint of the key that the server sent.
fn sent_key(output: &str) -> String {
    let kind = output.split_once("fingerprint for the ").and_then(|(_, rest)| rest.split_once(' '));
    let digest = output.split_once("SHA256:").map(|(_, rest)| {
        let is_digit = |letter: &char| letter.is_ascii_alphanumeric() || "+/".contains(*letter);
        rest.chars().take_while(is_digit).take(64).collect::<String>()
    });
    match (kind, digest) {
        (Some((kind, _)), Some(digest)) => format!("{kind} SHA256:{digest}"),
        _ => "another one".to_owned(),
    }
}
