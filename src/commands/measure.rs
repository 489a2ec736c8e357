//! `cellgate measure`: a table of anybody's label image.

use crate::ui::Ui;
use crate::ui::failure::Failure;
use crate::ui::inputs;
use crate::ui::value;
use cellgate_core::measure::catalog::CHANNELS;
use cellgate_core::measure::{Request, measure};
use cellgate_core::profile::MeasureGroup;
use cellgate_core::units::PixelSize;
use cellgate_gate::exit::ExitCode;
use cellgate_inputs::dataset::decode::{decode, decode_labels};
use cellgate_run::pixel_size;
use cellgate_run::tables::NucleiTable;
use cellgate_run::write::replace;
use std::path::PathBuf;

/// Measure the objects of a label image
///
/// Without a profile: form and brightness. With one: what the profile asks for.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cellgate measure --labels A01_labels.png --image A01.png --out nuclei.csv"
)]
pub(crate) struct Args {
    /// Label image: 0 is background, every other value is an object
    #[arg(long, value_name = "FILE")]
    labels: PathBuf,
    /// The image that the labels belong to
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// Profile that names stains, classes and groups of measurements
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Table to write; standard output without this
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Edge length of a pixel, in micrometers; comes before what the image file says
    #[arg(long, value_name = "UM", value_parser = value::pixel_size)]
    pixel_size_um: Option<PixelSize>,
}

/// Measures and writes the table.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let out = &mut *ui.out;
    let profile = args.profile.as_deref().map(inputs::load_profile).transpose()?;
    let read =
        |path: &PathBuf| inputs::read(path).map_err(|finding| Failure::Findings(vec![finding]));
    let labels = decode_labels(&args.labels.to_string_lossy(), &read(&args.labels)?);
    let labels = labels.map_err(Failure::Findings)?;
    let decoded = decode(&args.image.to_string_lossy(), &read(&args.image)?);
    let decoded = decoded.map_err(Failure::Findings)?;
    let requested = args.pixel_size_um;
    let pixel_size = match &profile {
        // As `segment` does it, so that both give the same table.
        Some(loaded) => pixel_size(&loaded.params, requested, decoded.pixel_size, "").0,
        None => requested.or(decoded.pixel_size),
    };
    let request = match &profile {
        Some(loaded) => Request::of_profile(&loaded.params, pixel_size),
        None => Request {
            groups: &[MeasureGroup::Shape, MeasureGroup::Intensity],
            channels: &CHANNELS[..1],
            stains: None,
            classify: None,
            pixel_size,
        },
    };
    let nuclei = measure(&labels, &decoded.image, &request)
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let to_failure = |error| Failure::tool("the table is lost", &error);
    let mut table = NucleiTable::new(Vec::new());
    let name = args.image.file_stem().unwrap_or_default().to_string_lossy();
    table.add(&name, &nuclei).map_err(to_failure)?;
    let table = table.finish().map_err(to_failure)?;
    match &args.out {
        Some(path) => replace(path, &table)?,
        None => out.write_all(&table)?,
    }
    Ok(ExitCode::Passed)
}
