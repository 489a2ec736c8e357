//! Durable: many files and folders reach the disk together.
//!
//! A disk that is asked for one file after the other answers each with a wait of its own, mostly for
//! its journal; asked for all at once, it waits about once. Takes what is open, gives back when each of
//! them is on the disk. What must be there before what is for the caller to say, by asking twice.

use super::fault::{Faults, Point};
use std::io;
use std::os::fd::BorrowedFd;

/// Waits for the disk at a time.
const N_AT_ONCE: usize = 8;

/// Waits until all of these are on the disk.
///
/// # Errors
/// Error of the system for the first that failed; nothing is known of the others then.
pub(super) fn sync(faults: &Faults, opened: &[(Point, BorrowedFd<'_>)]) -> io::Result<()> {
    opened.iter().try_for_each(|(point, _)| faults.pass(*point))?;
    let n_each = opened.len().div_ceil(N_AT_ONCE).max(1);
    let all = |some: &[(Point, BorrowedFd<'_>)]| -> io::Result<()> {
        some.iter().try_for_each(|(_, fd)| Ok(rustix::fs::fsync(fd)?))
    };
    std::thread::scope(|scope| {
        let waiting: Vec<_> =
            opened.chunks(n_each).map(|some| scope.spawn(move || all(some))).collect();
        let ended = |thread: std::thread::ScopedJoinHandle<'_, io::Result<()>>| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread ended")))
        };
        // All are waited for, whatever the first says.
        let told: Vec<io::Result<()>> = waiting.into_iter().map(ended).collect();
        told.into_iter().collect::<io::Result<()>>()
    })?;
    opened.iter().for_each(|(_, fd)| faults.recorder.record_sync(fd));
    Ok(())
}
