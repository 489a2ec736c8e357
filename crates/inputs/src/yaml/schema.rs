//! Schema: the JSON Schema of a type, in the form that editors and our messages want.
//!
//! Takes a type, gives a schema without references: optional values are left out rather than null,
//! and lists of words are `enum`s whose meanings stand in `enumDescriptions`. Three extensions
//! carry what JSON Schema has no word for: `x-unit`, `x-form` (what a pattern asks for, in words)
//! and `x-renamed-from` (what other programs call a key).

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The JSON Schema of a type.
#[must_use]
pub fn schema_of<T: JsonSchema>() -> Value {
    generator().into_root_schema_for::<T>().to_value()
}

/// A JSON Schema that is made by hand, in the same form as that of a type.
pub(crate) fn plain_schema(make: impl FnOnce(&mut SchemaGenerator) -> Schema) -> Value {
    let mut generator = generator();
    let mut schema = make(&mut generator);
    schema.insert("$schema".to_owned(), json!(META_SCHEMA));
    for transform in generator.transforms_mut() {
        transform.transform(&mut schema);
    }
    schema.to_value()
}

/// The JSON Schema of JSON Schemas.
const META_SCHEMA: &str = "https://json-schema.org/draft/2020-12/schema";

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .with_transform(RecursiveTransform(Plain))
        .into_generator()
}

#[derive(Debug, Clone)]
struct Plain;

impl Transform for Plain {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(schema) = schema.as_object_mut() {
            drop_null(schema);
            merge_words_into_enum(schema);
            drop_machine_formats(schema);
        }
    }
}

/// Drops `null` among the types and alternatives.
fn drop_null(schema: &mut Map<String, Value>) {
    let is_null = |value: &Value| value == &json!({"type": "null"});
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [single] = types.as_slice() {
            let single = single.clone();
            schema.insert("type".to_owned(), single);
        }
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.shift_remove("default");
    }
    let Some(Value::Array(alternatives)) = schema.get("anyOf") else { return };
    if let [Value::Object(inner), null] = alternatives.as_slice()
        && is_null(null)
    {
        let inner = inner.clone();
        schema.shift_remove("anyOf");
        for (key, value) in inner {
            schema.entry(key).or_insert(value);
        }
    }
}

/// Turns alternatives of documented words into one `enum`.
fn merge_words_into_enum(schema: &mut Map<String, Value>) {
    let Some(Value::Array(alternatives)) = schema.get("oneOf") else { return };
    let words: Option<Vec<Value>> =
        alternatives.iter().map(|word| word.get("const").cloned()).collect();
    let Some(words) = words else { return };
    let meaning = |word: &Value| word.get("description").cloned().unwrap_or_else(|| json!(""));
    let meanings: Vec<Value> = alternatives.iter().map(meaning).collect();
    schema.shift_remove("oneOf");
    schema.insert("type".to_owned(), json!("string"));
    schema.insert("enum".to_owned(), Value::Array(words));
    schema.insert("enumDescriptions".to_owned(), Value::Array(meanings));
}

/// Drops formats that name a machine's representation, such as `double`.
fn drop_machine_formats(schema: &mut Map<String, Value>) {
    let machine = ["double", "float", "uint", "uint8", "uint16", "uint32", "uint64"];
    if schema.get("format").and_then(Value::as_str).is_some_and(|name| machine.contains(&name)) {
        schema.shift_remove("format");
    }
}
