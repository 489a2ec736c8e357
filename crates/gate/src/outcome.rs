//! Outcome: the result of a gate.

use super::fields::ProfileRuns;
use crate::exit::ExitCode;
use crate::report::html::Picture;
use crate::report::model::Report;
use cellgate_inputs::finding::Finding;
use cellgate_inputs::source::Source;

/// Result of a gate.
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
    pub exit_code: ExitCode,
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
    pub(super) fn sum<'r>(runs: impl Iterator<Item = &'r ProfileRuns>) -> Self {
        let mut counts = Self::default();
        for runs in runs {
            counts.computed += runs.n_computed;
            counts.known += runs.n_known;
        }
        counts
    }
}
