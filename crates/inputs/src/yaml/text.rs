//! Text: checks of a file before it is parsed.
//!
//! Takes bytes or a source, gives a source or findings about size, encoding and characters.

use crate::finding::{Code, Finding};
use crate::source::{Place, Source};

/// Largest file that people write by hand, in bytes.
pub const MAX_HAND_WRITTEN_BYTES: u64 = 256 * 1024;

/// Largest dataset manifest, in bytes.
pub const MAX_MANIFEST_BYTES: u64 = 4 * 1024 * 1024;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Makes a source of a file's bytes, without a byte order mark.
///
/// # Errors
/// A finding when the bytes are not UTF-8; its place is the first wrong byte.
pub fn source_from_bytes(path: &str, bytes: &[u8]) -> Result<Source, Finding> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(path, text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text))),
        Err(error) => {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
            let end = valid.len();
            let place = Place::of_bytes(&Source::new(path, valid), end, end);
            let message = "the file is not UTF-8 text";
            let help = "save it as UTF-8; UTF-16 and Latin-1 are not read";
            Err(Finding::error(Code::TextNotUtf8, place, message).help(help))
        }
    }
}

/// The source without a byte order mark.
pub(super) fn strip_byte_order_mark(source: &Source) -> Source {
    match source.text.strip_prefix(BYTE_ORDER_MARK) {
        Some(text) => Source::new(source.path.clone(), text),
        None => source.clone(),
    }
}

/// Refuses texts that are too large or hold characters that parsers or people read differently.
pub(super) fn check(source: &Source, max_bytes: u64) -> Result<(), Vec<Finding>> {
    let text = &source.text;
    if text.len() as u64 > max_bytes {
        let message = format!("the file has {} bytes; at most {max_bytes} are read", text.len());
        let place = Place::file(source.path.clone());
        return Err(vec![Finding::error(Code::FileTooLarge, place, message)]);
    }
    for (at, character) in text.char_indices() {
        if is_refused(character) || (character == '\r' && !text[at + 1..].starts_with('\n')) {
            let place = Place::of_bytes(source, at, at + character.len_utf8());
            let code = u32::from(character);
            let message = format!("the character U+{code:04X} is not accepted here");
            let help = "delete it; only printable text, spaces, tabs and line ends are read";
            return Err(vec![Finding::error(Code::TextHasNul, place, message).help(help)]);
        }
    }
    Ok(())
}

/// Control characters, further line ends that only some parsers know, and marks that reorder text
/// on the screen.
fn is_refused(character: char) -> bool {
    let is_plain_control = character.is_control() && !matches!(character, '\t' | '\n' | '\r');
    let reorders = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    is_plain_control || reorders || matches!(character, '\u{2028}' | '\u{2029}' | BYTE_ORDER_MARK)
}
