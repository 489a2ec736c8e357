//! Tests of breaches: held against `jsonschema`, and what lets nothing through.

use super::super::Document;
use super::*;
use crate::source::Source;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;

/// Checks the way to each breach and its keyword against those of `jsonschema`.
#[track_caller]
fn check(schema: &Value, value: &Value) -> bool {
    let validator = jsonschema::draft202012::new(schema).unwrap();
    check_with(&validator, schema, value)
}

#[track_caller]
fn check_with(validator: &jsonschema::Validator, schema: &Value, value: &Value) -> bool {
    let expected: BTreeSet<(String, String)> = validator
        .iter_errors(value)
        .map(|error| {
            let path = error.schema_path().as_str();
            let keyword = if path.contains("/propertyNames/") {
                "propertyNames"
            } else {
                path.rsplit('/').next().unwrap()
            };
            (error.instance_path().as_str().to_owned(), class(keyword).to_owned())
        })
        .collect();
    let found = find_breaches(schema, value, usize::MAX);
    let breaches: BTreeSet<(String, String)> = found
        .iter()
        .map(|breach| (pointer(&breach.route), class_of(&breach.kind).to_owned()))
        .collect();
    assert_eq!(breaches, expected, "{schema} {value}");
    found.is_empty()
}

fn pointer(route: &[Step]) -> String {
    let step = |step: &Step| match step {
        Step::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Step::Index(index) => format!("/{index}"),
    };
    route.iter().map(step).collect()
}

/// Keywords whose breaches are told alike.
fn class(keyword: &str) -> &str {
    match keyword {
        "minimum" | "maximum" => "range",
        "minItems" | "maxItems" => "items",
        "multipleOf" | "minLength" | "maxLength" | "pattern" => "form",
        other => other,
    }
}

fn class_of(kind: &Kind<'_>) -> &'static str {
    match kind {
        Kind::UnknownKeys(_) => "additionalProperties",
        Kind::MissingKey(_) => "required",
        Kind::BadKey(_) => "propertyNames",
        Kind::Type(_) => "type",
        Kind::Enum(_) => "enum",
        Kind::Range => "range",
        Kind::ItemCount => "items",
        Kind::KeyCount => "minProperties",
        Kind::RepeatedItem => "uniqueItems",
        Kind::Form => "form",
        Kind::Unfollowed => "unfollowed",
    }
}

#[test]
fn every_keyword_is_held_to_as_jsonschema_does() {
    let schema = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["kind", "count"],
        "properties": {
            "kind": {"type": "string", "enum": ["one", "two"], "enumDescriptions": ["1", "2"]},
            "width": {"type": "number", "minimum": 0.5, "maximum": 8, "x-unit": "px"},
            "count": {"type": "integer", "multipleOf": 8, "minimum": 8},
            "text": {"type": "string", "minLength": 1, "maxLength": 2},
            "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,5}$"},
            "either": {"type": ["string", "object"], "pattern": "^/", "minProperties": 1},
            "list": {"type": "array", "minItems": 1, "maxItems": 2, "uniqueItems": true,
                     "items": {"type": "string"}},
            "more": {"type": "object", "additionalProperties": {"type": "boolean"},
                     "propertyNames": {"pattern": "^[a-z]+$"}},
            "free": {"type": "object", "additionalProperties": true},
        },
    });
    let values = odd_values();
    let mut n_valid = 0;
    for key in ["kind", "width", "count", "text", "name", "either", "list", "more", "free"] {
        for value in &values {
            let mut map = json!({"kind": "one", "count": 16});
            map[key] = value.clone();
            n_valid += usize::from(check(&schema, &map));
        }
    }
    assert!((20..60).contains(&n_valid), "{n_valid}");
    for value in &values {
        check(&schema, value);
    }
    assert!(!check(&schema, &json!({"other": 1, "another": 2})));
}

