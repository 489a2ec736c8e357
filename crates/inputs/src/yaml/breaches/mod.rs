//! Breaches: where a value does not keep to a schema.
//!
//! Takes a schema and a value, gives every breach. Of JSON Schema it follows what our own schemas
//! say; whatever else a schema says is kept to by no value, so that nothing is let through unseen.

use super::route::Step;
use regex_lite::Regex;
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

/// One way in which a value does not keep to a schema.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Breach<'a> {
    /// The part of the schema that the value is held against.
    pub(super) part: &'a Value,
    /// The way to the value.
    pub(super) route: Vec<Step>,
    /// The value.
    pub(super) value: &'a Value,
    /// Kind of the breach.
    pub(super) kind: Kind<'a>,
}

/// Kind of a breach.
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
    /// An item that is there twice.
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
pub(super) fn find_breaches<'a>(
    schema: &'a Value,
    value: &'a Value,
    max: usize,
) -> Vec<Breach<'a>> {
    let mut walk = Walk { max, route: Vec::new(), found: Vec::new(), patterns: HashMap::new() };
    walk.check(value, schema);
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
    fn check(&mut self, value: &'a Value, part: &'a Value) {
        let Some(keywords) = part.as_object() else {
            return self.add(value, part, Kind::Unfollowed);
        };
        for (keyword, constraint) in keywords {
            if self.is_full() {
                return;
            }
            match keyword.as_str() {
                "items" => self.check_items(value, constraint),
                "properties" => self.check_properties(value, part, constraint),
                "additionalProperties" => self.check_additional_properties(value, part, constraint),
                "propertyNames" => self.check_property_names(value, part, constraint),
                "required" => self.check_required(value, part, constraint),
                _ => {
                    if let Some(kind) = self.breach_of(value, keyword, constraint) {
                        self.add(value, part, kind);
                    }
                }
            }
        }
    }

    fn check_items(&mut self, value: &'a Value, constraint: &'a Value) {
        for (at, item) in value.as_array().into_iter().flatten().enumerate() {
            if self.is_full() {
                return;
            }
            self.descend(at, item, constraint);
        }
    }

    fn check_properties(&mut self, value: &'a Value, part: &'a Value, constraint: &'a Value) {
        let Some(properties) = constraint.as_object() else {
            return self.add(value, part, Kind::Unfollowed);
        };
        for (key, constraint) in properties {
            if let Some(value) = value.get(key) {
                self.descend(key.as_str(), value, constraint);
            }
        }
    }

    fn check_additional_properties(
        &mut self,
        value: &'a Value,
        part: &'a Value,
        constraint: &'a Value,
    ) {
        let known = part.get("properties").and_then(Value::as_object);
        let is_other = |key: &str| known.is_none_or(|known| !known.contains_key(key));
        let others = value.as_object().into_iter().flatten().filter(|(key, _)| is_other(key));
        match constraint {
            Value::Bool(true) => {}
            Value::Bool(false) => {
                let unknown: Vec<&str> = others.map(|(key, _)| key.as_str()).collect();
                if !unknown.is_empty() {
                    self.add(value, part, Kind::UnknownKeys(unknown));
                }
            }
            _ => {
                for (key, value) in others {
                    if self.is_full() {
                        return;
                    }
                    self.descend(key.as_str(), value, constraint);
                }
            }
        }
    }

    fn check_property_names(&mut self, value: &'a Value, part: &'a Value, constraint: &'a Value) {
        let Some(keywords) = constraint.as_object() else {
            return self.add(value, part, Kind::Unfollowed);
        };
        for (key, _) in value.as_object().into_iter().flatten() {
            if self.is_full() {
                return;
            }
            let name = Value::from(key.as_str());
            let mut keywords = keywords.iter();
            if keywords.any(|(word, constraint)| self.breach_of(&name, word, constraint).is_some())
            {
                self.add(value, part, Kind::BadKey(key));
            }
        }
    }

    fn check_required(&mut self, value: &'a Value, part: &'a Value, constraint: &'a Value) {
        let Some(keys) = all_words(constraint) else {
            return self.add(value, part, Kind::Unfollowed);
        };
        for key in keys {
            if value.as_object().is_some_and(|map| !map.contains_key(key)) {
                self.add(value, part, Kind::MissingKey(key));
            }
        }
    }

    fn descend(&mut self, step: impl Into<Step>, value: &'a Value, part: &'a Value) {
        self.route.push(step.into());
        self.check(value, part);
        self.route.pop();
    }

    fn add(&mut self, value: &'a Value, part: &'a Value, kind: Kind<'a>) {
        if !self.is_full() {
            self.found.push(Breach { part, route: self.route.clone(), value, kind });
        }
    }

    fn is_full(&self) -> bool {
        self.found.len() >= self.max
    }

    /// How a value by itself goes against a keyword.
    fn breach_of(
        &mut self,
        value: &Value,
        keyword: &str,
        constraint: &'a Value,
    ) -> Option<Kind<'a>> {
        let unless = |holds: bool, kind| (!holds).then_some(kind);
        let items = || value.as_array().map(Vec::len);
        let letters = || value.as_str().map(|text| text.chars().count());
        let keys = || value.as_object().map(Map::len);
        match keyword {
            "$schema" | "title" | "description" | "default" | "enumDescriptions" => None,
            // Units and words for people.
            extension if extension.starts_with("x-") => None,
            "type" => match all_words(constraint) {
                Some(names) => {
                    let is_one = names.iter().any(|name| is_of_type(name, value));
                    unless(is_one, Kind::Type(names))
                }
                None => Some(Kind::Unfollowed),
            },
            "enum" => match constraint.as_array() {
                Some(words) => unless(words.contains(value), Kind::Enum(words)),
                None => Some(Kind::Unfollowed),
            },
            "minimum" => range_breach(value, constraint, Ordering::Less),
            "maximum" => range_breach(value, constraint, Ordering::Greater),
            "multipleOf" => multiple_breach(value, constraint),
            "minLength" => count_breach(letters(), constraint, Ordering::Less, Kind::Form),
            "maxLength" => count_breach(letters(), constraint, Ordering::Greater, Kind::Form),
            "pattern" => self.pattern_breach(value, constraint),
            "minItems" => count_breach(items(), constraint, Ordering::Less, Kind::ItemCount),
            "maxItems" => count_breach(items(), constraint, Ordering::Greater, Kind::ItemCount),
            "minProperties" => count_breach(keys(), constraint, Ordering::Less, Kind::KeyCount),
            "uniqueItems" if constraint == &Value::Bool(true) => {
                let is_distinct = value.as_array().is_none_or(|items| has_distinct_items(items));
                unless(is_distinct, Kind::RepeatedItem)
            }
            _ => Some(Kind::Unfollowed),
        }
    }

    fn pattern_breach(&mut self, value: &Value, pattern: &'a Value) -> Option<Kind<'a>> {
        let text = value.as_str()?;
        let Some(pattern) = pattern.as_str() else { return Some(Kind::Unfollowed) };
        let regex = self.patterns.entry(pattern).or_insert_with(|| Regex::new(pattern).ok());
        match regex {
            None => Some(Kind::Unfollowed),
            Some(pattern) => (!pattern.is_match(text)).then_some(Kind::Form),
        }
    }
}

