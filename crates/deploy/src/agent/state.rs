//! State: the releases and the deploy of a server, from the events of its journal. Pure.
//!
//! Takes events in order; gives the release that should be active, the one that waits for its
//! confirmation, and the work that was begun and not ended. Never looks at a disk.

use crate::wire::{Intent, Owner};
use cellgate_core::digest::Digest;
use serde::{Deserialize, Serialize};

/// Longest time for a confirmation, in milliseconds.
pub(super) const MAX_WINDOW_MS: u64 = 3_600_000;

/// Most confirmed releases that are remembered.
const MAX_GOOD: usize = 256;

/// Step that was done or, for an event that changes the disk, is about to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// A deploy has the lock.
    Began(Deploy),
    /// Every blob was read back; the release is about to get its name.
    Staged {
        /// Token of the lock.
        token: u64,
    },
    /// The release tested itself.
    Tested {
        /// Token of the lock.
        token: u64,
        /// The log of approvals that names the release's digests.
        approvals: Seen,
    },
    /// `current` is about to be exchanged.
    Switching(Pending),
    /// The release is kept.
    Confirmed {
        /// Token of the lock.
        token: u64,
        /// The release's place in the order.
        sequence: u64,
    },
    /// `current` is about to be rolled back.
    RollingBack(Rollback),
    /// `current` was rolled back.
    RolledBack(Rollback),
    /// A deploy ended before its switch.
    Aborted {
        /// Token of the lock.
        token: u64,
        /// Why.
        reason: String,
    },
    /// There is nothing to roll back to; the release stays.
    Stranded {
        /// Token of the lock.
        token: u64,
        /// Why.
        reason: String,
    },
    /// `current` pointed elsewhere than it should; it is about to be set right.
    Restored {
        /// Where it pointed.
        found: String,
    },
    /// Releases are about to be removed.
    Pruned {
        /// Which.
        releases: Vec<Digest>,
    },
    /// The journal goes on from here.
    Continued(Box<State>),
}

/// A deploy that has, or had, the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deploy {
    /// Name of the deploy, the same for each attempt.
    pub key: String,
    /// Counts locks.
    pub token: u64,
    /// Release that is deployed.
    pub release: Digest,
    /// Release that was active before.
    pub base: Option<Digest>,
    /// Forward or back.
    pub intent: Intent,
    /// Who deploys.
    pub owner: Owner,
}

/// A release that waits for its confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// Token of the lock.
    pub token: u64,
    /// Name of the deploy.
    pub key: String,
    /// The release.
    pub release: Digest,
    /// Release that was active before.
    pub base: Option<Digest>,
    /// Name of the machine's start.
    pub boot: String,
    /// Until when it may be confirmed, in milliseconds since the machine's start.
    pub deadline_ms: u64,
}

impl Pending {
    /// Whether its time is over; also when it is farther away than any window is long, for then the
    /// clock was set back and would never come there.
    #[must_use]
    pub fn is_over(&self, now_ms: u64) -> bool {
        self.deadline_ms <= now_ms || MAX_WINDOW_MS < self.deadline_ms - now_ms
    }
}

/// A way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// Token of the lock of the deploy that is rolled back.
    pub token: u64,
    /// The release that is left.
    pub from: Digest,
    /// The release that is active again; none after a first deploy.
    pub to: Option<Digest>,
    /// Why.
    pub reason: String,
}

/// How far a log of approvals was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Its bytes.
    pub n_bytes: u64,
    /// Digest of these bytes.
    pub sha256: Digest,
}

/// How the last deploy ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// Token of its lock.
    pub token: u64,
    /// Release that was deployed.
    pub release: Digest,
    /// Why it was taken back; none when it was confirmed.
    pub failure: Option<String>,
}

/// State of a server after the events of its journal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Highest token given.
    pub token: u64,
    /// Release that should be active while nothing is pending.
    pub active: Option<Digest>,
    /// Release that was active before it.
    pub previous: Option<Digest>,
    /// Confirmed releases, the latest last.
    pub good: Vec<Digest>,
    /// Highest sequence confirmed.
    pub sequence: u64,
    /// The log of approvals of the last confirmed release.
    pub approvals: Option<Seen>,
    /// The deploy that has, or had, the lock.
    pub deploy: Option<Deploy>,
    /// The log of approvals of that deploy.
    pub tested: Option<Seen>,
    /// Whether its release is complete next to the active one.
    pub is_staged: bool,
    /// Release that waits for its confirmation.
    pub pending: Option<Pending>,
    /// A way back that was begun.
    pub rolling_back: Option<Rollback>,
    /// How the last deploy ended.
    pub ended: Option<Ended>,
    /// Why manual repair is needed.
    pub stranded: Option<String>,
}

