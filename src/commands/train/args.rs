//! Args: the arguments of a training on the command line.

use crate::ui::preparation::PreparationArgs;
use crate::ui::value::WrongValue;
use std::path::PathBuf;
use std::time::Duration;

/// Train a network on a dataset with truth
///
/// Fields of the split `train` are divided by group: most are learned from, some validate. Writes
/// `NAME.safetensors`, `NAME.card.json`, a report of the validation, curves and a checkpoint to a
/// folder; what was interrupted goes on with `--resume`, to the same result.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cellgate train --data datasets/nuclei --out trained --limit-minutes 90\n  \
    cellgate train --data datasets/nuclei --out trained --resume\n  \
    cellgate train --data datasets/nuclei --out look --preview 3\n  \
    cellgate train --data datasets/mine --out tuned --init models/unet-nuclei.safetensors --steps 500"
)]
pub(crate) struct Args {
    /// The dataset: its folder or its `dataset.yaml`
    #[arg(long, value_name = "DIR")]
    pub(super) data: PathBuf,
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// The model's name; the profile's model or the folder's name without this
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// License of the weights, an SPDX expression; that of the images without this
    #[arg(long, value_name = "SPDX")]
    pub(super) license: Option<String>,
    /// Recipe in JSON; what it leaves out has its default. With `--resume` it is the one in the
    /// folder, or one that adds `restarts` to it
    #[arg(long, value_name = "FILE")]
    pub(super) recipe: Option<PathBuf>,
    /// Profile whose `unet` says the form of the network and its channels, before the recipe
    #[arg(long, value_name = "FILE")]
    pub(super) profile: Option<PathBuf>,
    #[command(flatten)]
    pub(super) preparation: PreparationArgs,
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
    /// Make no further step: weights, card and report from the checkpoint in the folder
    #[arg(long, conflicts_with = "resume")]
    pub(super) finish: bool,
    /// Draw the crops of the first N batches and what is to be learned of them, and train nothing
    #[arg(long, value_name = "N", conflicts_with_all = ["resume", "finish"])]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(super) preview: Option<u64>,
    /// Stop at a checkpoint after this time, and make weights of what is reached
    #[arg(long, value_name = "MINUTES", value_parser = minutes)]
    pub(super) limit_minutes: Option<Duration>,
    /// Processor of the steps; a graphics card needs a build with the feature `train-wgpu`, and
    /// no two kinds of card come to the same bits
    #[arg(long, value_enum, default_value = "cpu")]
    pub(super) device: On,
    /// Start from trained weights
    #[arg(long, value_name = "WEIGHTS")]
    pub(super) init: Option<PathBuf>,
}

/// Processor of a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum On {
    /// This machine's processor
    Cpu,
    /// A graphics card, by Vulkan, Metal or DirectX
    Gpu,
}

fn minutes(text: &str) -> Result<Duration, WrongValue> {
    let seconds = text.parse().map_or(f64::NAN, |minutes: f64| minutes * 60.0);
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| WrongValue("a number of minutes is needed".to_owned()))
}
