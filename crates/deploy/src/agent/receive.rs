//! Receive: chunks of blobs, in any order and over several connections.
//!
//! A blob arrives in `incoming/DIGEST`; `incoming/DIGEST.have` lists the chunks that were written,
//! four bytes each, so that what was cut goes on where it was. What was written is not trusted
//! before it was read back, see `stage`.

use super::disk::{blob_folder, blob_name};
use super::durable;
use super::fault::Point;
use super::folder::Folder;
use super::reading;
use super::record::{Change, path_of};
use super::refuse::{Refused, io_refusal, refusal};
use super::world::World;
use crate::release::{Mode, Release};
use crate::wire::{CHUNK_BYTES, Missing, RefusalCode, n_chunks};
use cellgate_core::digest::Digest;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;

/// Most bytes of a list of chunks; more than the largest blob has.
const MAX_LIST_BYTES: u64 = 1 << 20;

/// A chunk of a blob.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk<'a> {
    /// The blob.
    pub sha256: Digest,
    /// Bytes of the blob.
    pub(super) size: u64,
    /// Where the chunk begins.
    pub(super) offset: u64,
    /// The chunk.
    pub(super) bytes: &'a [u8],
}

/// Blobs of a release with chunks that are still to be sent.
///
/// # Errors
/// `failed`.
pub(super) fn missing(world: &World, release: &Release) -> Result<Vec<Missing>, Refused> {
    let mut missing = BTreeMap::new();
    for file in &release.files {
        if missing.contains_key(&file.sha256) || is_kept(world, file.sha256, file.mode, file.size) {
            continue;
        }
        let present = written_chunks(world, file.sha256, file.size)
            .map_err(io_refusal("an arriving blob"))?;
        let all = 0..u32::try_from(n_chunks(file.size)).unwrap_or(u32::MAX);
        let chunks: Vec<u32> = all.filter(|index| !present.contains(index)).collect();
        missing.insert(file.sha256, Missing { sha256: file.sha256, size: file.size, chunks });
    }
    Ok(missing.into_values().collect())
}

/// Whether a blob of that size is among the kept ones; its bytes are read when it is staged.
fn is_kept(world: &World, sha256: Digest, mode: Mode, size: u64) -> bool {
    let digits = sha256.to_string();
    let folder = world.root.walk(["blobs", "sha256", &digits[..2]]);
    let found = folder.and_then(|folder| folder.find(&blob_name(sha256, mode)));
    matches!(found, Ok(Some(found)) if found.size == size)
}

/// Indices of the chunks of an arriving blob that were written; none where its file was lost.
fn written_chunks(
    world: &World,
    sha256: Digest,
    size: u64,
) -> io::Result<std::collections::BTreeSet<u32>> {
    let incoming = world.folder("incoming")?;
    let name = sha256.to_string();
    let is_there = incoming.find(&name)?.is_some_and(|found| found.size <= size);
    let list = incoming.read(&format!("{name}.have"), MAX_LIST_BYTES)?;
    let list = list.filter(|_| is_there).unwrap_or_default();
    let index = |chunk: &[u8]| chunk.try_into().map(u32::from_le_bytes).ok();
    Ok(list.chunks_exact(4).filter_map(index).collect())
}

/// Writes a chunk where it belongs.
///
/// # Errors
/// `protocol` for a chunk that does not fit, and `failed`.
pub(super) fn write(world: &World, chunk: &Chunk<'_>) -> Result<(), Refused> {
    let end = chunk.offset.saturating_add(chunk.bytes.len() as u64);
    let expected = CHUNK_BYTES.min(chunk.size.saturating_sub(chunk.offset));
    let is_fitting = chunk.offset.is_multiple_of(CHUNK_BYTES)
        && end <= chunk.size
        && chunk.bytes.len() as u64 == expected;
    if !is_fitting {
        let message = format!("a chunk of {} does not fit", chunk.sha256.short());
        return Err(
            refusal(RefusalCode::Protocol, message, "use the same version on both sides").into()
        );
    }
    write_unchecked(world, chunk).map_err(io_refusal("an arriving blob"))
}

fn write_unchecked(world: &World, chunk: &Chunk<'_>) -> io::Result<()> {
    let incoming = world.folder("incoming")?;
    let faults = incoming.faults().clone();
    let name = chunk.sha256.to_string();
    let list = format!("{name}.have");
    let file = match incoming.open_own(Point::IncomingOpen, &name) {
        // Somebody else's file is put aside, not written to.
        Err(error) if is_foreign(&error) => {
            incoming.remove_tree(Point::IncomingOpen, &name)?;
            incoming.remove_tree(Point::IncomingOpen, &list)?;
            incoming.open_own(Point::IncomingOpen, &name)?
        }
        result => result?,
    };
    faults.pass(Point::IncomingWrite)?;
    file.write_all_at(chunk.bytes, chunk.offset)?;
    faults.recorder.record_write(&file, Some(chunk.offset), chunk.bytes);
    faults.pass(Point::IncomingNote)?;
    let index = u32::try_from(chunk.offset / CHUNK_BYTES).unwrap_or(u32::MAX);
    let note = incoming.open_own(Point::IncomingNote, &list)?;
    // Short writes at the end of a file do not mix, whichever connection they come from.
    rustix::fs::fcntl_setfl(&note, rustix::fs::OFlags::APPEND)?;
    (&note).write_all(&index.to_le_bytes())?;
    faults.recorder.record_write(&note, None, &index.to_le_bytes());
    Ok(())
}

