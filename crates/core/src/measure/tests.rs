//! Closed forms, invariances and edge cases of whole tables.

use super::*;
use crate::labels;
use crate::profile::ClassMeasurement;
use crate::raster::Raster;
use proptest::prelude::*;

const ALL: [MeasureGroup; 6] = [
    MeasureGroup::Shape,
    MeasureGroup::Intensity,
    MeasureGroup::Crofton,
    MeasureGroup::Quartiles,
    MeasureGroup::Radius,
    MeasureGroup::Hu,
];

fn request(pixel_size: Option<PixelSize>) -> Request<'static> {
    let channels = &[Channel::Gray];
    Request { groups: &ALL, channels, stains: None, classify: None, pixel_size }
}

/// A picture in which every pixel has another value, as far as 16 bits go.
fn ramp(width: u32, height: u32) -> Image {
    Image::Gray16(Raster::from_fn(width, height, |x, y| (x * 641 + y * 977) as u16))
}

fn table(labels: &Labels) -> Nuclei {
    measure(labels, &ramp(labels.width(), labels.height()), &request(None)).unwrap()
}

/// Compares numbers of the only nucleus with what they must be.
#[track_caller]
fn check(labels: &Labels, expected: &[(&str, f64)]) {
    let nuclei = table(labels);
    assert_eq!(nuclei.len(), 1);
    for &(name, expected) in expected {
        let value = nuclei.column(name).unwrap()[0].unwrap_or(f64::NAN);
        assert!((value - expected).abs() < 1e-12, "{name}: {value}, expected {expected}");
    }
}

fn rectangle(width: u32, height: u32) -> Labels {
    Labels::from_fn(width + 6, height + 4, |x, y| {
        u32::from((3..width + 3).contains(&x) && (2..height + 2).contains(&y))
    })
}

#[test]
fn rectangles_have_their_closed_forms() {
    for (width, height) in [(2_u32, 2_u32), (3, 5), (12, 7), (40, 3)] {
        let (a, b) = (f64::from(width), f64::from(height));
        let axis = |side: f64| 4.0 * ((side * side - 1.0) / 12.0).sqrt();
        let (long, short) = (a.max(b), a.min(b));
        let eccentricity = (1.0 - (short * short - 1.0) / (long * long - 1.0)).sqrt();
        let expected = [
            ("centroid_x_px", 3.0 + (a - 1.0) / 2.0),
            ("centroid_y_px", 2.0 + (b - 1.0) / 2.0),
            ("bbox_x0_px", 3.0),
            ("bbox_y0_px", 2.0),
            ("bbox_x1_px", 3.0 + a),
            ("bbox_y1_px", 2.0 + b),
            ("area_px2", a * b),
            ("perimeter_px", 2.0 * (a - 1.0) + 2.0 * (b - 1.0)),
            ("axis_major_px", axis(long)),
            ("axis_minor_px", axis(short)),
            ("eccentricity", eccentricity),
            ("equivalent_diameter_px", (4.0 * a * b / PI).sqrt()),
            ("solidity", 1.0),
            ("extent", 1.0),
            ("feret_max_px", (long * long + (short - 1.0) * (short - 1.0)).sqrt()),
            ("euler_number", 1.0),
            ("touches_border", 0.0),
            ("radius_max_px", (short / 2.0).ceil()),
            ("hu_1", ((a * a - 1.0) + (b * b - 1.0)) / (12.0 * a * b)),
        ];
        check(&rectangle(width, height), &expected);
    }
}

#[test]
fn lines_lie_along_their_axis() {
    let across = [("orientation_rad", PI / 2.0), ("axis_minor_px", 0.0), ("eccentricity", 1.0)];
    check(&rectangle(9, 1), &across);
    let down = [("orientation_rad", 0.0), ("axis_minor_px", 0.0), ("eccentricity", 1.0)];
    check(&rectangle(1, 9), &down);
    check(&labels![1, 0, 0; 0, 1, 0; 0, 0, 1], &[("orientation_rad", PI / 4.0)]);
    check(&labels![0, 0, 1; 0, 1, 0; 1, 0, 0], &[("orientation_rad", -PI / 4.0)]);
}

