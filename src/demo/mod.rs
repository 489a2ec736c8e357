//! Demo: the whole path on the embedded phantoms, in a folder that the user may look into.
//!
//! Writes a small project, makes a harmless and a harmful change of its parameters and gates both,
//! as `cellgate gate` does it in a repository; `delivery` brings the harmless one to a server.

pub(crate) mod delivery;

use cellgate_deploy::Failure;
use cellgate_deploy::pack::PackError;
use cellgate_gate::verdict::{FailOn, Verdict};
use cellgate_gate::{Approvals, ApproveError, GateError, Outcome, Request, gate, write};
use cellgate_inputs::revision::Tree;
use cellgate_run::write::{WriteError, replace};
use std::path::{Path, PathBuf};

const PROJECT: &str = include_str!("cellgate.yaml");
const TOLERANCES: &str = include_str!("tolerances.yaml");
const PROFILES: [(&str, &str); 3] = [
    ("fluorescence", include_str!("fluorescence.yaml")),
    ("he", include_str!("he.yaml")),
    ("ihc-hdab", include_str!("ihc-hdab.yaml")),
];

/// One change of the demo and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    /// Kind of the change.
    pub title: &'static str,
    /// The change, as people would say it.
    pub change: String,
    /// The verdict it must get.
    pub expected: Verdict,
    /// Outcome of the gate.
    pub outcome: Outcome,
    /// Where the page lies.
    pub page: PathBuf,
}

/// The demo could not be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// A folder cannot be made.
    #[error("a temporary folder cannot be made")]
    Folder(#[from] std::io::Error),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The gate failed.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A change could not be approved.
    #[error(transparent)]
    Approve(#[from] Box<ApproveError>),
    /// A release could not be made.
    #[error(transparent)]
    Pack(#[from] Box<PackError>),
    /// A deploy, or the way back, did not end well.
    #[error(transparent)]
    Deploy(Failure),
    /// The repository cannot be made.
    #[error("git failed: {0}")]
    Git(String),
    /// A change that nobody approved was not refused.
    #[error("a change that nobody approved was not refused")]
    NotRefused,
}

/// A change of one line of one profile.
struct Edit {
    title: &'static str,
    folder: &'static str,
    profile: &'static str,
    from: &'static str,
    to: &'static str,
    expected: Verdict,
}

const EDITS: [Edit; 2] = [
    Edit {
        title: "A good change",
        folder: "good",
        profile: "fluorescence",
        from: "sigma_um: 0.50",
        to: "sigma_um: 0.52",
        expected: Verdict::Equivalent,
    },
    Edit {
        title: "A drifting change",
        folder: "drifting",
        profile: "ihc-hdab",
        from: "correction_factor: 1.00",
        to: "correction_factor: 1.40",
        expected: Verdict::Drifted,
    },
];

/// Makes a new folder that stays after the demo.
///
/// # Errors
/// [`DemoError::Folder`].
pub(crate) fn new_folder() -> Result<PathBuf, DemoError> {
    Ok(tempfile::Builder::new().prefix("cellgate-demo-").tempdir()?.keep())
}

/// Gates the good change and the drifting one, in a folder.
///
/// # Errors
/// [`DemoError`].
pub(crate) fn gate_changes(
    folder: &Path,
    progress: &(dyn Fn(usize, usize, &str) + Sync),
) -> Result<[Story; 2], DemoError> {
    write_project(&folder.join("base"), &[])?;
    let [good, drifting] = &EDITS;
    Ok([story(folder, good, progress)?, story(folder, drifting, progress)?])
}

fn story(
    folder: &Path,
    edit: &Edit,
    progress: &(dyn Fn(usize, usize, &str) + Sync),
) -> Result<Story, DemoError> {
    let head = folder.join(edit.folder);
    write_project(&head, &[edit])?;
    let outcome = run_gate(folder, &head, edit.folder, progress)?;
    let report = head.join("cellgate-report");
    write(&outcome, &report)?;
    Ok(Story {
        title: edit.title,
        change: format!("`{}` of `{}` becomes `{}`", edit.from, edit.profile, edit.to),
        expected: edit.expected,
        outcome,
        page: report.join("report.html"),
    })
}

/// Gates a head against the demo's base.
fn run_gate(
    folder: &Path,
    head: &Path,
    name: &str,
    progress: &(dyn Fn(usize, usize, &str) + Sync),
) -> Result<Outcome, GateError> {
    gate(&Request {
        base: Tree::Folder(folder.join("base")),
        base_name: "base".to_owned(),
        head: Tree::Folder(head.to_owned()),
        head_name: name.to_owned(),
        below: String::new(),
        cache: Some(cellgate_run::cache::Cache::new(folder.join("cache"))),
        approvals: Approvals::none(),
        fail_on: FailOn::Drifted,
        progress,
    })
}

fn write_project(folder: &Path, edits: &[&Edit]) -> Result<(), WriteError> {
    replace(&folder.join("cellgate.yaml"), PROJECT.as_bytes())?;
    replace(&folder.join("params/tolerances.yaml"), TOLERANCES.as_bytes())?;
    for (name, text) in PROFILES {
        let edits = edits.iter().filter(|edit| edit.profile == name);
        let text = edits.fold(text.to_owned(), |text, edit| text.replace(edit.from, edit.to));
        replace(&folder.join(format!("params/{name}.yaml")), text.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edit_changes_exactly_one_line() {
        for edit in &EDITS {
            let (_, text) = PROFILES.iter().find(|(name, _)| *name == edit.profile).unwrap();
            assert_eq!(text.matches(edit.from).count(), 1, "{}", edit.from);
        }
    }
}
