//! Stage: a release is built beside the active one, out of blobs that were read back.
//!
//! Files are further names of the blobs; nothing is copied. The release's folder gets its name only
//! when everything in it is on the disk, so that a name in `releases` stands for a whole release.

use super::disk::{self, Pulse, blob_folder, blob_name};
use super::fault::Point;
use super::folder::Folder;
use super::quarantine;
use super::receive;
use super::refuse::{Refused, failed, refusal};
use super::world::World;
use crate::digest::Digest;
use crate::release::{Mode, Release};
use crate::wire::{Missing, RefusalCode};
use rustix::fs::FileType;
use std::collections::BTreeSet;
use std::io;

/// Reads back every blob of a release; gives what is to be sent again.
///
/// # Errors
/// `incomplete` when a blob was never sent, `failed`, and what `pulse` says.
pub(super) fn verify(
    world: &World,
    release: &Release,
    pulse: Pulse<'_>,
) -> Result<Vec<Missing>, Refused> {
    let mut damaged = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for file in release.files.iter().filter(|file| seen.insert((file.sha256, file.mode))) {
        let holds = match kept(world, file.sha256, file.mode, pulse)? {
            Some(holds) => holds,
            None => arrive(world, file.sha256, file.mode, pulse)?,
        };
        if !holds {
            damaged.insert(file.sha256);
        }
    }
    let missing = receive::missing(world, release)?;
    Ok(missing.into_iter().filter(|one| damaged.contains(&one.sha256)).collect())
}

/// Whether a kept blob holds; `None` when it is not there. One that does not hold is put aside.
fn kept(
    world: &World,
    sha256: Digest,
    mode: Mode,
    pulse: Pulse<'_>,
) -> Result<Option<bool>, Refused> {
    let name = blob_name(sha256, mode);
    let io = failed("a blob");
    let folder = blob_folder(world, sha256).map_err(io)?;
    let Some(found) = folder.find(&name).map_err(failed("a blob"))? else { return Ok(None) };
    let is_plain = found.kind == FileType::RegularFile
        && found.mode & 0o7777 == mode.bits()
        && found.uid == rustix::process::geteuid().as_raw();
    let holds = is_plain
        && match folder.open(&name) {
            Ok(file) => disk::digest(&file, pulse)?.is_ok_and(|told| told == sha256),
            Err(_) => false,
        };
    if !holds {
        let reason = "the blob's bytes, mode or owner are not what they should be";
        quarantine::put(world, &folder, &name, reason).map_err(failed("a blob"))?;
    }
    Ok(Some(holds))
}

/// Takes an arrived blob to the kept ones.
fn arrive(world: &World, sha256: Digest, mode: Mode, pulse: Pulse<'_>) -> Result<bool, Refused> {
    match receive::keep(world, sha256, mode, pulse) {
        Err(refused) if refused.code == RefusalCode::Failed && !has_arrived(world, sha256) => {
            let message = format!("blob {} was never sent", sha256.short());
            Err(refusal(RefusalCode::Incomplete, message, "send what the plan misses, then stage")
                .into())
        }
        told => told,
    }
}

fn has_arrived(world: &World, sha256: Digest) -> bool {
    let found = world.folder("incoming").and_then(|folder| folder.find(&sha256.to_string()));
    matches!(found, Ok(Some(_)))
}

/// Builds the release's folder under a name that nobody takes for a release.
///
/// # Errors
/// `failed`.
pub(super) fn build(world: &World, release: &Release) -> Result<(), Refused> {
    build_unchecked(world, release).map_err(failed("the release's folder"))
}

fn build_unchecked(world: &World, release: &Release) -> io::Result<()> {
    let releases = world.folder("releases")?;
    let name = beside(release.id());
    releases.remove_tree(Point::StageClean, &name)?;
    let root = releases.ensure(Point::StageFolder, &name)?;
    let mut folders = BTreeSet::new();
    for file in &release.files {
        let mut names: Vec<&str> = file.path.split('/').collect();
        let last = names.pop().unwrap_or_default();
        let mut here = root.walk([])?;
        for depth in 0..names.len() {
            here = here.ensure(Point::StageFolder, names[depth])?;
            folders.insert(names[..=depth].to_vec());
        }
        let blobs = blob_folder(world, file.sha256)?;
        blobs.link(Point::StageLink, &blob_name(file.sha256, file.mode), &here, last)?;
    }
    // The innermost first: a folder is on the disk before the one that names it.
    for names in folders.iter().rev() {
        finish(&root.walk(names.iter().copied())?)?;
    }
    finish(&root)?;
    releases.sync(Point::StageSync)
}

fn finish(folder: &Folder) -> io::Result<()> {
    folder.sync(Point::StageSync)?;
    folder.permit(0o555)
}

/// Gives the folder that was built the release's name; a damaged release of that name is put aside.
///
/// # Errors
/// `failed`.
pub(super) fn name(world: &World, release: &Release) -> Result<(), Refused> {
    name_unchecked(world, release).map_err(failed("the release's folder"))
}

fn name_unchecked(world: &World, release: &Release) -> io::Result<()> {
    let releases = world.folder("releases")?;
    let (beside, name) = (beside(release.id()), release.id().to_string());
    if releases.find(&name)?.is_none() {
        releases.rename(Point::StageMove, &beside, &releases, &name)?;
    } else {
        // It may be the active one: there is no moment without a release of that name.
        releases.exchange(Point::StageMove, &beside, &name)?;
        if let Ok(folder) = releases.folder(&beside) {
            folder.permit(0o755)?;
        }
        quarantine::put(world, &releases, &beside, "the release was damaged and is built anew")?;
    }
    releases.sync(Point::StageMoveSync)
}

/// Removes what an earlier attempt left behind.
///
/// # Errors
/// `failed`.
pub(super) fn clean(world: &World) -> Result<(), Refused> {
    let cleaned = || -> io::Result<()> {
        let releases = world.folder("releases")?;
        for (name, _) in releases.list()?.iter().filter(|(name, _)| name.starts_with('.')) {
            releases.remove_tree(Point::StageClean, name)?;
        }
        Ok(())
    };
    cleaned().map_err(failed("what an earlier deploy left"))
}

/// Whether there is something half built, by a deploy that is at work or by one that was.
pub(super) fn has_left(world: &World) -> bool {
    let listed = world.folder("releases").and_then(|releases| releases.list());
    listed.is_ok_and(|names| names.iter().any(|(name, _)| name.starts_with('.')))
}

fn beside(id: Digest) -> String {
    format!(".{id}.tmp")
}
