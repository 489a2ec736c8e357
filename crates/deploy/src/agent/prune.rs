//! Prune: removes what nobody needs any more, and finds what is damaged.
//!
//! Needed releases are marked first: the active, the previous, the pending and its base, the one
//! that is being deployed, the pinned, and the latest good ones. Everything that no mark reaches is
//! removed. A failure of pruning never fails a deploy.

use super::disk::{self, Pulse, blob_name};
use super::fault::Point;
use super::folder::Folder;
use super::journal::Journal;
use super::refuse::{Refused, io_refusal};
use super::state::{Event, State};
use super::world::World;
use crate::wire::{Damage, Reply};
use cellgate_core::digest::Digest;
use std::collections::BTreeSet;
use std::io;

/// The file in `state` that names releases that stay, one a line.
const PINNED: &str = "pinned";
const MAX_PINNED_BYTES: u64 = 64 << 10;
/// How long what arrived of a blob is kept for another attempt, in seconds.
const INCOMING_S: i64 = 24 * 3600;

/// Removes what nobody needs.
///
/// # Errors
/// `failed`; what is needed is untouched.
pub(super) fn prune(world: &World, journal: &mut Journal, keep: u32) -> Result<Reply, Refused> {
    let marked =
        needed_releases(world, journal.state(), keep).map_err(io_refusal("the releases"))?;
    let releases = world.folder("releases").map_err(io_refusal("the releases"))?;
    let entries = releases.list().map_err(io_refusal("the releases"))?;
    let unmarked_id = |name: &str| name.parse::<Digest>().ok().filter(|id| !marked.contains(id));
    let unneeded: Vec<Digest> = entries.iter().filter_map(|(name, _)| unmarked_id(name)).collect();
    let forgotten: Vec<Digest> =
        journal.state().good.iter().copied().filter(|id| !marked.contains(id)).collect();
    if !unneeded.is_empty() || !forgotten.is_empty() {
        let mut all: Vec<Digest> = unneeded.iter().chain(&forgotten).copied().collect();
        all.sort_unstable();
        all.dedup();
        journal.append(world, Event::Pruned { releases: all })?;
    }
    let sweep = || -> io::Result<(u64, u64)> {
        for id in &unneeded {
            // Under its name it would still look whole while it is taken apart.
            let (name, aside) = (id.to_string(), format!(".{id}.gone"));
            releases.remove_tree(Point::PruneRemove, &aside)?;
            releases.rename(Point::PruneMove, &name, &releases, &aside)?;
            releases.remove_tree(Point::PruneRemove, &aside)?;
        }
        sweep_manifests(world, &marked)?;
        sweep_incoming(world)?;
        sweep_blobs(world, &marked)
    };
    let (n_blobs, n_bytes) = sweep().map_err(io_refusal("what nobody needs"))?;
    Ok(Reply::Pruned { releases: unneeded, n_blobs, n_bytes })
}

/// Releases that are needed.
fn needed_releases(world: &World, state: &State, keep: u32) -> io::Result<BTreeSet<Digest>> {
    let latest = state.good.iter().rev().take(keep as usize).copied();
    let mut marked: BTreeSet<Digest> = latest.collect();
    marked.extend(state.active);
    marked.extend(state.previous);
    marked
        .extend(state.pending.iter().flat_map(|one| std::iter::once(one.release).chain(one.base)));
    marked.extend(state.deploy.iter().map(|deploy| deploy.release));
    let pinned = world.folder("state")?.read(PINNED, MAX_PINNED_BYTES)?.unwrap_or_default();
    let pinned = String::from_utf8_lossy(&pinned).into_owned();
    marked.extend(pinned.lines().filter_map(|line| line.trim().parse::<Digest>().ok()));
    Ok(marked)
}

fn sweep_manifests(world: &World, marked: &BTreeSet<Digest>) -> io::Result<()> {
    let manifests = world.folder("manifests")?;
    for (name, _) in manifests.list()? {
        let id = name.strip_suffix(".json").and_then(|id| id.parse().ok());
        if !id.is_some_and(|id: Digest| marked.contains(&id)) {
            manifests.remove_tree(Point::PruneRemove, &name)?;
        }
    }
    Ok(())
}

