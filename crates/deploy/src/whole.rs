//! Whole: a deploy or a rollback on one host, in the two steps between which other hosts wait.
//!
//! `prepare` brings a host as far as it gets without a change of what is active, `finish` switches and
//! confirms. `deploy` and `rollback` are both at once; `fleet` has all hosts prepared before the first
//! one is finished. There is no other way to switch a host.

use super::ending::{Ended, Failure};
use super::options::Options;
use super::prepared::Prepared;
use super::session::Session;
use super::transport::Transport;
use crate::release::Package;
use crate::wire::{Base, Refusal};
use cellgate_core::digest::Digest;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How often a host is prepared anew after its connection broke.
const MAX_ATTEMPTS: u32 = 3;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// Release that shall be active.
#[derive(Clone, Copy)]
pub enum Wanted<'a> {
    /// A release that is sent.
    Package(&'a Arc<Package>),
    /// A release that was confirmed there before; the previous one when none is named.
    Former(Option<Digest>),
}

/// How a deploy ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// The active release.
    pub release: Digest,
    /// Release that was active before.
    pub base: Option<Digest>,
    /// Whether it was active already and nothing was done.
    pub is_unchanged: bool,
    /// Bytes that were sent.
    pub n_sent: u64,
    /// Faults that do not affect the active release.
    pub warnings: Vec<String>,
}

/// How far a host is, with nothing switched by it yet.
pub enum Stage<'t, T> {
    /// The wanted release is active already.
    Done(Deployed),
    /// Ready to be switched.
    Ready(Box<Session<'t, T>>, Prepared),
}

/// Deploys a package on one host.
///
/// A connection that breaks before the switch is opened again; only what is missing is sent then.
///
/// # Errors
/// [`Failure`], whose exit code says what is active.
pub async fn deploy<T: Transport>(
    way: &T,
    package: &Arc<Package>,
    options: &Options,
) -> Result<Deployed, Failure> {
    prepare_and_finish(way, Wanted::Package(package), options).await
}

/// Goes back to a release that was confirmed before; to the previous one when none is named.
///
/// # Errors
/// [`Failure`], whose exit code says what is active.
pub async fn rollback<T: Transport>(
    way: &T,
    to: Option<Digest>,
    options: &Options,
) -> Result<Deployed, Failure> {
    prepare_and_finish(way, Wanted::Former(to), options).await
}

async fn prepare_and_finish<T: Transport>(
    way: &T,
    goal: Wanted<'_>,
    options: &Options,
) -> Result<Deployed, Failure> {
    match prepare(way, goal, Base::Planned, options).await? {
        Stage::Done(deployed) => Ok(deployed),
        Stage::Ready(mut session, prepared) => finish(&mut session, &prepared).await,
    }
}

/// Prepares a host; begins anew when the connection breaks, and sends only what is missing then.
///
/// `base` is what must be active: a deploy is refused where that has changed since a plan saw it.
///
/// # Errors
/// [`Failure`]; what is active is untouched.
pub async fn prepare<'t, T: Transport>(
    way: &'t T,
    goal: Wanted<'_>,
    base: Base,
    options: &Options,
) -> Result<Stage<'t, T>, Failure> {
    let mut attempt = 1;
    loop {
        match prepare_once(way, goal, base, options).await {
            Err(failure) if failure.is_transient() && attempt < MAX_ATTEMPTS => attempt += 1,
            result => return result,
        }
        sleep(PAUSE).await;
    }
}

async fn prepare_once<'t, T: Transport>(
    way: &'t T,
    goal: Wanted<'_>,
    base: Base,
    options: &Options,
) -> Result<Stage<'t, T>, Failure> {
    let mut session = Session::open(way, options.clone()).await?;
    let prepared = match goal {
        Wanted::Package(package) => {
            let offered = session.offer(package.release(), base).await?;
            if offered.plan.is_active {
                let release = package.release().id();
                return Ok(Stage::Done(unchanged_outcome(release, offered.plan.active)));
            }
            check_unmoved(base, offered.plan.active)?;
            check_refusals(&offered.plan.refusals)?;
            session.prepare_offered(package, offered).await?
        }
        Wanted::Former(to) => {
            let status = session.status(false).await?;
            let Some(release) = to.or(status.previous) else {
                let text = "there is no release to go back to: none was active before this one";
                return Err(Failure::new(Ended::Refused, text));
            };
            if status.active == Some(release) && status.pending.is_none() {
                return Ok(Stage::Done(unchanged_outcome(release, status.active)));
            }
            session.prepare_rollback(release, status.active).await?
        }
    };
    Ok(Stage::Ready(Box::new(session), prepared))
}

fn unchanged_outcome(release: Digest, base: Option<Digest>) -> Deployed {
    Deployed { release, base, is_unchanged: true, n_sent: 0, warnings: Vec::new() }
}

fn check_unmoved(base: Base, active: Option<Digest>) -> Result<(), Failure> {
    let planned = match base {
        Base::Active(planned) if planned != active => planned,
        Base::Active(_) | Base::Planned => return Ok(()),
    };
    let display = |id: Option<Digest>| id.map_or_else(|| "nothing".to_owned(), |id| id.short());
    let text = format!(
        "the plan was made while {} was active, and now {} is; make the plan anew",
        display(planned),
        display(active)
    );
    Err(Failure::new(Ended::Refused, text))
}

/// Every reason why the server would refuse, under the code of the first.
fn check_refusals(refusals: &[Refusal]) -> Result<(), Failure> {
    let Some(first) = refusals.first() else { return Ok(()) };
    let all: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    let mut failure = Failure::new(Ended::Refused, all.join("; "));
    failure.refusal = Some(first.code);
    Err(failure)
}

/// Switches a host that is ready, and confirms it over a new connection.
///
/// # Errors
/// [`Failure`], whose exit code says what is active.
pub async fn finish<T: Transport>(
    session: &mut Session<'_, T>,
    prepared: &Prepared,
) -> Result<Deployed, Failure> {
    let warnings = session.switch_and_confirm(prepared).await?;
    Ok(Deployed {
        release: prepared.release,
        base: prepared.base,
        is_unchanged: false,
        n_sent: prepared.n_sent,
        warnings,
    })
}
