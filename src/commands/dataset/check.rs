//! `cellgate dataset check`: whether a dataset is what its manifest says.

use crate::ui::Ui;
use crate::ui::dataset::{tree_of, write_error};
use crate::ui::failure::Failure;
use cellgate_gate::exit::ExitCode;
use cellgate_inputs::dataset::Dataset;
use std::path::PathBuf;

/// Check a dataset's manifest, digests, images and masks
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cellgate dataset check datasets/nuclei")]
pub(crate) struct Args {
    /// Folder with `dataset.yaml`
    dir: PathBuf,
}

/// Checks; says how many fields there are.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let (tree, folder) = tree_of(&args.dir);
    let dataset = match Dataset::load(&tree, &folder) {
        Ok(dataset) => dataset,
        Err(findings) => return ui.print_findings(&findings),
    };
    let findings = dataset.check(&tree);
    if !cellgate_inputs::finding::has_errors(&findings) {
        writeln!(ui.out, "{} fields, digest {}", dataset.fields().len(), dataset.digest())
            .map_err(write_error)?;
    }
    ui.print_findings(&findings)
}
