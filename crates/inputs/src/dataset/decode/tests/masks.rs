//! Tests of decoding: label images, and masks that are none.

use super::*;

#[test]
fn masks_of_other_kinds_are_not_labels() {
    let error_code = |bytes: &[u8]| decode_labels("mask", bytes).unwrap_err()[0].code;
    let gray = |sample: &dyn Fn(u32, u32) -> u8| {
        let samples = Raster::from_fn(WIDTH, HEIGHT, sample).into_samples();
        png(ColorType::Grayscale, BitDepth::Eight, &samples)
    };
    let binary = |x: u32, _: u32| if x == 6 { 0 } else { 255 };
    assert_eq!(error_code(&gray(&binary)), Code::MaskNotLabels);
    let ones = |x: u32, _: u32| u8::from(x != 6);
    assert_eq!(error_code(&gray(&ones)), Code::MaskNotLabels);
    let smooth = |x: u32, y: u32| if y == 0 && x != 6 { 90 } else { binary(x, y) };
    assert_eq!(error_code(&gray(&smooth)), Code::MaskNotLabels);
    let color = png(ColorType::Rgb, BitDepth::Eight, &pattern(3));
    assert_eq!(error_code(&color), Code::MaskNotLabels);
    assert_eq!(error_code(&jpeg(image::ExtendedColorType::L8, &pattern(1))), Code::MaskNotLabels);
    for sample in [|_, _| 0, |_, _| 255, |x, _| x as u8, |x, _| (x / 3 + 251) as u8] {
        assert!(decode_labels("mask", &gray(&sample)).is_ok());
    }
}

#[test]
fn binary_masks_are_numbered_by_their_parts() {
    let samples = Raster::from_fn(WIDTH, HEIGHT, |x, _| if x % 4 == 0 { 255 } else { 0 });
    let file = png(ColorType::Grayscale, BitDepth::Eight, samples.samples());
    let labels = binary_components("mask", &file).unwrap();
    assert_eq!(labels.row(3), [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]);
    let file = png(ColorType::Grayscale, BitDepth::Eight, &pattern(1));
    assert_eq!(binary_components("mask", &file).unwrap_err()[0].code, Code::MaskNotLabels);
}
