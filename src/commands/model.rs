//! `cellgate model`: models, their weights and cards.

use crate::ui::Ui;
use crate::ui::failure::Failure;
use crate::ui::inputs;
use cellgate_core::digest::Digest;
use cellgate_core::profile::{Modality, Normalization, UpSampling};
use cellgate_core::unet::architecture::Architecture;
use cellgate_core::unet::card::{
    Card, CardError, Figures, Input, ModalityChannels, OutputMeaning, SCHEMA, WeightsFile,
};
use cellgate_core::unet::input::{InputScaling, usual_channels};
use cellgate_core::unet::weights::{Precision, Weights, WeightsError};
use cellgate_gate::exit::ExitCode;
use cellgate_gate::report::model_card;
use cellgate_inputs::finding::{Code, Finding};
use cellgate_inputs::source::Place;
use cellgate_run::write::replace;
use clap::{Subcommand, ValueEnum};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Check models and bring in weights of other programs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(CheckArgs),
    Import(ImportArgs),
}

/// Check that a model's card and weights hold and belong together, and print the card
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cellgate model check models/unet-nuclei.card.json")]
struct CheckArgs {
    /// The card, or weights without one
    #[arg(value_name = "CARD_OR_WEIGHTS")]
    file: PathBuf,
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Summary for people
    Human,
    /// The card as it is; of weights alone their digest, network and scaling
    Json,
}

