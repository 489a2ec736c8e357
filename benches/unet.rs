//! Times the U-Net: prediction as a whole, the kernels of prediction and of training one by one,
//! and, where a Python with them is named, ONNX Runtime and PyTorch on the same weights.
//!
//! `cargo bench --bench unet -- [--threads N] [--base-width N] [--size N] [--runs N]`, with
//! `CELLGATE_PEERS_PYTHON` naming a Python that has what `benches/peers/unet_peers.py` asks for.
//! With `--features train` a whole step of training stands beside PyTorch's; `MIMALLOC_PURGE_DELAY=-1`
//! is what `cellgate train` sets for itself.
//! All take turns, so that ratios do not depend on the state of the machine. CPU time stands beside
//! wall time: on a busy machine it is what can be compared.
#![expect(clippy::print_stdout, reason = "a bench reports on the terminal")]

use cellgate_core::unet::architecture::{Architecture, Normalization, UpSampling};
use cellgate_core::unet::feature_map::{FeatureMap, Shape};
use cellgate_core::unet::input::InputScaling;
use cellgate_core::unet::plan::{Network, Room};
use cellgate_core::unet::weights::{Precision, Weights};
use cellgate_core::unet::{batch_norm, conv, head, pooling, up_sampling};
use rustix::time::ClockId;
use std::cell::RefCell;
use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Maps of a training batch, of half the edge: as many pixels as the image of a prediction.
const BATCH: usize = 4;

/// A name and one run of what it names.
type Side<'a> = (&'static str, Box<dyn FnMut() -> Option<Lap> + 'a>);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |key: &str, usual: usize| {
        let place = arguments.iter().position(|argument| argument == key);
        place.and_then(|place| arguments.get(place + 1)?.parse().ok()).unwrap_or(usual)
    };
    let (threads, size) = (number("--threads", 2), number("--size", 512));
    let (base_width, runs) = (number("--base-width", 32), number("--runs", 9));
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let architecture = Architecture {
        in_channels: 3,
        base_width: u32::try_from(base_width)?,
        depth: 4,
        normalization: Normalization::Batch,
        up_sampling: UpSampling::Transposed,
    };
    let weights = random_weights(architecture)?;
    println!(
        "{size} x {size} px, {base_width} channels at the top, {threads} threads, {runs} runs"
    );
    predict(&weights, size, threads, runs)?;
    train(&architecture, size / 2, runs);
    Ok(())
}

/// Times whole predictions and, in turns, those of the peers.
fn predict(
    weights: &Weights,
    size: usize,
    threads: usize,
    runs: usize,
) -> Result<(), Box<dyn Error>> {
    let peers = Peers::start(weights, size, threads)?.map(RefCell::new);
    let network = Network::new(weights);
    let input = noise([1, size, size, weights.architecture().in_channels as usize], 1);
    let mut room = Room::default();
    let mut ours = || drop(black_box(network.predict_in(&mut room, &input)));
    ours();
    if let Some(peak_mb) = peak_mb() {
        println!("peak memory of this process after a prediction: {peak_mb} MB");
    }
    let mut sides: Vec<Side<'_>> = Vec::new();
    sides.push(("cellgate", Box::new(move || Some(lap(&mut ours)))));
    #[cfg(feature = "train")]
    sides.push(("cellgate, a step of training", step(weights.architecture(), size / 2)));
    if let Some(peers) = &peers {
        println!("ONNX Runtime and PyTorch differ by {}", peers.borrow_mut().ask("same")?);
        for (name, word) in [("ONNX Runtime", "onnxruntime"), ("PyTorch", "torch")] {
            sides.push((name, Box::new(|| peers.borrow_mut().lap(word))));
        }
        sides.push(("PyTorch, a step of training", Box::new(|| peers.borrow_mut().lap("step"))));
    }
    let mut laps = vec![Vec::new(); sides.len()];
    for run in 0..=runs {
        for ((_, side), laps) in sides.iter_mut().zip(&mut laps) {
            // The first run warms up.
            laps.extend(side().filter(|_| run > 0));
        }
    }
    let ours = Lap::least(&laps[0]);
    for ((name, _), laps) in sides.iter().zip(&laps) {
        let least = Lap::least(laps);
        let (wall, cpu) = (ours.wall_ms / least.wall_ms, ours.cpu_ms / least.cpu_ms);
        println!(
            "{name:<28} {:8.1} ms, CPU {:8.1} ms; cellgate's share {wall:.2}, of CPU {cpu:.2}",
            least.wall_ms, least.cpu_ms
        );
    }
    Ok(())
}

