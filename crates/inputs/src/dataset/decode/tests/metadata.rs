//! Tests of decoding: pages, planes and pixel sizes.

use super::*;
use tiff_crate::encoder::Rational;
use tiff_crate::tags::ResolutionUnit;

#[test]
fn several_pages_are_refused_and_smaller_copies_are_not() {
    let samples = pattern(1);
    for (kind, is_read) in [(0_u32, false), (1, true)] {
        let mut file = Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::new(&mut file).unwrap();
        encoder.write_image::<tiff_color::Gray8>(WIDTH, HEIGHT, &samples).unwrap();
        let mut page = encoder.new_image::<tiff_color::Gray8>(4, 3).unwrap();
        page.encoder().write_tag(Tag::NewSubfileType, kind).unwrap();
        page.write_data(&[7; 12]).unwrap();
        if is_read {
            check(file.get_ref(), gray8(samples.clone()));
        } else {
            check_refused(file.get_ref(), Code::ImageUnsupported, "several pages");
        }
    }
}

/// A gray TIFF with a description and a resolution.
fn tiff_with(text: &str, x: u32, y: u32, unit: ResolutionUnit) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).unwrap();
    let mut image = encoder.new_image::<tiff_color::Gray8>(WIDTH, HEIGHT).unwrap();
    image.encoder().write_tag(Tag::ImageDescription, text.as_bytes()).unwrap();
    image.x_resolution(Rational { n: x, d: 1 });
    image.y_resolution(Rational { n: y, d: 1 });
    image.resolution_unit(unit);
    image.write_data(&pattern(1)).unwrap();
    file.into_inner()
}

#[track_caller]
fn check_pixel_size(bytes: &[u8], um: Option<f64>) {
    let found = decode("field", bytes).unwrap().pixel_size.map(PixelSize::um);
    let is_near = match (found, um) {
        (Some(found), Some(um)) => (found - um).abs() < 1e-6,
        (None, None) => true,
        _ => false,
    };
    assert!(is_near, "{found:?} instead of {um:?}");
}

#[test]
fn pixel_sizes_of_microscopes_are_found_and_those_of_printers_are_not() {
    use ResolutionUnit::{Centimeter, Inch, None as NoUnit};
    check_pixel_size(&tiff_with("", 20_000, 20_000, Centimeter), Some(0.5));
    check_pixel_size(&tiff_with("", 50_800, 50_800, Inch), Some(0.5));
    check_pixel_size(&tiff_with("", 300, 300, Inch), None);
    check_pixel_size(&tiff_with("", 72, 96, Inch), None);
    check_pixel_size(&tiff_with("", 2, 2, NoUnit), None);
    check_pixel_size(&tiff_with("ImageJ=1.53t\nunit=micron\n", 2, 2, NoUnit), Some(0.5));
    check_pixel_size(&tiff_with("ImageJ=1.53t\nunit=\\u00B5m\n", 4, 4, NoUnit), Some(0.25));
    let ome = |rest: &str| {
        format!("<?xml?><OME><Image><Pixels SizeC=\"1\" {rest}></Pixels></Image></OME>")
    };
    let nanometers =
        r#"PhysicalSizeX="325" PhysicalSizeXUnit="nm" PhysicalSizeY="325" PhysicalSizeYUnit="nm""#;
    check_pixel_size(&tiff_with(&ome(nanometers), 300, 300, Inch), Some(0.325));
    let micrometers = r#"PhysicalSizeX="0.65" PhysicalSizeY="0.65""#;
    check_pixel_size(&tiff_with(&ome(micrometers), 300, 300, Inch), Some(0.65));
    check_pixel_size(&tiff_with(&ome(""), 300, 300, Inch), None);
    check_pixel_size(&jpeg(image::ExtendedColorType::L8, &pattern(1)), None);
}

#[test]
fn pixels_that_are_not_square_and_hidden_planes_are_refused() {
    use Code::ImageUnsupported as Unsupported;
    let flat = tiff_with("", 20_000, 40_000, ResolutionUnit::Centimeter);
    check_refused(&flat, Unsupported, "0.5 by 0.25");
    let stack = tiff_with("ImageJ=1.53t\nimages=12\n", 1, 1, ResolutionUnit::None);
    check_refused(&stack, Unsupported, "12 ImageJ planes");
    let channels =
        tiff_with("<OME><Pixels SizeC=\"3\" SizeZ=\"2\"/></OME>", 1, 1, ResolutionUnit::None);
    check_refused(&channels, Unsupported, "6 OME planes");
}
