//! Pictures: a few PNG files on a branch of the repository, for the comment to show.
//!
//! Only when somebody asks for it: they need `contents: write`, stay in the history, and whoever
//! may read the repository may see them. Each is named by its content and linked by its commit, so
//! that a link never changes what it shows.

use super::client::Client;
use super::error::GitHubError;
use super::pace::backoff;
use cellgate_core::digest::Digest;
use std::path::{Path, PathBuf};

/// Pictures that are shown.
pub const MAX_PICTURES: usize = 8;

/// Bytes of one picture.
pub const MAX_BYTES: u64 = 2 << 20;

/// How often a branch that others move is tried again.
const N_ROUNDS: u32 = 4;

/// A picture for a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Caption, of plain letters alone.
    pub label: String,
    /// The PNG file.
    pub png: Vec<u8>,
}

/// A picture that can be linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// Its caption.
    pub label: String,
    /// Where it lies.
    pub address: String,
}

/// Pictures cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// A file cannot be read.
    #[error("the picture `{}` cannot be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Error of the system.
        source: std::io::Error,
    },
    /// A file is not a picture that is shown.
    #[error("`{}` is not a PNG file of at most {MAX_BYTES} bytes", .0.display())]
    NotPng(PathBuf),
}

/// Takes the first pictures of a folder, by name; other files are passed over.
///
/// # Errors
/// [`PictureError`].
pub fn read(folder: &Path) -> Result<Vec<Picture>, PictureError> {
    let to_error = |path: &Path, source| PictureError::Unreadable { path: path.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(|source| to_error(folder, source))?;
    let is_png = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "png");
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let paths: Result<Vec<PathBuf>, _> = paths.collect();
    let mut paths = paths.map_err(|source| to_error(folder, source))?;
    paths.retain(is_png);
    paths.sort();
    let mut pictures = Vec::new();
    for path in paths.into_iter().take(MAX_PICTURES) {
        let size = std::fs::metadata(&path).map_err(|source| to_error(&path, source))?.len();
        if size > MAX_BYTES {
            return Err(PictureError::NotPng(path));
        }
        let png = std::fs::read(&path).map_err(|source| to_error(&path, source))?;
        if !png.starts_with(b"\x89PNG\r\n\x1a\n") {
            return Err(PictureError::NotPng(path));
        }
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        pictures.push(Picture { label: plain_label(&stem.unwrap_or_default()), png });
    }
    Ok(pictures)
}

/// Letters that are nothing but letters in a link.
fn plain_label(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-. ".contains(c);
    text.chars().map(|c| if is_plain(c) { c } else { '-' }).take(80).collect()
}

/// Puts pictures on a branch and gives their links; `server` is where people see the repository.
///
/// # Errors
/// [`GitHubError`].
pub async fn push(
    client: &Client,
    branch: &str,
    server: &str,
    pictures: &[Picture],
) -> Result<Vec<Linked>, GitHubError> {
    if pictures.is_empty() {
        return Ok(Vec::new());
    }
    let name = |picture: &Picture| format!("{}.png", Digest::of_bytes(&picture.png));
    let files: Vec<_> =
        pictures.iter().map(|picture| (name(picture), picture.png.clone())).collect();
    let mut round = 0;
    let commit = loop {
        let tip = client.branch(branch).await?;
        let message = "Pictures of a report";
        match client.commit_on(tip.as_deref(), branch, message, &files).await {
            Err(GitHubError::Moved { .. }) if round + 1 < N_ROUNDS => {
                client.wait(backoff(round)).await;
                round += 1;
            }
            result => break result?,
        }
    };
    let repository = client.repository();
    let folder = match server.trim_end_matches('/') {
        "https://github.com" => format!("https://raw.githubusercontent.com/{repository}/{commit}"),
        server => format!("{server}/{repository}/raw/{commit}"),
    };
    let link = |picture: &Picture| Linked {
        label: picture.label.clone(),
        address: format!("{folder}/{}", name(picture)),
    };
    Ok(pictures.iter().map(link).collect())
}

/// The pictures as Markdown; nothing where there are none.
#[must_use]
pub fn render_markdown(pictures: &[Linked]) -> String {
    let picture = |link: &Linked| format!("\n\n![{}]({})", link.label, link.address);
    pictures.iter().map(picture).collect()
}
