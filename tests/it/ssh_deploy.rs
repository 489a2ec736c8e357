//! Whole deploys over a real sshd with the real agent: first, again, changed, back, cut, cancelled.

use crate::cutting_proxy::Proxy;
use crate::gate::{CULTURE, HARMLESS};
use crate::repository::{Repository, Told, cellgate};
use crate::sshd::{Pair, Server, USER, processes_naming};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The program that is deployed: the built one, without what only debuggers read.
pub(crate) static PROGRAM: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cellgate");
    std::fs::copy(env!("CARGO_BIN_EXE_cellgate"), &path).unwrap();
    // Only time is lost where it is missing.
    let _ = Command::new("strip").arg(&path).status();
    (folder, path)
});

/// A repository whose commit is approved.
pub(crate) static APPROVED: LazyLock<Repository> = LazyLock::new(|| {
    let repository = Repository::with_project();
    repository.gate();
    let output = repository.approve_as("ada@example.org", &[]);
    assert_eq!(output.code, 0, "{}{}", output.out, output.err);
    repository
});

/// A repository, and the target it deploys to.
pub(crate) struct Site {
    pub(crate) repository: Repository,
    pins: String,
}

impl Site {
    /// A copy of the approved repository, with a target of these hosts at one port.
    pub(crate) fn new(hosts: &[&str], port: u16, pins: String) -> Self {
        let repository = Repository::copy_of(&APPROVED);
        let hosts = hosts.join(", ");
        let target = format!(
            "targets:\n  production:\n    hosts: [{hosts}]\n    port: {port}\n    \
             user: {{env: SSH_USERNAME}}\n    key: {{env: SSH_KEY}}\n    \
             known_hosts: {{env: SSH_KNOWN_HOSTS}}\n    path: /srv/cellgate\n    keep: 2\n"
        );
        let project = std::fs::read_to_string(repository.path("cellgate.yaml")).unwrap();
        repository.write("cellgate.yaml", &(project + &target));
        repository.commit("target");
        Self { repository, pins }
    }

