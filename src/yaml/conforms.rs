//! Conforms: whether a value keeps to a schema, said at once where that is plain to see.
//!
//! Takes a schema and a value; gives `true` only where no violation can be. What is wrong, and
//! whatever takes a second look, is left to the validator of `violations`, whose making takes longer
//! than reading a profile does.

use serde_json::{Map, Number, Value};

/// Whether a value keeps to a schema beyond doubt.
///
/// # Edge cases
/// `false` says nothing: also keywords and patterns that are not known here give it.
pub(super) fn conforms(schema: &Value, value: &Value) -> bool {
    let keeps = |(keyword, wanted): (&String, &Value)| match keyword.as_str() {
        "$schema" | "title" | "description" | "default" | "enumDescriptions" => true,
        "type" => wanted.as_str().is_some_and(|name| is_of_type(name, value)),
        "enum" => wanted.as_array().is_some_and(|words| words.contains(value)),
        "minimum" => both_numbers(wanted, value).is_some_and(|(least, value)| least <= value),
        "maximum" => both_numbers(wanted, value).is_some_and(|(most, value)| value <= most),
        "multipleOf" => wanted.as_u64().zip(value.as_u64()).is_some_and(|(of, n)| n % of == 0),
        "minLength" => length(value).is_some_and(|length| wanted.as_u64() <= Some(length)),
        "maxLength" => length(value).is_some_and(|length| Some(length) <= wanted.as_u64()),
        "pattern" => {
            wanted.as_str().zip(value.as_str()).is_some_and(|(form, text)| fits(form, text))
        }
        "items" => {
            value.as_array().is_some_and(|items| items.iter().all(|item| conforms(wanted, item)))
        }
        "minItems" => n_items(value).is_some_and(|n| wanted.as_u64() <= Some(n)),
        "maxItems" => n_items(value).is_some_and(|n| Some(n) <= wanted.as_u64()),
        "uniqueItems" => value.as_array().is_some_and(|items| are_different_words(items)),
        "required" | "properties" => {
            value.as_object().is_some_and(|map| has_keys(keyword, wanted, map))
        }
        "additionalProperties" => value.as_object().is_some_and(|map| {
            let known = schema.get("properties").and_then(Value::as_object);
            let others =
                map.iter().filter(|(key, _)| known.is_none_or(|known| !known.contains_key(*key)));
            others.into_iter().all(|(_, other)| wanted.is_object() && conforms(wanted, other))
        }),
        // Units and words for people.
        extension => extension.starts_with("x-"),
    };
    schema.as_object().is_some_and(|schema| schema.iter().all(keeps))
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

/// A limit and a number, both small enough to be told apart as floats.
fn both_numbers(limit: &Value, value: &Value) -> Option<(f64, f64)> {
    const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;
    let plain = |number: &Value| {
        number.as_number().and_then(Number::as_f64).filter(|number| number.abs() < MAX_WHOLE)
    };
    plain(limit).zip(plain(value))
}

fn length(value: &Value) -> Option<u64> {
    value.as_str().map(|text| text.chars().count() as u64)
}

fn n_items(value: &Value) -> Option<u64> {
    value.as_array().map(|items| items.len() as u64)
}

fn are_different_words(items: &[Value]) -> bool {
    let others = |at: usize| &items[at + 1..];
    items.iter().enumerate().all(|(at, item)| item.is_string() && !others(at).contains(item))
}

/// Whether a mapping has the keys that are required, or known keys with values that conform.
fn has_keys(keyword: &str, wanted: &Value, map: &Map<String, Value>) -> bool {
    if keyword == "required" {
        let has = |key: &Value| key.as_str().is_some_and(|key| map.contains_key(key));
        return wanted.as_array().is_some_and(|keys| keys.iter().all(has));
    }
    let keeps =
        |(key, value): (&String, &Value)| wanted.get(key).is_none_or(|part| conforms(part, value));
    map.iter().all(keeps)
}

/// Whether a text fits a pattern that is a row of character classes, `^[a-z][a-z0-9-]{0,63}$`, each
/// taking as many characters as it can.
fn fits(pattern: &str, text: &str) -> bool {
    let Some(mut classes) = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$'))
    else {
        return false;
    };
    let mut rest = text;
    while !classes.is_empty() {
        let Some((class, after)) = classes.strip_prefix('[').and_then(|at| at.split_once(']'))
        else {
            return false;
        };
        let Some((least, most, after)) = counts(after) else { return false };
        let n = rest.chars().take(most).take_while(|&letter| is_in(class, letter)).count();
        if n < least || class.starts_with('^') || class.contains(['\\', '[']) {
            return false;
        }
        // What a class takes is ASCII.
        (classes, rest) = (after, &rest[n..]);
    }
    rest.is_empty()
}

/// How often the class before stands there, `+`, `{4}`, `{0,63}` or nothing, and what comes next.
fn counts(pattern: &str) -> Option<(usize, usize, &str)> {
    if let Some(after) = pattern.strip_prefix('+') {
        return Some((1, usize::MAX, after));
    }
    let Some((counts, after)) = pattern.strip_prefix('{').and_then(|at| at.split_once('}')) else {
        return Some((1, 1, pattern));
    };
    let (least, most) = counts.split_once(',').unwrap_or((counts, counts));
    Some((least.parse().ok()?, most.parse().ok()?, after))
}

/// Whether a class such as `a-z0-9_-` has a letter.
fn is_in(class: &str, letter: char) -> bool {
    let mut rest = class.as_bytes();
    while let [first, others @ ..] = rest {
        let (last, others) = match others {
            [b'-', last, others @ ..] => (last, others),
            _ => (first, others),
        };
        if letter.is_ascii() && (*first..=*last).contains(&(letter as u8)) {
            return true;
        }
        rest = others;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::Document;
    use super::*;
    use crate::source::Source;
    use serde_json::json;
    use std::path::Path;

    #[track_caller]
    fn check(schema: &Value, value: Value, expected: bool) {
        assert_eq!(conforms(schema, &value), expected, "{schema} {value}");
        let is_valid = jsonschema::draft7::new(schema).unwrap().is_valid(&value);
        assert!(is_valid || !expected, "what conforms must be valid: {schema} {value}");
    }

    #[test]
    fn patterns_of_classes_are_followed() {
        let name = json!({"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,5}$"});
        for (text, expected) in [
            ("a", true),
            ("ihc-2", true),
            ("abcdef", true),
            ("abcdefg", false),
            ("-a", false),
            ("", false),
            ("Ab", false),
            ("aé", false),
            ("a\n", false),
        ] {
            check(&name, json!(text), expected);
        }
        check(&json!({"pattern": "^/[A-Z]+$"}), json!("/A"), false);
        check(&json!({"pattern": "^[A-Z_]+$"}), json!("A_B"), true);
        check(&json!({"pattern": "^[^a]{1}$"}), json!("b"), false);
        check(&json!({"pattern": "^[0-9]{2}[0-9]{1,2}$"}), json!("123"), true);
    }

    #[test]
    fn every_keyword_is_kept_to() {
        let schema = json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["kind"],
            "properties": {
                "kind": {"type": "string", "enum": ["one", "two"], "enumDescriptions": ["1", "2"]},
                "width": {"type": "number", "minimum": 0.5, "maximum": 8, "x-unit": "px"},
                "count": {"type": "integer", "multipleOf": 8, "minimum": 8},
                "text": {"type": "string", "minLength": 1, "maxLength": 2},
                "list": {"type": "array", "minItems": 1, "maxItems": 2, "uniqueItems": true,
                         "items": {"type": "string"}},
                "more": {"type": "object", "additionalProperties": {"type": "boolean"}},
            },
        });
        let with = |key: &str, value: Value| {
            let mut map = json!({"kind": "one"});
            map[key] = value;
            map
        };
        check(&schema, json!({"kind": "one"}), true);
        check(&schema, json!({}), false);
        check(&schema, json!([]), false);
        check(&schema, with("kind", json!("three")), false);
        check(&schema, with("other", json!(1)), false);
        for (value, expected) in [(json!(0.5), true), (json!(8), true), (json!(8.01), false)] {
            check(&schema, with("width", value), expected);
        }
        check(&schema, with("width", json!(0.4)), false);
        check(&schema, with("width", json!("1")), false);
        for (value, expected) in [(json!(16), true), (json!(12), false), (json!(16.0), false)] {
            check(&schema, with("count", value), expected);
        }
        for (value, expected) in [("ab", true), ("é¾", true), ("", false), ("abc", false)] {
            check(&schema, with("text", json!(value)), expected);
        }
        check(&schema, with("list", json!(["a", "b"])), true);
        check(&schema, with("list", json!([])), false);
        check(&schema, with("list", json!(["a", "a"])), false);
        check(&schema, with("list", json!(["a", "b", "c"])), false);
        check(&schema, with("list", json!(["a", 1])), false);
        check(&schema, with("more", json!({"a": true})), true);
        check(&schema, with("more", json!({"a": 1})), false);
    }

    #[test]
    fn shipped_profiles_conform_and_what_conforms_is_valid() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("params");
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let schema: Value = serde_json::from_str(&text("profile.schema.json")).unwrap();
        let validator = jsonschema::draft7::new(&schema).unwrap();
        let odd = json!([null, true, -1, 0, 1, 7, 1.5, 1e9, "", "x", "A b", [], [1, 1], ["x"], {}, {"x": 1}]);
        for name in ["ihc-hdab.yaml", "dapi-tissue.yaml", "unet-he.yaml"] {
            let document = Document::parse(&Source::new(name, text(name))).unwrap();
            assert!(conforms(&schema, document.value()), "{name}");
            for route in routes_of(document.value(), "") {
                for value in odd.as_array().unwrap() {
                    let mut bent = document.value().clone();
                    *bent.pointer_mut(&route).unwrap() = value.clone();
                    let is_sure = conforms(&schema, &bent);
                    assert!(!is_sure || validator.is_valid(&bent), "{name} {route} {value}");
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
    fn what_is_not_known_is_in_doubt() {
        check(&json!({"type": "string", "format": "date"}), json!("2020-01-01"), false);
        check(&json!({"type": "number", "exclusiveMinimum": 0}), json!(1), false);
        check(&json!({"type": "number", "minimum": 0}), json!(u64::MAX), false);
        check(&json!({"type": ["string", "null"]}), json!("a"), false);
        check(&json!(true), json!("a"), false);
    }
}
