//! Breaches: where a value does not keep to a schema.
//!
//! Takes a schema and a value, gives every breach. Of JSON Schema it follows what our own schemas
//! say; whatever else a schema says is kept to by no value, so that nothing is let through unseen.

use super::Step;
use regex::Regex;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// One way in which a value does not keep to a schema.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Breach<'a> {
    /// The part of the schema that the value is held against.
    pub(super) part: &'a Value,
    /// The way to the value.
    pub(super) route: Vec<Step>,
    /// The value.
    pub(super) value: &'a Value,
    /// What is wrong with it.
    pub(super) kind: Kind<'a>,
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind<'a> {
    /// Keys that a mapping may not have.
    UnknownKeys(Vec<&'a str>),
    /// A key that a mapping lacks.
    MissingKey(&'a str),
    /// A key that is no name.
    BadKey(&'a str),
    /// None of these types.
    Type(Vec<&'a str>),
    /// None of these words.
    Enum(&'a [Value]),
    /// Below the least or above the greatest number.
    Range,
    /// Too few or too many items.
    ItemCount,
    /// Too few keys.
    KeyCount,
    /// An item that stands there twice.
    RepeatedItem,
    /// Not a multiple, too short, too long, or not of the pattern.
    Form,
    /// Held against something that is not followed here.
    Unfollowed,
}

/// Breaches of a schema by a value, at most `max` of them.
///
/// # Edge cases
/// Keywords about one type of value leave the others alone, as JSON Schema has it; a whole number is
/// written without a fraction, where JSON Schema takes `16.0`, too.
///
/// # Sources
/// JSON Schema Validation, draft 2020-12, section 6.
pub(super) fn breaches<'a>(schema: &'a Value, value: &'a Value, max: usize) -> Vec<Breach<'a>> {
    let mut walk = Walk { max, route: Vec::new(), found: Vec::new(), patterns: HashMap::new() };
    walk.hold(value, schema);
    walk.found
}

struct Walk<'a> {
    max: usize,
    route: Vec<Step>,
    found: Vec<Breach<'a>>,
    /// Patterns that were met, ready for use; `None` for one that is none.
    patterns: HashMap<&'a str, Option<Regex>>,
}

impl<'a> Walk<'a> {
    fn hold(&mut self, value: &'a Value, part: &'a Value) {
        let Some(keywords) = part.as_object() else {
            return self.add(value, part, Kind::Unfollowed);
        };
        for (keyword, wanted) in keywords {
            if self.found.len() >= self.max {
                return;
            }
            match keyword.as_str() {
                "$schema" | "title" | "description" | "default" | "enumDescriptions" => {}
                // Units and words for people.
                extension if extension.starts_with("x-") => {}
                "properties" | "items" | "additionalProperties" | "propertyNames" | "required" => {
                    self.hold_parts(value, part, (keyword, wanted));
                }
                _ => {
                    if let Some(kind) = self.breach_of(value, (keyword, wanted)) {
                        self.add(value, part, kind);
                    }
                }
            }
        }
    }

    /// Holds what is in a list or a mapping against what a keyword wants of it.
    fn hold_parts(&mut self, value: &'a Value, part: &'a Value, keyword: (&str, &'a Value)) {
        match (keyword, value) {
            (("items", wanted), Value::Array(items)) => {
                items.iter().enumerate().for_each(|(at, item)| self.below(at, item, wanted));
            }
            (("properties", Value::Object(known)), Value::Object(map)) => {
                for (key, wanted) in known {
                    if let Some(value) = map.get(key) {
                        self.below(key.as_str(), value, wanted);
                    }
                }
            }
            (("additionalProperties", Value::Bool(true)), _) => {}
            (("additionalProperties", wanted), Value::Object(map)) => {
                let others = others(part, map);
                if wanted.is_object() {
                    others.for_each(|(key, value)| self.below(key, value, wanted));
                    return;
                }
                let unknown: Vec<&str> = others.map(|(key, _)| key).collect();
                if !unknown.is_empty() {
                    self.add(value, part, Kind::UnknownKeys(unknown));
                }
            }
            (("propertyNames", wanted), Value::Object(map)) => {
                for key in map.keys() {
                    if !breaches(wanted, &Value::from(key.as_str()), 1).is_empty() {
                        self.add(value, part, Kind::BadKey(key));
                    }
                }
            }
            (("required", Value::Array(keys)), Value::Object(map)) => {
                for key in keys.iter().filter_map(Value::as_str) {
                    if !map.contains_key(key) {
                        self.add(value, part, Kind::MissingKey(key));
                    }
                }
            }
            _ => {}
        }
    }

    fn below(&mut self, step: impl Into<Step>, value: &'a Value, part: &'a Value) {
        self.route.push(step.into());
        self.hold(value, part);
        self.route.pop();
    }

    fn add(&mut self, value: &'a Value, part: &'a Value, kind: Kind<'a>) {
        if self.found.len() < self.max {
            self.found.push(Breach { part, route: self.route.clone(), value, kind });
        }
    }

    /// How a value by itself goes against a keyword.
    fn breach_of(
        &mut self,
        value: &'a Value,
        (keyword, wanted): (&str, &'a Value),
    ) -> Option<Kind<'a>> {
        let (holds, kind) = match keyword {
            "type" => {
                let names = words(wanted);
                (names.iter().any(|name| is_of_type(name, value)), Kind::Type(names))
            }
            "enum" => {
                let words = wanted.as_array().map_or(&[][..], Vec::as_slice);
                (words.contains(value), Kind::Enum(words))
            }
            "minimum" => (!value.is_number() || is_at_most(wanted, value), Kind::Range),
            "maximum" => (!value.is_number() || is_at_most(value, wanted), Kind::Range),
            "multipleOf" => {
                let numbers = value.as_u64().zip(wanted.as_u64());
                let is_multiple = numbers.is_some_and(|(n, of)| n.checked_rem(of) == Some(0));
                (!value.is_number() || is_multiple, Kind::Form)
            }
            "minLength" => (length(value).is_none_or(|n| wanted.as_u64() <= Some(n)), Kind::Form),
            "maxLength" => (length(value).is_none_or(|n| Some(n) <= wanted.as_u64()), Kind::Form),
            "pattern" => (self.fits(value, wanted), Kind::Form),
            "minItems" => {
                (n_items(value).is_none_or(|n| wanted.as_u64() <= Some(n)), Kind::ItemCount)
            }
            "maxItems" => {
                (n_items(value).is_none_or(|n| Some(n) <= wanted.as_u64()), Kind::ItemCount)
            }
            "minProperties" => {
                let n_keys = value.as_object().map(|map| map.len() as u64);
                (n_keys.is_none_or(|n| wanted.as_u64() <= Some(n)), Kind::KeyCount)
            }
            "uniqueItems" => (value.as_array().is_none_or(|all| differ(all)), Kind::RepeatedItem),
            _ => (false, Kind::Unfollowed),
        };
        (!holds).then_some(kind)
    }

    /// Whether a value is no text or fits a pattern; nothing fits what is no pattern.
    fn fits(&mut self, value: &Value, pattern: &'a Value) -> bool {
        let Some(text) = value.as_str() else { return true };
        let Some(pattern) = pattern.as_str() else { return false };
        let known = self.patterns.entry(pattern).or_insert_with(|| Regex::new(pattern).ok());
        known.as_ref().is_some_and(|pattern| pattern.is_match(text))
    }
}

/// One word, or all of a list.
fn words(wanted: &Value) -> Vec<&str> {
    match wanted {
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
        word => word.as_str().into_iter().collect(),
    }
}

fn is_of_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => false,
    }
}

/// Whether one number is not above another; whole numbers are compared as such.
fn is_at_most(one: &Value, other: &Value) -> bool {
    let whole = |value: &Value| value.as_i64().map(i128::from).or(value.as_u64().map(i128::from));
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => one <= other,
        _ => one.as_f64().zip(other.as_f64()).is_some_and(|(one, other)| one <= other),
    }
}

fn length(value: &Value) -> Option<u64> {
    value.as_str().map(|text| text.chars().count() as u64)
}

fn n_items(value: &Value) -> Option<u64> {
    value.as_array().map(|items| items.len() as u64)
}

fn differ(items: &[Value]) -> bool {
    items.iter().enumerate().all(|(at, item)| !items[at + 1..].contains(item))
}

/// Keys and values that a part of a schema does not name.
fn others<'a>(
    part: &'a Value,
    map: &'a Map<String, Value>,
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let known = part.get("properties").and_then(Value::as_object);
    let is_other = move |key: &str| known.is_none_or(|known| !known.contains_key(key));
    map.iter().map(|(key, value)| (key.as_str(), value)).filter(move |(key, _)| is_other(key))
}

