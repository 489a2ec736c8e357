//! Agent: the server side of deploy, started by sshd as a forced command.
//!
//! Speaks frames on two streams and owns everything below one root: blobs named by their digests,
//! releases built of them, and the pointer `current` that alone is changed. What it is about to do
//! is in the journal before it is done, so that any end of the agent, of the other side or of the
//! machine leaves a state that the next start brings to an end. Starts no shell, follows no link, and
//! trusts nothing that arrives before it was read back.

mod approvals;
mod conversation;
mod disk;
mod durable;
pub mod fault;
mod folder;
mod intake;
mod journal;
mod lock;
mod preflight;
mod prune;
mod quarantine;
mod reading;
mod receive;
mod record;
mod recovery;
mod refuse;
mod self_test;
mod sign;
mod stage;
mod state;
mod status;
mod work;
mod world;

pub use journal::{Journal, JournalError, Record};
pub use refuse::Refused;
pub use self_test::{SCHEMA as SELF_TEST_SCHEMA, SelfTest, TestedProfile, examine};
pub use state::{Event, State};
pub use world::{Settings, World};

use crate::wire::{ServerStatus, WireError, greet};
use std::io::{Read, Write};
use std::time::Duration;

/// Between two looks at what is pending.
const LOOK: Duration = Duration::from_millis(100);

/// Serves one connection; gives the token of what was switched to and may still be pending.
///
/// # Errors
/// [`WireError`] when the other side cannot be understood.
pub fn serve<R, W>(world: &World, mut reader: R, mut writer: W) -> Result<Option<u64>, WireError>
where
    R: Read + Send + 'static,
    W: Write,
{
    // What a former agent left is brought to an end, whatever is asked. Who has the lock has done so,
    // and a failure is reported to the first who asks for something.
    if recovery::is_needed(world).unwrap_or(false) {
        let nobody = crate::wire::Owner::default();
        let _ = work::Held::take(world, "recovery", &nobody, Duration::ZERO);
    }
    greet(&mut reader, &mut writer)?;
    conversation::converse(world, reader, writer)
}

/// Waits until the release that was switched to with a token is confirmed; rolls it back when its
/// time is over.
///
/// # Errors
/// Error of the journal or the disk, and those of [`guard`].
pub fn watch(world: &World, token: u64) -> Result<(), Refused> {
    loop {
        let pending = journal::peek(world)?.state.pending.filter(|one| one.token == token);
        match pending.map(|pending| work::left_ms(world, &pending)) {
            None => return Ok(()),
            Some(0) => {
                guard(world)?;
            }
            Some(left_ms) => std::thread::sleep(LOOK.min(Duration::from_millis(left_ms))),
        }
    }
}

/// Brings to an end what was begun: rolls back what was not confirmed in time or before a restart.
///
/// A timer and the start of the machine call this; it needs no connection.
///
/// # Errors
/// `locked` when a deploy is at work, `stranded` when manual repair is needed, `failed`.
pub fn guard(world: &World) -> Result<ServerStatus, Refused> {
    let held = work::Held::take_briefly(world, "the guard")?;
    let stranded = held.journal.state().stranded.clone();
    drop(held);
    match stranded {
        Some(reason) => Err(work::stranded_refusal(&reason)),
        None => status::status(world, false, &mut disk::noop_pulse),
    }
}

/// Reports the status; compares every byte of the active release when `verify` is set.
///
/// # Errors
/// `failed` with the error of the disk.
pub fn status(world: &World, verify: bool) -> Result<ServerStatus, Refused> {
    status::status(world, verify, &mut disk::noop_pulse)
}
