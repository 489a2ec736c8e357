//! Division: which fields a network learns from, and which it is validated on.

use cellgate_inputs::dataset::split::{assign_splits, groups_of};
use cellgate_inputs::dataset::{Dataset, FieldRecord, Split};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

/// The fields for training, divided; as places in [`Dataset::fields`], rising.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division {
    /// Fields that the network learns from.
    pub training: Vec<usize>,
    /// Fields that it is validated on.
    pub validation: Vec<usize>,
}

impl Division {
    /// Divides the fields that are for training and have a truth, group by group, so that about
    /// `fraction` of each image type is for validation.
    ///
    /// The same fields and seed give the same division. Fields for testing are in neither part.
    ///
    /// # Edge cases
    /// An image type of one group is for training. With one group in all, or a fraction of 0,
    /// nothing is for validation.
    #[must_use]
    pub fn of(dataset: &Dataset, fraction: f64, seed: u64) -> Self {
        let records: Vec<&FieldRecord> = dataset.fields().iter().map(Deref::deref).collect();
        Self::of_records(&records, fraction, seed)
    }

    fn of_records(records: &[&FieldRecord], fraction: f64, seed: u64) -> Self {
        let is_usable =
            |place: &usize| records[*place].split == Split::Train && records[*place].mask.is_some();
        let usable: Vec<usize> = (0..records.len()).filter(is_usable).collect();
        let mut fields: Vec<FieldRecord> =
            usable.iter().map(|&place| records[place].clone()).collect();
        let groups = groups_of(&fields);
        // A group of several types counts as that of its first field.
        let mut type_of: BTreeMap<&str, &str> = BTreeMap::new();
        for (field, group) in fields.iter().zip(&groups) {
            type_of.entry(group).or_insert(&field.image_type);
        }
        let mut groups_of_type: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for (group, image_type) in type_of {
            groups_of_type.entry(image_type.to_owned()).or_default().insert(group);
        }
        // No type has two groups: they are divided as one.
        if groups_of_type.values().all(|groups| groups.len() < 2) {
            let all = groups_of_type.into_values().flatten().collect();
            groups_of_type = BTreeMap::from([(String::new(), all)]);
        }
        let mut validation = Vec::new();
        for groups_of_part in groups_of_type.values().filter(|groups| groups.len() > 1) {
            let is_in_part = |place: &usize| groups_of_part.contains(groups[*place].as_str());
            let places: Vec<usize> = (0..usable.len()).filter(is_in_part).collect();
            let mut part: Vec<FieldRecord> =
                places.iter().map(|&place| fields[place].clone()).collect();
            assign_splits(&mut part, fraction, seed);
            let held_out = places.iter().zip(&part).filter(|(_, field)| field.split == Split::Test);
            validation.extend(held_out.map(|(&place, _)| usable[place]));
        }
        fields.clear();
        validation.sort_unstable();
        let training =
            usable.into_iter().filter(|place| validation.binary_search(place).is_err()).collect();
        Self { training, validation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellgate_core::digest::Digest;
    use cellgate_inputs::dataset::MaskRecord;
    use proptest::prelude::*;

    /// Fields by type and group.
    fn records(of: &[(u8, Option<u8>)]) -> Vec<FieldRecord> {
        let record = |(index, (kind, group)): (usize, &(u8, Option<u8>))| FieldRecord {
            name: format!("f{index:03}"),
            image: format!("original/f{index:03}.png"),
            sha256: Digest::of_bytes(&index.to_le_bytes()),
            mask: Some(MaskRecord {
                path: "m".to_owned(),
                sha256: Digest::of_bytes(b""),
                url: None,
            }),
            image_type: format!("type-{kind}"),
            pixel_size: None,
            split: Split::Train,
            group: group.map(|group| format!("g{group}")),
            source: None,
            license: None,
            url: None,
        };
        of.iter().enumerate().map(record).collect()
    }

    fn divide(records: &[FieldRecord], fraction: f64, seed: u64) -> Division {
        Division::of_records(&records.iter().collect::<Vec<_>>(), fraction, seed)
    }

    proptest! {
        #[test]
        fn groups_are_never_in_both_parts_and_no_field_is_lost(
            of in prop::collection::vec((0..4_u8, prop::option::of(0..12_u8)), 1..60),
            fraction in 0.0..0.5_f64,
            seed: u64,
        ) {
            let records = records(&of);
            let division = divide(&records, fraction, seed);
            prop_assert_eq!(division.training.len() + division.validation.len(), records.len());
            let groups = |places: &[usize]| -> BTreeSet<String> {
                places.iter().filter_map(|&place| records[place].group.clone()).collect()
            };
            let (one, other) = (groups(&division.training), groups(&division.validation));
            prop_assert!(one.is_disjoint(&other));
            prop_assert!(!division.training.is_empty());
            prop_assert_eq!(divide(&records, fraction, seed), division);
        }
    }

    #[test]
    fn every_type_has_its_part_in_validation() {
        let of: Vec<_> = (0..100).map(|index| (u8::from(index % 5 == 0), None)).collect();
        let records = records(&of);
        let division = divide(&records, 0.1, 3);
        let count = |kind: &str| {
            division.validation.iter().filter(|&&at| records[at].image_type == kind).count()
        };
        assert_eq!([count("type-0"), count("type-1")], [8, 2]);
    }

    #[test]
    fn fields_for_testing_or_without_truth_are_in_neither_part() {
        let mut records = records(&[(0, None); 10]);
        records[2].split = Split::Test;
        records[5].mask = None;
        let division = divide(&records, 0.3, 1);
        let mut all = [division.training, division.validation].concat();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 3, 4, 6, 7, 8, 9]);
    }

    #[test]
    fn one_group_is_for_training() {
        let division = divide(&records(&[(0, Some(1)); 5]), 0.2, 1);
        assert_eq!((division.training.len(), division.validation.len()), (5, 0));
    }
}
