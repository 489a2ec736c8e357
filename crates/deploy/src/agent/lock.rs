//! Lock: one deploy at a time.
//!
//! The kernel holds the lock for as long as the agent's process lives, so that no death leaves it
//! behind. A lease next to it shows who holds it and since when. A holder that is alive and stalled
//! is ended before anybody takes its place: what is dead writes nothing late.

use super::fault::Point;
use super::refuse::{Refused, io_refusal, refusal};
use super::world::World;
use crate::wire::{LockStatus, Owner, Refusal, RefusalCode};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::time::{Duration, Instant};

const FILE: &str = "lock";
const LEASE: &str = "lease.json";
const MAX_LEASE_BYTES: u64 = 16 << 10;
/// How long a killed holder may take to let go.
const LETTING_GO: Duration = Duration::from_secs(5);
/// Between two looks at a lock that is held.
const LOOK: Duration = Duration::from_millis(20);

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lease {
    /// Name of the deploy.
    pub(super) key: String,
    /// Token of the lock; 0 for one that deploys nothing.
    pub(super) token: u64,
    /// Who.
    pub(super) owner: Owner,
    /// Process of the holder.
    pub(super) pid: i32,
    /// When that process started, so that another with its number is not taken for it.
    pub(super) started: String,
    /// Name of the machine's start.
    pub(super) boot: String,
    /// Since when, in milliseconds since the machine's start.
    pub(super) taken_ms: u64,
    /// When it was renewed last, likewise.
    pub(super) renewed_ms: u64,
}

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
    lease: Lease,
}

impl Lock {
    /// Takes the lock, waiting for at most `patience`; ends a holder that is stalled, or that
    /// belongs to the same deploy and lost its connection.
    ///
    /// # Errors
    /// `locked` with who holds it, and `failed`.
    pub(super) fn take(
        world: &World,
        key: &str,
        owner: &Owner,
        patience: Duration,
    ) -> Result<Self, Refused> {
        let state = world.folder("state").map_err(io_refusal("the lock"))?;
        let file = state.open_own(Point::LockOpen, FILE).map_err(io_refusal("the lock"))?;
        let until = Instant::now() + patience;
        while !try_lock(&file)? {
            let holder = lease(world);
            let is_stalled = holder.as_ref().is_some_and(|lease| lease.is_stalled(world));
            let is_own = holder.as_ref().is_some_and(|lease| lease.token != 0 && lease.key == key);
            if is_stalled || is_own {
                kill_holder(holder.as_ref(), world);
                await_unlock(&file, holder.as_ref(), world)?;
                break;
            }
            if until <= Instant::now() {
                return Err(locked_refusal(holder.as_ref(), world));
            }
            std::thread::sleep(LOOK);
        }
        let now = world.now_ms();
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let lease = Lease {
            key: key.to_owned(),
            token: 0,
            owner: owner.clone(),
            pid,
            started: start_time(pid).unwrap_or_default(),
            boot: world.boot.clone(),
            taken_ms: now,
            renewed_ms: now,
        };
        let mut lock = Self { _file: file, lease };
        lock.renew(world)?;
        Ok(lock)
    }

    /// Records the token of the deploy that the lock was taken for.
    ///
    /// # Errors
    /// `failed`.
    pub(super) fn set_token(&mut self, world: &World, token: u64) -> Result<(), Refused> {
        self.lease.token = token;
        self.renew(world)
    }

    /// Reports that the holder is alive, when it is time to.
    ///
    /// # Errors
    /// `failed`.
    pub(super) fn renew_if_due(&mut self, world: &World) -> Result<(), Refused> {
        let quarter = world.lease.as_millis() as u64 / 4;
        if self.lease.renewed_ms + quarter < world.now_ms() { self.renew(world) } else { Ok(()) }
    }

