//! `cellgate predict`: probabilities that a network gives for images, as pictures.

use super::model;
use crate::ui::Ui;
use crate::ui::failure::Failure;
use crate::ui::inputs::{self, ImageFile};
use crate::ui::progress::Progress;
use cellgate_core::profile::{Channel, Modality};
use cellgate_core::raster::Image;
use cellgate_core::unet::architecture::Output;
use cellgate_core::unet::card::Card;
use cellgate_core::unet::feature_map::FeatureMap;
use cellgate_core::unet::input::{CLEAR_GLASS, Planes, usual_channels};
use cellgate_core::unet::plan::Network;
use cellgate_core::unet::tiles;
use cellgate_gate::exit::ExitCode;
use cellgate_gate::report::probabilities;
use cellgate_inputs::dataset::decode::{Decoded, decode};
use cellgate_inputs::dataset::encode::encode_image;
use cellgate_inputs::finding::{Code, Finding};
use cellgate_inputs::source::Place;
use cellgate_run::write::replace;
use clap::ValueEnum;
use std::path::PathBuf;

/// Show what a network says about images
///
/// Writes, for each image, `NAME_nucleus.png`, `NAME_boundary.png` and `NAME_distance.png` in 16
/// bits, white for 1. Images are predicted at their own resolution, or the one that the model's
/// images are prepared to; `cellgate segment` with a profile goes on to nuclei.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cellgate predict --model models/unet-nuclei.card.json --out maps slides/*.png"
)]
pub(crate) struct Args {
    /// Images: files, folders or globs
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// The model's card, or weights without one
    #[arg(long, value_name = "CARD_OR_WEIGHTS")]
    model: PathBuf,
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Kind of the images; without this, gray ones are fluorescence and others H&E
    #[arg(long, value_enum)]
    modality: Option<ModalityWord>,
    /// Average over the four mirror images
    #[arg(long)]
    mirror_averaging: bool,
    /// Edge of the tiles that large images are predicted in, overlap included
    #[arg(long, value_name = "PX", default_value_t = 1024)]
    #[arg(value_parser = clap::value_parser!(u32).range(16..=8192))]
    tile_px: u32,
    /// Write one color picture `NAME_probabilities.png` instead: boundary red, nucleus green,
    /// distance blue
    #[arg(long)]
    rgb: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModalityWord {
    /// Bright nuclei on a dark background
    Fluorescence,
    /// Hematoxylin and eosin
    He,
    /// Hematoxylin and diaminobenzidine
    IhcHdab,
}

/// Predicts and writes.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let (out, is_quiet) = (&mut *ui.out, ui.is_quiet);
    let (weights, card) = model::read(&args.model)?;
    let network = Network::new(&weights);
    let files = inputs::images(&args.images)?;
    let progress = Progress::new(is_quiet);
    for (index, file) in files.iter().enumerate() {
        let image = read(file)?;
        let answer = predict(args, &network, card.as_ref(), file, &image)?;
        write(args, file, &answer)?;
        progress.update(index + 1, files.len(), &file.name);
    }
    progress.finish();
    writeln!(out, "{} images, written to {}", files.len(), args.out.display())?;
    Ok(ExitCode::Passed)
}

fn read(file: &ImageFile) -> Result<Decoded, Failure> {
    let bytes = inputs::read(&file.path).map_err(|finding| Failure::Findings(vec![finding]))?;
    decode(&file.path.to_string_lossy(), &bytes).map_err(Failure::Findings)
}

fn predict(
    args: &Args,
    network: &Network,
    card: Option<&Card>,
    file: &ImageFile,
    Decoded { image, pixel_size, .. }: &Decoded,
) -> Result<FeatureMap, Failure> {
    let unfit = |message: String| {
        let place = Place::file(file.path.to_string_lossy().as_ref());
        let finding = Finding::error(Code::ImageModality, place, message);
        Failure::Findings(vec![finding.help("name what the images are with `--modality`")])
    };
    let channels = channels(args.modality, network, card, image)
        .ok_or_else(|| unfit("the model was not trained on images like this".to_owned()))?;
    let prepared = network.preparation().apply(image, *pixel_size);
    let prepared = prepared.map_err(|error| unfit(error.to_string()))?;
    let planes = Planes::of_image(&prepared.image, &channels, Some(&CLEAR_GLASS))
        .map_err(|error| unfit(error.to_string()))?;
    let input = planes.scaled(network.input());
    Ok(tiles::predict(network, &input, args.tile_px as usize, args.mirror_averaging))
}

/// The channels that the network is given of an image.
fn channels(
    word: Option<ModalityWord>,
    network: &Network,
    card: Option<&Card>,
    image: &Image,
) -> Option<Vec<Channel>> {
    let modality = match word {
        Some(ModalityWord::Fluorescence) => Modality::Fluorescence,
        Some(ModalityWord::He) => Modality::He,
        Some(ModalityWord::IhcHdab) => Modality::IhcHdab,
        None if image.is_color() => Modality::He,
        None => Modality::Fluorescence,
    };
    match card {
        Some(card) => card.channels(modality).map(<[Channel]>::to_vec),
        None => {
            usual_channels(modality.is_brightfield(), network.architecture().in_channels as usize)
        }
    }
}

fn write(args: &Args, file: &ImageFile, answer: &FeatureMap) -> Result<(), Failure> {
    let write = |ending: &str, picture: &Image| {
        let png = encode_image(picture, None)
            .map_err(|error| Failure::tool("a picture cannot be encoded", &error))?;
        replace(&args.out.join(format!("{}_{ending}.png", file.name)), &png)?;
        Ok(())
    };
    if args.rgb {
        return write("probabilities", &probabilities::color(answer));
    }
    Output::ALL
        .into_iter()
        .try_for_each(|output| write(output.as_str(), &probabilities::gray(answer, output)))
}
