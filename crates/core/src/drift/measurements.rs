//! Measurements: how far each number moved, over all nuclei and over matched ones.
//!
//! The mean over all nuclei also sees nuclei that vanished or appeared; the mean over matched ones
//! alone would call a threshold that deletes dim nuclei harmless. Both are held to the tolerance.

use super::distribution::Distribution;
use super::field::{FieldRows, mean};
use super::stats::{self, Movement, Shift};
use crate::measure::Nuclei;
use crate::measure::catalog::{self, unit_of};
use crate::score::Summary;
use crate::tolerances::{Tolerance, Tolerances};
use rayon::prelude::*;

pub use super::field::Parts;

/// Numbers of a field that are the image's own and cannot drift.
const NOT_COMPARED: [&str; 3] = ["width_px", "height_px", "brightness_mean"];

/// Columns that say where a nucleus lies and how it is turned: their mean over nuclei means
/// nothing, so they are compared only when a tolerance asks for them.
const PLACE_COLUMNS: [&str; 7] = [
    "centroid_x_px",
    "centroid_y_px",
    "bbox_x0_px",
    "bbox_y0_px",
    "bbox_x1_px",
    "bbox_y1_px",
    "orientation_rad",
];

/// How far one measurement moved.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasurementDrift {
    /// Name of the column of `fields.csv` or `nuclei.csv`.
    pub name: String,
    /// Unit; `None` for counts and ratios.
    pub unit: Option<&'static str>,
    /// Base's mean, over the fields where both sides are defined.
    pub base: Option<f64>,
    /// Head's mean, over the same fields.
    pub head: Option<f64>,
    /// Shift of the number of a field: for a column of nuclei its mean over all of them.
    pub population: Option<Shift>,
    /// Shift of matched nuclei; `None` for numbers of a field and without matched nuclei.
    pub matched: Option<Shift>,
    /// Parts of the shift; `None` for numbers of a field.
    pub parts: Option<Parts>,
    /// Shift in each field, in the order of the fields; `None` where it is undefined.
    pub by_field: Vec<Option<f64>>,
    /// How far it may move; `None` when no tolerance is set.
    pub margin: Option<f64>,
    /// How it stands to its margin; `None` when it is not judged.
    pub movement: Option<Movement>,
    /// Fields that would decide, when it is inconclusive and more fields can help.
    pub fields_needed: Option<u32>,
    /// Undefined values of nuclei (base, head).
    pub n_undefined: (u64, u64),
    /// How the values of all nuclei are spread; `None` for numbers of a field.
    pub distribution: Option<Distribution>,
}

impl MeasurementDrift {
    /// The shift as a fraction of base; `None` where base is 0.
    #[must_use]
    pub fn relative_shift(&self) -> Option<f64> {
        let base = self.base?.abs();
        self.population.filter(|_| base > 0.0).map(|shift| shift.mean / base)
    }
}

