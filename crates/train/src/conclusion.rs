//! Conclusion: the results of a training.
//!
//! Takes a training; gives the weights that do best, in half precision, the settings that find
//! nuclei best with them, and how good they are; writes them with card, report, pictures and
//! curves.

use super::batch::Batches;
use super::card::{Outcome, Subject};
use super::checkpoint::Checkpoint;
use super::judge::Judge;
use super::learner::{LearnError, Learner};
use super::run::BEST_FILE;
use super::sample::Sample;
use super::validation::picture::{Picture, pictures};
use super::validation::report::Report;
use super::validation::search::{Grid, Trial, choose_decoder};
use super::validation::{Decoder, Validation, validate};
use cellgate_core::raster::Image;
use cellgate_core::unet::card::{CardError, Figures};
use cellgate_core::unet::plan::Network;
use cellgate_core::unet::weights::{MAX_FILE_BYTES, Precision, Weights, WeightsError};
use cellgate_gate::report::markdown::code;
use cellgate_inputs::dataset::encode::{EncodeError, encode_image};
use cellgate_inputs::revision::{Tree, TreeError};
use cellgate_run::tables::TableError;
use cellgate_run::write::{WriteError, replace};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Losses and validations as a table.
pub const CURVES_FILE: &str = "curves.csv";

/// The same as a picture.
pub const CURVES_PICTURE_FILE: &str = "curves.svg";

/// How well the weights do on the fields for validation, for programs.
pub const VALIDATION_FILE: &str = "validation.json";

/// The same for people.
pub const VALIDATION_TEXT_FILE: &str = "validation.md";

/// How well they do on the fields for testing.
pub const TEST_FILE: &str = "test.json";

/// Folder of pictures of fields for validation.
pub const PICTURES_FOLDER: &str = "pictures";

/// Learner, batches and fields that a training is concluded with.
pub struct Ending<'a> {
    /// Measures what normalization does.
    pub learner: &'a Learner,
    /// Batches that were learned from.
    pub batches: &'a Batches,
    /// The fields for validation.
    pub judge: &'a Judge,
    /// The fields for testing.
    pub test: &'a [Sample],
}

/// A training's result.
#[derive(Debug, Clone)]
pub struct Conclusion {
    /// The step that the weights are of.
    pub step: u64,
    /// The file of weights, in half precision.
    pub weights: Vec<u8>,
    /// How answers become nuclei.
    pub decoder: Decoder,
    /// How well these weights do on the fields for validation.
    pub validation: Validation,
    /// All settings that were tried, the best first.
    pub trials: Vec<Trial>,
    /// How well they do on the fields for testing.
    pub test: Validation,
    /// Fields for validation, with what was found.
    pub pictures: Vec<Picture>,
}

