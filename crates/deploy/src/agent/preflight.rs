//! Preflight: whether the server can take a release, before the first byte is sent.
//!
//! Gives every reason at once, each with its numbers.

use super::refuse::{Refused, io_refusal, refusal};
use super::state::State;
use super::world::World;
use crate::release::Release;
use crate::wire::{Intent, Missing, Refusal, RefusalCode};
use std::io;

/// Part of the disk that stays free, one byte in this many, besides a tenth of the bytes to send.
const RESERVE_PART: u64 = 33;
/// At most this much of the disk stays free.
const MAX_RESERVE_BYTES: u64 = 1 << 30;
/// Names that a deploy needs besides the files: folders, records, pointers.
const MORE_NAMES: u64 = 64;

/// Why the server cannot take a release; empty when it can.
///
/// # Errors
/// `failed` when the server cannot even tell.
pub(super) fn refusals(
    world: &World,
    release: &Release,
    missing: &[Missing],
) -> Result<Vec<Refusal>, Refused> {
    let mut refusals = Vec::new();
    refusals.extend(platform_refusal(release));
    refusals.extend(owner_refusals(world).map_err(io_refusal("the root"))?);
    refusals.extend(space_refusals(world, release, missing).map_err(io_refusal("the disk"))?);
    Ok(refusals)
}

/// Whether a release may follow what was confirmed.
///
/// # Errors
/// `replayed` for a deploy of something older, `unknown` for a way back to what was never good.
pub(super) fn check_order(state: &State, release: &Release, intent: Intent) -> Result<(), Refused> {
    match intent {
        Intent::Deploy if release.sequence < state.sequence => {
            let message = format!(
                "the release is number {} in the order, and {} was confirmed here",
                release.sequence, state.sequence
            );
            let help =
                "deploy from the newest commit, or go back on purpose by `cellgate rollback`";
            Err(refusal(RefusalCode::Replayed, message, help).into())
        }
        Intent::Rollback if !state.good.contains(&release.id()) => {
            let message = format!("release {} was never confirmed here", release.id().short());
            let help = "`cellgate status` names the releases that one can go back to";
            Err(refusal(RefusalCode::Unknown, message, help).into())
        }
        Intent::Deploy | Intent::Rollback => Ok(()),
    }
}

fn platform_refusal(release: &Release) -> Option<Refusal> {
    let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
    let os = if os == "macos" { "darwin" } else { os };
    let triple = &release.target_triple;
    let fits = triple.starts_with(&format!("{arch}-")) && triple.contains(&format!("-{os}"));
    let message = format!("the program is for {triple}, and the server is {arch}-{os}");
    let help = "give a program for the server's platform by `--binary`";
    (!fits).then(|| refusal(RefusalCode::Preflight, message, help))
}

fn owner_refusals(world: &World) -> io::Result<Vec<Refusal>> {
    let mut refusals = Vec::new();
    let mut refuse = |name: &str, what: &str, help: &str| {
        let message = format!("`{}` {what}", world.path.join(name).display());
        refusals.push(refusal(RefusalCode::Preflight, message, help));
    };
    let root = world.root.properties()?;
    for name in ["", "state", "blobs", "manifests", "releases", "incoming", "quarantine"] {
        let found = if name.is_empty() { root } else { world.folder(name)?.properties()? };
        if found.uid != rustix::process::geteuid().as_raw() {
            refuse(name, "belongs to another user", "let the agent's user own it");
        }
        if found.mode & 0o022 != 0 {
            refuse(name, "can be written to by others", "take that from them: `chmod go-w`");
        }
        if found.device != root.device {
            refuse(name, "is on another disk", "the root and everything below must be on one");
        }
    }
    Ok(refusals)
}

fn space_refusals(
    world: &World,
    release: &Release,
    missing: &[Missing],
) -> io::Result<Vec<Refusal>> {
    let mut refusals = Vec::new();
    let [free_bytes, all_bytes, free_names, all_names] = world.root.disk_space()?;
    // Chunks that are there already take their room already.
    let part = |blob: &Missing| blob.size.min(blob.chunks.len() as u64 * crate::wire::CHUNK_BYTES);
    let payload: u64 = missing.iter().map(part).sum();
    let reserve = (all_bytes / RESERVE_PART).min(MAX_RESERVE_BYTES);
    let needed = payload + payload / 10 + reserve;
    if free_bytes < needed {
        let message = format!(
            "the disk has {free_bytes} bytes free, and {needed} are needed: {payload} to be sent, \
             a tenth more, and {reserve} that stay free"
        );
        let help = "free some space on the server, or keep fewer releases";
        refusals.push(refusal(RefusalCode::Preflight, message, help));
    }
    let names = release.files.len() as u64 * 2 + MORE_NAMES;
    // Some file systems make names as they are needed, and say that they have none.
    if all_names != 0 && free_names < names {
        let message = format!("the disk has {free_names} names free, and {names} are needed");
        let help = "remove small files on the server";
        refusals.push(refusal(RefusalCode::Preflight, message, help));
    }
    Ok(refusals)
}
