//! Inputs: which files a command is given: files, folders and globs.

use super::failure::Failure;
use cellgate_core::units::PixelSize;
use cellgate_inputs::dataset::decode::MAX_FILE_BYTES;
use cellgate_inputs::finding::{Code, Finding};
use cellgate_inputs::params::{Loaded, of_text};
use cellgate_inputs::revision::git_folder;
use cellgate_inputs::source::Place;
use cellgate_inputs::yaml::{MAX_HAND_WRITTEN_BYTES, source_from_bytes};
use cellgate_run::cache::Cache;
use globset::GlobBuilder;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// File endings of images.
const IMAGE_ENDINGS: [&str; 5] = ["png", "jpg", "jpeg", "tif", "tiff"];

/// Folder of kept results, beside git's own files.
pub(crate) const CACHE_FOLDER: &str = "cellgate-cache";

/// Most images that one command takes.
const MAX_IMAGES: usize = 1_000_000;

/// An image file and the name of its field: the file's name without its ending.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ImageFile {
    /// Field name.
    pub(crate) name: String,
    /// Where it stands.
    pub(crate) path: PathBuf,
}

/// The images that paths, folders and globs name, sorted by name.
pub(crate) fn images(patterns: &[PathBuf]) -> Result<Vec<ImageFile>, Failure> {
    let mut paths = BTreeSet::new();
    for pattern in patterns {
        let found = matching(pattern)?;
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

fn matching(pattern: &Path) -> Result<Vec<PathBuf>, Failure> {
    if pattern.is_file() {
        return Ok(vec![pattern.to_owned()]);
    }
    if pattern.is_dir() {
        return listed(pattern, is_image);
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
    listed(folder, |path| is_image(path) && glob.is_match(path.file_name().unwrap_or_default()))
}

fn listed(folder: &Path, accepts: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::tool(&format!("`{}` cannot be listed", folder.display()), &error);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
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

/// Reads a file, bounded.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Finding> {
    read_up_to(path, MAX_FILE_BYTES)
}

fn read_up_to(path: &Path, max_bytes: u64) -> Result<Vec<u8>, Finding> {
    let shown = path.to_string_lossy();
    let failed = |error: std::io::Error| {
        let message = format!("`{shown}` cannot be read: {error}");
        Finding::error(Code::FileUnreadable, Place::file(shown.as_ref()), message)
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    // What the file says about its size only saves growing: it may say anything.
    let expected = file.metadata().map_or(0, |about| about.len().min(max_bytes));
    let mut bytes = Vec::new();
    let _ = bytes.try_reserve(expected as usize + 1);
    file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > max_bytes {
        let message = format!("`{shown}` has more than {max_bytes} bytes");
        return Err(Finding::error(Code::FileTooLarge, Place::file(shown.as_ref()), message));
    }
    Ok(bytes)
}

/// Loads a profile from a file anywhere.
pub(crate) fn profile(path: &Path) -> Result<Loaded, Failure> {
    let failed = |finding| Failure::Findings(vec![finding]);
    let bytes = read_up_to(path, MAX_HAND_WRITTEN_BYTES).map_err(failed)?;
    let source = source_from_bytes(&path.to_string_lossy(), &bytes).map_err(failed)?;
    of_text(&source).map_err(Failure::Findings)
}

/// Results and weights that are kept: where `CELLGATE_CACHE` says, else beside git's own files of
/// the repository that a folder stands in.
pub(crate) fn kept(folder: &Path) -> Option<Cache> {
    let named = std::env::var_os("CELLGATE_CACHE").filter(|named| !named.is_empty());
    let usual = || Some(git_folder(folder).ok()?.join(CACHE_FOLDER));
    named.map(PathBuf::from).or_else(usual).map(Cache::new)
}

/// Reads the value of `--pixel-size-um`.
pub(crate) fn pixel_size(text: &str) -> Result<PixelSize, String> {
    let (least, most) = PixelSize::RANGE_UM;
    let um = text.parse().ok().and_then(PixelSize::from_um);
    um.ok_or_else(|| format!("a pixel size in micrometers from {least} to {most} is needed"))
}
