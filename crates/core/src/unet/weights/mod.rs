//! Weights: the numbers of a trained network, and the one file format that carries them.
//!
//! The format is safetensors: names, shapes and numbers, nothing that could run. Tensors have
//! PyTorch's names and axes; the file's metadata has one key, `cellgate`, with the network's form
//! and the scaling of its input, so that a file says by itself how it is to be used. The sha256 of
//! the file is the identity of the weights. Takes bytes, gives numbers that are all there, finite
//! and of the right shapes; never opens a file.

mod file;
mod import;
mod metadata;
mod problem;
#[cfg(test)]
mod tests;

pub use problem::{MetadataProblem, TensorProblem, WeightsError};

use super::architecture::{Architecture, TensorSpec};
use super::input::InputScaling;
use crate::digest::Digest;
use crate::preparation::Steps;
use std::collections::BTreeMap;
use std::fmt;

/// Largest file of weights; the largest network in half precision stays below it.
pub const MAX_FILE_BYTES: usize = 256 << 20;

/// The numbers of a trained network.
///
/// Holding one means that every tensor of the architecture is there, has its shape and is finite,
/// and that no variance is negative.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    architecture: Architecture,
    input: InputScaling,
    preparation: Steps,
    tensors: BTreeMap<String, Vec<f32>>,
}

/// How exactly the numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 16 bits for the weights of convolutions, rounded to nearest and ties to even; biases and
    /// normalization, a hundredth of all numbers, keep 32.
    Half,
    /// 32 bits for every number.
    Single,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Half => "half",
            Self::Single => "single",
        })
    }
}

impl Weights {
    /// Checks the tensors of a network.
    ///
    /// # Errors
    /// [`WeightsError`] with every tensor that is missing, unknown, of another size, not finite or
    /// a negative variance.
    pub fn new(
        architecture: Architecture,
        input: InputScaling,
        tensors: BTreeMap<String, Vec<f32>>,
    ) -> Result<Self, WeightsError> {
        metadata::check(&architecture, &input, &Steps::default())?;
        let specs = architecture.tensors();
        let mut problems = problem::name_problems(&specs, tensors.keys().map(String::as_str));
        for spec in &specs {
            if let Some(values) = tensors.get(&spec.name) {
                problems.extend(problem::value_problem(spec, values));
            }
        }
        problem::fail_if_any(problems)?;
        Ok(Self { architecture, input, preparation: Steps::default(), tensors })
    }

    /// The same weights, for images to which something is done before.
    ///
    /// # Errors
    /// [`WeightsError::Metadata`] when it cannot be done to any image.
    pub fn after(self, preparation: Steps) -> Result<Self, WeightsError> {
        metadata::check(&self.architecture, &self.input, &preparation)?;
        Ok(Self { preparation, ..self })
    }

    /// Reads a file of weights.
    ///
    /// # Errors
    /// [`WeightsError`] when the file is too large, damaged, without cellgate's metadata, of a
    /// newer format, or its tensors are not those of its architecture.
    pub fn read(bytes: &[u8]) -> Result<Self, WeightsError> {
        let file = file::open(bytes)?;
        let metadata::Told { architecture, input, preparation } = metadata::read(file.metadata())?;
        let tensors = file.tensors(&architecture.tensors())?;
        Self::new(architecture, input, tensors)?.after(preparation)
    }

    /// Reads a file of weights that must have a digest.
    ///
    /// # Errors
    /// [`WeightsError::Digest`] before anything in the file is looked at; otherwise as
    /// [`Self::read`].
    pub fn read_verified(bytes: &[u8], expected: Digest) -> Result<Self, WeightsError> {
        file::check_size(bytes.len())?;
        let found = Digest::of_bytes(bytes);
        if found != expected {
            return Err(WeightsError::Digest { expected, found });
        }
        Self::read(bytes)
    }

    /// Reads weights that another program wrote, such as a PyTorch state dictionary saved as
    /// safetensors.
    ///
    /// A prefix that all names share (`module.`, `model.`) is taken off, and counts of batches
    /// (`num_batches_tracked`) are left out. Metadata are not looked at.
    ///
    /// # Errors
    /// [`WeightsError`] when the tensors are not those of the architecture.
    pub fn import(
        bytes: &[u8],
        architecture: Architecture,
        input: InputScaling,
    ) -> Result<Self, WeightsError> {
        metadata::check(&architecture, &input, &Steps::default())?;
        let tensors = import::tensors(&file::open(bytes)?, &architecture.tensors())?;
        Self::new(architecture, input, tensors)
    }

    /// The file: equal weights give equal bytes.
    ///
    /// # Errors
    /// [`WeightsError::Tensors`] when a number is too large for half precision.
    pub fn to_bytes(&self, precision: Precision) -> Result<Vec<u8>, WeightsError> {
        let metadata = metadata::write(metadata::Told {
            architecture: self.architecture,
            input: self.input,
            preparation: self.preparation.clone(),
        })?;
        let specs = self.architecture.tensors();
        let tensors: Vec<(&TensorSpec, &[f32])> =
            specs.iter().map(|spec| (spec, self.tensor(&spec.name))).collect();
        file::write(&tensors, precision, metadata)
    }

    /// The form of the network.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// How images are scaled for the network.
    #[must_use]
    pub fn input(&self) -> &InputScaling {
        &self.input
    }

    /// Preparation of images before they are scaled.
    #[must_use]
    pub fn preparation(&self) -> &Steps {
        &self.preparation
    }

    /// The numbers of a tensor, in PyTorch's order of axes; none for a name that
    /// [`Architecture::tensors`] does not give.
    #[must_use]
    pub fn tensor(&self, name: &str) -> &[f32] {
        self.tensors.get(name).map_or(&[], Vec::as_slice)
    }

    /// All tensors by name.
    #[must_use]
    pub fn tensors(&self) -> &BTreeMap<String, Vec<f32>> {
        &self.tensors
    }
}
