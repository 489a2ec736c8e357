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
    /// Byte offset of each line's first character, rising, from 0.
    line_starts: Arc<[usize]>,
}

impl Source {
    /// Wraps a text under a path.
    #[must_use]
    pub fn new(path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        // Found once: a long manifest has a place for every value.
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(after_breaks).collect();
        Self { path: path.into(), text, line_starts }
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
    /// The span of the bytes `start..end` of a source; offsets are clamped to the text and moved
    /// back to a character's first byte.
    #[must_use]
    pub fn of_bytes(source: &Source, start: usize, end: usize) -> Self {
        let Source { text, line_starts, .. } = source;
        let start_byte = text.floor_char_boundary(start);
        let end_byte = text.floor_char_boundary(end.max(start));
        let position = |byte: usize| {
            let line = line_starts.partition_point(|&line_start| line_start <= byte);
            let line_start = line_starts[line - 1];
            (line as u32, text[line_start..byte].chars().count() as u32 + 1)
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
        Self { path: source.path.clone(), span: Some(Span::of_bytes(source, start, end)) }
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

    #[track_caller]
    fn check(text: &str, bytes: [usize; 2], start: (u32, u32), end: (u32, u32)) {
        let span = Span::of_bytes(&Source::new("f", text), bytes[0], bytes[1]);
        assert_eq!((span.line, span.column), start);
        assert_eq!((span.end_line, span.end_column), end);
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        check("a: 1\nµ: 22\n", [9, 11], (2, 4), (2, 6));
    }

    #[test]
    fn a_break_ends_its_line() {
        check("ab\n\ncd", [2, 3], (1, 3), (2, 1));
        check("ab\n\ncd", [3, 4], (2, 1), (3, 1));
        check("ab\n", [3, 99], (2, 1), (2, 1));
        check("", [0, 0], (1, 1), (1, 1));
    }
}
