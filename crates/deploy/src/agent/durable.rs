//! Durable: many files and folders reach the disk together.
//!
//! A disk that is asked for one file after the other answers each with a wait of its own, mostly for
//! its journal; asked for all at once, it waits about once. Takes what is open, gives back when each of
//! them is on the disk. The caller says what comes first, by asking twice.

use super::fault::{Faults, Point};
use std::io;
use std::os::fd::BorrowedFd;

/// Waits for the disk at a time.
const N_AT_ONCE: usize = 8;

/// Waits until all of these are on the disk.
///
/// # Errors
/// Error of the system for the first that failed; nothing is known of the others then.
pub(super) fn sync(faults: &Faults, descriptors: &[(Point, BorrowedFd<'_>)]) -> io::Result<()> {
    descriptors.iter().try_for_each(|(point, _)| faults.pass(*point))?;
    let n_each = descriptors.len().div_ceil(N_AT_ONCE).max(1);
    let sync_all = |batch: &[(Point, BorrowedFd<'_>)]| -> io::Result<()> {
        batch.iter().try_for_each(|(_, fd)| Ok(rustix::fs::fsync(fd)?))
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            descriptors.chunks(n_each).map(|batch| scope.spawn(move || sync_all(batch))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, io::Result<()>>| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread ended")))
        };
        // All are waited for, whatever the first says.
        let results: Vec<io::Result<()>> = threads.into_iter().map(join).collect();
        results.into_iter().collect::<io::Result<()>>()
    })?;
    descriptors.iter().for_each(|(_, fd)| faults.recorder.record_sync(fd));
    Ok(())
}
