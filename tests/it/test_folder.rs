//! A folder: a folder to run commands in, and phantoms and profiles to run them on.

use crate::repository::{Told, cellgate};
use cellgate_core::profile::Modality;
use cellgate_inputs::dataset::write_phantoms;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;

/// One phantom of each modality, for reading alone.
static PHANTOMS: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let all = [Modality::Fluorescence, Modality::He, Modality::IhcHdab];
    write_phantoms(&folder.path().join("phantoms"), &all, 1, 1).unwrap();
    folder
});

pub(crate) fn phantom(name: &str) -> String {
    let path = PHANTOMS.path().join(format!("phantoms/original/{name}.png"));
    path.to_str().unwrap().to_owned()
}

pub(crate) fn truth() -> String {
    PHANTOMS.path().join("phantoms/masks").to_str().unwrap().to_owned()
}

/// A profile that ships or that the demo writes.
pub(crate) fn profile(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join(path).to_str().unwrap().to_owned()
}

/// A folder to work in.
pub(crate) struct TestFolder {
    pub(crate) folder: TempDir,
}

impl TestFolder {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) -> String {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), content).unwrap();
        name.to_owned()
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Told {
        Told::of(cellgate(self.folder.path()).args(arguments).output().unwrap())
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

    /// Every file below the folder.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut folders = vec![self.folder.path().to_owned()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let below = path.strip_prefix(self.folder.path()).unwrap();
                    files.push(below.to_str().unwrap().to_owned());
                }
            }
        }
        files.sort();
        files
    }
}
