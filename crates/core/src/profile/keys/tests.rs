//! Tests of the table: kind, default and stage of each key must fit together.

use super::*;
use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

/// The words of a type, as its schema lists them.
fn words(of: fn(&mut SchemaGenerator) -> Schema) -> Vec<Value> {
    let schema = of(&mut SchemaGenerator::default()).to_value();
    let listed = |name: &str| schema.get(name).and_then(Value::as_array).cloned();
    let documented = listed("oneOf").unwrap_or_default();
    let plain = listed("enum").unwrap_or_default();
    documented.iter().filter_map(|word| word.get("const").cloned()).chain(plain).collect()
}

#[test]
fn defaults_are_what_may_be_written() {
    for (section, key) in all() {
        let path = path_of(section, key);
        let (kind, default) = (key.kind, key.default);
        let fits = match (kind, default) {
            (_, Initial::Required | Initial::Absent | Initial::By { .. })
            | (Kind::Flag, Initial::Flag(_)) => true,
            (Kind::Word(of), Initial::Word(word)) => words(of).contains(&word.into()),
            (Kind::Words { of, .. }, Initial::Words(all)) => {
                all.iter().all(|&word| words(of).contains(&word.into()))
            }
            (Kind::Whole { range, .. }, Initial::Whole(n)) => (range[0]..=range[1]).contains(&n),
            (Kind::Number { range, .. }, Initial::Number(n))
            | (Kind::Length { um: range, .. }, Initial::Number(n))
            | (Kind::Area { um2: range, .. }, Initial::Number(n)) => {
                (range[0]..=range[1]).contains(&n)
            }
            (Kind::Numbers { count, range, .. }, Initial::Numbers(all)) => {
                (count[0] as usize..=count[1] as usize).contains(&all.len())
                    && all.iter().all(|n| (range[0]..=range[1]).contains(n))
            }
            _ => false,
        };
        assert!(fits, "{path}: {kind:?} and {default:?}");
    }
}

#[test]
fn defaults_that_rest_on_another_key_know_all_its_words() {
    let mut n_found = 0;
    for (section, key) in all() {
        let Initial::By { key: other, value, .. } = key.default else { continue };
        let (_, other) = all().find(|(section, key)| path_of(*section, key) == other).unwrap();
        let Kind::Word(of) = other.kind else { panic!("{} is no word", other.name) };
        for word in words(of) {
            let value = value(word.as_str().unwrap());
            let fits = match key.kind {
                Kind::Word(of) => words(of).contains(&value),
                Kind::Words { of, .. } => {
                    value.as_array().unwrap().iter().all(|one| words(of).contains(one))
                }
                Kind::Number { .. } => value.is_f64(),
                Kind::Numbers { count, .. } => value.as_array().unwrap().len() == count[1] as usize,
                _ => false,
            };
            assert!(fits, "{}: {value}", path_of(section, key));
            n_found += 1;
        }
    }
    assert!(n_found > 10, "{n_found}");
}

#[test]
fn keys_that_change_a_number_have_a_stage() {
    let without: Vec<String> = all()
        .filter(|(_, key)| key.stage.is_none())
        .map(|(section, key)| path_of(section, key))
        .collect();
    assert_eq!(without, ["schema", "name", "description", "unet.model"]);
}
