//! Fields: runs base and head of every gated profile on every field, each result once.

use super::carried::Carried;
use super::error::NotRun;
use super::partial::Keeper;
use super::share::Taken;
use super::sides::{Case, Trial, selected_fields};
use crate::report::model::Sides;
use crate::verdict::FailedField;
use cellgate_core::accuracy::{Scores, mean, score_field};
use cellgate_core::digest::Digest;
use cellgate_core::drift::{FieldPair, Side};
use cellgate_core::profile::keys::{Stage, first_difference};
use cellgate_core::segment::Stages;
use cellgate_core::units::PixelSize;
use cellgate_inputs::dataset::{Field, FieldEntry};
use cellgate_inputs::finding::{Finding, has_errors};
use cellgate_inputs::params::{Loaded, Params};
use cellgate_inputs::revision::Tree;
use cellgate_run::cache::{Cache, Key};
use cellgate_run::many::{Progress, run_many};
use cellgate_run::models::Models;
use cellgate_run::ready::Ready;
use cellgate_run::{FieldRun, digest_of, pixel_size};
use std::convert::Infallible;
use std::sync::Arc;

/// Inputs and settings that every run needs.
pub(super) struct RunPlan<'a> {
    pub(super) base: &'a Tree,
    pub(super) head: &'a Tree,
    /// Where networks of base's and head's profiles are found.
    pub(super) models: Sides<Models<'a>>,
    pub(super) cache: Option<&'a Cache>,
    pub(super) engine: Digest,
    pub(super) work: Work<'a>,
}

/// Which runs are made here, and what becomes of them.
pub(super) enum Work<'a> {
    /// All, for this gate.
    Whole,
    /// Those of one share, for a gate elsewhere.
    Share(Taken, &'a Keeper),
    /// None: all were made elsewhere.
    Carried(&'a Carried),
}

impl Work<'_> {
    fn has_field(&self, case: usize, field: usize) -> bool {
        match self {
            Self::Whole | Self::Carried(_) => true,
            Self::Share(taken, _) => taken.has_field(case, field),
        }
    }
}

/// Both runs of one profile on all its fields.
pub(super) struct ProfileRuns {
    pub(super) fields: Vec<FieldRuns>,
    pub(super) has_both_sides: bool,
    pub(super) findings: Vec<Finding>,
    pub(super) n_computed: usize,
    pub(super) n_known: usize,
}

/// Result of running a profile on a field.
pub(super) type RunResult = Result<Arc<FieldRun>, NotRun>;

/// Both runs of one profile on one field.
pub(super) struct FieldRuns {
    pub(super) name: String,
    pub(super) base: Option<RunResult>,
    pub(super) head: Option<RunResult>,
    /// Base once more, on one thread.
    repeat: Option<Arc<FieldRun>>,
    base_scores: Option<Scores>,
    head_scores: Option<Scores>,
    findings: Vec<Finding>,
    n_computed: usize,
    n_known: usize,
}

impl RunPlan<'_> {
    /// The fields of a case that are run here, each with its trial.
    fn entries<'c>(&self, index: usize, case: &'c Case) -> Vec<(&'c Trial, &'c FieldEntry)> {
        let entries = case.trials.iter().flat_map(trial_entries).enumerate();
        entries
            .filter(|(field, _)| self.work.has_field(index, *field))
            .map(|(_, entry)| entry)
            .collect()
    }
}

/// Both sides of a case, ready to run.
struct Pair<'a> {
    base: Option<Ready<'a>>,
    head: Option<Ready<'a>>,
}

impl<'a> Pair<'a> {
    fn new(plan: &RunPlan<'_>, case: &'a Case) -> Self {
        // What was run elsewhere needs no network here.
        let is_carried = matches!(plan.work, Work::Carried(_));
        let ready = |side: &'a Option<Loaded>, models: Models<'_>| {
            let models = if is_carried { Models::default() } else { models };
            side.as_ref().map(|loaded| Ready::new(&loaded.params, models))
        };
        Self {
            base: ready(&case.base, plan.models.base),
            head: ready(&case.head, plan.models.head),
        }
    }

    /// Room for the stages that both sides share: those before the first that reads a changed key.
    fn shared_stages(&self) -> Option<Stages> {
        let (base, head) = (self.base.as_ref()?, self.head.as_ref()?);
        let stage = first_difference(base.params(), head.params()).unwrap_or(Stage::Measure);
        let is_first = matches!(stage, Stage::Signal | Stage::Prediction);
        (!is_first).then(|| Stages::with_cache_before(stage))
    }

    /// How many fields are run at the same time.
    fn n_at_once(&self) -> usize {
        let sides = [&self.base, &self.head].into_iter().flatten();
        sides.map(Ready::n_at_once).min().unwrap_or(usize::MAX)
    }
}