/// Where a measurement's numbers come from.
enum Source {
    Field(&'static str),
    Nuclei(String),
}

impl Source {
    fn name(&self) -> &str {
        match self {
            Self::Field(name) => name,
            Self::Nuclei(name) => name,
        }
    }
}

/// Compares every measurement. A tolerance that none belongs to is another modality's.
pub(super) fn compare(
    fields: &[FieldRows<'_>],
    tolerances: &Tolerances,
    seed: u64,
) -> Vec<MeasurementDrift> {
    let sources = sources(fields, tolerances);
    let mut measurements: Vec<MeasurementDrift> =
        sources.par_iter().map(|source| shift_of(source, fields, tolerances, seed)).collect();
    measurements.retain(|m| m.base.is_some() || m.head.is_some() || m.margin.is_some());
    let with_margin: Vec<String> =
        measurements.iter().filter(|m| m.margin.is_some()).map(|m| m.name.clone()).collect();
    for measurement in &mut measurements {
        // The same tolerance in pixels and in micrometers would be one test taken twice.
        if physical_name(&measurement.name).is_some_and(|name| with_margin.contains(&name)) {
            measurement.margin = None;
        }
    }
    judge(&mut measurements, tolerances.min_fields);
    measurements
}

/// The columns that tolerances may name: measurements of nuclei, and numbers of fields.
#[must_use]
pub fn known_measurements() -> Vec<String> {
    let properties = catalog::PROPERTIES.iter().chain(catalog::OPTIONAL_PROPERTIES);
    // Where a nucleus lies has no tolerance: its mean over a field means nothing.
    let forms = properties.filter(|property| property.group.is_some()).map(|p| p.name.to_owned());
    let statistics = || catalog::INTENSITY_STATISTICS.iter().chain(&catalog::QUARTILE_STATISTICS);
    let intensities = catalog::CHANNELS
        .iter()
        .flat_map(|channel| statistics().map(move |(ending, _)| format!("{channel}_{ending}")));
    let fields = Summary::default().metrics().map(|(name, _)| name.to_owned());
    let mut names: Vec<String> = forms.chain(intensities).chain(fields).collect();
    let twins: Vec<String> = names.iter().filter_map(|name| catalog::physical_twin(name)).collect();
    names.extend(twins);
    names
}

/// Everything that either side measured, in the order of the tables.
fn sources(fields: &[FieldRows<'_>], tolerances: &Tolerances) -> Vec<Source> {
    let is_asked_for = |name: &str| tolerances.measurements.contains_key(name);
    let mut sources: Vec<Source> = Vec::new();
    if let Some(first) = fields.first() {
        let names = first.field.base.summary.metrics().map(|(name, _)| name);
        let is_compared = |name: &&str| !NOT_COMPARED.contains(name) || is_asked_for(name);
        sources.extend(names.into_iter().filter(is_compared).map(Source::Field));
    }
    for rows in fields {
        let columns = |nuclei: &'_ Nuclei| -> Vec<String> {
            nuclei.columns.iter().map(|column| column.name.clone()).collect()
        };
        for name in [columns(rows.field.base.nuclei), columns(rows.field.head.nuclei)].concat() {
            let is_new = sources.iter().all(|source| source.name() != name);
            if is_new && (!is_location(&name) || is_asked_for(&name)) {
                sources.push(Source::Nuclei(name));
            }
        }
    }
    sources
}

/// Whether a column says where a nucleus lies, in pixels or in micrometers.
fn is_location(name: &str) -> bool {
    PLACE_COLUMNS.iter().any(|&column| {
        column == name || physical_name(column).is_some_and(|physical| physical == name)
    })
}

/// The name in micrometers of a measurement in pixels.
fn physical_name(name: &str) -> Option<String> {
    let length = name.strip_suffix("_px").map(|stem| format!("{stem}_um"));
    length.or_else(|| name.strip_suffix("_px2").map(|stem| format!("{stem}_um2")))
}

/// One measurement in one field.
#[derive(Default)]
struct InField {
    base: Option<f64>,
    head: Option<f64>,
    matched: Option<f64>,
    parts: Option<Parts>,
}

fn measurement_in_field(source: &Source, rows: &FieldRows<'_>) -> InField {
    match source {
        Source::Field(name) => {
            let metric = |summary: &crate::score::Summary| {
                let found = summary.metrics().into_iter().find(|(metric, _)| metric == name);
                found.and_then(|(_, value)| value)
            };
            let (base, head) = (metric(rows.field.base.summary), metric(rows.field.head.summary));
            InField { base, head, ..InField::default() }
        }
        Source::Nuclei(name) => {
            let values = rows.values(name);
            let (base, head) = (values.base, values.head);
            InField { base, head, matched: values.matched, parts: values.parts }
        }
    }
}

fn shift_of(
    source: &Source,
    fields: &[FieldRows<'_>],
    tolerances: &Tolerances,
    seed: u64,
) -> MeasurementDrift {
    let in_fields: Vec<InField> =
        fields.iter().map(|rows| measurement_in_field(source, rows)).collect();
    let both = || in_fields.iter().filter_map(|field| field.base.zip(field.head));
    let any = |side: fn(&InField) -> Option<f64>| mean(in_fields.iter().filter_map(side).collect());
    let is_paired = both().next().is_some();
    // Without a field that both sides measured, each side's own mean still tells what is missing.
    let (base, head) = if is_paired {
        (mean(both().map(|(base, _)| base).collect()), mean(both().map(|(_, head)| head).collect()))
    } else {
        (any(|field| field.base), any(|field| field.head))
    };
    let by_field: Vec<Option<f64>> =
        in_fields.iter().map(|field| Some(field.head? - field.base?)).collect();
    let estimate =
        |differences: Vec<f64>| stats::estimate(&differences, tolerances.min_fields, seed);
    let parts: Vec<Parts> = in_fields.iter().filter_map(|field| field.parts).collect();
    let tolerance = tolerances.measurements.get(source.name());
    MeasurementDrift {
        name: source.name().to_owned(),
        unit: unit_of(source.name()),
        base,
        head,
        population: estimate(by_field.iter().copied().flatten().collect()),
        matched: estimate(in_fields.iter().filter_map(|field| field.matched).collect()),
        parts: Parts::mean(&parts),
        by_field,
        margin: tolerance.map(|tolerance| margin(*tolerance, base)),
        movement: None,
        fields_needed: None,
        n_undefined: n_undefined(source, fields),
        distribution: distribution(source, fields),
    }
}

/// The larger of the absolute margin and the fraction of base's mean.
fn margin(tolerance: Tolerance, base: Option<f64>) -> f64 {
    tolerance.absolute.max(tolerance.relative_fraction * base.unwrap_or(0.0).abs())
}

fn column<'a>(source: &Source, nuclei: &'a Nuclei) -> &'a [Option<f64>] {
    match source {
        Source::Field(_) => &[],
        Source::Nuclei(name) => nuclei.column(name).unwrap_or(&[]),
    }
}

fn n_undefined(source: &Source, fields: &[FieldRows<'_>]) -> (u64, u64) {
    let n = |nuclei: &Nuclei| column(source, nuclei).iter().filter(|v| v.is_none()).count() as u64;
    fields.iter().fold((0, 0), |(base, head), rows| {
        (base + n(rows.field.base.nuclei), head + n(rows.field.head.nuclei))
    })
}

fn distribution(source: &Source, fields: &[FieldRows<'_>]) -> Option<Distribution> {
    let base = fields.iter().flat_map(|rows| column(source, rows.field.base.nuclei));
    let head = fields.iter().flat_map(|rows| column(source, rows.field.head.nuclei));
    Distribution::of(base.copied().flatten().collect(), head.copied().flatten().collect())
}

/// Judges every measurement that has a margin; the shifts of all of them are one table.
fn judge(measurements: &mut [MeasurementDrift], min_fields: u32) {
    let tests = |m: &MeasurementDrift| -> Vec<(Shift, f64)> {
        let Some(margin) = m.margin else { return Vec::new() };
        [m.population, m.matched].into_iter().flatten().map(|shift| (shift, margin)).collect()
    };
    let table: Vec<(Shift, f64)> = measurements.iter().flat_map(tests).collect();
    let mut movements = stats::judge(&table).into_iter();
    for measurement in measurements {
        let Some(margin) = measurement.margin else { continue };
        let shifts: Vec<Shift> =
            [measurement.population, measurement.matched].into_iter().flatten().collect();
        let own = movements.by_ref().take(shifts.len()).collect::<Vec<_>>();
        let movement = match (measurement.base, measurement.head) {
            // Nothing to compare with: neither side, or head alone, has the measurement.
            (None, _) => None,
            (Some(_), None) => Some(Movement::Missing),
            // A column whose nuclei have no matched partner anywhere proves nothing.
            (Some(_), Some(_)) if measurement.parts.is_some() && measurement.matched.is_none() => {
                own.into_iter().chain([Movement::Inconclusive]).max()
            }
            (Some(_), Some(_)) => own.into_iter().max().or(Some(Movement::Inconclusive)),
        };
        measurement.movement = movement;
        if movement == Some(Movement::Inconclusive) {
            let undecided =
                shifts.iter().filter(|shift| !(shift.is_decidable && shift.is_within(margin)));
            let needed = undecided.map(|shift| Some(shift.fields_needed(margin)?.max(min_fields)));
            let needed =
                needed.collect::<Option<Vec<u32>>>().and_then(|needed| needed.into_iter().max());
            // As many as there are did not decide: the bound over all measurements asks for more.
            let n_fields = measurement.by_field.iter().flatten().count();
            measurement.fields_needed = needed.filter(|&needed| n_fields < needed as usize);
        }
    }
}
