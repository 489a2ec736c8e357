//! Raw: `cellgate.yaml` as it is written, key by key.
//!
//! The one source of the project file's JSON Schema and of the ranges in messages.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

pub(super) const DEFAULT_PARAMS: &str = "params";

/// Folder of the models where a project file names none.
pub const DEFAULT_MODELS: &str = "models";

pub(super) const DEFAULT_PORT: u16 = 22;
pub(super) const DEFAULT_KEEP: u32 = 5;
/// The smallest server that segments a whole slide in strips.
pub(super) const DEFAULT_MEMORY_GB: f64 = 4.0;
pub(super) const DEFAULT_DISK_GB: f64 = 25.0;

/// Where profiles and datasets are, what is gated, how strictly, and where releases go.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "cellgate project")]
pub(super) struct RawProject {
    /// Which schema the file follows: `cellgate/project/v1`.
    #[expect(dead_code, reason = "checked before the file is read")]
    pub(super) schema: String,
    /// Folder of the profiles, relative to this file.
    #[schemars(length(min = 1), extend("default" = DEFAULT_PARAMS, "x-form" = "a folder"))]
    pub(super) params: Option<String>,
    /// Folder of the networks' weights and cards, relative to this file.
    #[schemars(length(min = 1), extend("default" = DEFAULT_MODELS, "x-form" = "a folder"))]
    pub(super) models: Option<String>,
    /// File of the tolerances, relative to this file; without it the defaults hold.
    #[schemars(length(min = 1), extend("x-form" = "a file"))]
    pub(super) tolerances: Option<String>,
    /// Fixture datasets by name: a folder, or `{builtin: phantoms}`.
    #[schemars(extend("propertyNames" = name_form()))]
    pub(super) datasets: BTreeMap<String, RawDataset>,
    /// Pairs of profile and dataset that are gated.
    #[schemars(length(min = 1), extend("x-form" = "entries like `{profile: NAME, dataset: NAME}`"))]
    pub(super) gate: Vec<RawGate>,
    /// Lowest accuracy against truth, by profile; below it the gate fails.
    #[serde(default)]
    pub(super) accuracy_floors: BTreeMap<String, RawFloors>,
    /// Who may approve a drift.
    #[serde(default)]
    pub(super) approval: RawApproval,
    /// Servers that releases are deployed to, by name.
    #[serde(default)]
    #[schemars(extend("propertyNames" = name_form()))]
    pub(super) targets: BTreeMap<String, RawTarget>,
    /// Memory and disk that a target must have to spare.
    #[serde(default)]
    pub(super) monitor: RawMonitor,
}

fn name_form() -> Value {
    let form = "lowercase letters, digits and hyphens";
    serde_json::json!({"pattern": "^[a-z0-9][a-z0-9-]{0,63}$", "x-form": form})
}

/// A dataset: text for a folder, or `{builtin: phantoms}`.
#[derive(Debug, Clone)]
pub(super) enum RawDataset {
    Folder(String),
    Phantoms,
}

impl JsonSchema for RawDataset {
    fn schema_name() -> Cow<'static, str> {
        "Dataset".into()
    }

    // The keywords for mappings hold for mappings alone, so no alternatives are needed.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "object"],
            "minLength": 1,
            "properties": {"builtin": {
                "type": "string",
                "enum": ["phantoms"],
                "description": "The embedded dataset: drawn nuclei with exact truth.",
            }},
            "required": ["builtin"],
            "additionalProperties": false,
            "x-form": "a folder, or `{builtin: phantoms}`",
        })
    }
}

impl<'de> Deserialize<'de> for RawDataset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::String(folder) => Self::Folder(folder),
            // The schema allows one mapping.
            _ => Self::Phantoms,
        })
    }
}

/// One thing to gate.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGate {
    /// Name of a profile.
    pub(super) profile: String,
    /// Name of a dataset from `datasets`.
    pub(super) dataset: String,
    /// Takes only the fields of this image type; without it all.
    #[schemars(length(min = 1))]
    pub(super) image_type: Option<String>,
}

/// Lowest accuracy against truth, as means over fields.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFloors {
    /// F1 at an overlap (IoU) of 0.5.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) f1_at_50: Option<f64>,
    /// Average precision at an overlap of 0.5.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) ap_at_50: Option<f64>,
    /// Mean average precision over 0.5 to 0.95.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) map: Option<f64>,
    /// Aggregated Jaccard index.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) aji: Option<f64>,
    /// Panoptic quality.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) pq: Option<f64>,
    /// Dice coefficient of the foreground.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) dice: Option<f64>,
}

