//! Every image that a network gets is prepared as its training images were.

use crate::tiny_network::{FORM, Model, brighter_than};
use cellgate_core::digest::Digest;
use cellgate_core::preparation::{Histogram, Size, Steps, resize_labels};
use cellgate_core::raster::Labels;
use cellgate_core::unet::weights::{Precision, Weights};
use cellgate_inputs::dataset::decode::decode_labels;
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

/// A folder with one field of fluorescence.
struct TestFolder {
    folder: tempfile::TempDir,
}

impl TestFolder {
    fn new() -> Self {
        let folder = Self { folder: tempfile::tempdir().unwrap() };
        folder.run("dataset phantom --out drawn --modality fluorescence --n-fields 1 --seed 3", 0);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    #[track_caller]
    fn run(&self, line: &str, code: i32) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_cellgate"))
            .args(line.split(' '))
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {text}");
        text
    }

    /// Writes a model's weights, and a profile `NAME.yaml` for it with one key for the size of
    /// nuclei.
    fn take(&self, name: &str, model: &Model, least: &str) {
        std::fs::create_dir_all(self.path("models")).unwrap();
        std::fs::write(self.path(&format!("models/{name}.safetensors")), &model.bytes).unwrap();
        let profile = format!(
            "schema: cellgate/profile/v1\nname: {name}\n\
             image: {{modality: fluorescence}}\nmethod: unet\n\
             unet: {{model: {name}, weights_sha256: {}, {FORM}, suppression_px: 3}}\n\
             morphology: {{{least}}}\n",
            model.sha256
        );
        std::fs::write(self.path(&format!("{name}.yaml")), profile).unwrap();
    }

    fn labels(&self, name: &str) -> Labels {
        let bytes = std::fs::read(self.path(name)).unwrap();
        decode_labels(name, &bytes).unwrap()
    }
}

/// The same network, for images to which something is done before.
fn with_preparation(model: &Model, steps: Steps) -> Model {
    let weights = Weights::read(&model.bytes).unwrap().after(steps).unwrap();
    let bytes = weights.to_bytes(Precision::Single).unwrap();
    assert_eq!(Weights::read(&bytes).unwrap(), weights, "the file says it");
    Model { sha256: Digest::of_bytes(&bytes), bytes }
}

/// Labels from 1 in the order of their first pixel.
fn in_order(mut labels: Labels) -> Labels {
    let mut numbers = HashMap::from([(0, 0)]);
    for label in labels.samples_mut() {
        let next = numbers.len() as u32;
        *label = *numbers.entry(*label).or_insert(next);
    }
    labels
}

#[test]
fn a_network_prepares_images_as_its_dataset_was_prepared() {
    let folder = TestFolder::new();
    let plain = brighter_than(0.6);
    let steps =
        Steps { histogram: Histogram::Equalized, size: Size::Px { width: 160, height: 160 } };
    folder.take("plain", &plain, "min_area_px2: 12, fill_holes_max_area_px2: 9");
    let prepared = with_preparation(&plain, steps);
    folder.take("prepared", &prepared, "min_area_px2: 12, fill_holes_max_area_px2: 9");
    folder.run(
        "dataset prepare drawn/original --out by_hand --image-type f \
         --histogram equalize --resize 160x160",
        0,
    );
    folder.run("segment -q --profile prepared.yaml --out a drawn/original/fluorescence-3.png", 0);
    folder.run("segment -q --profile plain.yaml --out b by_hand/original/fluorescence-3.png", 0);
    let (network, hand) = (
        folder.labels("a/fluorescence-3_labels.png"),
        folder.labels("b/fluorescence-3_labels.png"),
    );
    assert_eq!((hand.width(), hand.height()), (160, 160));
    assert!(hand.samples().iter().max() > Some(&5), "there are nuclei");
    assert_eq!(network, in_order(resize_labels(&hand, network.width(), network.height())));
    // What the network says is shown as it sees it.
    std::fs::create_dir(folder.path("maps")).unwrap();
    folder.run("predict -q --model models/prepared.safetensors --out maps drawn/original", 0);
    let map = image_size(&std::fs::read(folder.path("maps/fluorescence-3_nucleus.png")).unwrap());
    assert_eq!(map, (160, 160));
}

/// Width and height in a PNG's header.
fn image_size(png: &[u8]) -> (u32, u32) {
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn lengths_in_micrometers_need_pixels_that_are_square() {
    let folder = TestFolder::new();
    let bent = Steps { size: Size::Px { width: 300, height: 100 }, ..Steps::default() };
    let model = with_preparation(&brighter_than(0.6), bent);
    folder.take("bent", &model, "min_area_um2: 9, fill_holes_max_area_px2: 9");
    let line = "segment -q --profile bent.yaml --out a drawn/original/fluorescence-3.png";
    let output = folder.run(line, 10);
    assert!(output.contains("give the profile's lengths in px"), "{output}");
    folder.take("bent", &model, "min_area_px2: 9, fill_holes_max_area_px2: 9");
    folder.run(line, 0);
}

#[test]
fn a_card_that_forgets_the_preparation_is_refused() {
    let folder = TestFolder::new();
    let steps = Steps { histogram: Histogram::Equalized, ..Steps::default() };
    let model = with_preparation(&brighter_than(0.6), steps);
    std::fs::create_dir_all(folder.path("models")).unwrap();
    let card = crate::tiny_network::card(&model, None, 0.9);
    std::fs::write(folder.path("models/tiny.safetensors"), &model.bytes).unwrap();
    std::fs::write(folder.path("models/tiny.card.json"), &card).unwrap();
    let output = folder.run("model check models/tiny.card.json", 0);
    assert!(output.contains("preparation: histogram equalized"), "{output}");
    std::fs::write(folder.path("models/tiny.card.json"), card.replace("equalized", "kept"))
        .unwrap();
    let output = folder.run("model check models/tiny.card.json", 10);
    assert!(output.contains("preparation is `none`, that of the weights"), "{output}");
}