/// One word, or all of a list; `None` when it is neither.
fn all_words(constraint: &Value) -> Option<Vec<&str>> {
    match constraint {
        Value::Array(words) => words.iter().map(Value::as_str).collect(),
        word => Some(vec![word.as_str()?]),
    }
}

/// A number that stands beyond a limit, on the side that is not allowed.
fn range_breach<'a>(value: &Value, limit: &Value, side: Ordering) -> Option<Kind<'a>> {
    if !limit.is_number() {
        return Some(Kind::Unfollowed);
    }
    // Whole numbers are compared as such: floats do not distinguish large ones.
    let order = match (as_integer(value), as_integer(limit)) {
        (Some(value), Some(limit)) => Some(value.cmp(&limit)),
        _ => {
            value.as_f64().zip(limit.as_f64()).and_then(|(value, limit)| value.partial_cmp(&limit))
        }
    };
    (order == Some(side)).then_some(Kind::Range)
}

fn multiple_breach<'a>(value: &Value, divisor: &Value) -> Option<Kind<'a>> {
    let Some(divisor) = divisor.as_u64().filter(|divisor| 0 < *divisor) else {
        return Some(Kind::Unfollowed);
    };
    let is_multiple = match as_integer(value) {
        Some(value) => value % i128::from(divisor) == 0,
        None => value.as_f64().is_none_or(|value| value % divisor as f64 == 0.0),
    };
    (!is_multiple).then_some(Kind::Form)
}

fn as_integer(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or(value.as_u64().map(i128::from))
}

/// Something counted, where there is anything to count, that is too few or too many.
fn count_breach<'a>(
    n: Option<usize>,
    limit: &Value,
    side: Ordering,
    kind: Kind<'a>,
) -> Option<Kind<'a>> {
    let Some(limit) = limit.as_u64() else { return Some(Kind::Unfollowed) };
    n.filter(|n| (*n as u64).cmp(&limit) == side).map(|_| kind)
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

fn has_distinct_items(items: &[Value]) -> bool {
    let mut seen = HashSet::new();
    items.iter().all(|item| seen.insert(item.to_string()))
}

#[cfg(test)]
mod tests;
