//! Settle: the outcome of a switch whose answer was lost, as the server reports it.
//!
//! Asks until the window is over. An outcome that the server does not report is unknown.

use super::connection::{Connection, PAUSE, TalkError};
use super::ending::{Ended, Failure, Phase};
use super::options::Options;
use super::prepared::Prepared;
use super::transport::{Purpose, Transport};
use crate::wire::ServerStatus;
use std::time::Instant;
use tokio::time::sleep;

/// Outcome of a switch.
pub(super) enum Settled {
    /// The release waits for its confirmation.
    Pending,
    /// The release was confirmed.
    Confirmed,
}

/// Reads the outcome of a switch from a server's status.
fn switch_outcome(
    status: &ServerStatus,
    prepared: &Prepared,
    error: TalkError,
) -> Result<Settled, Failure> {
    if status.pending.as_ref().is_some_and(|pending| pending.token == prepared.token) {
        return Ok(Settled::Pending);
    }
    if let Some(reason) = &status.stranded {
        return Err(Failure::new(Ended::Stranded, reason.clone()));
    }
    let is_base = status.active == prepared.base;
    if !is_base && status.active == Some(prepared.release) {
        return Ok(Settled::Confirmed);
    }
    let why = status.last_failure.clone().unwrap_or_else(|| error.to_string());
    if is_base {
        return Err(Failure::new(Ended::Failed, why));
    }
    let active = status.active.map_or_else(|| "nothing".to_owned(), |id| id.short());
    Err(Failure::new(Ended::Failed, format!("{active} is active by another deploy; {why}")))
}

/// Asks what became of a switch whose answer is not known.
pub(super) async fn settle<T: Transport>(
    transport: &T,
    options: &Options,
    prepared: &Prepared,
    error: TalkError,
) -> Result<Settled, Failure> {
    let until = Instant::now() + options.window + options.grace;
    loop {
        let status = match Connection::open(transport, Purpose::Confirm).await {
            Ok(mut connection) => connection.status(false).await,
            Err(error) => Err(error),
        };
        match status {
            Ok(status) => return switch_outcome(&status, prepared, error),
            Err(_) if Instant::now() < until => sleep(PAUSE).await,
            Err(_) => return Err(Failure::in_phase(Phase::After, error)),
        }
    }
}
