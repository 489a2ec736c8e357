//! Violations: breaches of a schema by a document, as findings in plain words.
//!
//! Takes a document and a schema, gives findings in the order of the text. Reads no files.

use super::breaches::{Breach, Kind, find_breaches};
use super::document::Document;
use super::limits::MAX_FINDINGS;
use super::parts::{keys_of, path_of_renamed, paths_to, range_of, strip_unit};
use super::route::Step;
use crate::finding::{Code, Finding, closest};
use serde_json::Value;

/// Longest stretch of a value that a message repeats, in characters.
const MAX_SHOWN: usize = 60;

/// Checks the `schema` key; gives findings that leave the rest of the document readable.
///
/// # Errors
/// A finding when the document follows another schema or version, so that its other keys mean
/// nothing here.
pub(super) fn check_schema_key(
    document: &Document,
    expected: &str,
) -> Result<Vec<Finding>, Vec<Finding>> {
    let Some(map) = document.value().as_object() else {
        let message = format!("the file must be a mapping, but is {}", describe(document.value()));
        let finding = Finding::error(Code::WrongType, document.key_place(&[]), message);
        return Err(vec![finding.help(format!("start with `schema: {expected}`"))]);
    };
    let route = [Step::from("schema")];
    let Some(schema) = map.get("schema") else {
        let message = "the file does not say which schema it follows";
        let finding = Finding::error(Code::SchemaMissing, document.key_place(&[]), message);
        return Ok(vec![finding.help(format!("add the line `schema: {expected}`"))]);
    };
    let schema = schema.as_str().unwrap_or_default();
    if schema == expected {
        return Ok(Vec::new());
    }
    let (code, message, help) = match (version_of(schema), version_of(expected)) {
        (Some((kind, version)), Some((expected_kind, known))) if kind == expected_kind => {
            if version > known {
                let message = format!("`{schema}` is newer than `{expected}`, which is read here");
                (Code::SchemaTooNew, message, "use a newer cellgate".to_owned())
            } else {
                let message = format!("`{schema}` is older than `{expected}` and no longer read");
                (Code::SchemaTooOld, message, format!("bring the file to `{expected}`"))
            }
        }
        _ => {
            let message = format!("`{}` is not the schema of this file", clip(schema));
            (Code::SchemaUnknown, message, format!("it must be `{expected}`"))
        }
    };
    Err(vec![Finding::error(code, document.place(&route), message).help(help)])
}

/// Everything before `/v` and the number after it.
fn version_of(id: &str) -> Option<(&str, u32)> {
    let (kind, version) = id.rsplit_once("/v")?;
    Some((kind, version.parse().ok()?))
}

/// Every violation of the schema, in the order of the text, and the routes of what violates it.
pub(super) fn check_schema(
    document: &Document,
    schema: &Value,
    value: &Value,
) -> (Vec<Finding>, Vec<Vec<Step>>) {
    let mut findings = Vec::new();
    let mut routes = Vec::new();
    // Next to each breach that gives no finding of its own stands one that does.
    for breach in find_breaches(schema, value, 2 * MAX_FINDINGS + 3) {
        let violation = Violation { document, schema, breach };
        findings.extend(violation.findings());
        routes.extend(violation.routes());
        if MAX_FINDINGS < findings.len() {
            break;
        }
    }
    findings.sort_by_key(|finding| finding.place.span.map(|span| span.start_byte));
    (findings, routes)
}

struct Violation<'a> {
    document: &'a Document,
    schema: &'a Value,
    breach: Breach<'a>,
}

