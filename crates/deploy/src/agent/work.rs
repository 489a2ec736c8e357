//! Work: the steps of a deploy, each under the lock and in the journal before it is done.
//!
//! Takes what was asked, gives what is answered. Every step may be asked for again: what the journal
//! says was done is not done twice.

use super::approvals;
use super::disk::{self, CURRENT, Pulse};
use super::fault::Point;
use super::journal::Journal;
use super::lock::Lock;
use super::preflight;
use super::quarantine;
use super::receive;
use super::recovery::{recover, roll_back};
use super::refuse::{Refused, io_refusal, protocol_refusal, refusal};
use super::self_test;
use super::stage;
use super::state::{Deploy, Event, MAX_WINDOW_MS, Pending};
use super::world::World;
use crate::release::{MAX_MANIFEST_BYTES, Release};
use crate::wire::{Base, Intent, Missing, Owner, Plan, RefusalCode, Reply};
use cellgate_core::digest::Digest;
use std::io;
use std::time::Duration;

/// Shortest and longest time for a confirmation, in milliseconds.
const WINDOW_MS: std::ops::RangeInclusive<u64> = 100..=MAX_WINDOW_MS;
/// How long a step that takes a moment waits for the lock.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a deploy waits for those who have the lock for a moment.
const MOMENT: Duration = Duration::from_millis(300);
/// Longest name of a deploy.
const MAX_KEY_BYTES: usize = 128;
const SWITCH: [Point; 3] = [Point::SwitchLink, Point::SwitchMove, Point::SwitchSync];

/// The lock, and the journal that only its holder writes.
#[derive(Debug)]
pub(super) struct Held {
    /// The lock.
    pub(super) lock: Lock,
    /// The journal.
    pub(super) journal: Journal,
}

impl Held {
    /// Takes the lock and brings journal and disk together.
    ///
    /// # Errors
    /// `locked`, `failed`, `stranded`.
    pub(super) fn take(
        world: &World,
        key: &str,
        owner: &Owner,
        patience: Duration,
    ) -> Result<Self, Refused> {
        let lock = Lock::take(world, key, owner, patience)?;
        let mut journal = Journal::open(world)?;
        recover(world, &mut journal)?;
        Ok(Self { lock, journal })
    }

    /// Takes the lock for a step of a moment.
    ///
    /// # Errors
    /// As [`Held::take`].
    pub(super) fn take_briefly(world: &World, what: &str) -> Result<Self, Refused> {
        let owner = Owner { who: what.to_owned(), ..Owner::default() };
        Self::take(world, what, &owner, PATIENCE)
    }
}

/// A deploy at work.
#[derive(Debug, Clone)]
pub(super) struct Working {
    /// Token of its lock.
    pub(super) token: u64,
    /// Its release.
    pub(super) release: Release,
    /// Forward or back.
    pub(super) intent: Intent,
}

/// A release that was planned, and its plan.
#[derive(Debug)]
pub(super) struct Planned {
    /// The release.
    pub(super) release: Release,
    /// The plan.
    pub(super) plan: Plan,
}

/// Plans a deploy; changes nothing.
///
/// # Errors
/// `invalid`, `failed`, and the error of `pulse`.
pub(super) fn plan(world: &World, manifest: &[u8], pulse: Pulse<'_>) -> Result<Planned, Refused> {
    let release = parse(manifest)?;
    let state = super::journal::peek(world)?.state;
    let missing = receive::missing(world, &release)?;
    let mut refusals = preflight::refusals(world, &release, &missing)?;
    let order = preflight::check_order(&state, &release, Intent::Deploy);
    refusals.extend(order.err().map(|refused| *refused));
    let pointed = disk::read_pointer(world, CURRENT).map_err(io_refusal("a pointer"))?;
    let is_current = state.active == Some(release.id())
        && pointed.release() == Some(release.id())
        && state.pending.is_none();
    let is_active = is_current && disk::damages(world, &release, pulse)?.is_empty();
    let [free_bytes, ..] = world.root.disk_space().map_err(io_refusal("the disk"))?;
    let plan = Plan { active: state.active, is_active, missing, refusals, free_bytes };
    Ok(Planned { release, plan })
}

