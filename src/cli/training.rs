//! What `cellgate train` does where training is built in.

use super::failure::Failure;
use super::train::Args;
use cellgate::dataset::Dataset;
use cellgate::deploy::cancel::unless_cancelled;
use cellgate::digest::Digest;
use cellgate::report::findings::harmless;
use cellgate::revision::Tree;
use cellgate::run::write::replace;
use cellgate::train::batch::Batches;
use cellgate::train::checkpoint::{Checkpoint, MAX_FILE_BYTES, Origin};
use cellgate::train::division::Division;
use cellgate::train::held_out::HeldOut;
use cellgate::train::learner::{Learner, Losses};
use cellgate::train::parameters;
use cellgate::train::recipe::Recipe;
use cellgate::train::record::{LossRow, Validation};
use cellgate::train::run::{BEST_FILE, CHECKPOINT_FILE, Ended, Training, Watch};
use cellgate::train::sample::read;
use cellgate::unet::weights::{self, Precision, Weights};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal as _, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The weights that a training ends with, in half precision.
const WEIGHTS_FILE: &str = "weights.safetensors";

/// What was trained by.
const RECIPE_FILE: &str = "recipe.json";

/// Losses and validations.
const CURVES_FILE: &str = "curves.csv";

/// Largest recipe.
const MAX_RECIPE_BYTES: u64 = 1 << 20;

/// Seconds between lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Trains, tells how far it is, writes the weights.
pub(super) fn run(args: &Args, out: &mut dyn Write, is_quiet: bool) -> Result<u8, Failure> {
    let started = Instant::now();
    let recipe = recipe(args)?;
    let init = args.init.as_deref().map(initial).transpose()?;
    let folder = if args.data.is_file() { args.data.parent() } else { Some(args.data.as_path()) };
    let tree = Tree::Folder(folder.unwrap_or(Path::new(".")).to_owned());
    let dataset = Dataset::load(&tree, ".").map_err(Failure::Findings)?;
    let division = Division::of(&dataset, recipe.sampling.validation_fraction, recipe.seed);
    let samples =
        |fields: &[usize]| read(&dataset, &tree, fields, &recipe.input).map_err(Failure::Findings);
    let batches = Batches::new(samples(&division.training)?, recipe.clone());
    let Some(batches) = batches else {
        let text = "the dataset has no field of the split `train` with a mask to learn from";
        return Err(Failure::Nothing(text.to_owned()));
    };
    let learner = Learner::new(recipe.clone());
    let held_out = HeldOut::new(samples(&division.validation)?, &recipe, learner.factors());
    let digest = recipe.digest().map_err(|error| Failure::tool("the recipe", &error))?;
    let training = Training {
        learner: &learner,
        batches: &batches,
        judge: &|weights| held_out.as_ref().map_or(0.0, |held_out| held_out.score(weights)),
        of: Origin {
            recipe: digest,
            dataset: dataset.digest(),
            init: init.as_ref().map(|(_, digest)| *digest),
        },
        folder: &args.out,
    };
    let text = serde_json::to_string_pretty(&recipe);
    let text = text.map_err(|error| Failure::tool("the recipe cannot be written", &error))?;
    let mut checkpoint = start(args, &training, &recipe, init.map(|(weights, _)| weights))?;
    write(&args.out.join(RECIPE_FILE), text.as_bytes())?;
    let mut shown = Shown::new(&recipe, started, args.limit_minutes, is_quiet);
    shown.first = checkpoint.state.step;
    let ended = training.run(&mut checkpoint, &mut shown);
    shown.bar.finish_and_clear();
    let ended = ended.map_err(|error| Failure::tool("training", &error))?;
    write(&args.out.join(CURVES_FILE), curves(&checkpoint).as_bytes())?;
    conclude(args, &checkpoint, ended, out)
}

/// The recipe of the file and the options.
fn recipe(args: &Args) -> Result<Recipe, Failure> {
    let mut recipe = match &args.recipe {
        None => Recipe::default(),
        Some(path) => {
            let bytes = bounded(path, MAX_RECIPE_BYTES)?;
            serde_json::from_slice(&bytes)
                .map_err(|error| Failure::tool(&format!("`{}`", path.display()), &error))?
        }
    };
    let optimization = &mut recipe.optimization;
    set(&mut optimization.steps, args.steps);
    set(&mut optimization.rate, args.rate);
    set(&mut optimization.validate_every, args.validate_every);
    set(&mut recipe.sampling.batch, args.batch);
    set(&mut recipe.sampling.crop_px, args.crop);
    set(&mut recipe.architecture.base_width, args.base_width);
    set(&mut recipe.architecture.depth, args.depth);
    set(&mut recipe.seed, args.seed);
    let problems = recipe.problems();
    if problems.is_empty() {
        return Ok(recipe);
    }
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Err(Failure::Usage(texts.join("; ")))
}

fn set<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}

/// Weights to start from, and their digest.
fn initial(path: &Path) -> Result<(Weights, Digest), Failure> {
    let bytes = bounded(path, weights::MAX_FILE_BYTES as u64)?;
    let weights = Weights::read(&bytes)
        .map_err(|error| Failure::tool(&format!("`{}`", path.display()), &error))?;
    Ok((weights, Digest::of_bytes(&bytes)))
}

