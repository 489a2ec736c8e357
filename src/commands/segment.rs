//! `cellgate segment`: labels and tables of images.

use super::failure::Failure;
use super::inputs::{self, ImageFile};
use super::progress::Progress;
use cellgate_core::digest::Digest;
use cellgate_core::score::Summary;
use cellgate_core::unet::UnetError;
use cellgate_core::units::PixelSize;
use cellgate_gate::report::findings::human;
use cellgate_gate::report::{geojson, overlay, tables};
use cellgate_inputs::dataset::decode::decode;
use cellgate_inputs::dataset::encode::{encode_labels, labels_extension};
use cellgate_inputs::finding::{Finding, has_errors};
use cellgate_inputs::params::Params;
use cellgate_run::models::{ModelError, Models, tree_of_profile};
use cellgate_run::ready::Ready;
use cellgate_run::record::{FieldRecord, RunRecord};
use cellgate_run::write::replace;
use cellgate_run::{FieldRun, RunError, pixel_size};
use rayon::prelude::*;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

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
    #[arg(long, value_name = "UM", value_parser = inputs::pixel_size)]
    pixel_size_um: Option<PixelSize>,
    /// Write `NAME_overlay.png`: outlines over the image
    #[arg(long)]
    overlay: bool,
    /// Write `NAME.geojson`: outlines that QuPath imports
    #[arg(long)]
    geojson: bool,
}

/// What is kept of a field until the tables are written.
struct Done {
    record: FieldRecord,
    nuclei: cellgate_core::measure::Nuclei,
    summary: Summary,
    findings: Vec<Finding>,
}

/// Segments, writes, prints what was found.
pub(crate) fn run(args: &Args, out: &mut dyn Write, is_quiet: bool) -> Result<u8, Failure> {
    let started = Instant::now();
    let profile = inputs::profile(&args.profile)?;
    let files = inputs::images(&args.images)?;
    let ready = ready(&args.profile, &profile.params)
        .map_err(|error| Failure::Findings(vec![error.finding(&profile)]))?;
    let progress = Progress::new(is_quiet);
    let n_done = AtomicUsize::new(0);
    let run = |file: &ImageFile| {
        let done = field(args, &ready, file);
        progress.tell(n_done.fetch_add(1, Ordering::Relaxed) + 1, files.len(), &file.name);
        done
    };
    let at_once = files.chunks(ready.n_at_once().min(files.len()).max(1));
    let results: Vec<Result<Done, Failure>> =
        at_once.flat_map(|some| some.par_iter().map(run).collect::<Vec<_>>()).collect();
    progress.finish();
    let mut done = Vec::new();
    let mut failed = Vec::new();
    for result in results {
        match result {
            Ok(field) => done.push(field),
            Err(Failure::Findings(findings)) => failed.extend(findings),
            Err(failure) => return Err(failure),
        }
    }
    let mut remarks = profile.warnings;
    remarks.extend(done.iter().flat_map(|field| field.findings.iter().cloned()));
    if !is_quiet {
        write!(out, "{}", human(&collapsed(remarks), &[profile.source], false))?;
    }
    if done.is_empty() {
        // Tables of a former run stay: none of them is replaced by one that says nothing.
        return Err(Failure::Findings(failed));
    }
    write_tables(args, &profile.params, &done, started.elapsed().as_secs_f64())?;
    let n_nuclei: u64 = done.iter().map(|field| u64::from(field.summary.n_nuclei)).sum();
    let fields = n_fields(done.len(), files.len());
    writeln!(out, "{n_nuclei} nuclei in {fields}, written to {}", args.out.display())?;
    if has_errors(&failed) { Err(Failure::Findings(failed)) } else { Ok(0) }
}

/// How many fields were measured of those that were asked for.
fn n_fields(n_done: usize, n_asked: usize) -> String {
    match (n_done, n_asked) {
        (1, 1) => "1 field".to_owned(),
        (_, n) if n == n_done => format!("{n} fields"),
        _ => format!("{n_done} of {n_asked} fields"),
    }
}

