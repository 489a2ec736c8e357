//! Recovery: the steps after any end of an agent, from the journal and the disk alone.
//!
//! `next_step` is pure. `recover` does what it says, step by step, under the lock, until nothing is
//! left to do; each step is in the journal before it is done.

use super::disk::{self, CURRENT, PREVIOUS, Pointed, noop_pulse};
use super::fault::Point;
use super::journal::Journal;
use super::quarantine;
use super::refuse::{Refused, io_refusal};
use super::stage;
use super::state::{Event, Pending, Rollback, State};
use super::world::World;
use cellgate_core::digest::Digest;

/// Most steps of one recovery; two would do.
const MAX_STEPS: usize = 8;
const ROLLBACK: [Point; 3] = [Point::RollbackLink, Point::RollbackMove, Point::RollbackSync];
const PREVIOUS_POINTS: [Point; 3] = [Point::PreviousMove; 3];

/// Pointers on the disk, and time since the machine's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sight {
    /// Where `current` points.
    pub(super) current: Pointed,
    /// Where `previous` points.
    pub(super) previous: Pointed,
    /// Name of the machine's start.
    pub(super) boot: String,
    /// Milliseconds since the machine's start.
    pub(super) now_ms: u64,
}

/// Step of a recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A way back was begun and is to be ended.
    EndRollback(Rollback),
    /// The pending release is to be rolled back.
    RollBack(Pending, String),
    /// `current` points elsewhere than the journal says.
    Restore(Option<Digest>, String),
    /// `previous` points elsewhere than the journal says.
    PointPrevious(Option<Digest>),
}

/// The next step of a recovery; `None` when journal and disk agree.
#[must_use]
pub(super) fn next_step(state: &State, sight: &Sight) -> Option<Step> {
    if let Some(rollback) = &state.rolling_back {
        return Some(Step::EndRollback(rollback.clone()));
    }
    if let Some(pending) = &state.pending {
        let reason = if pending.boot != sight.boot {
            "the server was restarted before the release was confirmed"
        } else if pending.is_over(sight.now_ms) {
            "the release was not confirmed in time"
        } else if sight.current.release() != Some(pending.release) {
            "the switch was interrupted"
        } else {
            return None;
        };
        return Some(Step::RollBack(pending.clone(), reason.to_owned()));
    }
    let is_nowhere = |pointed: &Pointed| *pointed == Pointed::Nowhere;
    let agrees = |pointed: &Pointed, id: Option<Digest>| {
        pointed.release() == id && (id.is_some() || is_nowhere(pointed))
    };
    if !agrees(&sight.current, state.active) {
        let found = match &sight.current {
            Pointed::Nowhere => "nowhere".to_owned(),
            Pointed::Release(id) => id.to_string(),
            Pointed::Elsewhere(target) => crate::release::path::escape_for_display(target),
        };
        return Some(Step::Restore(state.active, found));
    }
    (!agrees(&sight.previous, state.previous)).then_some(Step::PointPrevious(state.previous))
}

/// Brings journal and disk together, for the holder of the lock.
///
/// # Errors
/// `failed`, with the disk and the journal as they were after the last whole step.
pub(super) fn recover(world: &World, journal: &mut Journal) -> Result<(), Refused> {
    for _ in 0..MAX_STEPS {
        let Some(step) = next_step(journal.state(), &sight(world)?) else { break };
        match step {
            Step::EndRollback(rollback) => end_rollback(world, journal, rollback)?,
            Step::RollBack(pending, reason) => roll_back(world, journal, &pending, &reason)?,
            Step::Restore(active, found) => {
                journal.append(world, Event::Restored { found })?;
                set_pointer(world, CURRENT, active, ROLLBACK)?;
            }
            Step::PointPrevious(previous) => {
                set_pointer(world, PREVIOUS, previous, PREVIOUS_POINTS)?;
            }
        }
    }
    // The holder of the lock stages nothing yet: what looks half built is left. It is in
    // nobody's way until the next deploy, which asks for its removal.
    let _ = stage::clean(world);
    Ok(())
}

/// Whether anything is left to do, as far as can be seen without the lock.
///
/// # Errors
/// `failed`.
pub(super) fn is_needed(world: &World) -> Result<bool, Refused> {
    let state = super::journal::peek(world)?.state;
    Ok(next_step(&state, &sight(world)?).is_some() || stage::has_leftovers(world))
}

fn sight(world: &World) -> Result<Sight, Refused> {
    let read_pointer = |name| disk::read_pointer(world, name).map_err(io_refusal("a pointer"));
    Ok(Sight {
        current: read_pointer(CURRENT)?,
        previous: read_pointer(PREVIOUS)?,
        boot: world.boot.clone(),
        now_ms: world.now_ms(),
    })
}

