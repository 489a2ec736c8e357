//! Reference: the JSON Schema of profiles, and the table of their keys made from it.

use super::schema::schema;
use crate::yaml::range_of;
use serde_json::Value;
use std::fmt::Write as _;

/// The reference of all keys as a Markdown page: type, range, unit, default, meaning.
#[must_use]
pub fn reference_markdown() -> String {
    let mut page = "# Profiles\n\n\
        Made by `cellgate schema --format markdown` from the program; a test keeps it current.\n\n\
        A profile holds the cell parameters for one type of image. Everything but `schema`, `name` \
        and `image.modality` has a default. A length key ends in `_um` or `_px`, an area key in \
        `_um2` or `_px2`; write one of the two. Pixels are those of the working resolution.\n"
        .to_owned();
    let schema = schema();
    write_section(&mut page, "The file", "", &schema);
    for (name, part) in properties(&schema) {
        if part.get("properties").is_some() {
            write_section(&mut page, &format!("`{name}`"), description(part), part);
        }
    }
    page
}

fn write_section(page: &mut String, title: &str, about: &str, part: &Value) {
    let rows: Vec<(&String, &Value)> =
        properties(part).filter(|(_, part)| part.get("properties").is_none()).collect();
    // Writing to a text cannot fail.
    let _ = write!(page, "\n## {title}\n\n");
    if !about.is_empty() {
        let _ = write!(page, "{about}\n\n");
    }
    page.push_str("| key | type | allowed | default | meaning |\n|---|---|---|---|---|\n");
    let required: Vec<&str> = part
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (key, part) in &rows {
        let is_required = required.contains(&key.as_str());
        let default = if is_required { "required".to_owned() } else { default_text(part) };
        let cells = [type_of(part), allowed_values(part), default, description(part).to_owned()];
        let cells = cells.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
        let _ = writeln!(page, "| `{key}` | {} |", cells.join(" | "));
    }
    for (key, part) in rows {
        write_words(page, key, part);
    }
}

/// The meanings of a key's words.
fn write_words(page: &mut String, key: &str, part: &Value) {
    let part = part.get("items").unwrap_or(part);
    let (Some(words), Some(meanings)) = (list(part, "enum"), list(part, "enumDescriptions")) else {
        return;
    };
    let _ = write!(page, "\nWords of `{key}`:\n\n");
    for (word, meaning) in words.iter().zip(meanings) {
        let _ = writeln!(page, "- `{}`: {}", text(word), text(meaning).replace('\n', " "));
    }
}

fn properties(part: &Value) -> impl Iterator<Item = (&String, &Value)> {
    part.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn list<'a>(part: &'a Value, key: &str) -> Option<&'a Vec<Value>> {
    part.get(key).and_then(Value::as_array)
}

fn description(part: &Value) -> &str {
    part.get("description").map_or("", text)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn type_of(part: &Value) -> String {
    let name = match part.get("type").map_or("", text) {
        "array" => match part.get("items").map(type_of) {
            Some(item) => return format!("list of {item}"),
            None => "list",
        },
        "boolean" => "true or false",
        "integer" => "whole number",
        "string" if part.get("enum").is_some() => "word",
        "string" => "text",
        other => other,
    };
    name.to_owned()
}

fn allowed_values(part: &Value) -> String {
    if let Some(words) = list(part, "enum") {
        let words: Vec<String> = words.iter().map(|word| format!("`{}`", text(word))).collect();
        return words.join(", ");
    }
    let unit = part.get("x-unit").map_or("", text);
    let range = range_of(part).unwrap_or_default();
    let form = part.get("x-form").map_or("", text);
    match part.get("items") {
        Some(items) => {
            let item_values = allowed_values(items);
            let items = [item_values.as_str(), unit].join(" ");
            [items.trim(), form]
                .iter()
                .filter(|part| !part.is_empty())
                .copied()
                .collect::<Vec<_>>()
                .join("; ")
        }
        None if range.is_empty() => form.to_owned(),
        None if form.is_empty() => range,
        None => format!("{range}; {form}"),
    }
}

fn default_text(part: &Value) -> String {
    if let Some(words) = part.get("x-default") {
        return text(words).to_owned();
    }
    match part.get("default") {
        Some(Value::String(word)) => format!("`{word}`"),
        Some(value) => {
            let number =
                value.to_string().replace(',', ", ").replace(".0,", ",").replace(".0]", "]");
            format!("`{}`", number.strip_suffix(".0").unwrap_or(&number))
        }
        None => String::new(),
    }
}
