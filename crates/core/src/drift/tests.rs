//! Tests of `compare`: whole fields in, drift out.

use super::*;
use crate::labels;
use crate::measure::Nuclei;
use crate::measure::{Class, Column};
use crate::raster::Labels;
use crate::score::Summary;
use crate::tolerances::{StructureLimits, Tolerance};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// One side of a field with an `area_px2` column counted from its labels.
#[derive(Clone)]
struct OwnedSide {
    labels: Labels,
    nuclei: Nuclei,
    summary: Summary,
}

impl OwnedSide {
    fn of(labels: Labels) -> Self {
        let overlaps = Overlaps::count(&labels, &labels).unwrap();
        let areas = overlaps.base.iter().map(|nucleus| Some(nucleus.n_px as f64)).collect();
        let covered: u64 = overlaps.base.iter().map(|nucleus| nucleus.n_px).sum();
        let nuclei = Nuclei {
            labels: overlaps.base.iter().map(|nucleus| nucleus.label).collect(),
            columns: vec![Column { name: "area_px2".into(), values: areas }],
            classes: None,
        };
        let summary = Summary {
            width_px: labels.width(),
            height_px: labels.height(),
            n_nuclei: overlaps.base.len() as u32,
            area_fraction: covered as f64 / labels.n_px() as f64,
            ..Summary::default()
        };
        Self { labels, nuclei, summary }
    }

    fn with_column(mut self, name: &str, values: &[Option<f64>]) -> Self {
        self.nuclei.columns.push(Column { name: name.into(), values: values.to_vec() });
        self
    }

    fn side(&self) -> Side<'_> {
        Side { labels: &self.labels, nuclei: &self.nuclei, summary: &self.summary }
    }
}

fn tolerances(measurements: &[(&str, f64)]) -> Tolerances {
    let tolerance = |&(name, absolute): &(&str, f64)| {
        (name.to_owned(), Tolerance { absolute, relative_fraction: 0.0 })
    };
    Tolerances {
        measurements: measurements.iter().map(tolerance).collect::<BTreeMap<_, _>>(),
        structure: StructureLimits {
            max_vanished_fraction: 0.5,
            max_appeared_fraction: 0.5,
            max_split_fraction: 0.5,
            max_merged_fraction: 0.5,
        },
        min_fields: 3,
    }
}

fn compare_sides(base: &[OwnedSide], head: &[OwnedSide], tolerances: &Tolerances) -> Drift {
    let fields: Vec<FieldPair<'_>> = base
        .iter()
        .zip(head)
        .map(|(base, head)| FieldPair { name: "field", base: base.side(), head: head.side() })
        .collect();
    compare(&fields, tolerances, 7).unwrap()
}

fn measurement<'a>(drift: &'a Drift, name: &str) -> &'a MeasurementDrift {
    drift.measurements.iter().find(|measurement| measurement.name == name).unwrap()
}

fn base_field() -> OwnedSide {
    OwnedSide::of(labels![1, 1, 1, 0, 2, 2, 2; 1, 1, 1, 0, 2, 2, 2; 0, 0, 0, 0, 0, 3, 3])
}

fn head_field() -> OwnedSide {
    OwnedSide::of(labels![9, 9, 9, 9, 5, 5, 5; 9, 9, 9, 0, 5, 5, 5; 0, 0, 0, 0, 0, 0, 0])
}

#[test]
fn a_side_compared_with_itself_is_identical_and_unchanged() {
    let fields = vec![base_field(); 4];
    let drift = compare_sides(&fields, &fields, &tolerances(&[("area_px2", 0.0), ("nuclei", 0.0)]));
    assert!(drift.is_identical());
    for name in ["area_px2", "nuclei"] {
        assert_eq!(measurement(&drift, name).movement, Some(Movement::Unchanged));
    }
    assert!(drift.breaches.is_empty());
}

#[test]
fn a_lost_small_nucleus_moves_the_population_and_not_the_matched() {
    let mut lost = base_field();
    lost.labels = lost.labels.map(|label| if label == 3 { 0 } else { label });
    let lost = OwnedSide::of(lost.labels);
    let drift =
        compare_sides(&vec![base_field(); 3], &vec![lost; 3], &tolerances(&[("area_px2", 1.0)]));
    let area = measurement(&drift, "area_px2");
    // Areas 6, 6, 2 against 6, 6.
    assert!((area.population.unwrap().mean - (6.0 - 14.0 / 3.0)).abs() < 1e-12);
    assert_eq!(area.matched.unwrap().mean, 0.0);
    assert_eq!(area.movement, Some(Movement::Drifted));
    let parts = area.parts.unwrap();
    assert!((parts.vanished - area.population.unwrap().mean).abs() < 1e-12);
    assert_eq!((parts.matched, parts.appeared), (0.0, 0.0));
    assert_eq!((drift.nuclei.vanished, drift.nuclei.n_base), (3, 9));
}

