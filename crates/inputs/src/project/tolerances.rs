//! Tolerances: `params/tolerances.yaml`, how far a measurement may move.
//!
//! Without a file, or for a key that it leaves out, the defaults hold. A `measurements` key
//! replaces the default measurements as a whole: what it does not name is reported, not judged.

use crate::finding::{Code, Finding, closest};
use crate::source::Source;
use crate::yaml::{Document, Remarks, schema_of};
use cellgate_core::drift::known_measurements;
use cellgate_core::tolerances::{MIN_FIELDS, STRUCTURE, StructureLimits, Tolerance, Tolerances};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Value of the `schema` key in a tolerances file.
pub const TOLERANCES_SCHEMA: &str = "cellgate/tolerances/v1";

/// How far measurements may move.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "cellgate tolerances")]
struct RawTolerances {
    /// Which schema the file follows: `cellgate/tolerances/v1`.
    #[expect(dead_code, reason = "checked before the file is read")]
    schema: String,
    /// With fewer fields than this a drift cannot be decided.
    #[schemars(range(min = 1, max = 10_000), extend("default" = MIN_FIELDS))]
    min_fields: Option<u32>,
    /// By measurement, a column of `nuclei.csv` or `fields.csv`: how far its mean may move. A
    /// measurement without an entry is reported and not judged.
    measurements: Option<BTreeMap<String, RawTolerance>>,
    /// Limits on what happens to nuclei.
    #[serde(default)]
    structure: RawStructure,
}

/// How far one measurement may move: the larger of the two.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
struct RawTolerance {
    /// In the measurement's own unit.
    #[schemars(range(min = 0.0, max = 1e9), extend("default" = 0))]
    absolute: Option<f64>,
    /// As a fraction of base's mean, 0 to 1; never percent.
    #[schemars(range(min = 0.0, max = 1.0), extend("default" = 0))]
    relative_fraction: Option<f64>,
}

/// Limits on what happens to nuclei, as fractions of base's nuclei.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawStructure {
    /// Nuclei of base without any partner in head.
    #[schemars(range(min = 0.0, max = 1.0), extend("default" = STRUCTURE.max_vanished_fraction))]
    max_vanished_fraction: Option<f64>,
    /// Nuclei of head without any partner in base.
    #[schemars(range(min = 0.0, max = 1.0), extend("default" = STRUCTURE.max_appeared_fraction))]
    max_appeared_fraction: Option<f64>,
    /// Nuclei of base that fell apart.
    #[schemars(range(min = 0.0, max = 1.0), extend("default" = STRUCTURE.max_split_fraction))]
    max_split_fraction: Option<f64>,
    /// Nuclei of base that grew together.
    #[schemars(range(min = 0.0, max = 1.0), extend("default" = STRUCTURE.max_merged_fraction))]
    max_merged_fraction: Option<f64>,
}

/// The JSON Schema of a tolerances file, for editors.
#[must_use]
pub fn tolerances_schema() -> Value {
    schema_of::<RawTolerances>()
}

/// Help for an unknown column: columns that may have been meant.
fn column_help(name: &str, known: &[String]) -> String {
    let in_unit: Vec<&str> = known
        .iter()
        .filter(|column| column.strip_prefix(name).is_some_and(|rest| rest.starts_with('_')))
        .map(String::as_str)
        .collect();
    match closest(name, known.iter().map(String::as_str)) {
        _ if !in_unit.is_empty() => format!("columns that begin so: {}", in_unit.join(", ")),
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => "take a column of `nuclei.csv` or `fields.csv`".to_owned(),
    }
}

/// Reads tolerances from their text.
///
/// # Errors
/// Every finding, when one is an error.
pub fn tolerances_of_text(source: &Source) -> Result<Tolerances, Vec<Finding>> {
    let document = Document::parse(source)?;
    let raw: RawTolerances = document.read(TOLERANCES_SCHEMA)?;
    let mut remarks = Remarks::new(&document);
    let known = known_measurements();
    for (name, tolerance) in raw.measurements.iter().flatten() {
        let route = ["measurements".into(), name.as_str().into()];
        if !known.contains(name) {
            let message = format!("no table has a column `{name}`");
            let help = column_help(name, &known);
            remarks.key_error(&route, Code::ReferenceUnknown, message, &help);
        }
        let is_zero = |part: Option<f64>| part.is_none_or(|part| part == 0.0);
        if is_zero(tolerance.absolute) && is_zero(tolerance.relative_fraction) {
            let message =
                format!("`{name}` may not move at all, so no drift of it can be ruled out");
            let help = "give `absolute` or `relative_fraction` above 0, or delete the entry";
            remarks.error(&route, Code::OutOfRange, message, help);
        }
    }
    if !remarks.findings.is_empty() {
        return Err(remarks.findings);
    }
    let defaults = Tolerances::default();
    let measurements = raw.measurements.map(|entries| {
        let tolerance = |raw: RawTolerance| Tolerance {
            absolute: raw.absolute.unwrap_or(0.0),
            relative_fraction: raw.relative_fraction.unwrap_or(0.0),
        };
        entries.into_iter().map(|(name, raw)| (name, tolerance(raw))).collect()
    });
    let limit = |written: Option<f64>, default: f64| written.unwrap_or(default);
    Ok(Tolerances {
        measurements: measurements.unwrap_or(defaults.measurements),
        structure: StructureLimits {
            max_vanished_fraction: limit(
                raw.structure.max_vanished_fraction,
                STRUCTURE.max_vanished_fraction,
            ),
            max_appeared_fraction: limit(
                raw.structure.max_appeared_fraction,
                STRUCTURE.max_appeared_fraction,
            ),
            max_split_fraction: limit(
                raw.structure.max_split_fraction,
                STRUCTURE.max_split_fraction,
            ),
            max_merged_fraction: limit(
                raw.structure.max_merged_fraction,
                STRUCTURE.max_merged_fraction,
            ),
        },
        min_fields: raw.min_fields.unwrap_or(MIN_FIELDS),
    })
}
