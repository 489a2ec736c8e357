//! Card: the description of weights that were trained here.
//!
//! Takes the dataset, the recipe and the outcome; gives a model card with its training, its figures
//! and plain words about use and limits, which an author may improve.

use super::division::Division;
use super::recipe::Recipe;
use super::record::Spent;
use super::sample::Sample;
use cellgate_core::profile::Modality;
use cellgate_core::unet::card::{
    Card, CardDecoding, Figures, Input, ModalityChannels, OutputMeaning, SCHEMA, SplitCounts,
    Training, TrainingDataset, TrainingSplit, WeightsFile,
};
use cellgate_core::unet::weights::Precision;
use cellgate_inputs::dataset::split::groups_of;
use cellgate_inputs::dataset::{Dataset, FieldRecord, Split};
use std::collections::BTreeSet;

/// License of images of which none is stated, in the words of SPDX.
const UNKNOWN_LICENSE: &str = "NOASSERTION";

/// Most sources that are listed.
const MAX_SOURCES: usize = 100;

/// Trained model, with its dataset and recipe.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The model's name.
    pub name: &'a str,
    /// License of the weights; without one, those of the images together.
    pub license: Option<&'a str>,
    /// Dataset that it was trained on.
    pub dataset: &'a Dataset,
    /// Which of its fields.
    pub division: &'a Division,
    /// The same, as they were learned from.
    pub samples: &'a [Sample],
    /// Recipe that it was trained by.
    pub recipe: &'a Recipe,
}

/// Outcome of a training.
#[derive(Debug, Clone)]
pub struct Outcome<'a> {
    /// The file of weights.
    pub weights: &'a [u8],
    /// How exactly its numbers are written.
    pub precision: Precision,
    /// The step that the weights are of.
    pub step: u64,
    /// How answers are best turned into nuclei.
    pub decoding: Option<CardDecoding>,
    /// How well they do.
    pub figures: Figures,
    /// Time that it took.
    pub spent: Spent,
    /// Threads that it took.
    pub n_threads: u32,
}