    /// The target of one server.
    fn of(server: &Server) -> Self {
        Self::new(&["127.0.0.1"], server.port, server.pin())
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = cellgate(&self.repository.path("."));
        command.env("SSH_USERNAME", &*USER).env("SSH_KNOWN_HOSTS", &self.pins);
        command.env("SSH_KEY", Pair::usual().private());
        command.args(arguments).args(["--target", "production"]);
        if arguments[0] == "deploy" {
            command.arg("--binary").arg(&PROGRAM.1);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Told {
        Told::of(self.command(arguments).output().unwrap())
    }

    /// Runs a command that must end with a code and say something.
    #[track_caller]
    pub(crate) fn check(&self, arguments: &[&str], code: i32, says: &str) -> Told {
        let output = self.run(arguments);
        let text = format!("{}{}", output.out, output.err);
        assert_eq!(output.code, code, "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?} does not say `{says}`: {text}");
        output
    }

    /// Deploys and gives the record of the first host.
    #[track_caller]
    pub(crate) fn deploy(&self) -> Value {
        let output = self.check(&["deploy", "--format", "json"], 0, "");
        let record: Value = serde_json::from_str(&output.out).unwrap();
        record["hosts"][0].clone()
    }

    /// Changes a parameter, commits, has the change approved.
    pub(crate) fn change(&self) {
        self.repository.edit(CULTURE, HARMLESS.0, HARMLESS.1);
        self.repository.gate();
        let output = self.repository.approve_as("ada@example.org", &[]);
        assert_eq!(output.code, 0, "{}{}", output.out, output.err);
        self.repository.commit("change");
    }
}

/// A server whose key may run the agent of a root and nothing else.
pub(crate) fn forced_command_key(root: &Path) -> String {
    let program = env!("CARGO_BIN_EXE_cellgate");
    let (root, key) = (root.display(), Pair::usual().public());
    format!("restrict,command=\"{program} agent --root {root}\" {key}")
}

/// A server with an agent, and its root.
fn server_with_agent() -> (Server, TempDir) {
    let root = tempfile::tempdir().unwrap();
    (Server::with("", &forced_command_key(root.path())), root)
}

/// Where the active release lies.
pub(crate) fn active(root: &Path) -> Option<String> {
    let link = std::fs::read_link(root.join("current")).ok()?;
    Some(link.file_name()?.to_str()?.to_owned())
}

fn logins(server: &Server) -> usize {
    server.log().matches("Accepted publickey").count()
}

#[test]
fn a_release_goes_there_once_changes_and_comes_back() {
    let (server, root) = server_with_agent();
    let site = Site::of(&server);
    let plan = site.check(&["deploy", "--plan"], 0, "nothing is active");
    assert!(plan.out.contains("+ params/culture.yaml"), "{}", plan.out);
    assert!(plan.out.contains("approved by ada@example.org"), "{}", plan.out);
    assert_eq!(active(root.path()), None, "a plan changes nothing");

    let first = site.deploy();
    assert_eq!(first["outcome"], "done");
    assert_eq!(active(root.path()).as_deref(), first["active"].as_str());
    assert_eq!(logins(&server), 3, "one to plan, one to deploy, one to confirm");

    let again = site.deploy();
    assert_eq!((&again["outcome"], again["n_sent_bytes"].as_u64()), (&"unchanged".into(), Some(0)));
    assert_eq!(logins(&server), 4, "one login when there is nothing to do");

    site.change();
    let plan = site.check(&["deploy", "--plan"], 0, "~ params/culture.yaml");
    assert!(plan.out.contains("culture: smoothing.sigma_um: 0.5 -> 0.52"), "{}", plan.out);
    let second = site.deploy();
    let n_sent = second["n_sent_bytes"].as_u64().unwrap();
    assert!(0 < n_sent && n_sent < 200_000, "the program was sent again: {n_sent} bytes");
    assert_eq!(second["before"], first["active"]);

    site.check(&["status", "--verify"], 0, "every deployed byte is what was deployed");
    site.check(&["rollback"], 0, "is active, before it");
    assert_eq!(active(root.path()).as_deref(), first["active"].as_str());
    let file = root.path().join("current/params/culture.yaml");
    replace_content(&file);
    let status = site.check(&["status", "--verify"], 24, "differs");
    assert!(status.out.contains("culture.yaml"), "{}", status.out);
}

/// Changes a file behind the agent's back.
fn replace_content(file: &Path) {
    let path = std::fs::canonicalize(file).unwrap();
    let folder = path.parent().unwrap();
    for path in [folder, &path] {
        assert!(Command::new("chmod").arg("u+w").arg(path).status().unwrap().success());
    }
    std::fs::write(&path, "changed").unwrap();
}

#[test]
fn what_is_not_committed_or_not_approved_is_refused_before_anything_is_connected() {
    let (server, _root) = server_with_agent();
    let site = Site::of(&server);
    site.repository.write("params/new.yaml", "");
    site.check(&["deploy"], 20, "`params/new.yaml`; commit or remove it");
    site.repository.remove("params/new.yaml");
    site.repository.edit(CULTURE, HARMLESS.0, HARMLESS.1);
    site.repository.commit("unapproved");
    site.check(&["deploy"], 20, "profile `culture` differs from what ada@example.org approved");
    assert_eq!(logins(&server), 0);
}

#[test]
fn a_plan_that_is_overtaken_is_refused() {
    let (server, root) = server_with_agent();
    let site = Site::of(&server);
    site.repository.write(".git/info/exclude", "*.json\n");
    site.check(&["deploy", "--plan-out", "plan.json"], 0, "bytes would be sent");
    site.deploy();
    site.change();
    site.check(&["deploy", "plan.json"], 20, "make the plan anew");
    site.check(&["deploy", "--plan-out", "plan.json"], 0, "bytes would be sent");
    let before = active(root.path());
    site.check(&["rollback"], 20, "no release to go back to");
    site.check(&["deploy", "plan.json"], 0, "is active, before it");
    assert_ne!(active(root.path()), before);
    site.check(&["deploy", "plan.json"], 0, "was active already");
    site.check(&["rollback"], 0, "is active");
    site.check(&["deploy", "plan.json"], 0, "is active, before it");
}

#[test]
fn banners_and_login_scripts_that_print_do_no_harm() {
    let root = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_cellgate");
    let folder = tempfile::tempdir().unwrap();
    let banner = folder.path().join("banner");
    std::fs::write(&banner, "Authorized use only.\nPermission denied (is what this is about).\n")
        .unwrap();
    let noise = "echo Welcome; printf 'last login: \\\\033[2Jnever\\\\n'; echo oops >&2";
    let line = format!(
        "restrict,command=\"{noise}; exec {program} agent --root {}\" {}",
        root.path().display(),
        Pair::usual().public()
    );
    let server = Server::with(&format!("Banner {}", banner.display()), &line);
    let site = Site::of(&server);
    assert_eq!(site.deploy()["outcome"], "done");
}

#[test]
fn one_session_at_a_time_is_enough() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::with("MaxSessions 1", &forced_command_key(root.path()));
    assert_eq!(Site::of(&server).deploy()["outcome"], "done");
}

#[test]
fn a_server_without_an_agent_says_how_to_get_one() {
    let server = Server::start();
    let site = Site::of(&server);
    site.check(&["deploy"], 20, "--bootstrap");
    site.check(&["status"], 20, "cannot be asked");
}

#[test]
fn a_bare_server_is_bootstrapped_and_its_key_then_opens_no_shell() {
    let server = Server::start();
    let root = tempfile::tempdir().unwrap();
    let site = Site::of(&server);
    let path = root.path().join("srv");
    site.repository.edit(
        "cellgate.yaml",
        "path: /srv/cellgate",
        &format!("path: {}", path.display()),
    );
    site.repository.commit("path");
    let output = site.check(&["deploy", "--bootstrap"], 0, "installed as");
    let line = output.out.lines().find(|line| line.starts_with("restrict,command=")).unwrap();
    assert!(line.contains(Pair::usual().public().split(' ').nth(1).unwrap()), "{line}");
    let program = path.join("bin/cellgate");
    assert_eq!(std::fs::read(&program).unwrap(), std::fs::read(&PROGRAM.1).unwrap());
    assert_eq!(std::fs::read_dir(path.join("bin")).unwrap().count(), 1, "parts stay");
    site.check(&["status"], 0, "active nothing");
    let keys = server.folder.path().join("authorized_keys");
    std::fs::write(keys, format!("{line}\n")).unwrap();
    site.check(&["status"], 0, "active nothing");
    site.check(&["deploy", "--bootstrap"], 20, "an agent answers already");
    assert_eq!(site.deploy()["outcome"], "done");
}

#[test]
fn settings_that_are_missing_are_told_at_once() {
    let (server, _root) = server_with_agent();
    let site = Site::of(&server);
    let mut command = site.command(&["status"]);
    command.env_remove("SSH_KEY").env_remove("SSH_USERNAME").env("SSH_KNOWN_HOSTS", "");
    let output = Told::of(command.output().unwrap());
    assert_eq!(output.code, 20, "{}", output.err);
    for name in ["SSH_KEY", "SSH_USERNAME", "SSH_KNOWN_HOSTS"] {
        assert!(output.err.contains(&format!("secrets.{name}")), "{name}: {}", output.err);
    }
    site.check(&["status", "--format", "json"], 0, "cellgate/status/v1");
    let mut command = cellgate(&site.repository.path("."));
    let output = Told::of(command.args(["status", "--target", "prodction"]).output().unwrap());
    assert_eq!(output.code, 20);
    assert!(output.err.contains("did you mean `production`?"), "{}", output.err);
}

#[test]
fn a_key_that_was_repaired_is_told_and_never_shown() {
    let (server, _root) = server_with_agent();
    let site = Site::of(&server);
    let key = Pair::usual().private();
    let mut command = site.command(&["status"]);
    command.env("SSH_KEY", key.replace('\n', "\r\n").trim_end());
    let output = Told::of(command.output().unwrap());
    assert_eq!(output.code, 0, "{}", output.err);
    assert!(output.err.contains("note: the key's lines ended in CRLF"), "{}", output.err);
    let secret = key.lines().nth(2).unwrap();
    assert!(!format!("{}{}", output.out, output.err).contains(secret));
}

#[test]
fn a_connection_that_is_cut_anywhere_is_told_and_the_next_deploy_goes_on() {
    let (server, root) = server_with_agent();
    let proxy = Proxy::before(server.port);
    let site = Site::new(&["127.0.0.1"], proxy.port, server.pin_at(proxy.port));
    let mut release = None;
    for cut in [1, 500, 3_000, 6_000, 20_000, 300_000, 3_000_000] {
        proxy.rules.cut_after.store(cut, Ordering::Relaxed);
        let start = Instant::now();
        let output = site.run(&["deploy"]);
        let text = format!("{cut}: {}{}", output.out, output.err);
        assert!([0, 20, 21].contains(&output.code), "{}: {text}", output.code);
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}: {text}", start.elapsed());
        if output.code != 0 {
            assert_eq!(active(root.path()), None, "{text}");
        }
        release = release.or((output.code == 0).then_some(cut));
    }
    let sent_before = proxy.rules.n_sent.load(Ordering::Relaxed);
    proxy.rules.cut_after.store(0, Ordering::Relaxed);
    site.deploy();
    assert!(active(root.path()).is_some(), "{sent_before} bytes were sent before");
    site.check(&["status", "--verify"], 0, "every deployed byte is what was deployed");
}

