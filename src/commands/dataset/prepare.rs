//! `cellgate dataset prepare`: brings a folder of images, and of masks, into the layout.

use crate::ui::Ui;
use crate::ui::dataset::write_error;
use crate::ui::failure::Failure;
use crate::ui::preparation::PreparationArgs;
use crate::ui::value::{self, WrongValue};
use cellgate_core::preparation::Steps;
use cellgate_core::units::PixelSize;
use cellgate_gate::exit::ExitCode;
use cellgate_inputs::dataset::Split;
use cellgate_inputs::dataset::prepare::Preparation;
use clap::ValueEnum;
use std::path::PathBuf;

/// Bring a folder of images, and of masks, into the layout
///
/// Images may be PNG, JPEG or TIFF. The mask of `NAME.png` is `NAME_mask`, `NAME_labels` or `NAME`
/// in the folder of masks.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    cellgate dataset prepare images --masks truth --out datasets/nuclei --image-type he\n  \
    cellgate dataset prepare images --masks binary --binary-masks --out nuclei --image-type he\n  \
    cellgate dataset prepare images --out nuclei --image-type he --histogram equalize --resize 512x512")]
pub(crate) struct Args {
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
    /// Type of the images, for example `ihc-hdab`
    #[arg(long, value_name = "TYPE", value_parser = parse_name)]
    image_type: String,
    /// Edge length of a pixel in micrometers; without it the files' own
    #[arg(long, value_name = "UM", value_parser = value::pixel_size)]
    pixel_size_um: Option<PixelSize>,
    #[command(flatten)]
    preparation: PreparationArgs,
    /// Name of the dataset
    #[arg(long, default_value = "nuclei", value_parser = parse_name)]
    name: String,
    /// Split that the fields belong to
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

/// Split of fields, as named on the command line and in manifests.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum SplitName {
    Train,
    Test,
}

/// Prepares and writes.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let mut steps = Steps::default();
    if let Err(findings) = args.preparation.set(&mut steps) {
        return ui.print_findings(&findings);
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
        writeln!(ui.out, "wrote {}", manifest.display()).map_err(write_error)?;
    }
    ui.print_findings(&findings)
}

fn parse_name(text: &str) -> Result<String, WrongValue> {
    let is_name = cellgate_inputs::dataset::manifest::is_name(text);
    is_name
        .then(|| text.to_owned())
        .ok_or_else(|| WrongValue("letters, digits, `.`, `_` and `-` are needed".to_owned()))
}
