//! Reading: the digests of several files at once, while other work goes on.
//!
//! Takes open files, gives what their bytes are on every core. Signs of life go out from the thread
//! that waits.

use super::disk::{Pulse, digest};
use super::refuse::{Refused, refusal};
use crate::wire::RefusalCode;
use cellgate_core::digest::Digest;
use std::fs::File;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Files that are read at a time.
const MAX_AT_ONCE: usize = 4;
/// Between two signs of life.
const SIGN: Duration = Duration::from_millis(100);

/// Digests that were read, and the outcome of the other work.
pub(super) struct Told {
    /// The digest of each file, in their order.
    pub(super) digests: Vec<io::Result<Digest>>,
    /// Outcome of the other work.
    pub(super) beside: io::Result<()>,
}

/// Reads files from their beginning, and does something else meanwhile.
///
/// # Errors
/// Error of `pulse`, after everything was stopped.
pub(super) fn digests(
    files: &[&File],
    other_work: &(dyn Fn() -> io::Result<()> + Sync),
    pulse: Pulse<'_>,
) -> Result<Told, Refused> {
    let (next, n_read, is_over) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let results: Vec<Mutex<Option<io::Result<Digest>>>> =
        files.iter().map(|_| Mutex::default()).collect();
    let read = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let (Some(file), Some(slot)) = (files.get(index), results.get(index)) else { return };
            let mut count = |n| {
                n_read.fetch_add(n, Ordering::Relaxed);
                if is_over.load(Ordering::Relaxed) { Err(stop_refusal()) } else { Ok(()) }
            };
            let digest = digest(file, &mut count);
            let digest = digest.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()));
            if let Ok(mut slot) = slot.lock() {
                *slot = Some(digest);
            }
        }
    };
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    let n_threads = n_cores.min(MAX_AT_ONCE).min(files.len());
    let beside = std::thread::scope(|scope| {
        let (sender, receiver) = channel::<()>();
        for _ in 0..n_threads {
            let sender = sender.clone();
            scope.spawn(move || {
                read();
                drop(sender);
            });
        }
        let other_thread = scope.spawn(move || {
            let result = other_work();
            drop(sender);
            result
        });
        let mut n_reported = 0;
        // Nobody sends anything: the channel ends with the last of those who work.
        while let Err(RecvTimeoutError::Timeout) = receiver.recv_timeout(SIGN) {
            let n = n_read.load(Ordering::Relaxed);
            if let Err(refused) = pulse(n - n_reported) {
                is_over.store(true, Ordering::Relaxed);
                return Err(refused);
            }
            n_reported = n;
        }
        Ok(other_thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread ended"))))
    })?;
    let thread_error = || Err(io::Error::other("a thread ended"));
    let into_digest = |slot: Mutex<Option<io::Result<Digest>>>| {
        slot.into_inner().ok().flatten().unwrap_or_else(thread_error)
    };
    Ok(Told { digests: results.into_iter().map(into_digest).collect(), beside })
}

fn stop_refusal() -> Refused {
    refusal(RefusalCode::Cancelled, "reading was stopped", "deploy again").into()
}

#[cfg(test)]
mod tests {
    use super::super::disk::noop_pulse;
    use super::*;
    use std::io::Write as _;

    fn files(n: usize) -> Vec<File> {
        let file = |index: usize| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&vec![index as u8; 3 << 20]).unwrap();
            file.reopen().unwrap()
        };
        (0..n).map(file).collect()
    }

    #[test]
    fn digests_stand_in_the_order_of_the_files() {
        let files = files(9);
        let all: Vec<&File> = files.iter().collect();
        let outcome = digests(&all, &|| Ok(()), &mut noop_pulse).ok().unwrap();
        for (index, digest) in outcome.digests.into_iter().enumerate() {
            assert_eq!(digest.unwrap(), Digest::of_bytes(&vec![index as u8; 3 << 20]));
        }
        assert!(outcome.beside.is_ok());
    }

    #[test]
    fn a_pulse_that_fails_stops_the_reading() {
        let files = files(1);
        let wait = || {
            std::thread::sleep(SIGN * 2);
            Ok(())
        };
        let result = digests(&[&files[0]], &wait, &mut |_| Err(stop_refusal()));
        assert!(result.is_err());
    }

    #[test]
    fn what_fails_beside_the_reading_is_told() {
        let result = digests(&[], &|| Err(io::ErrorKind::StorageFull.into()), &mut noop_pulse);
        assert!(result.ok().unwrap().beside.is_err());
    }
}