/// The release of a deploy that is about to begin, and what must be active for it to.
///
/// # Errors
/// `active`, `unknown`, `incomplete`; `protocol` for a deploy that was not planned.
pub(super) fn release_and_base(
    world: &World,
    planned: Option<&Planned>,
    release: Digest,
    base: Base,
    intent: Intent,
) -> Result<(Release, Option<Digest>), Refused> {
    let planned = planned.filter(|planned| planned.release.id() == release);
    let unplanned = || protocol_refusal("this connection has not planned the release");
    let base = match base {
        Base::Active(base) => base,
        Base::Planned => planned.ok_or_else(unplanned)?.plan.active,
    };
    if intent == Intent::Rollback {
        return Ok((disk::manifest(world, release)?, base));
    }
    let Planned { release, plan } = planned.ok_or_else(unplanned)?;
    if plan.is_active {
        let message = format!("release {} is active already", release.id().short());
        return Err(refusal(RefusalCode::Active, message, "there is nothing to do").into());
    }
    Ok((release.clone(), base))
}

/// Begins a deploy.
///
/// # Errors
/// `locked`, `pending`, `moved`, `replayed`, `unknown`, `preflight`, `failed`.
pub(super) fn begin(
    world: &World,
    release: Release,
    key: &str,
    owner: &Owner,
    base: Option<Digest>,
    intent: Intent,
) -> Result<(Held, Working, Vec<Missing>), Refused> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.:/".contains(c);
    if key.is_empty() || MAX_KEY_BYTES < key.len() || !key.chars().all(is_word) {
        let help = "give letters, digits, `-`, `_`, `.`, `:` and `/`";
        return Err(refusal(RefusalCode::Protocol, "the deploy has no proper name", help).into());
    }
    let owner = owner.bounded();
    let mut held = Held::take(world, key, &owner, MOMENT)?;
    let state = held.journal.state();
    if let Some(pending) = &state.pending {
        return Err(pending_refusal(world, pending));
    }
    if state.active != base {
        return Err(moved_refusal(state.active));
    }
    preflight::check_order(state, &release, intent)?;
    stage::clean(world)?;
    let missing = receive::missing(world, &release)?;
    let refusals = preflight::refusals(world, &release, &missing)?;
    if let Some(first) = refusals.first() {
        let all: Vec<&str> = refusals.iter().map(|one| &*one.message).collect();
        let message = all.join("; ");
        return Err(refusal(RefusalCode::Preflight, message, first.help.clone()).into());
    }
    keep_manifest(world, &release).map_err(io_refusal("the manifest"))?;
    let token = held.journal.state().token + 1;
    let deploy = Deploy { key: key.to_owned(), token, release: release.id(), base, intent, owner };
    held.journal.append(world, Event::Began(deploy))?;
    held.lock.set_token(world, token)?;
    Ok((held, Working { token, release, intent }, missing))
}

/// Keeps a manifest; it reaches the disk before its release is staged. One that is there already is
/// not touched: a former release must not lose it when the power goes.
fn keep_manifest(world: &World, release: &Release) -> io::Result<()> {
    let manifests = world.folder("manifests")?;
    let name = format!("{}.json", release.id());
    let existing = manifests.read(&name, MAX_MANIFEST_BYTES).ok().flatten();
    if existing.is_some_and(|bytes| bytes == release.bytes()) {
        return Ok(());
    }
    manifests.replace(Point::ManifestWrite, &name, release.bytes())
}

fn parse(manifest: &[u8]) -> Result<Release, Refused> {
    Release::parse(manifest).map_err(|error| {
        let help = "make the release anew by a cellgate of the server's version";
        refusal(RefusalCode::Invalid, error.to_string(), help).into()
    })
}

