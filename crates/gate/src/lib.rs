//! Gate: a change of cell parameters goes in, a verdict with its reasons comes out.
//!
//! Takes base and head as trees; loads both sides, runs both with this binary on the same fields,
//! compares, judges and puts the report together. Decides nothing itself: `verdict` does.
//!
//! # Examples
//! Nothing changed, so nothing moved:
//! ```
//! use cellgate_gate::verdict::{FailOn, Verdict};
//! use cellgate_gate::{Approvals, Request, gate};
//! use cellgate_inputs::revision::Tree;
//!
//! let folder = tempfile::tempdir()?;
//! std::fs::create_dir(folder.path().join("params"))?;
//! std::fs::write(
//!     folder.path().join("cellgate.yaml"),
//!     "schema: cellgate/project/v1\ndatasets: {drawn: {builtin: phantoms}}\n\
//!      gate: [{profile: p, dataset: drawn, image_type: fluorescence}]\n",
//! )?;
//! std::fs::write(
//!     folder.path().join("params/p.yaml"),
//!     "schema: cellgate/profile/v1\nname: p\nimage: {modality: fluorescence}\n",
//! )?;
//! let outcome = gate(&Request {
//!     base: Tree::Folder(folder.path().to_owned()),
//!     base_name: "base".to_owned(),
//!     head: Tree::Folder(folder.path().to_owned()),
//!     head_name: "head".to_owned(),
//!     below: String::new(),
//!     cache: None,
//!     approvals: Approvals::none(),
//!     fail_on: FailOn::Drifted,
//!     progress: &|_, _, _| {},
//! })?;
//! assert_eq!(outcome.report.verdict, Verdict::Unchanged);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod verdict;
pub mod report;
pub mod validate;
pub mod compare;
mod carried;
mod approvals;
mod approve;
mod fields;
mod networks;
mod output;
mod partial;
mod pictures;
mod remarks;
mod share;
mod shards;
mod sides;

pub use approvals::{
    AppendError, Approvals, HistoryError, Unreadable, append, author_of_head, binding_of,
    verify_history,
};
pub use approve::{ApproveError, Recorded, Word, approve, revoke};
pub use carried::ShardError;
pub use output::write;
pub use shards::{Partial, merge, plan_shares, run_share};
pub use share::{MAX_SHARES, PlannedShare, Share, ShareSyntax};

use crate::report::html::Picture;
use crate::report::model::{
    ApprovalsReport, ChangedKey, Engine, Gate as GateParts, ProfileParts, Report, Revision,
    Sides as Both,
};
use crate::verdict::{
    AccuracyCase, Change, Comparison, Context, FailOn, FailedField, GateJudgement, ProfileCase,
    judge,
};
use cellgate_approval::{Binding, Standing};
use cellgate_core::digest::{Digest, DigestError};
use cellgate_core::drift::{DriftError, FieldPair, Side, compare, noise_floor};
use cellgate_inputs::finding::{Code, Finding, has_errors};
use cellgate_inputs::project::{AccuracyFloors, Policy};
use cellgate_inputs::revision::Tree;
use cellgate_inputs::source::{Place, Source, below};
use cellgate_run::cache::Cache;
use cellgate_run::fingerprint;
use cellgate_run::models::Models;
use cellgate_run::write::WriteError;
use fields::{ProfileRuns, RunPlan, Work};
use sides::{Case, Sides};

/// Seed of the resampling of fields; printed in every report.
const SEED: u64 = 20_260_101;

/// What to gate.
pub struct Request<'a> {
    /// Before the change.
    pub base: Tree,
    /// What people call base.
    pub base_name: String,
    /// After the change.
    pub head: Tree,
    /// What people call head.
    pub head_name: String,
    /// Where both trees stand in their repository, `a/b`; empty for its top. What is told of files
    /// is told from the repository's top.
    pub below: String,
    /// Where results are kept; `None` computes everything.
    pub cache: Option<Cache>,
    /// What people have approved.
    pub approvals: Approvals,
    /// From which verdict on the gate fails.
    pub fail_on: FailOn,
    /// Is told how many of how many runs are done, and of what.
    pub progress: &'a (dyn Fn(usize, usize, &str) + Sync),
}

