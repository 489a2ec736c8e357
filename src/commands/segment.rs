//! `cellgate segment`: labels and tables of images.

use crate::ui::Ui;
use crate::ui::failure::Failure;
use crate::ui::inputs;
use crate::ui::progress::Progress;
use crate::ui::value;
use cellgate_core::raster::Image;
use cellgate_core::units::PixelSize;
use cellgate_gate::exit::ExitCode;
use cellgate_gate::report::findings::human;
use cellgate_gate::report::{geojson, overlay};
use cellgate_inputs::finding::{Finding, has_errors};
use cellgate_inputs::params::Params;
use cellgate_run::FieldRun;
use cellgate_run::files::{self, FilesError, run_files};
use cellgate_run::models::{ModelError, Models, tree_of_profile};
use cellgate_run::ready::Ready;
use cellgate_run::write::replace;
use std::path::{Path, PathBuf};

/// Segment and measure images with a profile
///
/// Writes `NAME_labels.png` for each image, `nuclei.csv`, `fields.csv` and `run.json`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cellgate segment --profile params/ihc-hdab.yaml --out out slides/*.png\n  \
    cellgate segment --profile params/dapi-culture.yaml --out out --overlay --pixel-size-um 0.65 fields/"
)]
pub(crate) struct Args {
    /// Images: files, folders or globs
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// The profile to segment with
    #[arg(long, value_name = "FILE")]
    profile: PathBuf,
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Edge length of a pixel, in micrometers; comes before what image files say
    #[arg(long, value_name = "UM", value_parser = value::pixel_size)]
    pixel_size_um: Option<PixelSize>,
    /// Write `NAME_overlay.png`: outlines over the image
    #[arg(long)]
    overlay: bool,
    /// Write `NAME.geojson`: outlines that QuPath imports
    #[arg(long)]
    geojson: bool,
}

/// Segments, writes, prints what was found.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let (out, is_quiet) = (&mut *ui.out, ui.is_quiet);
    let profile = inputs::load_profile(&args.profile)?;
    let images = inputs::images(&args.images)?;
    let ready = load_ready(&args.profile, &profile.params)
        .map_err(|error| Failure::Findings(vec![error.finding(&profile)]))?;
    let progress = Progress::new(is_quiet);
    let request = files::Request {
        ready: &ready,
        profile_path: &args.profile.to_string_lossy(),
        asked: args.pixel_size_um,
        files: &images,
        out: &args.out,
        pictures: &|stem, image, run| write_pictures(args, stem, image, run),
    };
    let on_progress =
        |n_done: usize, n_total: usize, name: &str| progress.update(n_done, n_total, name);
    let outcome = run_files(&request, &on_progress);
    progress.finish();
    let outcome = outcome?;
    let mut remarks = profile.warnings;
    remarks.extend(outcome.remarks);
    if !is_quiet {
        write!(out, "{}", human(&deduplicate(remarks), &[profile.source], false))?;
    }
    if outcome.n_fields == 0 {
        return Err(Failure::Findings(outcome.failed));
    }
    let fields = describe_n_fields(outcome.n_fields, images.len());
    writeln!(out, "{} nuclei in {fields}, written to {}", outcome.n_nuclei, args.out.display())?;
    if has_errors(&outcome.failed) {
        Err(Failure::Findings(outcome.failed))
    } else {
        Ok(ExitCode::Passed)
    }
}

/// How many fields were measured of those that were asked for.
fn describe_n_fields(n_done: usize, n_images: usize) -> String {
    match (n_done, n_images) {
        (1, 1) => "1 field".to_owned(),
        (_, n) if n == n_done => format!("{n} fields"),
        _ => format!("{n_done} of {n_images} fields"),
    }
}

/// A profile with its network, if it has one.
fn load_ready<'a>(path: &Path, params: &'a Params) -> Result<Ready<'a>, ModelError> {
    if params.unet().is_none() {
        // Asking git where weights are kept takes nearly as long as the start of the program.
        return Ready::load(params, Models::default());
    }
    let cache = inputs::open_cache(path.parent().unwrap_or(Path::new(".")));
    let (tree, folder) = tree_of_profile(path);
    Ready::load(params, Models::new(&tree, &folder, cache.as_ref()))
}

/// Remarks that many fields share, once each.
fn deduplicate(findings: Vec<Finding>) -> Vec<Finding> {
    let mut distinct: Vec<Finding> = Vec::new();
    for finding in findings {
        if !distinct.contains(&finding) {
            distinct.push(finding);
        }
    }
    distinct
}

/// Writes the files of a field besides its labels; `stem` is the beginning of their names.
fn write_pictures(
    args: &Args,
    stem: &Path,
    image: &Image,
    run: &FieldRun,
) -> Result<(), FilesError> {
    let at = |ending: &str| {
        let mut path = stem.as_os_str().to_owned();
        path.push(ending);
        PathBuf::from(path)
    };
    if args.overlay {
        let picture = overlay::draw(image, None, Some(&run.labels), None);
        let encoded =
            overlay::encode_png(&picture).map_err(|error| FilesError::Overlay(error.into()))?;
        replace(&at("_overlay.png"), &encoded)?;
    }
    if args.geojson {
        replace(&at(".geojson"), geojson::outlines(&run.labels, &run.nuclei).as_bytes())?;
    }
    Ok(())
}