/// Verifies every blob and builds the release next to the active one.
///
/// # Errors
/// `incomplete`, `not-approved`, `failed`, and what `pulse` says.
pub(super) fn stage(
    world: &World,
    journal: &mut Journal,
    working: &Working,
    pulse: Pulse<'_>,
) -> Result<Reply, Refused> {
    let release = &working.release;
    let missing = stage::verify(world, release, pulse)?;
    if !missing.is_empty() {
        return Ok(Reply::Damaged { missing });
    }
    let is_there = world.root.walk(["releases", &release.id().to_string()]).is_ok();
    if !is_there || !disk::damages(world, release, pulse)?.is_empty() {
        stage::build(world, release)?;
        journal.append(world, Event::Staged { token: working.token })?;
        stage::publish(world, release)?;
    } else {
        journal.append(world, Event::Staged { token: working.token })?;
    }
    Ok(Reply::Staged)
}

/// Asks for the approvals of the staged release, then lets it test itself. One that does not pass is
/// put aside and its deploy is over.
///
/// # Errors
/// `not-approved`, `self-test`, `incomplete` when it is not staged, `failed`, and what `pulse` says.
pub(super) fn test(
    world: &World,
    journal: &mut Journal,
    working: &Working,
    pulse: &mut dyn FnMut() -> Result<(), Refused>,
) -> Result<Reply, Refused> {
    let release = &working.release;
    if !journal.state().is_staged {
        let help = "stage the release first";
        return Err(refusal(RefusalCode::Incomplete, "the release is not staged", help).into());
    }
    let folder = world.path.join("releases").join(release.id().to_string());
    let (active, seen) = (journal.state().active, journal.state().approvals);
    let result = approvals::check(world, release, &folder, working.intent, active, seen)
        .and_then(|seen| Ok((seen, self_test::run(world, release, pulse)?)));
    match result {
        Ok((approvals, took)) => {
            journal.append(world, Event::Tested { token: working.token, approvals })?;
            Ok(Reply::SelfTested { took_ms: took.as_millis() as u64 })
        }
        Err(refused) => {
            let is_used =
                active == Some(release.id()) || journal.state().good.contains(&release.id());
            let is_final =
                [RefusalCode::SelfTest, RefusalCode::NotApproved].contains(&refused.code);
            if is_final && !is_used {
                // What cannot be put aside now is pruned later; it was never active.
                let _ = quarantine::put_release(world, release.id(), &refused.message);
            }
            Err(refused)
        }
    }
}

/// Makes the staged and tested release the active one, until it is confirmed or the time is over.
///
/// # Errors
/// `moved`, `incomplete`; `rolled-back` when the switch failed and was taken back; `failed`.
pub(super) fn switch(
    world: &World,
    journal: &mut Journal,
    working: &Working,
    window_ms: u64,
) -> Result<Pending, Refused> {
    let state = journal.state();
    let deploy = state.deploy.clone().filter(|deploy| deploy.token == working.token);
    let Some(deploy) = deploy.filter(|_| state.is_staged && state.tested.is_some()) else {
        let help = "stage and test the release first";
        return Err(refusal(RefusalCode::Incomplete, "the release is not tested", help).into());
    };
    if state.active != deploy.base {
        return Err(moved_refusal(state.active));
    }
    let window_ms = window_ms.clamp(*WINDOW_MS.start(), *WINDOW_MS.end());
    let pending = Pending {
        token: deploy.token,
        key: deploy.key,
        release: deploy.release,
        base: deploy.base,
        boot: world.boot.clone(),
        deadline_ms: world.now_ms() + window_ms,
    };
    journal.append(world, Event::Switching(pending.clone()))?;
    let target = format!("releases/{}", pending.release);
    let result = world.root.point(SWITCH, CURRENT, Some(&target));
    let result = result.map_err(io_refusal("the switch"));
    let Err(refused) = result else { return Ok(pending) };
    roll_back(world, journal, &pending, &refused.message)?;
    Err(rolled_back_refusal(pending.release, &refused.message))
}