#[test]
fn a_disk_is_round() {
    let disk = Labels::from_fn(121, 121, |x, y| {
        let (dx, dy) = (x as i64 - 60, y as i64 - 60);
        u32::from(dx * dx + dy * dy <= 50 * 50)
    });
    let nuclei = table(&disk);
    // Pixels on a grid: one percent off the disk that they stand for, whose widest hull is one wider.
    let close = [
        ("area_px2", PI * 2500.0),
        ("equivalent_diameter_px", 100.0),
        ("axis_major_px", 100.0),
        ("axis_minor_px", 100.0),
        ("perimeter_crofton_px", PI * 100.0),
        ("feret_max_px", 101.0),
        ("feret_min_px", 100.0),
        ("radius_max_px", 50.5),
        ("radius_mean_px", 50.5 / 3.0),
        ("hu_1", 1.0 / (2.0 * PI)),
    ];
    for (name, expected) in close {
        let value = nuclei.column(name).unwrap()[0].unwrap();
        assert!((value / expected - 1.0).abs() < 0.01, "{name}: {value}, expected {expected}");
    }
    check(&disk, &[("eccentricity", 0.0), ("euler_number", 1.0), ("hu_2", 0.0)]);
    assert!(nuclei.column("solidity").unwrap()[0].unwrap() > 0.98);
}

#[test]
fn holes_and_notches_count() {
    let ring = labels![1, 1, 1, 1; 1, 0, 0, 1; 1, 0, 0, 1; 1, 1, 1, 1];
    check(&ring, &[("euler_number", 0.0), ("solidity", 0.75), ("extent", 0.75)]);
    let two = labels![1, 1, 1, 0, 0; 1, 0, 1, 0, 0; 1, 1, 1, 0, 0; 0, 0, 0, 0, 1];
    check(&two, &[("euler_number", 1.0)]);
    let corner = labels![1, 0, 0, 0; 1, 0, 0, 0; 1, 0, 0, 0; 1, 1, 1, 1];
    check(&corner, &[("area_px2", 7.0), ("solidity", 0.7), ("euler_number", 1.0)]);
}

#[test]
fn a_single_pixel_has_no_circularity() {
    let nuclei = table(&labels![0, 0, 0; 0, 5, 0; 0, 0, 0]);
    assert_eq!(nuclei.labels, [5]);
    assert_eq!(nuclei.column("circularity").unwrap(), [None]);
    let expected = [
        ("area_px2", 1.0),
        ("perimeter_px", 0.0),
        ("axis_major_px", 0.0),
        ("eccentricity", 0.0),
        ("solidity", 1.0),
        ("gray_std", 0.0),
        ("radius_median_px", 1.0),
        ("hu_1", 0.0),
    ];
    check(&labels![0, 0, 0; 0, 5, 0; 0, 0, 0], &expected);
}

#[test]
fn intensities_are_those_of_the_pixels() {
    let image = Image::Gray8(Raster::from_fn(4, 1, |x, _| [51, 102, 204, 255][x as usize]));
    let nuclei = measure(&labels![1, 1, 1, 0], &image, &request(None)).unwrap();
    let expected = [
        ("gray_mean", 119.0 / 255.0),
        ("gray_std", (0.2_f64 * 0.2 * 14.0 / 9.0).sqrt()),
        ("gray_min", 0.2),
        ("gray_max", 0.8),
        ("gray_sum", 1.4),
        ("gray_median", 0.4),
        ("gray_q25", 0.3),
        ("gray_q75", 0.6),
    ];
    for (name, expected) in expected {
        let value = nuclei.column(name).unwrap()[0].unwrap();
        assert!((value - expected).abs() < 1e-12, "{name}: {value}, expected {expected}");
    }
}

#[test]
fn no_nucleus_is_a_table_without_rows() {
    let nuclei = table(&Labels::filled(5, 4, 0));
    assert!(nuclei.is_empty() && nuclei.columns.iter().all(|column| column.values.is_empty()));
}

#[test]
fn labels_of_another_size_are_refused() {
    let result = measure(&labels![1, 1], &ramp(3, 1), &request(None));
    assert_eq!(result, Err(ShapesDiffer { labels: (2, 1), image: (3, 1) }));
}

