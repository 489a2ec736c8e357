//! Whole: a deploy or a rollback on one host, from the first question to the confirmation.

use super::connection::TalkError;
use super::ending::{Ended, Failure, Phase};
use super::options::Options;
use super::session::{PAUSE, Prepared, Session};
use super::transport::Transport;
use crate::digest::Digest;
use crate::release::Package;
use std::sync::Arc;
use tokio::time::sleep;

/// How often a deploy is begun again after its connection broke, before the switch.
const MAX_ATTEMPTS: u32 = 3;

/// How a deploy ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// The active release.
    pub release: Digest,
    /// What was active before.
    pub base: Option<Digest>,
    /// Whether it was active already and nothing was done.
    pub is_unchanged: bool,
    /// Bytes that were sent.
    pub n_sent: u64,
    /// What did not work and does not matter for what is active.
    pub warnings: Vec<String>,
}

/// Deploys a package on one host.
///
/// A connection that breaks before the switch is opened again; only what is missing is sent then.
///
/// # Errors
/// [`Failure`], whose exit code says what is active.
pub async fn deploy<T: Transport>(
    transport: &T,
    package: &Arc<Package>,
    options: &Options,
) -> Result<Deployed, Failure> {
    let mut attempt = 1;
    let (mut session, prepared) = loop {
        match prepare(transport, package, options).await {
            Ok(Preparation::Unchanged(deployed)) => return Ok(deployed),
            Ok(Preparation::Ready(session, prepared)) => break (session, prepared),
            Err(failure) if failure.is_transient() && attempt < MAX_ATTEMPTS => attempt += 1,
            Err(failure) => return Err(failure),
        }
        sleep(PAUSE).await;
    };
    finish(&mut session, &prepared).await
}

enum Preparation<'t, T> {
    Unchanged(Deployed),
    Ready(Session<'t, T>, Prepared),
}

async fn prepare<'t, T: Transport>(
    transport: &'t T,
    package: &Arc<Package>,
    options: &Options,
) -> Result<Preparation<'t, T>, Failure> {
    let mut session = Session::open(transport, options.clone()).await?;
    let plan = session.plan(package.release()).await?;
    let release = package.release().id();
    if plan.is_active {
        let (base, n_sent, warnings) = (plan.active, 0, Vec::new());
        let deployed = Deployed { release, base, is_unchanged: true, n_sent, warnings };
        return Ok(Preparation::Unchanged(deployed));
    }
    if let Some(refusal) = plan.refusals.into_iter().next() {
        return Err(Failure::of(Phase::Before, TalkError::Refused(Box::new(refusal))));
    }
    let prepared = session.prepare(package, plan.active).await?;
    Ok(Preparation::Ready(session, prepared))
}

/// Goes back to a release that was confirmed before; to the previous one when none is named.
///
/// # Errors
/// [`Failure`], whose exit code says what is active.
pub async fn rollback<T: Transport>(
    transport: &T,
    to: Option<Digest>,
    options: &Options,
) -> Result<Deployed, Failure> {
    let mut session = Session::open(transport, options.clone()).await?;
    let status = session.status(false).await?;
    let Some(release) = to.or(status.previous) else {
        return Err(Failure::new(Ended::Refused, "there is no release to go back to"));
    };
    let prepared = session.prepare_rollback(release, status.active).await?;
    finish(&mut session, &prepared).await
}

async fn finish<T: Transport>(
    session: &mut Session<'_, T>,
    prepared: &Prepared,
) -> Result<Deployed, Failure> {
    session.switch(prepared).await?;
    let warnings = session.confirm(prepared).await?;
    Ok(Deployed {
        release: prepared.release,
        base: prepared.base,
        is_unchanged: false,
        n_sent: prepared.n_sent,
        warnings,
    })
}
