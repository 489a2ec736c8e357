//! Path: which names a release's files may have.
//!
//! Takes texts of a manifest, gives what is wrong with each. Names are plain ASCII, so that no two
//! of them look alike, fold into one another, or mean something else on another file system. Never
//! touches a disk.

use std::collections::BTreeMap;

/// Longest path, in bytes.
pub const MAX_PATH_BYTES: usize = 255;
/// Most folders in a path, the file among them.
const MAX_PARTS: usize = 8;
/// Names that Windows gives to devices, whatever their ending.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// Fault of a path, and the path in a form that may be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{shown}` {fault}")]
pub struct PathError {
    /// The path with everything but printable ASCII escaped, at most 80 characters.
    pub shown: String,
    /// The fault.
    pub fault: PathFault,
}

/// Fault of a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// Nothing is there.
    #[error("is empty")]
    Empty,
    /// More than [`MAX_PATH_BYTES`].
    #[error("is longer than {MAX_PATH_BYTES} bytes")]
    TooLong,
    /// Too many folders.
    #[error("is deeper than {MAX_PARTS} folders")]
    TooDeep,
    /// Begins with `/`.
    #[error("is absolute; paths are relative to the release")]
    Absolute,
    /// Has `.`, `..` or an empty part.
    #[error("has a part that is empty, `.` or `..`")]
    Dots,
    /// A part begins with a hyphen, which programs read as an option, or with a dot.
    #[error("has a part that begins with a hyphen or a dot")]
    Beginning,
    /// A part ends with a dot, which some file systems drop.
    #[error("has a part that ends with a dot")]
    Ending,
    /// Something else than letters, digits, `.`, `_` and `-`.
    #[error("has a character other than ASCII letters, digits, `.`, `_`, `-` and `/`")]
    Character,
    /// A device of Windows.
    #[error("has the name of a device")]
    Device,
    /// Two paths that some file systems take for one.
    #[error("is the same as `{0}` where case does not count")]
    Twin(String),
    /// A file and a folder of one name.
    #[error("is a file and also a folder of `{0}`")]
    FileAndFolder(String),
    /// Not in one of the folders of a release.
    #[error("is outside the folders of a release; see `release::FOLDERS`")]
    Unexpected,
}

/// Checks one path.
///
/// # Errors
/// [`PathError`] with the first fault.
pub fn check(path: &str) -> Result<(), PathError> {
    match fault(path) {
        None => Ok(()),
        Some(fault) => Err(PathError { shown: escape_for_display(path), fault }),
    }
}

/// Checks all paths of a release, each alone and against the others.
#[must_use]
pub fn check_all<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<PathError> {
    let mut errors = Vec::new();
    let mut folded: BTreeMap<String, &str> = BTreeMap::new();
    for path in paths {
        if let Err(error) = check(path) {
            errors.push(error);
        } else if let Some(twin) = folded.insert(path.to_ascii_lowercase(), path) {
            let fault = PathFault::Twin(escape_for_display(twin));
            errors.push(PathError { shown: escape_for_display(path), fault });
        }
    }
    for (path, original) in &folded {
        let parents = path.match_indices('/').map(|(at, _)| &path[..at]);
        for parent in parents {
            if let Some(file) = folded.get(parent) {
                let fault = PathFault::FileAndFolder(escape_for_display(original));
                errors.push(PathError { shown: escape_for_display(file), fault });
            }
        }
    }
    errors
}

/// The text with everything but printable ASCII escaped, at most 80 characters.
#[must_use]
pub fn escape_for_display(text: &str) -> String {
    let mut escaped: String = text
        .chars()
        .take(81)
        .map(|letter| match letter {
            ' '..='~' if letter != '`' => letter.to_string(),
            _ => letter.escape_unicode().to_string(),
        })
        .collect();
    if 80 < escaped.len() {
        escaped.truncate(79);
        escaped.push('…');
    }
    escaped
}

fn fault(path: &str) -> Option<PathFault> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-/".contains(letter);
    let parts = || path.split('/');
    if path.is_empty() {
        Some(PathFault::Empty)
    } else if MAX_PATH_BYTES < path.len() {
        Some(PathFault::TooLong)
    } else if path.starts_with('/') {
        Some(PathFault::Absolute)
    } else if parts().any(|part| ["", ".", ".."].contains(&part)) {
        Some(PathFault::Dots)
    } else if !path.chars().all(is_plain) {
        Some(PathFault::Character)
    } else if parts().any(|part| part.starts_with(['-', '.'])) {
        Some(PathFault::Beginning)
    } else if parts().any(|part| part.ends_with('.')) {
        Some(PathFault::Ending)
    } else if MAX_PARTS < parts().count() {
        Some(PathFault::TooDeep)
    } else if parts().any(is_device) {
        Some(PathFault::Device)
    } else {
        None
    }
}

/// Whether a part is `nul`, `com1.txt` or the like.
fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part).to_ascii_lowercase();
    let is_numbered = |word: &str| {
        stem.strip_prefix(word).is_some_and(|rest| rest.len() == 1 && rest != "0")
            && stem.ends_with(|last: char| last.is_ascii_digit())
    };
    DEVICES.contains(&&*stem) || is_numbered("com") || is_numbered("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_refused(path: &str, fault: PathFault, display: &str) {
        let error = check(path).unwrap_err();
        assert_eq!((error.fault, &*error.shown), (fault, display));
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused_with_their_name() {
        assert_refused("", PathFault::Empty, "");
        assert_refused("/etc/passwd", PathFault::Absolute, "/etc/passwd");
        assert_refused("params/../../x", PathFault::Dots, "params/../../x");
        assert_refused("params//x", PathFault::Dots, "params//x");
        assert_refused("./params", PathFault::Dots, "./params");
        assert_refused("params/-rf", PathFault::Beginning, "params/-rf");
        assert_refused("-rf", PathFault::Beginning, "-rf");
        assert_refused("params/.x", PathFault::Beginning, "params/.x");
        assert_refused("params/a\0b", PathFault::Character, "params/a\\u{0}b");
        assert_refused("params/a\nb", PathFault::Character, "params/a\\u{a}b");
        assert_refused("params\\a", PathFault::Character, "params\\a");
        assert_refused("params/\u{202e}lmay.x", PathFault::Character, "params/\\u{202e}lmay.x");
        assert_refused("params/e\u{301}.yaml", PathFault::Character, "params/e\\u{301}.yaml");
        assert_refused("params/\u{e9}.yaml", PathFault::Character, "params/\\u{e9}.yaml");
        assert_refused("params/nul.yaml", PathFault::Device, "params/nul.yaml");
        assert_refused("params/COM1", PathFault::Device, "params/COM1");
        assert_refused("params/x.", PathFault::Ending, "params/x.");
        assert_refused("a/a/a/a/a/a/a/a/b", PathFault::TooDeep, "a/a/a/a/a/a/a/a/b");
        let long = "a".repeat(256);
        assert_refused(&long, PathFault::TooLong, &format!("{}…", "a".repeat(79)));
    }

    #[test]
    fn plain_paths_pass() {
        for path in ["bin/cellgate", "params/ihc-hdab.yaml", "weights/unet_v1.2.bin", "com/nulls"] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn twins_and_files_that_are_folders_are_refused() {
        let errors = check_all(["params/A.yaml", "params/a.yaml", "bin", "bin/cellgate"]);
        let faults: Vec<PathFault> = errors.into_iter().map(|error| error.fault).collect();
        let twin = PathFault::Twin("params/A.yaml".to_owned());
        assert_eq!(faults, [twin, PathFault::FileAndFolder("bin/cellgate".to_owned())]);
    }
}
