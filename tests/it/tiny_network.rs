//! A network of few numbers, set by hand: pixels above a brightness are nuclei.

use cellgate_core::digest::Digest;
use cellgate_core::profile::{Channel, Modality, Normalization, UpSampling};
use cellgate_core::unet::architecture::Architecture;
use cellgate_core::unet::card::{
    Accuracy, Card, Figures, Input, ModalityChannels, OutputMeaning, SCHEMA, WeightsFile,
};
use cellgate_core::unet::input::InputScaling;
use cellgate_core::unet::weights::{Precision, Weights};
use std::collections::BTreeMap;

/// The form of the network, as a profile writes it.
pub(crate) const FORM: &str = "depth: 1, base_width: 8, normalization: none, up_sampling: nearest";

/// A file of weights and its digest.
pub(crate) struct Model {
    /// The file.
    pub(crate) bytes: Vec<u8>,
    /// Its digest.
    pub(crate) sha256: Digest,
}

/// A network that finds pixels whose scaled brightness, 0 to 1, is above a level.
pub(crate) fn brighter_than(level: f32) -> Model {
    let architecture = Architecture {
        in_channels: 3,
        base_width: 8,
        depth: 1,
        normalization: Normalization::None,
        up_sampling: UpSampling::Nearest,
    };
    let zeros = |shape: &[usize]| vec![0.0; shape.iter().product()];
    let mut tensors: BTreeMap<String, Vec<f32>> =
        architecture.tensors().into_iter().map(|spec| (spec.name, zeros(&spec.shape))).collect();
    let mut set = |name: &str, at: usize, value: f32| {
        tensors.get_mut(name).unwrap()[at] = value;
    };
    // The middle tap of the first output's first input passes on what comes; ReLU cuts below 0.
    set("encoder.0.conv1.weight", 4, 1.0);
    set("encoder.0.conv2.weight", 4, 1.0);
    set("decoder.0.conv1.weight", 4, 1.0);
    set("decoder.0.conv2.weight", 4, 1.0);
    let steepness = 20.0;
    // Nucleus, boundary and distance, each of eight inputs.
    set("head.weight", 0, steepness);
    set("head.bias", 0, -steepness * level);
    set("head.bias", 1, -steepness);
    set("head.weight", 16, 4.0);
    set("head.bias", 2, -2.0);
    let weights = Weights::new(architecture, InputScaling::default(), tensors).unwrap();
    let bytes = weights.to_bytes(Precision::Single).unwrap();
    Model { sha256: Digest::of_bytes(&bytes), bytes }
}

/// A card of the network, with where it can be had and one figure.
pub(crate) fn card(model: &Model, url: Option<String>, f1_at_50: f64) -> String {
    let weights = Weights::read(&model.bytes).unwrap();
    let figure = Accuracy {
        image_type: "fluorescence".to_owned(),
        n_images: 6,
        n_nuclei: 100,
        f1_at_50,
        mean_ap: 0.5,
        aji: 0.5,
        pq: 0.5,
        dice: 0.5,
    };
    let channels =
        ModalityChannels { modality: Modality::Fluorescence, channels: vec![Channel::Gray; 3] };
    let card = Card {
        schema: SCHEMA.to_owned(),
        name: "tiny".to_owned(),
        description: "Finds what is bright.".to_owned(),
        intended_use: "Tests.".to_owned(),
        limits: "Everything else.".to_owned(),
        license: "CC0-1.0".to_owned(),
        url,
        weights: WeightsFile::of("tiny.safetensors", &model.bytes, Precision::Single),
        architecture: *weights.architecture(),
        input: Input {
            channels: vec![channels],
            scaling: *weights.input(),
            preparation: weights.preparation().clone(),
        },
        outputs: OutputMeaning::all(),
        decoding: None,
        training: None,
        figures: Figures { validation: vec![figure], test: Vec::new() },
    };
    String::from_utf8(card.to_bytes().unwrap()).unwrap()
}
