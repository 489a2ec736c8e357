//! Settings: a target's settings with everything that they name in the environment.
//!
//! Takes a target of the project file, the repository and a way to ask for variables; gives values
//! that ssh may be given, or all problems at once. Never shows a value that is a secret.

use cellgate_inputs::project::{Setting, SshTarget};
use cellgate_inputs::revision::Tree;
use cellgate_inputs::secret::Secret;
use std::fmt;

/// Longest file of known hosts that is read.
const MAX_KNOWN_HOSTS_BYTES: u64 = 1 << 20;

/// Where a connection leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User to log in as.
    pub user: String,
}

impl Endpoint {
    /// The host as `known_hosts` names it: in brackets where the port is another than 22.
    #[must_use]
    pub fn known_as(&self) -> String {
        match self.port {
            22 => self.host.clone(),
            port => format!("[{}]:{port}", self.host),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.known_as())
    }
}

/// A target's settings, as ssh needs them.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where releases go; the first is the canary. At least one.
    pub hosts: Vec<Endpoint>,
    /// Hosts on the way, in its order.
    pub jumps: Vec<Endpoint>,
    /// Private key as it was found; `None` asks the SSH agent.
    pub key: Option<Secret>,
    /// The key's passphrase.
    pub passphrase: Option<Secret>,
    /// Lines of `known_hosts`.
    pub known_hosts: String,
    /// Absolute folder on the server.
    pub path: String,
    /// How many releases stay on the server.
    pub keep: u32,
}

/// One thing that is wrong with a target's settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {what}")]
pub struct Problem {
    /// The key of the target, as `hosts[0]`.
    pub key: String,
    /// The fault and its remedy, without the value of a secret.
    pub what: String,
}

/// Everything that is wrong with a target's settings.
#[derive(Debug, thiserror::Error)]
#[error("the settings of the target are not usable: {}", join_problems(.0))]
pub struct SettingsError(pub Vec<Problem>);

fn join_problems(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
}

/// Looks everything up that a target names.
///
/// `variable` gives a variable of the environment; an empty one counts as unset, which is how a
/// workflow passes a secret that does not exist. Spaces and line ends around hosts and users are
/// dropped.
///
/// # Errors
/// [`SettingsError`] with every problem.
pub fn resolve(
    target: &SshTarget,
    tree: &Tree,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Settings, SettingsError> {
    let mut reader = Reader { variable, problems: Vec::new() };
    let user = reader.read_word("user", &target.user, user_problem);
    let mut endpoints = Vec::new();
    for (index, host) in target.hosts.iter().enumerate() {
        let host = reader.read_word(&format!("hosts[{index}]"), host, host_problem);
        endpoints.push(Endpoint { host, port: target.port, user: user.clone() });
    }
    let mut jumps = Vec::new();
    for (index, jump) in target.jumps.iter().enumerate() {
        let host = reader.read_word(&format!("jump[{index}].host"), &jump.host, host_problem);
        let user = match &jump.user {
            Some(user) => reader.read_word(&format!("jump[{index}].user"), user, user_problem),
            None => user.clone(),
        };
        jumps.push(Endpoint { host, port: jump.port, user });
    }
    let mut secret = |key: &str, name: &Option<String>| {
        name.as_ref().map(|name| Secret::new(reader.read_variable(key, name)))
    };
    let key = secret("key", &target.key_env);
    let passphrase = secret("passphrase", &target.passphrase_env);
    let known_hosts = reader.read_known_hosts(&target.known_hosts, tree);
    find_duplicate_hosts(&endpoints, &mut reader.problems);
    if !reader.problems.is_empty() {
        return Err(SettingsError(reader.problems));
    }
    Ok(Settings {
        hosts: endpoints,
        jumps,
        key,
        passphrase,
        known_hosts,
        path: target.path.clone(),
        keep: target.keep,
    })
}

/// Two variables may name one host, which would then be deployed to from two sides.
fn find_duplicate_hosts(hosts: &[Endpoint], problems: &mut Vec<Problem>) {
    for (index, host) in hosts.iter().enumerate() {
        if !host.host.is_empty() && hosts[..index].contains(host) {
            let what = "names a host that is listed already; delete one of the two".to_owned();
            problems.push(Problem { key: format!("hosts[{index}]"), what });
        }
    }
}

struct Reader<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn add_problem(&mut self, key: &str, what: impl Into<String>) {
        self.problems.push(Problem { key: key.to_owned(), what: what.into() });
    }

    /// The content of a variable; empty, with a problem, when it is unset.
    fn read_variable(&mut self, key: &str, name: &str) -> String {
        let text = (self.variable)(name).unwrap_or_default();
        if text.trim().is_empty() {
            self.add_problem(
                key,
                format!(
                    "the environment variable `{name}` is not set; in a workflow pass it with \
                     `env: {{{name}: ${{{{ secrets.{name} }}}}}}`"
                ),
            );
        }
        text
    }

    /// A host or a user: one word that ssh can take for nothing else.
    fn read_word(
        &mut self,
        key: &str,
        setting: &Setting,
        problem: fn(&str) -> Option<&'static str>,
    ) -> String {
        let text = match setting {
            Setting::Literal(text) => text.clone(),
            Setting::Env(name) => self.read_variable(key, name),
        };
        let word = text.trim().to_owned();
        if let Some(what) = problem(&word).filter(|_| !word.is_empty()) {
            self.add_problem(key, what);
        }
        word
    }

    fn read_known_hosts(&mut self, setting: &Setting, tree: &Tree) -> String {
        let file = match setting {
            Setting::Env(name) => return self.read_variable("known_hosts", name),
            Setting::Literal(file) => file,
        };
        match tree.read(file, MAX_KNOWN_HOSTS_BYTES).map(String::from_utf8) {
            Ok(Ok(text)) => text,
            Ok(Err(_)) => {
                self.add_problem("known_hosts", format!("`{file}` is not UTF-8 text"));
                String::new()
            }
            Err(error) => {
                let help = "name a file of this repository, or `{env: NAME}`";
                self.add_problem("known_hosts", format!("{error}; {help}"));
                String::new()
            }
        }
    }
}

