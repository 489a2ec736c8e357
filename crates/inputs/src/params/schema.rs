//! Schema: the table of keys as a JSON Schema, for editors and for reading.

use crate::yaml::plain_schema;
use cellgate_core::profile::keys::{FILE, Initial, Key, Kind, Part, Section};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The JSON Schema of a profile.
#[must_use]
pub fn schema() -> Value {
    plain_schema(|generator| {
        let mut file = Map::new();
        file.insert("title".to_owned(), json!("cellgate profile"));
        file.insert("description".to_owned(), json!("Cell parameters for one type of image."));
        let mut properties = Map::new();
        let mut required = Vec::new();
        for part in &FILE {
            match part {
                Part::Key(key) => add_key(generator, key, &mut properties, &mut required),
                Part::Section(section) => {
                    properties.insert(section.name.to_owned(), section_schema(generator, section));
                    required.extend(section.is_required.then_some(section.name));
                }
            }
        }
        Schema::from(object_schema(file, properties, &required))
    })
}

fn section_schema(generator: &mut SchemaGenerator, section: &Section) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in section.keys {
        add_key(generator, key, &mut properties, &mut required);
    }
    let description = Map::from_iter([("description".to_owned(), json!(section.meaning))]);
    Value::Object(object_schema(description, properties, &required))
}

/// A mapping that has no further keys.
fn object_schema(
    mut about: Map<String, Value>,
    properties: Map<String, Value>,
    required: &[&str],
) -> Map<String, Value> {
    about.insert("type".to_owned(), json!("object"));
    if !required.is_empty() {
        about.insert("required".to_owned(), json!(required));
    }
    about.insert("properties".to_owned(), Value::Object(properties));
    about.insert("additionalProperties".to_owned(), json!(false));
    about
}

/// Adds a key, or both keys of a length or an area.
fn add_key<'a>(
    generator: &mut SchemaGenerator,
    key: &'a Key,
    properties: &mut Map<String, Value>,
    required: &mut Vec<&'a str>,
) {
    if matches!(key.default, Initial::Required) {
        required.push(key.name);
    }
    let measured = |range: [f64; 2], unit: &str, meaning: &str, names: &[&str], default| {
        let mut part = number_schema(range, unit);
        add_description(&mut part, meaning, default, names);
        Value::Object(part)
    };
    let in_both = match key.kind {
        Kind::Length { um, px } => Some([(um, "µm"), (px, "px")]),
        Kind::Area { um2, px2 } => Some([(um2, "µm²"), (px2, "px²")]),
        _ => None,
    };
    let Some([physical, pixels]) = in_both else {
        properties.insert(key.name.to_owned(), key_schema(generator, key));
        return;
    };
    let parts = [
        measured(physical.0, physical.1, key.meaning, key.renamed_from, &key.default),
        measured(pixels.0, pixels.1, "The same in pixels.", key.renamed_from_px, &Initial::Absent),
    ];
    for (name, part) in key.written().into_iter().zip(parts) {
        properties.insert(name, part);
    }
}

fn key_schema(generator: &mut SchemaGenerator, key: &Key) -> Value {
    let mut part = match key.kind {
        Kind::Text { pattern, max_length, form } => {
            let mut part = type_schema("string");
            let limits = [
                pattern.map(|pattern| ("pattern", json!(pattern))),
                max_length.map(|most| ("maxLength", json!(most))),
            ];
            part.extend(limits.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)));
            add_unit_and_form(part, "", form)
        }
        Kind::Word(words) => words(generator).as_object().cloned().unwrap_or_default(),
        Kind::Words { of, most, is_set, form } => {
            let mut part = list_schema(of(generator).to_value(), [Some(1), most]);
            if is_set {
                part.insert("uniqueItems".to_owned(), json!(true));
            }
            add_unit_and_form(part, "", form)
        }
        Kind::Flag => type_schema("boolean"),
        Kind::Whole { range: [least, most], multiple_of, unit, form } => {
            let mut part = type_schema("integer");
            part.insert("minimum".to_owned(), json!(least));
            part.insert("maximum".to_owned(), json!(most));
            if let Some(step) = multiple_of {
                part.insert("multipleOf".to_owned(), json!(step));
            }
            add_unit_and_form(part, unit, form)
        }
        Kind::Number { range, unit } => number_schema(range, unit),
        Kind::Numbers { count: [fewest, most], range, unit, form } => {
            let item = Value::Object(number_schema(range, ""));
            add_unit_and_form(list_schema(item, [Some(fewest), Some(most)]), unit, form)
        }
        Kind::Length { .. } | Kind::Area { .. } => Map::new(),
    };
    add_description(&mut part, key.meaning, &key.default, key.renamed_from);
    Value::Object(part)
}

fn type_schema(name: &str) -> Map<String, Value> {
    Map::from_iter([("type".to_owned(), json!(name))])
}

fn number_schema([least, most]: [f64; 2], unit: &str) -> Map<String, Value> {
    let mut part = type_schema("number");
    part.insert("minimum".to_owned(), json!(least));
    part.insert("maximum".to_owned(), json!(most));
    add_unit_and_form(part, unit, "")
}

fn list_schema(items: Value, [fewest, most]: [Option<u32>; 2]) -> Map<String, Value> {
    let mut part = type_schema("array");
    part.insert("items".to_owned(), items);
    let limits = [("minItems", fewest), ("maxItems", most)];
    let bounds =
        limits.into_iter().filter_map(|(name, limit)| Some((name.to_owned(), json!(limit?))));
    part.extend(bounds);
    part
}

/// Adds the unit and the form in words, where there are any.
fn add_unit_and_form(mut part: Map<String, Value>, unit: &str, form: &str) -> Map<String, Value> {
    let words = [("x-unit", unit), ("x-form", form)];
    let entries = words.into_iter().filter(|(_, word)| !word.is_empty());
    part.extend(entries.map(|(name, word)| (name.to_owned(), json!(word))));
    part
}

/// Adds what a key says, its default, and what other programs call it.
fn add_description(
    part: &mut Map<String, Value>,
    meaning: &str,
    default: &Initial,
    names: &[&str],
) {
    part.insert("description".to_owned(), json!(meaning));
    let default = match default {
        Initial::Required | Initial::Absent => None,
        Initial::By { shown, .. } => Some(("x-default", json!(shown))),
        // A length of nothing has no fraction.
        Initial::Number(0.0) => Some(("default", json!(0))),
        plain => plain.plain().map(|value| ("default", value)),
    };
    part.extend(default.map(|(name, value)| (name.to_owned(), value)));
    if !names.is_empty() {
        part.insert("x-renamed-from".to_owned(), json!(names));
    }
}
