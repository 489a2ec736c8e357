//! Metadata: a network's description in a file of weights, and the formats that are understood.

use super::super::architecture::Architecture;
use super::super::input::InputScaling;
use super::problem::{FORMAT, MAX_BYTES, MetadataProblem, WeightsError};
use crate::preparation::Steps;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The key of safetensors' metadata.
const KEY: &str = "cellgate";

/// Prefix of every version of the format.
const FORMAT_FAMILY: &str = "cellgate/unet/v";

/// The value of the key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    format: String,
    architecture: Architecture,
    input: InputScaling,
    #[serde(default, skip_serializing_if = "Steps::are_none")]
    preparation: Steps,
}

/// Description of a network in its file of weights.
pub(super) struct Told {
    pub(super) architecture: Architecture,
    pub(super) input: InputScaling,
    pub(super) preparation: Steps,
}

/// Whether such a network can be built and fed.
pub(super) fn check(
    architecture: &Architecture,
    input: &InputScaling,
    preparation: &Steps,
) -> Result<(), MetadataProblem> {
    if !architecture.is_possible() {
        return Err(MetadataProblem::Architecture);
    }
    if !preparation.are_possible() {
        return Err(MetadataProblem::Preparation);
    }
    if input.is_possible() { Ok(()) } else { Err(MetadataProblem::Scaling) }
}

/// Reads what a file says about its network.
pub(super) fn read(metadata: Option<&HashMap<String, String>>) -> Result<Told, MetadataProblem> {
    let metadata = metadata.ok_or(MetadataProblem::Missing)?;
    let text = metadata.get(KEY).ok_or(MetadataProblem::Missing)?;
    if metadata.len() > 1 || text.len() > MAX_BYTES {
        return Err(MetadataProblem::Crowded);
    }
    let unreadable =
        |error: serde_json::Error| MetadataProblem::Unreadable { reason: error.to_string() };
    // The format decides before anything else is understood.
    let value: serde_json::Value = serde_json::from_str(text).map_err(unreadable)?;
    let format = value.get("format").and_then(serde_json::Value::as_str).unwrap_or_default();
    if format != FORMAT {
        let format = format.to_owned();
        let version =
            format.strip_prefix(FORMAT_FAMILY).and_then(|digits| digits.parse::<u32>().ok());
        let is_newer = version.is_some_and(|version| version > 1);
        return Err(if is_newer {
            MetadataProblem::TooNew { format }
        } else {
            MetadataProblem::Foreign { format }
        });
    }
    // From the text again: a value would forgive a key that is there twice.
    let Wire { architecture, input, preparation, .. } =
        serde_json::from_str(text).map_err(unreadable)?;
    check(&architecture, &input, &preparation)?;
    Ok(Told { architecture, input, preparation })
}

/// Writes what a file says about its network.
pub(super) fn write(description: Told) -> Result<HashMap<String, String>, WeightsError> {
    let Told { architecture, input, preparation } = description;
    let wire = Wire { format: FORMAT.to_owned(), architecture, input, preparation };
    let text = serde_json::to_string(&wire)
        .map_err(|error| MetadataProblem::Unreadable { reason: error.to_string() })?;
    Ok(HashMap::from([(KEY.to_owned(), text)]))
}
