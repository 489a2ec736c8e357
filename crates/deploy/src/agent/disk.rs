//! Disk: names of the layout, and whether what is there is what it should be.
//!
//! Blobs are named by their digest, programs with an `.x` behind it, since a file's permissions
//! belong to its bytes on disk and not to its name.

use super::fault::Point;
use super::folder::Folder;
use super::refuse::{Refused, io_refusal, refusal};
use super::world::World;
use crate::release::{MAX_MANIFEST_BYTES, Mode, Release, ReleasedFile};
use crate::wire::{Damage, RefusalCode};
use cellgate_core::digest::{Digest, Hasher};
use rustix::fs::FileType;
use std::fs::File;
use std::io::{self, Read as _};

/// The pointer to the active release.
pub(super) const CURRENT: &str = "current";
/// The pointer to the release that was active before.
pub(super) const PREVIOUS: &str = "previous";
/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// Called while bytes are read: how many, since the last call. An error ends the reading.
pub(super) type Pulse<'a> = &'a mut dyn FnMut(u64) -> Result<(), Refused>;

/// A pulse that lets everything go on.
///
/// # Errors
/// Never.
pub(super) fn noop_pulse(_: u64) -> Result<(), Refused> {
    Ok(())
}

/// The name of a blob.
#[must_use]
pub(super) fn blob_name(sha256: Digest, mode: Mode) -> String {
    match mode {
        Mode::Data => sha256.to_string(),
        Mode::Program => format!("{sha256}.x"),
    }
}

/// The folder of all folders of blobs.
///
/// # Errors
/// Error of the system.
pub(super) fn blob_folders(world: &World) -> io::Result<Folder> {
    world.root.walk(["blobs", "sha256"])
}

/// The folder of a blob, made where it is missing; to the disk it comes with [`blob_folders`].
///
/// # Errors
/// Error of the system.
pub(super) fn blob_folder(world: &World, sha256: Digest) -> io::Result<Folder> {
    let (folder, _) = blob_folders(world)?.make(Point::FolderMake, &sha256.to_string()[..2])?;
    Ok(folder)
}

/// Which release a pointer points to.
///
/// # Errors
/// Error of the system.
pub(super) fn read_pointer(world: &World, pointer: &str) -> io::Result<Pointed> {
    let target = match world.root.target(pointer) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            return Ok(Pointed::Elsewhere("no link".to_owned()));
        }
        target => target?,
    };
    let Some(target) = target else { return Ok(Pointed::Nowhere) };
    let id = target.strip_prefix("releases/").and_then(|id| id.parse().ok());
    Ok(id.map_or(Pointed::Elsewhere(target), Pointed::Release))
}

/// Target of a pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pointed {
    /// There is no pointer.
    Nowhere,
    /// A release.
    Release(Digest),
    /// Something that the agent did not put there.
    Elsewhere(String),
}

impl Pointed {
    /// The release, if it is one.
    #[must_use]
    pub(super) fn release(&self) -> Option<Digest> {
        match self {
            Self::Release(id) => Some(*id),
            Self::Nowhere | Self::Elsewhere(_) => None,
        }
    }
}

/// The manifest of a release that is kept here.
///
/// # Errors
/// `unknown` when there is none, `incomplete` when it is damaged.
pub(super) fn manifest(world: &World, id: Digest) -> Result<Release, Refused> {
    let folder = world.folder("manifests").map_err(io_refusal("the manifests"))?;
    let name = format!("{id}.json");
    let bytes = folder.read(&name, MAX_MANIFEST_BYTES).map_err(io_refusal("a manifest"))?;
    let Some(bytes) = bytes else {
        let message = format!("there is no release {} here", id.short());
        return Err(refusal(
            RefusalCode::Unknown,
            message,
            "`cellgate status` names those there are",
        )
        .into());
    };
    let release = Release::parse(&bytes).ok().filter(|release| release.id() == id);
    release.ok_or_else(|| {
        let message = format!("the manifest of release {} is damaged", id.short());
        refusal(RefusalCode::Incomplete, message, "deploy the release again").into()
    })
}

/// Everything in a release that is not what its manifest says; empty when it holds.
///
/// # Errors
/// Error of `pulse`; an error of the system counts as a [`Damage`].
pub(super) fn damages(
    world: &World,
    release: &Release,
    pulse: Pulse<'_>,
) -> Result<Vec<Damage>, Refused> {
    let id = release.id().to_string();
    let mut damages = Vec::new();
    let root = match world.root.walk(["releases", &id]) {
        Ok(root) => root,
        Err(error) => {
            let path = format!("releases/{id}");
            return Ok(vec![Damage { path, what: error.to_string() }]);
        }
    };
    for file in &release.files {
        let what = file_damage(&root, file, pulse)?;
        damages.extend(what.map(|what| Damage { path: file.path.clone(), what }));
    }
    let unexpected = unexpected_files(&root, release, "", 0)
        .unwrap_or_else(|error| vec![Damage { path: String::new(), what: error.to_string() }]);
    damages.extend(unexpected);
    Ok(damages)
}

fn file_damage(
    root: &Folder,
    file: &ReleasedFile,
    pulse: Pulse<'_>,
) -> Result<Option<String>, Refused> {
    let mut names: Vec<&str> = file.path.split('/').collect();
    let name = names.pop().unwrap_or_default();
    let result = root.walk(names).and_then(|folder| {
        let found = folder.find(name)?;
        Ok((folder.open(name)?, found))
    });
    let (handle, found) = match result {
        Ok(pair) => pair,
        Err(error) => return Ok(Some(error.to_string())),
    };
    let Some(found) = found else { return Ok(Some("is missing".to_owned())) };
    if found.size != file.size {
        return Ok(Some(format!("has {} bytes instead of {}", found.size, file.size)));
    }
    if found.mode & 0o777 != file.mode.bits() {
        return Ok(Some(format!(
            "has the mode {:o} instead of {:o}",
            found.mode,
            file.mode.bits()
        )));
    }
    Ok(match digest(&handle, pulse)? {
        Ok(sha256) if sha256 == file.sha256 => None,
        Ok(_) => Some("has other bytes than its digest says".to_owned()),
        Err(error) => Some(error.to_string()),
    })
}

/// Files in a release that its manifest does not name.
fn unexpected_files(
    folder: &Folder,
    release: &Release,
    below: &str,
    depth: usize,
) -> io::Result<Vec<Damage>> {
    let mut damages = Vec::new();
    for (name, kind) in folder.list()? {
        let path = format!("{below}{name}");
        if kind == FileType::Directory && depth < 16 {
            let inner = folder.folder(&name)?;
            damages.extend(unexpected_files(&inner, release, &format!("{path}/"), depth + 1)?);
        } else if release.file(&path).is_none() {
            damages.push(Damage { path, what: "is not part of the release".to_owned() });
        }
    }
    Ok(damages)
}

/// The digest of an open file, read from its beginning.
///
/// # Errors
/// Error of `pulse`; the inner result has the error of the system.
pub(super) fn digest(mut file: &File, pulse: Pulse<'_>) -> Result<io::Result<Digest>, Refused> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Ok(hasher.finish())),
            Ok(n) => {
                hasher.update(&buffer[..n]);
                pulse(n as u64)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ok(Err(error)),
        }
    }
}
