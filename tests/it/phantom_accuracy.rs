//! Profiles that ship find the nuclei of the embedded phantoms, and grade them right.

use cellgate_core::accuracy::{mean, score_field};
use cellgate_core::measure::{Class, Request, measure};
use cellgate_core::profile::Modality;
use cellgate_core::segment::segment;
use cellgate_inputs::dataset::Dataset;
use cellgate_inputs::dataset::phantom::{Intensity, Phantom};
use cellgate_inputs::params::{Params, load};
use cellgate_inputs::revision::Tree;
use std::path::Path;

fn load_shipped(name: &str) -> Params {
    let tree = Tree::Folder(Path::new(env!("CARGO_MANIFEST_DIR")).to_owned());
    load(&tree, &format!("params/{name}.yaml")).unwrap().params
}

/// Mean F1 at an overlap of one half over the embedded fields of an image type.
#[track_caller]
fn check_f1(profile: &str, image_type: &str, floor: f64) {
    let params = load_shipped(profile);
    let phantoms = Dataset::phantoms();
    let tree = Tree::Folder(Path::new(".").to_owned());
    let scores: Vec<_> = phantoms
        .fields()
        .iter()
        .filter(|field| field.image_type == image_type)
        .map(|entry| {
            let field = entry.open(&tree).unwrap();
            let found = segment(&field.image, &params, field.pixel_size).unwrap();
            score_field(field.truth.as_ref().unwrap(), &found).unwrap().scores
        })
        .collect();
    let f1 = mean(&scores).unwrap().f1_at_50;
    assert!(f1 >= floor, "{profile} on {image_type}: {f1:.4}, floor {floor}");
}

#[test]
fn fluorescence_is_found() {
    check_f1("dapi-culture", "fluorescence", 0.83);
    // Phantoms are no tissue: this floor only shows that the profile works at all.
    check_f1("dapi-tissue", "fluorescence", 0.68);
}

#[test]
fn hematoxylin_and_eosin_is_found() {
    check_f1("he-tissue", "he", 0.69);
}

#[test]
fn hematoxylin_and_dab_is_found() {
    check_f1("ihc-hdab", "ihc-hdab", 0.73);
}

/// Percentage of positive nuclei and H-score, from the numbers of nuclei by grade.
fn scores(grades: impl Iterator<Item = usize>) -> (f64, f64) {
    let mut counts = [0.0; 4];
    grades.for_each(|grade| counts[grade] += 1.0);
    let [negative, weak, moderate, strong] = counts;
    let n = negative + weak + moderate + strong;
    (100.0 * (n - negative) / n, 100.0 * (weak + 2.0 * moderate + 3.0 * strong) / n)
}

#[test]
fn positive_nuclei_are_counted_and_graded() {
    let params = load_shipped("ihc-hdab");
    let mut shifts = Vec::new();
    for seed in 1..=6 {
        let drawing = Phantom::new(Modality::IhcHdab, seed).draw();
        let labels = segment(&drawing.image, &params, Phantom::pixel_size()).unwrap();
        let request = Request::of_profile(&params, Phantom::pixel_size());
        let nuclei = measure(&labels, &drawing.image, &request).unwrap();
        let truth = scores(drawing.nuclei.iter().map(|nucleus| match nucleus.intensity {
            Intensity::Negative => 0,
            Intensity::Weak => 1,
            Intensity::Moderate => 2,
            Intensity::Strong => 3,
        }));
        let found = scores(nuclei.classes.unwrap().into_iter().map(|class| match class {
            Class::Negative => 0,
            Class::OnePlus => 1,
            Class::TwoPlus => 2,
            Class::ThreePlus | Class::Positive => 3,
        }));
        shifts.push((found.0 - truth.0, found.1 - truth.1));
    }
    // A field has some 30 nuclei: one that is missed or split moves the percentage by 2.
    let largest =
        |values: &[f64]| values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    let mean = |values: &[f64]| (values.iter().sum::<f64>() / values.len() as f64).abs();
    let (percent, h): (Vec<f64>, Vec<f64>) = shifts.into_iter().unzip();
    assert!(largest(&percent) <= 10.0 && mean(&percent) <= 3.0, "positive percentage: {percent:?}");
    assert!(largest(&h) <= 25.0 && mean(&h) <= 12.5, "H-score: {h:?}");
}
