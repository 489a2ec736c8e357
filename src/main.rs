//! The program: reads the command line, runs the command, and ends with its exit code.
//!
//! `commands` has a file for each subcommand, `ui` what they share. Only this package prints and
//! chooses the exit code; it computes nothing.

mod commands;
mod demo;
mod init;
mod ui;

use cellgate_gate::exit::ExitCode;
use cellgate_github::step::is_read_by_runner;
use clap::{CommandFactory as _, Parser as _};
use commands::Cli;
use std::io::{self, IsTerminal as _, Write as _};
use std::process;
use ui::Ui;
use ui::failure::Failure;
use ui::output::Output;
use ui::{askpass, given, report};

/// Keeps the pages of large buffers from one stage to the next.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> process::ExitCode {
    if let Some(code) = askpass::answer() {
        return code;
    }
    let arguments = given::drop_empty_flags(std::env::args_os(), Cli::command);
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return report_usage_error(&error).into(),
    };
    if let Some(threads) = cli.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(usize::from(threads));
        let pool = if cli.is_compute_only() { pool.use_current_thread() } else { pool };
        if let Err(error) = pool.build_global() {
            return Failure::tool("threads cannot be started", &error).print().into();
        }
    }
    if cli.is_network_bound() {
        disable_huge_pages();
    }
    let out = io::stdout().lock();
    let out = if cli.has_framed_output() { Output::verbatim(out) } else { Output::new(out) };
    let mut out = io::BufWriter::new(out);
    let has_color = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let code = cli.run(&mut Ui { out: &mut out, is_quiet: cli.quiet, has_color });
    let code = match (code, out.flush()) {
        (Ok(code), Ok(())) => code,
        (Ok(_), Err(error)) => Failure::from(error).print(),
        (Err(failure), _) => failure.print(),
    };
    code.into()
}

/// Asks for small pages, here and in what is started from here: what needs little memory for a moment
/// waits longer for huge ones, which are cleared whole, than it computes.
fn disable_huge_pages() {
    // Where this cannot be had, everything is as it was.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Tells what is wrong with the arguments, or the help that they ask for.
fn report_usage_error(error: &clap::Error) -> ExitCode {
    let code = if error.use_stderr() { ExitCode::Usage } else { ExitCode::Passed };
    if code.is_passed() || !is_read_by_runner() {
        // Whoever closed the stream does not want to know.
        let _ = error.print();
        return code;
    }
    // Arguments come from a workflow's inputs, and the text quotes them.
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
    let failure = report::report_failure(Err(Failure::Usage(text.to_owned())));
    failure.unwrap_or_else(|failure| failure.print())
}