/// A whole step of training as `cellgate train` makes it, but for the drawing of the batch.
#[cfg(feature = "train")]
fn step(architecture: &Architecture, size: usize) -> Box<dyn FnMut() -> Option<Lap>> {
    use cellgate_train::batch::Batch;
    use cellgate_train::learner::Learner;
    use cellgate_train::optimizer::State;
    use cellgate_train::parameters;
    use cellgate_train::recipe::Recipe;
    let recipe = Recipe { architecture: *architecture, ..Recipe::default() };
    let mut state = State::new(parameters::initialize(architecture, recipe.seed));
    let learner = Learner::new(recipe);
    let map = |channels, seed| noise([BATCH, size, size, channels], seed);
    let input = map(architecture.in_channels as usize, 6);
    let mut targets = map(3, 7);
    targets.values.iter_mut().for_each(|value| *value = f32::from(u8::from(0.0 < *value)));
    let mut weights = map(1, 8);
    weights.values.iter_mut().for_each(|value| *value += 1.5);
    Box::new(move || {
        let (input, targets, weights) = (input.clone(), targets.clone(), weights.clone());
        let mut batch = Some(Batch { input, targets, weights });
        let mut is_made = false;
        let lap = lap(&mut || {
            is_made = batch.take().is_some_and(|batch| learner.step(&mut state, batch).is_ok());
        });
        is_made.then_some(lap)
    })
}

/// Times the kernels of a step of training, level by level.
fn train(architecture: &Architecture, size: usize, runs: usize) {
    println!("kernels of a step of training, {BATCH} x {size} x {size} px, CPU ms:");
    println!("level  convolutions  normalization  pooling  up-sampling");
    let mut whole = 0.0;
    let mut clock = |work: &mut dyn FnMut()| {
        work();
        let laps: Vec<_> = (0..runs).map(|_| lap(work)).collect();
        let least = Lap::least(&laps).cpu_ms;
        whole += least;
        least
    };
    for level in 0..=architecture.depth {
        let (size, width) = (size >> level, architecture.width(level));
        let map = |channels| noise([BATCH, size, size, channels], 2);
        let (here, gradient) = (map(width), map(width));
        let above = match level {
            0 => architecture.in_channels as usize,
            _ => width / 2,
        };
        let is_bottom = level == architecture.depth;
        let first = map(above);
        let mut convolutions = vec![vec![first.view()], vec![here.view()]];
        if !is_bottom {
            convolutions.extend([vec![here.view(), gradient.view()], vec![here.view()]]);
        }
        let n_convolutions = convolutions.len();
        let convolve = clock(&mut || {
            for inputs in &convolutions {
                let channels: Vec<_> = inputs.iter().map(|input| input.shape.channels).collect();
                let weights = vec![0.01; 9 * channels.iter().sum::<usize>() * width];
                black_box(conv::forward(inputs, &weights, width));
                black_box(conv::weight_gradient(inputs, gradient.view()));
                if channels[0] != architecture.in_channels as usize {
                    black_box(conv::input_gradients(gradient.view(), &weights, &channels));
                }
            }
        });
        let line = vec![1.0; width];
        let normalize = clock(&mut || {
            for _ in 0..n_convolutions {
                let found = batch_norm::statistics(here.view());
                black_box(batch_norm::forward(here.view(), &found, &line, &line));
                let gradient = gradient.view();
                black_box(batch_norm::backward(here.view(), &found, &line, &line, gradient));
            }
        });
        let (mut pool, mut up) = (0.0, 0.0);
        if !is_bottom {
            pool = clock(&mut || {
                let (pooled, places) = pooling::forward(here.view());
                black_box(pooling::backward(pooled.view(), &places, here.shape));
            });
            let below = noise([BATCH, size / 2, size / 2, 2 * width], 3);
            let weights = vec![0.01; 8 * width * width];
            up = clock(&mut || {
                black_box(up_sampling::forward(below.view(), &weights, &line));
                black_box(up_sampling::backward(below.view(), &weights, gradient.view()));
            });
        }
        println!("{level:5} {convolve:13.1} {normalize:14.1} {pool:8.1} {up:12.1}");
    }
    let width = architecture.width(0);
    let (here, gradient) = (noise([BATCH, size, size, width], 4), noise([BATCH, size, size, 3], 5));
    let weights = vec![0.01; 3 * width];
    let mix = clock(&mut || {
        black_box(head::forward(here.view(), &weights, &[0.0; 3]));
        black_box(head::backward(here.view(), &weights, gradient.view()));
    });
    println!("head {mix:.1}, in all {whole:.1}");
}

