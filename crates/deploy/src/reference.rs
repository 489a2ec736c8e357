//! Reference: measurements of the approved parameters on the fixture dataset, for later comparison.
//!
//! Takes a profile and the fields that it is tried on; gives quantiles of each measurement over
//! nuclei and over fields as JSON. Results that the gate has kept are not computed again; computed
//! or kept, the bytes are the same, so that a release has one name.

use cellgate_core::digest::{Digest, DigestError, canonical};
use cellgate_inputs::dataset::{Dataset, FieldEntry};
use cellgate_inputs::finding::{Finding, has_errors};
use cellgate_inputs::revision::Tree;
use cellgate_run::cache::{Cache, Key};
use cellgate_run::many::run_many;
use cellgate_run::ready::Ready;
use cellgate_run::{FieldRun, pixel_size};
use serde::Serialize;
use std::collections::BTreeMap;

/// Value of the `schema` key of a reference.
pub const SCHEMA: &str = "cellgate/reference/v1";

/// Quantiles that are kept, as fractions.
const QUANTILES: [f64; 7] = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

/// A dataset that a profile is tried on.
pub(super) struct Trial<'a> {
    pub(super) dataset: &'a Dataset,
    /// Only fields of this image type; `None` takes all.
    pub(super) image_type: Option<&'a str>,
}

impl<'a> Trial<'a> {
    /// The fields that the profile is tried on.
    fn entries(&self) -> impl Iterator<Item = &'a FieldEntry> {
        let image_type = self.image_type;
        let fields = self.dataset.fields().iter();
        fields.filter(move |entry| image_type.is_none_or(|name| name == entry.image_type))
    }
}

/// A reference cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// Fields of the dataset cannot be opened.
    #[error("a field of the dataset cannot be opened")]
    Field(Vec<Finding>),
    /// A field cannot be segmented or measured.
    #[error("field `{field}` cannot be run: {why}")]
    Run {
        /// Its name.
        field: String,
        /// Why not.
        why: String,
    },
    /// A number has no JSON form.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

#[derive(Serialize)]
struct Reference<'a> {
    schema: &'a str,
    profile: &'a str,
    params_digest: Digest,
    engine_fingerprint: Digest,
    n_fields: usize,
    n_nuclei: usize,
    /// By measurement, over all nuclei.
    nuclei: BTreeMap<String, Distribution>,
    /// By measurement, over fields.
    fields: BTreeMap<String, Distribution>,
}

/// Where the values of one measurement lie.
#[derive(Serialize)]
struct Distribution {
    n: usize,
    mean: f64,
    min: f64,
    max: f64,
    /// By fraction, as `0.05`.
    quantiles: BTreeMap<String, f64>,
}

/// Runs a profile on its fields and sums up, as canonical JSON.
///
/// # Errors
/// [`ReferenceError`].
pub(super) fn reference_json(
    tree: &Tree,
    ready: &Ready<'_>,
    trials: &[Trial<'_>],
    engine: Digest,
    cache: Option<&Cache>,
) -> Result<Vec<u8>, ReferenceError> {
    let params = ready.params();
    let run = |entry: &&FieldEntry| {
        let field = entry.open(tree).map_err(ReferenceError::Field)?;
        let (pixel_size, findings) = pixel_size(params, None, field.pixel_size, &field.name);
        if has_errors(&findings) {
            return Err(ReferenceError::Field(findings));
        }
        let key = Key { params: params.digest(), field: field.digest, pixel_size, engine };
        match ready.run_cached(&field.image, &key, cache, None) {
            Ok(cached) => Ok(cached.run),
            Err(error) => {
                Err(ReferenceError::Run { field: field.name.clone(), why: error.to_string() })
            }
        }
    };
    let entries: Vec<&FieldEntry> = trials.iter().flat_map(Trial::entries).collect();
    let mut runs: Vec<FieldRun> = Vec::with_capacity(entries.len());
    run_many(&entries, ready.n_at_once(), run, |result| result.map(|run| runs.push(run)))?;
    let document = Reference {
        schema: SCHEMA,
        profile: &params.name,
        params_digest: params.digest(),
        engine_fingerprint: engine,
        n_fields: runs.len(),
        n_nuclei: runs.iter().map(|run| run.nuclei.labels.len()).sum(),
        nuclei: nucleus_distributions(&runs),
        fields: field_distributions(&runs),
    };
    Ok(canonical(&document)?)
}

fn nucleus_distributions(runs: &[FieldRun]) -> BTreeMap<String, Distribution> {
    let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for column in runs.iter().flat_map(|run| &run.nuclei.columns) {
        // Where a nucleus lies says nothing about the next image.
        if !column.name.starts_with("centroid_") && !column.name.starts_with("bbox_") {
            values.entry(&column.name).or_default().extend(column.values.iter().flatten());
        }
    }
    distributions(values)
}

fn field_distributions(runs: &[FieldRun]) -> BTreeMap<String, Distribution> {
    let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for summary in runs.iter().map(|run| &run.summary) {
        let numbers = [
            ("nuclei", Some(f64::from(summary.n_nuclei))),
            ("density_per_mm2", summary.density_per_mm2),
            ("area_fraction", Some(summary.area_fraction)),
            ("positive_percent", summary.positive_percent),
            ("h_score", summary.h_score),
            ("allred", summary.allred.map(f64::from)),
            ("brightness_mean", Some(summary.brightness_mean)),
        ];
        for (name, value) in numbers {
            values.entry(name).or_default().extend(value);
        }
    }
    distributions(values)
}

fn distributions(values: BTreeMap<&str, Vec<f64>>) -> BTreeMap<String, Distribution> {
    let pairs = values
        .into_iter()
        .filter_map(|(name, values)| Some((name.to_owned(), distribution(values)?)));
    pairs.collect()
}

/// Sums values up; `None` when there is none.
///
/// Quantiles are interpolated between the two nearest values (definition 7 of Hyndman and Fan 1996,
/// doi:10.1080/00031305.1996.10473566), as NumPy does it.
fn distribution(mut values: Vec<f64>) -> Option<Distribution> {
    values.retain(|value| value.is_finite());
    // A fixed order, so that sums do not depend on which field was done first.
    values.sort_unstable_by(f64::total_cmp);
    let (min, max) = (*values.first()?, *values.last()?);
    let quantile = |fraction: f64| {
        let at = fraction * (values.len() - 1) as f64;
        let (below, part) = (at.floor() as usize, at - at.floor());
        let next = values.get(below + 1).copied().unwrap_or(max);
        values[below] + (next - values[below]) * part
    };
    let quantiles = QUANTILES.iter().map(|&fraction| (fraction.to_string(), quantile(fraction)));
    Some(Distribution {
        n: values.len(),
        mean: values.iter().sum::<f64>() / values.len() as f64,
        min,
        max,
        quantiles: quantiles.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_the_nearest_values() {
        let summary = distribution(vec![4.0, 1.0, 3.0, 2.0, f64::NAN]).unwrap();
        assert_eq!((summary.n, summary.mean, summary.min, summary.max), (4, 2.5, 1.0, 4.0));
        // numpy.quantile([1, 2, 3, 4], [0.25, 0.5, 0.75]) is [1.75, 2.5, 3.25].
        let middle = ["0.25", "0.5", "0.75"].map(|fraction| summary.quantiles[fraction]);
        assert_eq!(middle, [1.75, 2.5, 3.25]);
        assert!(distribution(vec![f64::NAN]).is_none());
    }
}
