//! Status: the active release, the pending one, and the holder of the lock. Only reads; needs no
//! lock.

use super::disk::{self, CURRENT, Pulse};
use super::journal::{self, JournalError};
use super::lock;
use super::refuse::{Refused, io_refusal};
use super::work::left_ms;
use super::world::World;
use crate::wire::{Damage, PendingStatus, Reply, ServerStatus};

/// Most records of the journal in one answer.
const MAX_RECORDS: usize = 1000;

/// Status of the server; every byte of the active release is compared when `verify` is set.
///
/// # Errors
/// `failed`, and the error of `pulse`.
pub(super) fn status(
    world: &World,
    verify: bool,
    pulse: Pulse<'_>,
) -> Result<ServerStatus, Refused> {
    let [free_bytes, ..] = world.root.disk_space().map_err(io_refusal("the disk"))?;
    let mut status = ServerStatus {
        cellgate: env!("CARGO_PKG_VERSION").to_owned(),
        lock: lock::holder(world),
        free_bytes,
        ..ServerStatus::default()
    };
    let pointed = disk::read_pointer(world, CURRENT).map_err(io_refusal("a pointer"))?;
    let content = match journal::peek(world) {
        Ok(content) => content,
        Err(JournalError::Io(error)) => return Err(io_refusal("the journal")(error)),
        Err(error) => {
            status.active = pointed.release();
            status.stranded = Some(error.to_string());
            return Ok(status);
        }
    };
    let state = content.state;
    status.journal_head = content.head;
    status.active = pointed.release();
    status.previous = state.previous;
    status.good = state.good;
    status.sequence = state.sequence;
    status.stranded = state.stranded;
    status.last_failure = state.ended.and_then(|ended| {
        ended.failure.map(|why| format!("release {}: {why}", ended.release.short()))
    });
    status.pending = state.pending.map(|pending| PendingStatus {
        left_ms: left_ms(world, &pending),
        release: pending.release,
        base: pending.base,
        key: pending.key,
        token: pending.token,
    });
    let Some(active) = status.active else { return Ok(status) };
    let release = match disk::manifest(world, active) {
        Ok(release) => release,
        Err(refused) => {
            let path = format!("manifests/{active}.json");
            status.damages.push(Damage { path, what: refused.message.clone() });
            return Ok(status);
        }
    };
    if verify {
        status.damages = disk::damages(world, &release, pulse)?;
    }
    status.manifest = String::from_utf8(release.bytes().to_vec()).ok();
    Ok(status)
}

/// The last records of the journal, oldest first.
///
/// # Errors
/// `failed`, and `stranded` for a damaged journal.
pub(super) fn log(world: &World, max: u32) -> Result<Reply, Refused> {
    let content = journal::peek(world)?;
    let n = (max as usize).min(MAX_RECORDS).min(content.records.len());
    let last = &content.records[content.records.len() - n..];
    let records = last.iter().filter_map(|record| serde_json::to_string(record).ok()).collect();
    Ok(Reply::Log { records })
}
