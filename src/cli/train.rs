//! `cellgate train`: a network's weights from a dataset with truth.
//!
//! Without the feature `train` the command says how to build it.

use super::failure::Failure;
use std::io::Write;
use std::path::PathBuf;

/// Train a network on a dataset with truth
///
/// Fields of the split `train` are divided by group: most are learned from, some validate. Writes
/// weights, checkpoint and curves to a folder; what was interrupted goes on with `--resume`, to the
/// same result.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cellgate train --data datasets/nuclei --out trained --limit-minutes 90\n  \
    cellgate train --data datasets/nuclei --out trained --resume\n  \
    cellgate train --data datasets/mine --out tuned --init models/unet-nuclei.safetensors --steps 500"
)]
pub(crate) struct Args {
    /// The dataset: its folder or its `dataset.yaml`
    #[arg(long, value_name = "DIR")]
    pub(super) data: PathBuf,
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// Recipe in JSON; what it leaves out has its default, and the options below come before it
    #[arg(long, value_name = "FILE")]
    pub(super) recipe: Option<PathBuf>,
    /// Steps of the whole schedule
    #[arg(long, value_name = "N")]
    pub(super) steps: Option<u64>,
    /// Crops in a batch
    #[arg(long, value_name = "N")]
    pub(super) batch: Option<u32>,
    /// Edge length of a crop
    #[arg(long, value_name = "PX")]
    pub(super) crop: Option<u32>,
    /// Greatest learning rate
    #[arg(long, value_name = "RATE")]
    pub(super) rate: Option<f64>,
    /// Channels of the network's first level
    #[arg(long, value_name = "N")]
    pub(super) base_width: Option<u32>,
    /// How many times the network halves the resolution
    #[arg(long, value_name = "N")]
    pub(super) depth: Option<u32>,
    /// Where all random numbers start
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Steps between validations
    #[arg(long, value_name = "N")]
    pub(super) validate_every: Option<u64>,
    /// Go on from the checkpoint in the folder
    #[arg(long)]
    pub(super) resume: bool,
    /// Stop at a checkpoint after this time
    #[arg(long, value_name = "MINUTES")]
    pub(super) limit_minutes: Option<f64>,
    /// Start from trained weights
    #[arg(long, value_name = "WEIGHTS")]
    pub(super) init: Option<PathBuf>,
}

/// Trains, tells how far it is, writes the weights.
#[cfg(feature = "train")]
pub(crate) fn run(args: &Args, out: &mut dyn Write, is_quiet: bool) -> Result<u8, Failure> {
    super::training::run(args, out, is_quiet)
}

/// Says what is missing.
#[cfg(not(feature = "train"))]
pub(crate) fn run(_: &Args, _: &mut dyn Write, _: bool) -> Result<u8, Failure> {
    Err(Failure::Tool(
        "this cellgate was built without training; the released binaries have it, and so has \
        `cargo install cellgate --features train`"
            .to_owned(),
    ))
}
