//! Probabilities: a network's answer as pictures, for looking at.

use cellgate_core::raster::{Image, Raster};
use cellgate_core::unet::architecture::{OUTPUTS, Output};
use cellgate_core::unet::feature_map::FeatureMap;

/// One channel of the first map, in sixteen bits: 0 is black, 1 is white.
#[must_use]
pub fn gray(answer: &FeatureMap, output: Output) -> Image {
    let picture = map_pixels(answer, |pixel| (pixel[output as usize] * 65_535.0).round() as u16);
    Image::Gray16(picture)
}

/// All channels of the first map in one picture: red is the boundary, green the nucleus, blue the
/// distance.
#[must_use]
pub fn color(answer: &FeatureMap) -> Image {
    let outputs = [Output::Boundary, Output::Nucleus, Output::Distance];
    let color = |pixel: &[f32; OUTPUTS as usize]| {
        outputs.map(|output| (pixel[output as usize] * 255.0).round() as u8)
    };
    Image::Rgb8(map_pixels(answer, color))
}

fn map_pixels<T: Copy>(
    answer: &FeatureMap,
    value: impl Fn(&[f32; OUTPUTS as usize]) -> T,
) -> Raster<T> {
    let pixels = answer.values.as_chunks().0;
    let (width, height) = (answer.shape.width, answer.shape.height);
    let at = |x: u32, y: u32| value(&pixels[y as usize * width + x as usize]);
    Raster::from_fn(width as u32, height as u32, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellgate_core::unet::feature_map::Shape;

    #[test]
    fn probabilities_become_shades() {
        let shape = Shape { batch: 1, height: 1, width: 2, channels: 3 };
        let answer = FeatureMap { shape, values: vec![1.0, 0.0, 0.5, 0.2, 0.4, 0.6] };
        let Image::Gray16(nucleus) = gray(&answer, Output::Nucleus) else { panic!() };
        assert_eq!(nucleus.samples(), [65_535, 13_107]);
        let Image::Rgb8(picture) = color(&answer) else { panic!() };
        assert_eq!(picture.samples(), [[0, 255, 128], [102, 51, 153]]);
    }
}
