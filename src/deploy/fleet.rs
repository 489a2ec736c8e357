//! Fleet: all hosts of a target, or none.
//!
//! Every host is prepared before the first one is switched. The first host is the canary: it is
//! switched and confirmed alone, then the others at once. When one fails, those that were confirmed
//! go back to what they had. Gives the outcome of each host.

use super::ending::{Ended, Failure};
use super::session::{Deployed, Options, Prepared, Session, rollback};
use super::transport::Transport;
use crate::digest::Digest;
use crate::release::Package;
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;

/// How often a host is prepared anew after its connection broke.
const MAX_ATTEMPTS: u32 = 3;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// A host and the way to it.
pub struct Host<T> {
    /// What people call it.
    pub name: String,
    /// How its agent is reached.
    pub way: T,
    /// What a plan saw active; the deploy is refused where that has changed. `None` takes it as it is.
    pub planned: Option<Option<Digest>>,
}

/// What shall be active.
#[derive(Clone, Copy)]
pub enum Wanted<'a> {
    /// A release that is sent.
    Package(&'a Arc<Package>),
    /// A release that was confirmed there before; the previous one when none is named.
    Former(Option<Digest>),
}

/// What became of one host.
#[derive(Debug)]
pub struct HostOutcome {
    /// The host.
    pub host: String,
    /// What is active there, or why not what was wanted.
    pub outcome: Result<Deployed, Failure>,
}

/// The exit code that says what became of all hosts: the gravest of each.
#[must_use]
pub fn exit_code(outcomes: &[HostOutcome]) -> u8 {
    let code = |one: &HostOutcome| one.outcome.as_ref().err().map_or(0, |f| f.ended.exit_code());
    outcomes.iter().map(code).max().unwrap_or(0)
}

/// How far a host is.
enum Stage<'t, T> {
    Done(Deployed),
    Ready(Box<Session<'t, T>>, Prepared),
    Failed(Failure),
}

/// Makes the same release active on all hosts, or leaves them as they were.
pub async fn bring<T: Transport>(
    hosts: &[Host<T>],
    wanted: Wanted<'_>,
    options: &Options,
) -> Vec<HostOutcome> {
    let mut stages = join_all(hosts.iter().map(|host| prepare(host, wanted, options))).await;
    if let Some(name) = first_failed(hosts, &stages) {
        take_back(hosts, &mut stages, options, &name).await;
        return outcomes(hosts, stages);
    }
    let canary = stages.iter().position(|stage| matches!(stage, Stage::Ready(..)));
    if let Some(canary) = canary {
        switch(&mut stages[canary]).await;
        if first_failed(hosts, &stages).is_none() {
            join_all(stages.iter_mut().map(switch)).await;
        }
    }
    if let Some(name) = first_failed(hosts, &stages) {
        take_back(hosts, &mut stages, options, &name).await;
    }
    outcomes(hosts, stages)
}

fn first_failed<T>(hosts: &[Host<T>], stages: &[Stage<'_, T>]) -> Option<String> {
    let failed = stages.iter().position(|stage| matches!(stage, Stage::Failed(_)));
    failed.and_then(|index| hosts.get(index)).map(|host| host.name.clone())
}

fn outcomes<T>(hosts: &[Host<T>], stages: Vec<Stage<'_, T>>) -> Vec<HostOutcome> {
    let outcome = |(host, stage): (&Host<T>, Stage<'_, T>)| HostOutcome {
        host: host.name.clone(),
        outcome: match stage {
            Stage::Done(deployed) => Ok(deployed),
            Stage::Failed(failure) => Err(failure),
            Stage::Ready(..) => Err(Failure::new(Ended::Refused, "it was not switched")),
        },
    };
    hosts.iter().zip(stages).map(outcome).collect()
}

/// Prepares a host; begins anew when the connection breaks, and sends only what is missing then.
async fn prepare<'t, T: Transport>(
    host: &'t Host<T>,
    wanted: Wanted<'_>,
    options: &Options,
) -> Stage<'t, T> {
    let mut attempt = 1;
    loop {
        match prepare_once(host, wanted, options).await {
            Ok(stage) => return stage,
            Err(failure) if failure.is_transient() && attempt < MAX_ATTEMPTS => attempt += 1,
            Err(failure) => return Stage::Failed(failure),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn prepare_once<'t, T: Transport>(
    host: &'t Host<T>,
    wanted: Wanted<'_>,
    options: &Options,
) -> Result<Stage<'t, T>, Failure> {
    let mut session = Session::open(&host.way, options.clone()).await?;
    let prepared = match wanted {
        Wanted::Package(package) => {
            let plan = session.plan(package.release()).await?;
            let release = package.release().id();
            if plan.is_active {
                let (base, n_sent, warnings) = (plan.active, 0, Vec::new());
                let is_unchanged = true;
                return Ok(Stage::Done(Deployed { release, base, is_unchanged, n_sent, warnings }));
            }
            moved(host, plan.active)?;
            if !plan.refusals.is_empty() {
                let refusals: Vec<String> = plan.refusals.iter().map(ToString::to_string).collect();
                return Err(Failure::new(Ended::Refused, refusals.join("; ")));
            }
            session.prepare(package, plan.active).await?
        }
        Wanted::Former(to) => {
            let status = session.status(false).await?;
            let Some(release) = to.or(status.previous) else {
                let text = "there is no release to go back to: none was active before this one";
                return Err(Failure::new(Ended::Refused, text));
            };
            if status.active == Some(release) && status.pending.is_none() {
                let (base, n_sent, warnings) = (status.active, 0, Vec::new());
                let is_unchanged = true;
                return Ok(Stage::Done(Deployed { release, base, is_unchanged, n_sent, warnings }));
            }
            session.prepare_rollback(release, status.active).await?
        }
    };
    Ok(Stage::Ready(Box::new(session), prepared))
}

