//! Fetch: files that are known by their digest, brought from the network.
//!
//! Takes addresses with digests and bounds; gives files that are there whole and right, or not at
//! all. A download that was cut goes on where it ended, also in a later run. Only https, and plain
//! http on this machine; no secret is ever sent.

mod address;
mod exchange;
mod part;
mod pull;

pub use address::{Address, AddressError};
pub use pull::{Need, Wish, of_dataset, of_models};

use crate::way::WayError;
use cellgate_core::digest::Digest;
use exchange::{Client, Loss};
use part::Part;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often is asked at most for one file.
const MAX_ATTEMPTS: u32 = 6;

/// A file to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Where it is.
    pub address: Address,
    /// Its digest.
    pub sha256: Digest,
    /// It has no more bytes than this.
    pub max_bytes: u64,
    /// Where it goes.
    pub path: PathBuf,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// It was there.
    Known,
    /// It was brought: so many bytes came now.
    Brought(u64),
}

/// How long is waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For a connection.
    pub connect: Duration,
    /// For the next bytes.
    pub idle: Duration,
    /// For one answer as a whole.
    pub whole: Duration,
    /// After the first failure; twice as long after each further one.
    pub pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            idle: Duration::from_secs(60),
            whole: Duration::from_secs(3600),
            pause: Duration::from_secs(1),
        }
    }
}

/// A file cannot be fetched; nothing stands in its place.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is no way to the network.
    #[error("nothing can be fetched: {0}")]
    Client(#[source] WayError),
    /// The answer was a refusal.
    #[error("`{address}` answers with status {status}; correct the address, or ask who keeps it")]
    Refused {
        /// Where it was asked.
        address: String,
        /// The answer.
        status: u16,
    },
    /// The answers lead on and on, or somewhere unsafe.
    #[error("`{address}` leads elsewhere {why}")]
    Redirected {
        /// Where it was asked first.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// The file is too large.
    #[error("`{address}` has more than {max_bytes} bytes")]
    TooLarge {
        /// Where it was asked.
        address: String,
        /// The bound.
        max_bytes: u64,
    },
    /// What came is another file.
    #[error("`{address}` has sha256 {found} instead of {expected}; nothing of it was kept")]
    Digest {
        /// Where it was asked.
        address: String,
        /// What it must have.
        expected: Digest,
        /// What it has.
        found: Digest,
    },
    /// The connection fails again and again.
    #[error(
        "`{address}` was not brought after {attempts} attempts: {why}; run it again, it goes on \
         where it ended"
    )]
    Lost {
        /// Where it was asked.
        address: String,
        /// How often.
        attempts: u32,
        /// What happened the last time.
        why: String,
    },
    /// Another process fetches the same file.
    #[error("another cellgate is fetching `{}`; wait for it", .0.display())]
    Busy(PathBuf),
    /// Another file stands in its place.
    #[error(
        "`{}` is there with another content and is left as it is; move it away", .0.display()
    )]
    Taken(PathBuf),
    /// The disk failed.
    #[error("`{}`: {source}", .path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
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
            let found = part::digest_of(&wanted.path).map_err(disk(&wanted.path))?;
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

fn disk(path: &Path) -> impl Fn(std::io::Error) -> FetchError + use<> {
    let path = path.to_owned();
    move |source| FetchError::Disk { path: path.clone(), source }
}