/// Values of every type, at and beside limits; none is a whole number with a fraction.
fn odd_values() -> Vec<Value> {
    let values = json!([
        null, true, -1, -8, 0, 0.4, 0.5, 1, 7, 8, 8.01, 12, 16, 1.5, 2.5e-9, "", "x", "ab", "abc",
        "é¾", "one", "A b", "a\n", "-a", "abcdef", "abcdefg", "/a", "aé", [], ["a"], ["a", "b"],
        ["a", "a"], ["a", "b", "c"], [1, 1], ["a", 1], {}, {"x": 1}, {"x": true},
        {"X": true, "y": 2}, {"a/b~c": "x"},
    ]);
    values.as_array().unwrap().clone()
}

#[test]
fn shipped_profiles_hold_and_bent_ones_break_where_jsonschema_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../params");
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let schema: Value = serde_json::from_str(&text("profile.schema.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    for name in ["ihc-hdab.yaml", "dapi-tissue.yaml", "unet-he.yaml"] {
        let document = Document::parse(&Source::new(name, text(name))).unwrap();
        assert_eq!(find_breaches(&schema, document.value(), 1), [], "{name}");
        for route in routes_of(document.value(), "") {
            for value in odd_values() {
                let mut altered = document.value().clone();
                *altered.pointer_mut(&route).unwrap() = value.clone();
                check_with(&validator, &schema, &altered);
            }
        }
    }
}

/// Pointers to all parts of a value.
fn routes_of(value: &Value, at: &str) -> Vec<String> {
    let parts: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, part)| (key.clone(), part)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, part)| (index.to_string(), part)).collect()
        }
        _ => Vec::new(),
    };
    let children = parts.iter().flat_map(|(key, part)| routes_of(part, &format!("{at}/{key}")));
    std::iter::once(at.to_owned()).chain(children).collect()
}

#[test]
fn large_whole_numbers_are_told_apart() {
    let schema = json!({"maximum": 9_007_199_254_740_992_u64});
    assert!(check(&schema, &json!(9_007_199_254_740_992_u64)));
    assert!(!check(&schema, &json!(9_007_199_254_740_993_u64)));
    assert!(!check(&json!({"minimum": 0}), &json!(i64::MIN)));
    assert!(check(&json!({"minimum": -1}), &json!(u64::MAX)));
}

#[test]
fn a_whole_number_is_written_as_one() {
    let schema = json!({"type": "integer", "multipleOf": 8, "minimum": 8});
    let value = json!(16.0);
    let kinds: Vec<_> =
        find_breaches(&schema, &value, 9).into_iter().map(|breach| breach.kind).collect();
    assert_eq!(kinds, [Kind::Type(vec!["integer"])]);
}

#[test]
fn what_is_not_followed_lets_nothing_through() {
    let value = json!({"a": ["x", "y"], "b": 4, "c": "x"});
    for schema in [
        json!({"type": "object", "format": "date"}),
        json!({"anyOf": [{}]}),
        json!(true),
        json!({"type": 1}),
        json!({"enum": "a"}),
        json!({"required": {"a": true}}),
        json!({"required": [1]}),
        json!({"properties": true}),
        json!({"propertyNames": true}),
        json!({"minProperties": 1.0}),
        json!({"additionalProperties": 1, "properties": {"b": {}, "c": {}}}),
        json!({"properties": {"a": {"minItems": -1}}}),
        json!({"properties": {"a": {"uniqueItems": "yes"}}}),
        json!({"properties": {"a": {"items": {"pattern": "["}, "maxItems": 2}}}),
        json!({"properties": {"b": {"exclusiveMinimum": 0}}}),
        json!({"properties": {"b": {"minimum": "0"}}}),
        json!({"properties": {"b": {"multipleOf": 0.5}}}),
        json!({"properties": {"c": {"maxLength": 1.5}}}),
        json!({"properties": {"c": {"pattern": 1}}}),
    ] {
        let found = find_breaches(&schema, &value, 9);
        assert!(!found.is_empty(), "{schema}");
        assert!(found.iter().all(|breach| breach.kind == Kind::Unfollowed), "{schema}");
    }
}

#[test]
fn no_more_breaches_are_gathered_than_asked_for() {
    let schema = json!({"items": {"type": "string"}, "maxItems": 3});
    let value = Value::from(vec![1; 1000]);
    assert_eq!(find_breaches(&schema, &value, 7).len(), 7);
}
