//! Places: where each value of a document stands, as a tree of the same form as the value.

use super::route::Step;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;

/// The byte ranges of a value and of its key, and of the values in it.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) key: Option<Range<usize>>,
    pub(super) span: Range<usize>,
    pub(super) children: Children,
}

/// The values in a value.
#[derive(Debug)]
pub(super) enum Children {
    None,
    Items(Vec<Node>),
    Keys(BTreeMap<String, Node>),
}

impl Node {
    /// The node at a route, or its nearest known parent.
    pub(super) fn follow(&self, route: &[Step]) -> &Self {
        let Some((step, rest)) = route.split_first() else {
            return self;
        };
        let child = match (&self.children, step) {
            (Children::Items(items), Step::Index(index)) => items.get(*index),
            (Children::Keys(keys), Step::Key(key)) => keys.get(key),
            (Children::None | Children::Items(_) | Children::Keys(_), _) => None,
        };
        child.map_or(self, |child| child.follow(rest))
    }
}

/// Takes the value at a route out of a document; of a list the whole list, so that no item moves.
pub(super) fn remove(value: &mut Value, route: &[Step]) {
    let keys: Vec<&str> = route
        .iter()
        .map_while(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
        .collect();
    let Some((last, parents)) = keys.split_last() else { return };
    let parent = parents.iter().try_fold(value, |value, key| value.get_mut(key));
    if let Some(map) = parent.and_then(Value::as_object_mut) {
        map.shift_remove(*last);
    }
}

/// Byte offsets of characters, to translate the parser's positions.
pub(super) struct Offsets {
    /// `None` where each character is one byte.
    starts: Option<Vec<usize>>,
    n_bytes: usize,
}

impl Offsets {
    pub(super) fn new(text: &str) -> Self {
        let starts = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        Self { starts, n_bytes: text.len() }
    }

    /// The byte offset of a character, or of the text's end.
    pub(super) fn byte(&self, character: usize) -> usize {
        match &self.starts {
            Some(starts) => starts.get(character).copied().unwrap_or(self.n_bytes),
            None => character.min(self.n_bytes),
        }
    }
}