/// A profile with its network, if it has one.
fn ready<'a>(path: &Path, params: &'a Params) -> Result<Ready<'a>, ModelError> {
    if params.unet.is_none() {
        // Asking git where weights are kept takes nearly as long as the start of the program.
        return Ready::load(params, Models::default());
    }
    let cache = inputs::kept(path.parent().unwrap_or(Path::new(".")));
    let (tree, folder) = tree_of_profile(path);
    Ready::load(params, Models::new(&tree, &folder, cache.as_ref()))
}

/// Remarks that many fields share, once each.
fn collapsed(findings: Vec<Finding>) -> Vec<Finding> {
    let mut kept: Vec<Finding> = Vec::new();
    for finding in findings {
        if !kept.contains(&finding) {
            kept.push(finding);
        }
    }
    kept
}

fn field(args: &Args, ready: &Ready<'_>, file: &ImageFile) -> Result<Done, Failure> {
    let started = Instant::now();
    let shown = file.path.to_string_lossy();
    let bytes = inputs::read(&file.path).map_err(|finding| Failure::Findings(vec![finding]))?;
    let digest = Digest::of_bytes(&bytes);
    let decoded = decode(&shown, &bytes).map_err(Failure::Findings)?;
    drop(bytes);
    let profile = args.profile.to_string_lossy();
    let (pixel, findings) =
        pixel_size(ready.params(), args.pixel_size_um, decoded.pixel_size, &profile);
    if has_errors(&findings) {
        return Err(Failure::Findings(findings));
    }
    let run = ready
        .run(&decoded.image, pixel)
        .map_err(|error| Failure::Findings(vec![unfit(&shown, &error)]))?;
    write_field(args, file, &decoded.image, &run)?;
    let record = FieldRecord::new(&file.name, digest, pixel, &run, started.elapsed().as_secs_f64());
    Ok(Done { record, nuclei: run.nuclei, summary: run.summary, findings })
}

fn unfit(path: &str, error: &RunError) -> Finding {
    use cellgate_inputs::finding::Code;
    let place = cellgate_inputs::source::Place::file(path);
    let finding = Finding::error(Code::ImageModality, place, error.to_string());
    match error {
        RunError::Unet(UnetError::Bent | UnetError::Prepare(_)) => finding,
        _ => finding.help("segment this image with a profile of its own modality"),
    }
}

fn write_field(
    args: &Args,
    file: &ImageFile,
    image: &cellgate_core::raster::Image,
    run: &FieldRun,
) -> Result<(), Failure> {
    let at = |ending: String| args.out.join(format!("{}{ending}", file.name));
    let encoded = encode_labels(&run.labels)
        .map_err(|error| Failure::tool("labels cannot be encoded", &error))?;
    replace(&at(format!("_labels.{}", labels_extension(&run.labels))), &encoded)?;
    if args.overlay {
        let picture = overlay::draw(image, None, Some(&run.labels), None);
        let png = overlay::encode_png(&picture)
            .map_err(|error| Failure::tool("the overlay cannot be encoded", &error))?;
        replace(&at("_overlay.png".to_owned()), &png)?;
    }
    if args.geojson {
        replace(
            &at(".geojson".to_owned()),
            geojson::outlines(&run.labels, &run.nuclei).as_bytes(),
        )?;
    }
    Ok(())
}

fn write_tables(args: &Args, params: &Params, done: &[Done], seconds: f64) -> Result<(), Failure> {
    let failed = |error: tables::TableError| Failure::tool("a table is lost", &error);
    let mut nuclei = tables::NucleiTable::new();
    for field in done {
        nuclei.add(&field.record.name, &field.nuclei).map_err(failed)?;
    }
    let at = |name: &str| args.out.join(Path::new(name));
    replace(&at("nuclei.csv"), &nuclei.finish().map_err(failed)?)?;
    let rows: Vec<(&str, Summary)> =
        done.iter().map(|field| (field.record.name.as_str(), field.summary)).collect();
    replace(&at("fields.csv"), &tables::fields(&rows).map_err(failed)?)?;
    let fields = done.iter().map(|field| field.record.clone()).collect();
    let record = RunRecord::new(params, fields, seconds);
    let json = record.to_json().map_err(|error| Failure::tool("`run.json` is lost", &error))?;
    replace(&at("run.json"), json.as_bytes())?;
    Ok(())
}
