//! Measurements against scikit-image 0.26, on phantoms and, where given, on real fields.
//!
//! `tests/reference/measurements.py` wrote the fixtures. The environment variable
//! `CELLGATE_REFERENCE_DATA` names a folder with `reference/measurements/*.csv` of scikit-image and
//! cp_measure 0.3 and the fields they were taken from; then these are compared, too.

use crate::profiles::{GROUPS, stains};
use cellgate_core::measure::{Nuclei, Request, channels_of, measure};
use cellgate_core::profile::{Channel, Modality};
use cellgate_core::raster::{Image, Labels};
use cellgate_inputs::dataset::decode::{decode, decode_labels};
use cellgate_inputs::dataset::phantom::Phantom;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Two numbers may differ by this fraction of the expected one.
const RELATIVE: f64 = 1e-9;

/// Numbers closer than this are equal: what is left where terms cancel.
const ABSOLUTE: f64 = 1e-12;

/// A table of reference values: names of columns, and rows of numbers by label.
struct Reference {
    names: Vec<String>,
    rows: Vec<Vec<Option<f64>>>,
}

impl Reference {
    fn read(text: &str) -> Self {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let names = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let number = |text: &str| text.parse().ok().filter(|value: &f64| value.is_finite());
        let rows = reader.records().map(|row| row.unwrap().iter().map(number).collect()).collect();
        Self { names, rows }
    }

    fn column(&self, name: &str) -> Vec<Option<f64>> {
        let index = self.names.iter().position(|other| other == name);
        let index = index.unwrap_or_else(|| panic!("the reference has no column {name}"));
        self.rows.iter().map(|row| row[index]).collect()
    }
}

/// Largest difference of a column as a fraction of what it may be, and where.
type Differences = BTreeMap<String, (f64, String)>;

/// Compares columns; each pair is the reference's name and ours.
#[track_caller]
fn compare<'a>(
    reference: &Reference,
    nuclei: &Nuclei,
    columns: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Differences {
    let labels: Vec<Option<f64>> =
        nuclei.labels.iter().map(|&label| Some(f64::from(label))).collect();
    assert_eq!(reference.column("label"), labels);
    let mut differences = Differences::new();
    for (theirs, ours) in columns {
        let values = nuclei.column(ours).unwrap_or_else(|| panic!("there is no column {ours}"));
        let mut largest = (0.0, String::new());
        for ((value, expected), label) in
            values.iter().zip(reference.column(theirs)).zip(&nuclei.labels)
        {
            let share = match (*value, expected) {
                (None, None) => 0.0,
                (Some(value), Some(expected)) => excess(ours, value, expected),
                (Some(_), None) | (None, Some(_)) => f64::INFINITY,
            };
            if share > largest.0 {
                largest = (share, format!("label {label}: {value:?}, expected {expected:?}"));
            }
        }
        differences.insert(ours.to_owned(), largest);
    }
    differences
}

/// A difference as a fraction of what it may be.
fn excess(name: &str, value: f64, expected: f64) -> f64 {
    let mut difference = (value - expected).abs();
    if name == "orientation_rad" {
        // A line has no direction: half a turn is nothing.
        difference = difference.min((difference - std::f64::consts::PI).abs());
    }
    difference / (RELATIVE * expected.abs()).max(ABSOLUTE)
}

#[track_caller]
fn assert_equal(place: &str, differences: &Differences) {
    let beyond: Vec<String> = differences
        .iter()
        .filter(|(_, (share, _))| *share > 1.0)
        .map(|(name, (share, text))| format!("{place}, {name}, {share:.1e} of the limit, {text}"))
        .collect();
    assert!(beyond.is_empty(), "{}", beyond.join("\n"));
}

fn measure_all(labels: &Labels, image: &Image, modality: Modality, channels: &[Channel]) -> Nuclei {
    let stains = stains(modality);
    let request = Request {
        groups: &GROUPS,
        channels,
        stains: stains.as_ref(),
        classify: None,
        pixel_size: None,
    };
    measure(labels, image, &request).unwrap()
}

#[track_caller]
fn check_phantom(modality: Modality, seed: u64, fixture: &str) {
    let drawing = Phantom::new(modality, seed).draw();
    let nuclei = measure_all(&drawing.truth, &drawing.image, modality, channels_of(modality));
    let reference = Reference::read(fixture);
    let measured: Vec<&str> = nuclei.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(reference.names.len(), measured.len() + 1, "every column has a reference");
    let differences = compare(&reference, &nuclei, measured.into_iter().map(|name| (name, name)));
    assert_equal(&format!("{modality:?} {seed}"), &differences);
}

#[test]
fn fluorescence_measures_as_scikit_image() {
    let fixture = include_str!("../fixtures/reference/fluorescence-2.csv");
    check_phantom(Modality::Fluorescence, 2, fixture);
}

