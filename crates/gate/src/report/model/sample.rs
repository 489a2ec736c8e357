//! A report of drawn fields, for the tests of every rendering.

use super::*;
use crate::verdict::{AccuracyCase, Comparison, Context, FailOn, ProfileCase, judge};
use cellgate_approval::{ApprovalStatus, Binding, ProfileBinding};
use cellgate_core::drift::{FieldPair, Side, compare};
use cellgate_core::measure::{Column, Nuclei};
use cellgate_core::overlap::Overlaps;
use cellgate_core::raster::{Image, Labels, Raster};
use cellgate_core::score::Summary;
use cellgate_core::tolerances::{StructureLimits, Tolerance, Tolerances};
use cellgate_inputs::project::AccuracyFloors;

const N_FIELDS: u32 = 6;
const WIDTH: u32 = 240;
const HEIGHT: u32 = 180;

/// A drawn field with what both sides made of it.
pub(crate) struct DrawnField {
    pub(crate) name: String,
    pub(crate) image: Image,
    pub(crate) base: Labels,
    pub(crate) head: Labels,
}

/// Disks on a jittered grid; head loses the small ones, grows the others, and joins or parts some.
pub(crate) fn fields() -> Vec<DrawnField> {
    (0..N_FIELDS).map(field).collect()
}

fn field(index: u32) -> DrawnField {
    let mut state = 77 + index;
    let mut random = |n: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % n
    };
    let disks: Vec<(i64, i64, i64)> = (0..48)
        .map(|cell| {
            let (x, y) = (cell % 8 * 30 + 9 + random(12), cell / 8 * 30 + 9 + random(12));
            (i64::from(x), i64::from(y), i64::from(4 + random(8)))
        })
        .collect();
    let inside = |x: u32, y: u32, grow: i64, disk: &(i64, i64, i64)| {
        let (dx, dy, r) = (i64::from(x) - disk.0, i64::from(y) - disk.1, disk.2 + grow);
        dx * dx + dy * dy <= r * r
    };
    let base = Labels::from_fn(WIDTH, HEIGHT, |x, y| {
        disks.iter().position(|disk| inside(x, y, 0, disk)).map_or(0, |at| at as u32 + 1)
    });
    let head = Labels::from_fn(WIDTH, HEIGHT, |x, y| {
        let found = disks.iter().position(|disk| disk.2 > 5 && inside(x, y, 1, disk));
        match found {
            // One in eleven falls apart along its middle.
            Some(at) if at % 11 == 3 && i64::from(x) > disks[at].0 => at as u32 + 101,
            Some(at) => at as u32 + 1,
            None => 0,
        }
    });
    let image = Raster::from_fn(WIDTH, HEIGHT, |x, y| {
        let depth =
            if base.at(x, y) > 0 { 95 + (x * 7 + y * 13) % 23 } else { (x * 3 + y * 5) % 9 };
        [238 - depth as u8, 232 - depth as u8 - depth as u8 / 4, 236 - depth as u8 / 2]
    });
    DrawnField { name: format!("A{:02}", index + 1), image: Image::Rgb8(image), base, head }
}

fn table(labels: &Labels) -> (Nuclei, Summary) {
    let overlaps = Overlaps::count(labels, labels).unwrap();
    let areas: Vec<f64> = overlaps.base.iter().map(|nucleus| nucleus.n_px as f64 / 4.0).collect();
    let column = |name: &str, value: &dyn Fn(f64) -> f64| Column {
        name: name.into(),
        values: areas.iter().map(|area| Some(value(*area))).collect(),
    };
    let nuclei = Nuclei {
        labels: overlaps.base.iter().map(|nucleus| nucleus.label).collect(),
        columns: vec![
            column("area_um2", &|area| area),
            column("equivalent_diameter_um", &|area| (4.0 * area / std::f64::consts::PI).sqrt()),
            column("solidity", &|area| 0.97 - 0.1 / area),
            column("dab_od_mean", &|area| 0.2 + (area as u32 * 7 % 13) as f64 / 50.0),
        ],
        classes: None,
    };
    let summary = Summary {
        width_px: WIDTH,
        height_px: HEIGHT,
        n_nuclei: areas.len() as u32,
        density_per_mm2: Some(areas.len() as f64 / 0.0108),
        area_fraction: areas.iter().sum::<f64>() / 10_800.0,
        positive_percent: Some(30.0 + areas.len() as f64 / 9.0),
        ..Summary::default()
    };
    (nuclei, summary)
}

fn tolerances() -> Tolerances {
    let measurements = [
        ("nuclei", 0.0, 0.05),
        ("positive_percent", 3.0, 0.0),
        ("area_um2", 1.0, 0.03),
        ("equivalent_diameter_um", 0.2, 0.0),
        ("solidity", 0.02, 0.0),
        ("dab_od_mean", 0.03, 0.0),
    ];
    Tolerances {
        measurements: measurements
            .into_iter()
            .map(|(name, absolute, relative_fraction)| {
                (name.to_owned(), Tolerance { absolute, relative_fraction })
            })
            .collect(),
        structure: StructureLimits {
            max_vanished_fraction: 0.05,
            max_appeared_fraction: 0.05,
            max_split_fraction: 0.1,
            max_merged_fraction: 0.02,
        },
        min_fields: 5,
    }
}

