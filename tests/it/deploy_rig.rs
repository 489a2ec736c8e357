//! A rig for deploys: a server in a folder, releases that are approved, and connections that fail.

use cellgate_approval::signature::sign;
use cellgate_approval::{
    Action, Binding, Entry as Approval, Log, Permission, ProfileBinding, Timestamp,
};
use cellgate_core::digest::Digest;
use cellgate_deploy::agent::{SELF_TEST_SCHEMA, SelfTest, TestedProfile};
use cellgate_deploy::local::Local;
use cellgate_deploy::release::{
    APPROVALS, Content, Entry, Manifest, Mode, PROGRAM, PROJECT, Package, Release, ReleasedProfile,
    SCHEMA,
};
use cellgate_deploy::session::Options;
use cellgate_deploy::transport::{Channel, Purpose, Said, Transport, TransportError};
use cellgate_deploy::wire::Owner;
use cellgate_inputs::params::of_text;
use cellgate_inputs::project::Project;
use cellgate_inputs::revision::Tree;
use cellgate_inputs::source::Source;
use cellgate_run::rehearsal::rehearsal_digest;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) const CELLGATE: &str = env!("CARGO_BIN_EXE_cellgate");
const YAML: &str = "schema: cellgate/project/v1\ndatasets: {nuclei: {builtin: phantoms}}\n\
                    gate: [{profile: p, dataset: nuclei}]\n";
/// A program that says what the release says of itself.
pub(crate) const STUB: &str = "#!/bin/sh\nexec /bin/cat \"$3/reference/self-test.json\"\n";

/// Runs a future as the binary does.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

/// A server: the root of an agent in a folder of memory, where there is one.
pub(crate) struct Server {
    folder: TempDir,
}

impl Server {
    pub(crate) fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let builder = tempfile::Builder::new();
        let folder = if memory.is_dir() { builder.tempdir_in(memory) } else { builder.tempdir() };
        Self { folder: folder.unwrap() }
    }

    /// A server with everything that another has.
    pub(crate) fn copy(other: &Self) -> Self {
        let server = Self::new();
        copy_tree(&other.root(), &server.root());
        server
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Its agent, with hidden options.
    pub(crate) fn agent(&self, options: &[&str]) -> Local {
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        Local::new(CELLGATE, self.root()).with_options(&options)
    }

    /// Lets its agents go on where they were stopped, and waits until none is left.
    #[track_caller]
    pub(crate) fn outlive_agents(&self) {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let agents = self.agents();
            if agents.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "an agent never ends");
            for agent in agents {
                // It may have ended meanwhile.
                let _ = kill_process(agent, Signal::CONT);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The processes that name its root; what has ended and is not waited for yet names nothing.
    fn agents(&self) -> Vec<Pid> {
        let root = self.root();
        let pid_of = |entry: fs::DirEntry| {
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let is_agent = String::from_utf8_lossy(&line).contains(root.to_str()?);
            let pid = entry.file_name().to_str()?.parse().ok()?;
            is_agent.then(|| Pid::from_raw(pid)).flatten()
        };
        fs::read_dir("/proc").unwrap().flatten().filter_map(pid_of).collect()
    }

    /// Its guard, as a timer starts it.
    pub(crate) fn guard(&self, options: &[&str]) -> Output {
        let mut command = Command::new(CELLGATE);
        command.args(["agent", "guard", "--root"]).arg(self.root()).args(options);
        command.output().unwrap()
    }

    /// Where a pointer points.
    pub(crate) fn pointer_target(&self, name: &str) -> Option<Digest> {
        let target = fs::read_link(self.root().join(name)).ok()?;
        Some(target.strip_prefix("releases").unwrap().to_str().unwrap().parse().unwrap())
    }

    /// Whether a release stands complete on the disk, byte by byte.
    pub(crate) fn is_whole(&self, id: Digest) -> bool {
        let manifest = fs::read(self.root().join(format!("manifests/{id}.json")));
        let Some(release) = manifest.ok().and_then(|bytes| Release::parse(&bytes).ok()) else {
            return false;
        };
        let folder = self.root().join("releases").join(id.to_string());
        release.id() == id
            && release.files.iter().all(|file| {
                let bytes = fs::read(folder.join(&file.path)).unwrap_or_default();
                Digest::of_bytes(&bytes) == file.sha256 && bytes.len() as u64 == file.size
            })
    }

    /// The digest of every name, byte and permission below the root.
    pub(crate) fn digest(&self) -> Digest {
        let mut text = Vec::new();
        for file in self.files() {
            let path = self.root().join(&file);
            let found = fs::symlink_metadata(&path).unwrap();
            let target = fs::read_link(&path).unwrap_or_default();
            text.extend(format!("{file} {:o} {target:?}\n", found.permissions().mode()).bytes());
            if found.is_file() {
                text.extend(Digest::of_bytes(&fs::read(&path).unwrap()).to_string().bytes());
            }
        }
        Digest::of_bytes(&text)
    }

    /// Every file below the root, links not followed.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        gather(&self.root(), "", &mut files);
        files.sort();
        files
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Folders of releases may not be written to, which keeps others than root from removing them.
        let _ = Command::new("chmod").arg("-R").arg("u+w").arg(self.folder.path()).output();
    }
}

