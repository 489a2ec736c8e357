//! Remarks: findings about one document, placed by route.

use super::document::Document;
use super::route::Step;
use crate::finding::{Code, Finding};

/// Collects findings about one document.
#[derive(Debug)]
pub struct Remarks<'a> {
    /// Document that the remarks are about.
    pub document: &'a Document,
    /// The remarks so far.
    pub findings: Vec<Finding>,
}

impl<'a> Remarks<'a> {
    /// Starts without remarks.
    #[must_use]
    pub fn new(document: &'a Document) -> Self {
        Self { document, findings: Vec::new() }
    }

    /// Adds an error at a value.
    pub fn error(&mut self, route: &[Step], code: Code, message: impl Into<String>, help: &str) {
        let place = self.document.place(route);
        self.findings.push(Finding::error(code, place, message).help(help));
    }

    /// Adds an error at a key.
    pub fn key_error(
        &mut self,
        route: &[Step],
        code: Code,
        message: impl Into<String>,
        help: &str,
    ) {
        let place = self.document.key_place(route);
        self.findings.push(Finding::error(code, place, message).help(help));
    }

    /// Adds a warning at a key.
    pub fn key_warning(
        &mut self,
        route: &[Step],
        code: Code,
        message: impl Into<String>,
        help: &str,
    ) {
        let place = self.document.key_place(route);
        self.findings.push(Finding::warning(code, place, message).help(help));
    }
}
