//! Repositories in temporary folders, and cellgate run in them: the words that tests are told in.

use cellgate_core::profile::Modality;
use cellgate_gate::verdict::FailOn;
use cellgate_gate::{Approvals, Request, author_of_head, gate, write};
use cellgate_inputs::dataset::write_phantoms;
use cellgate_inputs::revision::Tree;
use cellgate_run::cache::Cache;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use tempfile::TempDir;

/// A profile that finds the nuclei of fluorescence phantoms.
pub(crate) const PROFILE: &str = "\
schema: cellgate/profile/v1
name: culture
description: Bright nuclei.
image: {modality: fluorescence, pixel_size_um: 0.5}
background: {method: opening, radius_um: 15}
smoothing: {sigma_um: 0.50}
threshold: {method: otsu, correction_factor: 0.90, bounds: [0.004, 1.0]}
morphology: {fill_holes_max_area_um2: 25, min_area_um2: 15, max_area_um2: 400}
split: {method: shape, suppression: auto, h: 0.75}
";

/// A project that tries it on six fields.
pub(crate) const PROJECT: &str = "\
schema: cellgate/project/v1
tolerances: params/tolerances.yaml
datasets: {nuclei: datasets/nuclei}
gate:
  - {profile: culture, dataset: nuclei}
accuracy_floors: {culture: {f1_at_50: 0.5}}
";

/// The tolerances that ship.
pub(crate) const TOLERANCES: &str = include_str!("../../params/tolerances.yaml");

/// Fields of the dataset in every repository.
pub(crate) const N_FIELDS: u32 = 6;

/// Results that tests share, so that base is computed once.
static CACHE: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

/// cellgate as its users start it, free of what the machine running the tests has set.
pub(crate) fn cellgate(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cellgate"));
    scrub(&mut command, folder);
    command
}

fn scrub(command: &mut Command, folder: &Path) {
    const PREFIXES: [&str; 5] = ["GITHUB_", "RUNNER_", "CELLGATE_", "GIT_", "RAYON_"];
    let is_foreign = |name: &str| {
        PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || ["CI", "NO_COLOR"].contains(&name)
    };
    let foreign = std::env::vars_os().map(|(name, _)| name);
    for name in foreign.filter(|name| name.to_str().is_some_and(is_foreign)) {
        command.env_remove(name);
    }
    command.current_dir(folder).env("HOME", folder);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    // A folder above must not be taken for the repository.
    command.env("GIT_CEILING_DIRECTORIES", std::env::temp_dir());
}

/// The folder of results that tests share.
pub(crate) fn cache() -> &'static Path {
    CACHE.path()
}

/// Request of the command to the gate: the working tree against the last commit.
#[track_caller]
pub(crate) fn request(repository: &Repository) -> Request<'static> {
    Request {
        base: Tree::of_revision(repository.folder.path(), "HEAD").unwrap(),
        base_name: "HEAD".to_owned(),
        head: Tree::Folder(repository.folder.path().to_owned()),
        head_name: "working tree".to_owned(),
        below: String::new(),
        cache: Some(Cache::new(cache().to_owned())),
        approvals: Approvals {
            author: author_of_head(repository.folder.path()),
            ..Approvals::read(repository.folder.path(), None).unwrap()
        },
        fail_on: FailOn::Drifted,
        progress: &|_, _, _| {},
    }
}

/// A git repository in a temporary folder.
pub(crate) struct Repository {
    folder: TempDir,
}

/// Outcome of a run of cellgate.
pub(crate) struct Told {
    /// Exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

/// Outcome of a gate.
pub(crate) struct Gated {
    /// Exit code and output.
    pub(crate) told: Told,
    /// Folder of the report.
    pub(crate) folder: PathBuf,
}

impl Repository {
    /// A repository without a commit.
    pub(crate) fn empty() -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    /// A repository whose one commit holds a project with a profile and six fields.
    pub(crate) fn with_project() -> Self {
        let repository = Self::empty();
        write_phantoms(&repository.path("datasets/nuclei"), &[Modality::Fluorescence], 1, N_FIELDS)
            .unwrap();
        repository.write("cellgate.yaml", PROJECT);
        repository.write("params/culture.yaml", PROFILE);
        repository.write("params/tolerances.yaml", TOLERANCES);
        repository.write(".gitignore", "/cellgate-report\n");
        repository.commit("base");
        repository
    }

