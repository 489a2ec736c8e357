//! Stage: a release is built beside the active one, out of blobs that were read back.
//!
//! Files are further names of the blobs; nothing is copied. The release's folder gets its name only
//! when everything in it is on the disk, so that a name in `releases` stands for a whole release.

use super::disk::{self, Pulse, blob_folder, blob_name};
use super::durable;
use super::fault::Point;
use super::folder::{Folder, Found};
use super::quarantine;
use super::reading;
use super::receive;
use super::refuse::{Refused, io_refusal};
use super::world::World;
use crate::release::{Mode, Release};
use crate::wire::Missing;
use cellgate_core::digest::Digest;
use rustix::fs::FileType;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;

/// Blobs that are read back at a time, each with two open files; folders that are synced at a time.
const N_AT_ONCE: usize = 128;

/// Reads back every blob of a release; gives what is to be sent again. The release's manifest and all
/// its blobs are on the disk then, with their names.
///
/// # Errors
/// `incomplete` when a blob was never sent, `failed`, and what `pulse` says.
pub(super) fn verify(
    world: &World,
    release: &Release,
    pulse: Pulse<'_>,
) -> Result<Vec<Missing>, Refused> {
    let all: BTreeSet<(Digest, Mode)> =
        release.files.iter().map(|file| (file.sha256, file.mode)).collect();
    let all: Vec<(Digest, Mode)> = all.into_iter().collect();
    let mut damaged = BTreeSet::new();
    for some in all.chunks(N_AT_ONCE) {
        damaged.extend(verify_batch(world, some, pulse)?);
    }
    sync_names(world, release, &all).map_err(io_refusal("the blobs' folders"))?;
    let missing = receive::missing(world, release)?;
    Ok(missing.into_iter().filter(|one| damaged.contains(&one.sha256)).collect())
}

/// Reads back some blobs, kept and arrived ones; gives those that do not hold.
fn verify_batch(
    world: &World,
    blobs: &[(Digest, Mode)],
    pulse: Pulse<'_>,
) -> Result<BTreeSet<Digest>, Refused> {
    let io = io_refusal("a blob");
    let (mut kept, mut arrived, mut damaged) = (Vec::new(), Vec::new(), BTreeSet::new());
    for &(sha256, mode) in blobs {
        let folder = blob_folder(world, sha256).map_err(&io)?;
        match folder.find(&blob_name(sha256, mode)).map_err(&io)? {
            Some(found) => kept.push((sha256, mode, folder, found)),
            // Bytes that arrived once are one blob; for a second one they are sent again.
            None if arrived.iter().any(|(other, _)| *other == sha256) => {
                damaged.insert(sha256);
            }
            None => arrived.push((sha256, mode)),
        }
    }
    damaged.extend(quarantine_damaged(world, &kept, pulse)?);
    let holds = receive::keep(world, &arrived, pulse)?;
    let lost =
        arrived.iter().zip(holds).filter(|(_, holds)| !holds).map(|((sha256, _), _)| *sha256);
    damaged.extend(lost);
    Ok(damaged)
}

/// Which kept blobs do not hold; they are put aside.
fn quarantine_damaged(
    world: &World,
    kept: &[(Digest, Mode, Folder, Found)],
    pulse: Pulse<'_>,
) -> Result<Vec<Digest>, Refused> {
    let own = rustix::process::geteuid().as_raw();
    let opened: Vec<Option<File>> = kept
        .iter()
        .map(|(sha256, mode, folder, found)| {
            let is_plain = found.kind == FileType::RegularFile
                && found.mode & 0o7777 == mode.bits()
                && found.uid == own;
            folder.open(&blob_name(*sha256, *mode)).ok().filter(|_| is_plain)
        })
        .collect();
    let files: Vec<&File> = opened.iter().flatten().collect();
    let mut digests = reading::digests(&files, &|| Ok(()), pulse)?.digests.into_iter();
    let mut rotten = Vec::new();
    for (file, (sha256, mode, folder, _)) in opened.iter().zip(kept) {
        let digest = file.as_ref().and_then(|_| digests.next());
        if digest.is_some_and(|told| told.is_ok_and(|digest| digest == *sha256)) {
            continue;
        }
        let reason = "the blob's bytes, mode or owner are not what they should be";
        let put = quarantine::put(world, folder, &blob_name(*sha256, *mode), reason);
        put.map_err(io_refusal("a blob"))?;
        rotten.push(*sha256);
    }
    Ok(rotten)
}

