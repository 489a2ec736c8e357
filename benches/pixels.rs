//! Times the way from an image file to labels and measurements, stage by stage, beside the same
//! steps in plain code on top of `imageproc`.
//!
//! `cargo bench --bench pixels -- [--large] [--threads N] [--profile FILE]`. Both sides take turns in one process, so
//! that the ratio does not depend on the state of the machine; absolute times do.
#![expect(clippy::print_stdout, reason = "a bench reports on the terminal")]

mod naive;

use cellgate_core::measure::{Request, measure};
use cellgate_core::nuclei::resample::Resampling;
use cellgate_core::nuclei::signal::Signal;
use cellgate_core::profile::Modality;
use cellgate_core::raster::{Image, Labels, Raster};
use cellgate_core::segment::Plan;
use cellgate_inputs::dataset::decode::decode;
use cellgate_inputs::dataset::encode::{encode_image, encode_labels};
use cellgate_inputs::dataset::phantom::Phantom;
use cellgate_inputs::params::{Params, load};
use cellgate_inputs::revision::Tree;
use rayon::prelude::*;
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

/// Times of one run: stages by name, in milliseconds.
type Laps = Vec<(&'static str, f64)>;

/// How often both sides run.
const N_RUNS: usize = 9;

/// Edge of a drawn tile, in pixels.
const TILE_PX: u32 = 1024;

/// Stages that belong to files and not to pixels.
const FILE_STAGES: [&str; 2] = ["decode", "encode labels"];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let is_large = arguments.iter().any(|argument| argument == "--large");
    let n_threads = argument_after(&arguments, "--threads").unwrap_or("1").parse()?;
    rayon::ThreadPoolBuilder::new().num_threads(n_threads).build_global()?;
    let (columns, rows) = if is_large { (4, 3) } else { (1, 1) };
    let file = encode_image(&field(columns, rows), None)?;
    let params = profile(argument_after(&arguments, "--profile").unwrap_or("benches/peers.yaml"))?;
    let (width, height) = (columns * TILE_PX, rows * TILE_PX);
    let mpix = f64::from(width) * f64::from(height) / 1e6;

    let memory = Memory::start();
    let (labels, _) = ours(&file, &params)?;
    let bytes_per_px = memory.map(|memory| memory.grown_bytes() / (mpix * 1e6));
    let n_foreground = labels.samples().iter().filter(|&&label| label > 0).count();
    let n_nuclei = labels.samples().iter().max().copied().unwrap_or(0);
    let percent = n_foreground as f64 / mpix / 1e4;
    println!(
        "{width} x {height} px, {n_nuclei} nuclei, {percent:.1} % foreground, {n_threads} threads"
    );

    let (mut ours_laps, mut naive_laps) = (Vec::new(), Vec::new());
    for _ in 0..N_RUNS {
        ours_laps.push(ours(&file, &params)?.1);
        naive_laps.push(naive::run(&file)?);
    }
    let ours = report("cellgate", &ours_laps, mpix);
    let naive = report("imageproc and plain code", &naive_laps, mpix);
    println!("ratio without files {:.1}, with files {:.1}", naive.0 / ours.0, naive.1 / ours.1);
    if let Some(bytes) = bytes_per_px {
        println!("peak memory {bytes:.1} bytes a pixel");
    }
    Ok(())
}

/// A field of drawn tiles; a sixth of it is nuclei.
fn field(columns: u32, rows: u32) -> Image {
    let draw = |seed: u32| {
        let (width, height, n_nuclei) = (TILE_PX, TILE_PX, 800);
        let blank = Phantom::new(Modality::IhcHdab, u64::from(seed));
        Phantom { width, height, n_nuclei, ..blank }.draw().image
    };
    let tiles: Vec<Image> = (0..columns * rows).into_par_iter().map(draw).collect();
    Image::Rgb8(Raster::from_fn(columns * TILE_PX, rows * TILE_PX, |x, y| {
        match &tiles[(y / TILE_PX * columns + x / TILE_PX) as usize] {
            Image::Rgb8(tile) => tile.at(x % TILE_PX, y % TILE_PX),
            Image::Gray8(_) | Image::Gray16(_) | Image::Rgb16(_) => [u8::MAX; 3],
        }
    }))
}

