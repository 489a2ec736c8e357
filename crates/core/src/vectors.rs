//! Vectors: inner loops compiled for the widest vectors of common processors, chosen at run time.
//!
//! Takes a loop over fixed blocks or whole slices. What the loop calls must be marked
//! `#[inline(always)]`: what is not inlined stays as it was. Results are the same with and without:
//! integers are exact at any width, and nothing reorders floats.

/// Runs a loop with AVX2 where the processor has it, otherwise as it is.
///
/// The work may be any expression; it must not reorder floats. For the crates of this workspace.
#[doc(hidden)]
#[macro_export]
macro_rules! dispatch_simd {
    ($work:expr) => {{
        let ticket = $crate::vectors::Ticket;
        $crate::vectors::Arch::new().dispatch(
            #[inline(always)]
            || {
                let _ticket = ticket;
                $work
            },
        )
    }};
}

pub use dispatch_simd;

#[doc(hidden)]
pub use pulp::Arch;

/// Makes a closure that can be called once only, by giving itself away: others are called by a
/// detour that is not inlined.
#[derive(Debug)]
pub struct Ticket;

pub(crate) use pulp::{Simd, WithSimd};

/// Runs work that is written over vectors of floats: with AVX2 and fused multiplication where the
/// processor has them, with Neon on ARM, otherwise over blocks of eight that any processor computes.
///
/// Unlike [`dispatch_simd!`] the last bits of results may differ between processors.
#[inline]
pub(crate) fn run_simd<W: WithSimd>(work: W) -> W::Output {
    #[cfg(test)]
    if portable::is_wanted() {
        return run_portable(work);
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return pulp::Simd::vectorize(simd, work);
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(simd) = pulp::aarch64::Neon::try_new() {
        return pulp::Simd::vectorize(simd, work);
    }
    run_portable(work)
}

/// Runs the same over blocks of eight that any processor computes.
#[inline]
pub(crate) fn run_portable<W: WithSimd>(work: W) -> W::Output {
    pulp::Simd::vectorize(pulp::Scalar256b, work)
}

/// Results of other processors, computed on this one.
#[cfg(test)]
pub(crate) mod portable {
    use std::cell::Cell;

    thread_local!(static IS_WANTED: Cell<bool> = const { Cell::new(false) });

    /// Whether this thread computes as any processor can.
    pub(crate) fn is_wanted() -> bool {
        IS_WANTED.get()
    }

    /// Runs work on threads of its own that compute as any processor can.
    pub(crate) fn run<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        let pool = rayon::ThreadPoolBuilder::new().start_handler(|_| IS_WANTED.set(true));
        pool.build().unwrap().install(work)
    }
}
