//! Sources: the text of a file, where it stands, and where in it a byte lies.
//!
//! A source comes from the working tree or from a git revision; findings point into it.

use std::sync::Arc;

/// A file's text and the name that people know it by.
#[derive(Debug, Clone)]
pub struct Source {
    /// Path as it is shown: relative to the repository's root where there is one, `/` separated.
    pub path: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

impl Source {
    /// Wraps a text under a path.
    #[must_use]
    pub fn new(path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { path: path.into(), text: text.into() }
    }
}

/// A stretch of a source. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Line of the first character.
    pub line: u32,
    /// Column of the first character.
    pub column: u32,
    /// Line of the last character.
    pub end_line: u32,
    /// Column after the last character.
    pub end_column: u32,
    /// Byte offset of the first character.
    pub start_byte: usize,
    /// Byte offset after the last character.
    pub end_byte: usize,
}

impl Span {
    /// The span of the bytes `start..end` of `text`; offsets are clamped to the text and moved
    /// back to a character's first byte.
    #[must_use]
    pub fn of_bytes(text: &str, start: usize, end: usize) -> Self {
        let start_byte = text.floor_char_boundary(start);
        let end_byte = text.floor_char_boundary(end.max(start));
        let position = |byte: usize| {
            let before = &text[..byte];
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            let line = before.matches('\n').count() as u32 + 1;
            (line, before[line_start..].chars().count() as u32 + 1)
        };
        let (line, column) = position(start_byte);
        let (end_line, end_column) = position(end_byte);
        Self { line, column, end_line, end_column, start_byte, end_byte }
    }
}

/// Where a remark belongs: a file, and a span of it where one is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Path as shown to people.
    pub path: Arc<str>,
    /// The stretch that the remark is about; `None` means the whole file.
    pub span: Option<Span>,
}

impl Place {
    /// The whole file.
    #[must_use]
    pub fn file(path: impl Into<Arc<str>>) -> Self {
        Self { path: path.into(), span: None }
    }

    /// A stretch of a source, by byte offsets.
    #[must_use]
    pub fn of_bytes(source: &Source, start: usize, end: usize) -> Self {
        Self { path: source.path.clone(), span: Some(Span::of_bytes(&source.text, start, end)) }
    }
}

impl Place {
    /// Moves the place into a folder; of nothing, leaves it.
    pub fn move_below(&mut self, folder: &str) {
        self.path = below(folder, &self.path).into();
    }
}

/// A path as it is told from outside of its folder; of no folder, the path itself.
#[must_use]
pub fn below(folder: &str, path: &str) -> String {
    if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_not_bytes() {
        let span = Span::of_bytes("a: 1\nµ: 22\n", 9, 11);
        assert_eq!((span.line, span.column, span.end_line, span.end_column), (2, 4, 2, 6));
    }
}
