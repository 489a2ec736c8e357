//! Run of `cellgate train` where training is built in.

use super::args::{Args, On};
use super::prepared::{Prepared, RECIPE_FILE, read_bounded, recipe};
use super::shown::Shown;
use crate::ui::Ui;
use crate::ui::failure::Failure;
use crate::ui::progress::Progress;
use cellgate_core::digest::Digest;
use cellgate_core::unet::weights::{self, Weights};
use cellgate_gate::exit::ExitCode;
use cellgate_inputs::dataset::encode::encode_image;
use cellgate_run::write::replace;
use cellgate_train::batch::Batches;
use cellgate_train::card::Subject;
use cellgate_train::checkpoint::{Checkpoint, MAX_FILE_BYTES, Origin};
use cellgate_train::conclusion::{Ending, write_curves};
use cellgate_train::device::Gpu;
use cellgate_train::judge::Judge;
use cellgate_train::learner::Learner;
use cellgate_train::parameters;
use cellgate_train::preview::sheet;
use cellgate_train::recipe::Recipe;
use cellgate_train::run::{CHECKPOINT_FILE, Ended, Training};
use std::io::Write;
use std::path::Path;
#[cfg(unix)]
use std::process::Command;
use std::time::Instant;

/// After how long mimalloc gives freed pages back; never with -1.
const PAGES: &str = "MIMALLOC_PURGE_DELAY";

/// Trains, tells how far it is, writes the weights.
pub(super) fn run_training(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let (out, is_quiet) = (&mut *ui.out, ui.is_quiet);
    let started = Instant::now();
    restart_with_kept_pages();
    let (name, recipe) = recipe(args)?;
    let learner = learner(args.device, &recipe, out)?;
    let prepared = Prepared::new(args, name, recipe)?;
    let Prepared { recipe, dataset, division, .. } = &prepared;
    let batches = Batches::new(prepared.samples(&division.training)?, recipe.clone());
    let Some(batches) = batches else {
        let text = "the dataset has no field of the split `train` with a mask to learn from";
        return Err(Failure::Nothing(text.to_owned()));
    };
    if let Some(n_sheets) = args.preview {
        return preview(args, &batches, n_sheets, out);
    }
    let init = args.init.as_deref().map(read_initial_weights).transpose()?;
    let judge = Judge::new(prepared.samples(&division.validation)?, recipe, learner.factors());
    let training = Training {
        learner: &learner,
        batches: &batches,
        validate: &|step, weights| judge.validate(step, weights),
        of: Origin {
            recipe: recipe.digest().map_err(|error| Failure::tool("the recipe", &error))?,
            dataset: dataset.digest(),
            init: init.as_ref().map(|(_, digest)| *digest),
        },
        folder: &args.out,
    };
    let mut checkpoint = start(args, &training, recipe, init.map(|(weights, _)| weights))?;
    if !args.finish {
        let text = serde_json::to_string_pretty(recipe);
        let text = text.map_err(|error| Failure::tool("the recipe cannot be written", &error))?;
        replace(&args.out.join(RECIPE_FILE), text.as_bytes())?;
        train(args, &training, &mut checkpoint, started, is_quiet, out)?;
    }
    let test = prepared.samples(&prepared.test())?;
    let ending = Ending { learner: &learner, batches: &batches, judge: &judge, test: &test };
    let subject = Subject {
        name: &prepared.name,
        license: args.license.as_deref(),
        dataset,
        division,
        samples: batches.samples(),
        recipe,
    };
    conclude(args, &ending, &subject, &checkpoint, is_quiet, out)
}

/// Begins this program anew with an allocator that keeps the pages of freed maps: the next step
/// needs as many, and a third of a step's time is the kernel's for clearing new ones.
///
/// The allocator reads its settings before `main`. Where the program cannot begin anew, or somebody
/// chose a setting, it goes on as it is.
fn restart_with_kept_pages() {
    #[cfg(unix)]
    if std::env::var_os(PAGES).is_none()
        && let Ok(program) = std::env::current_exe()
    {
        use std::os::unix::process::CommandExt as _;
        let mut again = Command::new(program);
        // Only returns when it failed.
        let _ = again.args(std::env::args_os().skip(1)).env(PAGES, "-1").exec();
    }
}

/// Makes the learner; prints the name of a graphics card.
fn learner(on: On, recipe: &Recipe, out: &mut dyn Write) -> Result<Learner, Failure> {
    if on == On::Cpu {
        return Ok(Learner::new(recipe.clone()));
    }
    let gpu = Gpu::find().map_err(|error| Failure::tool("`--device gpu`", &error))?;
    writeln!(out, "steps on {}", gpu.name)?;
    Ok(Learner::with_burn(recipe.clone(), gpu.device))
}

