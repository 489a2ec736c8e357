//! Self test: a release shows that it gives the numbers that it was approved with.
//!
//! `examine` is what the release's own program does: it measures its engine fingerprint, reads its
//! profiles and rehearses each: what the classical path gives is reported as a digest,
//! what a network finds is compared with what the packer's machine found. `run` starts that program
//! out of the staged release, bounded in time and words, and compares its report with the manifest,
//! which decides.

use super::fault::Point;
use super::refuse::{Refused, io_refusal, refusal};
use super::world::World;
use crate::release::{PROGRAM, Release};
use crate::wire::RefusalCode;
use cellgate_core::digest::Digest;
use cellgate_inputs::dataset::decode::{MAX_FILE_BYTES, decode_labels};
use cellgate_inputs::finding::has_errors;
use cellgate_inputs::params::{Loaded, load_all};
use cellgate_inputs::project;
use cellgate_inputs::revision::{Tree, TreeError};
use cellgate_run::RunError;
use cellgate_run::fingerprint;
use cellgate_run::models::{ModelError, Models};
use cellgate_run::ready::Ready;
use cellgate_run::rehearsal::{difference as difference_of_labels, rehearsal_digest, rehearse};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Value of the `schema` key of a self test.
pub const SCHEMA: &str = "cellgate/self-test/v1";
/// How long a test may take.
const MAX_TIME: Duration = Duration::from_secs(300);
/// Most bytes of what a program says.
const MAX_SAID_BYTES: u64 = 1 << 20;
/// Most complaints of a program.
const MAX_FINDINGS: usize = 20;
/// Most characters of what a program complains of that are reported.
const SHOWN_CHARS: usize = 300;
/// Between two looks at a program that runs.
const LOOK: Duration = Duration::from_millis(20);

/// Report of a program about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfTest {
    /// [`SCHEMA`].
    pub schema: String,
    /// Its engine fingerprint as measured there and then.
    pub engine_fingerprint: Digest,
    /// Its profiles.
    pub profiles: Vec<TestedProfile>,
    /// Faults of the profiles; empty when there are none.
    pub findings: Vec<String>,
}

/// A profile as the program reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestedProfile {
    /// Its name.
    pub name: String,
    /// Digest of the validated profile.
    pub params_digest: Digest,
    /// Digest of what it gives in its rehearsal; none for a network, and for what cannot be run, which
    /// is a finding.
    pub rehearsal_digest: Option<Digest>,
}

/// Examines the release in a folder with the program that runs.
#[must_use]
pub fn examine(release: &Path) -> SelfTest {
    let tree = Tree::Folder(release.to_owned());
    let (profiles, findings) = load_all(&tree, "params", &["params/tolerances.yaml"]);
    let has_faults = has_errors(&findings);
    let findings = findings
        .iter()
        .filter(|_| has_faults)
        .map(|one| format!("{}: {}", one.place.path, one.message));
    let folder = project::models_folder(&tree);
    let models = Models::new(&tree, &folder, None);
    let networks = profiles.iter().filter_map(|loaded| network_fault(&tree, loaded, models));
    let findings = findings.chain(networks);
    // Small fields leave processors without work now and then.
    let (engine_fingerprint, rehearsals): (Digest, Vec<_>) =
        rayon::join(fingerprint::measure_fingerprint, || {
            profiles.par_iter().map(|loaded| rehearsal_digest(&loaded.params)).collect()
        });
    let fault = |(loaded, rehearsal): (&Loaded, &Result<Option<Digest>, RunError>)| {
        let error = rehearsal.as_ref().err()?;
        Some(format!("`{}` cannot be rehearsed: {error}", loaded.params.name))
    };
    let findings = findings.chain(profiles.iter().zip(&rehearsals).filter_map(fault));
    let findings = findings.take(MAX_FINDINGS).collect();
    let tested = profiles.iter().zip(rehearsals).map(|(loaded, rehearsal)| TestedProfile {
        name: loaded.params.name.clone(),
        params_digest: loaded.params.digest(),
        rehearsal_digest: rehearsal.ok().flatten(),
    });
    let profiles = tested.collect();
    SelfTest { schema: SCHEMA.to_owned(), engine_fingerprint, profiles, findings }
}

/// Fault of a profile's network on this machine, in its weights or in the labels that it finds.
fn network_fault(tree: &Tree, loaded: &Loaded, models: Models<'_>) -> Option<String> {
    loaded.params.unet()?;
    let name = &loaded.params.name;
    let expected = ["png", "tif"].map(|ending| format!("reference/{name}_labels.{ending}"));
    let expected = expected.into_iter().find(|path| tree.has_file(path).unwrap_or(false));
    let compare = || -> Result<Option<String>, Untested> {
        let path = expected.ok_or(Untested::NothingExpected)?;
        let bytes = tree.read(&path, MAX_FILE_BYTES)?;
        let expected = decode_labels(&path, &bytes).map_err(|_| Untested::NoLabels(path))?;
        let ready = Ready::load(&loaded.params, models)?;
        Ok(difference_of_labels(&expected, &rehearse(&ready)?.labels))
    };
    let why = compare().unwrap_or_else(|error| Some(error.to_string()))?;
    Some(format!("the network of `{name}`: {why}"))
}

