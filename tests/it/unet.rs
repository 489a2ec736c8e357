//! Networks against PyTorch, and the commands about models.
//!
//! `tests/reference/unet.py` wrote the fixtures, with torch 2.9.0.

use cellgate_core::digest::Digest;
use cellgate_core::unet::architecture::{Architecture, Normalization, UpSampling};
use cellgate_core::unet::feature_map::{FeatureMap, Shape};
use cellgate_core::unet::input::InputScaling;
use cellgate_core::unet::plan::Network;
use cellgate_core::unet::weights::{Precision, Weights};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Probabilities may differ by this much from PyTorch's.
const TOLERANCE: f64 = 1e-4;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/unet").join(name)
}

/// Input and probabilities of each pixel.
fn reference(name: &str) -> (FeatureMap, Vec<f64>) {
    let text = std::fs::read_to_string(fixture(&format!("{name}.csv"))).unwrap();
    let (mut values, mut expected) = (Vec::new(), Vec::new());
    for line in text.lines().skip(1) {
        let numbers: Vec<f64> = line.split(',').map(|number| number.parse().unwrap()).collect();
        values.extend(numbers[..2].iter().map(|&value| value as f32));
        expected.extend(&numbers[2..]);
    }
    (FeatureMap { shape: Shape { batch: 1, height: 10, width: 14, channels: 2 }, values }, expected)
}

#[track_caller]
fn check_answer(name: &str, normalization: Normalization, up_sampling: UpSampling) {
    let architecture =
        Architecture { in_channels: 2, base_width: 8, depth: 1, normalization, up_sampling };
    let bytes = std::fs::read(fixture(&format!("{name}.safetensors"))).unwrap();
    let weights = Weights::import(&bytes, architecture, InputScaling::default()).unwrap();
    let (input, expected) = reference(name);
    let answer = Network::new(&weights).predict(&input);
    assert_eq!(answer.values.len(), expected.len());
    let differences = answer.values.iter().zip(&expected);
    let worst = differences.map(|(one, two)| (f64::from(*one) - two).abs()).fold(0.0, f64::max);
    assert!(worst < TOLERANCE, "{name} differs by {worst}");
    let spread = expected.iter().fold(0.0, |most: f64, value| most.max((value - 0.5).abs()));
    assert!(spread > 0.2, "{name} says something");
}

#[test]
fn networks_answer_as_in_pytorch() {
    check_answer("batch-transposed", Normalization::Batch, UpSampling::Transposed);
    check_answer("plain-nearest", Normalization::None, UpSampling::Nearest);
}

fn cellgate(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cellgate"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[track_caller]
fn run(arguments: &[&str], folder: &Path, code: i32) -> String {
    let output = cellgate(arguments, folder);
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

/// A model that was imported from PyTorch, in a folder.
fn import_model(folder: &Path) {
    let weights = fixture("batch-transposed.safetensors");
    let form = ["--in-channels", "2", "--base-width", "8", "--depth", "1"];
    let name = ["--name", "tiny", "--license", "CC0-1.0"];
    let arguments = [&["model", "import", weights.to_str().unwrap()], &form[..], &name].concat();
    let output = run(&arguments, folder, 0);
    let bytes = std::fs::read(folder.join("models/tiny.safetensors")).unwrap();
    assert!(output.contains(&Digest::of_bytes(&bytes).to_string()), "{output}");
}

#[test]
fn weights_of_pytorch_become_a_model_with_a_card() {
    let folder = tempfile::tempdir().unwrap();
    import_model(folder.path());
    let card = "models/tiny.card.json";
    let output = run(&["model", "check", card], folder.path(), 0);
    assert!(output.contains("base width 8, depth 1, batch normalization"), "{output}");
    let output = run(&["model", "check", card, "--format", "json"], folder.path(), 0);
    assert_eq!(output.as_bytes(), std::fs::read(folder.path().join(card)).unwrap());
    let output = run(&["model", "check", "models/tiny.safetensors"], folder.path(), 0);
    assert!(output.contains("sha256") && output.contains("parameters"), "{output}");
}

#[test]
fn a_model_whose_parts_do_not_belong_together_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    import_model(folder.path());
    let path = folder.path().join("models/tiny.safetensors");
    let weights = Weights::read(&std::fs::read(&path).unwrap()).unwrap();
    std::fs::write(&path, weights.to_bytes(Precision::Single).unwrap()).unwrap();
    let output = run(&["model", "check", "models/tiny.card.json"], folder.path(), 10);
    assert!(output.contains("do not belong together"), "{output}");
    assert!(output.contains("half precision, the file has single"), "{output}");
    std::fs::write(&path, b"nonsense").unwrap();
    let output = run(&["model", "check", "models/tiny.safetensors"], folder.path(), 10);
    assert!(output.contains("not safetensors"), "{output}");
}

#[test]
fn an_import_of_another_form_names_the_tensors() {
    let folder = tempfile::tempdir().unwrap();
    let weights = fixture("batch-transposed.safetensors");
    let arguments =
        ["model", "import", weights.to_str().unwrap(), "--name", "tiny", "--license", "CC0-1.0"];
    let output = run(&arguments, folder.path(), 10);
    assert!(output.contains("`encoder.2.conv1.weight` is missing"), "{output}");
    assert!(!folder.path().join("models").exists(), "nothing is written");
}

#[test]
fn probabilities_are_written_as_pictures() {
    let folder = tempfile::tempdir().unwrap();
    import_model(folder.path());
    run(&["dataset", "phantom", "--out", "phantoms", "--n-fields", "1"], folder.path(), 0);
    let images = folder.path().join("phantoms/original");
    let mut image = std::fs::read_dir(&images).unwrap().map(|entry| entry.unwrap().path());
    let gray = image.find(|path| path.to_str().unwrap().contains("fluorescence")).unwrap();
    let gray = gray.to_str().unwrap();
    let predict = ["predict", "--model", "models/tiny.card.json", "--out", "maps", gray];
    let output = run(&predict, folder.path(), 0);
    assert!(output.contains("1 images"), "{output}");
    assert_eq!(std::fs::read_dir(folder.path().join("maps")).unwrap().count(), 3);
    run(&[&predict[..], &["--rgb", "--mirror-averaging"]].concat(), folder.path(), 0);
    assert_eq!(std::fs::read_dir(folder.path().join("maps")).unwrap().count(), 4);
    let output = run(&[&predict[..], &["--modality", "he"]].concat(), folder.path(), 10);
    assert!(output.contains("not trained on images like this"), "{output}");
}