fn gather(folder: &Path, below: &str, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            gather(&entry.path(), &format!("{name}/"), files);
        } else {
            files.push(name);
        }
    }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy_tree(&path, &target);
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&path).unwrap(), &target).unwrap();
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
    let mode = fs::metadata(from).unwrap().permissions().mode();
    fs::set_permissions(to, fs::Permissions::from_mode(mode)).unwrap();
}

/// Makes releases and approves them.
pub(crate) struct Studio {
    pub(crate) log: Log,
    is_approving: bool,
    /// Signs approvals, where there is one.
    pub(crate) key: Option<PathBuf>,
}

impl Studio {
    pub(crate) fn new() -> Self {
        Self { log: Log::parse(b"").unwrap(), is_approving: true, key: None }
    }

    /// Stops approving.
    pub(crate) fn stop_approving(&mut self) -> &mut Self {
        self.is_approving = false;
        self
    }

    /// A release whose one parameter is its number, approved.
    pub(crate) fn package(&mut self, sequence: u64) -> Arc<Package> {
        self.package_with(sequence, Content::Bytes(STUB.into()), Digest::of_bytes(b"engine"), &[])
    }

    /// A release with a program and further files.
    pub(crate) fn package_with(
        &mut self,
        sequence: u64,
        program: Content,
        engine_fingerprint: Digest,
        weights: &[(&str, Vec<u8>)],
    ) -> Arc<Package> {
        let profile = profile(sequence);
        let params = of_text(&Source::new("p.yaml", profile.clone())).unwrap().params;
        let params_digest = params.digest();
        let rehearsal_digest = rehearsal_digest(&params).unwrap();
        let policy_digest = policy_digest(&profile);
        if self.is_approving {
            self.approve(Action::Approve, params_digest, policy_digest, engine_fingerprint);
        }
        let self_test = SelfTest {
            schema: SELF_TEST_SCHEMA.to_owned(),
            engine_fingerprint,
            profiles: vec![TestedProfile { name: "p".to_owned(), params_digest, rehearsal_digest }],
            findings: Vec::new(),
        };
        let manifest = Manifest {
            schema: SCHEMA.to_owned(),
            target_triple: format!(
                "{}-unknown-{}-musl",
                std::env::consts::ARCH,
                std::env::consts::OS
            ),
            sequence,
            commit: format!("{sequence:040x}"),
            engine_fingerprint,
            policy_digest,
            profiles: vec![ReleasedProfile {
                name: "p".to_owned(),
                path: "params/p.yaml".to_owned(),
                params_digest,
                dataset_digest: None,
                rehearsal_digest,
            }],
            files: Vec::new(),
        };
        let data = |path: &str, bytes: Vec<u8>| Entry {
            path: path.to_owned(),
            mode: Mode::Data,
            content: Content::Bytes(bytes),
        };
        let mut entries = vec![
            Entry { path: PROGRAM.to_owned(), mode: Mode::Program, content: program },
            data(PROJECT, YAML.into()),
            data(APPROVALS, self.log.as_bytes().to_vec()),
            data("params/p.yaml", profile.into()),
            data("reference/self-test.json", serde_json::to_vec(&self_test).unwrap()),
        ];
        entries.extend(weights.iter().map(|(path, bytes)| data(path, bytes.clone())));
        Arc::new(Package::build(manifest, entries).unwrap())
    }

