//! Progress of a training while it runs, and the conditions that stop it.

use cellgate_deploy::cancel::unless_cancelled;
use cellgate_gate::report::findings::neutralize_line;
use cellgate_train::learner::Losses;
use cellgate_train::recipe::Recipe;
use cellgate_train::record::{LossRow, Spent, Validation};
use cellgate_train::run::Watch;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::time::{ClockId, clock_gettime};
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Time between lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Progress of a training, and the conditions that stop it.
pub(super) struct Shown {
    bar: ProgressBar,
    started: Instant,
    last_line: Instant,
    limit: Option<Duration>,
    prints_lines: bool,
    is_cancelled: Arc<AtomicBool>,
    /// The step that this process begins with.
    first: u64,
    steps: u64,
    /// When the first step of this process began.
    first_step_start: Option<Instant>,
}

impl Shown {
    /// Starts to show; `limit` counts from `started`.
    pub(super) fn new(
        recipe: &Recipe,
        first: u64,
        started: Instant,
        limit: Option<Duration>,
        is_quiet: bool,
    ) -> Self {
        let is_terminal = io::stderr().is_terminal();
        let is_bar = is_terminal && !is_quiet;
        let target =
            if is_bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(recipe.optimization.steps), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        Self {
            bar,
            started,
            last_line: started,
            limit,
            prints_lines: !is_quiet && !is_terminal,
            is_cancelled: cancellation_flag(),
            first,
            steps: recipe.optimization.steps,
            first_step_start: None,
        }
    }

    /// Whether somebody ends this process.
    pub(super) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    /// Clears the bar.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    #[expect(clippy::print_stderr, reason = "progress is no result")]
    fn print_line(&mut self, text: &str) {
        self.bar.set_message(neutralize_line(text));
        if self.prints_lines {
            eprintln!("{}", neutralize_line(text));
        }
    }
}

impl Watch for Shown {
    fn should_continue(&mut self) -> bool {
        self.first_step_start.get_or_insert_with(Instant::now);
        let is_over = self.limit.is_some_and(|limit| self.started.elapsed() >= limit);
        !is_over && !self.is_cancelled()
    }

    fn on_step(&mut self, step: u64, losses: &Losses, row: Option<&LossRow>) {
        self.bar.set_position(step);
        let is_due = self.last_line.elapsed() >= LINE_EVERY;
        if !is_due && (self.bar.is_hidden() || row.is_none()) {
            return;
        }
        self.last_line = Instant::now();
        let spent = self.first_step_start.map_or(0.0, |start| start.elapsed().as_secs_f64());
        let s_per_step = spent / (step - self.first).max(1) as f64;
        let remaining = Duration::from_secs((s_per_step * (self.steps - step) as f64) as u64);
        let total = row.map_or(f64::from(losses.total), |row| row.total);
        let (minutes, seconds) = (remaining.as_secs() / 60, remaining.as_secs() % 60);
        let speed = format!("{s_per_step:.2} s a step, {minutes} min {seconds} s left");
        self.print_line(&format!("step {step} of {}: loss {total:.4}, {speed}", self.steps));
    }

    fn on_validation(&mut self, validation: &Validation, is_best: bool) {
        let best = if is_best { ", the best so far" } else { "" };
        let loss = validation.held_out_loss.map(|loss| format!(", held-out loss {loss:.4}"));
        let (step, score) = (validation.step, validation.score);
        let loss = loss.unwrap_or_default();
        self.print_line(&format!("step {step}: score {score:.4}{loss}{best}"));
    }

    fn elapsed(&self) -> Spent {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        Spent {
            wall_s: self.started.elapsed().as_secs_f64(),
            cpu_s: cpu.tv_sec as f64 + cpu.tv_nsec as f64 * 1e-9,
        }
    }
}

/// Becomes true when somebody ends this process.
fn cancellation_flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    let wait = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime
            && runtime.block_on(unless_cancelled(std::future::pending::<()>())).is_err()
        {
            set.store(true, Ordering::Relaxed);
        }
    };
    std::thread::spawn(wait);
    flag
}
