//! Shards: the gate's runs made on several machines, its verdict given on one.
//!
//! `plan_shares` says how many shares are worth it, `run_share` makes one's runs and gives no
//! verdict, `merge` takes all of them and does what the gate does, without making a single run: the
//! report is the same to the byte.

use super::carried::Carried;
use super::error::GateError;
use super::fields::Work;
use super::gate::Prepared;
use super::outcome::{Outcome, RunCounts};
use super::partial::{Foundation, Keeper};
use super::request::{Request, revision};
use super::share::{PlannedShare, Share, Taken, plan, work_digest};
use crate::exit::ExitCode;
use cellgate_inputs::finding::{Finding, has_errors};
use cellgate_inputs::source::Source;
use cellgate_run::fingerprint;
use std::path::{Path, PathBuf};

/// Outcome of one share.
#[derive(Debug, Clone)]
pub struct Partial {
    /// Remarks about inputs.
    pub findings: Vec<Finding>,
    /// Texts that findings point into.
    pub sources: Vec<Source>,
    /// Runs that were made and runs that were known.
    pub n_runs: RunCounts,
    /// 0, or 10 when an input is invalid.
    pub exit_code: ExitCode,
}

/// Plans shares of the work, at most `n_shares` and never more than there are fields.
///
/// # Errors
/// [`GateError::Nothing`] when there is nothing to gate.
pub fn plan_shares(request: &Request<'_>, n_shares: usize) -> Result<Vec<PlannedShare>, GateError> {
    let prepared = Prepared::load(request)?;
    Ok(plan(&prepared.cases, &request.head, &request.base, n_shares))
}

/// Makes the runs of one share and writes them into a folder; `head_commit` is what is checked out.
///
/// # Errors
/// [`GateError`] when there is nothing to gate or the folder cannot be written; then the folder
/// holds no complete share.
pub fn run_share(
    request: &Request<'_>,
    share: Share,
    head_commit: Option<&str>,
    folder: &Path,
) -> Result<Partial, GateError> {
    let prepared = Prepared::load(request)?;
    let rests_on = foundation(request, &prepared, head_commit)?;
    let keeper = Keeper::start(folder)?;
    let taken = Taken::of_share(share, &prepared.cases, &request.head, &request.base);
    let runs = prepared.run(request, Work::Share(taken, &keeper));
    let mut sides = prepared.sides;
    for runs in &runs {
        sides.findings.extend(runs.findings.iter().cloned());
    }
    keeper.finish(share.to_string(), rests_on)?;
    sides.prefix_paths(&request.below);
    let is_invalid = has_errors(&sides.findings);
    Ok(Partial {
        findings: sides.findings,
        sources: sides.sources,
        n_runs: RunCounts::sum(runs.iter()),
        exit_code: if is_invalid { ExitCode::Findings } else { ExitCode::Passed },
    })
}

/// Gates with the runs that all shares made; `folders` hold the shares.
///
/// # Errors
/// As [`super::gate::gate`], and [`GateError::Shards`] when a share is missing, differs from its double,
/// is damaged or rests on something else than this request.
pub fn merge(
    request: &Request<'_>,
    head_commit: Option<&str>,
    folders: &[PathBuf],
) -> Result<Outcome, GateError> {
    let prepared = Prepared::load(request)?;
    let rests_on = foundation(request, &prepared, head_commit)?;
    let carried = Carried::open(folders, &rests_on)?;
    let runs = prepared.run(request, Work::Carried(&carried));
    carried.finish()?;
    prepared.outcome(request, runs)
}

fn foundation(
    request: &Request<'_>,
    prepared: &Prepared,
    head_commit: Option<&str>,
) -> Result<Foundation, GateError> {
    Ok(Foundation {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        engine: fingerprint::measure_fingerprint().to_string(),
        base_commit: revision(&request.base, "").commit,
        head_commit: head_commit.map(str::to_owned),
        dataset_digest: prepared.sides.dataset_digest()?.to_string(),
        policy_digest: prepared.sides.policy().digest()?.to_string(),
        work_digest: work_digest(&prepared.cases)?.to_string(),
    })
}