/// A network cannot be tested.
#[derive(Debug, thiserror::Error)]
enum Untested {
    /// The release does not say what it should find.
    #[error("nobody says what it finds")]
    NothingExpected,
    /// The labels that it should find cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The file of the labels that it should find is no label image.
    #[error("`{0}` is no label image")]
    NoLabels(String),
    /// It is not to be had.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// It does not run.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Lets a staged release examine itself, and compares what it says with its manifest.
///
/// # Errors
/// `self-test` with what differs; what `pulse` says, after the program was ended.
pub(super) fn run(
    world: &World,
    release: &Release,
    pulse: &mut dyn FnMut() -> Result<(), Refused>,
) -> Result<Duration, Refused> {
    let start = Instant::now();
    world.root.faults().pass(Point::TestStart).map_err(io_refusal("the self test"))?;
    let folder = world.path.join("releases").join(release.id().to_string());
    let child = Command::new(folder.join(PROGRAM))
        .args(["agent", "self-test"])
        .arg(&folder)
        .env_clear()
        .current_dir(&world.path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            return Err(self_test_refusal(format!("its program cannot be started: {error}")));
        }
    };
    let out = gather(child.stdout.take());
    let err = gather(child.stderr.take());
    let mut output = Vec::new();
    let status = wait(&mut child, pulse, &mut || {
        // The end of its output ends this wait.
        match out.recv_timeout(LOOK) {
            Ok(all) => output = all,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(Duration::from_millis(1)),
        }
    })?;
    output.extend(out.recv().unwrap_or_default());
    let (out, err) = (output, err.recv().unwrap_or_default());
    let err = String::from_utf8_lossy(&err).into_owned();
    let err: String = err.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS).collect();
    if !status.success() {
        return Err(self_test_refusal(format!("its program ended with {status}: {err}")));
    }
    let report: SelfTest = serde_json::from_slice(&out).map_err(|error| {
        self_test_refusal(format!("its program's answer cannot be read: {error}"))
    })?;
    match difference(&report, release) {
        None => Ok(start.elapsed()),
        Some(difference) => Err(self_test_refusal(difference)),
    }
}

/// First finding of a program's report, or its first difference from the manifest.
fn difference(report: &SelfTest, release: &Release) -> Option<String> {
    if let Some(finding) = report.findings.first() {
        return Some(format!(
            "its profiles are not valid there: {}",
            crate::release::path::escape_for_display(finding)
        ));
    }
    if report.schema != SCHEMA {
        return Some("its program follows another schema".to_owned());
    }
    if report.engine_fingerprint != release.engine_fingerprint {
        return Some(format!(
            "its engine gives other numbers here: fingerprint {} instead of {}",
            report.engine_fingerprint.short(),
            release.engine_fingerprint.short()
        ));
    }
    for profile in &release.profiles {
        let found = report.profiles.iter().find(|one| one.name == profile.name);
        match found {
            None => return Some(format!("the profile `{}` is not found there", profile.name)),
            Some(found) if found.params_digest != profile.params_digest => {
                return Some(format!(
                    "the profile `{}` reads as {} instead of {}",
                    profile.name,
                    found.params_digest.short(),
                    profile.params_digest.short()
                ));
            }
            Some(found) if found.rehearsal_digest != profile.rehearsal_digest => {
                let display = |digest: Option<Digest>| {
                    digest.map_or_else(|| "nothing".to_owned(), |digest| digest.short())
                };
                return Some(format!(
                    "the profile `{}` gives other numbers there: {} instead of {}",
                    profile.name,
                    display(found.rehearsal_digest),
                    display(profile.rehearsal_digest)
                ));
            }
            Some(_) => {}
        }
    }
    None
}

fn wait(
    child: &mut Child,
    pulse: &mut dyn FnMut() -> Result<(), Refused>,
    pause: &mut dyn FnMut(),
) -> Result<ExitStatus, Refused> {
    let until = Instant::now() + MAX_TIME;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) => {}
            Err(error) => return Err(io_refusal("the self test")(error)),
        }
        let result = if until <= Instant::now() {
            Err(self_test_refusal(format!("it took longer than {} s", MAX_TIME.as_secs())))
        } else {
            pulse()
        };
        if let Err(refused) = result {
            // It may have ended by itself meanwhile.
            let _ = child.kill();
            let _ = child.wait();
            return Err(refused);
        }
        pause();
    }
}

/// Reads a stream to its end and gives what is within the bound, so that nobody waits for a reader.
fn gather(stream: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = sync_channel(1);
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            let result = stream.by_ref().take(MAX_SAID_BYTES).read_to_end(&mut bytes);
            let _ = result.and_then(|_| io::copy(&mut stream, &mut io::sink()));
        }
        // Who has ended the program does not ask for its words.
        let _ = sender.send(bytes);
    });
    receiver
}

fn self_test_refusal(what: String) -> Refused {
    let message = format!("the release does not pass its own test: {what}");
    let help = "nothing was switched; the release is kept in `quarantine` on the server";
    Box::new(refusal(RefusalCode::SelfTest, message, help))
}
