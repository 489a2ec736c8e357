//! Fetch: files that are known by their digest, brought from the network.
//!
//! Takes addresses with digests and bounds; gives files that are there whole and right, or not at
//! all. A download that was cut goes on where it ended, also in a later run. Only https, and plain
//! http on this machine; no secret is ever sent.

mod wanted;
mod error;
mod address;
mod exchange;
mod part;
mod pull;

pub use address::{Address, AddressError};
pub use error::FetchError;
pub use pull::{Need, Wish, dataset_needs, model_needs};
pub use wanted::{Limits, Wanted};

use error::disk_error;
use exchange::{Client, Loss};
use part::Part;

/// How often is asked at most for one file.
const MAX_ATTEMPTS: u32 = 6;

/// Outcome of fetching a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// It was there.
    Known,
    /// It was brought: so many bytes came now.
    Brought(u64),
}

/// The way to the network, past the proxy that the environment names.
#[derive(Debug)]
pub struct Fetcher {
    client: Client,
    limits: Limits,
}

impl Fetcher {
    /// Sets the way up.
    ///
    /// # Errors
    /// [`FetchError::Client`] when the system has no certificates.
    pub fn new(limits: Limits) -> Result<Self, FetchError> {
        Ok(Self { client: Client::open(limits).map_err(FetchError::Client)?, limits })
    }

    /// Brings a file, when it is not there already.
    ///
    /// # Errors
    /// [`FetchError`]; what came of the file until then is kept for the next time, unless it is
    /// wrong.
    pub async fn fetch(&self, wanted: &Wanted) -> Result<Fetched, FetchError> {
        if wanted.path.exists() {
            let path = wanted.path.clone();
            let found = part::digest_of(&wanted.path).map_err(disk_error(&wanted.path))?;
            return if found == wanted.sha256 {
                Ok(Fetched::Known)
            } else {
                Err(FetchError::Taken(path))
            };
        }
        let mut part = Part::open(wanted)?;
        let mut n_came = 0;
        let mut began = part.n_bytes();
        loop {
            n_came += self.complete(wanted, &mut part).await?;
            let found = part.digest()?;
            if found == wanted.sha256 {
                part.finish(&wanted.path)?;
                return Ok(Fetched::Brought(n_came));
            }
            part.restart()?;
            if began == 0 {
                part.discard();
                let address = wanted.address.to_string();
                return Err(FetchError::Digest { address, expected: wanted.sha256, found });
            }
            // What an earlier run left may be of an older file: once more from its start.
            began = 0;
        }
    }

    /// Asks until the whole file came; gives how many bytes came now.
    async fn complete(&self, wanted: &Wanted, part: &mut Part) -> Result<u64, FetchError> {
        let mut n_came = 0;
        let mut pause = self.limits.pause;
        let mut attempts = 1;
        loop {
            match self.client.ask(wanted, part, &mut n_came).await {
                Ok(()) => return Ok(n_came),
                Err(Loss::Final(error)) => return Err(error),
                Err(Loss::Again(why)) if attempts == MAX_ATTEMPTS => {
                    let address = wanted.address.to_string();
                    return Err(FetchError::Lost { address, attempts, why });
                }
                Err(Loss::Again(_)) => {
                    tokio::time::sleep(pause).await;
                    (attempts, pause) = (attempts + 1, pause * 2);
                }
            }
        }
    }
}
