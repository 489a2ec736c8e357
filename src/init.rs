//! Init: the files of a new project: project file, profiles, tolerances, callers of the workflows.
//!
//! Takes the profiles that are wanted, gives files by path; writes them, never over a file that is
//! there. What it makes is valid and passes its own gate.

use cellgate_core::profile::Modality;
use cellgate_inputs::dataset::store::{StoreError, write_new};
use cellgate_inputs::project::FILE;
use std::path::{Path, PathBuf};

/// A profile that ships.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shipped {
    /// Its name.
    pub name: &'static str,
    /// Modality that it is for.
    pub modality: Modality,
    image_type: &'static str,
    /// Lowest F1 on the embedded phantoms.
    floor: &'static str,
    text: &'static str,
}

/// Every profile that ships.
pub(crate) const SHIPPED: [Shipped; 5] = [
    Shipped {
        name: "bbbc039",
        modality: Modality::Fluorescence,
        image_type: "fluorescence",
        floor: "0.75",
        text: include_str!("../params/bbbc039.yaml"),
    },
    Shipped {
        name: "dapi-culture",
        modality: Modality::Fluorescence,
        image_type: "fluorescence",
        floor: "0.83",
        text: include_str!("../params/dapi-culture.yaml"),
    },
    Shipped {
        name: "dapi-tissue",
        modality: Modality::Fluorescence,
        image_type: "fluorescence",
        floor: "0.68",
        text: include_str!("../params/dapi-tissue.yaml"),
    },
    Shipped {
        name: "he-tissue",
        modality: Modality::He,
        image_type: "he",
        floor: "0.69",
        text: include_str!("../params/he-tissue.yaml"),
    },
    Shipped {
        name: "ihc-hdab",
        modality: Modality::IhcHdab,
        image_type: "ihc-hdab",
        floor: "0.73",
        text: include_str!("../params/ihc-hdab.yaml"),
    },
];

/// Files beside the profiles.
const BESIDE: [(&str, &str); 3] = [
    ("params/tolerances.yaml", include_str!("../params/tolerances.yaml")),
    ("params/README.md", include_str!("../params/README.md")),
    ("params/profile.schema.json", include_str!("../params/profile.schema.json")),
];

/// A caller of a workflow, and which projects get it.
struct Caller {
    name: &'static str,
    applies: fn(&Wishes) -> bool,
    text: &'static str,
}

/// Tasks of a project besides gating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// Whether it deploys to a server.
    pub deploys: bool,
    /// Whether it trains networks.
    pub trains: bool,
}

/// Callers of the workflows, which GitHub reads at the top of a repository alone.
const CALLERS: [Caller; 6] = [
    Caller { name: "gate", applies: |_| true, text: include_str!("../workflows/gate.yml") },
    Caller { name: "comment", applies: |_| true, text: include_str!("../workflows/comment.yml") },
    Caller { name: "approve", applies: |_| true, text: include_str!("../workflows/approve.yml") },
    Caller {
        name: "deploy",
        applies: |wishes| wishes.deploys,
        text: include_str!("../workflows/deploy.yml"),
    },
    Caller {
        name: "monitor",
        applies: |wishes| wishes.deploys,
        text: include_str!("../workflows/monitor.yml"),
    },
    Caller {
        name: "train",
        applies: |wishes| wishes.trains,
        text: include_str!("../workflows/train.yml"),
    },
];

/// A file to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewFile {
    /// Path below the project's folder, or below the repository's top.
    pub path: String,
    /// Its content.
    pub text: String,
    /// Whether it stands at the top of the repository, wherever the project does.
    pub is_at_top: bool,
}

