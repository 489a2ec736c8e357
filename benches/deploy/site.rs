//! Site: a repository, a server behind a line, and each tool's way between them.
//!
//! Everything lies in one folder that is removed at the end. The server is put back into the state
//! of its case before each turn.

use crate::line::Line;
use crate::{Case, Tool};
use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

type Told = Result<(), Box<dyn Error>>;

const PROFILE: &str = "schema: cellgate/profile/v1\nname: culture\n\
    image: {modality: fluorescence, pixel_size_um: 0.5}\n\
    background: {method: opening, radius_um: 15}\nsmoothing: {sigma_um: 0.50}\n\
    threshold: {method: otsu, correction_factor: 0.90, bounds: [0.004, 1.0]}\n\
    morphology: {fill_holes_max_area_um2: 25, min_area_um2: 15, max_area_um2: 400}\n\
    split: {method: shape, suppression: auto, h: 0.75}\n";
const TOLERANCES: &str = include_str!("../../params/tolerances.yaml");
/// Bytes that a differing program has at its end.
const END_BYTES: usize = 64 << 10;
const LARGE_BYTES: u64 = 100_000_000;

/// A repository and a server.
pub(crate) struct Site {
    folder: TempDir,
    sshd: Child,
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
        // Folders of releases may not be written to.
        let _ = Command::new("chmod").arg("-R").arg("u+w").arg(self.folder.path()).status();
    }
}