#[cfg(test)]
mod tests {
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
        let found = breaches(schema, value, usize::MAX);
        let told: BTreeSet<(String, String)> =
            found.iter().map(|one| (pointer(&one.route), class_of(&one.kind).to_owned())).collect();
        assert_eq!(told, expected, "{schema} {value}");
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
        let odd = odd();
        let mut n_valid = 0;
        for key in ["kind", "width", "count", "text", "name", "either", "list", "more", "free"] {
            for value in &odd {
                let mut map = json!({"kind": "one", "count": 16});
                map[key] = value.clone();
                n_valid += usize::from(check(&schema, &map));
            }
        }
        assert!((20..60).contains(&n_valid), "{n_valid}");
        for value in &odd {
            check(&schema, value);
        }
        assert!(!check(&schema, &json!({"other": 1, "another": 2})));
    }

    /// Values of every type, at and beside limits; none is a whole number with a fraction.
    fn odd() -> Vec<Value> {
        let odd = json!([
            null, true, -1, 0, 0.4, 0.5, 1, 7, 8, 8.01, 12, 16, 1.5, 2.5e-9, "", "x", "ab", "abc",
            "é¾", "one", "A b", "a\n", "-a", "abcdef", "abcdefg", "/a", "aé", [], ["a"], ["a", "b"],
            ["a", "a"], ["a", "b", "c"], [1, 1], ["a", 1], {}, {"x": 1}, {"x": true},
            {"X": true, "y": 2}, {"a/b~c": "x"},
        ]);
        odd.as_array().unwrap().clone()
    }

    #[test]
    fn shipped_profiles_hold_and_bent_ones_break_where_jsonschema_says() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("params");
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let schema: Value = serde_json::from_str(&text("profile.schema.json")).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        for name in ["ihc-hdab.yaml", "dapi-tissue.yaml", "unet-he.yaml"] {
            let document = Document::parse(&Source::new(name, text(name))).unwrap();
            assert_eq!(breaches(&schema, document.value(), 1), [], "{name}");
            for route in routes_of(document.value(), "") {
                for value in odd() {
                    let mut bent = document.value().clone();
                    *bent.pointer_mut(&route).unwrap() = value.clone();
                    check_with(&validator, &schema, &bent);
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
        let below = parts.iter().flat_map(|(key, part)| routes_of(part, &format!("{at}/{key}")));
        std::iter::once(at.to_owned()).chain(below).collect()
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
        let schema = json!({"type": "integer"});
        let value = json!(16.0);
        assert_eq!(breaches(&schema, &value, 9)[0].kind, Kind::Type(vec!["integer"]));
    }

    #[test]
    fn what_is_not_followed_lets_nothing_through() {
        for schema in [
            json!({"type": "string", "format": "date"}),
            json!({"exclusiveMinimum": 0}),
            json!({"anyOf": [{}]}),
            json!(true),
        ] {
            let value = json!("2020-01-01");
            let found = breaches(&schema, &value, 9);
            assert_eq!(found.len(), 1, "{schema}");
            assert_eq!(found[0].kind, Kind::Unfollowed);
        }
        let value = json!("a");
        assert_eq!(breaches(&json!({"pattern": "["}), &value, 9)[0].kind, Kind::Form);
    }

    #[test]
    fn no_more_breaches_are_gathered_than_asked_for() {
        let schema = json!({"items": {"type": "string"}, "maxItems": 3});
        let value = Value::from(vec![1; 1000]);
        assert_eq!(breaches(&schema, &value, 7).len(), 7);
    }
}
