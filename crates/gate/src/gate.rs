//! Gate: loads both sides, runs them, compares, judges, and puts the report together.

use super::approvals::Approvals;
use super::error::GateError;
use super::fields::{self, ProfileRuns, RunPlan, Work};
use super::networks;
use super::outcome::{Outcome, RunCounts};
use super::pictures;
use super::profile::{GatedProfile, SEED, TriedProfile};
use super::remarks;
use super::request::{Request, revision};
use super::sides::{Case, Sides, change};
use crate::report::model::{ApprovalsReport, Engine, Gate as GateParts, ProfileParts, Report};
use crate::verdict::{Context, GateJudgement, ProfileCase, judge};
use cellgate_approval::Binding;
use cellgate_core::digest::Digest;
use cellgate_core::drift::{FieldPair, noise_floor};
use cellgate_inputs::finding::has_errors;
use cellgate_inputs::project::Policy;
use cellgate_inputs::source::below;
use cellgate_run::fingerprint;

/// Gates a change.
///
/// # Errors
/// [`GateError::Nothing`] when no profile or no field matched; others when the work itself failed.
/// Faults of inputs are in the outcome's findings.
pub fn gate(request: &Request<'_>) -> Result<Outcome, GateError> {
    let prepared = Prepared::load(request)?;
    let runs = prepared.run(request, Work::Whole);
    prepared.outcome(request, runs)
}

/// Loaded sides and cases of a gate, before any run.
pub(super) struct Prepared {
    pub(super) sides: Sides,
    pub(super) cases: Vec<Case>,
}

impl Prepared {
    pub(super) fn load(request: &Request<'_>) -> Result<Self, GateError> {
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

    pub(super) fn run(&self, request: &Request<'_>, work: Work<'_>) -> Vec<ProfileRuns> {
        let plan = RunPlan {
            base: &request.base,
            head: &request.head,
            models: networks::models(request, &self.sides),
            cache: request.cache.as_ref(),
            engine: fingerprint::measure_fingerprint(),
            work,
        };
        fields::run_all(&plan, &self.cases, request.progress)
    }

    /// Compares, judges and reports; `runs` are those of the cases, in their order.
    pub(super) fn outcome(
        mut self,
        request: &Request<'_>,
        runs: Vec<ProfileRuns>,
    ) -> Result<Outcome, GateError> {
        for runs in &runs {
            self.sides.findings.extend(runs.findings.iter().cloned());
        }
        self.sides.findings.extend(request.approvals.warnings.iter().cloned());
        let decision = Decision::make(&self.sides, self.cases, runs, &request.approvals)?;
        let mut sides = self.sides;
        sides.prefix_paths(&request.below);
        Ok(decision.outcome(request, sides))
    }
}

/// Everything between the runs and the report.
struct Decision {
    profiles: Vec<GatedProfile>,
    judgement: GateJudgement,
    context: Context,
    binding: Binding,
    engine: Engine,
    dataset: Digest,
    policy: Policy,
    policy_digest: Digest,
}

impl Decision {
    fn make(
        sides: &Sides,
        cases: Vec<Case>,
        runs: Vec<ProfileRuns>,
        approvals: &Approvals,
    ) -> Result<Self, GateError> {
        let policy = sides.policy();
        let engine = fingerprint::measure_fingerprint();
        let log = approvals.log.as_ref();
        let approved_engine = log.ok().and_then(|log| log.approved_engine(&policy.approval));
        let binding = sides.binding(&cases, engine)?;
        let author = approvals.author.as_deref();
        let status = |subject| Some(log.ok()?.verdict_for(&subject, &policy.approval, author));
        let tried: Vec<TriedProfile> = cases
            .into_iter()
            .zip(runs)
            .zip(binding.subjects().map(status))
            .map(|((case, runs), status)| TriedProfile::new(case, runs, status, &policy))
            .collect();
        let repeats: Vec<FieldPair<'_>> =
            tried.iter().flat_map(|profile| profile.runs.repeats()).collect();
        let context = Context {
            dataset: sides.dataset_change()?,
            policy: sides.policy_change()?,
            engine: approved_engine
                .filter(|approved_engine| *approved_engine != engine)
                .map(|base| change(Some(base), Some(engine))),
            noise: (!repeats.is_empty()).then(|| noise_floor(&repeats)),
            broken_approvals: log.err().map(ToString::to_string),
            has_error_findings: has_errors(&sides.findings),
        };
        let cases: Vec<ProfileCase<'_>> = tried.iter().map(TriedProfile::to_judge).collect();
        let judgement = judge(&cases, &context);
        let profiles = tried
            .into_iter()
            .zip(judgement.profiles.iter().cloned())
            .map(|(tried, judgement)| GatedProfile { tried, judgement });
        Ok(Self {
            profiles: profiles.collect(),
            context,
            binding,
            engine: Engine {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                fingerprint: engine.to_string(),
                approved_fingerprint: approved_engine.map(|digest| digest.to_string()),
            },
            dataset: sides.dataset_digest()?,
            policy_digest: policy.digest()?,
            policy,
            judgement,
        })
    }

    fn outcome(self, request: &Request<'_>, sides: Sides) -> Outcome {
        let models = networks::models(request, &sides);
        let parts: Vec<ProfileParts<'_>> =
            self.profiles.iter().map(|profile| profile.parts(models)).collect();
        let mut remarks = remarks::verdict_findings(&self.profiles);
        remarks.iter_mut().for_each(|remark| remark.place.move_below(&request.below));
        remarks.extend(request.approvals.log.as_ref().err().map(remarks::approvals_finding));
        let gate = GateParts {
            judgement: &self.judgement,
            fail_on: request.fail_on,
            engine: self.engine,
            base: revision(&request.base, &request.base_name),
            head: revision(&request.head, &request.head_name),
            dataset_digest: self.dataset.to_string(),
            policy_digest: self.policy_digest.to_string(),
            binding: self.binding,
            approvals: ApprovalsReport {
                revision: request.approvals.revision.clone(),
                records: request.approvals.log.as_ref().map_or(0, |log| log.records().len()),
            },
            approval_policy: self.policy.approval.clone(),
            noise: self.context.noise.as_ref(),
            min_fields: self.policy.tolerances.min_fields,
            seed: SEED,
            findings: &sides.findings,
            remarks: &remarks,
        };
        let report = Report::new(&gate, &parts);
        let pictures = pictures::draw(request, &self.profiles, &report);
        let exit_code = self.judgement.exit_code(request.fail_on);
        let paths = self.profiles.iter().map(|profile| &profile.tried.case.path);
        let files = paths.map(|path| below(&request.below, path));
        Outcome {
            report,
            pictures,
            files: files.collect(),
            n_runs: RunCounts::sum(self.profiles.iter().map(|profile| &profile.tried.runs)),
            findings: sides.findings,
            remarks,
            sources: sides.sources,
            exit_code,
        }
    }
}