impl Subject<'_> {
    /// The card.
    #[must_use]
    pub fn card(&self, outcome: Outcome<'_>) -> Card {
        let types: BTreeSet<&str> =
            self.samples.iter().map(|sample| sample.image_type.as_str()).collect();
        let types = types.into_iter().collect::<Vec<_>>().join(", ");
        let licenses = self.licenses();
        let file = format!("{}.safetensors", self.name);
        Card {
            schema: SCHEMA.to_owned(),
            name: self.name.to_owned(),
            description: format!("Finds nuclei. Trained on images of the types {types}."),
            intended_use: "Segmentation of nuclei in images like those that it was trained on."
                .to_owned(),
            limits: "Not tried on other tissues, stains, microscopes or resolutions than those of \
                its datasets. Not for diagnosis."
                .to_owned(),
            license: self.license.map_or_else(|| license_expression(&licenses), str::to_owned),
            url: None,
            weights: WeightsFile::of(&file, outcome.weights, outcome.precision),
            architecture: self.recipe.architecture,
            input: Input {
                channels: self.channels(),
                scaling: self.recipe.input.scaling,
                preparation: self.recipe.input.preparation.clone(),
            },
            outputs: OutputMeaning::all(),
            decoding: outcome.decoding,
            training: Some(self.training(&outcome, licenses)),
            figures: outcome.figures,
        }
    }

    fn training(&self, outcome: &Outcome<'_>, licenses: Vec<String>) -> Training {
        let recipe = match serde_json::to_value(self.recipe) {
            Ok(serde_json::Value::Object(recipe)) => recipe,
            _ => serde_json::Map::new(),
        };
        let for_testing: Vec<usize> = (0..self.dataset.fields().len())
            .filter(|&place| self.dataset.fields()[place].split == Split::Test)
            .collect();
        Training {
            datasets: vec![TrainingDataset {
                name: self.dataset.name().to_owned(),
                manifest_sha256: self.dataset.digest(),
                licenses,
                sources: self.sources(),
            }],
            n_images: self.samples.len() as u64,
            n_nuclei: self.samples.iter().map(|sample| sample.centers.len() as u64).sum(),
            split: TrainingSplit {
                rule: format!(
                    "whole groups, by seed {}: about {} of each image type for validation; fields \
                    of the split `test` are for testing",
                    self.recipe.seed, self.recipe.sampling.validation_fraction
                ),
                training: self.split_counts(&self.division.training),
                validation: self.split_counts(&self.division.validation),
                test: (!for_testing.is_empty()).then(|| self.split_counts(&for_testing)),
            },
            recipe,
            seed: self.recipe.seed,
            steps: outcome.step,
            cellgate: env!("CARGO_PKG_VERSION").to_owned(),
            wall_s: outcome.spent.wall_s,
            cpu_s: outcome.spent.cpu_s,
            n_threads: outcome.n_threads,
        }
    }

    /// The channels of each kind of image that there was.
    fn channels(&self) -> Vec<ModalityChannels> {
        let input = &self.recipe.input;
        let is_there = |kind: &Modality| self.samples.iter().any(|one| modality(one) == *kind);
        let all = [Modality::Fluorescence, Modality::He, Modality::IhcHdab];
        let of = |modality: Modality| {
            let is_brightfield = modality.is_brightfield();
            let channels =
                if is_brightfield { &input.color_channels } else { &input.gray_channels };
            ModalityChannels { modality, channels: channels.clone() }
        };
        all.into_iter().filter(is_there).map(of).collect()
    }

    fn split_counts(&self, places: &[usize]) -> SplitCounts {
        let fields = self.dataset.fields();
        let records: Vec<FieldRecord> =
            places.iter().map(|&place| FieldRecord::clone(&fields[place])).collect();
        let groups: BTreeSet<String> = groups_of(&records).into_iter().collect();
        SplitCounts { n_groups: groups.len() as u64, n_images: records.len() as u64 }
    }

    /// Fields that decided about the weights.
    fn fields(&self) -> impl Iterator<Item = &FieldRecord> {
        let places = self.division.training.iter().chain(&self.division.validation);
        places.map(|&place| &*self.dataset.fields()[place])
    }

    fn licenses(&self) -> Vec<String> {
        let license = |field: &FieldRecord| {
            field.license.clone().unwrap_or_else(|| UNKNOWN_LICENSE.to_owned())
        };
        self.fields().map(license).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The collections that fields come from: the first word of what a field says of its source,
    /// where the place in the collection follows.
    fn sources(&self) -> Vec<String> {
        let of_field = |field: &FieldRecord| {
            field.source.as_deref()?.split_whitespace().next().map(str::to_owned)
        };
        let found: BTreeSet<String> = self.fields().filter_map(of_field).collect();
        let n_left_out = found.len().saturating_sub(MAX_SOURCES);
        let mut sources: Vec<String> = found.into_iter().take(MAX_SOURCES).collect();
        if n_left_out > 0 {
            sources.push(format!("and {n_left_out} more, which the dataset names"));
        }
        sources
    }
}

/// Modality of a sample: a color image is of H&E unless its type says `ihc`.
fn modality(sample: &Sample) -> Modality {
    match (sample.is_brightfield, sample.image_type.starts_with("ihc")) {
        (false, _) => Modality::Fluorescence,
        (true, false) => Modality::He,
        (true, true) => Modality::IhcHdab,
    }
}

/// An expression of all licenses.
fn license_expression(licenses: &[String]) -> String {
    let one = |license: &String| {
        if license.contains(" OR ") { format!("({license})") } else { license.clone() }
    };
    match licenses {
        [] => UNKNOWN_LICENSE.to_owned(),
        [only] => only.clone(),
        several => several.iter().map(one).collect::<Vec<_>>().join(" AND "),
    }
}
