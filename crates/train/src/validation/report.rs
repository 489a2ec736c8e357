//! Report: a validation for people and for programs.
//!
//! Takes what was found with the chosen settings and all settings that were tried; gives Markdown
//! and JSON. Names of fields and types are those of strangers, and are made harmless.

use super::search::Trial;
use super::{Decoder, Judged, Validation};
use cellgate_core::profile::Separation;
use cellgate_core::unet::card::{Accuracy, CardDecoding};
use cellgate_gate::report::markdown::code;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// The form of the JSON document.
pub const SCHEMA: &str = "cellgate/validation/v1";

/// Settings that people are shown.
const SHOWN_TRIALS: usize = 10;

/// Fields that people are shown.
const SHOWN_FIELDS: usize = 12;

/// Validation to report, with its settings.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// The settings that the validation was made with.
    pub decoder: &'a Decoder,
    /// How well they do.
    pub validation: &'a Validation,
    /// All settings that were tried, the best first; none when nothing was searched.
    pub trials: &'a [Trial],
}

impl Report<'_> {
    /// The report for programs.
    #[must_use]
    pub fn document(&self) -> Value {
        let trial = |trial: &Trial| {
            let by_type = trial.validation.by_type();
            let by_type: Map<String, Value> = by_type
                .into_iter()
                .map(|figures| (figures.image_type, json!(figures.mean_ap)))
                .collect();
            let CardDecoding { separation, nucleus_threshold, h } = trial.decoding.into();
            json!({
                "separation": separation,
                "nucleus_threshold": nucleus_threshold,
                "h": h,
                "score": trial.score,
                "mean_ap_by_type": by_type,
            })
        };
        json!({
            "schema": SCHEMA,
            "decoding": CardDecoding::from(self.decoder.decoding),
            "mirror_averaging": self.decoder.is_mirrored,
            "score": self.validation.score(),
            "by_type": self.validation.by_type(),
            "all": self.validation.overall(),
            "fields": self.validation.fields.iter().map(field_json).collect::<Vec<_>>(),
            "searched": self.trials.iter().map(trial).collect::<Vec<_>>(),
        })
    }

    /// The report for people, in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = String::from("# Validation\n\n");
        let Some(all) = self.validation.overall() else {
            text.push_str("There is no field for validation.\n");
            return text;
        };
        // Writing to a string does not fail.
        let how = describe_decoding(self.decoder.decoding.into());
        let _ = write!(text, "Nuclei are found with {how}");
        if self.decoder.is_mirrored {
            text.push_str(", on the mean over four mirror images");
        }
        match self.trials.len() {
            0 => text.push_str(".\n\n"),
            n_trials => {
                let _ = write!(text, ", the best of {n_trials} settings.\n\n");
            }
        }
        let by_type = self.validation.by_type();
        text.push_str("| Image type | Images | Nuclei | F1 at 0.5 | Mean AP | AJI | PQ | Dice |\n");
        text.push_str("|---|---:|---:|---:|---:|---:|---:|---:|\n");
        by_type.iter().chain([&all]).for_each(|row| push_figures(&mut text, row));
        self.push_trials(&mut text, &by_type);
        self.push_worst(&mut text);
        text
    }

    /// The best settings, and those that are best for single types.
    fn push_trials(&self, text: &mut String, by_type: &[Accuracy]) {
        if self.trials.is_empty() {
            return;
        }
        text.push_str("\n## Settings\n\nThe score is the mean over types of the mean AP.\n\n");
        text.push_str("| Score | Settings |\n|---:|---|\n");
        for trial in self.trials.iter().take(SHOWN_TRIALS) {
            let how = describe_decoding(trial.decoding.into());
            let _ = writeln!(text, "| {:.4} | {how} |", trial.score);
        }
        text.push_str("\n| Image type | Mean AP, chosen | Best | Best settings for it |\n");
        text.push_str("|---|---:|---:|---|\n");
        for (place, accuracy) in by_type.iter().enumerate() {
            let best = self.trials.iter().map(|trial| {
                let mean_ap = trial.validation.by_type().get(place).map_or(0.0, |row| row.mean_ap);
                (mean_ap, trial)
            });
            // Of equals the first, which does better on all types together.
            let best = best.reduce(|one, other| if other.0 > one.0 { other } else { one });
            let Some((mean_ap, trial)) = best else { continue };
            let (name, chosen_ap) = (code(&accuracy.image_type), accuracy.mean_ap);
            let how = describe_decoding(trial.decoding.into());
            let _ = writeln!(text, "| {name} | {chosen_ap:.4} | {mean_ap:.4} | {how} |");
        }
    }

    /// The fields that are found worst.
    fn push_worst(&self, text: &mut String) {
        text.push_str("\n## Fields with the least mean AP\n\n");
        text.push_str("| Field | Image type | Mean AP | F1 at 0.5 | True | Found |\n");
        text.push_str("|---|---|---:|---:|---:|---:|\n");
        for field in self.validation.worst().into_iter().take(SHOWN_FIELDS) {
            let Judged { name, image_type, accuracy } = field;
            let _ = writeln!(
                text,
                "| {} | {} | {:.3} | {:.3} | {} | {} |",
                code(name),
                code(image_type),
                accuracy.scores.map,
                accuracy.scores.f1_at_50,
                accuracy.n_truth,
                accuracy.n_found
            );
        }
    }
}

fn push_figures(text: &mut String, row: &Accuracy) {
    let (name, n_images, n_nuclei) = (code(&row.image_type), row.n_images, row.n_nuclei);
    let _ = write!(text, "| {name} | {n_images} | {n_nuclei} |");
    for value in [row.f1_at_50, row.mean_ap, row.aji, row.pq, row.dice] {
        let _ = write!(text, " {value:.3} |");
    }
    text.push('\n');
}

/// Settings as a profile writes them.
fn describe_decoding(decoding: CardDecoding) -> String {
    let separation = match decoding.separation {
        Separation::Boundary => "boundary",
        Separation::Distance => "distance",
    };
    let CardDecoding { nucleus_threshold, h, .. } = decoding;
    format!("`separation: {separation}`, `nucleus_threshold: {nucleus_threshold}`, `h: {h}`")
}

fn field_json(field: &Judged) -> Value {
    let Judged { name, image_type, accuracy } = field;
    let mut row = Map::from_iter([
        ("name".to_owned(), json!(name)),
        ("image_type".to_owned(), json!(image_type)),
        ("n_truth".to_owned(), json!(accuracy.n_truth)),
        ("n_found".to_owned(), json!(accuracy.n_found)),
    ]);
    row.extend(accuracy.scores.entries().map(|(name, score)| (name.to_owned(), json!(score))));
    Value::Object(row)
}
