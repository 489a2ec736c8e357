//! Pictures: the fields worth looking at, with the outlines of both sides.

use super::fields::completed_run;
use super::profile::GatedProfile;
use super::request::Request;
use super::sides::{Case, selected_fields};
use crate::report::html::Picture;
use crate::report::model::Report;
use crate::report::overlay;
use crate::verdict::Verdict;
use cellgate_inputs::dataset::{Field, FieldEntry};
use rayon::prelude::*;

/// Pictures of a profile that moved, and of one that did not.
const PICTURES_OF_MOVED: usize = 6;
const PICTURES_OF_UNMOVED: usize = 1;

/// Draws the fields worth looking at, the worst of each profile first.
pub(super) fn draw(
    request: &Request<'_>,
    profiles: &[GatedProfile],
    report: &Report,
) -> Vec<Picture> {
    let mut selection = Vec::new();
    for gated in profiles {
        let name = &gated.tried.case.name;
        let Some(profile) = report.profiles.iter().find(|profile| profile.name == *name) else {
            continue;
        };
        let is_moved = profile.verdict != Verdict::Unchanged;
        let limit = if is_moved { PICTURES_OF_MOVED } else { PICTURES_OF_UNMOVED };
        match gated.drift() {
            Some(drift) => {
                let fields = profile.worst_fields().into_iter().take(limit);
                selection.extend(
                    fields.map(|field| (gated, drift.fields[field].name.clone(), Some(field))),
                );
            }
            None => {
                let fields = gated.tried.runs.fields.iter().take(limit);
                selection.extend(fields.map(|field| (gated, field.name.clone(), None)));
            }
        }
    }
    let picture_of = |(gated, name, at): &(&GatedProfile, String, Option<usize>)| {
        let (case, runs) = (&gated.tried.case, &gated.tried.runs);
        let field = runs.fields.iter().find(|field| field.name == *name)?;
        let image = image_of(request, case, name)?;
        let (base, head) = (completed_run(&field.base), completed_run(&field.head));
        let pairing = at.and_then(|at| gated.drift().map(|drift| &drift.fields[at].pairing));
        let picture = overlay::draw(
            &image.image,
            base.map(|run| &run.labels),
            head.map(|run| &run.labels),
            pairing,
        );
        let png = overlay::encode_png(&picture).ok()?;
        Some(Picture { profile: case.name.clone(), field: name.clone(), png })
    };
    selection.par_iter().filter_map(picture_of).collect()
}

fn image_of(request: &Request<'_>, case: &Case, name: &str) -> Option<Field> {
    let has_several_trials = case.trials.len() > 1;
    let entry = case.trials.iter().find_map(|trial| {
        let has_name = |entry: &&FieldEntry| {
            if has_several_trials {
                format!("{}/{}", trial.name, entry.name) == name
            } else {
                entry.name == name
            }
        };
        selected_fields(trial).find(has_name)
    })?;
    entry.open(&request.head).or_else(|_| entry.open(&request.base)).ok()
}