/// The argument after a flag.
fn argument_after<'a>(arguments: &'a [String], flag: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| argument == flag)?;
    arguments.get(at + 1).map(String::as_str)
}

fn profile(path: &str) -> Result<Params, Box<dyn Error>> {
    let tree = Tree::Folder(Path::new(env!("CARGO_MANIFEST_DIR")).to_owned());
    let loaded =
        load(&tree, path).map_err(|findings| format!("{path}: {}", findings[0].message))?;
    Ok(loaded.params)
}

/// Runs the way from file to table, with the time of each stage.
fn ours(file: &[u8], params: &Params) -> Result<(Labels, Laps), Box<dyn Error>> {
    let mut watch = Watch::start();
    let image = decode("bench", file).map_err(|findings| findings[0].message.clone())?.image;
    watch.lap("decode");
    let labels = labels(&image, params, &mut watch)?;
    let nuclei = measure(&labels, &image, &Request::of_profile(params, None))?;
    black_box(&nuclei);
    watch.lap("measure");
    black_box(encode_labels(&labels)?);
    watch.lap("encode labels");
    Ok((labels, watch.laps))
}

fn labels(image: &Image, params: &Params, watch: &mut Watch) -> Result<Labels, Box<dyn Error>> {
    let plan = Plan::new(params, None)?;
    let signal = Signal::of_channel(image, plan.channel(), params.stains.as_ref())?;
    watch.lap("signal");
    let signal = plan.smooth(signal);
    watch.lap("smooth");
    let components = plan.foreground(&signal);
    watch.lap("threshold, mask, components");
    let size = (image.width(), image.height());
    let nuclei = plan.split(&components, size, &plan.landscape(None));
    let nuclei = plan.cleaning.keep(nuclei, size);
    watch.lap("split");
    let resampling = Resampling::between(None, None);
    let labels = resampling.paint(&nuclei, image.width(), image.height());
    watch.lap("paint");
    Ok(labels)
}

/// Prints the median of each stage; gives the totals without and with files.
fn report(title: &str, runs: &[Laps], mpix: f64) -> (f64, f64) {
    println!("{title}, ms/MPix, median of {} runs", runs.len());
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2] / mpix
    };
    for (stage, (name, _)) in runs[0].iter().enumerate() {
        println!("  {name:<28}{:>8.2}", median(runs.iter().map(|laps| laps[stage].1).collect()));
    }
    let total = |counts: &dyn Fn(&str) -> bool| {
        let of_run = |laps: &Laps| laps.iter().filter(|lap| counts(lap.0)).map(|lap| lap.1).sum();
        median(runs.iter().map(of_run).collect())
    };
    let totals = (total(&|name| !FILE_STAGES.contains(&name)), total(&|_| true));
    println!("  {:<28}{:>8.2}", "total without files", totals.0);
    println!("  {:<28}{:>8.2}", "total", totals.1);
    totals
}

/// Takes the time between stages.
pub(crate) struct Watch {
    last: Instant,
    laps: Laps,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self { last: Instant::now(), laps: Vec::new() }
    }

    pub(crate) fn lap(&mut self, name: &'static str) {
        let now = Instant::now();
        self.laps.push((name, (now - self.last).as_secs_f64() * 1e3));
        self.last = now;
    }

    pub(crate) fn laps(self) -> Laps {
        self.laps
    }
}

/// Resident memory of this process, where the system tells (Linux).
struct Memory {
    start_bytes: f64,
}

impl Memory {
    /// Forgets the peak so far.
    fn start() -> Option<Self> {
        std::fs::write("/proc/self/clear_refs", "5").ok()?;
        Some(Self { start_bytes: resident_bytes("VmRSS:")? })
    }

    /// How far the peak lies above the start.
    fn grown_bytes(&self) -> f64 {
        resident_bytes("VmHWM:").unwrap_or(f64::NAN) - self.start_bytes
    }
}

fn resident_bytes(key: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<f64>().ok()? * 1024.0)
}
