//! Text: makes words of strangers harmless where they are shown.

/// A text for one line of a terminal or a log: without control characters, without marks that
/// reorder what is read, and without the old form of workflow commands.
///
/// # Edge cases
/// Each character that is taken out leaves U+FFFD, so that its place stays visible; `##[`, which
/// GitHub's runner obeys anywhere in a line, becomes `# #[`.
#[must_use]
pub fn neutralize_line(text: &str) -> String {
    let text: String = text.chars().map(visible_char).collect();
    text.replace("##[", "# #[")
}

/// A text of several lines for a log that GitHub's runner reads: no line of it is a command.
///
/// The runner obeys a line that starts with `::`, spaces aside, and `##[` anywhere in a line; they
/// become `: :` and `# #[`. A carriage return ends a line for the runner, too.
///
/// # Sources
/// actions/runner, `ActionCommand.cs`.
#[must_use]
pub fn neutralize_commands(text: &str) -> String {
    let mut output = String::with_capacity(text.len());
    for line in text.split_inclusive(['\n', '\r']) {
        let is_skipped = |c: char| c.is_whitespace() || c == '\u{feff}';
        let start = line.len() - line.trim_start_matches(is_skipped).len();
        let (spaces, rest) = line.split_at(start);
        output.push_str(spaces);
        match rest.strip_prefix("::") {
            Some(rest) => {
                output.push_str(": :");
                output.push_str(rest);
            }
            None => output.push_str(rest),
        }
    }
    output.replace("##[", "# #[")
}

/// The character itself, or U+FFFD for one that acts instead of showing.
pub(super) fn visible_char(character: char) -> char {
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
    fn no_line_of_an_inert_text_is_a_command() {
        let text = "::error::x\n \u{a0}::set-output name=a::b\r::stop-commands::x\r\n\u{feff}::a::";
        let output = neutralize_commands(text);
        assert_eq!(
            output,
            ": :error::x\n \u{a0}: :set-output name=a::b\r: :stop-commands::x\r\n\u{feff}: :a::"
        );
        assert_eq!(neutralize_commands("a ##[add-path]b ###[c"), "a # #[add-path]b ## #[c");
        assert_eq!(neutralize_commands("a::b\n: c"), "a::b\n: c");
        assert_eq!(neutralize_commands(&output), output);
    }

    #[test]
    fn acting_characters_are_replaced() {
        assert_eq!(
            neutralize_line("a\u{1b}[31mb\r\n\u{202e}c"),
            "a\u{fffd}[31mb\u{fffd}\u{fffd}\u{fffd}c"
        );
        assert_eq!(neutralize_line("##[error]x ###[y"), "# #[error]x ## #[y");
        assert_eq!(neutralize_line("µm² é 中"), "µm² é 中");
    }
}