/// What came out.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The verdict and everything behind it.
    pub report: Report,
    /// Fields with outlines, the worst first.
    pub pictures: Vec<Picture>,
    /// Remarks about inputs.
    pub findings: Vec<Finding>,
    /// The verdicts as remarks about the profiles' lines.
    pub remarks: Vec<Finding>,
    /// The files of the gated profiles.
    pub files: Vec<String>,
    /// Texts that findings point into.
    pub sources: Vec<Source>,
    /// Runs that were computed and runs that were known.
    pub n_runs: RunCounts,
    /// The process's exit code.
    pub exit_code: u8,
}

/// How many runs were computed and how many were known already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunCounts {
    /// Computed now.
    pub computed: usize,
    /// Found in the cache, or the same as base.
    pub known: usize,
}

impl RunCounts {
    fn of(runs: &[ProfileRuns]) -> Self {
        Self {
            computed: runs.iter().map(|runs| runs.n_computed).sum(),
            known: runs.iter().map(|runs| runs.n_known).sum(),
        }
    }
}

/// The gate could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// Nothing was there to check.
    #[error("nothing to check: {0}")]
    Nothing(String),
    /// An input is invalid, where there is no gate to report it.
    #[error("an input is invalid")]
    Invalid(Vec<Finding>),
    /// A digest cannot be taken.
    #[error("a digest cannot be taken")]
    Digest(#[from] DigestError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Shares are missing or do not belong together.
    #[error(transparent)]
    Shards(#[from] ShardError),
}

/// Exit code when there is nothing to check.
pub const NOTHING: u8 = 3;

/// Gates a change.
///
/// # Errors
/// [`GateError::Nothing`] when no profile or no field matched; others when the work itself failed.
/// What is wrong with inputs is in the outcome's findings.
pub fn gate(request: &Request<'_>) -> Result<Outcome, GateError> {
    let prepared = Prepared::load(request)?;
    let runs = prepared.run(request, Work::Whole);
    prepared.outcome(request, &runs)
}

/// What there is to gate, before anything ran.
struct Prepared {
    sides: Sides,
    cases: Vec<Case>,
}

impl Prepared {
    fn load(request: &Request<'_>) -> Result<Self, GateError> {
        let mut sides = Sides::load(&request.base, &request.head);
        let cases = sides.cases();
        if !has_errors(&sides.findings) {
            if cases.is_empty() {
                return Err(GateError::Nothing(
                    "`cellgate.yaml` is missing or gates no profile that there is; name profiles \
                     and fields in its `gate:`, or its folder with `--root`"
                        .to_owned(),
                ));
            }
            if cases.iter().all(|case| case.trials.is_empty()) {
                let why = "no field matched any entry of `gate:`";
                return Err(GateError::Nothing(why.to_owned()));
            }
        }
        Ok(Self { sides, cases })
    }

    fn run(&self, request: &Request<'_>, work: Work<'_>) -> Vec<ProfileRuns> {
        let (base_models, head_models) = networks::models(request, &self.sides);
        let plan = RunPlan {
            base: &request.base,
            head: &request.head,
            base_models,
            head_models,
            cache: request.cache.as_ref(),
            engine: fingerprint::measured(),
            work,
        };
        fields::run_all(&plan, &self.cases, request.progress)
    }

    fn outcome(
        mut self,
        request: &Request<'_>,
        runs: &[ProfileRuns],
    ) -> Result<Outcome, GateError> {
        for runs in runs {
            self.sides.findings.extend(runs.findings.iter().cloned());
        }
        self.sides.findings.extend(request.approvals.warnings.iter().cloned());
        let measured = (fingerprint::measured(), &request.approvals);
        let decision = Decision::make(&self.sides, &self.cases, runs, measured)?;
        let mut sides = self.sides;
        sides.show_below(&request.below);
        decision.outcome(request, sides, &self.cases, runs)
    }
}

/// Everything between the runs and the report.
struct Decision {
    judgement: GateJudgement,
    drifts: Vec<Option<Result<cellgate_core::drift::Drift, DriftError>>>,
    context: Context,
    binding: Binding,
    /// How each profile stands with the approvals; none when they cannot be believed.
    standings: Vec<Option<Standing>>,
    engine: Engine,
    dataset: Digest,
    policy: Digest,
}

impl Decision {
    fn make(
        sides: &Sides,
        cases: &[Case],
        runs: &[ProfileRuns],
        (engine, approvals): (Digest, &Approvals),
    ) -> Result<Self, GateError> {
        let policy = sides.policy();
        let drifts: Vec<_> = runs.iter().map(|runs| drift_of(runs, &policy)).collect();
        let repeats: Vec<FieldPair<'_>> = runs.iter().flat_map(ProfileRuns::repeats).collect();
        let log = approvals.log.as_ref();
        let approved = log.ok().and_then(|log| log.approved_engine(&policy.approval));
        let binding = sides.binding(cases, engine)?;
        let author = approvals.author.as_deref();
        let standing = |subject| Some(log.ok()?.verdict_for(&subject, &policy.approval, author));
        let standings: Vec<Option<Standing>> = binding.subjects().map(standing).collect();
        let context = Context {
            dataset: sides.dataset_change()?,
            policy: sides.policy_change()?,
            engine: approved
                .filter(|approved| *approved != engine)
                .map(|base| change(Some(base), Some(engine))),
            noise: (!repeats.is_empty()).then(|| noise_floor(&repeats)),
            broken_approvals: log.err().map(ToString::to_string),
            has_error_findings: has_errors(&sides.findings),
        };
        let failed: Vec<Vec<FailedField>> = runs.iter().map(ProfileRuns::failed).collect();
        let profile_cases: Vec<ProfileCase<'_>> = cases
            .iter()
            .zip(runs)
            .zip(drifts.iter().zip(&failed).zip(&standings))
            .map(|((case, runs), ((drift, failed_fields), standing))| ProfileCase {
                name: &case.name,
                comparison: comparison(case, drift.as_ref()),
                failed_fields,
                accuracy: accuracy(case, runs, &policy),
                is_approved: standing.as_ref().is_some_and(Standing::is_approved),
            })
            .collect();
        let judgement = judge(&profile_cases, &context);
        Ok(Self {
            judgement,
            drifts,
            context,
            binding,
            standings,
            engine: Engine {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                fingerprint: engine.to_string(),
                approved_fingerprint: approved.map(|digest| digest.to_string()),
            },
            dataset: sides.dataset_digest()?,
            policy: policy.digest()?,
        })
    }

    fn outcome(
        self,
        request: &Request<'_>,
        sides: Sides,
        cases: &[Case],
        runs: &[ProfileRuns],
    ) -> Result<Outcome, GateError> {
        let policy = sides.policy();
        let models = networks::models(request, &sides);
        let parts: Vec<ProfileParts<'_>> = cases
            .iter()
            .zip(runs)
            .zip(self.judgement.profiles.iter().zip(&self.drifts).zip(&self.standings))
            .map(|((case, runs), ((judgement, drift), standing))| ProfileParts {
                judgement,
                standing: standing.as_ref(),
                drift: drift.as_ref().and_then(|drift| drift.as_ref().ok()),
                accuracy: accuracy(case, runs, &policy),
                params_digest: Both {
                    base: case.base.as_ref().map(|loaded| loaded.params.digest().to_string()),
                    head: case.head.as_ref().map(|loaded| loaded.params.digest().to_string()),
                },
                changed_keys: changed_keys(case, models),
            })
            .collect();
        let mut remarks = remarks::of(cases, &self.judgement);
        remarks.iter_mut().for_each(|remark| remark.place.move_below(&request.below));
        remarks.extend(request.approvals.log.as_ref().err().map(remarks::of_approvals));
        let gate = GateParts {
            judgement: &self.judgement,
            fail_on: request.fail_on,
            engine: self.engine,
            base: revision(&request.base, &request.base_name),
            head: revision(&request.head, &request.head_name),
            dataset_digest: self.dataset.to_string(),
            policy_digest: self.policy.to_string(),
            binding: self.binding,
            approvals: ApprovalsReport {
                revision: request.approvals.revision.clone(),
                records: request.approvals.log.as_ref().map_or(0, |log| log.records().len()),
            },
            approval_policy: policy.approval.clone(),
            noise: self.context.noise.as_ref(),
            min_fields: policy.tolerances.min_fields,
            seed: SEED,
            findings: &sides.findings,
            remarks: &remarks,
        };
        let report = Report::new(&gate, &parts);
        let pictures = pictures::draw(request, cases, runs, &report, &self.drifts);
        let exit_code = self.judgement.exit_code(request.fail_on);
        Ok(Outcome {
            report,
            pictures,
            findings: sides.findings,
            remarks,
            files: cases.iter().map(|case| below(&request.below, &case.path)).collect(),
            sources: sides.sources,
            n_runs: RunCounts::of(runs),
            exit_code,
        })
    }
}

fn drift_of(
    runs: &ProfileRuns,
    policy: &Policy,
) -> Option<Result<cellgate_core::drift::Drift, DriftError>> {
    if !runs.has_both_sides {
        return None;
    }
    Some(compare(&runs.pairs(), &policy.tolerances, SEED))
}

fn comparison<'a>(
    case: &Case,
    drift: Option<&'a Result<cellgate_core::drift::Drift, DriftError>>,
) -> Comparison<'a> {
    match (case.is_invalid_in_base, case.is_invalid_in_head, drift) {
        (_, true, _) => Comparison::HeadInvalid,
        (true, false, _) => Comparison::BaseInvalid,
        (_, _, Some(Ok(drift))) => Comparison::Drift(drift),
        (_, _, Some(Err(error))) => Comparison::Impossible { why: error.to_string() },
        (_, _, None) if case.base.is_none() => Comparison::New,
        (_, _, None) => Comparison::Deleted,
    }
}

