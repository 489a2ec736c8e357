//! Document: a parsed text that knows where each of its values stands.

use super::places::Node;
use super::route::Step;
use crate::source::{Place, Source};
use std::ops::Range;

/// A parsed document that knows where each of its values stands.
#[derive(Debug)]
pub struct Document {
    pub(super) source: Source,
    pub(super) value: serde_json::Value,
    pub(super) root: Node,
}

impl Document {
    /// The whole value.
    #[must_use]
    pub fn value(&self) -> &serde_json::Value {
        &self.value
    }

    /// The text that the document was parsed from, without a byte order mark.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Where the value at a route stands; the nearest known parent when the route leads nowhere.
    ///
    /// # Edge cases
    /// A key without a value stands for it.
    #[must_use]
    pub fn place(&self, route: &[Step]) -> Place {
        self.place_of(self.root.follow(route).span.clone())
    }

    /// Where the key at a route stands; the value itself for an item of a list, and the nearest
    /// known parent when the route leads nowhere.
    #[must_use]
    pub fn key_place(&self, route: &[Step]) -> Place {
        let node = self.root.follow(route);
        let Some(key) = &node.key else {
            let span = &node.span;
            let line = self.source.text[span.clone()].lines().next().map_or(0, str::len);
            return self.place_of(span.start..span.start + line);
        };
        self.place_of(key.clone())
    }

    fn place_of(&self, span: Range<usize>) -> Place {
        Place::of_bytes(&self.source, span.start, span.end)
    }
}
