//! Stage: a release is built next to the active one, out of blobs that were read back.
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
    for batch in all.chunks(N_AT_ONCE) {
        damaged.extend(verify_batch(world, batch, pulse)?);
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
    let (mut existing, mut arrived, mut damaged) = (Vec::new(), Vec::new(), BTreeSet::new());
    for &(sha256, mode) in blobs {
        let folder = blob_folder(world, sha256).map_err(&io)?;
        match folder.find(&blob_name(sha256, mode)).map_err(&io)? {
            Some(found) => existing.push((sha256, mode, folder, found)),
            // Bytes that arrived once are one blob; for a second one they are sent again.
            None if arrived.iter().any(|(other, _)| *other == sha256) => {
                damaged.insert(sha256);
            }
            None => arrived.push((sha256, mode)),
        }
    }
    damaged.extend(quarantine_damaged(world, &existing, pulse)?);
    let holds = receive::keep(world, &arrived, pulse)?;
    let lost =
        arrived.iter().zip(holds).filter(|(_, holds)| !holds).map(|((sha256, _), _)| *sha256);
    damaged.extend(lost);
    Ok(damaged)
}

/// Which kept blobs do not hold; they are put aside.
fn quarantine_damaged(
    world: &World,
    blobs: &[(Digest, Mode, Folder, Found)],
    pulse: Pulse<'_>,
) -> Result<Vec<Digest>, Refused> {
    let own = rustix::process::geteuid().as_raw();
    let handles: Vec<Option<File>> = blobs
        .iter()
        .map(|(sha256, mode, folder, found)| {
            let is_plain = found.kind == FileType::RegularFile
                && found.mode & 0o7777 == mode.bits()
                && found.uid == own;
            folder.open(&blob_name(*sha256, *mode)).ok().filter(|_| is_plain)
        })
        .collect();
    let files: Vec<&File> = handles.iter().flatten().collect();
    let mut digests = reading::digests(&files, &|| Ok(()), pulse)?.digests.into_iter();
    let mut damaged = Vec::new();
    for (file, (sha256, mode, folder, _)) in handles.iter().zip(blobs) {
        let digest = file.as_ref().and_then(|_| digests.next());
        if digest.is_some_and(|result| result.is_ok_and(|digest| digest == *sha256)) {
            continue;
        }
        let reason = "the blob's bytes, mode or owner are not what they should be";
        let result = quarantine::put(world, folder, &blob_name(*sha256, *mode), reason);
        result.map_err(io_refusal("a blob"))?;
        damaged.push(*sha256);
    }
    Ok(damaged)
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
    let mut descriptors: Vec<_> =
        folders.iter().map(|folder| (Point::BlobFolderSync, folder.as_fd())).collect();
    descriptors.push((Point::BlobFolderSync, all.as_fd()));
    descriptors.push((Point::ManifestSync, manifest.as_fd()));
    descriptors.push((Point::ManifestSync, manifests.as_fd()));
    durable::sync(manifests.faults(), &descriptors)
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
    for batch in folders.chunks(N_AT_ONCE) {
        let inner = batch.iter().map(|names| root.walk(names.iter().copied()));
        seal_folders(&inner.collect::<io::Result<Vec<Folder>>>()?)?;
    }
    seal_folders(&[root])?;
    releases.sync(Point::StageSync)
}

/// Brings folders to the disk; nothing is put into them from then on.
fn seal_folders(folders: &[Folder]) -> io::Result<()> {
    let descriptors: Vec<_> =
        folders.iter().map(|folder| (Point::StageSync, folder.as_fd())).collect();
    if let Some(folder) = folders.first() {
        durable::sync(folder.faults(), &descriptors)?;
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
    let (temporary, name) = (temporary_name(release.id()), release.id().to_string());
    if releases.find(&name)?.is_none() {
        releases.rename(Point::StageMove, &temporary, &releases, &name)?;
    } else {
        // It may be the active one: there is no moment without a release of that name.
        releases.exchange(Point::StageMove, &temporary, &name)?;
        if let Ok(folder) = releases.folder(&temporary) {
            folder.set_mode(0o755)?;
        }
        quarantine::put(world, &releases, &temporary, "the release was damaged and is built anew")?;
    }
    releases.sync(Point::StageMoveSync)
}

/// Removes what an earlier attempt left behind.
///
/// # Errors
/// `failed`.
pub(super) fn clean(world: &World) -> Result<(), Refused> {
    let remove_leftovers = || -> io::Result<()> {
        let releases = world.folder("releases")?;
        for (name, _) in releases.list()?.iter().filter(|(name, _)| name.starts_with('.')) {
            releases.remove_tree(Point::StageClean, name)?;
        }
        Ok(())
    };
    remove_leftovers().map_err(io_refusal("what an earlier deploy left"))
}

/// Whether there is something half built, by a deploy that is at work or by one that was.
pub(super) fn has_leftovers(world: &World) -> bool {
    let entries = world.folder("releases").and_then(|releases| releases.list());
    entries.is_ok_and(|names| names.iter().any(|(name, _)| name.starts_with('.')))
}

fn temporary_name(id: Digest) -> String {
    format!(".{id}.tmp")
}
