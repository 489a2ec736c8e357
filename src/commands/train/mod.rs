//! `cellgate train`: a network's weights from a dataset with truth.
//!
//! Without the feature `train` the command says how to build it.

mod args;
#[cfg(feature = "train")]
mod prepared;
#[cfg(feature = "train")]
mod shown;
#[cfg(feature = "train")]
mod training;

pub(crate) use args::Args;

use crate::ui::Ui;
use crate::ui::failure::Failure;
use cellgate_gate::exit::ExitCode;

/// Trains, tells how far it is, writes the weights.
#[cfg(feature = "train")]
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    training::run_training(ui, args)
}

/// Says what is missing.
#[cfg(not(feature = "train"))]
pub(crate) fn run(_: &mut Ui<'_>, _: &Args) -> Result<ExitCode, Failure> {
    Err(Failure::Tool(
        "this cellgate was built without training; the released binaries have it, and so has \
        `cargo install --path . --features train` of its sources"
            .to_owned(),
    ))
}