/// Compares the drawn fields.
pub(crate) fn drift() -> cellgate_core::drift::Drift {
    let drawn = fields();
    let tables: Vec<_> = drawn.iter().map(|f| (table(&f.base), table(&f.head))).collect();
    let side = |labels, table: &'_ (Nuclei, Summary)| -> (Labels, Nuclei, Summary) {
        (Labels::clone(labels), table.0.clone(), table.1)
    };
    let sides: Vec<_> = drawn
        .iter()
        .zip(&tables)
        .map(|(field, (base, head))| (side(&field.base, base), side(&field.head, head)))
        .collect();
    let pairs: Vec<FieldPair<'_>> = drawn
        .iter()
        .zip(&sides)
        .map(|(field, (base, head))| FieldPair {
            name: &field.name,
            base: Side { labels: &base.0, nuclei: &base.1, summary: &base.2 },
            head: Side { labels: &head.0, nuclei: &head.1, summary: &head.2 },
        })
        .collect();
    compare(&pairs, &tolerances(), 20_240_601).unwrap()
}

fn accuracy() -> AccuracyCase {
    let score = |labels: fn(&DrawnField) -> &Labels| {
        let scores: Vec<_> = fields()
            .iter()
            .map(|field| {
                cellgate_core::accuracy::score_field(&field.base, labels(field)).unwrap().scores
            })
            .collect();
        cellgate_core::accuracy::mean(&scores)
    };
    AccuracyCase {
        base: score(|field| &field.base),
        head: score(|field| &field.head),
        floors: AccuracyFloors { f1_at_50: Some(0.6), ..AccuracyFloors::default() },
    }
}

/// The report of a change that drifts, beside a profile that is new.
pub(crate) fn report() -> Report {
    let drift = drift();
    let cases = [
        ProfileCase {
            name: "ihc-hdab",
            comparison: Comparison::Drift(&drift),
            failed_fields: &[],
            accuracy: accuracy(),
            is_approved: false,
        },
        ProfileCase {
            name: "dapi-tissue",
            comparison: Comparison::New,
            failed_fields: &[],
            accuracy: AccuracyCase { base: None, ..accuracy() },
            is_approved: false,
        },
    ];
    let change = crate::verdict::Change { base: Some("6ab0".into()), head: Some("91fe".into()) };
    let context = Context { policy: Some(change), ..Context::default() };
    let judgement = judge(&cases, &context);
    let digest = |text: &str| cellgate_core::digest::Digest::of_bytes(text.as_bytes()).to_string();
    let changed = |key: &str, base: &str, head: &str| ChangedKey {
        key: key.into(),
        base: Some(base.into()),
        head: Some(head.into()),
    };
    let gate = Gate {
        judgement: &judgement,
        fail_on: FailOn::Drifted,
        engine: Engine {
            version: "0.1.0".into(),
            fingerprint: digest("engine"),
            approved_fingerprint: None,
        },
        base: Revision { name: "main".into(), commit: Some("4f1d".repeat(10)) },
        head: Revision { name: "lower-threshold".into(), commit: Some("ab09".repeat(10)) },
        dataset_digest: digest("dataset"),
        policy_digest: digest("policy"),
        binding: binding(),
        approvals: ApprovalsReport { revision: None, records: 0 },
        approval_policy: cellgate_inputs::project::Policy::default().approval,
        noise: None,
        min_fields: 5,
        seed: drift.seed,
        findings: &[],
        remarks: &[],
    };
    let parts = |index: usize, drift, base: Option<&str>| ProfileParts {
        judgement: &judgement.profiles[index],
        standing: Some(&ApprovalStatus::Missing),
        drift,
        accuracy: cases[index].accuracy,
        params_digest: Sides { base: base.map(digest), head: Some(digest("head")) },
        changed_keys: vec![
            changed("morphology.min_area_um2", "10", "25"),
            changed("threshold.correction_factor", "1", "0.9"),
        ],
    };
    Report::new(&gate, &[parts(0, Some(&drift), Some("base")), parts(1, None, None)])
}

/// Digests that an approval of the report holds for.
fn binding() -> Binding {
    let digest = |text: &str| cellgate_core::digest::Digest::of_bytes(text.as_bytes());
    let profile = |name: &str| ProfileBinding {
        name: name.to_owned(),
        params_digest: Some(digest("head")),
        dataset_digest: Some(digest("dataset")),
    };
    Binding {
        profiles: vec![profile("dapi-tissue"), profile("ihc-hdab")],
        policy_digest: digest("policy"),
        engine_fingerprint: digest("engine"),
    }
}

/// One measurement without numbers.
pub(crate) fn measurement(name: &str) -> MeasurementReport {
    MeasurementReport {
        name: name.to_owned(),
        unit: None,
        base: None,
        head: None,
        shift: None,
        relative_shift: None,
        ci: None,
        range: None,
        margin: None,
        verdict: None,
        n_fields: 0,
        fields_needed: None,
        matched: None,
        parts: None,
        by_field: Vec::new(),
        undefined: Sides { base: 0, head: 0 },
        histogram: None,
    }
}
