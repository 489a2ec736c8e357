//! Inputs: which files a command is given: files, folders and globs.

use super::failure::Failure;
use cellgate_inputs::finding::{Code, Finding};
use cellgate_inputs::params::{Loaded, of_text};
use cellgate_inputs::revision::git_folder;
use cellgate_inputs::source::Place;
use cellgate_inputs::yaml::{MAX_HAND_WRITTEN_BYTES, source_from_bytes};
use cellgate_run::cache::Cache;
use cellgate_run::files::read_up_to;
pub(crate) use cellgate_run::files::{ImageFile, read};
use globset::GlobBuilder;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// File endings of images.
const IMAGE_ENDINGS: [&str; 5] = ["png", "jpg", "jpeg", "tif", "tiff"];

/// Folder of kept results, beside git's own files.
pub(crate) const CACHE_FOLDER: &str = "cellgate-cache";

/// Most images that one command takes.
const MAX_IMAGES: usize = 1_000_000;

/// The images that paths, folders and globs name, sorted by name.
pub(crate) fn images(patterns: &[PathBuf]) -> Result<Vec<ImageFile>, Failure> {
    let mut paths = BTreeSet::new();
    for pattern in patterns {
        let found = match_pattern(pattern)?;
        if found.is_empty() {
            return Err(Failure::Nothing(format!("`{}` matches no image", pattern.display())));
        }
        paths.extend(found);
        if paths.len() > MAX_IMAGES {
            return Err(Failure::Usage(format!(
                "more than {MAX_IMAGES} images; give fewer at once"
            )));
        }
    }
    let mut files: Vec<ImageFile> = paths
        .into_iter()
        .map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            ImageFile { name, path }
        })
        .collect();
    files.sort();
    let twice = files.windows(2).find(|pair| pair[0].name == pair[1].name);
    if let Some([one, two]) = twice {
        return Err(Failure::Usage(format!(
            "`{}` and `{}` would both be written as field `{}`; run them into folders of their own",
            one.path.display(),
            two.path.display(),
            one.name
        )));
    }
    Ok(files)
}

fn match_pattern(pattern: &Path) -> Result<Vec<PathBuf>, Failure> {
    if pattern.is_file() {
        return Ok(vec![pattern.to_owned()]);
    }
    if pattern.is_dir() {
        return list_files(pattern, is_image);
    }
    let text = pattern.to_string_lossy();
    if !text.contains(['*', '?', '[', '{']) {
        let message = format!("`{text}` does not exist");
        let place = Place::file(text.as_ref());
        return Err(Failure::Findings(vec![Finding::error(Code::FileUnreadable, place, message)]));
    }
    let folder =
        pattern.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    if folder.to_string_lossy().contains(['*', '?', '[', '{']) {
        return Err(Failure::Usage(format!("`{text}`: only the last part may be a pattern")));
    }
    let name = pattern.file_name().unwrap_or_default().to_string_lossy();
    let glob = GlobBuilder::new(&name).literal_separator(true).build();
    let glob = glob.map_err(|error| Failure::Usage(error.to_string()))?.compile_matcher();
    list_files(folder, |path| is_image(path) && glob.is_match(path.file_name().unwrap_or_default()))
}

fn list_files(folder: &Path, accepts: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, Failure> {
    let to_failure =
        |error| Failure::tool(&format!("`{}` cannot be listed", folder.display()), &error);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(to_failure)? {
        let path = entry.map_err(to_failure)?.path();
        if path.is_file() && accepts(&path) {
            paths.push(path);
        }
    }
    Ok(paths)
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| IMAGE_ENDINGS.contains(&ending.as_str()))
}

/// Loads a profile from a file anywhere.
pub(crate) fn load_profile(path: &Path) -> Result<Loaded, Failure> {
    let to_failure = |finding| Failure::Findings(vec![finding]);
    let bytes = read_up_to(path, MAX_HAND_WRITTEN_BYTES).map_err(to_failure)?;
    let source = source_from_bytes(&path.to_string_lossy(), &bytes).map_err(to_failure)?;
    of_text(&source).map_err(Failure::Findings)
}

/// Results and weights that are kept: where `CELLGATE_CACHE` says, else beside git's own files of
/// the repository that a folder stands in.
pub(crate) fn open_cache(folder: &Path) -> Option<Cache> {
    let path = std::env::var_os("CELLGATE_CACHE").filter(|path| !path.is_empty());
    let usual = || Some(git_folder(folder).ok()?.join(CACHE_FOLDER));
    path.map(PathBuf::from).or_else(usual).map(Cache::new)
}
