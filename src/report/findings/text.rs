//! Text: makes words of strangers harmless where they are shown.

/// A text for one line of a terminal or a log: without control characters, without marks that
/// reorder what is read, and without the old form of workflow commands.
///
/// # Edge cases
/// Each character that is taken out leaves U+FFFD, so that its place stays visible; `##[`, which
/// GitHub's runner obeys anywhere in a line, becomes `# #[`.
#[must_use]
pub fn harmless(text: &str) -> String {
    let shown: String = text.chars().map(visible).collect();
    shown.replace("##[", "# #[")
}

/// The character itself, or U+FFFD for one that acts instead of showing.
pub(super) fn visible(character: char) -> char {
    let reorders = matches!(
        character,
        '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    let breaks = matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}');
    if character.is_control() || reorders || breaks { '\u{fffd}' } else { character }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acting_characters_are_replaced() {
        assert_eq!(
            harmless("a\u{1b}[31mb\r\n\u{202e}c"),
            "a\u{fffd}[31mb\u{fffd}\u{fffd}\u{fffd}c"
        );
        assert_eq!(harmless("##[error]x ###[y"), "# #[error]x ## #[y");
        assert_eq!(harmless("µm² é 中"), "µm² é 中");
    }
}
