//! `cellgate dataset`: checks, draws, prepares and splits datasets.
//!
//! Takes the arguments, calls the library, prints what was done. Findings are given back: the
//! caller renders them and chooses the exit code.

use super::failure::Failure;
use super::preparation::PreparationArgs;
use super::pull;
use cellgate_core::preparation::Steps;
use cellgate_core::profile::Modality;
use cellgate_core::units::PixelSize;
use cellgate_inputs::dataset::manifest::{load_records, render_manifest};
use cellgate_inputs::dataset::prepare::Preparation;
use cellgate_inputs::dataset::split::assign_splits;
use cellgate_inputs::dataset::store::{StoreError, write_new};
use cellgate_inputs::dataset::{Dataset, Split, write_phantoms};
use cellgate_inputs::finding::Finding;
use cellgate_inputs::revision::{Tree, normalize};
use clap::{Subcommand, ValueEnum};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Check, draw, prepare and split datasets of fields with truth
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(CheckArgs),
    Phantom(PhantomArgs),
    Prepare(PrepareArgs),
    Pull(pull::Args),
    Split(SplitArgs),
}

/// Check a dataset's manifest, digests, images and masks
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cellgate dataset check datasets/nuclei")]
struct CheckArgs {
    /// Folder with `dataset.yaml`
    dir: PathBuf,
}

/// Draw a dataset of phantoms with exact truth
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cellgate dataset phantom --out datasets/phantoms\n  \
    cellgate dataset phantom --out train --modality ihc-hdab --seed 100 --n-fields 50")]
struct PhantomArgs {
    /// Folder to write the dataset to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Modalities to draw; all of them without this
    #[arg(long, value_name = "MODALITY", value_delimiter = ',')]
    modality: Vec<ModalityName>,
    /// Seed of the first field; the next ones follow
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Fields of each modality
    #[arg(long, value_name = "N", default_value_t = 6)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    n_fields: u32,
}

/// How images come about, as named on the command line and in manifests.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModalityName {
    Fluorescence,
    He,
    IhcHdab,
}

impl From<ModalityName> for Modality {
    fn from(name: ModalityName) -> Self {
        match name {
            ModalityName::Fluorescence => Self::Fluorescence,
            ModalityName::He => Self::He,
            ModalityName::IhcHdab => Self::IhcHdab,
        }
    }
}

/// Bring a folder of images, and of masks, into the layout
///
/// Images may be PNG, JPEG or TIFF. The mask of `NAME.png` is `NAME_mask`, `NAME_labels` or `NAME`
/// in the folder of masks.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    cellgate dataset prepare images --masks truth --out datasets/nuclei --image-type he\n  \
    cellgate dataset prepare images --masks binary --binary-masks --out nuclei --image-type he\n  \
    cellgate dataset prepare images --out nuclei --image-type he --histogram equalize --resize 512x512")]
struct PrepareArgs {
    /// Folder of the images
    #[arg(value_name = "IN")]
    images: PathBuf,
    /// Folder to write the dataset to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Folder of the masks
    #[arg(long, value_name = "DIR")]
    masks: Option<PathBuf>,
    /// Number the connected parts of masks that have one value for all nuclei
    #[arg(long, requires = "masks")]
    binary_masks: bool,
    /// What kind of images they are, for example `ihc-hdab`
    #[arg(long, value_name = "TYPE", value_parser = parse_name)]
    image_type: String,
    /// Edge length of a pixel in micrometers; without it the files' own
    #[arg(long, value_name = "UM", value_parser = parse_pixel_size)]
    pixel_size_um: Option<PixelSize>,
    #[command(flatten)]
    preparation: PreparationArgs,
    /// Name of the dataset
    #[arg(long, default_value = "nuclei", value_parser = parse_name)]
    name: String,
    /// What the fields may be used for
    #[arg(long, default_value = "test")]
    split: SplitName,
    /// CSV with the columns `name` and `group`: fields of a group, for example of one slide, are
    /// never divided between training and testing
    #[arg(long, value_name = "FILE")]
    groups: Option<PathBuf>,
    /// Where the fields come from
    #[arg(long)]
    source: Option<String>,
    /// License of the fields, for example `CC0-1.0`
    #[arg(long)]
    license: Option<String>,
}