/// Whether something else is where a plain file of the agent's own should.
fn is_foreign(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, IsADirectory, PermissionDenied};
    [InvalidData, IsADirectory, PermissionDenied].contains(&error.kind())
        || rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::LOOP)
}

/// Moves arrived blobs to the kept ones, each after its bytes were read back and hold; what does not
/// hold is removed, so that it is sent again. They are read back while they reach the disk.
///
/// Gives which of them hold.
///
/// # Errors
/// `incomplete` for a blob that was never sent, `failed`, and what `pulse` says.
pub(super) fn keep(
    world: &World,
    blobs: &[(Digest, Mode)],
    pulse: super::disk::Pulse<'_>,
) -> Result<Vec<bool>, Refused> {
    let incoming = world.folder("incoming").map_err(io_refusal("the arriving blobs"))?;
    let faults = incoming.faults().clone();
    let mut arrived = Vec::with_capacity(blobs.len());
    for &(sha256, mode) in blobs {
        arrived.push(open_arrived(&incoming, sha256, mode)?);
    }
    let files: Vec<&Arrived> = arrived.iter().flatten().collect();
    let descriptors: Vec<_> =
        files.iter().map(|one| (Point::BlobSync, one.writer.as_fd())).collect();
    let readers: Vec<&File> = files.iter().map(|one| &one.reader).collect();
    let outcome = reading::digests(&readers, &|| durable::sync(&faults, &descriptors), pulse)?;
    outcome.beside.map_err(io_refusal("an arrived blob"))?;
    let mut digests = outcome.digests.into_iter();
    let mut holds = Vec::with_capacity(blobs.len());
    for (file, &(sha256, mode)) in arrived.iter().zip(blobs) {
        let digest = file.as_ref().and_then(|_| digests.next()).transpose();
        let is_whole = digest.map_err(io_refusal("an arrived blob"))? == Some(sha256);
        move_or_remove(world, &incoming, (sha256, mode), is_whole)
            .map_err(io_refusal("an arrived blob"))?;
        holds.push(is_whole);
    }
    Ok(holds)
}

/// An arrived blob: as it was written, and a second handle that begins at the beginning and reads
/// what others will read.
struct Arrived {
    writer: File,
    reader: File,
}

/// Opens an arrived blob and gives it the permissions that it will have; `None` for what somebody else
/// put there.
///
/// Permissions come first: what is synced before they are set is without them when the power goes.
fn open_arrived(incoming: &Folder, sha256: Digest, mode: Mode) -> Result<Option<Arrived>, Refused> {
    let name = sha256.to_string();
    let writer = match incoming.open_own(Point::BlobRead, &name) {
        Err(error) if is_foreign(&error) => return Ok(None),
        Err(error) if incoming.find(&name).is_ok_and(|found| found.is_none()) => {
            let message = format!("blob {} was never sent: {error}", sha256.short());
            let help = "send what the plan misses, then stage";
            return Err(refusal(RefusalCode::Incomplete, message, help).into());
        }
        result => result.map_err(io_refusal("an arrived blob"))?,
    };
    let set_permissions = || -> io::Result<File> {
        rustix::fs::fchmod(&writer, rustix::fs::Mode::from_bits_truncate(mode.bits()))?;
        let change = || Change::Mode { path: path_of(&writer), mode: mode.bits() };
        incoming.faults().recorder.record(change);
        incoming.open(&name)
    };
    let reader = set_permissions().map_err(io_refusal("an arrived blob"))?;
    Ok(Some(Arrived { writer, reader }))
}

/// Moves a blob that holds to the kept ones, and removes one that does not.
fn move_or_remove(
    world: &World,
    incoming: &Folder,
    (sha256, mode): (Digest, Mode),
    is_whole: bool,
) -> io::Result<()> {
    let name = sha256.to_string();
    if is_whole {
        let folder = blob_folder(world, sha256)?;
        incoming.rename(Point::BlobMove, &name, &folder, &blob_name(sha256, mode))?;
    } else {
        incoming.remove_tree(Point::BlobMove, &name)?;
    }
    incoming.remove_tree(Point::BlobMove, &format!("{name}.have"))
}
