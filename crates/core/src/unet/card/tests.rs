//! Cards: strict, and bound to their weights.

use super::super::architecture::{Normalization, UpSampling};
use super::super::weights::Weights;
use super::*;
use crate::preparation::Steps;

const ARCHITECTURE: Architecture = Architecture {
    in_channels: 3,
    base_width: 8,
    depth: 1,
    normalization: Normalization::None,
    up_sampling: UpSampling::Nearest,
};

fn weights_bytes(precision: Precision) -> Vec<u8> {
    let tensors = ARCHITECTURE.tensors().into_iter().map(|spec| {
        let n_values = spec.shape.iter().product();
        (spec.name, vec![0.5; n_values])
    });
    let weights = Weights::new(ARCHITECTURE, InputScaling::default(), tensors.collect()).unwrap();
    weights.to_bytes(precision).unwrap()
}

fn card() -> Card {
    let counts = |n_groups, n_images| SplitCounts { n_groups, n_images };
    Card {
        schema: SCHEMA.to_owned(),
        name: "nuclei-small".to_owned(),
        description: "Nuclei.".to_owned(),
        intended_use: "Research.".to_owned(),
        limits: "Not for diagnosis.".to_owned(),
        license: "CC-BY-4.0".to_owned(),
        url: Some("https://example.org/nuclei.safetensors".to_owned()),
        weights: WeightsFile::of(
            "nuclei.safetensors",
            &weights_bytes(Precision::Half),
            Precision::Half,
        ),
        architecture: ARCHITECTURE,
        input: Input {
            channels: vec![ModalityChannels {
                modality: Modality::Fluorescence,
                channels: vec![Channel::Gray; 3],
            }],
            scaling: InputScaling::default(),
            preparation: Steps::default(),
        },
        outputs: OutputMeaning::all(),
        decoding: Some(CardDecoding {
            separation: Separation::Boundary,
            nucleus_threshold: 0.5,
            h: 0.05,
        }),
        training: Some(Training {
            datasets: vec![TrainingDataset {
                name: "phantoms".to_owned(),
                manifest_sha256: Digest::of_bytes(b"manifest"),
                licenses: vec!["CC0-1.0".to_owned()],
                sources: vec![],
            }],
            n_images: 9,
            n_nuclei: 900,
            split: TrainingSplit {
                rule: "whole groups, by seed".to_owned(),
                training: counts(8, 8),
                validation: counts(1, 1),
                test: None,
            },
            recipe: serde_json::Map::from_iter([("rate".to_owned(), serde_json::json!(0.001))]),
            seed: 7,
            steps: 100,
            cellgate: "0.1.0".to_owned(),
            wall_s: 12.5,
            cpu_s: 24.0,
            n_threads: 2,
        }),
        figures: Figures {
            validation: vec![Accuracy {
                image_type: "phantom".to_owned(),
                n_images: 1,
                n_nuclei: 90,
                f1_at_50: 0.95,
                mean_ap: 0.8,
                aji: 0.8,
                pq: 0.8,
                dice: 0.9,
            }],
            test: vec![],
        },
    }
}

#[test]
fn what_is_written_is_read() {
    let card = card();
    let bytes = card.to_bytes().unwrap();
    assert_eq!(Card::read(&bytes).unwrap(), card);
    assert_eq!(card.channels(Modality::Fluorescence), Some([Channel::Gray; 3].as_slice()));
    assert_eq!(card.channels(Modality::He), None);
}

#[test]
fn unknown_keys_and_other_versions_are_refused() {
    let text = String::from_utf8(card().to_bytes().unwrap()).unwrap();
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from));
        Card::read(text.replacen(from, to, 1).as_bytes()).unwrap_err().to_string()
    };
    assert!(changed("\"name\"", "\"run\": \"sh\", \"name\"").contains("unknown field `run`"));
    assert!(changed("\"seed\"", "\"sede\"").contains("unknown field `sede`"));
    assert!(changed("model-card/v1", "model-card/v2").contains("`schema`"));
    assert!(changed("\"license\": \"CC-BY-4.0\",", "").contains("missing field `license`"));
    let large = vec![b' '; MAX_CARD_BYTES + 1];
    assert_eq!(Card::read(&large), Err(CardError::TooLarge { bytes: MAX_CARD_BYTES + 1 }));
    assert!(Card::read(&b"[".repeat(100_000)).is_err(), "depth is bounded");
}

#[test]
fn what_cannot_be_is_named_at_once() {
    let mut wrong = card();
    wrong.weights.file = "../../etc/passwd".to_owned();
    wrong.url = Some("http://example.org".to_owned());
    wrong.input.channels[0].channels.pop();
    wrong.input.channels.push(wrong.input.channels[0].clone());
    wrong.figures.validation[0].dice = f64::NAN;
    wrong.architecture.depth = 9;
    wrong.limits = "x".repeat(10_001);
    let CardError::Impossible(problems) = wrong.to_bytes().unwrap_err() else { panic!() };
    for word in ["file", "url", "number of channels", "twice", "figures", "architecture", "text"] {
        assert!(problems.iter().any(|problem| problem.contains(word)), "{word}: {problems:?}");
    }
}

#[track_caller]
fn check_disagrees(change: impl FnOnce(&mut Card), bytes: &[u8], expected: &str) {
    let mut card = card();
    change(&mut card);
    let error = card.weights_of(bytes).unwrap_err();
    assert!(matches!(error, CardError::Disagrees(_)), "{error}");
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn a_card_is_bound_to_its_weights() {
    let half = weights_bytes(Precision::Half);
    assert!(card().weights_of(&half).is_ok());
    let single = weights_bytes(Precision::Single);
    check_disagrees(|_| {}, &single, "sha256");
    check_disagrees(|_| {}, &single, "the card says half precision, the file has single");
    check_disagrees(|_| {}, b"nonsense", "the file has 8");
    check_disagrees(|card| card.weights.bytes += 1, &half, "bytes");
    check_disagrees(|card| card.architecture.depth = 2, &half, "depth 2");
    check_disagrees(|card| card.input.scaling.clip_high = 3.0, &half, "clips at -0.5 and 3");
    check_disagrees(|card| card.weights.precision = Precision::Single, &half, "single precision");
}

#[test]
fn weights_that_agree_but_cannot_be_used_are_refused_as_such() {
    let mut card = card();
    card.weights = WeightsFile::of("nuclei.safetensors", b"nonsense", Precision::Half);
    assert!(matches!(card.weights_of(b"nonsense"), Err(CardError::Weights(_))));
}