impl State {
    /// Takes the next event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Began(deploy) => {
                self.token = self.token.max(deploy.token);
                self.deploy = Some(deploy.clone());
                self.tested = None;
                self.is_staged = false;
            }
            Event::Staged { .. } => self.is_staged = true,
            Event::Tested { approvals, .. } => self.tested = Some(*approvals),
            Event::Switching(pending) => self.pending = Some(pending.clone()),
            Event::Confirmed { token, sequence } => self.confirm(*token, *sequence),
            Event::RollingBack(rollback) => self.rolling_back = Some(rollback.clone()),
            Event::RolledBack(rollback) => {
                self.active = rollback.to;
                if self.previous == self.active {
                    self.previous =
                        self.good.iter().rev().find(|one| Some(**one) != self.active).copied();
                }
                self.end(rollback.token, rollback.from, Some(rollback.reason.clone()));
            }
            Event::Aborted { token, reason } => {
                if let Some(deploy) = self.deploy.clone().filter(|one| one.token == *token) {
                    self.end(*token, deploy.release, Some(reason.clone()));
                }
            }
            Event::Stranded { token, reason } => {
                if let Some(pending) = self.pending.clone() {
                    self.active = Some(pending.release);
                    self.end(*token, pending.release, Some(reason.clone()));
                }
                self.stranded = Some(reason.clone());
            }
            Event::Restored { .. } => {}
            Event::Pruned { releases } => self.good.retain(|good| !releases.contains(good)),
            Event::Continued(state) => *self = (**state).clone(),
        }
    }

    fn confirm(&mut self, token: u64, sequence: u64) {
        let Some(pending) = self.pending.clone().filter(|pending| pending.token == token) else {
            return;
        };
        let release = pending.release;
        if self.active != Some(release) {
            self.previous = self.active;
        }
        self.active = Some(release);
        self.good.retain(|good| *good != release);
        self.good.push(release);
        let surplus = self.good.len().saturating_sub(MAX_GOOD);
        self.good.drain(..surplus);
        self.sequence = self.sequence.max(sequence);
        self.approvals = self.tested.or(self.approvals);
        self.stranded = None;
        self.end(token, release, None);
    }

    fn end(&mut self, token: u64, release: Digest, failure: Option<String>) {
        self.pending = None;
        self.rolling_back = None;
        self.deploy = None;
        self.tested = None;
        self.is_staged = false;
        self.ended = Some(Ended { token, release, failure });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(name: &str) -> Digest {
        Digest::of_bytes(name.as_bytes())
    }

    fn switching_event(state: &State, token: u64, name: &str) -> Event {
        Event::Switching(Pending {
            token,
            key: "k".to_owned(),
            release: release(name),
            base: state.active,
            boot: "b".to_owned(),
            deadline_ms: 1,
        })
    }

    fn confirmed_state(names: &[&str]) -> State {
        let mut state = State::default();
        for (token, name) in (1..).zip(names) {
            state.apply(&switching_event(&state.clone(), token, name));
            state.apply(&Event::Confirmed { token, sequence: token });
        }
        state
    }

    #[test]
    fn confirmed_releases_are_good_in_order() {
        let state = confirmed_state(&["a", "b", "c", "a"]);
        assert_eq!(state.good, [release("b"), release("c"), release("a")]);
        assert_eq!((state.active, state.previous), (Some(release("a")), Some(release("c"))));
        assert_eq!(state.sequence, 4);
    }

    #[test]
    fn a_confirmation_of_another_lock_changes_nothing() {
        let mut state = confirmed_state(&["a"]);
        state.apply(&switching_event(&state.clone(), 7, "b"));
        let before = state.clone();
        state.apply(&Event::Confirmed { token: 6, sequence: 9 });
        assert_eq!(state, before);
    }

    #[test]
    fn a_rollback_leaves_what_was_active() {
        let mut state = confirmed_state(&["a", "b"]);
        state.apply(&switching_event(&state.clone(), 3, "c"));
        let (from, to) = (release("c"), Some(release("b")));
        let rollback = Rollback { token: 3, from, to, reason: "why".to_owned() };
        state.apply(&Event::RollingBack(rollback.clone()));
        state.apply(&Event::RolledBack(rollback));
        assert_eq!((state.active, state.previous), (Some(release("b")), Some(release("a"))));
        assert!(state.pending.is_none() && state.rolling_back.is_none());
        assert_eq!(state.ended.unwrap().failure.unwrap(), "why");
    }
}
