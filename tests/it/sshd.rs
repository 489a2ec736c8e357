//! A real sshd on loopback, run by whoever runs the tests, and keys to log in with.

use cellgate_deploy::settings::{Endpoint, Settings};
use cellgate_inputs::secret::Secret;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Where sshd lies on Debian, Ubuntu, Fedora and macOS.
const SSHD: &str = "/usr/sbin/sshd";

/// The user who runs the tests: the only one whom an unprivileged sshd lets in.
pub(crate) static USER: LazyLock<String> = LazyLock::new(|| {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
});

/// Keys that tests share; making one of RSA takes its time.
static KEYS: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

/// A pair of keys in a folder.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) file: PathBuf,
}

impl Pair {
    /// A pair of a type, as `ed25519`, `rsa -b 2048` or `ecdsa -m PEM`, with a passphrase or none.
    pub(crate) fn new(folder: &Path, name: &str, kind: &str, passphrase: &str) -> Self {
        let file = folder.join(name);
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-C", name, "-N", passphrase, "-f"]).arg(&file).arg("-t");
        let output = command.args(kind.split(' ')).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { file }
    }

    /// The key of every login that is about something else.
    pub(crate) fn usual() -> &'static Self {
        static USUAL: LazyLock<Pair> =
            LazyLock::new(|| Pair::new(KEYS.path(), "usual", "ed25519", ""));
        &USUAL
    }

    pub(crate) fn private(&self) -> String {
        std::fs::read_to_string(&self.file).unwrap()
    }

    pub(crate) fn public(&self) -> String {
        std::fs::read_to_string(self.file.with_extension("pub")).unwrap().trim().to_owned()
    }

    /// `SHA256:…`, as ssh-keygen prints it.
    pub(crate) fn fingerprint(&self) -> String {
        let output = Command::new("ssh-keygen").arg("-lf").arg(&self.file).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split(' ').nth(1).unwrap().to_owned()
    }
}

/// A server that ends with its owner.
pub(crate) struct Server {
    pub(crate) folder: TempDir,
    pub(crate) address: String,
    pub(crate) port: u16,
    pub(crate) host_key: Pair,
    child: Child,
}

impl Server {
    /// A server that lets the usual key in and runs what it is asked to.
    pub(crate) fn start() -> Self {
        Self::with("", &Pair::usual().public())
    }

    /// A server with further lines of sshd_config, and these lines of authorized_keys.
    pub(crate) fn with(lines: &str, authorized: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::in_folder(folder, lines, authorized, "ed25519")
    }

    /// A server whose folder is there already, with a host key of a type.
    pub(crate) fn in_folder(folder: TempDir, lines: &str, authorized: &str, kind: &str) -> Self {
        assert!(Path::new(SSHD).exists(), "{SSHD} is missing: apt-get install openssh-server");
        // What sshd demands where it is started by root.
        let _ = std::fs::create_dir_all("/run/sshd");
        let host_key = folder.path().join("host");
        let host_key = if host_key.exists() {
            Pair { file: host_key }
        } else {
            Pair::new(folder.path(), "host", kind, "")
        };
        std::fs::write(folder.path().join("authorized_keys"), format!("{authorized}\n")).unwrap();
        // Somebody may take the port between its choice and sshd's start.
        for _ in 0..5 {
            let port = free_port();
            if let Some(child) = spawn(folder.path(), ("127.0.0.1", port), lines) {
                let address = "127.0.0.1".to_owned();
                return Self { folder, address, port, host_key, child };
            }
        }
        panic!("sshd does not start: {}", log_of(folder.path()));
    }

    /// A server at another address of loopback and a port that is given.
    pub(crate) fn at(address: &str, port: u16, authorized: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host_key = Pair::new(folder.path(), "host", "ed25519", "");
        std::fs::write(folder.path().join("authorized_keys"), format!("{authorized}\n")).unwrap();
        let child = spawn(folder.path(), (address, port), "").expect("sshd does not start");
        Self { folder, address: address.to_owned(), port, host_key, child }
    }

    /// Log of sshd.
    pub(crate) fn log(&self) -> String {
        log_of(self.folder.path())
    }

    /// The line that pins this server.
    pub(crate) fn pin(&self) -> String {
        self.pin_at(self.port)
    }

    /// The line that pins this server behind another port.
    pub(crate) fn pin_at(&self, port: u16) -> String {
        format!("[{}]:{port} {}", self.address, self.host_key.public())
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint { host: self.address.clone(), port: self.port, user: USER.clone() }
    }

    /// Settings of a target that is this server alone.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            hosts: vec![self.endpoint()],
            jumps: Vec::new(),
            key: Some(Secret::new(Pair::usual().private())),
            passphrase: None,
            known_hosts: self.pin(),
            path: self.folder.path().join("srv").to_str().unwrap().to_owned(),
            keep: 5,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn log_of(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}

fn spawn(folder: &Path, (address, port): (&str, u16), lines: &str) -> Option<Child> {
    let at = folder.to_str().unwrap();
    // The first value of a key holds: further lines stand above the usual ones.
    let config = format!(
        "{lines}\nPort {port}\nListenAddress {address}\nHostKey {at}/host\nPidFile {at}/pid\n\
         AuthorizedKeysFile {at}/authorized_keys\nStrictModes no\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nUsePAM no\nPermitRootLogin yes\nLogLevel VERBOSE\n\
         MaxStartups 100\nUseDNS no\n"
    );
    std::fs::write(folder.join("sshd_config"), config).unwrap();
    let mut command = Command::new(SSHD);
    command.arg("-D").arg("-f").arg(folder.join("sshd_config")).arg("-E").arg(folder.join("log"));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        if TcpStream::connect((address, port)).is_ok() {
            return Some(child);
        }
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// The built program, which answers `ssh-add`.
pub(crate) fn askpass() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_cellgate"))
}

/// Runs async code.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(future)
}

/// Command lines of processes that name a path.
pub(crate) fn processes_naming(path: &Path) -> Vec<String> {
    let path = path.to_str().unwrap();
    let lines: Vec<String> = match std::fs::read_dir("/proc") {
        Ok(processes) => processes
            .flatten()
            .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
            .collect(),
        Err(_) => {
            let output = Command::new("ps").args(["-e", "-o", "args="]).output().unwrap();
            String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
        }
    };
    lines.into_iter().filter(|line| line.contains(path)).collect()
}
