//! Run: one profile on one field or dataset, from image to labels, table and summary.
//!
//! Calls segment or the network, measure and score in order, and keeps results that were computed
//! before. Decides nothing.
//!
//! # Examples
//! A drawn image, a profile, and what is found:
//! ```
//! use cellgate_core::accuracy::score_field;
//! use cellgate_core::profile::Modality;
//! use cellgate_inputs::dataset::phantom::Phantom;
//! use cellgate_inputs::params::of_text;
//! use cellgate_inputs::source::Source;
//! use cellgate_run::run_field;
//!
//! let text = "schema: cellgate/profile/v1
//! name: p
//! image: {modality: fluorescence}
//! background: {method: opening, radius_um: 15}
//! smoothing: {sigma_um: 0.5}
//! threshold: {method: otsu, correction_factor: 0.8}
//! split: {method: shape, h: 0.3}
//! ";
//! let profile = of_text(&Source::new("p.yaml", text)).unwrap();
//! let drawing = Phantom::new(Modality::Fluorescence, 1).draw();
//! let run = run_field(&drawing.image, &profile.params, Phantom::pixel_size())?;
//! let accuracy = score_field(&drawing.truth, &run.labels)?;
//! assert!(accuracy.scores.f1_at_50 > 0.8, "{:?}", accuracy.scores);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod cache;
pub mod files;
pub mod fingerprint;
pub mod many;
pub mod models;
pub mod ready;
pub mod record;
pub mod rehearsal;
pub mod tables;
pub mod write;

use cellgate_core::digest::Digest;
use cellgate_core::measure::{Nuclei, ShapesDiffer};
use cellgate_core::raster::{Image, Labels};
use cellgate_core::score::Summary;
use cellgate_core::segment::SegmentError;
use cellgate_core::unet::UnetError;
use cellgate_core::units::PixelSize;
use cellgate_inputs::finding::{Code, Finding};
use cellgate_inputs::params::Params;
use cellgate_inputs::source::Place;
use models::{ModelError, Models};
use ready::Ready;
use std::sync::Arc;

/// What one profile makes of one field.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldRun {
    /// Object numbers.
    pub labels: Labels,
    /// One row for each nucleus.
    pub nuclei: Nuclei,
    /// What the field comes to.
    pub summary: Summary,
}

/// A field could not be run.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RunError {
    /// It cannot be segmented.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The network cannot segment it.
    #[error(transparent)]
    Unet(#[from] UnetError),
    /// The profile's network is not to be had.
    #[error(transparent)]
    Model(Arc<ModelError>),
    /// It cannot be measured.
    #[error(transparent)]
    Measure(#[from] ShapesDiffer),
}

/// Segments and measures one image with a profile that has no network; see [`Ready`] for all.
///
/// # Errors
/// [`RunError`].
pub fn run_field(
    image: &Image,
    params: &Params,
    pixel_size: Option<PixelSize>,
) -> Result<FieldRun, RunError> {
    Ready::new(params, Models::default()).run(image, pixel_size)
}

/// The pixel size of a field, and what there is to say about it.
///
/// `asked` (the command line) comes before `known` (the dataset, then the image file) before the
/// profile's own before its working resolution.
#[must_use]
pub fn pixel_size(
    params: &Params,
    asked: Option<PixelSize>,
    known: Option<PixelSize>,
    path: &str,
) -> (Option<PixelSize>, Vec<Finding>) {
    let mut findings = params.check_pixel_size(asked.or(known), path);
    let named = [asked, known, params.image.pixel_size];
    let chosen = named.into_iter().flatten().next();
    let other =
        named.into_iter().flatten().find(|&size| chosen.is_some_and(|one| !one.agrees_with(size)));
    if let Some((one, two)) = chosen.zip(other) {
        let message =
            format!("{} µm is used as the pixel size, but {} µm is named, too", one.um(), two.um());
        let help = "make them agree: the command line comes before the dataset, the image file and the profile";
        findings
            .push(Finding::warning(Code::PixelSizeConflict, Place::file(path), message).help(help));
    }
    if let Some(working) = params.image.working_pixel_size.filter(|_| chosen.is_none()) {
        let message = format!(
            "the pixel size is not known; {} µm, the working resolution, is taken",
            working.um()
        );
        let help = "give `--pixel-size-um`, or `pixel_size_um` in the dataset or the profile";
        findings.push(Finding::note(Code::PixelSizeAssumed, Place::file(path), message).help(help));
    }
    (chosen.or(params.image.working_pixel_size), findings)
}

/// Digest of the numbers of a run: labels and table.
#[must_use]
pub fn digest_of(run: &FieldRun) -> Digest {
    let mut bytes = Vec::with_capacity(run.labels.n_px() * 4);
    bytes.extend(run.labels.width().to_le_bytes());
    bytes.extend(run.labels.height().to_le_bytes());
    run.labels.samples().iter().for_each(|label| bytes.extend(label.to_le_bytes()));
    for column in &run.nuclei.columns {
        bytes.extend(column.name.as_bytes());
        // NaN never stands in a table, so that its bits can mean "undefined".
        let bits = column.values.iter().map(|value| value.unwrap_or(f64::NAN).to_bits());
        bits.for_each(|bits| bytes.extend(bits.to_le_bytes()));
    }
    let classes = run.nuclei.classes.iter().flatten();
    classes.for_each(|class| bytes.extend(class.as_str().as_bytes()));
    Digest::of_bytes(&bytes)
}