/// Brings the names of blobs and the manifest to the disk.
fn sync_names(world: &World, release: &Release, blobs: &[(Digest, Mode)]) -> io::Result<()> {
    let manifests = world.folder("manifests")?;
    let manifest = manifests.open(&format!("{}.json", release.id()))?;
    let folders: BTreeSet<String> =
        blobs.iter().map(|(sha256, _)| sha256.to_string()[..2].to_owned()).collect();
    let all = disk::blob_folders(world)?;
    let folders =
        folders.iter().map(|name| all.folder(name)).collect::<io::Result<Vec<Folder>>>()?;
    let mut opened: Vec<_> =
        folders.iter().map(|folder| (Point::BlobFolderSync, folder.as_fd())).collect();
    opened.push((Point::BlobFolderSync, all.as_fd()));
    opened.push((Point::ManifestSync, manifest.as_fd()));
    opened.push((Point::ManifestSync, manifests.as_fd()));
    durable::sync(manifests.faults(), &opened)
}

/// Builds the release's folder under a name that nobody takes for a release.
///
/// # Errors
/// `failed`.
pub(super) fn build(world: &World, release: &Release) -> Result<(), Refused> {
    build_unchecked(world, release).map_err(io_refusal("the release's folder"))
}

fn build_unchecked(world: &World, release: &Release) -> io::Result<()> {
    let releases = world.folder("releases")?;
    let name = temporary_name(release.id());
    releases.remove_tree(Point::StageClean, &name)?;
    let (root, _) = releases.make(Point::StageFolder, &name)?;
    let mut folders = BTreeSet::new();
    for file in &release.files {
        let mut names: Vec<&str> = file.path.split('/').collect();
        let last = names.pop().unwrap_or_default();
        let mut here = root.walk([])?;
        for depth in 0..names.len() {
            here = here.make(Point::StageFolder, names[depth])?.0;
            folders.insert(names[..=depth].to_vec());
        }
        let blobs = blob_folder(world, file.sha256)?;
        blobs.link(Point::StageLink, &blob_name(file.sha256, file.mode), &here, last)?;
    }
    // All of them, before the release gets its name.
    let folders: Vec<Vec<&str>> = folders.into_iter().collect();
    for some in folders.chunks(N_AT_ONCE) {
        let inner = some.iter().map(|names| root.walk(names.iter().copied()));
        seal_folders(&inner.collect::<io::Result<Vec<Folder>>>()?)?;
    }
    seal_folders(&[root])?;
    releases.sync(Point::StageSync)
}

/// Brings folders to the disk; nothing is put into them from then on.
fn seal_folders(folders: &[Folder]) -> io::Result<()> {
    let opened: Vec<_> = folders.iter().map(|folder| (Point::StageSync, folder.as_fd())).collect();
    if let Some(one) = folders.first() {
        durable::sync(one.faults(), &opened)?;
    }
    folders.iter().try_for_each(|folder| folder.set_mode(0o555))
}

/// Gives the folder that was built the release's name; a damaged release of that name is put aside.
///
/// # Errors
/// `failed`.
pub(super) fn publish(world: &World, release: &Release) -> Result<(), Refused> {
    publish_unchecked(world, release).map_err(io_refusal("the release's folder"))
}

fn publish_unchecked(world: &World, release: &Release) -> io::Result<()> {
    let releases = world.folder("releases")?;
    let (beside, name) = (temporary_name(release.id()), release.id().to_string());
    if releases.find(&name)?.is_none() {
        releases.rename(Point::StageMove, &beside, &releases, &name)?;
    } else {
        // It may be the active one: there is no moment without a release of that name.
        releases.exchange(Point::StageMove, &beside, &name)?;
        if let Ok(folder) = releases.folder(&beside) {
            folder.set_mode(0o755)?;
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
    cleaned().map_err(io_refusal("what an earlier deploy left"))
}

/// Whether there is something half built, by a deploy that is at work or by one that was.
pub(super) fn has_leftovers(world: &World) -> bool {
    let listed = world.folder("releases").and_then(|releases| releases.list());
    listed.is_ok_and(|names| names.iter().any(|(name, _)| name.starts_with('.')))
}

fn temporary_name(id: Digest) -> String {
    format!(".{id}.tmp")
}