#[test]
fn a_value_at_a_threshold_belongs_above_it() {
    let below = 0.2_f64.next_down();
    for (value, expected) in [
        (below, Class::Negative),
        (0.2, Class::OnePlus),
        (0.4_f64.next_down(), Class::OnePlus),
        (0.4, Class::TwoPlus),
        (0.6, Class::ThreePlus),
        (9.0, Class::ThreePlus),
    ] {
        assert_eq!(Class::of_value(value, &[0.2, 0.4, 0.6]), expected, "{value}");
    }
    assert_eq!(Class::of_value(below, &[0.2]), Class::Negative);
    assert_eq!(Class::of_value(0.2, &[0.2]), Class::Positive);
}

#[test]
fn classes_follow_the_statistic_that_the_profile_names() {
    let image = Image::Gray8(Raster::from_fn(3, 1, |x, _| [51, 51, 255][x as usize]));
    for (statistic, expected) in
        [(Statistic::Mean, Class::Negative), (Statistic::Max, Class::Positive)]
    {
        let measurement = ClassMeasurement { channel: Channel::Gray, statistic };
        let classify = Classify { measurement, thresholds: vec![0.9] };
        let request = Request { classify: Some(&classify), ..request(None) };
        let nuclei = measure(&labels![1, 1, 1], &image, &request).unwrap();
        assert_eq!(nuclei.classes, Some(vec![expected]));
    }
}

/// Columns that move with the nucleus, turn with it, or say how it lies.
fn depends_on_place(name: &str) -> bool {
    name.starts_with("centroid") || name.starts_with("bbox") || name == "touches_border"
}

/// A blob of one label in the middle of an empty image, and what it is painted on.
fn blob() -> impl Strategy<Value = (Labels, Image)> {
    let side = 2_u32..14;
    (side.clone(), side)
        .prop_flat_map(|(width, height)| {
            let n = (width * height) as usize;
            (
                Just((width, height)),
                prop::collection::vec(prop::bool::weighted(0.7), n),
                any::<u16>(),
            )
        })
        .prop_map(|((width, height), inside, seed)| {
            let at = |x: u32, y: u32| match (x.checked_sub(2), y.checked_sub(2)) {
                (Some(x), Some(y)) if x < width && y < height => inside[(y * width + x) as usize],
                _ => false,
            };
            // One pixel at least.
            let labels = Labels::from_fn(width + 4, height + 4, |x, y| {
                u32::from(at(x, y) || (x, y) == (2, 2))
            });
            let mixed = |x: u32, y: u32| (x * 7919 + y * 6007 + u32::from(seed)) % 65_521;
            let image = Raster::from_fn(width + 4, height + 4, |x, y| mixed(x, y) as u16);
            (labels, Image::Gray16(image))
        })
}

/// The same samples elsewhere: `from` gives the place that a sample of the new raster comes from.
fn remap<T: Copy>(
    raster: &Raster<T>,
    (width, height): (u32, u32),
    fill: T,
    from: impl Fn(u32, u32) -> Option<(u32, u32)>,
) -> Raster<T> {
    Raster::from_fn(width, height, |x, y| {
        let inside = |&(x, y): &(u32, u32)| x < raster.width() && y < raster.height();
        from(x, y).filter(inside).map_or(fill, |(x, y)| raster.at(x, y))
    })
}