fn accuracy(case: &Case, runs: &ProfileRuns, policy: &Policy) -> AccuracyCase {
    let floors = policy.accuracy_floors.get(&case.name).copied();
    let (base, head) = runs.accuracy();
    AccuracyCase { base, head, floors: floors.unwrap_or_else(AccuracyFloors::default) }
}

fn changed_keys(case: &Case, models: (Models<'_>, Models<'_>)) -> Vec<ChangedKey> {
    let Some((base, head)) = case.base.as_ref().zip(case.head.as_ref()) else { return Vec::new() };
    let keys = base.params.changed_keys(&head.params).into_iter();
    keys.map(|changed| {
        if changed.key == networks::WEIGHTS_KEY {
            let base = networks::told(base, models.0, changed.base);
            let head = networks::told(head, models.1, changed.head);
            return ChangedKey { key: changed.key, base: Some(base), head: Some(head) };
        }
        ChangedKey { key: changed.key, base: Some(changed.base), head: Some(changed.head) }
    })
    .collect()
}

fn change(base: Option<Digest>, head: Option<Digest>) -> Change {
    let text = |digest: Option<Digest>| digest.map(|digest| digest.short());
    Change { base: text(base), head: text(head) }
}

fn revision(tree: &Tree, name: &str) -> Revision {
    let commit = match tree {
        Tree::Folder(_) => None,
        Tree::Commit { commit, .. } => Some(commit.clone()),
    };
    Revision { name: name.to_owned(), commit }
}

/// A finding for a gate entry that matches no field.
fn nothing_matched(profile: &str, dataset: &str, image_type: Option<&str>) -> Finding {
    let of_type = image_type.map_or_else(String::new, |kind| format!(" of image type `{kind}`"));
    let message = format!("dataset `{dataset}` has no field{of_type} for profile `{profile}`");
    Finding::error(Code::NothingMatched, Place::file(cellgate_inputs::project::FILE), message)
        .help("an empty set never passes: correct `image_type`, or add fields to the dataset")
}

/// Both sides of a field, as `drift` takes them.
fn side(run: &cellgate_run::FieldRun) -> Side<'_> {
    Side { labels: &run.labels, nuclei: &run.nuclei, summary: &run.summary }
}
