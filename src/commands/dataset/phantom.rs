//! `cellgate dataset phantom`: draws fields whose truth is known exactly.

use crate::ui::Ui;
use crate::ui::dataset::write_error;
use crate::ui::failure::Failure;
use cellgate_core::profile::Modality;
use cellgate_gate::exit::ExitCode;
use cellgate_inputs::dataset::write_phantoms;
use clap::ValueEnum;
use std::path::PathBuf;

/// Draw a dataset of phantoms with exact truth
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cellgate dataset phantom --out datasets/phantoms\n  \
    cellgate dataset phantom --out train --modality ihc-hdab --seed 100 --n-fields 50")]
pub(crate) struct Args {
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

/// Draws and writes.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let names =
        if args.modality.is_empty() { ModalityName::value_variants() } else { &args.modality };
    let modalities: Vec<Modality> = names.iter().copied().map(Modality::from).collect();
    let manifest = write_phantoms(&args.out, &modalities, args.seed, args.n_fields)?;
    writeln!(ui.out, "wrote {}", manifest.display()).map_err(write_error)?;
    Ok(ExitCode::Passed)
}
