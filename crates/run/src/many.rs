//! Many: one job for each of many items, several at a time, results in the order of the items.
//!
//! Everything that runs a profile on more than one image goes through here: the command, the gate,
//! what a deploy measures for comparison later. What waits is bounded, so that memory depends on the
//! machine's cores and not on the number of images.

use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most items for each thread that are begun before the results of the first of them are taken.
const PER_THREAD: usize = 4;

/// Says how far a long work is: how many are done, of how many, and which was the last.
pub struct Progress<'a> {
    n_done: AtomicUsize,
    n_total: usize,
    tell: &'a (dyn Fn(usize, usize, &str) + Sync),
}

impl<'a> Progress<'a> {
    /// Nothing is done yet of `n_total`.
    #[must_use]
    pub fn new(n_total: usize, tell: &'a (dyn Fn(usize, usize, &str) + Sync)) -> Self {
        Self { n_done: AtomicUsize::new(0), n_total, tell }
    }

    /// One more is done; called from any thread.
    pub fn advance(&self, name: &str) {
        (self.tell)(self.n_done.fetch_add(1, Ordering::Relaxed) + 1, self.n_total, name);
    }
}

impl std::fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.n_done.load(Ordering::Relaxed), self.n_total)
    }
}

/// Makes a result of each item, at most `n_at_once` at the same time, and takes the results in the
/// items' order.
///
/// `make` runs on the threads of the pool, `take` on the caller's. At most four results for each
/// thread wait to be taken.
///
/// # Errors
/// The first that `take` gives; items that were not begun by then are left.
///
/// # Examples
/// ```
/// use cellgate_run::many::run_many;
/// let mut squares = Vec::new();
/// let result: Result<(), ()> =
///     run_many(&[1, 2, 3], usize::MAX, |n| n * n, |square| Ok(squares.push(square)));
/// assert_eq!((result, squares), (Ok(()), vec![1, 4, 9]));
/// ```
pub fn run_many<T: Sync, R: Send, E>(
    items: &[T],
    n_at_once: usize,
    make: impl Fn(&T) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let window = n_at_once.min(PER_THREAD * rayon::current_num_threads()).max(1);
    for chunk in items.chunks(window) {
        let results: Vec<R> = chunk.par_iter().map(&make).collect();
        results.into_iter().try_for_each(&mut take)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_few_wait() {
        let items: Vec<usize> = (0..200).collect();
        let (n_started, peak, n_taken) =
            (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let make = |&item: &usize| {
            let n_begun = n_started.fetch_add(1, Ordering::SeqCst) + 1;
            peak.fetch_max(n_begun - n_taken.load(Ordering::SeqCst), Ordering::SeqCst);
            item
        };
        let mut results = Vec::new();
        let result: Result<(), ()> = run_many(&items, usize::MAX, make, |item| {
            n_taken.fetch_add(1, Ordering::SeqCst);
            results.push(item);
            Ok(())
        });
        assert_eq!((result, results), (Ok(()), items));
        assert!(peak.into_inner() <= PER_THREAD * rayon::current_num_threads());
    }

    #[test]
    fn the_first_error_ends_it() {
        let n_started = AtomicUsize::new(0);
        let items = [(); 1000];
        let make = |(): &()| n_started.fetch_add(1, Ordering::SeqCst);
        assert_eq!(
            run_many(&items, 2, make, |n| if n == 0 { Ok(()) } else { Err("full") }),
            Err("full")
        );
        assert!(n_started.into_inner() <= 2);
    }

    #[test]
    fn progress_counts_what_is_done() {
        let calls = std::sync::Mutex::new(Vec::new());
        let record = |done: usize, total: usize, name: &str| {
            calls.lock().unwrap().push((done, total, name.to_owned()));
        };
        let progress = Progress::new(2, &record);
        progress.advance("a");
        progress.advance("b");
        let calls = calls.into_inner().unwrap();
        assert_eq!(calls, [(1, 2, "a".to_owned()), (2, 2, "b".to_owned())]);
    }
}