fn sweep_incoming(world: &World) -> io::Result<()> {
    let incoming = world.folder("incoming")?;
    let now = i64::try_from(world.wall_s()).unwrap_or(i64::MAX);
    for (name, _) in incoming.list()? {
        let age = incoming.find(&name)?.map_or(0, |found| now.saturating_sub(found.changed_s));
        // A list of chunks whose blob was moved on is of no use.
        let is_idle = match name.strip_suffix(".have") {
            Some(blob) => incoming.find(blob)?.is_none(),
            None => false,
        };
        if is_idle || INCOMING_S < age {
            incoming.remove_tree(Point::PruneRemove, &name)?;
        }
    }
    Ok(())
}

/// Removes blobs that no needed release has; without every manifest it removes none.
fn sweep_blobs(world: &World, marked: &BTreeSet<Digest>) -> io::Result<(u64, u64)> {
    let releases = world.folder("releases")?;
    let mut needed = BTreeSet::new();
    for id in marked {
        match disk::manifest(world, *id) {
            Ok(release) => {
                needed.extend(release.files.iter().map(|file| blob_name(file.sha256, file.mode)));
            }
            Err(_) if releases.find(&id.to_string())?.is_none() => {}
            Err(_) => return Ok((0, 0)),
        }
    }
    let (mut n_blobs, mut n_bytes) = (0, 0);
    for_each_blob(world, &mut |folder, name| {
        if !needed.contains(name) {
            n_bytes += folder.find(name)?.map_or(0, |found| found.size);
            n_blobs += 1;
            folder.remove_tree(Point::PruneRemove, name)?;
        }
        Ok(())
    })?;
    Ok((n_blobs, n_bytes))
}

fn for_each_blob(
    world: &World,
    visit: &mut dyn FnMut(&Folder, &str) -> io::Result<()>,
) -> io::Result<()> {
    let folders = world.root.walk(["blobs", "sha256"])?;
    for (name, _) in folders.list()? {
        let folder = folders.folder(&name)?;
        for (blob, _) in folder.list()? {
            visit(&folder, &blob)?;
        }
    }
    Ok(())
}

/// Reads every byte that is kept and reports what is damaged; changes nothing.
///
/// # Errors
/// `failed`, and what `pulse` says.
pub(super) fn scrub(world: &World, state: &State, pulse: Pulse<'_>) -> Result<Reply, Refused> {
    let mut n_bytes = 0;
    let mut damages = Vec::new();
    let mut count = |n: u64| {
        n_bytes += n;
        pulse(n)
    };
    let needed: BTreeSet<Digest> =
        state.good.iter().copied().chain(state.active).chain(state.previous).collect();
    for id in needed {
        match disk::manifest(world, id) {
            Err(refused) => {
                let path = format!("manifests/{id}.json");
                damages.push(Damage { path, what: refused.message.clone() });
            }
            Ok(release) => {
                let found = disk::damages(world, &release, &mut count)?;
                damages.extend(found.into_iter().map(|damage| Damage {
                    path: format!("releases/{id}/{}", damage.path),
                    ..damage
                }));
            }
        }
    }
    let mut blobs = Vec::new();
    let result = for_each_blob(world, &mut |folder, name| {
        blobs.push((name.to_owned(), folder.walk([])?));
        Ok(())
    });
    result.map_err(io_refusal("the blobs"))?;
    for (name, folder) in blobs {
        let digits = name.trim_end_matches(".x");
        let found = match folder.open(&name) {
            Ok(file) => disk::digest(&file, &mut count)?,
            Err(error) => Err(error),
        };
        if found.ok().map(|digest| digest.to_string()).as_deref() != Some(digits) {
            let path = format!("blobs/sha256/{}/{name}", digits.get(..2).unwrap_or_default());
            damages.push(Damage { path, what: "has other bytes than its name says".to_owned() });
        }
    }
    Ok(Reply::Scrubbed { n_bytes, damages })
}
