//! Progress: a bar on a terminal, a line every few seconds elsewhere, nothing when asked to be quiet.

use cellgate_gate::report::findings::neutralize_line;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Seconds between lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(3);

/// Shows how far a command is.
pub(crate) struct Progress {
    bar: ProgressBar,
    lines: Option<Mutex<Instant>>,
}

impl Progress {
    /// Starts to show.
    pub(crate) fn new(is_quiet: bool) -> Self {
        let is_terminal = io::stderr().is_terminal();
        let target = if is_quiet || !is_terminal {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {eta}") {
            bar.set_style(style);
        }
        let lines = (!is_quiet && !is_terminal).then(|| Mutex::new(Instant::now()));
        Self { bar, lines }
    }

    /// Tells how many of how many are done, and of what.
    #[expect(clippy::print_stderr, reason = "progress is no result")]
    pub(crate) fn update(&self, n_done: usize, n_total: usize, item: &str) {
        self.bar.set_length(n_total as u64);
        self.bar.set_position(n_done as u64);
        self.bar.set_message(neutralize_line(item));
        if let Some(Ok(mut last)) = self.lines.as_ref().map(Mutex::lock)
            && last.elapsed() >= LINE_EVERY
        {
            *last = Instant::now();
            eprintln!("{n_done} of {n_total}: {}", neutralize_line(item));
        }
    }

    /// Clears the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