/// Bring in weights that PyTorch trained, saved as safetensors
///
/// Writes `NAME.safetensors` and `NAME.card.json`. The tensors must have cellgate's names, with any
/// prefix that all share, and PyTorch's order of axes. In Python:
/// `safetensors.torch.save_file(model.state_dict(), "weights.safetensors")`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cellgate model import weights.safetensors --name nuclei --out models \\\n    \
    --in-channels 3 --base-width 16 --depth 4 --license CC-BY-4.0"
)]
struct ImportArgs {
    /// The state dictionary
    #[arg(value_name = "WEIGHTS")]
    file: PathBuf,
    /// The model's name
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Folder to write to
    #[arg(long, value_name = "DIR", default_value = "models")]
    out: PathBuf,
    /// Channels of the input, 1 to 8
    #[arg(long, value_name = "N", default_value_t = 3)]
    in_channels: u32,
    /// Channels of the first level, a multiple of 8, 8 to 64
    #[arg(long, value_name = "N", default_value_t = 16)]
    base_width: u32,
    /// How many times the resolution is halved, 1 to 5
    #[arg(long, value_name = "N", default_value_t = 4)]
    depth: u32,
    /// Normalization after each 3x3 convolution
    #[arg(long, value_enum, default_value_t = NormalizationWord::Batch)]
    normalization: NormalizationWord,
    /// How resolution comes back
    #[arg(long, value_enum, default_value_t = UpSamplingWord::Transposed)]
    up_sampling: UpSamplingWord,
    /// Percentile of an image's values that becomes 0
    #[arg(long, value_name = "PERCENT", default_value_t = InputScaling::default().low_percentile)]
    low_percentile: f64,
    /// Percentile of an image's values that becomes 1
    #[arg(long, value_name = "PERCENT", default_value_t = InputScaling::default().high_percentile)]
    high_percentile: f64,
    /// How exactly the numbers are written
    #[arg(long, value_enum, default_value_t = PrecisionWord::Half)]
    precision: PrecisionWord,
    /// License of the weights, an SPDX expression
    #[arg(long, value_name = "SPDX")]
    license: String,
    /// Objects that the model finds
    #[arg(long, value_name = "TEXT", default_value = "Imported weights.")]
    description: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum NormalizationWord {
    /// Batch normalization
    Batch,
    /// The convolution's own bias
    None,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum UpSamplingWord {
    /// 2x2 transposed convolution with stride 2
    Transposed,
    /// Each pixel four times, then a 1x1 convolution
    Nearest,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PrecisionWord {
    /// 16 bits for the weights of convolutions
    Half,
    /// 32 bits for every number
    Single,
}

/// Checks or imports.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let out = &mut *ui.out;
    match &args.command {
        Command::Check(args) => check(args, out),
        Command::Import(args) => import(args, out),
    }
}

/// A model from its card, with the weights in the card's folder, or from weights alone.
pub(super) fn read(path: &Path) -> Result<(Weights, Option<Card>), Failure> {
    let bytes = read_bytes(path)?;
    if path.extension().is_none_or(|ending| ending != "json") {
        let weights = Weights::read(&bytes).map_err(|error| weights_failure(path, &error))?;
        return Ok((weights, None));
    }
    let card = Card::read(&bytes).map_err(|error| card_failure(path, &error))?;
    let file = path.with_file_name(&card.weights.file);
    let weights =
        card.weights_of(&read_bytes(&file)?).map_err(|error| card_failure(path, &error))?;
    Ok((weights, Some(card)))
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    inputs::read(path).map_err(|finding| Failure::Findings(vec![finding]))
}

fn check(args: &CheckArgs, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let (weights, card) = read(&args.file)?;
    match (card, args.format) {
        (Some(card), Format::Human) => write!(out, "{}", model_card::human(&card))?,
        (Some(card), Format::Json) => {
            let bytes =
                card.to_bytes().map_err(|error| Failure::tool("the card is lost", &error))?;
            out.write_all(&bytes)?;
        }
        (None, format) => describe(&args.file, &weights, format, out)?,
    }
    Ok(ExitCode::Passed)
}

/// Prints what weights say by themselves.
fn describe(
    path: &Path,
    weights: &Weights,
    format: Format,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let digest = Digest::of_bytes(&read_bytes(path)?);
    let (architecture, scaling) = (weights.architecture(), weights.input());
    match format {
        Format::Human => {
            writeln!(out, "{:<14}{digest}", "sha256")?;
            writeln!(
                out,
                "{:<14}{architecture}; {} parameters",
                "network",
                architecture.n_parameters()
            )?;
        }
        Format::Json => {
            let json = serde_json::json!({
                "sha256": digest, "architecture": architecture, "input": scaling,
            });
            writeln!(out, "{json:#}")?;
        }
    }
    Ok(())
}

fn import(args: &ImportArgs, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let architecture = Architecture {
        in_channels: args.in_channels,
        base_width: args.base_width,
        depth: args.depth,
        normalization: match args.normalization {
            NormalizationWord::Batch => Normalization::Batch,
            NormalizationWord::None => Normalization::None,
        },
        up_sampling: match args.up_sampling {
            UpSamplingWord::Transposed => UpSampling::Transposed,
            UpSamplingWord::Nearest => UpSampling::Nearest,
        },
    };
    let scaling = InputScaling {
        low_percentile: args.low_percentile,
        high_percentile: args.high_percentile,
        ..InputScaling::default()
    };
    let precision = match args.precision {
        PrecisionWord::Half => Precision::Half,
        PrecisionWord::Single => Precision::Single,
    };
    let wrong = |error: WeightsError| weights_failure(&args.file, &error);
    let weights =
        Weights::import(&read_bytes(&args.file)?, architecture, scaling).map_err(wrong)?;
    let file = weights.to_bytes(precision).map_err(wrong)?;
    let card = card_of(args, &weights, &file, precision);
    let card = card.to_bytes().map_err(|error| Failure::Usage(error.to_string()))?;
    let at = |ending: &str| args.out.join(format!("{}.{ending}", args.name));
    replace(&at("safetensors"), &file)?;
    replace(&at("card.json"), &card)?;
    writeln!(out, "{}", at("card.json").display())?;
    writeln!(out, "weights_sha256: {}", Digest::of_bytes(&file))?;
    Ok(ExitCode::Passed)
}

/// The card of weights whose training nobody has told.
fn card_of(args: &ImportArgs, weights: &Weights, file: &[u8], precision: Precision) -> Card {
    let n_channels = weights.architecture().in_channels as usize;
    let of_modality = |modality: Modality| {
        let channels = usual_channels(modality.is_brightfield(), n_channels)?;
        Some(ModalityChannels { modality, channels })
    };
    let modalities = [Modality::Fluorescence, Modality::He, Modality::IhcHdab];
    Card {
        schema: SCHEMA.to_owned(),
        name: args.name.clone(),
        description: args.description.clone(),
        intended_use: "As its authors say.".to_owned(),
        limits: "Not known; measure it with `cellgate evaluate` on images of your own.".to_owned(),
        license: args.license.clone(),
        url: None,
        weights: WeightsFile::of(&format!("{}.safetensors", args.name), file, precision),
        architecture: *weights.architecture(),
        input: Input {
            channels: modalities.into_iter().filter_map(of_modality).collect(),
            scaling: *weights.input(),
            preparation: weights.preparation().clone(),
        },
        outputs: OutputMeaning::all(),
        decoding: None,
        training: None,
        figures: Figures::default(),
    }
}

fn weights_failure(path: &Path, error: &WeightsError) -> Failure {
    let place = Place::file(path.to_string_lossy().as_ref());
    Failure::Findings(vec![Finding::error(Code::WrongForm, place, error.to_string())])
}

fn card_failure(path: &Path, error: &CardError) -> Failure {
    let code = match error {
        CardError::Disagrees(_) => Code::DigestMismatch,
        CardError::TooLarge { .. } => Code::FileTooLarge,
        CardError::Unreadable { .. } | CardError::Impossible(_) | CardError::Weights(_) => {
            Code::WrongForm
        }
    };
    let place = Place::file(path.to_string_lossy().as_ref());
    Failure::Findings(vec![Finding::error(code, place, error.to_string())])
}