/// Draws what is learned from.
fn preview(
    args: &Args,
    batches: &Batches,
    n_sheets: u64,
    out: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    for step in 0..n_sheets {
        let image = encode_image(&sheet(&batches.batch(step)), None)
            .map_err(|error| Failure::tool("a preview cannot be drawn", &error))?;
        let path = args.out.join(format!("preview-{step:03}.png"));
        replace(&path, &image)?;
        writeln!(out, "{}", path.display())?;
    }
    Ok(ExitCode::Passed)
}

/// Weights to start from, and their digest.
fn read_initial_weights(path: &Path) -> Result<(Weights, Digest), Failure> {
    let bytes = read_bounded(path, weights::MAX_FILE_BYTES as u64)?;
    let weights = Weights::read(&bytes)
        .map_err(|error| Failure::tool(&format!("`{}`", path.display()), &error))?;
    Ok((weights, Digest::of_bytes(&bytes)))
}

/// The training's first state, or the one that it stopped in.
fn start(
    args: &Args,
    training: &Training<'_>,
    recipe: &Recipe,
    init: Option<Weights>,
) -> Result<Checkpoint, Failure> {
    let path = args.out.join(CHECKPOINT_FILE);
    if args.resume || args.finish {
        let bytes = read_bounded(&path, MAX_FILE_BYTES as u64)?;
        let beginnings: Result<Vec<Digest>, _> =
            recipe.beginnings().map(|beginning| beginning.digest()).collect();
        let beginnings = beginnings.map_err(|error| Failure::tool("the recipe", &error))?;
        return Checkpoint::read(&bytes, &recipe.architecture, &training.of, &beginnings)
            .map_err(|error| Failure::tool(&format!("`{}`", path.display()), &error));
    }
    if path.exists() {
        return Err(Failure::Usage(format!(
            "`{}` is of a training already; go on with `--resume`, or choose another folder",
            args.out.display()
        )));
    }
    Ok(training.start(match init {
        None => parameters::initialize(&recipe.architecture, recipe.seed),
        Some(weights) if *weights.architecture() == recipe.architecture => {
            parameters::from_weights(&weights)
        }
        Some(_) => {
            let text = "the weights of `--init` have another architecture than the recipe";
            return Err(Failure::Usage(text.to_owned()));
        }
    }))
}

/// Makes the steps that are left.
fn train(
    args: &Args,
    training: &Training<'_>,
    checkpoint: &mut Checkpoint,
    started: Instant,
    is_quiet: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let recipe = training.learner.recipe();
    let first = checkpoint.state.step;
    let mut progress = Shown::new(recipe, first, started, args.limit_minutes, is_quiet);
    let outcome = training.run(checkpoint, &mut progress);
    progress.finish();
    let outcome = outcome.map_err(|error| Failure::tool("training", &error))?;
    let lost = |error| Failure::tool("the curves are lost", &error);
    write_curves(&args.out, checkpoint).map_err(lost)?;
    let step = checkpoint.state.step;
    match outcome {
        Ended::Complete => writeln!(out, "complete after {step} steps")?,
        Ended::NoBetter => writeln!(out, "no better for long, ended after {step} steps")?,
        Ended::Stopped if progress.is_cancelled() => {
            let text = format!("stopped after {step} steps; `--resume` goes on");
            return Err(Failure::Tool(text));
        }
        Ended::Stopped => {
            writeln!(out, "the time is over after {step} steps; `--resume` goes on")?;
        }
    }
    Ok(out.flush()?)
}

/// Chooses weights and settings, and writes them.
fn conclude(
    args: &Args,
    ending: &Ending<'_>,
    subject: &Subject<'_>,
    checkpoint: &Checkpoint,
    is_quiet: bool,
    out: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let to_failure = |error| Failure::tool("the result of the training", &error);
    let progress = Progress::new(is_quiet);
    let on_progress = &mut |n_done: usize, n_fields: usize, item: &str| {
        progress.update(n_done, n_fields, item);
    };
    let conclusion = ending.conclude(checkpoint, &args.out, on_progress);
    progress.finish();
    let conclusion = conclusion.map_err(to_failure)?;
    let n_threads = rayon::current_num_threads() as u32;
    let card = conclusion.write(&args.out, subject, checkpoint, n_threads).map_err(to_failure)?;
    let validation = &conclusion.validation;
    let figures = validation.by_type().into_iter().chain(validation.overall());
    for row in figures {
        writeln!(
            out,
            "{}: F1 at 0.5 {:.3}, mean AP {:.3}, on {} images",
            row.image_type, row.f1_at_50, row.mean_ap, row.n_images
        )?;
    }
    writeln!(out, "weights of step {}: {}", conclusion.step, card.display())?;
    writeln!(out, "weights_sha256: {}", Digest::of_bytes(&conclusion.weights))?;
    Ok(ExitCode::Passed)
}
