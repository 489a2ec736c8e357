//! Split: which fields are for training and which for testing.

use super::random::Random;
use super::record::{FieldRecord, Split};
use std::collections::BTreeMap;

/// Assigns splits so that about `test_fraction` of the fields are for testing, group by group.
///
/// A field without a group is a group of its own; fields of the same image belong together. The
/// same fields and seed give the same splits, in whatever order the fields stand.
///
/// # Edge cases
/// At 0 and 1 all fields are in one split; in between both splits have a field as soon as there are
/// two groups.
pub fn assign_splits(fields: &mut [FieldRecord], test_fraction: f64, seed: u64) {
    let group_of = groups_of(fields);
    let mut members: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, group) in group_of.iter().enumerate() {
        members.entry(group).or_default().push(index);
    }
    let mut order: Vec<&Vec<usize>> = members.values().collect();
    Random::new(seed, 0).shuffle(&mut order);
    let target = test_fraction.clamp(0.0, 1.0) * fields.len() as f64;
    let mut n_test = 0;
    let last = order.len().saturating_sub(1);
    for (place, group) in order.into_iter().enumerate() {
        // A group goes to testing when that brings the number nearer to the target.
        let is_nearer = n_test as f64 + group.len() as f64 / 2.0 <= target;
        let is_needed = place == 0 && target > 0.0;
        let takes_all = place == last
            && place > 0
            && target < fields.len() as f64
            && n_test == fields.len() - group.len();
        let is_test = (is_nearer || is_needed) && !takes_all;
        n_test += if is_test { group.len() } else { 0 };
        for index in group {
            fields[*index].split = if is_test { Split::Test } else { Split::Train };
        }
    }
}

/// The group of each field; images that are the same join their groups.
pub fn groups_of(fields: &[FieldRecord]) -> Vec<String> {
    let own_group = |field: &FieldRecord| match &field.group {
        Some(group) => format!("group {group}"),
        None => format!("field {}", field.name),
    };
    let mut group_of: Vec<String> = fields.iter().map(own_group).collect();
    let mut by_image: BTreeMap<String, usize> = BTreeMap::new();
    for (index, field) in fields.iter().enumerate() {
        let first = *by_image.entry(field.sha256.to_string()).or_insert(index);
        let (a, b) = (group_of[first].clone(), group_of[index].clone());
        let joined = a.clone().min(b.clone());
        for group in group_of.iter_mut().filter(|group| **group == a || **group == b) {
            group.clone_from(&joined);
        }
    }
    group_of
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellgate_core::digest::Digest;

    fn fields(groups: &[Option<&str>]) -> Vec<FieldRecord> {
        let record = |(index, group): (usize, &Option<&str>)| FieldRecord {
            name: format!("f{index:02}"),
            image: format!("original/f{index:02}.png"),
            sha256: Digest::of_bytes(&[index as u8]),
            mask: None,
            image_type: "he".to_owned(),
            pixel_size: None,
            split: Split::Train,
            group: group.map(str::to_owned),
            source: None,
            license: None,
            url: None,
        };
        groups.iter().enumerate().map(record).collect()
    }

    #[track_caller]
    fn check(groups: &[Option<&str>], test_fraction: f64, n_test: usize) {
        for seed in 0..20 {
            let mut fields = fields(groups);
            assign_splits(&mut fields, test_fraction, seed);
            let found = fields.iter().filter(|field| field.split == Split::Test).count();
            assert_eq!(found, n_test, "seed {seed}");
            for field in &fields {
                let leaks = |other: &&FieldRecord| {
                    field.group.is_some()
                        && other.group == field.group
                        && other.split != field.split
                };
                assert_eq!(fields.iter().find(leaks), None);
            }
        }
    }

    #[test]
    fn the_wanted_fraction_is_met_as_near_as_groups_allow() {
        check(&[None; 10], 0.3, 3);
        check(&[None; 10], 0.0, 0);
        check(&[None; 10], 1.0, 10);
        check(&[Some("a"), Some("a"), Some("b"), Some("b")], 0.5, 2);
    }

    #[test]
    fn both_splits_have_a_field_when_there_are_two_groups() {
        check(&[None; 2], 0.01, 1);
        check(&[None; 2], 0.99, 1);
        check(&[None; 1], 0.3, 1);
    }

    #[test]
    fn order_of_fields_does_not_matter() {
        let mut fields = fields(&[None; 12]);
        let mut reversed: Vec<_> = fields.iter().rev().cloned().collect();
        assign_splits(&mut fields, 0.4, 9);
        assign_splits(&mut reversed, 0.4, 9);
        reversed.reverse();
        assert_eq!(fields, reversed);
    }

    #[test]
    fn equal_images_stay_together() {
        for seed in 0..20 {
            let mut fields = fields(&[None; 4]);
            fields[3].sha256 = fields[0].sha256;
            assign_splits(&mut fields, 0.5, seed);
            assert_eq!(fields[0].split, fields[3].split);
        }
    }
}