#[test]
fn hematoxylin_and_eosin_measure_as_scikit_image() {
    check_phantom(Modality::He, 1, include_str!("../fixtures/reference/he-1.csv"));
}

#[test]
fn hematoxylin_and_dab_measure_as_scikit_image() {
    check_phantom(Modality::IhcHdab, 1, include_str!("../fixtures/reference/ihc-hdab-1.csv"));
}

/// Columns of scikit-image's `regionprops_table`, and ours.
const SCIKIT_IMAGE: [(&str, &str); 26] = [
    ("bbox-0", "bbox_y0_px"),
    ("bbox-1", "bbox_x0_px"),
    ("bbox-2", "bbox_y1_px"),
    ("bbox-3", "bbox_x1_px"),
    ("centroid-0", "centroid_y_px"),
    ("centroid-1", "centroid_x_px"),
    ("area", "area_px2"),
    ("perimeter", "perimeter_px"),
    ("circularity", "circularity"),
    ("axis_major_length", "axis_major_px"),
    ("axis_minor_length", "axis_minor_px"),
    ("eccentricity", "eccentricity"),
    ("orientation", "orientation_rad"),
    ("equivalent_diameter_area", "equivalent_diameter_px"),
    ("solidity", "solidity"),
    ("extent", "extent"),
    ("feret_diameter_max", "feret_max_px"),
    ("euler_number", "euler_number"),
    ("perimeter_crofton", "perimeter_crofton_px"),
    ("moments_hu-0", "hu_1"),
    ("moments_hu-1", "hu_2"),
    ("moments_hu-2", "hu_3"),
    ("moments_hu-3", "hu_4"),
    ("moments_hu-4", "hu_5"),
    ("moments_hu-5", "hu_6"),
    ("moments_hu-6", "hu_7"),
];

/// Columns of cp_measure's shape measurements, and ours.
const CP_MEASURE: [(&str, &str); 15] = [
    ("Area", "area_px2"),
    ("Perimeter", "perimeter_px"),
    ("FormFactor", "circularity"),
    ("PerimeterCrofton", "perimeter_crofton_px"),
    ("EulerNumber", "euler_number"),
    ("MaximumRadius", "radius_max_px"),
    ("MeanRadius", "radius_mean_px"),
    ("MedianRadius", "radius_median_px"),
    ("HuMoment_0", "hu_1"),
    ("HuMoment_1", "hu_2"),
    ("HuMoment_2", "hu_3"),
    ("HuMoment_3", "hu_4"),
    ("HuMoment_4", "hu_5"),
    ("HuMoment_5", "hu_6"),
    ("HuMoment_6", "hu_7"),
];

/// Statistics of a channel by scikit-image's and cp_measure's names, and the ending of ours.
const INTENSITIES: [(&str, &str); 4] = [
    ("intensity_mean", "mean"),
    ("intensity_std", "std"),
    ("intensity_min", "min"),
    ("intensity_max", "max"),
];

/// Compares every reference table in a folder of fields; the number of nuclei compared.
fn check_fields(folder: &Path) -> usize {
    let mut n_nuclei = 0;
    let tables = folder.join("reference/measurements");
    let mut names: Vec<String> = fs::read_dir(&tables)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".skimage.csv").map(str::to_owned))
        .collect();
    names.sort();
    for name in names {
        let (group, field) = name.split_once("__").unwrap();
        let modality = match group {
            "fluo" => Modality::Fluorescence,
            "he" => Modality::He,
            _ => Modality::IhcHdab,
        };
        let read = |path: String| fs::read(folder.join(group).join(path)).unwrap();
        let (image, mask) =
            (read(format!("original/{field}.png")), read(format!("masks/{field}_mask.png")));
        let image = decode(field, &image).unwrap().image;
        let labels = decode_labels(field, &mask).unwrap();
        let channel = if image.is_color() { Channel::OdSum } else { Channel::Gray };
        let nuclei = measure_all(&labels, &image, modality, &[channel]);
        let intensities: Vec<(&str, String)> = INTENSITIES
            .iter()
            .map(|(theirs, ending)| (*theirs, format!("{channel}_{ending}")))
            .collect();
        let intensities = intensities.iter().map(|(theirs, ours)| (*theirs, ours.as_str()));
        let table = |program: &str| {
            let path = tables.join(format!("{name}.{program}.csv"));
            Reference::read(&fs::read_to_string(path).unwrap())
        };
        let columns = SCIKIT_IMAGE.into_iter().chain(intensities);
        assert_equal(&name, &compare(&table("skimage"), &nuclei, columns));
        assert_equal(&name, &compare(&table("cp_measure"), &nuclei, CP_MEASURE));
        n_nuclei += nuclei.len();
    }
    n_nuclei
}

#[test]
fn given_fields_measure_as_scikit_image_and_cp_measure() {
    let Some(folder) = std::env::var_os("CELLGATE_REFERENCE_DATA") else { return };
    assert!(check_fields(Path::new(&folder)) > 0, "no reference table in the folder");
}
