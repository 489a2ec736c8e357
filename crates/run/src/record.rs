//! Record: `run.json`, what a run was made of. Times stand here and in no report.

use super::field::FieldRun;
use super::fingerprint;
use cellgate_core::digest::Digest;
use cellgate_core::units::PixelSize;
use cellgate_inputs::params::Params;
use serde::{Deserialize, Serialize};

/// Value of the `schema` key in `run.json`.
pub const SCHEMA: &str = "cellgate/run/v1";

/// Record of a run: engine, profile, weights, fields and wall time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// `cellgate/run/v1`.
    pub schema: String,
    /// Version of cellgate.
    pub engine_version: String,
    /// Fingerprint of the numbers that it gives.
    pub engine_fingerprint: String,
    /// The profile's name.
    pub profile: String,
    /// Digest of the validated profile.
    pub params_digest: String,
    /// Digest of the network's weights, where a network found the nuclei.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<String>,
    /// Every field, by name.
    pub fields: Vec<FieldRecord>,
    /// Wall time of the whole run, in seconds.
    pub seconds: f64,
}

/// One field of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldRecord {
    /// The field's name.
    pub name: String,
    /// Digest of the image file.
    pub image_sha256: String,
    /// Edge length of a pixel in micrometers, where it is known.
    pub pixel_size_um: Option<f64>,
    /// Number of nuclei.
    pub nuclei: u32,
    /// Wall time, in seconds.
    pub seconds: f64,
}

impl RunRecord {
    /// Records a run.
    #[must_use]
    pub fn new(params: &Params, fields: Vec<FieldRecord>, seconds: f64) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            engine_version: env!("CARGO_PKG_VERSION").to_owned(),
            engine_fingerprint: fingerprint::declared_fingerprint().to_owned(),
            profile: params.name.clone(),
            params_digest: params.digest().to_string(),
            weights_sha256: params.unet().map(|unet| unet.weights.to_string()),
            fields,
            seconds,
        }
    }

    /// The record as JSON.
    ///
    /// # Errors
    /// Error of the JSON writer; a record of numbers and texts causes none.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

impl FieldRecord {
    /// Records a field.
    #[must_use]
    pub fn new(
        name: &str,
        image: Digest,
        pixel_size: Option<PixelSize>,
        run: &FieldRun,
        seconds: f64,
    ) -> Self {
        Self {
            name: name.to_owned(),
            image_sha256: image.to_string(),
            pixel_size_um: pixel_size.map(PixelSize::um),
            nuclei: run.summary.n_nuclei,
            seconds,
        }
    }
}