/// What fields may be used for, as named on the command line and in manifests.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum SplitName {
    Train,
    Test,
}

/// Split a dataset's fields into training and testing, group by group
///
/// Gives the manifest with the new splits; the dataset itself is left as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    cellgate dataset split datasets/nuclei --test-fraction 0.3 --seed 1 --out dataset.yaml")]
struct SplitArgs {
    /// Folder with `dataset.yaml`
    dir: PathBuf,
    /// Part of the fields that is for testing, 0 to 1
    #[arg(long, value_name = "F", default_value_t = 0.3, value_parser = parse_fraction)]
    test_fraction: f64,
    /// Where the random numbers start
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// File to write the manifest to; standard output without this
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// The command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatasetError {
    /// Files could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Files could not be fetched.
    #[error("{}", .0.text())]
    Pull(Failure),
    /// Standard output could not be written.
    #[error("the output cannot be written")]
    Output(#[from] std::io::Error),
}

/// Runs the command; gives the findings about its input.
pub(crate) fn run(
    args: &Args,
    out: &mut dyn Write,
    is_quiet: bool,
) -> Result<Vec<Finding>, DatasetError> {
    match &args.command {
        Command::Check(args) => check(args, out),
        Command::Phantom(args) => phantom(args, out),
        Command::Prepare(args) => prepare(args, out),
        Command::Pull(args) => {
            pull::run(args, out, is_quiet).map_err(DatasetError::Pull)?;
            Ok(Vec::new())
        }
        Command::Split(args) => split(args, out),
    }
}

fn check(args: &CheckArgs, out: &mut dyn Write) -> Result<Vec<Finding>, DatasetError> {
    let (tree, folder) = tree_of(&args.dir);
    let dataset = match Dataset::load(&tree, &folder) {
        Ok(dataset) => dataset,
        Err(findings) => return Ok(findings),
    };
    let findings = dataset.check(&tree);
    if !cellgate_inputs::finding::has_errors(&findings) {
        writeln!(out, "{} fields, digest {}", dataset.fields().len(), dataset.digest())?;
    }
    Ok(findings)
}

fn phantom(args: &PhantomArgs, out: &mut dyn Write) -> Result<Vec<Finding>, DatasetError> {
    let named =
        if args.modality.is_empty() { ModalityName::value_variants() } else { &args.modality };
    let modalities: Vec<Modality> = named.iter().copied().map(Modality::from).collect();
    let manifest = write_phantoms(&args.out, &modalities, args.seed, args.n_fields)?;
    writeln!(out, "wrote {}", manifest.display())?;
    Ok(Vec::new())
}

fn prepare(args: &PrepareArgs, out: &mut dyn Write) -> Result<Vec<Finding>, DatasetError> {
    let mut steps = Steps::default();
    if let Err(findings) = args.preparation.set(&mut steps) {
        return Ok(findings);
    }
    let preparation = Preparation {
        images: args.images.clone(),
        masks: args.masks.clone(),
        has_binary_masks: args.binary_masks,
        image_type: args.image_type.clone(),
        pixel_size: args.pixel_size_um,
        steps,
        split: match args.split {
            SplitName::Train => Split::Train,
            SplitName::Test => Split::Test,
        },
        groups: args.groups.clone(),
        source: args.source.clone(),
        license: args.license.clone(),
    };
    let (manifest, findings) = preparation.write(&args.out, &args.name)?;
    if let Some(manifest) = manifest {
        writeln!(out, "wrote {}", manifest.display())?;
    }
    Ok(findings)
}

fn split(args: &SplitArgs, out: &mut dyn Write) -> Result<Vec<Finding>, DatasetError> {
    let (tree, folder) = tree_of(&args.dir);
    let (name, mut fields) = match load_records(&tree, &folder) {
        Ok(records) => records,
        Err(findings) => return Ok(findings),
    };
    assign_splits(&mut fields, args.test_fraction, args.seed);
    let text = render_manifest(&name, &fields);
    match &args.out {
        Some(file) => {
            write_new(file, text.as_bytes())?;
            writeln!(out, "wrote {}", file.display())?;
        }
        None => out.write_all(text.as_bytes())?,
    }
    Ok(Vec::new())
}

/// The tree and the folder in it, so that findings show the path that was typed where they can.
fn tree_of(dir: &Path) -> (Tree, String) {
    match dir.to_str().and_then(normalize) {
        Some(folder) => (Tree::Folder(".".into()), folder),
        None => (Tree::Folder(dir.to_owned()), ".".to_owned()),
    }
}

fn parse_pixel_size(text: &str) -> Result<PixelSize, String> {
    let (least, most) = PixelSize::RANGE_UM;
    let size = text.parse().ok().and_then(PixelSize::from_um);
    size.ok_or_else(|| format!("a number from {least} to {most} is needed"))
}

fn parse_fraction(text: &str) -> Result<f64, String> {
    let fraction = text.parse().ok().filter(|fraction| (0.0..=1.0).contains(fraction));
    fraction.ok_or_else(|| "a number from 0 to 1 is needed".to_owned())
}

fn parse_name(text: &str) -> Result<String, String> {
    let is_name = cellgate_inputs::dataset::manifest::is_name(text);
    is_name
        .then(|| text.to_owned())
        .ok_or_else(|| "letters, digits, `.`, `_` and `-` are needed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Door {
        #[command(flatten)]
        args: Args,
    }

    /// Runs a command line; gives what it printed.
    #[track_caller]
    fn dataset(line: &[&str]) -> (String, Vec<Finding>) {
        let door = Door::try_parse_from([&["dataset"], line].concat()).unwrap();
        let mut out = Vec::new();
        let findings = run(&door.args, &mut out, true).unwrap();
        (String::from_utf8(out).unwrap(), findings)
    }

    #[test]
    fn phantoms_are_written_checked_prepared_again_and_split() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (drawn, again) = (path("drawn"), path("again"));
        dataset(&[
            "phantom",
            "--out",
            &drawn,
            "--modality",
            "ihc-hdab",
            "--n-fields",
            "2",
            "--seed",
            "7",
        ]);
        let classes =
            std::fs::read_to_string(folder.path().join("drawn/classes/ihc-hdab-7_class.csv"))
                .unwrap();
        assert!(classes.starts_with("label,class,dab_od_mean\n1,"), "{classes}");
        let (said, findings) = dataset(&["check", &drawn]);
        assert!(
            said.starts_with("2 fields, digest ") && findings.is_empty(),
            "{said} {findings:?}"
        );
        let (images, masks) = (path("drawn/original"), path("drawn/masks"));
        let prepare =
            ["prepare", &images, "--masks", &masks, "--out", &again, "--image-type", "ihc-hdab"];
        let (said, findings) = dataset(&prepare);
        assert!(said.starts_with("wrote ") && findings.is_empty(), "{said} {findings:?}");
        let (manifest, findings) = dataset(&["split", &again, "--test-fraction", "0.5"]);
        assert_eq!(findings, []);
        assert_eq!(
            (manifest.matches("split: train").count(), manifest.matches("split: test").count()),
            (1, 1)
        );
        let door = Door::try_parse_from(["dataset", "phantom", "--out", &drawn]).unwrap();
        assert!(matches!(
            run(&door.args, &mut Vec::new(), true),
            Err(DatasetError::Store(StoreError::Exists(_)))
        ));
    }

    #[test]
    fn values_out_of_range_are_refused_with_what_is_needed() {
        let refused = |line: &[&str]| {
            Door::try_parse_from([&["dataset"], line].concat()).unwrap_err().to_string()
        };
        assert!(refused(&["split", "d", "--test-fraction", "1.5"]).contains("0 to 1"));
        let prepare = ["prepare", "in", "--out", "o", "--image-type", "he", "--pixel-size-um"];
        assert!(refused(&[&prepare[..], &["0"]].concat()).contains("0.01 to 100"));
        assert!(
            refused(&["prepare", "in", "--out", "o", "--image-type", "../x"]).contains("letters")
        );
        assert!(refused(&["phantom", "--out", "o", "--n-fields", "0"]).contains("1..=1000"));
    }
}