/// Rolls back what is pending: to what was active before, or to the latest good release that holds.
///
/// # Errors
/// As [`recover`].
pub(super) fn roll_back(
    world: &World,
    journal: &mut Journal,
    pending: &Pending,
    reason: &str,
) -> Result<(), Refused> {
    let is_whole = |id: Digest| {
        disk::manifest(world, id)
            .and_then(|release| disk::damages(world, &release, &mut noop_pulse))
            .is_ok_and(|damages| damages.is_empty())
    };
    let to = match pending.base {
        None => None,
        Some(base) => {
            let good = journal.state().good.iter().rev().copied();
            let others = good.filter(|id| *id != base && *id != pending.release);
            match std::iter::once(base).chain(others).find(|id| is_whole(*id)) {
                Some(id) => Some(id),
                None => {
                    let reason = format!("{reason}, and no former release is whole any more");
                    let token = pending.token;
                    return Ok(journal.append(world, Event::Stranded { token, reason })?);
                }
            }
        }
    };
    let (token, from, reason) = (pending.token, pending.release, reason.to_owned());
    let rollback = Rollback { token, from, to, reason };
    journal.append(world, Event::RollingBack(rollback.clone()))?;
    end_rollback(world, journal, rollback)
}

fn end_rollback(world: &World, journal: &mut Journal, rollback: Rollback) -> Result<(), Refused> {
    set_pointer(world, CURRENT, rollback.to, ROLLBACK)?;
    journal.append(world, Event::RolledBack(rollback.clone()))?;
    let is_kept =
        rollback.to == Some(rollback.from) || journal.state().good.contains(&rollback.from);
    if !is_kept {
        // What failed is kept as evidence; where that fails, pruning takes it.
        let _ = quarantine::put_release(world, rollback.from, &rollback.reason);
    }
    Ok(())
}

fn set_pointer(
    world: &World,
    pointer: &str,
    id: Option<Digest>,
    points: [Point; 3],
) -> Result<(), Refused> {
    let target = id.map(|id| format!("releases/{id}"));
    world.root.point(points, pointer, target.as_deref()).map_err(io_refusal("a pointer"))
}

#[cfg(test)]
mod tests {
    use super::super::state::MAX_WINDOW_MS;
    use super::*;

    fn release(name: &str) -> Digest {
        Digest::of_bytes(name.as_bytes())
    }

    fn state() -> State {
        State {
            active: Some(release("b")),
            previous: Some(release("a")),
            pending: Some(Pending {
                token: 1,
                key: "k".to_owned(),
                release: release("c"),
                base: Some(release("b")),
                boot: "boot".to_owned(),
                deadline_ms: 100,
            }),
            ..State::default()
        }
    }

    fn sight(current: &str, boot: &str, now_ms: u64) -> Sight {
        Sight {
            current: Pointed::Release(release(current)),
            previous: Pointed::Release(release("a")),
            boot: boot.to_owned(),
            now_ms,
        }
    }

    #[track_caller]
    fn assert_rolls_back(sight: &Sight, says: &str) {
        match next_step(&state(), sight) {
            Some(Step::RollBack(_, reason)) => assert!(reason.contains(says), "{reason}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_pending_waits_until_its_time_and_no_longer() {
        assert_eq!(next_step(&state(), &sight("c", "boot", 99)), None);
        assert_rolls_back(&sight("c", "boot", 100), "in time");
        let pending = Pending { deadline_ms: 99 + MAX_WINDOW_MS + 1, ..state().pending.unwrap() };
        let far = State { pending: Some(pending.clone()), ..state() };
        let step = next_step(&far, &sight("c", "boot", 99));
        assert!(matches!(step, Some(Step::RollBack(..))), "a clock that was set back: {step:?}");
        assert_eq!(next_step(&far, &sight("c", "boot", 100)), None);
        assert_rolls_back(&sight("c", "another", 1), "restarted");
        assert_rolls_back(&sight("b", "boot", 1), "interrupted");
    }

    #[test]
    fn a_way_back_that_was_begun_comes_before_everything_else() {
        let (from, to) = (release("c"), Some(release("b")));
        let rollback = Rollback { token: 1, from, to, reason: "why".to_owned() };
        let state = State { rolling_back: Some(rollback.clone()), ..state() };
        assert_eq!(next_step(&state, &sight("c", "boot", 1)), Some(Step::EndRollback(rollback)));
    }

    #[test]
    fn pointers_that_disagree_with_the_journal_are_set_right() {
        let state = State { pending: None, ..state() };
        assert_eq!(next_step(&state, &sight("b", "boot", 1)), None);
        let step = next_step(&state, &sight("x", "boot", 1));
        assert_eq!(step, Some(Step::Restore(state.active, release("x").to_string())));
        let elsewhere = Pointed::Elsewhere("/etc/\u{202e}".to_owned());
        let sight = Sight { current: elsewhere, ..sight("b", "boot", 1) };
        let step = next_step(&state, &sight);
        assert_eq!(step, Some(Step::Restore(state.active, "/etc/\\u{202e}".to_owned())));
        let sight = Sight { current: Pointed::Nowhere, previous: Pointed::Nowhere, ..sight };
        let fresh = State::default();
        assert_eq!(next_step(&fresh, &sight), None);
    }
}
