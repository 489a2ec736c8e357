//! Fleet: all hosts of a target, or none.
//!
//! Every host is prepared before the first one is switched. The first host is the canary: it is
//! switched and confirmed alone, then the others at once. When one fails, those that were confirmed
//! go back to what they had. What is done on one host is done by `whole`. Gives the outcome of each
//! host.

use super::ending::{Ended, Failure};
use super::options::Options;
use super::transport::Transport;
use super::whole::{Deployed, Stage, Wanted, finish, prepare, rollback};
use crate::wire::Base;
use cellgate_gate::exit::ExitCode;
use futures_util::future::join_all;

/// A host and the way to it.
pub struct Host<T> {
    /// Name that people use.
    pub name: String,
    /// How its agent is reached.
    pub way: T,
    /// Release that must be active for the deploy to begin.
    pub base: Base,
}

/// Outcome of one host.
#[derive(Debug)]
pub struct HostOutcome {
    /// The host.
    pub host: String,
    /// The finished deploy, or why it failed.
    pub outcome: Result<Deployed, Failure>,
}

/// The exit code that says what became of all hosts: the gravest of each.
#[must_use]
pub fn exit_code(outcomes: &[HostOutcome]) -> ExitCode {
    let code = |host: &HostOutcome| {
        host.outcome.as_ref().err().map_or(ExitCode::Passed, |failure| failure.ended.exit_code())
    };
    outcomes.iter().map(code).max().unwrap_or(ExitCode::Passed)
}

/// How far a host is, or why it got no further.
type Reached<'t, T> = Result<Stage<'t, T>, Failure>;

/// Makes the same release active on all hosts, or leaves them as they were.
pub async fn roll_out<T: Transport>(
    hosts: &[Host<T>],
    goal: Wanted<'_>,
    options: &Options,
) -> Vec<HostOutcome> {
    let prepare = |host| prepare_host(host, goal, options);
    let mut stages: Vec<Reached<'_, T>> = join_all(hosts.iter().map(prepare)).await;
    if let Some(name) = first_failed_host(hosts, &stages) {
        undo_all(hosts, &mut stages, options, &name).await;
        return outcomes(hosts, stages);
    }
    let canary = stages.iter().position(|stage| matches!(stage, Ok(Stage::Ready(..))));
    if let Some(canary) = canary {
        switch(&mut stages[canary]).await;
        if first_failed_host(hosts, &stages).is_none() {
            join_all(stages.iter_mut().map(switch)).await;
        }
    }
    if let Some(name) = first_failed_host(hosts, &stages) {
        undo_all(hosts, &mut stages, options, &name).await;
    }
    outcomes(hosts, stages)
}

fn first_failed_host<T>(hosts: &[Host<T>], stages: &[Reached<'_, T>]) -> Option<String> {
    let position = stages.iter().position(Result::is_err);
    position.and_then(|index| hosts.get(index)).map(|host| host.name.clone())
}

fn outcomes<T>(hosts: &[Host<T>], stages: Vec<Reached<'_, T>>) -> Vec<HostOutcome> {
    let outcome = |(host, stage): (&Host<T>, Reached<'_, T>)| HostOutcome {
        host: host.name.clone(),
        outcome: stage.and_then(|stage| match stage {
            Stage::Done(deployed) => Ok(deployed),
            Stage::Ready(..) => Err(Failure::new(Ended::Refused, "it was not switched")),
        }),
    };
    hosts.iter().zip(stages).map(outcome).collect()
}

async fn prepare_host<'t, T: Transport>(
    host: &'t Host<T>,
    goal: Wanted<'_>,
    options: &Options,
) -> Reached<'t, T> {
    prepare(&host.way, goal, host.base, options).await
}

/// Switches a host that is ready, and confirms it.
async fn switch<T: Transport>(stage: &mut Reached<'_, T>) {
    let Ok(Stage::Ready(session, prepared)) = stage else { return };
    *stage = finish(session, prepared).await.map(Stage::Done);
}

/// Leaves every other host as it was, since one failed.
async fn undo_all<T: Transport>(
    hosts: &[Host<T>],
    stages: &mut [Reached<'_, T>],
    options: &Options,
    culprit: &str,
) {
    join_all(hosts.iter().zip(stages).map(|(host, stage)| undo(host, stage, options, culprit)))
        .await;
}

/// Leaves one host as it was: gives its lock back, or goes back to what it had.
async fn undo<T: Transport>(
    host: &Host<T>,
    stage: &mut Reached<'_, T>,
    options: &Options,
    culprit: &str,
) {
    let failure = match stage {
        Err(_) => return,
        Ok(Stage::Done(deployed)) if deployed.is_unchanged => return,
        Ok(Stage::Ready(session, prepared)) => {
            let reason = format!("host `{culprit}` failed");
            match session.abort(prepared, &reason).await {
                Ok(()) => Failure::new(Ended::Refused, format!("not switched, since {reason}")),
                // The lock ends with the connection; nothing was switched.
                Err(error) => Failure::new(
                    Ended::Refused,
                    format!("not switched, since {reason}; giving the lock back: {error}"),
                ),
            }
        }
        Ok(Stage::Done(deployed)) => match deployed.base {
            None => {
                let text = format!(
                    "host `{culprit}` failed, and there is no former release to go back to: {} \
                     stays active here",
                    deployed.release.short()
                );
                Failure::new(Ended::Stranded, text)
            }
            Some(base) => match rollback(&host.way, Some(base), options).await {
                Ok(_) => {
                    let text =
                        format!("gone back to {}, since host `{culprit}` failed", base.short());
                    Failure::new(Ended::Failed, text)
                }
                Err(error) => {
                    let text = format!(
                        "going back to {}, since host `{culprit}` failed: {error}",
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
    *stage = Err(failure);
}