#[test]
fn a_shift_of_matched_nuclei_cannot_hide_behind_the_population() {
    // One nucleus grows while a small one appears: the mean area stays, matched area does not.
    let base = OwnedSide::of(labels![1, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
    let head = OwnedSide::of(labels![1, 1, 1, 1, 1, 1, 1, 0, 2, 0]);
    let drift = compare_sides(&vec![base; 3], &vec![head; 3], &tolerances(&[("area_px2", 1.0)]));
    let area = measurement(&drift, "area_px2");
    assert_eq!(area.population.unwrap().mean, 0.0);
    assert_eq!(area.matched.unwrap().mean, 3.0);
    assert_eq!(area.movement, Some(Movement::Drifted));
}

#[test]
fn micrometers_are_judged_in_the_place_of_pixels() {
    let areas = [Some(1.5), Some(1.5), Some(0.5)];
    let fields = vec![base_field().with_column("area_um2", &areas); 3];
    let both = tolerances(&[("area_px2", 1.0), ("area_um2", 1.0)]);
    let drift = compare_sides(&fields, &fields, &both);
    assert_eq!(measurement(&drift, "area_px2").movement, None);
    assert_eq!(measurement(&drift, "area_um2").movement, Some(Movement::Unchanged));
    let px_only = compare_sides(&fields, &fields, &tolerances(&[("area_px2", 1.0)]));
    assert_eq!(measurement(&px_only, "area_px2").movement, Some(Movement::Unchanged));
}

#[test]
fn a_measurement_that_head_no_longer_takes_is_missing() {
    let with = base_field().with_column("dab_od_mean", &[Some(0.2), None, Some(0.3)]);
    let margins = tolerances(&[("dab_od_mean", 0.1), ("nowhere", 1.0)]);
    let removed = compare_sides(&vec![with.clone(); 3], &vec![base_field(); 3], &margins);
    let dab = measurement(&removed, "dab_od_mean");
    assert_eq!(dab.movement, Some(Movement::Missing));
    assert_eq!((dab.base, dab.head, dab.n_undefined), (Some(0.25), None, (3, 0)));
    assert!(removed.measurements.iter().all(|measurement| measurement.name != "nowhere"));
    let added = compare_sides(&vec![base_field(); 3], &vec![with; 3], &margins);
    assert_eq!(measurement(&added, "dab_od_mean").movement, None);
}

#[test]
fn undefined_values_are_counted_and_left_out() {
    let base = base_field().with_column("solidity", &[Some(1.0), None, Some(0.4)]);
    let head = base_field().with_column("solidity", &[None, Some(0.9), Some(0.5)]);
    let drift = compare_sides(&vec![base; 3], &vec![head; 3], &tolerances(&[]));
    let solidity = measurement(&drift, "solidity");
    assert_eq!(solidity.n_undefined, (3, 3));
    assert!((solidity.matched.unwrap().mean - 0.1).abs() < 1e-12);
    let parts: f64 = solidity.parts.unwrap().entries().iter().map(|(_, part)| part).sum();
    assert!((parts - solidity.population.unwrap().mean).abs() < 1e-12);
}

#[test]
fn too_few_fields_are_inconclusive_and_say_how_many_are_needed() {
    let drift =
        compare_sides(&[base_field()], &[head_field()], &tolerances(&[("area_px2", 100.0)]));
    let area = measurement(&drift, "area_px2");
    assert_eq!(area.movement, Some(Movement::Inconclusive));
    assert_eq!(area.fields_needed, Some(3));
}

#[test]
fn a_relative_margin_follows_the_mean_of_base() {
    let mut relative = tolerances(&[("nuclei", 0.0)]);
    relative
        .measurements
        .insert("nuclei".into(), Tolerance { absolute: 0.0, relative_fraction: 1.0 / 3.0 });
    let drift = compare_sides(&vec![base_field(); 3], &vec![head_field(); 3], &relative);
    let nuclei = measurement(&drift, "nuclei");
    assert_eq!((nuclei.base, nuclei.head, nuclei.margin), (Some(3.0), Some(2.0), Some(1.0)));
    assert_eq!(nuclei.movement, Some(Movement::Equivalent));
    assert!((nuclei.relative_shift().unwrap() + 1.0 / 3.0).abs() < 1e-12);
}

#[test]
fn empty_fields_on_both_sides_are_fine() {
    let empty = OwnedSide::of(Labels::filled(4, 4, 0));
    let drift =
        compare_sides(&vec![empty.clone(); 3], &vec![empty; 3], &tolerances(&[("nuclei", 0.0)]));
    assert!(drift.is_identical());
    assert!(!drift.fields[0].is_emptied());
    assert_eq!(measurement(&drift, "nuclei").movement, Some(Movement::Unchanged));
}

#[test]
fn an_emptied_field_is_noticed() {
    let empty = OwnedSide::of(Labels::filled(7, 3, 0));
    let drift = compare_sides(&[base_field()], &[empty], &tolerances(&[]));
    assert!(drift.fields[0].is_emptied());
}

#[test]
fn a_changed_class_is_counted_and_not_identical() {
    let classed = |classes: [Class; 3]| {
        let mut side = base_field();
        side.nuclei.classes = Some(classes.to_vec());
        side
    };
    let base = classed([Class::Negative, Class::OnePlus, Class::Negative]);
    let head = classed([Class::Negative, Class::TwoPlus, Class::Negative]);
    let drift = compare_sides(&[base], &[head], &tolerances(&[]));
    assert_eq!(drift.nuclei.reclassified, 1);
    assert!(!drift.is_identical());
}

#[test]
fn fields_of_different_shape_are_an_error() {
    let (wide, tall) =
        (OwnedSide::of(Labels::filled(4, 2, 0)), OwnedSide::of(Labels::filled(2, 4, 0)));
    let pair = FieldPair { name: "A01", base: wide.side(), head: tall.side() };
    let error = compare(&[pair], &tolerances(&[]), 7).unwrap_err();
    assert_eq!(error.to_string(), "failed to compare field `A01`");
}

#[test]
fn noise_floor_is_zero_exactly_when_both_runs_are_the_same() {
    let (once, other) = (base_field(), head_field());
    let same = FieldPair { name: "A01", base: once.side(), head: once.side() };
    assert!(noise_floor(&[same]).is_zero());
    let floor =
        noise_floor(&[same, FieldPair { name: "A02", base: once.side(), head: other.side() }]);
    assert_eq!((floor.n_fields, floor.differing_fields), (2, vec!["A02".to_owned()]));
    // Three nuclei against two; no label is the same in both.
    assert_eq!(floor.largest.get("nuclei"), Some(&1.0));
    assert_eq!(floor.largest.get("area_px2"), None);
}

fn field() -> impl Strategy<Value = Labels> {
    prop::collection::vec(0..6_u32, 20).prop_map(|runs| {
        let samples = runs.into_iter().flat_map(|label| [label; 3]).collect();
        Labels::from_samples(12, 5, samples).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn parts_add_up_to_the_shift(fields in prop::collection::vec((field(), field()), 1..5)) {
        let (base, head): (Vec<_>, Vec<_>) =
            fields.into_iter().map(|(b, h)| (OwnedSide::of(b), OwnedSide::of(h))).unzip();
        let drift = compare_sides(&base, &head, &tolerances(&[("area_px2", 1.0)]));
        let area = measurement(&drift, "area_px2");
        if let (Some(parts), Some(shift)) = (area.parts, area.population) {
            let sum: f64 = parts.entries().iter().map(|(_, part)| part).sum();
            prop_assert!((sum - shift.mean).abs() < 1e-9);
        }
    }

    #[test]
    fn swapping_the_sides_turns_every_sign(fields in prop::collection::vec((field(), field()), 3..5)) {
        let (base, head): (Vec<_>, Vec<_>) =
            fields.into_iter().map(|(b, h)| (OwnedSide::of(b), OwnedSide::of(h))).unzip();
        let margins = tolerances(&[("area_px2", 1.0), ("nuclei", 1.0)]);
        let (forth, back) =
            (compare_sides(&base, &head, &margins), compare_sides(&head, &base, &margins));
        for (forth, back) in forth.measurements.iter().zip(&back.measurements) {
            prop_assert_eq!(forth.population.map(|s| s.mean), back.population.map(|s| 0.0 - s.mean));
            prop_assert_eq!(forth.movement, back.movement);
        }
    }

    #[test]
    fn renumbering_changes_nothing(base in field(), head in field()) {
        const NAMES: [u32; 6] = [0, 90, 7, 4_000_000_000, 1, 2];
        let (base, head) = (vec![OwnedSide::of(base); 3], OwnedSide::of(head));
        let renamed = OwnedSide::of(head.labels.map(|label| NAMES[label as usize]));
        let margins = tolerances(&[("area_px2", 1.0), ("nuclei", 1.0)]);
        let before = compare_sides(&base, &vec![head; 3], &margins);
        let after = compare_sides(&base, &vec![renamed; 3], &margins);
        prop_assert_eq!(before.measurements, after.measurements);
        prop_assert_eq!(before.nuclei, after.nuclei);
    }
}

#[test]
fn default_tolerances_name_columns_that_there_are() {
    let known = known_measurements();
    for name in Tolerances::default().measurements.keys() {
        assert!(known.contains(name), "{name}");
    }
}
