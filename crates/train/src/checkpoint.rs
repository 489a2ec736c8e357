//! Checkpoint: a training as it stands after a step, in one file.
//!
//! A training that goes on from a checkpoint comes to the same bits as one that was never
//! interrupted. The file is safetensors: names, shapes and numbers, and in its metadata what
//! training it belongs to, its record and a digest of everything.

use super::optimizer::State;
use super::parameters::{self, Parameter};
use super::record::Record;
use cellgate_core::digest::{Digest, Hasher};
use cellgate_core::unet::architecture::Architecture;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Largest file: four numbers of four bytes for each parameter of the largest network, and curves.
pub const MAX_FILE_BYTES: usize = 4 << 30;

/// Name of the file's format in the metadata.
const FORMAT: &str = "cellgate/checkpoint/v1";

/// The one key of the metadata.
const KEY: &str = "cellgate";

/// The arrays that are kept of each parameter.
const ARRAYS: [&str; 4] = ["value", "mean", "square", "average"];

/// A training as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Which training it is of.
    pub of: Origin,
    /// The parameters and all that the next step depends on.
    pub state: State,
    /// Course of the training so far.
    pub record: Record,
}

/// Digests of everything that a training depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Digest of the recipe.
    pub recipe: Digest,
    /// Digest of the dataset.
    pub dataset: Digest,
    /// Digest of the weights that training began with, where it did not begin anew.
    pub init: Option<Digest>,
}

/// A checkpoint cannot be gone on from.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CheckpointError {
    /// Not the file that was written.
    #[error("the checkpoint is damaged: {0}; delete it to start anew")]
    Damaged(String),
    /// Written by a later version.
    #[error("the checkpoint has the format `{0}`, which this version does not read")]
    Format(String),
    /// Of something else.
    #[error(
        "the checkpoint is of another training: its {what} is {found}, not {expected}; \
        choose another folder, or delete the checkpoint to start anew"
    )]
    Foreign {
        /// The part that differs.
        what: &'static str,
        /// Its value in the checkpoint.
        found: String,
        /// The value that was asked for.
        expected: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    format: String,
    of: Origin,
    step: u64,
    record: Record,
    /// Of all arrays and of these metadata, where this field is empty.
    digest: String,
}

#[derive(Deserialize)]
struct Format {
    format: String,
}

impl Checkpoint {
    /// The file.
    ///
    /// # Errors
    /// [`CheckpointError::Damaged`] when a number of the record is not finite.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        let arrays = self.arrays();
        let mut metadata = Metadata {
            format: FORMAT.to_owned(),
            of: self.of,
            step: self.state.step,
            record: self.record.clone(),
            digest: String::new(),
        };
        let data = arrays.iter().map(|(name, _, data)| (name.as_str(), data.as_slice()));
        metadata.digest = digest(&metadata, data)?.to_string();
        let text = serde_json::to_string(&metadata).map_err(|error| damaged_error(&error))?;
        let mut views = Vec::with_capacity(arrays.len());
        for (name, shape, data) in &arrays {
            let view = TensorView::new(Dtype::F32, shape.to_vec(), data);
            views.push((name, view.map_err(|error| damaged_error(&error))?));
        }
        let metadata = HashMap::from([(KEY.to_owned(), text)]);
        safetensors::serialize(views, Some(metadata)).map_err(|error| damaged_error(&error))
    }

    fn arrays(&self) -> Vec<(String, &[usize], Vec<u8>)> {
        let state = &self.state;
        let moments = state.mean.iter().zip(&state.square).zip(&state.average);
        let each = state.parameters.iter().zip(moments);
        let arrays = each.flat_map(|(parameter, ((mean, square), average))| {
            let arrays = [&parameter.values, mean, square, average];
            ARRAYS.iter().zip(arrays).map(|(array, values)| {
                let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                (format!("{}:{array}", parameter.name), parameter.shape.as_slice(), bytes)
            })
        });
        arrays.collect()
    }

    /// Reads a file that must belong to a training, or to one of `beginnings`: recipes that it goes
    /// on from, by their digests.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn read(
        bytes: &[u8],
        architecture: &Architecture,
        of: &Origin,
        beginnings: &[Digest],
    ) -> Result<Self, CheckpointError> {
        let broken = |error: SafeTensorError| damaged_error(&error);
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
        let text = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
        let text = text.ok_or_else(|| CheckpointError::Damaged("it has no metadata".into()))?;
        let Format { format } =
            serde_json::from_str(text).map_err(|error| damaged_error(&error))?;
        if format != FORMAT {
            return Err(CheckpointError::Format(format));
        }
        let mut metadata: Metadata =
            serde_json::from_str(text).map_err(|error| damaged_error(&error))?;
        check_origin(&metadata.of, of, beginnings)?;
        let file = SafeTensors::deserialize(bytes).map_err(broken)?;
        let stated = std::mem::take(&mut metadata.digest);
        let specs = architecture.tensors();
        let mut parameters = Vec::new();
        let [mut mean, mut square, mut average] = [const { Vec::new() }; 3];
        let mut data = Vec::new();
        for spec in specs.iter().filter(|spec| parameters::is_parameter(spec)) {
            let mut arrays = Vec::new();
            for array in ARRAYS {
                let name = format!("{}:{array}", spec.name);
                let view = file.tensor(&name).map_err(broken)?;
                if view.shape() != parameters::shape(spec) || view.dtype() != Dtype::F32 {
                    return Err(CheckpointError::Damaged(format!("`{name}` has another shape")));
                }
                let fours = view.data().as_chunks::<4>().0;
                arrays.push(fours.iter().map(|four| f32::from_le_bytes(*four)).collect::<Vec<_>>());
                data.push((name, view.data()));
            }
            for moments in [&mut average, &mut square, &mut mean] {
                moments.extend(arrays.pop());
            }
            let values = arrays.pop().unwrap_or_default();
            let (name, shape) = (spec.name.clone(), parameters::shape(spec));
            parameters.push(Parameter { name, shape, values });
        }
        let found = digest(&metadata, data.iter().map(|(name, data)| (name.as_str(), *data)))?;
        if found.to_string() != stated || file.len() != data.len() {
            return Err(CheckpointError::Damaged("its digest does not hold".into()));
        }
        let state = State { step: metadata.step, parameters, mean, square, average };
        Ok(Self { of: *of, state, record: metadata.record })
    }
}

fn check_origin(
    found: &Origin,
    expected: &Origin,
    beginnings: &[Digest],
) -> Result<(), CheckpointError> {
    let text = |digest: Option<Digest>| digest.map_or("none".to_owned(), |digest| digest.short());
    let differs = |what, found: Option<Digest>, expected: Option<Digest>| {
        if found == expected {
            return Ok(());
        }
        let (found, expected) = (text(found), text(expected));
        Err(CheckpointError::Foreign { what, found, expected })
    };
    if !beginnings.contains(&found.recipe) {
        differs("recipe", Some(found.recipe), Some(expected.recipe))?;
    }
    differs("dataset", Some(found.dataset), Some(expected.dataset))?;
    differs("start", found.init, expected.init)
}

fn digest<'a>(
    metadata: &Metadata,
    arrays: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<Digest, CheckpointError> {
    let mut hasher = Hasher::default();
    hasher.update(&serde_json::to_vec(metadata).map_err(|error| damaged_error(&error))?);
    for (name, data) in arrays {
        hasher.update(name.as_bytes());
        hasher.update(data);
    }
    Ok(hasher.finish())
}

fn damaged_error(error: &dyn std::error::Error) -> CheckpointError {
    CheckpointError::Damaged(error.to_string())
}