/// Who may approve a drift.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawApproval {
    /// Lowest permission on the repository.
    #[schemars(extend("default" = "write"))]
    pub(super) permission: Option<RawPermission>,
    /// Whether the author of a change may approve it.
    #[schemars(extend("default" = true))]
    pub(super) allow_author: Option<bool>,
    /// How many people must approve.
    #[schemars(range(min = 1, max = 10), extend("default" = 1))]
    pub(super) count: Option<u32>,
}

/// A permission on a repository, as GitHub names it.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawPermission {
    /// May push.
    Write,
    /// May also manage the repository.
    Maintain,
    /// May do everything.
    Admin,
}

/// A server that releases are deployed to: over SSH, or `{local: FOLDER}`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTarget {
    /// A folder of this machine in place of a server; stands alone.
    #[schemars(length(min = 1))]
    pub(super) local: Option<String>,
    /// Host names, literal or `{env: NAME}`; the first is the canary.
    #[schemars(length(min = 1, max = 64))]
    pub(super) hosts: Option<Vec<RawSetting>>,
    /// SSH port.
    #[schemars(range(min = 1, max = 65_535), extend("default" = DEFAULT_PORT))]
    pub(super) port: Option<u16>,
    /// User to log in as.
    pub(super) user: Option<RawSetting>,
    /// Private key; without it the SSH agent is asked.
    pub(super) key: Option<RawSecret>,
    /// Passphrase of the private key.
    pub(super) passphrase: Option<RawSecret>,
    /// Known host keys: `{env: NAME}`, or a file of this repository.
    pub(super) known_hosts: Option<RawSetting>,
    /// Hosts to go through, in the order of the way; each is as strict as the target itself.
    #[schemars(length(min = 1, max = 8))]
    pub(super) jump: Option<Vec<RawJump>>,
    /// Folder on the server.
    #[schemars(regex(pattern = "^/[A-Za-z0-9._/-]+$"), extend("x-form" = "an absolute path of letters, digits, `.`, `_`, `-` and `/`"))]
    pub(super) path: Option<String>,
    /// How many releases stay on the server.
    #[schemars(range(min = 2, max = 100), extend("default" = DEFAULT_KEEP))]
    pub(super) keep: Option<u32>,
}

/// A host to go through.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawJump {
    /// Host name, literal or `{env: NAME}`.
    pub(super) host: RawSetting,
    /// SSH port.
    #[schemars(range(min = 1, max = 65_535), extend("default" = DEFAULT_PORT))]
    pub(super) port: Option<u16>,
    /// User to log in as; without it the target's.
    pub(super) user: Option<RawSetting>,
}

/// A setting: text, or the name of an environment variable.
#[derive(Debug, Clone)]
pub(super) enum RawSetting {
    Literal(String),
    Env(String),
}

impl JsonSchema for RawSetting {
    fn schema_name() -> Cow<'static, str> {
        "Setting".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // A text that begins with `-` would be an option to ssh.
        json_schema!({
            "type": ["string", "object"],
            "pattern": "^[A-Za-z0-9_.][A-Za-z0-9_.:/-]{0,252}$",
            "properties": {"env": env_schema()},
            "required": ["env"],
            "additionalProperties": false,
            "x-form": "a name, or `{env: NAME}`",
        })
    }
}

impl<'de> Deserialize<'de> for RawSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::String(text) => Self::Literal(text),
            other => {
                let name = other.get("env").and_then(Value::as_str);
                Self::Env(name.unwrap_or_default().to_owned())
            }
        })
    }
}

/// A secret: only the name of an environment variable.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSecret {
    pub(super) env: String,
}

impl JsonSchema for RawSecret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {"env": env_schema()},
            "required": ["env"],
            "additionalProperties": false,
            "x-secret": true,
            "x-form": "`{env: NAME}`; a secret does not belong in this file",
        })
    }
}

fn env_schema() -> Value {
    serde_json::json!({
        "type": "string",
        "pattern": "^[A-Z_][A-Z0-9_]{0,127}$",
        "description": "Name of an environment variable.",
        "x-form": "a name of capital letters, digits and `_`",
    })
}

/// Memory and disk that a target must have to spare.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMonitor {
    /// Least memory of a target.
    #[schemars(range(min = 0.1, max = 100_000.0), extend("x-unit" = "GB", "default" = DEFAULT_MEMORY_GB))]
    pub(super) min_memory_gb: Option<f64>,
    /// Least disk of a target.
    #[schemars(range(min = 0.1, max = 1_000_000.0), extend("x-unit" = "GB", "default" = DEFAULT_DISK_GB))]
    pub(super) min_disk_gb: Option<f64>,
}
