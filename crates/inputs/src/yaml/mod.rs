//! YAML: hostile-proof reading, places of values, schema checks.
//!
//! The one module that names the YAML crate. Text goes in; a value with known places, or findings,
//! come out. Everything is bounded before it is parsed.

mod document;
mod limits;
mod route;
mod breaches;
mod parse;
mod parts;
mod places;
mod remarks;
mod scalar;
mod schema;
mod text;
mod violations;

pub use document::Document;
pub use limits::MAX_DEPTH;
pub(crate) use parts::range_of;
pub use remarks::Remarks;
pub use route::{Step, route};
pub(crate) use schema::plain_schema;
pub use schema::schema_of;
pub use text::{MAX_HAND_WRITTEN_BYTES, MAX_MANIFEST_BYTES, source_from_bytes};

use crate::finding::{Code, Finding};
use crate::source::{Place, Source};
use limits::MAX_FINDINGS;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

impl Document {
    /// Parses a text of at most [`MAX_HAND_WRITTEN_BYTES`].
    ///
    /// # Edge cases
    /// A byte order mark is dropped, so that columns count from the first visible character.
    ///
    /// # Errors
    /// Findings for everything that is wrong with the text as YAML, all at once where it can be.
    ///
    /// # Examples
    /// ```
    /// use cellgate_inputs::source::Source;
    /// use cellgate_inputs::yaml::{Document, route};
    ///
    /// let text = "image: {modality: he}\n";
    /// let document = Document::parse(&Source::new("a.yaml", text)).unwrap();
    /// assert_eq!(document.value()["image"]["modality"], "he");
    /// let span = document.place(&route("image.modality")).span.unwrap();
    /// assert_eq!((span.line, span.column), (1, 19));
    /// assert!(Document::parse(&Source::new("a.yaml", "a: [1, 2")).is_err());
    /// ```
    pub fn parse(source: &Source) -> Result<Self, Vec<Finding>> {
        Self::parse_up_to(source, MAX_HAND_WRITTEN_BYTES)
    }

    /// Parses a text of at most `max_bytes`.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_up_to(source: &Source, max_bytes: u64) -> Result<Self, Vec<Finding>> {
        let source = text::strip_byte_order_mark(source);
        let parsed = text::check(&source, max_bytes).and_then(|()| parse::parse(&source));
        match parsed {
            Ok((value, root)) => Ok(Self { source, value, root }),
            Err(findings) => Err(truncate_findings(findings)),
        }
    }

    /// Checks the document against `T`'s schema, all violations at once, and reads it.
    ///
    /// `schema_id` is what the file's `schema` key must say, for example `cellgate/profile/v1`.
    ///
    /// # Errors
    /// Findings for a missing, unknown, too new or too old schema, and for every violation.
    pub fn read<T>(&self, schema_id: &str) -> Result<T, Vec<Finding>>
    where
        T: DeserializeOwned + JsonSchema,
    {
        match self.read_partly(schema_id) {
            (Some(read), findings) if findings.is_empty() => Ok(read),
            (_, findings) => Err(findings),
        }
    }

    /// As [`Self::read`], and reads what is left without the parts that violate the schema, so that
    /// rules between keys can be checked all the same.
    ///
    /// # Edge cases
    /// `None` when a required part is among those left out, or when nearly all is wrong; then there
    /// is a finding.
    pub fn read_partly<T>(&self, schema_id: &str) -> (Option<T>, Vec<Finding>)
    where
        T: DeserializeOwned + JsonSchema,
    {
        let (value, mut findings) = self.read_against(schema_id, &schema_of::<T>());
        let Some(value) = value else { return (None, findings) };
        let read = serde_json::from_value(value);
        if let (Err(error), true) = (&read, findings.is_empty()) {
            // The schema and the type come from one source; what only the type knows lands here.
            findings.push(self.unreadable_finding(&error.to_string()));
        }
        (read.ok(), findings)
    }

    /// The document's value without the parts that violate a schema, and every violation.
    ///
    /// # Edge cases
    /// `None` where nearly all is wrong; then there is a finding.
    pub(crate) fn read_against(
        &self,
        schema_id: &str,
        schema: &serde_json::Value,
    ) -> (Option<serde_json::Value>, Vec<Finding>) {
        let mut findings = match violations::check_schema_key(self, schema_id) {
            Ok(findings) => findings,
            Err(findings) => return (None, findings),
        };
        let mut value = self.value_for(schema);
        let (violations, violating) = violations::check_schema(self, schema, &value);
        findings.extend(violations);
        if MAX_FINDINGS < findings.len() {
            return (None, truncate_findings(findings));
        }
        for route in &violating {
            places::remove(&mut value, route);
        }
        (Some(value), findings)
    }

    /// The finding that the document fits its schema and cannot be read all the same.
    pub(crate) fn unreadable_finding(&self, why: &str) -> Finding {
        let message = format!("the file cannot be read: {why}");
        Finding::error(Code::WrongForm, self.key_place(&[]), message)
    }

    /// The value as `schema` wants it: without the `schema` key where the schema does not name it.
    fn value_for(&self, schema: &serde_json::Value) -> serde_json::Value {
        let mut value = self.value.clone();
        if schema.pointer("/properties/schema").is_none()
            && let Some(map) = value.as_object_mut()
        {
            map.shift_remove("schema");
        }
        value
    }
}

/// Cuts a long list of findings, and says so.
fn truncate_findings(mut findings: Vec<Finding>) -> Vec<Finding> {
    if findings.len() > MAX_FINDINGS {
        findings.truncate(MAX_FINDINGS);
        if let Some(last) = findings.last() {
            let place = Place::file(last.place.path.clone());
            findings.push(Finding::note(last.code, place, "further findings are not shown"));
        }
    }
    findings
}

#[cfg(test)]
mod tests;
