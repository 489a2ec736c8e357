//! Options for the preparation of images, which comes before anything else.

use super::inputs;
use super::value::WrongValue;
use cellgate_core::preparation::{Histogram, MAX_EDGE_PX, Reference, Size, Steps};
use cellgate_core::units::PixelSize;
use cellgate_inputs::dataset::decode::decode;
use cellgate_inputs::finding::Finding;
use std::path::PathBuf;

/// Options of everything that prepares images.
#[derive(Debug, clap::Args)]
pub(crate) struct PreparationArgs {
    /// Change of the histograms: `none`, `equalize`, or `match:REF` for that of an image
    #[arg(long, value_name = "HOW", value_parser = parse_histogram)]
    histogram: Option<HistogramWord>,
    /// Size to bring images and masks to: `512x512` pixels, or `0.5um` a pixel
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    resize: Option<Size>,
}

#[derive(Debug, Clone)]
enum HistogramWord {
    /// As it is.
    None,
    /// Flat.
    Equalize,
    /// That of an image.
    Match(PathBuf),
}

impl PreparationArgs {
    /// Takes over what was asked for.
    ///
    /// # Errors
    /// Findings about the image whose histogram is to be matched.
    pub(crate) fn set(&self, steps: &mut Steps) -> Result<(), Vec<Finding>> {
        match &self.histogram {
            None => {}
            Some(HistogramWord::None) => steps.histogram = Histogram::Kept,
            Some(HistogramWord::Equalize) => steps.histogram = Histogram::Equalized,
            Some(HistogramWord::Match(path)) => {
                let bytes = inputs::read(path).map_err(|finding| vec![finding])?;
                let decoded = decode(&path.to_string_lossy(), &bytes)?;
                steps.histogram = Histogram::Matched(Box::new(Reference::of(&decoded.image)));
            }
        }
        steps.size = self.resize.unwrap_or(steps.size);
        Ok(())
    }
}

fn parse_histogram(text: &str) -> Result<HistogramWord, WrongValue> {
    match (text, text.strip_prefix("match:")) {
        ("none", _) => Ok(HistogramWord::None),
        ("equalize", _) => Ok(HistogramWord::Equalize),
        (_, Some(path)) if !path.is_empty() => Ok(HistogramWord::Match(path.into())),
        _ => Err(WrongValue("`none`, `equalize` or `match:IMAGE` is needed".to_owned())),
    }
}

fn parse_size(text: &str) -> Result<Size, WrongValue> {
    let pixel = text.strip_suffix("um").and_then(|um| PixelSize::from_um(um.parse().ok()?));
    let edges = || {
        let (width, height) = text.split_once('x')?;
        let edge = |text: &str| text.parse().ok().filter(|edge| (1..=MAX_EDGE_PX).contains(edge));
        Some(Size::Px { width: edge(width)?, height: edge(height)? })
    };
    let size = pixel.map(Size::Pixel).or_else(edges);
    let needed = || format!("`WIDTHxHEIGHT` up to {MAX_EDGE_PX}, or `0.5um`, is needed");
    size.ok_or_else(|| WrongValue(needed()))
}
