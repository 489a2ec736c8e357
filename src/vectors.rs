//! Vectors: inner loops compiled for the widest vectors of common processors, chosen at run time.
//!
//! Takes a loop over fixed blocks or whole slices. What the loop calls must be marked
//! `#[inline(always)]`: what is not inlined stays as it was. Results are the same with and without:
//! integers are exact at any width, and nothing reorders floats.

/// Runs a loop with AVX2 where the processor has it, otherwise as it is.
macro_rules! wide {
    ($work:expr) => {{
        let ticket = $crate::vectors::Ticket;
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                let _ticket = ticket;
                $work
            },
        )
    }};
}

pub(crate) use wide;

/// Makes a closure that can be called once only, by giving itself away: others are called by a
/// detour that is not inlined.
pub(crate) struct Ticket;