/// The files of a project with these profiles.
#[must_use]
pub(crate) fn files(profiles: &[Shipped], wishes: Wishes) -> Vec<NewFile> {
    let own = |path: String, text: String| NewFile { path, text, is_at_top: false };
    let mut files = vec![own(FILE.to_owned(), project(profiles, wishes.deploys))];
    let profile = |one: &Shipped| own(format!("params/{}.yaml", one.name), one.text.to_owned());
    files.extend(profiles.iter().map(profile));
    files.extend(BESIDE.map(|(path, text)| own(path.to_owned(), text.to_owned())));
    let callers = CALLERS.iter().filter(|caller| (caller.applies)(&wishes));
    files.extend(callers.map(|caller| NewFile {
        path: format!(".github/workflows/{}.yml", caller.name),
        text: caller.text.to_owned(),
        is_at_top: true,
    }));
    files
}

/// Writes files that are not there yet; gives each path and whether it was written.
///
/// # Errors
/// [`StoreError::Io`] for the first file that cannot be written; those before it are there.
pub(crate) fn write(
    files: &[NewFile],
    project: &Path,
    top: &Path,
    is_dry_run: bool,
) -> Result<Vec<(PathBuf, bool)>, StoreError> {
    let place = |file: &NewFile| if file.is_at_top { top } else { project }.join(&file.path);
    let one = |file: &NewFile| {
        let path = place(file);
        // A link that leads nowhere is something, too.
        if std::fs::symlink_metadata(&path).is_ok() {
            return Ok((path, false));
        }
        if is_dry_run {
            return Ok((path, true));
        }
        match write_new(&path, file.text.as_bytes()) {
            Ok(()) => Ok((path, true)),
            Err(StoreError::Exists(_)) => Ok((path, false)),
            Err(error) => Err(error),
        }
    };
    files.iter().map(one).collect()
}

/// `cellgate.yaml` of a new project.
fn project(profiles: &[Shipped], deploys: bool) -> String {
    let gate: String = profiles
        .iter()
        .map(|one| {
            let (name, kind) = (one.name, one.image_type);
            format!("  - {{profile: {name}, dataset: phantoms, image_type: {kind}}}\n")
        })
        .collect();
    let floors: String = profiles
        .iter()
        .map(|one| format!("  {}: {{f1_at_50: {}}}\n", one.name, one.floor))
        .collect();
    let target = if deploys { TARGET } else { "" };
    format!("{HEAD}{gate}{BEFORE_FLOORS}{floors}{APPROVAL}{target}")
}

const HEAD: &str = "\
# What is gated, on what, and how strictly. `cellgate validate` checks this file.
schema: cellgate/project/v1
params: params
tolerances: params/tolerances.yaml
# Drawn nuclei, to begin with. Images of your own say more: `cellgate dataset prepare` brings them
# into a folder, which stands here as `nuclei: datasets/nuclei`.
datasets:
  phantoms: {builtin: phantoms}
gate:
";

const BEFORE_FLOORS: &str = "\
# Agreement with truth that no change may fall below, approved or not.
accuracy_floors:
";

const APPROVAL: &str = "\
# Who may approve a drift: people who may write to the repository, the author among them.
approval: {permission: write, allow_author: true, count: 1}
";

const TARGET: &str = "\
# Where releases go. Secrets never stand here, only the names that workflows give them.
targets:
  production:
    hosts: [{env: SSH_HOST}]
    user: {env: SSH_USERNAME}
    key: {env: SSH_KEY}
    passphrase: {env: SERVER_PASSPHRASE}
    known_hosts: {env: SSH_KNOWN_HOSTS}
    path: /srv/cellgate
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_project_gates_what_this_repository_gates_but_its_network() {
        let (own, new) = (include_str!("../cellgate.yaml"), project(&SHIPPED, false));
        for line in own.lines().filter(|line| line.contains('{') && !line.contains("unet-")) {
            assert!(new.contains(line), "{line}");
        }
    }

    #[test]
    fn every_shipped_profile_is_of_its_modality() {
        for one in SHIPPED {
            let source =
                cellgate_inputs::source::Source::new(format!("{}.yaml", one.name), one.text);
            let loaded = cellgate_inputs::params::of_text(&source).unwrap();
            assert_eq!(
                (&*loaded.params.name, loaded.params.image.modality),
                (one.name, one.modality)
            );
        }
    }
}
