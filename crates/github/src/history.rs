//! History: the last verdicts of a pull request, kept in the comment itself.
//!
//! They stand in a line that people do not see. Whoever may edit the comment may have changed that
//! line, so it is read strictly: what does not have the form is as if it were not there.

use cellgate_core::digest::Digest;
use cellgate_gate::verdict::Verdict;
use std::fmt::Write as _;

/// Verdicts that are kept.
const MAX_ENTRIES: usize = 10;

/// The line is read up to this length, in bytes.
const MAX_LINE: usize = 2000;

const OPENING: &str = "<!-- cellgate-history";
const CLOSING: &str = " -->";

/// One verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The commit that was judged.
    pub commit: String,
    /// The verdict; absent where a run gave no report.
    pub verdict: Option<Verdict>,
    /// The beginning of the report's digest; absent with the report.
    pub digest: Option<String>,
}

impl Entry {
    /// An entry for a report, or for a run that gave none.
    #[must_use]
    pub fn new(commit: &str, report: Option<(Verdict, Digest)>) -> Self {
        let (verdict, digest) = report.unzip();
        Self { commit: commit.to_owned(), verdict, digest: digest.map(|digest| digest.short()) }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (commit, verdict, digest) = (parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        let is_commit = matches!(commit.len(), 40 | 64) && is_hex(commit);
        let is_digest = digest.len() == 12 && is_hex(digest);
        let (verdict, digest) = match (verdict, digest) {
            ("none", "none") => (None, None),
            (word, digest) if is_digest => {
                let verdict = Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == word)?;
                (Some(verdict), Some(digest.to_owned()))
            }
            _ => return None,
        };
        let is_sound = is_commit && parts.next().is_none();
        is_sound.then(|| Self { commit: commit.to_owned(), verdict, digest })
    }

    fn verdict_and_digest(&self) -> (&'static str, &str) {
        (self.verdict.map_or("none", Verdict::as_str), self.digest.as_deref().unwrap_or("none"))
    }
}

/// Reads the verdicts out of a comment's second line, the newest first.
#[must_use]
pub fn parse(comment: &str) -> Vec<Entry> {
    let line = comment.lines().nth(1).filter(|line| line.len() <= MAX_LINE);
    let content = line.and_then(|line| line.strip_prefix(OPENING)?.strip_suffix(CLOSING));
    let entries = content.into_iter().flat_map(str::split_whitespace).filter_map(Entry::parse);
    entries.take(MAX_ENTRIES).collect()
}

/// The verdicts with a new one before them; a commit that is judged again replaces its last one.
#[must_use]
pub fn prepend(mut earlier: Vec<Entry>, newest: Entry) -> Vec<Entry> {
    if earlier.first().is_some_and(|entry| entry.commit == newest.commit) {
        earlier.remove(0);
    }
    earlier.insert(0, newest);
    earlier.truncate(MAX_ENTRIES);
    earlier
}

/// The line that keeps the verdicts.
#[must_use]
pub fn line(entries: &[Entry]) -> String {
    let mut line = OPENING.to_owned();
    for entry in entries {
        let (verdict, digest) = entry.verdict_and_digest();
        // Writing to a text cannot fail.
        let _ = write!(line, " {}:{verdict}:{digest}", entry.commit);
    }
    line + CLOSING
}

/// The verdicts before the newest one, folded; nothing where there are none.
#[must_use]
pub fn render_earlier(entries: &[Entry]) -> String {
    let earlier = entries.get(1..).unwrap_or_default();
    if earlier.is_empty() {
        return String::new();
    }
    let mut text = "<details><summary>Earlier verdicts</summary>\n\n\
        | commit | verdict | report |\n|---|---|---|\n"
        .to_owned();
    for entry in earlier {
        let (verdict, digest) = entry.verdict_and_digest();
        let _ = writeln!(text, "| {} | {verdict} | `{digest}` |", entry.commit);
    }
    text + "\n</details>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(letter: char, verdict: Option<Verdict>) -> Entry {
        let commit = letter.to_string().repeat(40);
        let digest = Digest::of_bytes(commit.as_bytes());
        Entry::new(&commit, verdict.map(|verdict| (verdict, digest)))
    }

    #[test]
    fn verdicts_are_read_back_as_written() {
        let entries = vec![entry('a', Some(Verdict::Drifted)), entry('b', None)];
        let comment = format!("<!-- marker -->\n{}\ntext", line(&entries));
        assert_eq!(parse(&comment), entries);
        assert!(render_earlier(&entries).contains(&"b".repeat(40)));
        assert!(!render_earlier(&entries).contains(&"a".repeat(40)));
        assert_eq!(render_earlier(&entries[..1]), "");
    }

    #[test]
    fn what_does_not_have_the_form_is_not_there() {
        let good = "a".repeat(40) + ":drifted:0123456789ab";
        let read = |line: &str| parse(&format!("<!-- marker -->\n{line}\n")).len();
        assert_eq!(read(&format!("{OPENING} {good}{CLOSING}")), 1);
        for bad in [
            format!("{good}:x"),
            good.replace("drifted", "@everyone"),
            good.replace("0123456789ab", "`::error::`"),
            good.replace('a', "A"),
            "-->".to_owned(),
        ] {
            assert_eq!(read(&format!("{OPENING} {bad}{CLOSING}")), 0, "{bad}");
        }
        assert_eq!(read(&format!("{OPENING} {}{CLOSING}", (good.clone() + " ").repeat(9999))), 0);
        assert_eq!(parse(&format!("text\ntext\n{OPENING} {good}{CLOSING}")), []);
    }

    #[test]
    fn history_is_bounded_and_a_commit_stands_once() {
        let mut entries = Vec::new();
        for letter in "0123456789abcdef".chars() {
            entries = prepend(entries, entry(letter, Some(Verdict::Unchanged)));
            entries = prepend(entries, entry(letter, Some(Verdict::Broken)));
        }
        assert_eq!(entries.len(), MAX_ENTRIES);
        assert_eq!(entries[0], entry('f', Some(Verdict::Broken)));
        assert_eq!(entries[1], entry('e', Some(Verdict::Broken)));
        assert!(line(&entries).len() <= MAX_LINE);
    }
}