    /// Says something about a release.
    pub(crate) fn approve(
        &mut self,
        action: Action,
        params_digest: Digest,
        policy_digest: Digest,
        engine_fingerprint: Digest,
    ) {
        let binding = Binding {
            profiles: vec![ProfileBinding {
                name: "p".to_owned(),
                params_digest: Some(params_digest),
                dataset_digest: None,
            }],
            policy_digest,
            engine_fingerprint,
        };
        let entry = Approval {
            action,
            binding,
            report_digest: Digest::of_bytes(b"report"),
            commit: None,
            pull_request: None,
            who: "ada".to_owned(),
            permission: Permission::Admin,
            author: None,
            why: "numbers agree".to_owned(),
            when: Timestamp::from_unix(self.log.records().len() as u64),
        };
        match self.key.clone() {
            None => self.log.append(entry).unwrap(),
            Some(key) => self.log.append_signed(entry, |text| sign(text, &key)).unwrap(),
        };
    }
}

/// A profile with a number in it.
fn profile(number: u64) -> String {
    format!(
        "schema: cellgate/profile/v1\nname: p\nimage: {{modality: he, working_pixel_size_um: 0.5}}\n\
         smoothing: {{sigma_um: {}}}\n",
        0.5 + number as f64 / 1000.0
    )
}

fn policy_digest(profile: &str) -> Digest {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("params")).unwrap();
    fs::write(folder.path().join("params/p.yaml"), profile).unwrap();
    fs::write(folder.path().join(PROJECT), YAML).unwrap();
    let project = Project::load(&Tree::Folder(folder.path().to_owned()));
    project.unwrap().policy().digest().unwrap()
}

/// Options of a deploy whose every wait is short.
pub(crate) fn options(key: &str) -> Options {
    let owner = Owner { who: format!("{key}'s owner"), ..Owner::default() };
    Options {
        window: Duration::from_millis(400),
        grace: Duration::from_millis(1500),
        n_channels: 0,
        keep: 1,
        ..Options::new(key, owner)
    }
}

/// Keeps what every agent of a transport says beside the protocol.
pub(crate) struct Recording<T> {
    inner: T,
    said: Mutex<Vec<Said>>,
}

impl<T> Recording<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, said: Mutex::default() }
    }

    /// Text of each agent.
    pub(crate) fn agent_output(&self) -> Vec<String> {
        self.said.lock().unwrap().iter().map(Said::text).collect()
    }

    /// How often the busiest of them passed each point.
    pub(crate) fn passages(&self) -> BTreeMap<String, u32> {
        let mut most = BTreeMap::new();
        for text in self.agent_output() {
            let mut counts: BTreeMap<String, u32> = BTreeMap::new();
            for point in text.lines().filter_map(|line| line.strip_prefix("passed ")) {
                *counts.entry(point.to_owned()).or_default() += 1;
            }
            for (point, n) in counts {
                let most: &mut u32 = most.entry(point).or_default();
                *most = n.max(*most);
            }
        }
        most
    }
}

impl<T: Transport> Transport for Recording<T> {
    async fn open(&self, purpose: Purpose) -> Result<Channel, TransportError> {
        let channel = self.inner.open(purpose).await?;
        self.said.lock().unwrap().push(channel.said.clone());
        Ok(channel)
    }
}
