//! Bounds: the values that a card may have.

use super::super::architecture::OUTPUTS;
use super::super::weights::MAX_FILE_BYTES;
use super::{Accuracy, Card, SCHEMA, Training};

/// How addresses begin: plain http is for this machine alone.
const SCHEMES: [&str; 4] = ["https://", "http://127.0.0.1:", "http://localhost:", "http://[::1]:"];

/// Longest text of a card.
const MAX_TEXT: usize = 10_000;

/// Longest name.
const MAX_NAME: usize = 100;

/// Longest list.
const MAX_LIST: usize = 1_000;

/// Everything that cannot be.
pub(super) fn problems(card: &Card) -> Vec<String> {
    let mut problems = Vec::new();
    let mut demand = |holds: bool, problem: &str| {
        if !holds {
            problems.push(problem.to_owned());
        }
    };
    demand(card.schema == SCHEMA, "`schema` is not `cellgate/model-card/v1`");
    demand(is_name(&card.name), "`name` needs 1 to 100 letters, digits, `-`, `_` or `.`");
    demand(is_name(&card.weights.file), "`weights.file` is not the plain name of a file");
    demand(card.weights.bytes <= MAX_FILE_BYTES as u64, "`weights.bytes` is above 256 MiB");
    demand(card.architecture.is_possible(), "`architecture` is out of bounds");
    demand(card.input.scaling.is_possible(), "`input.scaling` is out of bounds");
    demand(card.input.preparation.are_possible(), "`input.preparation` is out of bounds");
    demand(!card.license.trim().is_empty(), "`license` is empty");
    demand(
        card.url.as_ref().is_none_or(|url| SCHEMES.iter().any(|scheme| url.starts_with(scheme))),
        "`url` does not start with `https://`",
    );
    let inputs = card.architecture.in_channels as usize;
    let channels = &card.input.channels;
    demand(!channels.is_empty(), "`input.channels` names no modality");
    demand(
        channels.iter().all(|known| known.channels.len() == inputs),
        "`input.channels` has another number of channels than the architecture",
    );
    demand(
        channels.iter().all(|one| one.channels.iter().all(|name| name.exists_in(one.modality))),
        "`input.channels` has a channel that its modality does not have",
    );
    let is_twice = channels
        .iter()
        .enumerate()
        .any(|(index, one)| channels[..index].iter().any(|other| other.modality == one.modality));
    demand(!is_twice, "`input.channels` names a modality twice");
    demand(card.outputs.len() == OUTPUTS as usize, "`outputs` are not three");
    if let Some(decoding) = card.decoding {
        let fractions = [decoding.nucleus_threshold, decoding.h];
        demand(fractions.iter().all(is_fraction), "`decoding` is not within 0 to 1");
    }
    if let Some(training) = &card.training {
        demand(is_possible(training), "`training` has a negative time, no dataset or no thread");
    }
    let figures = card.figures.validation.iter().chain(&card.figures.test);
    demand(figures.clone().all(is_plausible), "`figures` are not within 0 to 1");
    demand(figures.count() <= MAX_LIST, "`figures` are more than 1000");
    demand(
        texts(card).iter().all(|text| text.len() <= MAX_TEXT),
        "a text has more than 10000 bytes",
    );
    problems
}

/// Whether a text is a plain name, also of a file.
fn is_name(text: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    (1..=MAX_NAME).contains(&text.len()) && text.chars().all(is_plain) && !text.starts_with('.')
}

fn is_fraction(value: &f64) -> bool {
    (0.0..=1.0).contains(value)
}

fn is_plausible(row: &Accuracy) -> bool {
    let Accuracy { f1_at_50, mean_ap, aji, pq, dice, .. } = row;
    [f1_at_50, mean_ap, aji, pq, dice].into_iter().all(is_fraction)
}

fn is_possible(training: &Training) -> bool {
    let is_time = |seconds: f64| (0.0..1e9).contains(&seconds);
    is_time(training.wall_s)
        && is_time(training.cpu_s)
        && 0 < training.n_threads
        && (1..=MAX_LIST).contains(&training.datasets.len())
}

/// Texts that are shown as they are.
fn texts(card: &Card) -> Vec<&str> {
    let mut texts = vec![
        card.description.as_str(),
        &card.intended_use,
        &card.limits,
        &card.license,
        card.url.as_deref().unwrap_or_default(),
    ];
    texts.extend(card.outputs.iter().flat_map(|output| [output.name.as_str(), &output.meaning]));
    if let Some(training) = &card.training {
        texts.extend([training.split.rule.as_str(), &training.cellgate]);
        for dataset in &training.datasets {
            texts.push(&dataset.name);
            texts.extend(dataset.licenses.iter().chain(&dataset.sources).map(String::as_str));
        }
    }
    let figures = card.figures.validation.iter().chain(&card.figures.test);
    texts.extend(figures.map(|row| row.image_type.as_str()));
    texts
}