impl Site {
    /// Makes both, and the releases of all cases.
    ///
    /// `program` is deployed and runs on the server, `client` deploys.
    pub(crate) fn new(program: &Path, client: &Path, line: &Line) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::Builder::new().prefix("cellgate-bench-").tempdir()?;
        let at = folder.path();
        fs::copy(program, at.join("cellgate"))?;
        fs::copy(client, at.join("client"))?;
        longer(&at.join("cellgate"), &at.join("other"), END_BYTES)?;
        let n_bytes = fs::metadata(program)?.len();
        let more = LARGE_BYTES.saturating_sub(n_bytes);
        longer(&at.join("cellgate"), &at.join("large"), usize::try_from(more)?)?;
        for name in ["host", "deploy", "plain"] {
            run(Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(at.join(name)))?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let sshd = serve(at, port)?;
        line.lead_to(port);
        let host_key = fs::read_to_string(at.join("host.pub"))?;
        fs::write(at.join("known_hosts"), format!("[127.0.0.1]:{} {host_key}", line.port))?;
        fs::write(at.join("config"), client_config(at, line.port))?;
        let site = Self { folder, sshd };
        site.make_repository(line.port)?;
        site.make_states()?;
        Ok(site)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Two commits that differ in one parameter, both approved.
    fn make_repository(&self, port: u16) -> Told {
        let repository = self.path("repository");
        fs::create_dir_all(repository.join("params"))?;
        let user = output(Command::new("id").arg("-un"))?;
        let project = format!(
            "schema: cellgate/project/v1\ntolerances: params/tolerances.yaml\n\
             datasets: {{nuclei: datasets/nuclei}}\n\
             gate: [{{profile: culture, dataset: nuclei, image_type: fluorescence}}]\n\
             targets:\n  server:\n    hosts: [127.0.0.1]\n    port: {port}\n    user: {user}\n    \
             key: {{env: BENCH_KEY}}\n    known_hosts: {{env: BENCH_PINS}}\n    path: /srv/cellgate\n"
        );
        fs::write(repository.join("cellgate.yaml"), project)?;
        fs::write(repository.join("params/tolerances.yaml"), TOLERANCES)?;
        fs::write(repository.join("params/culture.yaml"), PROFILE)?;
        fs::write(repository.join(".gitignore"), "/cellgate-report\n")?;
        let draw = ["dataset", "phantom", "--out", "datasets/nuclei", "--modality", "fluorescence"];
        run(&mut self.cellgate(&draw))?;
        self.git(&["init", "--quiet", "--template=", "--initial-branch=main"])?;
        for (key, value) in
            [("user.name", "a"), ("user.email", "a@example.org"), ("commit.gpgsign", "false")]
        {
            self.git(&["config", key, value])?;
        }
        self.commit("base")?;
        self.git(&["branch", "base"])?;
        let changed = PROFILE.replace("sigma_um: 0.50", "sigma_um: 0.52");
        fs::write(repository.join("params/culture.yaml"), changed)?;
        self.commit("changed")
    }

    fn commit(&self, message: &str) -> Told {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", message])?;
        run(&mut self.cellgate(&["gate", "--quiet", "--base", "HEAD"]))?;
        run(&mut self.cellgate(&[
            "approve",
            "--report",
            "cellgate-report/report.json",
            "--reason",
            "bench",
        ]))
    }

    fn git(&self, arguments: &[&str]) -> Told {
        run(Command::new("git").arg("-C").arg(self.path("repository")).args(arguments))
    }

    /// Makes the state of a server after the first deploy, and the files that a deploy brings in
    /// each case: as the agent lays them out, so that every tool brings the same bytes.
    fn make_states(&self) -> Told {
        self.git(&["checkout", "--quiet", "base"])?;
        self.bring(Tool::Cellgate, Case::First)?;
        copy(&self.path("root"), &self.path("root-deployed"))?;
        copy_open(&self.path("root/current/."), &self.path("tree-base"))?;
        for (case, name) in [(Case::Parameters, "tree-parameters"), (Case::Program, "tree-program")]
        {
            self.prepare(Tool::Cellgate, case)?;
            self.bring(Tool::Cellgate, case)?;
            copy_open(&self.path("root/current/."), &self.path(name))?;
        }
        self.prepare(Tool::Cellgate, Case::FirstLarge)?;
        self.bring(Tool::Cellgate, Case::FirstLarge)?;
        copy_open(&self.path("root/current/."), &self.path("tree-large"))
    }

    fn tree(&self, case: Case) -> PathBuf {
        self.path(match case {
            Case::First | Case::Nothing => "tree-base",
            Case::FirstLarge => "tree-large",
            Case::Parameters => "tree-parameters",
            Case::Program => "tree-program",
        })
    }

    /// Puts the server into the state that a tool finds in a case.
    pub(crate) fn prepare(&self, tool: Tool, case: Case) -> Told {
        let is_bare = matches!(case, Case::First | Case::FirstLarge);
        for name in ["root", "peer"] {
            if self.path(name).exists() {
                run(Command::new("chmod").arg("-R").arg("u+w").arg(self.path(name)))?;
                run(Command::new("rm").arg("-rf").arg(self.path(name)))?;
            }
        }
        match tool {
            Tool::Cellgate => {
                let branch = if case == Case::Parameters { "main" } else { "base" };
                self.git(&["checkout", "--quiet", branch])?;
                if is_bare {
                    fs::create_dir(self.path("root"))?
                } else {
                    copy(&self.path("root-deployed"), &self.path("root"))?;
                }
            }
            Tool::Rsync | Tool::RsyncSwitch | Tool::Tar => {
                fs::create_dir_all(self.path("peer"))?;
                if !is_bare {
                    copy(&self.path("tree-base"), &self.path("peer/old"))?;
                    std::os::unix::fs::symlink("old", self.path("peer/current"))?;
                }
            }
        }
        // What was written to prepare is not to be written while a tool is timed.
        run(&mut Command::new("sync"))
    }

    /// Brings what a case brings.
    pub(crate) fn bring(&self, tool: Tool, case: Case) -> Told {
        let (tree, peer) = (self.tree(case), self.path("peer"));
        let (from, to) = (format!("{}/", tree.display()), peer.display());
        let ssh = format!("ssh -F {}", self.path("config").display());
        let switch = format!("cd {to} && ln -s new next && mv -T next current");
        match tool {
            Tool::Cellgate => {
                let program = match case {
                    Case::Program => "other",
                    Case::FirstLarge => "large",
                    _ => "cellgate",
                };
                let program = self.path(program);
                let mut command =
                    self.cellgate(&["deploy", "--quiet", "--target", "server", "--binary"]);
                run(command.arg(program))
            }
            Tool::Rsync => {
                let mut command = Command::new("rsync");
                command.args(["-a", "--checksum", "--delete", "-e", &ssh, &from]);
                run(command.arg(format!("server:{to}/old/")))
            }
            Tool::RsyncSwitch => {
                let mut command = Command::new("rsync");
                command.args(["-a", "--checksum", "--link-dest=../old", "-e", &ssh, &from]);
                run(command.arg(format!("server:{to}/new/")))?;
                run(self.ssh().arg(switch))
            }
            Tool::Tar => {
                let mut tar = Command::new("tar");
                tar.args(["-cf", "-", "-C", &from, "."]).stdout(Stdio::piped());
                let mut tar = tar.spawn()?;
                let unpack = format!("mkdir {to}/new && tar -xf - -C {to}/new && {switch}");
                let mut ssh = self.ssh();
                ssh.arg(unpack).stdin(tar.stdout.take().ok_or("tar has no output")?);
                let told = run(&mut ssh);
                tar.wait()?;
                told
            }
        }
    }

    fn ssh(&self) -> Command {
        let mut command = Command::new("ssh");
        command.arg("-F").arg(self.path("config")).arg("server");
        command
    }

    fn cellgate(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path("client"));
        command.args(arguments).current_dir(self.path("repository"));
        for (name, file) in [("BENCH_KEY", "deploy"), ("BENCH_PINS", "known_hosts")] {
            command.env(name, fs::read_to_string(self.path(file)).unwrap_or_default());
        }
        command
    }
}