    /// A copy, its history and its branches included.
    pub(crate) fn copy_of(other: &Self) -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        let from = format!("{}/.", other.folder.path().display());
        let copied = Command::new("cp").args(["-a", &from]).arg(repository.folder.path()).status();
        assert!(copied.unwrap().success());
        repository
    }

    /// A path in it.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, text: &str) {
        std::fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        std::fs::write(self.path(path), text).unwrap();
    }

    /// Replaces the one place where a text stands in a file.
    #[track_caller]
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(path)).unwrap();
        assert_eq!(text.matches(from).count(), 1, "`{from}` in {path}");
        self.write(path, &text.replace(from, to));
    }

    /// Removes a file.
    pub(crate) fn remove(&self, path: &str) {
        std::fs::remove_file(self.path(path)).unwrap();
    }

    /// Commits everything.
    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    /// Runs git.
    #[track_caller]
    pub(crate) fn git(&self, arguments: &[&str]) {
        self.git_output(arguments);
    }

    /// The full id of a revision.
    #[track_caller]
    pub(crate) fn id(&self, revision: &str) -> String {
        self.git_output(&["rev-parse", revision]).trim().to_owned()
    }

    #[track_caller]
    fn git_output(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        scrub(&mut git, self.folder.path());
        let settings = ["user.name=a", "user.email=a@example.org", "commit.gpgsign=false"];
        git.args(settings.iter().flat_map(|setting| ["-c", setting])).args(arguments);
        let output = git.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs git, and gives what it says.
    #[track_caller]
    pub(crate) fn ask_git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        scrub(&mut git, self.folder.path());
        let output = git.args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Runs cellgate.
    pub(crate) fn run(&self, arguments: &[&str]) -> Told {
        self.run_with(&[], arguments)
    }

    /// Runs cellgate with variables of its own.
    pub(crate) fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Told {
        let mut command = cellgate(self.folder.path());
        Told::of(command.envs(variables.iter().copied()).args(arguments).output().unwrap())
    }

    /// Gates the working tree against its last commit, as the command does it but in this process,
    /// where the engine's fingerprint is computed once for all tests.
    #[track_caller]
    pub(crate) fn gate(&self) -> Gated {
        let request = request(self);
        let outcome = gate(&request).unwrap();
        let folder = self.path("cellgate-report");
        write(&outcome, &folder).unwrap();
        let output = Told {
            code: outcome.exit_code.number().into(),
            out: String::new(),
            err: String::new(),
        };
        Gated { told: output, folder }
    }

    /// Gates by the command against the last commit, with results that are known.
    pub(crate) fn gate_by_command(&self, arguments: &[&str]) -> Gated {
        let cache = CACHE.path().to_str().unwrap();
        self.gate_in_full(&[&["--base", "HEAD", "--cache", cache], arguments].concat())
    }

    /// Gates by the command with these arguments alone.
    pub(crate) fn gate_in_full(&self, arguments: &[&str]) -> Gated {
        let output = self.run(&[&["gate", "--quiet"], arguments].concat());
        Gated { told: output, folder: self.path("cellgate-report") }
    }
}

impl Told {
    /// Outcome of a finished process.
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Gated {
    /// A file of the report.
    pub(crate) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap_or_else(|_| {
            panic!("no {name}: {} {} {}", self.told.code, self.told.out, self.told.err)
        })
    }

    /// `report.json`.
    pub(crate) fn report(&self) -> Value {
        serde_json::from_str(&self.file("report.json")).unwrap()
    }

    /// Codes of all reasons, of the gate and of its profiles.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let report = self.report();
        let profiles = report["profiles"].as_array().unwrap();
        let lists = std::iter::once(&report).chain(profiles).map(|one| one["reasons"].as_array());
        let codes = lists.flat_map(|reasons| reasons.unwrap());
        codes.map(|reason| reason["code"].as_str().unwrap().to_owned()).collect()
    }

    /// Fails unless the exit code, the verdict and these reasons are there.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, verdict: &str, reasons: &[&str]) -> &Self {
        let found = self.reasons();
        let text = format!("{}{}\n{found:?}", self.told.out, self.told.err);
        assert_eq!(self.told.code, code, "{text}");
        assert_eq!(self.report()["verdict"], verdict, "{text}");
        for reason in reasons {
            assert!(found.iter().any(|one| one == reason), "no {reason}: {text}");
        }
        self
    }
}
