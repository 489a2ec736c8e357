//! File: safetensors, with every length bounded before it is believed.

use super::super::architecture::TensorSpec;
use super::problem::{self, TensorProblem, WeightsError};
use super::{MAX_FILE_BYTES, Precision};
use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use std::collections::{BTreeMap, HashMap};

/// Longest header: names, types and places of the tensors. The deepest network needs 20 KiB.
const MAX_HEADER_BYTES: u64 = 1 << 20;

/// A file whose header holds: tensors lie side by side, and the file ends with the last.
pub(super) struct File<'a> {
    metadata: Option<HashMap<String, String>>,
    tensors: BTreeMap<String, TensorView<'a>>,
}

/// Whether a file is small enough to be looked at.
pub(super) fn check_size(bytes: usize) -> Result<(), WeightsError> {
    if MAX_FILE_BYTES < bytes { Err(WeightsError::TooLarge { bytes }) } else { Ok(()) }
}

/// Reads the header.
pub(super) fn open(bytes: &[u8]) -> Result<File<'_>, WeightsError> {
    check_size(bytes.len())?;
    let header = bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    if header.is_some_and(|bytes| MAX_HEADER_BYTES < bytes) {
        return Err(WeightsError::NotSafetensors { reason: "the header is too long".to_owned() });
    }
    let damaged =
        |error: SafeTensorError| WeightsError::NotSafetensors { reason: error.to_string() };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    Ok(File { metadata: header.metadata().clone(), tensors: file.tensors().into_iter().collect() })
}

impl File<'_> {
    /// The file's metadata.
    pub(super) fn metadata(&self) -> Option<&HashMap<String, String>> {
        self.metadata.as_ref()
    }

    /// Names of the tensors, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The numbers of tensors that must be exactly these, in half or single precision.
    pub(super) fn tensors(
        &self,
        specs: &[TensorSpec],
    ) -> Result<BTreeMap<String, Vec<f32>>, WeightsError> {
        problem::fail_if_any(problem::name_problems(specs, self.names()))?;
        let is_ours = |dtype| matches!(dtype, Dtype::F16 | Dtype::F32);
        self.tensors_by_name(specs.iter().map(|spec| (spec.name.as_str(), spec)), is_ours)
    }

    /// The numbers of tensors that are named one way in the file and another here.
    pub(super) fn tensors_by_name<'a>(
        &self,
        names: impl Iterator<Item = (&'a str, &'a TensorSpec)>,
        is_read: impl Fn(Dtype) -> bool,
    ) -> Result<BTreeMap<String, Vec<f32>>, WeightsError> {
        let mut tensors = BTreeMap::new();
        let mut problems = Vec::new();
        for (in_file, spec) in names {
            let name = spec.name.clone();
            let Some(view) = self.tensors.get(in_file) else {
                problems.push(TensorProblem::Missing { name });
                continue;
            };
            if view.shape() != spec.shape {
                let (found, expected) = (view.shape().to_vec(), spec.shape.clone());
                problems.push(TensorProblem::Shape { name, found, expected });
                continue;
            }
            match numbers(view).filter(|_| is_read(view.dtype())) {
                Some(values) => drop(tensors.insert(name, values)),
                None => {
                    problems.push(TensorProblem::Type { name, found: view.dtype().to_string() });
                }
            }
        }
        problem::fail_if_any(problems)?;
        Ok(tensors)
    }
}

/// The numbers of a tensor; `None` for types that are not floats.
fn numbers(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let data = view.data();
    let (pairs, fours) = (data.as_chunks::<2>().0, data.as_chunks::<4>().0);
    Some(match view.dtype() {
        Dtype::F16 => pairs.iter().map(|&pair| f16::from_le_bytes(pair).to_f32()).collect(),
        Dtype::BF16 => pairs.iter().map(|&pair| bf16::from_le_bytes(pair).to_f32()).collect(),
        Dtype::F32 => fours.iter().map(|&four| f32::from_le_bytes(four)).collect(),
        _ => return None,
    })
}

/// Writes a file.
pub(super) fn write(
    tensors: &[(&TensorSpec, &[f32])],
    precision: Precision,
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>, WeightsError> {
    let mut problems = Vec::new();
    let mut stored = Vec::new();
    for (spec, values) in tensors {
        let is_half = precision == Precision::Half && spec.shape.len() > 1;
        let too_large = values.iter().position(|&value| !f16::from_f32(value).is_finite());
        if let Some(index) = too_large.filter(|_| is_half) {
            problems.push(TensorProblem::TooLargeForHalf { name: spec.name.clone(), index });
        }
        let data: Vec<u8> = if is_half {
            values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect()
        } else {
            values.iter().flat_map(|value| value.to_le_bytes()).collect()
        };
        stored.push((spec, if is_half { Dtype::F16 } else { Dtype::F32 }, data));
    }
    problem::fail_if_any(problems)?;
    let unwritable =
        |error: SafeTensorError| WeightsError::NotSafetensors { reason: error.to_string() };
    let views = stored
        .iter()
        .map(|(spec, dtype, data)| {
            let view = TensorView::new(*dtype, spec.shape.clone(), data).map_err(unwritable)?;
            Ok((spec.name.as_str(), view))
        })
        .collect::<Result<Vec<_>, WeightsError>>()?;
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(unwritable)?;
    check_size(bytes.len())?;
    Ok(bytes)
}
