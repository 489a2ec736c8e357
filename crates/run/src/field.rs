//! Field: results of one profile on one image: labels, table and summary, and their digest.

use cellgate_core::digest::Digest;
use cellgate_core::measure::Nuclei;
use cellgate_core::raster::Labels;
use cellgate_core::score::Summary;
use cellgate_core::units::PixelSize;
use cellgate_inputs::finding::{Code, Finding};
use cellgate_inputs::params::Params;
use cellgate_inputs::source::Place;

/// Results of one profile on one field.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldRun {
    /// Object numbers.
    pub labels: Labels,
    /// One row for each nucleus.
    pub nuclei: Nuclei,
    /// Summary of the field.
    pub summary: Summary,
}

/// The pixel size of a field, and what there is to say about it.
///
/// `command_line` comes before `recorded` (the dataset, then the image file) before the
/// profile's own before its working resolution.
#[must_use]
pub fn pixel_size(
    params: &Params,
    command_line: Option<PixelSize>,
    recorded: Option<PixelSize>,
    path: &str,
) -> (Option<PixelSize>, Vec<Finding>) {
    let mut findings = params.check_pixel_size(command_line.or(recorded), path);
    let sizes = [command_line, recorded, params.image.pixel_size];
    let choice = sizes.into_iter().flatten().next();
    let other = sizes
        .into_iter()
        .flatten()
        .find(|&size| choice.is_some_and(|choice| !choice.agrees_with(size)));
    if let Some((choice, other)) = choice.zip(other) {
        let message = format!(
            "{} µm is used as the pixel size, but {} µm is named, too",
            choice.um(),
            other.um()
        );
        let help = "make them agree: the command line comes before the dataset, the image file and the profile";
        findings
            .push(Finding::warning(Code::PixelSizeConflict, Place::file(path), message).help(help));
    }
    if let Some(working) = params.image.working_pixel_size.filter(|_| choice.is_none()) {
        let message = format!(
            "the pixel size is not known; {} µm, the working resolution, is taken",
            working.um()
        );
        let help = "give `--pixel-size-um`, or `pixel_size_um` in the dataset or the profile";
        findings.push(Finding::note(Code::PixelSizeAssumed, Place::file(path), message).help(help));
    }
    (choice.or(params.image.working_pixel_size), findings)
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