fn moved<T>(host: &Host<T>, active: Option<Digest>) -> Result<(), Failure> {
    let Some(planned) = host.planned.filter(|planned| *planned != active) else { return Ok(()) };
    let shown = |id: Option<Digest>| id.map_or_else(|| "nothing".to_owned(), |id| id.short());
    let text = format!(
        "the plan was made while {} was active, and now {} is; make the plan anew",
        shown(planned),
        shown(active)
    );
    Err(Failure::new(Ended::Refused, text))
}

/// Switches a host that is ready, and confirms it.
async fn switch<T: Transport>(stage: &mut Stage<'_, T>) {
    let Stage::Ready(session, prepared) = stage else { return };
    let confirmed = match session.switch(prepared).await {
        Ok(()) => session.confirm(prepared).await,
        Err(failure) => Err(failure),
    };
    *stage = match confirmed {
        Err(failure) => Stage::Failed(failure),
        Ok(warnings) => Stage::Done(Deployed {
            release: prepared.release,
            base: prepared.base,
            is_unchanged: false,
            n_sent: prepared.n_sent,
            warnings,
        }),
    };
}

/// Leaves every other host as it was, since one failed.
async fn take_back<T: Transport>(
    hosts: &[Host<T>],
    stages: &mut [Stage<'_, T>],
    options: &Options,
    failed: &str,
) {
    join_all(hosts.iter().zip(stages).map(|(host, stage)| leave(host, stage, options, failed)))
        .await;
}

/// Leaves one host as it was: gives its lock back, or goes back to what it had.
async fn leave<T: Transport>(
    host: &Host<T>,
    stage: &mut Stage<'_, T>,
    options: &Options,
    failed: &str,
) {
    let failure = match stage {
        Stage::Failed(_) => return,
        Stage::Done(deployed) if deployed.is_unchanged => return,
        Stage::Ready(session, prepared) => {
            let reason = format!("host `{failed}` failed");
            match session.abort(prepared, &reason).await {
                Ok(()) => Failure::new(Ended::Refused, format!("not switched, since {reason}")),
                // The lock ends with the connection; nothing was switched.
                Err(error) => Failure::new(
                    Ended::Refused,
                    format!("not switched, since {reason}; giving the lock back: {error}"),
                ),
            }
        }
        Stage::Done(deployed) => match deployed.base {
            None => {
                let text = format!(
                    "host `{failed}` failed, and there is no former release to go back to: {} \
                     stays active here",
                    deployed.release.short()
                );
                Failure::new(Ended::Stranded, text)
            }
            Some(base) => match rollback(&host.way, Some(base), options).await {
                Ok(_) => {
                    let text =
                        format!("gone back to {}, since host `{failed}` failed", base.short());
                    Failure::new(Ended::Failed, text)
                }
                Err(error) => {
                    let text = format!(
                        "going back to {}, since host `{failed}` failed: {error}",
                        base.short()
                    );
                    let ended = match error.ended {
                        Ended::Unknown => Ended::Unknown,
                        Ended::Refused | Ended::Failed | Ended::Stranded => Ended::Stranded,
                    };
                    Failure::new(ended, text)
                }
            },
        },
    };
    *stage = Stage::Failed(failure);
}
