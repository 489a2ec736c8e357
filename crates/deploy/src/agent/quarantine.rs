//! Quarantine: failed or damaged releases and damaged blobs, put aside with a reason.
//!
//! Bounded in number; the oldest goes first.

use super::fault::Point;
use super::folder::Folder;
use super::world::World;
use cellgate_core::digest::Digest;
use std::io;

/// Most things that are kept.
const MAX_KEPT: usize = 8;
/// Most characters of a reason.
const MAX_REASON_CHARS: usize = 2000;

/// Puts a release aside.
///
/// # Errors
/// Error of the system.
pub(super) fn put_release(world: &World, id: Digest, reason: &str) -> io::Result<()> {
    let releases = world.folder("releases")?;
    let name = id.to_string();
    if releases.find(&name)?.is_none() {
        return Ok(());
    }
    // A folder that nobody may write to cannot be moved to another one.
    releases.folder(&name)?.set_mode(0o755)?;
    put(world, &releases, &name, reason)
}

/// Puts an entry of a folder aside, whatever its kind.
///
/// # Errors
/// Error of the system.
pub(super) fn put(world: &World, folder: &Folder, name: &str, reason: &str) -> io::Result<()> {
    let quarantine = world.folder("quarantine")?;
    let number = world.wall_s();
    let mut new_name = format!("{number}-{name}");
    for n in 1.. {
        if quarantine.find(&new_name)?.is_none() {
            break;
        }
        new_name = format!("{number}.{n}-{name}");
    }
    let text: String = reason.chars().take(MAX_REASON_CHARS).collect();
    quarantine.write(Point::QuarantineMove, &format!("{new_name}.txt"), text.as_bytes())?;
    folder.rename(Point::QuarantineMove, name, &quarantine, &new_name)?;
    remove_oldest(&quarantine)
}

/// Removes the oldest beyond the bound.
fn remove_oldest(quarantine: &Folder) -> io::Result<()> {
    let names = quarantine.list()?;
    let entries: Vec<&String> =
        names.iter().map(|(name, _)| name).filter(|name| !name.ends_with(".txt")).collect();
    let surplus = entries.len().saturating_sub(MAX_KEPT);
    for name in &entries[..surplus] {
        quarantine.remove_tree(Point::PruneRemove, name)?;
    }
    for (name, _) in names.iter().filter(|(name, _)| name.ends_with(".txt")) {
        let entry = name.trim_end_matches(".txt");
        if quarantine.find(entry)?.is_none() {
            quarantine.remove(Point::PruneRemove, name)?;
        }
    }
    Ok(())
}