/// A training cannot be concluded.
#[derive(Debug, thiserror::Error)]
pub enum ConclusionError {
    /// Weights of the last step are not to be had.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// The best weights cannot be read.
    #[error("the best weights: {0}")]
    Read(#[from] TreeError),
    /// They are no weights, or not those that the checkpoint speaks of.
    #[error("`{BEST_FILE}`: {0}; go on from the checkpoint to make them anew")]
    Best(WeightsError),
    /// The weights cannot be written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The card cannot be written.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The table cannot be written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The report cannot be written.
    #[error("the report cannot be written: {0}")]
    Report(#[from] serde_json::Error),
    /// A picture cannot be written.
    #[error(transparent)]
    Picture(#[from] EncodeError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Ending<'_> {
    /// Chooses weights and settings. `on_progress` gets the fields done, of how many, and what is
    /// done.
    ///
    /// The weights of the last step come along where no validation saw them: a training that was
    /// stopped has them.
    ///
    /// # Errors
    /// [`ConclusionError`].
    pub fn conclude(
        &self,
        checkpoint: &Checkpoint,
        folder: &Path,
        on_progress: &mut dyn FnMut(usize, usize, &str),
    ) -> Result<Conclusion, ConclusionError> {
        let (step, weights) = self.better_weights(checkpoint, folder)?;
        let weights = weights.to_bytes(Precision::Half)?;
        // What is judged is what is kept: rounded to half precision.
        let network = Network::new(&Weights::read(&weights)?);
        let (fields, n_fields) = (self.judge.fields(), self.judge.fields().len());
        let start = self.judge.decoder();
        let on_progress = &mut |n_done| on_progress(n_done, n_fields, "searching settings");
        let choice = choose_decoder(&network, fields, start, &Grid::default(), on_progress);
        let (decoder, validation, trials) = choice.map_or_else(
            || (*start, Validation::default(), Vec::new()),
            |choice| (choice.decoder, choice.validation, choice.trials),
        );
        Ok(Conclusion {
            step,
            weights,
            decoder,
            test: validate(&network, self.test, &decoder),
            pictures: pictures(&network, fields, &decoder, &validation),
            validation,
            trials,
        })
    }

    /// The best weights or those of the last step, whichever find nuclei better; of equals the
    /// last.
    fn better_weights(
        &self,
        checkpoint: &Checkpoint,
        folder: &Path,
    ) -> Result<(u64, Weights), ConclusionError> {
        let last = checkpoint.state.step;
        let best = match &checkpoint.record.best {
            None => None,
            Some(best) => {
                let folder = Tree::Folder(folder.to_owned());
                let bytes = folder.read(BEST_FILE, MAX_FILE_BYTES as u64)?;
                Some((
                    best.validation.step,
                    Weights::read_verified(&bytes, best.weights).map_err(ConclusionError::Best)?,
                ))
            }
        };
        match best {
            Some((step, weights)) if step == last => Ok((step, weights)),
            None => Ok((last, self.learner.weights(&checkpoint.state, self.batches)?)),
            Some((step, weights)) => {
                let latest = self.learner.weights(&checkpoint.state, self.batches)?;
                let score = |step, weights: &Weights| self.judge.validate(step, weights).score;
                let is_better = score(step, &weights) > score(last, &latest);
                Ok(if is_better { (step, weights) } else { (last, latest) })
            }
        }
    }
}

impl Conclusion {
    /// Writes weights, card, report, pictures and curves to a folder; gives the card's path.
    ///
    /// # Errors
    /// [`ConclusionError`].
    pub fn write(
        &self,
        folder: &Path,
        subject: &Subject<'_>,
        checkpoint: &Checkpoint,
        n_threads: u32,
    ) -> Result<PathBuf, ConclusionError> {
        let card = subject.card(Outcome {
            weights: &self.weights,
            precision: Precision::Half,
            step: self.step,
            decoding: (!self.trials.is_empty()).then(|| self.decoder.decoding.into()),
            figures: Figures { validation: self.validation.by_type(), test: self.test.by_type() },
            spent: checkpoint.record.spent,
            n_threads,
        });
        let card = card.to_bytes()?;
        self.write_report(folder)?;
        write_curves(folder, checkpoint)?;
        replace(&folder.join(format!("{}.safetensors", subject.name)), &self.weights)?;
        let path = folder.join(format!("{}.card.json", subject.name));
        replace(&path, &card)?;
        Ok(path)
    }

    fn write_report(&self, folder: &Path) -> Result<(), ConclusionError> {
        let report = |validation, trials| Report { decoder: &self.decoder, validation, trials };
        let document = |report: Report<'_>| serde_json::to_vec_pretty(&report.document());
        let on_validation = report(&self.validation, &self.trials);
        replace(&folder.join(VALIDATION_FILE), &document(on_validation)?)?;
        let mut text = on_validation.markdown();
        if !self.pictures.is_empty() {
            text.push_str("\n## Pictures\n\n| Picture | Field | Image type | Mean AP |\n");
            text.push_str("|---|---|---|---:|\n");
        }
        for (place, picture) in self.pictures.iter().enumerate() {
            let file = format!("{PICTURES_FOLDER}/{:02}.png", place + 1);
            let (name, image_type) = (code(&picture.name), code(&picture.image_type));
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "| [{file}]({file}) | {name} | {image_type} | {:.3} |",
                picture.mean_ap
            );
            let image = encode_image(&Image::Rgb8(picture.colors.clone()), None)?;
            replace(&folder.join(file), &image)?;
        }
        replace(&folder.join(VALIDATION_TEXT_FILE), text.as_bytes())?;
        if !self.test.fields.is_empty() {
            replace(&folder.join(TEST_FILE), &document(report(&self.test, &[]))?)?;
        }
        Ok(())
    }
}

/// Writes how losses fell and scores rose.
///
/// # Errors
/// [`ConclusionError::Table`] and [`ConclusionError::Write`].
pub fn write_curves(folder: &Path, checkpoint: &Checkpoint) -> Result<(), ConclusionError> {
    let curves = checkpoint.record.curves();
    replace(&folder.join(CURVES_FILE), &curves.csv()?)?;
    replace(&folder.join(CURVES_PICTURE_FILE), curves.svg().as_bytes())?;
    Ok(())
}