/// Fails unless two tables agree but for the columns that a change may touch.
fn check_agreement(
    one: &Nuclei,
    two: &Nuclei,
    may_differ: impl Fn(&str) -> bool,
) -> Result<(), TestCaseError> {
    for (one, two) in one.columns.iter().zip(&two.columns).filter(|(one, _)| !may_differ(&one.name))
    {
        for (a, b) in one.values.iter().zip(&two.values) {
            let is_close = match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() <= 1e-12 + 1e-10 * a.abs(),
                (a, b) => a == b,
            };
            prop_assert!(is_close, "{}: {a:?} and {b:?}", one.name);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn moving_a_nucleus_changes_only_its_place(
        (labels, image) in blob(), dx in 0_u32..70, dy in 0_u32..9,
    ) {
        let Image::Gray16(gray) = &image else { unreachable!("blobs are gray") };
        let size = (labels.width() + dx, labels.height() + dy);
        let from = |x: u32, y: u32| x.checked_sub(dx).zip(y.checked_sub(dy));
        let one = measure(&labels, &image, &request(None)).unwrap();
        let image = Image::Gray16(remap(gray, size, 0, from));
        let two = measure(&remap(&labels, size, 0, from), &image, &request(None)).unwrap();
        for column in one.columns.iter().filter(|column| !depends_on_place(&column.name)) {
            prop_assert_eq!(Some(column.values.as_slice()), two.column(&column.name));
        }
        let shift = two.column("centroid_x_px").unwrap()[0].unwrap()
            - one.column("centroid_x_px").unwrap()[0].unwrap();
        prop_assert!((shift - f64::from(dx)).abs() < 1e-9);
    }

    #[test]
    fn a_quarter_turn_changes_only_place_and_orientation((labels, image) in blob()) {
        let Image::Gray16(gray) = &image else { unreachable!("blobs are gray") };
        let size = (labels.height(), labels.width());
        let from = |x: u32, y: u32| Some((y, size.0 - 1 - x));
        let one = measure(&labels, &image, &request(None)).unwrap();
        let image = Image::Gray16(remap(gray, size, 0, from));
        let two = measure(&remap(&labels, size, 0, from), &image, &request(None)).unwrap();
        check_agreement(&one, &two, |name| depends_on_place(name) || name == "orientation_rad")?;
    }

    #[test]
    fn a_mirror_changes_only_place_orientation_and_the_sign_of_hu_7((labels, image) in blob()) {
        let Image::Gray16(gray) = &image else { unreachable!("blobs are gray") };
        let size = (labels.width(), labels.height());
        let from = |x: u32, y: u32| Some((size.0 - 1 - x, y));
        let one = measure(&labels, &image, &request(None)).unwrap();
        let image = Image::Gray16(remap(gray, size, 0, from));
        let two = measure(&remap(&labels, size, 0, from), &image, &request(None)).unwrap();
        let turns = |name: &str| name == "orientation_rad" || name == "hu_7";
        check_agreement(&one, &two, |name| depends_on_place(name) || turns(name))?;
        let seventh = |nuclei: &Nuclei| nuclei.column("hu_7").unwrap()[0].unwrap();
        prop_assert!((seventh(&one) + seventh(&two)).abs() < 1e-12);
    }

    #[test]
    fn renaming_labels_renames_rows_and_nothing_else(
        numbers in prop::collection::vec(0_u32..4, 60),
    ) {
        let labels = Labels::from_samples(10, 6, numbers).unwrap();
        let renamed = labels.map(|label| [0, 7, 65_536, 4_000_000_000][label as usize]);
        let (one, two) = (table(&labels), table(&renamed));
        prop_assert_eq!(&one.columns, &two.columns);
        prop_assert!(two.labels.is_sorted());
    }

    #[test]
    fn the_pixel_size_scales_lengths_and_areas(
        (labels, image) in blob(), um in 0.05_f64..4.0,
    ) {
        let nuclei = measure(&labels, &image, &request(PixelSize::from_um(um))).unwrap();
        let value = |name: &str| nuclei.column(name).unwrap()[0].unwrap();
        prop_assert_eq!(value("area_um2"), value("area_px2") * um * um);
        for length in ["perimeter", "axis_major", "feret_max", "radius_mean", "centroid_x"] {
            let (px, um2) = (value(&format!("{length}_px")), value(&format!("{length}_um")));
            prop_assert_eq!(um2, px * um);
        }
        let one = measure(&labels, &image, &request(None)).unwrap();
        for column in &one.columns {
            prop_assert_eq!(Some(column.values.as_slice()), nuclei.column(&column.name));
        }
    }

    #[test]
    fn no_number_is_infinite_or_missing_without_reason((labels, image) in blob()) {
        let nuclei = measure(&labels, &image, &request(None)).unwrap();
        for column in &nuclei.columns {
            let value = column.values[0];
            prop_assert!(value.is_none_or(f64::is_finite), "{}", column.name);
            prop_assert!(value.is_some() || column.name == "circularity", "{}", column.name);
        }
    }
}