/// Keeps what was switched to.
///
/// # Errors
/// `rolled-back` when the time was over, `fenced` for another lock's token, `locked`, `failed`.
pub(super) fn confirm(world: &World, token: u64) -> Result<Digest, Refused> {
    let mut held = Held::take_briefly(world, "a confirmation")?;
    let state = held.journal.state();
    if let Some(reason) = state.stranded.clone().filter(|_| state.pending.is_none()) {
        return Err(stranded_refusal(&reason));
    }
    if let Some(ended) = state.ended.clone().filter(|ended| ended.token == token) {
        return match ended.failure {
            None => Ok(ended.release),
            Some(reason) => Err(rolled_back_refusal(ended.release, &reason)),
        };
    }
    let Some(pending) = state.pending.clone().filter(|pending| pending.token == token) else {
        let message = "there is nothing to confirm for this deploy";
        let help = "`cellgate status` shows what is active";
        return Err(refusal(RefusalCode::Fenced, message, help).into());
    };
    let sequence = disk::manifest(world, pending.release)?.sequence;
    held.journal.append(world, Event::Confirmed { token, sequence })?;
    // The release is confirmed; where `previous` cannot be set, the next holder of the lock sets it.
    let _ = recover(world, &mut held.journal);
    Ok(pending.release)
}

/// Rolls back what is pending for a token; gives what is active then.
///
/// # Errors
/// `locked`, `failed`, `stranded`.
pub(super) fn revoke(world: &World, token: u64, reason: &str) -> Result<Option<Digest>, Refused> {
    let mut held = Held::take_briefly(world, "a rollback")?;
    let pending = held.journal.state().pending.clone().filter(|pending| pending.token == token);
    if let Some(pending) = pending {
        let reason: String = reason.chars().filter(|c| !c.is_control()).take(300).collect();
        roll_back(world, &mut held.journal, &pending, &reason)?;
        recover(world, &mut held.journal)?;
    }
    let state = held.journal.state();
    match &state.stranded {
        Some(reason) => Err(stranded_refusal(reason)),
        None => Ok(state.active),
    }
}

/// How long what is pending may still be confirmed, in milliseconds.
#[must_use]
pub(super) fn left_ms(world: &World, pending: &Pending) -> u64 {
    let now_ms = world.now_ms();
    let is_open = pending.boot == world.boot && !pending.is_over(now_ms);
    if is_open { pending.deadline_ms - now_ms } else { 0 }
}

fn pending_refusal(world: &World, pending: &Pending) -> Refused {
    let remaining_ms = left_ms(world, pending);
    let message = format!(
        "release {} of deploy `{}` waits for its confirmation, for at most {} s",
        pending.release.short(),
        pending.key,
        remaining_ms.div_ceil(1000)
    );
    let help = "wait; it is confirmed or rolled back by then, whatever happens";
    let refusal = refusal(RefusalCode::Pending, message, help);
    Box::new(crate::wire::Refusal { retry_ms: Some(remaining_ms + 50), ..refusal })
}

fn moved_refusal(active: Option<Digest>) -> Refused {
    let active = active.map_or_else(|| "nothing".to_owned(), |id| id.short());
    let message = format!("the server has moved since the plan: {active} is active");
    refusal(
        RefusalCode::Moved,
        message,
        "look at the difference by `cellgate deploy --plan`, then deploy again",
    )
    .into()
}

fn rolled_back_refusal(release: Digest, reason: &str) -> Refused {
    let message = format!("release {} was rolled back: {reason}", release.short());
    let help = "the former release is active; the failed one is in `quarantine` on the server";
    refusal(RefusalCode::RolledBack, message, help).into()
}

/// Reports that manual repair is needed.
#[must_use]
pub(super) fn stranded_refusal(reason: &str) -> Refused {
    let help = "manual repair is needed: deploy a release that is known to be good, and look at the \
                server's disk";
    refusal(RefusalCode::Stranded, reason, help).into()
}
