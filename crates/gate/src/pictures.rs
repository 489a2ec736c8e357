//! Pictures: the fields worth looking at, with the outlines of both sides.

use super::Request;
use super::fields::{ProfileRuns, done, selected};
use super::sides::Case;
use crate::report::html::Picture;
use crate::report::model::Report;
use crate::report::overlay;
use crate::verdict::Verdict;
use cellgate_core::drift::{Drift, DriftError};
use cellgate_inputs::dataset::{Field, FieldEntry};
use rayon::prelude::*;

/// Pictures of a profile that moved, and of one that did not.
const PICTURES_OF_MOVED: usize = 6;
const PICTURES_OF_UNMOVED: usize = 1;

/// Draws the fields worth looking at, the worst of each profile first.
pub(super) fn draw(
    request: &Request<'_>,
    cases: &[Case],
    runs: &[ProfileRuns],
    report: &Report,
    drifts: &[Option<Result<Drift, DriftError>>],
) -> Vec<Picture> {
    let mut chosen = Vec::new();
    for (index, (case, drift)) in cases.iter().zip(drifts).enumerate() {
        let Some(profile) = report.profiles.iter().find(|profile| profile.name == case.name) else {
            continue;
        };
        let is_moved = profile.verdict != Verdict::Unchanged;
        let limit = if is_moved { PICTURES_OF_MOVED } else { PICTURES_OF_UNMOVED };
        match drift {
            Some(Ok(drift)) => {
                let worst = profile.worst_fields().into_iter().take(limit);
                chosen.extend(
                    worst.map(|field| (index, drift.fields[field].name.clone(), Some(field))),
                );
            }
            _ => {
                let first = runs[index].fields.iter().take(limit);
                chosen.extend(first.map(|field| (index, field.name.clone(), None)));
            }
        }
    }
    let one = |(index, name, at): &(usize, String, Option<usize>)| {
        let (case, runs) = (&cases[*index], &runs[*index]);
        let field = runs.fields.iter().find(|field| field.name == *name)?;
        let image = image_of(request, case, name)?;
        let (base, head) = (done(&field.base), done(&field.head));
        let drift = drifts[*index].as_ref().and_then(|drift| drift.as_ref().ok());
        let pairing = at.and_then(|at| drift.map(|drift| &drift.fields[at].pairing));
        let picture = overlay::draw(
            &image.image,
            base.map(|run| &run.labels),
            head.map(|run| &run.labels),
            pairing,
        );
        let png = overlay::encode_png(&picture).ok()?;
        Some(Picture { profile: case.name.clone(), field: name.clone(), png })
    };
    chosen.par_iter().filter_map(one).collect()
}

fn image_of(request: &Request<'_>, case: &Case, name: &str) -> Option<Field> {
    let several = case.trials.len() > 1;
    let entry = case.trials.iter().find_map(|trial| {
        let named = |entry: &&FieldEntry| {
            if several {
                format!("{}/{}", trial.name, entry.name) == name
            } else {
                entry.name == name
            }
        };
        selected(trial).find(named)
    })?;
    entry.open(&request.head).or_else(|_| entry.open(&request.base)).ok()
}