/// Fault of a host setting; its value is not repeated, since it may be a secret.
fn host_problem(host: &str) -> Option<&'static str> {
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "._-:".contains(letter);
    if host.contains("://") {
        Some("holds a URL; give the host name alone")
    } else if host.contains('@') {
        Some("holds a user, too; the user belongs under `user`")
    } else if host.contains(',') || host.split_whitespace().count() > 1 {
        Some("holds several hosts; give each its own entry in `hosts`")
    } else if host.starts_with('-') {
        Some("begins with a hyphen, which ssh would take for an option")
    } else if host.matches(':').count() == 1 {
        Some("holds a port, too; the port belongs under `port`")
    } else if host.len() > 253 || !host.chars().all(is_allowed) {
        Some("is no host name; letters, digits, `.`, `-` and `_` are allowed, and an IP address")
    } else {
        None
    }
}

/// Fault of a user setting; its value is not repeated, since it may be a secret.
fn user_problem(user: &str) -> Option<&'static str> {
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if user.starts_with('-') {
        Some("begins with a hyphen, which ssh would take for an option")
    } else if user.len() > 64 || !user.chars().all(is_allowed) {
        Some("is no user name; letters, digits, `.`, `_` and `-` are allowed")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellgate_inputs::project::Jump;
    use std::path::PathBuf;

    const TREE: &dyn Fn() -> Tree = &|| Tree::Folder(PathBuf::from("."));

    fn target() -> SshTarget {
        SshTarget {
            hosts: vec![Setting::Env("SSH_HOST".to_owned())],
            port: 22,
            user: Setting::Env("SSH_USERNAME".to_owned()),
            key_env: Some("SSH_KEY".to_owned()),
            passphrase_env: Some("SERVER_PASSPHRASE".to_owned()),
            known_hosts: Setting::Env("SSH_KNOWN_HOSTS".to_owned()),
            jumps: Vec::new(),
            path: "/srv/cellgate".to_owned(),
            keep: 5,
        }
    }

    fn variables(name: &str) -> Option<String> {
        let text = match name {
            "SSH_HOST" => " server.example.org\n",
            "SSH_USERNAME" => "cellgate",
            "SSH_KEY" => "a key",
            "SERVER_PASSPHRASE" => "correct horse",
            "SSH_KNOWN_HOSTS" => "server.example.org ssh-ed25519 AAAA",
            _ => return None,
        };
        Some(text.to_owned())
    }

    #[test]
    fn settings_are_looked_up_and_trimmed() {
        let mut target = target();
        let host = Setting::Literal("jump".to_owned());
        target.jumps.push(Jump { host, port: 2222, user: None });
        let settings = resolve(&target, &TREE(), &variables).unwrap();
        assert_eq!(settings.hosts[0].to_string(), "cellgate@server.example.org");
        assert_eq!(settings.jumps[0].to_string(), "cellgate@[jump]:2222");
        assert_eq!(settings.passphrase.unwrap().reveal(), "correct horse");
    }

    #[test]
    fn everything_that_is_missing_is_told_at_once() {
        let SettingsError(problems) = resolve(&target(), &TREE(), &|_| None).unwrap_err();
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["user", "hosts[0]", "key", "passphrase", "known_hosts"]);
        assert!(problems[0].what.contains("env: {SSH_USERNAME: ${{ secrets.SSH_USERNAME }}}"));
    }

    #[track_caller]
    fn check(host: &str, says: &str) {
        let variable = |name: &str| match name {
            "SSH_HOST" => Some(host.to_owned()),
            name => variables(name),
        };
        let error = resolve(&target(), &TREE(), &variable).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert!(!error.contains(host.trim()), "the value is repeated: {error}");
    }

    #[test]
    fn what_ssh_could_take_for_something_else_is_refused() {
        check("-oProxyCommand=sh", "begins with a hyphen");
        check("root@server", "belongs under `user`");
        check("server:2222", "belongs under `port`");
        check("ssh://server", "holds a URL");
        check("one, two", "several hosts");
        check("one two", "several hosts");
        check("$(reboot)", "is no host name");
        check("%h", "is no host name");
    }

    #[test]
    fn one_host_under_two_names_is_refused() {
        let mut target = target();
        target.hosts.push(Setting::Literal("server.example.org".to_owned()));
        assert!(resolve(&target, &TREE(), &variables).is_err());
    }
}