/// Runs every case on every field of its trials.
pub(super) fn run_all(
    plan: &RunPlan<'_>,
    cases: &[Case],
    progress: &(dyn Fn(usize, usize, &str) + Sync),
) -> Vec<ProfileRuns> {
    let n_of_case = |(index, case)| plan.entries(index, case).len();
    let n_total: usize = cases.iter().enumerate().map(n_of_case).sum();
    let progress = Progress::new(n_total, progress);
    let run_case = |(index, case): (usize, &Case)| {
        let entries = plan.entries(index, case);
        let is_prefixed = case.trials.len() > 1;
        let pair = Pair::new(plan, case);
        let run = |(trial, entry): &(&Trial, &FieldEntry)| {
            let name = if is_prefixed {
                format!("{}/{}", trial.name, entry.name)
            } else {
                entry.name.clone()
            };
            let runs = run_entry(plan, case, &pair, entry, name);
            progress.advance(&case.name);
            runs
        };
        let mut fields = Vec::with_capacity(entries.len());
        let keep = |field| {
            fields.push(field);
            Ok::<(), Infallible>(())
        };
        let Ok(()) = run_many(&entries, pair.n_at_once(), run, keep);
        ProfileRuns::new(case, fields)
    };
    cases.iter().enumerate().map(run_case).collect()
}

fn trial_entries(trial: &Trial) -> impl Iterator<Item = (&Trial, &FieldEntry)> {
    selected_fields(trial).map(move |entry| (trial, entry))
}

fn run_entry(
    plan: &RunPlan<'_>,
    case: &Case,
    pair: &Pair<'_>,
    entry: &FieldEntry,
    name: String,
) -> FieldRuns {
    let mut runs = FieldRuns {
        name,
        base: None,
        head: None,
        repeat: None,
        base_scores: None,
        head_scores: None,
        findings: Vec::new(),
        n_computed: 0,
        n_known: 0,
    };
    // Head usually holds the very files that base's manifest names; their digests are checked.
    let result = entry.open(plan.head).or_else(|_| entry.open(plan.base));
    let field = match result {
        Ok(field) => field,
        Err(findings) => {
            let why = findings.first().map_or("it cannot be opened", |finding| &finding.message);
            let why = NotRun(why.to_owned());
            runs.findings = findings;
            runs.base = case.base.as_ref().map(|_| Err(why.clone()));
            runs.head = case.head.as_ref().map(|_| Err(why));
            return runs;
        }
    };
    let (base, head) = (&pair.base, &pair.head);
    let mut stages = pair.shared_stages();
    if let Some(base) = base {
        let (pixel, _) = pixel_size_of(base, &field, &case.path);
        let run = pixel.and_then(|pixel| runs.run(plan, &field, base, pixel, stages.as_mut()));
        runs.repeat = run.as_ref().ok().and_then(|once| repeat(plan, &field, base, once));
        runs.base = Some(run);
    }
    if let Some(head) = head {
        let digest = |ready: &Ready<'_>| ready.params().digest();
        let has_same_params = base.as_ref().is_some_and(|base| digest(base) == digest(head));
        let base_run = runs.base.clone().filter(|_| has_same_params);
        runs.n_known += usize::from(base_run.is_some());
        let run = base_run.unwrap_or_else(|| {
            let (pixel, findings) = pixel_size_of(head, &field, &case.path);
            runs.findings.extend(findings);
            runs.run(plan, &field, head, pixel?, stages.as_mut())
        });
        runs.head = Some(run);
    }
    let score = |run: &Option<RunResult>| {
        score_field(field.truth.as_ref()?, &completed_run(run)?.labels)
            .ok()
            .map(|accuracy| accuracy.scores)
    };
    (runs.base_scores, runs.head_scores) = (score(&runs.base), score(&runs.head));
    runs
}

/// Base once more, on one thread: what differs is noise of the engine.
///
/// A repetition that gave the same is noted in the cache and not made again, so that the report
/// says the same whether or not results were known.
fn repeat(
    plan: &RunPlan<'_>,
    field: &Field,
    ready: &Ready<'_>,
    once: &Arc<FieldRun>,
) -> Option<Arc<FieldRun>> {
    let params = ready.params();
    let (pixel, _) = pixel_size(params, None, field.pixel_size, "");
    let key = key(plan, field, params, pixel);
    if let Work::Carried(carried) = plan.work {
        return carried.repetition(&key, once).map(Arc::new);
    }
    let repetition = run_repetition(plan, field, ready, once, &key)?;
    if let Work::Share(_, keeper) = &plan.work {
        keeper.keep_repetition(&key, once, &repetition);
    }
    Some(repetition)
}

