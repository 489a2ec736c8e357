//! Files of weights: written files are read back, and nothing else is read.

use super::*;
use crate::unet::architecture::{Normalization, UpSampling};
use std::collections::HashMap;

fn tiny(normalization: Normalization) -> Architecture {
    let up_sampling = UpSampling::Transposed;
    Architecture { in_channels: 1, base_width: 8, depth: 1, normalization, up_sampling }
}

/// Numbers that half precision holds exactly.
fn weights_of(architecture: Architecture) -> Weights {
    let values = |spec: &TensorSpec| {
        let n_values = spec.shape.iter().product::<usize>();
        (0..n_values).map(|index| (index % 61) as f32 / 64.0).collect::<Vec<f32>>()
    };
    let tensors = architecture.tensors();
    let tensors = tensors.iter().map(|spec| (spec.name.clone(), values(spec))).collect();
    Weights::new(architecture, InputScaling::default(), tensors).unwrap()
}

fn weights() -> Weights {
    weights_of(tiny(Normalization::Batch))
}

/// A file with any header, in front of so many zeros.
fn file(header: &serde_json::Value, n_bytes: usize) -> Vec<u8> {
    let mut text = header.to_string();
    text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes.resize(bytes.len() + n_bytes, 0);
    bytes
}

/// The header of a file, and how many bytes follow it.
fn header(bytes: &[u8]) -> (serde_json::Value, usize) {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&bytes[8..8 + length]).unwrap(), bytes.len() - 8 - length)
}

/// A file whose header was changed.
fn with_header(change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let (mut header, n_bytes) = header(&weights().to_bytes(Precision::Single).unwrap());
    change(&mut header);
    file(&header, n_bytes)
}

/// A file that says something else about itself.
fn with_metadata(change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    with_header(|header| {
        let text = header["__metadata__"]["cellgate"].as_str().unwrap();
        let mut value = serde_json::from_str(text).unwrap();
        change(&mut value);
        header["__metadata__"]["cellgate"] = value.to_string().into();
    })
}