/// A program with further bytes at its end, which it does not look at and which do not compress.
fn longer(from: &Path, to: &Path, n_bytes: usize) -> Told {
    fs::copy(from, to)?;
    let mut bytes = vec![0; n_bytes];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for chunk in bytes.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        chunk.copy_from_slice(&state.to_le_bytes()[..chunk.len()]);
    }
    Ok(fs::OpenOptions::new().append(true).open(to)?.write_all(&bytes)?)
}

fn copy(from: &Path, to: &Path) -> Told {
    run(Command::new("cp").arg("-a").arg(from).arg(to))
}

/// Copies a release as peers have it: in folders that may be written to.
fn copy_open(from: &Path, to: &Path) -> Told {
    copy(from, to)?;
    run(Command::new("chmod").arg("-R").arg("u+w").arg(to))
}

fn run(command: &mut Command) -> Told {
    let told = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output()?;
    if told.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&told.stderr);
    Err(format!("{command:?} ends with {}: {}", told.status, said.trim()).into())
}

fn output(command: &mut Command) -> Result<String, Box<dyn Error>> {
    Ok(String::from_utf8(command.output()?.stdout)?.trim().to_owned())
}

fn client_config(at: &Path, port: u16) -> String {
    let at = at.display();
    format!(
        "Host server\n  HostName 127.0.0.1\n  Port {port}\n  UserKnownHostsFile {at}/known_hosts\n  \
         GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  IdentitiesOnly yes\n  \
         IdentityFile {at}/plain\n  IdentityAgent none\n  BatchMode yes\n  \
         PreferredAuthentications publickey\n  Compression no\n"
    )
}

/// Starts sshd: one key may only deploy, the other may do everything. The account has no files that its
/// shell would read first: what those do on this machine is not what is timed.
fn serve(at: &Path, port: u16) -> Result<Child, Box<dyn Error>> {
    let key = |name: &str| fs::read_to_string(at.join(name));
    let shown = at.display();
    let authorized = format!(
        "restrict,command=\"{shown}/cellgate agent --root {shown}/root\" {}{}",
        key("deploy.pub")?,
        key("plain.pub")?
    );
    fs::write(at.join("authorized_keys"), authorized)?;
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {shown}/host\nPidFile {shown}/pid\n\
         AuthorizedKeysFile {shown}/authorized_keys\nStrictModes no\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nUsePAM no\nPermitRootLogin yes\nMaxStartups 100\nUseDNS no\n\
         SetEnv HOME={shown}/home\n"
    );
    fs::write(at.join("sshd_config"), config)?;
    fs::create_dir_all(at.join("root"))?;
    fs::create_dir_all(at.join("home"))?;
    // What sshd demands where it is started by root.
    let _ = fs::create_dir_all("/run/sshd");
    let mut command = Command::new("/usr/sbin/sshd");
    command.args(["-D", "-f"]).arg(at.join("sshd_config")).arg("-E").arg(at.join("log"));
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(child);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err("sshd does not start".into())
}