fn bounded(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    use std::io::Read as _;
    let failed = |error| Failure::tool(&format!("`{}` cannot be read", path.display()), &error);
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(Failure::Tool(format!("`{}` is larger than {most} bytes", path.display())));
    }
    Ok(bytes)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    replace(path, bytes).map_err(|error| Failure::tool("writing", &error))
}

/// The training's first state, or the one that it stopped in.
fn start(
    args: &Args,
    training: &Training<'_>,
    recipe: &Recipe,
    init: Option<Weights>,
) -> Result<Checkpoint, Failure> {
    let path = args.out.join(CHECKPOINT_FILE);
    if args.resume {
        let bytes = bounded(&path, MAX_FILE_BYTES as u64)?;
        return Checkpoint::read(&bytes, &recipe.architecture, &training.of)
            .map_err(|error| Failure::tool(&format!("`{}`", path.display()), &error));
    }
    if path.exists() {
        return Err(Failure::Usage(format!(
            "`{}` is of a training already; go on with `--resume`, or choose another folder",
            args.out.display()
        )));
    }
    Ok(training.start(match init {
        None => parameters::new(&recipe.architecture, recipe.seed),
        Some(weights) if *weights.architecture() == recipe.architecture => {
            parameters::of_weights(&weights)
        }
        Some(_) => {
            let text = "the weights of `--init` have another architecture than the recipe";
            return Err(Failure::Usage(text.to_owned()));
        }
    }))
}

fn curves(checkpoint: &Checkpoint) -> String {
    let mut text = String::from("step,rate,nucleus,dice,boundary,distance,total,gradient_norm\n");
    for row in &checkpoint.record.losses {
        let [nucleus, dice, boundary, distance] = row.parts;
        text.push_str(&format!(
            "{},{},{nucleus},{dice},{boundary},{distance},{},{}\n",
            row.step, row.rate, row.total, row.gradient_norm
        ));
    }
    text
}

fn conclude(
    args: &Args,
    checkpoint: &Checkpoint,
    ended: Ended,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let step = checkpoint.state.step;
    match ended {
        Ended::Complete => writeln!(out, "complete after {step} steps")?,
        Ended::NoBetter => writeln!(out, "no better for long, ended after {step} steps")?,
        Ended::Stopped => writeln!(out, "stopped after {step} steps; `--resume` goes on")?,
    }
    let Some(best) = checkpoint.record.best else { return Ok(0) };
    let (weights, _) = initial(&args.out.join(BEST_FILE))?;
    let bytes = weights
        .to_bytes(Precision::Half)
        .map_err(|error| Failure::tool("weights cannot be written", &error))?;
    let path = args.out.join(WEIGHTS_FILE);
    write(&path, &bytes)?;
    let (step, score) = (best.validation.step, best.validation.score);
    writeln!(out, "best at step {step} with {score:.4}: {}", path.display())?;
    Ok(0)
}

/// What is seen of a training, and when it stops.
struct Shown {
    bar: ProgressBar,
    started: Instant,
    last_line: Instant,
    limit: Option<Duration>,
    is_told: bool,
    is_cancelled: Arc<AtomicBool>,
    first: u64,
    steps: u64,
    /// When the first step of this process began.
    begun: Option<Instant>,
}

impl Shown {
    fn new(recipe: &Recipe, started: Instant, minutes: Option<f64>, is_quiet: bool) -> Self {
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
            limit: minutes.and_then(|minutes| Duration::try_from_secs_f64(minutes * 60.0).ok()),
            is_told: !is_quiet && !is_terminal,
            is_cancelled: cancelled(),
            first: 0,
            steps: recipe.optimization.steps,
            begun: None,
        }
    }

    #[expect(clippy::print_stderr, reason = "progress is no result")]
    fn line(&mut self, text: &str) {
        self.bar.set_message(harmless(text));
        if self.is_told {
            eprintln!("{}", harmless(text));
        }
    }
}

impl Watch for Shown {
    fn goes_on(&mut self) -> bool {
        self.begun.get_or_insert_with(Instant::now);
        let is_over = self.limit.is_some_and(|limit| self.started.elapsed() >= limit);
        !is_over && !self.is_cancelled.load(Ordering::Relaxed)
    }

    fn stepped(&mut self, step: u64, losses: &Losses, row: Option<&LossRow>) {
        self.bar.set_position(step);
        let is_due = self.last_line.elapsed() >= LINE_EVERY;
        if !(is_due || self.bar.is_hidden() == false && row.is_some()) {
            return;
        }
        self.last_line = Instant::now();
        let spent = self.begun.map_or(0.0, |begun| begun.elapsed().as_secs_f64());
        let s_per_step = spent / (step - self.first).max(1) as f64;
        let left = Duration::from_secs((s_per_step * (self.steps - step) as f64) as u64);
        let total = row.map_or(f64::from(losses.total), |row| row.total);
        let (minutes, seconds) = (left.as_secs() / 60, left.as_secs() % 60);
        self.line(&format!(
            "step {step} of {}: loss {total:.4}, {s_per_step:.2} s a step, {minutes} min {seconds} s left",
            self.steps
        ));
    }

    fn validated(&mut self, validation: &Validation, is_best: bool) {
        let best = if is_best { ", the best so far" } else { "" };
        self.line(&format!("step {}: validation {:.4}{best}", validation.step, validation.score));
    }
}

/// Becomes true when somebody ends this process.
fn cancelled() -> Arc<AtomicBool> {
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
