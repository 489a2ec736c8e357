//! Import: the names that other programs give to the same tensors.

use super::super::architecture::TensorSpec;
use super::file::File;
use super::problem::{self, WeightsError};
use safetensors::Dtype;
use std::collections::BTreeMap;

/// Name of PyTorch's counter of batches in each normalization; prediction does not use it.
const BATCH_COUNT: &str = "num_batches_tracked";

/// First parts of the names that are ours.
const OWN_PARTS: [&str; 3] = ["encoder", "decoder", "head"];

/// The tensors of a state dictionary.
pub(super) fn tensors(
    file: &File<'_>,
    specs: &[TensorSpec],
) -> Result<BTreeMap<String, Vec<f32>>, WeightsError> {
    let names: Vec<&str> = file.names().filter(|name| !name.ends_with(BATCH_COUNT)).collect();
    let prefix = shared_prefix(&names);
    let bare = |name: &&str| name[prefix..].to_owned();
    let bare: Vec<String> = names.iter().map(bare).collect();
    problem::fail_if_any(problem::name_problems(specs, bare.iter().map(String::as_str)))?;
    let places: BTreeMap<&str, &str> =
        bare.iter().map(String::as_str).zip(names.iter().copied()).collect();
    let tensors = specs.iter().filter_map(|spec| Some((*places.get(spec.name.as_str())?, spec)));
    file.tensors_by_name(tensors, |dtype| matches!(dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32))
}

/// Length of what all names start with and is not ours: `module.`, `model.net.`.
fn shared_prefix(names: &[&str]) -> usize {
    let mut length = 0;
    while let Some(part) = names.first().and_then(|name| name[length..].split_once('.')) {
        let prefix = &names[0][..length + part.0.len() + 1];
        if OWN_PARTS.contains(&part.0) || !names.iter().all(|name| name.starts_with(prefix)) {
            break;
        }
        length = prefix.len();
    }
    length
}
