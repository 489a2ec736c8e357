//! `cellgate compare`: how far two runs of `cellgate segment` lie apart.

use crate::ui::Ui;
use crate::ui::failure::Failure;
use crate::ui::report::print_verdict;
use cellgate_gate::compare::{CompareError, compare, write};
use cellgate_gate::exit::ExitCode;
use cellgate_gate::report::findings::neutralize_line;
use clap::ValueEnum;
use std::path::PathBuf;

/// Compare two runs of `cellgate segment` on the same images, nucleus by nucleus
///
/// Reads labels and tables of both folders and judges them by tolerances. Writes `drift.json`,
/// `report.md` and `report.html`. Exit code 0 when head lies within tolerance, 11 when not, 10 when
/// a folder is damaged or the runs are of different images.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cellgate segment --profile params/ihc-hdab.yaml --out before slides/\n  \
    cellgate segment --profile new.yaml --out after slides/\n  cellgate compare before after --out drift"
)]
pub(crate) struct Args {
    /// Folder of the run before the change
    #[arg(value_name = "BASE_RUN")]
    base: PathBuf,
    /// Folder of the run after the change
    #[arg(value_name = "HEAD_RUN")]
    head: PathBuf,
    /// Folder to write to
    #[arg(long, value_name = "DIR", default_value = "cellgate-drift")]
    out: PathBuf,
    /// File of tolerances; without it the defaults hold
    #[arg(long, value_name = "FILE")]
    tolerances: Option<PathBuf>,
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// The verdict and its reasons
    Human,
    /// `drift.json`
    Json,
}

/// Compares, writes, prints the verdict.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let out = &mut *ui.out;
    let to_failure = |error: CompareError| match error {
        CompareError::Findings(findings) => Failure::Findings(findings),
        error => Failure::tool("the comparison failed", &error),
    };
    let report = compare(&args.base, &args.head, args.tolerances.as_deref()).map_err(to_failure)?;
    write(&report, &args.out).map_err(to_failure)?;
    match args.format {
        Format::Human => {
            for finding in &report.findings {
                writeln!(out, "{}: {}", finding.severity, neutralize_line(&finding.message))?;
            }
            print_verdict(&report, out)?;
            writeln!(out, "report: {}", args.out.join("report.html").display())?;
        }
        Format::Json => {
            let json = report.to_json();
            write!(out, "{}", json.map_err(|error| Failure::tool("the report is lost", &error))?)?;
        }
    }
    Ok(report.exit_code)
}