impl Violation<'_> {
    fn findings(&self) -> Vec<Finding> {
        let name = self.name();
        match &self.breach.kind {
            Kind::UnknownKeys(keys) => {
                let keys = keys.iter().take(MAX_FINDINGS + 1);
                keys.map(|key| self.unknown_key_finding(key)).collect()
            }
            // A missing schema is a finding of its own.
            Kind::MissingKey("schema") if self.breach.route.is_empty() => Vec::new(),
            Kind::MissingKey(key) => vec![self.missing_key_finding(key)],
            Kind::BadKey(key) => {
                let form = self.breach.part.pointer("/propertyNames").unwrap_or(&Value::Null);
                let place = self.document.key_place(&self.child_route(key));
                let message = format!("`{}` is not a name that can be used here", clip(key));
                vec![add_form_help(Finding::error(Code::WrongForm, place, message), form)]
            }
            Kind::Type(names) => vec![self.wrong_type_finding(names)],
            // The wrong type is a finding of its own.
            Kind::Enum(_) if !self.breach.value.is_string() => Vec::new(),
            Kind::Enum(words) => vec![self.unknown_word_finding(words)],
            Kind::Range => vec![self.range_finding()],
            Kind::ItemCount => vec![self.item_count_finding()],
            Kind::KeyCount => {
                let message = format!("{name} has the wrong number of keys");
                vec![self.value_finding(Code::TooManyItems, message)]
            }
            Kind::RepeatedItem => {
                vec![self.value_finding(Code::WrongForm, format!("{name} repeats an item"))]
            }
            Kind::Form => {
                let message = format!("{name} does not have the form that is needed");
                vec![add_form_help(self.value_finding(Code::WrongForm, message), self.breach.part)]
            }
            Kind::Unfollowed => {
                let message = format!("{name} cannot be checked: its schema is not followed here");
                vec![self.value_finding(Code::SchemaUnknown, message)]
            }
        }
    }

    /// Routes of the values that violate the schema.
    fn routes(&self) -> Vec<Vec<Step>> {
        match &self.breach.kind {
            Kind::UnknownKeys(keys) => keys.iter().map(|key| self.child_route(key)).collect(),
            Kind::MissingKey(_) => Vec::new(),
            _ => vec![self.breach.route.clone()],
        }
    }

    fn unknown_key_finding(&self, key: &str) -> Finding {
        let place = self.document.key_place(&self.child_route(key));
        let known = keys_of(self.breach.part);
        if let Some(path) = path_of_renamed(self.schema, key) {
            let message = format!("`{}` has another name here", clip(key));
            return Finding::error(Code::RenamedKey, place, message)
                .help(format!("write `{path}`"));
        }
        let message = match self.breach.route.is_empty() {
            true => format!("the key `{}` is not known", clip(key)),
            false => format!("the key `{}` is not known in {}", clip(key), self.name()),
        };
        let finding = Finding::error(Code::UnknownKey, place, message);
        let in_unit = known.iter().find(|name| strip_unit(name) == strip_unit(key));
        let other_path = || paths_to(self.schema, key).into_iter().next();
        if let Some(name) = in_unit {
            let names = known.iter().filter(|other| strip_unit(other) == strip_unit(name));
            let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
            finding.help(format!("did you mean {}?", names.join(" or ")))
        } else if let Some(name) = closest(key, known.iter().copied()) {
            finding.help(format!("did you mean `{name}`?"))
        } else if let Some(path) = other_path() {
            finding.help(format!("it belongs to another section: `{path}`"))
        } else {
            finding.help(format!("known keys: {}", known.join(", ")))
        }
    }

    fn missing_key_finding(&self, key: &str) -> Finding {
        let description = self.breach.part.pointer(&format!("/properties/{key}/description"));
        let description = description.and_then(Value::as_str).and_then(|text| text.lines().next());
        let message = match self.breach.route.is_empty() {
            true => format!("the key `{key}` is missing"),
            false => format!("the key `{key}` is missing in {}", self.name()),
        };
        let finding =
            Finding::error(Code::MissingKey, self.document.key_place(&self.breach.route), message);
        let words =
            self.breach.part.pointer(&format!("/properties/{key}/enum")).and_then(Value::as_array);
        let words: Vec<&str> = words.into_iter().flatten().filter_map(Value::as_str).collect();
        let allowed = if words.is_empty() {
            String::new()
        } else {
            format!("; allowed: {}", words.join(", "))
        };
        match description {
            Some(description) => {
                finding.help(format!("add `{key}`: {}{allowed}", strip_period(description)))
            }
            None => finding,
        }
    }

    fn wrong_type_finding(&self, names: &[&str]) -> Finding {
        let words: Vec<&str> = names.iter().map(|name| type_in_words(name)).collect();
        let types = words.join(" or ");
        let is_secret = self.breach.part.get("x-secret").is_some();
        let found =
            if is_secret { "something else".to_owned() } else { describe(self.breach.value) };
        let message = format!("{} must be {types}, but is {found}", self.name());
        let finding = self.value_finding(Code::WrongType, message);
        match self.breach.value {
            Value::Null => finding.help("give a value, or delete the key"),
            Value::String(text) if types.contains("number") && text.parse::<f64>().is_ok() => {
                finding.help("delete the quotes")
            }
            Value::Number(_) | Value::Bool(_) if types == "text" => {
                finding.help("put quotes around it")
            }
            _ => add_form_help(finding, self.breach.part),
        }
    }

    fn unknown_word_finding(&self, words: &[Value]) -> Finding {
        let word = self.breach.value.as_str().unwrap_or_default();
        let known: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        let message = format!("`{}` is not a value of {}", clip(word), self.name());
        let finding = self.value_finding(Code::UnknownValue, message);
        let allowed = known.join(", ");
        match closest(word, known.iter().copied()) {
            Some(candidate) => {
                finding.help(format!("did you mean `{candidate}`? allowed: {allowed}"))
            }
            None => finding.help(format!("allowed: {allowed}")),
        }
    }

    fn range_finding(&self) -> Finding {
        let message = format!("{} is {}, outside its range", self.name(), self.breach.value);
        let finding = self.value_finding(Code::OutOfRange, message);
        match range_of(self.breach.part) {
            Some(range) => finding.help(format!("allowed: {range}")),
            None => finding,
        }
    }

    fn item_count_finding(&self) -> Finding {
        let count = self.breach.value.as_array().map_or(0, Vec::len);
        let limit = |key: &str| self.breach.part.get(key).and_then(Value::as_u64);
        let bounds = match (limit("minItems"), limit("maxItems")) {
            (Some(least), Some(most)) if least == most => format!("exactly {least}"),
            (Some(least), Some(most)) => format!("{least} to {most}"),
            (Some(least), None) => format!("at least {least}"),
            (None, Some(most)) => format!("at most {most}"),
            (None, None) => "another number".to_owned(),
        };
        let message = format!("{} has {count} items, but needs {bounds}", self.name());
        add_form_help(self.value_finding(Code::TooManyItems, message), self.breach.part)
    }

    fn value_finding(&self, code: Code, message: String) -> Finding {
        Finding::error(code, self.document.place(&self.breach.route), message)
    }

    fn name(&self) -> String {
        if self.breach.route.is_empty() {
            "the file".to_owned()
        } else {
            format!("`{}`", display_route(&self.breach.route))
        }
    }

    fn child_route(&self, key: &str) -> Vec<Step> {
        let mut route = self.breach.route.clone();
        route.push(Step::from(key));
        route
    }
}

fn add_form_help(finding: Finding, part: &Value) -> Finding {
    match part.get("x-form").and_then(Value::as_str) {
        Some(form) if finding.help.is_none() => finding.help(format!("needed: {form}")),
        _ => finding,
    }
}

fn strip_period(text: &str) -> &str {
    text.strip_suffix('.').unwrap_or(text)
}

/// A route as people write it: `gate[0].profile`.
fn display_route(route: &[Step]) -> String {
    let mut text = String::new();
    for step in route {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(&clip(key)),
            Step::Key(key) => text.push_str(&format!(".{}", clip(key))),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

fn type_in_words(name: &str) -> &str {
    match name {
        "array" => "a list",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "object" => "a mapping",
        "string" => "text",
        other => other,
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text `{}`", clip(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
