//! Parts: ranges, keys, paths and new names, looked up in a schema.

use serde_json::Value;

/// The allowed range of a part of a schema, with its unit.
pub(crate) fn range_of(part: &Value) -> Option<String> {
    let limit = |key: &str| part.get(key).filter(|limit| limit.is_number()).map(plain_number);
    let unit = part.get("x-unit").and_then(Value::as_str);
    let unit = unit.map_or_else(String::new, |unit| format!(" {unit}"));
    let range = match (limit("minimum"), limit("maximum")) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => return None,
    };
    Some(format!("{range}{unit}"))
}

/// A JSON number without a fraction of zero.
fn plain_number(number: &Value) -> String {
    let text = number.to_string();
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// The keys that a mapping may have.
pub(super) fn keys_of(part: &Value) -> Vec<&str> {
    let properties = part.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

/// Path of the key that another program calls `key`.
pub(super) fn path_of_renamed(schema: &Value, key: &str) -> Option<String> {
    let mut found = None;
    visit(schema, String::new(), &mut |path, _, part| {
        let names = part.get("x-renamed-from").and_then(Value::as_array);
        if names.into_iter().flatten().any(|name| name == key) && found.is_none() {
            found = Some(path.to_owned());
        }
    });
    found
}

/// Where else the schema has a key of that name.
pub(super) fn paths_to(schema: &Value, key: &str) -> Vec<String> {
    let mut paths = Vec::new();
    visit(schema, String::new(), &mut |path, name, _| {
        if name == key {
            paths.push(path.to_owned());
        }
    });
    paths
}

/// Visits every property: its path, its name, its part of the schema.
fn visit(schema: &Value, path: String, act: &mut impl FnMut(&str, &str, &Value)) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, part) in properties.into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        act(&path, name, part);
        visit(part, path, act);
    }
}

/// A key without the ending that names its unit.
pub(super) fn strip_unit(key: &str) -> &str {
    let units = ["_um2", "_px2", "_um", "_px"];
    units.iter().find_map(|unit| key.strip_suffix(unit)).unwrap_or(key)
}