fn run_repetition(
    plan: &RunPlan<'_>,
    field: &Field,
    ready: &Ready<'_>,
    once: &Arc<FieldRun>,
    key: &Key,
) -> Option<Arc<FieldRun>> {
    let (pixel, numbers) = (key.pixel_size, digest_of(once));
    if plan.cache.is_some_and(|cache| cache.is_repeated(key, numbers)) {
        return Some(Arc::clone(once));
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().ok()?;
    let repetition = pool.install(|| ready.run(&field.image, pixel)).ok()?;
    if let Some(cache) = plan.cache.filter(|_| repetition == **once) {
        // What cannot be noted is tried again next time; nothing is wrong with it.
        let _ = cache.note_repeated(key, numbers);
    }
    Some(Arc::new(repetition))
}

/// The pixel size that a profile runs on a field with, and what there is to say about it.
fn pixel_size_of(
    ready: &Ready<'_>,
    field: &Field,
    path: &str,
) -> (Result<Option<PixelSize>, NotRun>, Vec<Finding>) {
    let (pixel, findings) = pixel_size(ready.params(), None, field.pixel_size, path);
    if !has_errors(&findings) {
        return (Ok(pixel), findings);
    }
    let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
    (Err(NotRun(messages.join("; "))), findings)
}

fn key(plan: &RunPlan<'_>, field: &Field, params: &Params, pixel_size: Option<PixelSize>) -> Key {
    Key { params: params.digest(), field: field.digest, pixel_size, engine: plan.engine }
}

impl FieldRuns {
    /// One run, from the cache where it is known.
    fn run(
        &mut self,
        plan: &RunPlan<'_>,
        field: &Field,
        ready: &Ready<'_>,
        pixel: Option<PixelSize>,
        stages: Option<&mut Stages>,
    ) -> RunResult {
        let key = key(plan, field, ready.params(), pixel);
        if let Work::Carried(carried) = plan.work {
            self.n_known += 1;
            return carried.run(&key, &self.name).map(Arc::new);
        }
        let run = self.run_and_count(plan, field, ready, &key, stages);
        if let Work::Share(_, keeper) = &plan.work {
            keeper.keep(&key, run.as_deref().map_err(|NotRun(why)| why.as_str()));
        }
        run
    }

    fn run_and_count(
        &mut self,
        plan: &RunPlan<'_>,
        field: &Field,
        ready: &Ready<'_>,
        key: &Key,
        stages: Option<&mut Stages>,
    ) -> RunResult {
        let cached = ready
            .run_cached(&field.image, key, plan.cache, stages)
            .map_err(|error| NotRun(error.to_string()))?;
        self.n_known += usize::from(cached.was_known);
        self.n_computed += usize::from(!cached.was_known);
        Ok(Arc::new(cached.run))
    }
}

impl ProfileRuns {
    fn new(case: &Case, fields: Vec<FieldRuns>) -> Self {
        let mut findings: Vec<Finding> = Vec::new();
        for finding in fields.iter().flat_map(|field| &field.findings) {
            if !findings.contains(finding) {
                findings.push(finding.clone());
            }
        }
        Self {
            has_both_sides: case.base.is_some() && case.head.is_some(),
            findings,
            n_computed: fields.iter().map(|field| field.n_computed).sum(),
            n_known: fields.iter().map(|field| field.n_known).sum(),
            fields,
        }
    }

    /// Fields that ran on both sides.
    pub(super) fn pairs(&self) -> Vec<FieldPair<'_>> {
        let pair = |field| pair(field, completed_run(&field.base)?, completed_run(&field.head)?);
        self.fields.iter().filter_map(pair).collect()
    }

    /// Fields that base ran on twice.
    pub(super) fn repeats(&self) -> Vec<FieldPair<'_>> {
        let repeat = |field| pair(field, completed_run(&field.base)?, field.repeat.as_deref()?);
        self.fields.iter().filter_map(repeat).collect()
    }

    /// Fields that could not be run.
    pub(super) fn failed_fields(&self) -> Vec<FailedField> {
        let failed_field = |field: &FieldRuns| {
            let (base, head) = (failure(&field.base), failure(&field.head));
            Some(FailedField {
                name: field.name.clone(),
                in_base: base.is_some(),
                in_head: head.is_some(),
                why: head.or(base)?,
            })
        };
        self.fields.iter().filter_map(failed_field).collect()
    }

    /// Mean accuracy of base and head over fields with truth.
    pub(super) fn accuracy(&self) -> (Option<Scores>, Option<Scores>) {
        let mean_of =
            |scores: fn(&FieldRuns) -> Option<&Scores>| mean(self.fields.iter().filter_map(scores));
        (mean_of(|field| field.base_scores.as_ref()), mean_of(|field| field.head_scores.as_ref()))
    }
}

/// Result of a run, if it succeeded.
pub(super) fn completed_run(run: &Option<RunResult>) -> Option<&FieldRun> {
    run.as_ref()?.as_deref().ok()
}

/// Why a run gave nothing.
fn failure(run: &Option<RunResult>) -> Option<String> {
    run.as_ref()?.as_ref().err().map(ToString::to_string)
}

fn pair<'a>(field: &'a FieldRuns, base: &'a FieldRun, head: &'a FieldRun) -> Option<FieldPair<'a>> {
    Some(FieldPair { name: &field.name, base: side(base), head: side(head) })
}

/// Both sides of a field, as `drift` takes them.
fn side(run: &FieldRun) -> Side<'_> {
    Side { labels: &run.labels, nuclei: &run.nuclei, summary: &run.summary }
}
