//! Findings on the way out: the form that `--format` names, and the exit code.

use super::output::write_commands;
use cellgate_gate::exit::ExitCode;
use cellgate_gate::report::findings as render;
use cellgate_inputs::finding::{Finding, has_errors};
use cellgate_inputs::source::Source;
use clap::ValueEnum;
use std::io::{self, Write};

/// The form of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text with the lines that findings are about
    Human,
    /// A JSON document
    Json,
    /// Workflow commands, which GitHub shows beside the changed lines
    Github,
    /// JUnit XML
    Junit,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

/// Writes findings about `files`.
pub(crate) fn print(
    out: &mut dyn Write,
    format: Format,
    findings: &[Finding],
    files: &[String],
    sources: &[Source],
    has_color: bool,
) -> io::Result<()> {
    match format {
        Format::Human => {
            write!(out, "{}", render::human(findings, sources, has_color))?;
            writeln!(out, "{}: {}", n_files(files.len()), render::summary_line(findings))
        }
        Format::Github => {
            write_commands(out, &render::annotations(findings))?;
            writeln!(out, "{}: {}", n_files(files.len()), render::summary_line(findings))
        }
        Format::Json => writeln!(out, "{:#}", render::document(findings)),
        Format::Junit => write!(out, "{}", render::junit(findings, files)),
        Format::Sarif => writeln!(out, "{:#}", render::sarif(findings)),
    }
}

/// The exit code that findings call for.
pub(crate) fn exit_code(findings: &[Finding]) -> ExitCode {
    if has_errors(findings) { ExitCode::Findings } else { ExitCode::Passed }
}

fn n_files(n: usize) -> String {
    if n == 1 { "1 file".to_owned() } else { format!("{n} files") }
}