    fn renew(&mut self, world: &World) -> Result<(), Refused> {
        self.lease.renewed_ms = world.now_ms();
        let text = serde_json::to_vec(&self.lease).unwrap_or_default();
        let state = world.folder("state").map_err(io_refusal("the lease"))?;
        // It speaks of a process, which ends with the power: the disk need not have it.
        state.replace(Point::LeaseWrite, LEASE, &text).map_err(io_refusal("the lease"))
    }
}

/// Who holds the lock; `None` when nobody does.
#[must_use]
pub(super) fn holder(world: &World) -> Option<LockStatus> {
    let state = world.folder("state").ok()?;
    let file = state.open(FILE).ok()?;
    // A lock that can be shared for a moment is held by nobody.
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
        return None;
    }
    Some(lease(world).map_or_else(
        || LockStatus { owner: Owner::default(), age_ms: 0 },
        |lease| lease.status(world),
    ))
}

/// The lease; `None` when it cannot be read.
#[must_use]
pub(super) fn lease(world: &World) -> Option<Lease> {
    let bytes = world.folder("state").ok()?.read(LEASE, MAX_LEASE_BYTES).ok()??;
    serde_json::from_slice(&bytes).ok()
}

impl Lease {
    fn is_stalled(&self, world: &World) -> bool {
        let age = world.now_ms().saturating_sub(self.renewed_ms);
        self.boot == world.boot && (world.lease.as_millis() as u64) < age
    }

    fn status(&self, world: &World) -> LockStatus {
        LockStatus {
            owner: self.owner.clone(),
            age_ms: world.now_ms().saturating_sub(self.taken_ms),
        }
    }
}

fn try_lock(file: &File) -> Result<bool, Refused> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(io_refusal("the lock")(error.into())),
    }
}

/// Waits until a holder that was ended has let go.
fn await_unlock(file: &File, holder: Option<&Lease>, world: &World) -> Result<(), Refused> {
    let until = Instant::now() + LETTING_GO;
    while !try_lock(file)? {
        if until <= Instant::now() {
            return Err(locked_refusal(holder, world));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// Kills the process that the lease names, if it is still that process.
#[cfg(target_os = "linux")]
fn kill_holder(holder: Option<&Lease>, world: &World) {
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    let Some(lease) = holder.filter(|lease| lease.boot == world.boot) else { return };
    let Some(pid) = Pid::from_raw(lease.pid) else { return };
    // Opened first, compared then: the number cannot be given to another process in between.
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    let is_same = !lease.started.is_empty() && start_time(lease.pid) == Some(lease.started.clone());
    if is_same && pid != rustix::process::getpid() {
        let _ = pidfd_send_signal(process, Signal::KILL);
    }
}

/// Elsewhere a holder is waited for and never ended.
#[cfg(not(target_os = "linux"))]
fn kill_holder(_holder: Option<&Lease>, _world: &World) {}

/// When a process started, in the kernel's own count.
fn start_time(pid: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name may hold spaces and ends with the last parenthesis; the start is the
    // twentieth word behind it (proc_pid_stat(5), field 22).
    let (_, after) = stat.rsplit_once(')')?;
    after.split_whitespace().nth(19).map(str::to_owned)
}

fn locked_refusal(holder: Option<&Lease>, world: &World) -> Refused {
    let status = holder.map(|lease| lease.status(world));
    let message = match status {
        None => "another deploy has the lock".to_owned(),
        Some(LockStatus { owner, age_ms }) => {
            let run = if owner.run_url.is_empty() { owner.machine } else { owner.run_url };
            let age = age_ms / 1000;
            let who = non_empty_or(&owner.who, "another deploy");
            format!("{who} has had the lock for {age} s ({run})")
        }
    };
    let help = "wait for it to end; it lets go by itself when it ends, is canceled or dies";
    Refusal { retry_ms: Some(1000), ..refusal(RefusalCode::Locked, message, help) }.into()
}

fn non_empty_or<'a>(text: &'a str, other: &'a str) -> &'a str {
    if text.is_empty() { other } else { text }
}
