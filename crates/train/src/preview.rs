//! Preview: a sheet of crops and of what a network is to answer to them, for the eye.
//!
//! One row a crop: what the network sees; the same with boundaries in red over nuclei in blue; the
//! distance; the weights, white where they are greatest.

use super::batch::Batch;
use cellgate_core::raster::{Image, Raster};
use cellgate_core::unet::architecture::{OUTPUTS, Output};

/// Panels of a crop.
const PANELS: usize = 4;

/// Pixels between panels.
const GAP_PX: usize = 4;

/// Draws a sheet of a batch.
///
/// # Shapes
/// One row for each crop, each with four panels of the crop's size.
#[must_use]
pub fn sheet(batch: &Batch) -> Image {
    let shape = batch.input.shape;
    let (edge, inputs) = (shape.height, shape.channels);
    let step = edge + GAP_PX;
    let (width, height) = (PANELS * step - GAP_PX, (shape.batch * step).saturating_sub(GAP_PX));
    let greatest = batch.weights.values.iter().copied().fold(1.0, f32::max);
    let mut sheet = Raster::filled(width as u32, height as u32, [255; 3]);
    for row in 0..shape.batch * edge {
        let (crop, y) = (row / edge, row % edge);
        let line = sheet.row_mut((crop * step + y) as u32);
        for x in 0..edge {
            let pixel = row * edge + x;
            let input = &batch.input.values[pixel * inputs..][..inputs];
            let answer = &batch.targets.values[pixel * OUTPUTS as usize..][..OUTPUTS as usize];
            let distance = to_u8(answer[Output::Distance as usize]);
            let weight = to_u8(batch.weights.values[pixel] / greatest);
            let panels =
                [input_color(input), overlay_color(input, answer), [distance; 3], [weight; 3]];
            for (panel, color) in panels.into_iter().enumerate() {
                line[panel * step + x] = color;
            }
        }
    }
    Image::Rgb8(sheet)
}

/// Three channels as colors; other numbers of channels as gray.
fn input_color(input: &[f32]) -> [u8; 3] {
    match input {
        [red, green, blue] => [*red, *green, *blue].map(to_u8),
        _ => [to_u8(input.first().copied().unwrap_or(0.0)); 3],
    }
}

fn overlay_color(input: &[f32], answer: &[f32]) -> [u8; 3] {
    let gray = input.first().copied().unwrap_or(0.0).clamp(0.0, 1.0);
    if answer[Output::Boundary as usize] > 0.5 {
        return [255, to_u8(0.4 * gray), to_u8(0.3 * gray)];
    }
    let tint = answer[Output::Nucleus as usize];
    [to_u8(gray * (1.0 - 0.5 * tint)), to_u8(gray), to_u8(gray + 0.35 * tint)]
}

fn to_u8(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellgate_core::unet::feature_map::{FeatureMap, Shape};

    #[test]
    fn a_sheet_shows_each_crop_in_a_row() {
        let shape = Shape { batch: 2, height: 8, width: 8, channels: 3 };
        let mut batch = Batch {
            input: FeatureMap::zeros(shape),
            targets: FeatureMap::zeros(shape),
            weights: FeatureMap::zeros(shape.with_channels(1)),
        };
        // The first pixel of the second crop.
        let first = 8 * 8;
        batch.input.values[first * 3..][..3].copy_from_slice(&[1.0, 0.5, 0.0]);
        batch.targets.values[first * 3..][..3].copy_from_slice(&[1.0, 1.0, 0.2]);
        batch.weights.values[first] = 4.0;
        let Image::Rgb8(sheet) = sheet(&batch) else { panic!("colors") };
        assert_eq!((sheet.width(), sheet.height()), (4 * 12 - 4, 2 * 12 - 4));
        let row = sheet.row(12);
        assert_eq!([row[0], row[24], row[36]], [[255, 128, 0], [51; 3], [255; 3]]);
        assert_eq!((row[12][0], sheet.at(12, 0), sheet.at(9, 0)), (255, [0; 3], [255; 3]));
    }
}
