//! Model card: a card as text for people.

use super::findings::neutralize_line;
use cellgate_core::profile::{Modality, Separation};
use cellgate_core::unet::card::{Accuracy, Card, Training};
use std::fmt::Write as _;

/// A card as text; words of strangers are made harmless.
#[must_use]
pub fn human(card: &Card) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{key:<14}{}", neutralize_line(value));
    };
    let weights = &card.weights;
    line("model", &card.name);
    line("", &card.description);
    line("for", &card.intended_use);
    line("limits", &card.limits);
    line("license", &card.license);
    line(
        "weights",
        &format!("{}, {} bytes, {} precision", weights.file, weights.bytes, weights.precision),
    );
    line("sha256", &weights.sha256.to_string());
    if let Some(url) = &card.url {
        line("url", url);
    }
    let n_parameters = card.architecture.n_parameters();
    line("network", &format!("{}; {n_parameters} parameters", card.architecture));
    let scaling = &card.input.scaling;
    let (low, high) = (scaling.low_percentile, scaling.high_percentile);
    line("input", &format!("percentiles {low} to {high} become 0 to 1"));
    for entry in &card.input.channels {
        let channels: Vec<&str> = entry.channels.iter().map(|channel| channel.as_str()).collect();
        line("", &format!("{}: {}", modality_name(entry.modality), channels.join(", ")));
    }
    line("", &format!("preparation: {}", card.input.preparation));
    if let Some(decoding) = card.decoding {
        let separation = match decoding.separation {
            Separation::Boundary => "boundary",
            Separation::Distance => "distance",
        };
        let (threshold, h) = (decoding.nucleus_threshold, decoding.h);
        line("decoding", &format!("separation {separation}, nucleus_threshold {threshold}, h {h}"));
    }
    if let Some(training) = &card.training {
        describe(training, &mut line);
    }
    text + &accuracy_table("validation", &card.figures.validation)
        + &accuracy_table("test", &card.figures.test)
}

fn describe(training: &Training, line: &mut impl FnMut(&str, &str)) {
    let Training { n_images, n_nuclei, seed, steps, cellgate, n_threads, .. } = training;
    line("training", &format!("{n_images} images, {n_nuclei} nuclei, {steps} steps, seed {seed}"));
    let (wall_min, cpu_min) = (training.wall_s / 60.0, training.cpu_s / 60.0);
    let cost = format!("{wall_min:.1} min on {n_threads} threads, {cpu_min:.1} min of processors");
    line("", &format!("cellgate {cellgate}, {cost}"));
    let split = &training.split;
    let (train, validation) = (split.training, split.validation);
    line(
        "",
        &format!(
            "{}: {} images of {} groups trained on, {} of {} for validation",
            split.rule, train.n_images, train.n_groups, validation.n_images, validation.n_groups
        ),
    );
    for dataset in &training.datasets {
        let licenses = dataset.licenses.join(", ");
        line(
            "dataset",
            &format!("{} ({}), {licenses}", dataset.name, dataset.manifest_sha256.short()),
        );
        dataset.sources.iter().for_each(|source| line("", source));
    }
}

fn modality_name(modality: Modality) -> &'static str {
    match modality {
        Modality::Fluorescence => "fluorescence",
        Modality::He => "he",
        Modality::IhcHdab => "ihc_hdab",
    }
}

/// A table of accuracies; empty without rows.
fn accuracy_table(title: &str, rows: &[Accuracy]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{title:<28}{:>7}{:>9}", "images", "nuclei");
    for name in ["F1@.5", "mAP", "AJI", "PQ", "Dice"] {
        let _ = write!(text, "{name:>7}");
    }
    text.push('\n');
    for row in rows {
        let (name, n_images, n_nuclei) =
            (neutralize_line(&row.image_type), row.n_images, row.n_nuclei);
        let _ = write!(text, "  {name:<26}{n_images:>7}{n_nuclei:>9}");
        for value in [row.f1_at_50, row.mean_ap, row.aji, row.pq, row.dice] {
            let _ = write!(text, "{value:>7.3}");
        }
        text.push('\n');
    }
    text
}
