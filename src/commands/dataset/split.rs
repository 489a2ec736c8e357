//! `cellgate dataset split`: which fields are for training and which for testing.

use crate::ui::Ui;
use crate::ui::dataset::{tree_of, write_error};
use crate::ui::failure::Failure;
use crate::ui::value::WrongValue;
use cellgate_gate::exit::ExitCode;
use cellgate_inputs::dataset::manifest::{load_records, render_manifest};
use cellgate_inputs::dataset::split::assign_splits;
use cellgate_inputs::dataset::store::write_new;
use std::path::PathBuf;

/// Split a dataset's fields into training and testing, group by group
///
/// Gives the manifest with the new splits; the dataset itself is left as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    cellgate dataset split datasets/nuclei --test-fraction 0.3 --seed 1 --out dataset.yaml")]
pub(crate) struct Args {
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

/// Splits; gives the manifest.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let (tree, folder) = tree_of(&args.dir);
    let (name, mut fields) = match load_records(&tree, &folder) {
        Ok(records) => records,
        Err(findings) => return ui.print_findings(&findings),
    };
    assign_splits(&mut fields, args.test_fraction, args.seed);
    let text = render_manifest(&name, &fields);
    match &args.out {
        Some(file) => {
            write_new(file, text.as_bytes())?;
            writeln!(ui.out, "wrote {}", file.display()).map_err(write_error)?;
        }
        None => ui.out.write_all(text.as_bytes()).map_err(write_error)?,
    }
    Ok(ExitCode::Passed)
}

fn parse_fraction(text: &str) -> Result<f64, WrongValue> {
    let fraction = text.parse().ok().filter(|fraction| (0.0..=1.0).contains(fraction));
    fraction.ok_or_else(|| WrongValue("a number from 0 to 1 is needed".to_owned()))
}
