//! Cancel: lets work end at once when somebody ends this process.
//!
//! GitHub sends SIGINT, waits 7.5 s, sends SIGTERM, waits 2.5 s and kills. Work that is dropped
//! closes its channels, which the agents take as the end; nothing that has to be done for what is
//! active depends on it.

use tokio::signal::unix::{SignalKind, signal};

/// Somebody ended this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cancelled by {0}")]
pub struct Cancelled(pub &'static str);

/// Does work unless SIGINT, SIGTERM or SIGHUP comes; the work is dropped then.
///
/// # Errors
/// [`Cancelled`].
pub async fn unless_cancelled<T>(work: impl Future<Output = T>) -> Result<T, Cancelled> {
    tokio::select! {
        output = work => Ok(output),
        () = wait_for_signal(SignalKind::interrupt()) => Err(Cancelled("SIGINT")),
        () = wait_for_signal(SignalKind::terminate()) => Err(Cancelled("SIGTERM")),
        () = wait_for_signal(SignalKind::hangup()) => Err(Cancelled("SIGHUP")),
    }
}

/// Ends when a signal comes; never where it cannot be heard.
async fn wait_for_signal(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}