#[track_caller]
fn check_refused(bytes: &[u8], expected: &str) {
    let error = Weights::read(bytes).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn what_is_written_is_read() {
    for architecture in [Normalization::Batch, Normalization::None].map(tiny) {
        let weights = weights_of(architecture);
        for precision in [Precision::Half, Precision::Single] {
            let bytes = weights.to_bytes(precision).unwrap();
            assert_eq!(Weights::read(&bytes).unwrap(), weights);
            assert_eq!(weights.to_bytes(precision).unwrap(), bytes, "equal bytes");
        }
    }
}

#[test]
fn the_bytes_of_a_file_never_change() {
    let digest = Digest::of_bytes(&weights().to_bytes(Precision::Half).unwrap());
    assert_eq!(digest.short(), "ff9c433646a9");
}

#[test]
fn half_precision_rounds_to_nearest_and_ties_to_even() {
    // One and a half steps of 2^-10 above 1 lie between the odd step 1 and the even step 2.
    let step = 1.0 / 1024.0;
    let numbers = [1.0 + 0.5 * step, 1.0 + 1.5 * step, 1.0 + 0.51 * step, 65_519.0, 3e-8, 2e-8];
    let rounded = [1.0, 1.0 + 2.0 * step, 1.0 + step, 65_504.0, f32::powi(2.0, -24), 0.0];
    let mut tensors = weights().tensors().clone();
    tensors.get_mut("head.weight").unwrap()[..6].copy_from_slice(&numbers);
    tensors.get_mut("head.bias").unwrap()[0] = numbers[0];
    let weights =
        Weights::new(tiny(Normalization::Batch), InputScaling::default(), tensors).unwrap();
    let read = Weights::read(&weights.to_bytes(Precision::Half).unwrap()).unwrap();
    assert_eq!(read.tensor("head.weight")[..6], rounded);
    assert_eq!(read.tensor("head.bias")[0], numbers[0], "biases stay as they are");
}

#[test]
fn numbers_that_half_precision_cannot_hold_are_refused() {
    let mut tensors = weights().tensors().clone();
    tensors.get_mut("head.weight").unwrap()[7] = 65_520.0;
    let weights =
        Weights::new(tiny(Normalization::Batch), InputScaling::default(), tensors).unwrap();
    let name = "head.weight".to_owned();
    let problem = TensorProblem::TooLargeForHalf { name, index: 7 };
    assert_eq!(weights.to_bytes(Precision::Half), Err(WeightsError::Tensors(vec![problem])));
    assert!(weights.to_bytes(Precision::Single).is_ok());
}

#[test]
fn a_digest_is_checked_before_anything_is_read() {
    let bytes = weights().to_bytes(Precision::Half).unwrap();
    let expected = Digest::of_bytes(&bytes);
    assert_eq!(Weights::read_verified(&bytes, expected).unwrap(), weights());
    let found = Digest::of_bytes(b"nonsense");
    let result = Weights::read_verified(b"nonsense", expected);
    assert_eq!(result, Err(WeightsError::Digest { expected, found }));
}

#[test]
fn damaged_files_are_refused() {
    let bytes = weights().to_bytes(Precision::Single).unwrap();
    for length in [0, 7, 8, 100, bytes.len() - 4, bytes.len() - 1] {
        check_refused(&bytes[..length], "not safetensors, or damaged");
    }
    check_refused(&[bytes.clone(), vec![0]].concat(), "not safetensors, or damaged");
    check_refused(b"PK\x03\x04 a zip file that PyTorch wrote", "the header is too long");
    check_refused(&u64::MAX.to_le_bytes(), "the header is too long");
    check_refused(&file(&serde_json::json!([1, 2]), 0), "not safetensors, or damaged");
    check_refused(&vec![0; MAX_FILE_BYTES + 1], "268435457 bytes");
}

#[test]
fn a_header_with_wrong_places_is_refused() {
    let moved = |name: &str, offsets: [u64; 2]| {
        with_header(|header| header[name]["data_offsets"] = offsets.to_vec().into())
    };
    check_refused(&moved("head.bias", [0, 12]), "damaged");
    check_refused(&moved("head.bias", [u64::MAX - 1, u64::MAX]), "damaged");
    check_refused(&moved("head.bias", [12, 0]), "damaged");
    let vast = with_header(|header| header["head.bias"]["shape"] = [u64::MAX, 2].to_vec().into());
    check_refused(&vast, "damaged");
}

#[test]
fn a_file_without_our_words_is_refused() {
    let without =
        with_header(|header| drop(header.as_object_mut().unwrap().remove("__metadata__")));
    check_refused(&without, "cellgate model import");
    let crowded = with_header(|header| header["__metadata__"]["format"] = "pt".into());
    check_refused(&crowded, "must be the only key");
    let long = with_header(|header| header["__metadata__"]["cellgate"] = "x".repeat(17_000).into());
    check_refused(&long, "must be the only key");
    let nonsense = with_header(|header| header["__metadata__"]["cellgate"] = "{\"format\":".into());
    check_refused(&nonsense, "cannot be read");
    let burn = with_metadata(|value| value["format"] = "burn/v1".into());
    check_refused(&burn, "the format is `burn/v1`");
    check_refused(&with_metadata(|value| value["format"] = 7.into()), "the format is ``");
    let newer = with_metadata(|value| value["format"] = "cellgate/unet/v2".into());
    check_refused(&newer, "newer than this cellgate");
    check_refused(&with_metadata(|value| value["run"] = "rm -rf".into()), "unknown field `run`");
    let twice = with_header(|header| {
        let text = header["__metadata__"]["cellgate"].as_str().unwrap().to_owned();
        let again = text.replacen('{', "{\"format\":\"cellgate/unet/v1\",", 1);
        header["__metadata__"]["cellgate"] = again.into();
    });
    check_refused(&twice, "duplicate field `format`");
}

#[test]
fn impossible_networks_are_refused() {
    for (key, value) in [
        ("in_channels", 0_u64),
        ("in_channels", 9),
        ("base_width", 0),
        ("base_width", 12),
        ("base_width", 128),
        ("depth", 0),
        ("depth", 31),
    ] {
        let file = with_metadata(|metadata| metadata["architecture"][key] = value.into());
        check_refused(&file, "architecture is out of bounds");
    }
    let negative = with_metadata(|metadata| metadata["architecture"]["depth"] = (-1).into());
    check_refused(&negative, "cannot be read");
    let falling = with_metadata(|metadata| metadata["input"]["low_percentile"] = 99.9.into());
    check_refused(&falling, "scaling of the input is out of bounds");
    let bounds = with_metadata(|metadata| metadata["input"]["clip_high"] = 1e300.into());
    check_refused(&bounds, "scaling of the input is out of bounds");
}

#[test]
fn every_wrong_tensor_is_named_at_once() {
    let renamed = with_header(|header| {
        let tensors = header.as_object_mut().unwrap();
        let tensor = tensors.remove("head.bias").unwrap();
        tensors.insert("head.\u{1b}[31mbias".to_owned(), tensor);
    });
    check_refused(&renamed, "`head.bias` is missing; `head.\\u{1b}[31mbias` does not belong");
    let turned =
        with_header(|header| header["head.weight"]["shape"] = [8, 3, 1, 1].to_vec().into());
    check_refused(&turned, "`head.weight` has shape [8, 3, 1, 1], expected [3, 8, 1, 1]");
    let whole = with_header(|header| header["head.bias"]["dtype"] = "I32".into());
    check_refused(&whole, "`head.bias` has numbers of type I32");
    let deeper = with_metadata(|metadata| metadata["architecture"]["depth"] = 2.into());
    check_refused(&deeper, "more");
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    let with = |name: &str, value: f32| {
        let mut tensors = weights().tensors().clone();
        tensors.get_mut(name).unwrap()[5] = value;
        Weights::new(tiny(Normalization::Batch), InputScaling::default(), tensors)
            .unwrap_err()
            .to_string()
    };
    assert!(with("head.weight", f32::NAN).contains("not finite at index 5"));
    assert!(with("encoder.1.conv2.weight", f32::INFINITY).contains("not finite at index 5"));
    assert!(with("encoder.0.norm1.running_var", -1e-9).contains("negative variance at index 5"));
    let mut tensors = weights().tensors().clone();
    tensors.get_mut("head.bias").unwrap().pop();
    let short = Weights::new(tiny(Normalization::Batch), InputScaling::default(), tensors);
    assert!(short.unwrap_err().to_string().contains("shape [2], expected [3]"));
}

#[test]
fn other_programs_weights_are_brought_in() {
    let ours = weights();
    for prefix in ["", "module.", "model.net."] {
        let specs = ours.architecture().tensors();
        let mut stored: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        for spec in &specs {
            let data = ours.tensor(&spec.name).iter().flat_map(|value| value.to_le_bytes());
            stored.push((format!("{prefix}{}", spec.name), spec.shape.clone(), data.collect()));
        }
        for norm in ["encoder.0.norm1", "decoder.0.norm2"] {
            let name = format!("{prefix}{norm}.num_batches_tracked");
            stored.push((name, vec![], 7_i32.to_le_bytes().to_vec()));
        }
        let views = stored.iter().map(|(name, shape, data)| {
            use safetensors::tensor::{Dtype, TensorView};
            let dtype = if shape.is_empty() { Dtype::I32 } else { Dtype::F32 };
            (name.as_str(), TensorView::new(dtype, shape.clone(), data).unwrap())
        });
        let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let bytes = safetensors::serialize(views, Some(metadata)).unwrap();
        let read = Weights::import(&bytes, *ours.architecture(), *ours.input());
        assert_eq!(read.as_ref(), Ok(&ours), "{prefix}");
        let deeper = Architecture { depth: 2, ..*ours.architecture() };
        assert!(Weights::import(&bytes, deeper, *ours.input()).is_err());
    }
}

#[test]
fn no_mutilated_file_is_more_than_refused() {
    // A cheap generator is random enough here.
    let mut state = 7_u64;
    let mut random = move |n: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let whole = weights().to_bytes(Precision::Half).unwrap();
    let (header, _) = header(&whole);
    let header_end = header.to_string().len();
    let mut n_refused = 0;
    for round in 0..4000 {
        let mut bytes = whole.clone();
        match round % 4 {
            0 => bytes.truncate(random(whole.len())),
            1 => {
                for _ in 0..=random(4) {
                    bytes[random(header_end)] = random(256) as u8;
                }
            }
            2 => {
                let at = random(header_end);
                let from = random(header_end - 20);
                let piece = bytes[from..from + random(20)].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let at = header_end + random(whole.len() - header_end);
                bytes[at] ^= 1 << random(8);
            }
        }
        match Weights::read(&bytes) {
            Ok(read) => assert!(read.tensors().values().flatten().all(|value| value.is_finite())),
            Err(error) => {
                n_refused += 1;
                assert!(error.to_string().len() < 4000);
            }
        }
    }
    assert!(n_refused > 2500, "{n_refused}");
}
