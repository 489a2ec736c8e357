//! Intake: the chunks of one connection.
//!
//! Any connection may bring chunks for the deploy that has the lock; nothing is kept that its
//! release does not name.

use super::disk::manifest;
use super::journal;
use super::lock;
use super::receive::{self, Chunk};
use super::refuse::{Refused, protocol_refusal, refusal};
use super::world::World;
use crate::release::{Release, ReleasedFile};
use crate::wire::{RefusalCode, Reply};
use std::sync::Arc;

/// Release, number and failure of the chunks that arrive on one connection.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// Token and release whose chunks arrive.
    arriving: Option<(u64, Arc<Release>)>,
    n_chunks: u64,
    /// Why a chunk was not kept.
    failure: Option<Refused>,
}

impl Intake {
    /// Reports whether every chunk since the last time was kept.
    ///
    /// # Errors
    /// Why one was not.
    pub(super) fn flush(&mut self) -> Result<Reply, Refused> {
        match self.failure.take() {
            Some(refused) => Err(refused),
            None => Ok(Reply::Flushed { n_chunks: std::mem::take(&mut self.n_chunks) }),
        }
    }

    /// Keeps a chunk; after one that could not be kept, no other is.
    ///
    /// # Errors
    /// `fenced`, `protocol`, `failed`; the next flush reports it, too.
    pub(super) fn store_chunk(
        &mut self,
        world: &World,
        token: u64,
        chunk: &Chunk<'_>,
    ) -> Result<(), Refused> {
        if self.failure.is_some() {
            return Ok(());
        }
        let result = self.release_of(world, token).and_then(|release| {
            let is_named =
                |file: &&ReleasedFile| file.sha256 == chunk.sha256 && file.size == chunk.size;
            match release.files.iter().find(is_named) {
                None => Err(protocol_refusal("a chunk belongs to no file of the release")),
                Some(_) => receive::write(world, chunk),
            }
        });
        match result {
            Ok(()) => {
                self.n_chunks += 1;
                Ok(())
            }
            Err(refused) => {
                self.failure = Some(refused.clone());
                Err(refused)
            }
        }
    }

    /// The release whose deploy has the lock with that token.
    fn release_of(&mut self, world: &World, token: u64) -> Result<Arc<Release>, Refused> {
        let lease = lock::lease(world).map(|lease| lease.token);
        if token == 0 || lease != Some(token) {
            let help = "this deploy is over; begin another";
            return Err(refusal(RefusalCode::Fenced, "another deploy has the lock", help).into());
        }
        if let Some((_, release)) = self.arriving.as_ref().filter(|(known, _)| *known == token) {
            return Ok(Arc::clone(release));
        }
        let deploy = journal::peek(world)?.state.deploy.filter(|deploy| deploy.token == token);
        let deploy = deploy.ok_or_else(|| protocol_refusal("the deploy is over"))?;
        let release = Arc::new(manifest(world, deploy.release)?);
        self.arriving = Some((token, Arc::clone(&release)));
        Ok(release)
    }
}
