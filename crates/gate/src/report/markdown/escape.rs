//! Escaping for GitHub-flavored Markdown, in table cells too.

/// Longer texts are cut, in characters.
const MAX_CHARS: usize = 300;

/// Text in a code span: GitHub reads neither markup nor mentions in it.
#[must_use]
pub fn code(text: &str) -> String {
    // A comment's opening is broken too: whoever looks for a marker must not find one in here.
    let text = single_line(text).replace('`', "'").replace('|', "\\|").replace("<!", "<\u{200b}!");
    // Padding keeps a text of spaces, and one that ends with a backslash, inside its span.
    if text.trim().is_empty() || text.ends_with('\\') {
        format!("` {text} `")
    } else {
        format!("`{text}`")
    }
}

/// A sentence: stretches between backticks are code, all else is text without any markup.
#[must_use]
pub fn prose(text: &str) -> String {
    let text = single_line(text);
    let stretches: Vec<&str> = text.split('`').collect();
    let last = stretches.len() - 1;
    let mut out = String::new();
    for (index, stretch) in stretches.into_iter().enumerate() {
        // Backticks come in twos; one without a partner is dropped.
        if index % 2 == 1 && index < last && !stretch.is_empty() {
            out.push_str(&code(stretch));
        } else {
            escape_into(&mut out, stretch);
        }
    }
    out
}

/// Text inside an HTML element.
pub(super) fn escape_html(text: &str) -> String {
    let mut out = String::new();
    for c in single_line(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c => escape_char_into(&mut out, c),
        }
    }
    // A program that turns addresses into links must find none here.
    out.replace("://", "://\u{200b}").replace("www.", "www.\u{200b}")
}

/// One line without control characters and without marks that turn the direction of reading.
fn single_line(text: &str) -> String {
    let is_invisible = |c: &char| {
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{61c}' | '\u{feff}' | '\u{2028}' | '\u{2029}')
    };
    let mut line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .filter(|c| !is_invisible(c))
        .take(MAX_CHARS + 1)
        .collect();
    if line.chars().count() > MAX_CHARS {
        line = line.chars().take(MAX_CHARS).chain(['…']).collect();
    }
    line
}

fn escape_into(out: &mut String, text: &str) {
    for (index, c) in text.char_indices() {
        escape_char_into(out, c);
        let so_far = &text[..index + c.len_utf8()];
        if so_far.ends_with("://") || so_far.ends_with("www.") {
            out.push('\u{200b}');
        }
    }
}

fn escape_char_into(out: &mut String, c: char) {
    match c {
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '&' => out.push_str("&amp;"),
        // A backslash stops neither mentions nor references nor links; a gap does.
        '@' | '#' => out.extend([c, '\u{200b}']),
        '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '|' | '~' | '!' => out.extend(['\\', c]),
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_cannot_be_left() {
        assert_eq!(code("a`b|c"), "`a'b\\|c`");
        assert_eq!(code("x\ny\u{202e}z"), "`x yz`");
        assert_eq!(code("end\\"), "` end\\ `");
        assert_eq!(code(""), "`  `");
    }

    #[test]
    fn prose_keeps_names_in_code_and_escapes_the_rest() {
        assert_eq!(prose("`area_um2` moved *much*"), "`area_um2` moved \\*much\\*");
        assert_eq!(prose("one ` alone"), "one  alone");
        assert_eq!(
            prose("hey @octocat, see #12 <!-- x"),
            "hey @\u{200b}octocat, see #\u{200b}12 &lt;\\!-- x"
        );
        assert_eq!(prose("a|b"), "a\\|b");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(prose(&"x".repeat(70_000)).chars().count(), MAX_CHARS + 1);
    }
}