#[test]
fn a_changed_parameter_takes_two_logins_and_little_more() {
    let (server, _root) = server_with_agent();
    let proxy = Proxy::before(server.port);
    let site = Site::new(&["127.0.0.1"], proxy.port, server.pin_at(proxy.port));
    site.deploy();
    let n_sent = || proxy.rules.n_sent.load(Ordering::Relaxed);
    let before = n_sent();
    site.deploy();
    let nothing = n_sent() - before;
    site.change();
    let before = n_sent();
    site.deploy();
    let changed = n_sent() - before;
    assert!(nothing < 8_000 && changed < 16_000, "{nothing} and {changed} bytes were sent");
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what} never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn send(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[test]
fn a_deploy_that_is_cancelled_ends_at_once_and_leaves_nothing() {
    let (server, root) = server_with_agent();
    let proxy = Proxy::before(server.port);
    let site = Site::new(&["127.0.0.1"], proxy.port, server.pin_at(proxy.port));
    for name in [Signal::INT, Signal::TERM, Signal::KILL] {
        proxy.rules.delay_ms.store(20, Ordering::Relaxed);
        let n_sent = || proxy.rules.n_sent.load(Ordering::Relaxed);
        let before = n_sent();
        let folder = tempfile::Builder::new().prefix("c").tempdir_in("/tmp").unwrap();
        let mut command = site.command(&["deploy"]);
        command.env("TMPDIR", folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        wait_until("the upload", || before + 500_000 < n_sent());
        send(&child, name);
        let start = Instant::now();
        let output = Told::of(child.wait_with_output().unwrap());
        assert!(start.elapsed() < Duration::from_secs(5), "{name:?}: {:?}", start.elapsed());
        if name != Signal::KILL {
            assert_eq!(output.code, 21, "{name:?}: {}", output.err);
            assert!(output.err.contains("cancelled by SIG"), "{}", output.err);
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "files stay");
            // They were told to end, which takes them a moment where much else runs.
            wait_until("the end of what it started", || processes_naming(folder.path()).is_empty());
        }
        assert_eq!(active(root.path()), None);
        proxy.rules.delay_ms.store(0, Ordering::Relaxed);
        wait_until("the end of the lock", || {
            let output = site.check(&["status", "--format", "json"], 0, "");
            serde_json::from_str::<Value>(&output.out).unwrap()["hosts"][0]["status"]["lock"]
                .is_null()
        });
    }
    assert_eq!(site.deploy()["outcome"], "done");
}