/// Times of one run.
#[derive(Debug, Clone, Copy)]
struct Lap {
    wall_ms: f64,
    cpu_ms: f64,
}

impl Lap {
    /// The least of each.
    fn least(laps: &[Self]) -> Self {
        let least = |of: fn(&Self) -> f64| laps.iter().map(of).fold(f64::INFINITY, f64::min);
        Self { wall_ms: least(|lap| lap.wall_ms), cpu_ms: least(|lap| lap.cpu_ms) }
    }
}

/// Most memory that this process had at once; `None` where the system does not tell.
fn peak_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().strip_suffix(" kB")?.parse::<u64>().ok()? / 1000)
}

/// Times one run.
fn lap(work: &mut dyn FnMut()) -> Lap {
    let now = |clock: ClockId| {
        let time = rustix::time::clock_gettime(clock);
        time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
    };
    let (wall, cpu) = (now(ClockId::Monotonic), now(ClockId::ProcessCPUTime));
    work();
    let (wall_ms, cpu_ms) = (now(ClockId::Monotonic) - wall, now(ClockId::ProcessCPUTime) - cpu);
    Lap { wall_ms, cpu_ms }
}

/// A Python with the peers.
struct Peers {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peers {
    /// Starts it, if one is named; it has read the weights when it is ready.
    fn start(
        weights: &Weights,
        size: usize,
        threads: usize,
    ) -> Result<Option<Self>, Box<dyn Error>> {
        let Some(python) = std::env::var_os("CELLGATE_PEERS_PYTHON") else { return Ok(None) };
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("weights.safetensors");
        std::fs::write(&file, weights.to_bytes(Precision::Single)?)?;
        let mut child = Command::new(python)
            .arg("benches/peers/unet_peers.py")
            .arg(file)
            .args([size.to_string(), threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the peers have no pipes".into());
        };
        let mut peers = Self { child, questions, answers: BufReader::new(answers) };
        match peers.line()?.as_str() {
            "ready" => Ok(Some(peers)),
            other => Err(format!("the peers say `{other}`").into()),
        }
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    fn ask(&mut self, word: &str) -> std::io::Result<String> {
        writeln!(self.questions, "{word}")?;
        self.line()
    }

    /// One run of a peer.
    fn lap(&mut self, word: &str) -> Option<Lap> {
        let answer = self.ask(word).ok()?;
        let (wall, cpu) = answer.split_once(' ')?;
        Some(Lap { wall_ms: wall.parse().ok()?, cpu_ms: cpu.parse().ok()? })
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // It only reads and answers: nothing is lost.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Weights whose activations neither die nor grow.
fn random_weights(architecture: Architecture) -> Result<Weights, Box<dyn Error>> {
    let tensor = |(seed, spec): (usize, cellgate_core::unet::architecture::TensorSpec)| {
        let n = spec.shape.iter().product();
        let fan: usize = spec.shape.iter().skip(1).product();
        let spread = (24.0 / fan as f32).sqrt();
        let values = if spec.name.ends_with("running_var") || spec.name.contains("norm") {
            let is_one = spec.name.ends_with("running_var") || spec.name.ends_with("weight");
            vec![if is_one { 1.0 } else { 0.0 }; n]
        } else {
            numbers(n, seed as u64).map(|x| x * spread).collect()
        };
        (spec.name, values)
    };
    let tensors = architecture.tensors().into_iter().enumerate().map(tensor).collect();
    Ok(Weights::new(architecture, InputScaling::default(), tensors)?)
}

/// Maps of noise.
fn noise([batch, height, width, channels]: [usize; 4], seed: u64) -> FeatureMap {
    let shape = Shape { batch, height, width, channels };
    FeatureMap { shape, values: numbers(shape.n_values(), seed).collect() }
}

/// Numbers in [-0.5, 0.5), the same every time.
fn numbers(n: usize, seed: u64) -> impl Iterator<Item = f32> {
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..n).map(move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 16_777_216.0 - 0.5
    })
}
