//! Comment: the one comment of a gate on a pull request, kept current in place.
//!
//! It is known by a marker that nobody sees *and* by who wrote it: another's comment with the same
//! marker is never touched. It is written by ourselves from the report's values; text of the change
//! is escaped where it lands.

use super::client::Client;
use super::comments::Comment;
use super::error::GitHubError;
use super::history::{self, Entry};
use std::str::FromStr;

/// Bytes of a comment, the largest first: each rung is tried when the one before is refused.
const RUNGS: [usize; 4] = [60_000, 30_000, 10_000, 3_000];

/// When a comment is made. One that is there is always kept current, so that red turns to green.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// For every verdict.
    Always,
    /// When something changed or somebody must act.
    OnChange,
    /// Never.
    Never,
}

/// The name of a gate, where a repository has several: lowercase letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateName(String);

/// Not a gate's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a gate's name has 1 to 40 lowercase letters, digits and hyphens")]
pub struct GateNameError;

impl GateName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The line that a gate's comment begins with.
    fn marker(&self) -> String {
        format!("<!-- cellgate:{} -->", self.0)
    }
}

impl FromStr for GateName {
    type Err = GateNameError;

    fn from_str(text: &str) -> Result<Self, GateNameError> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        // Two hyphens in a row would end the marker.
        let is_sound = (1..=40).contains(&text.len()) && text.chars().all(is_plain);
        if is_sound && !text.contains("--") {
            Ok(Self(text.to_owned()))
        } else {
            Err(GateNameError)
        }
    }
}

/// Content of a comment, and when to post it.
pub struct Words<'a> {
    /// Whose comment it is.
    pub name: &'a GateName,
    /// When it is made.
    pub policy: Policy,
    /// Whether nothing changed and nobody must act.
    pub is_calm: bool,
    /// The verdict that enters the history.
    pub entry: Entry,
    /// Renders the report in at most so many bytes.
    pub render: &'a (dyn Fn(usize) -> String + Sync),
}

/// Outcome of posting a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// It is new.
    Created(String),
    /// It was changed in place.
    Updated(String),
    /// It says this already.
    Current(String),
    /// There is none, by policy.
    Withheld,
}

/// A comment was posted, and what else is worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Outcome of posting the comment.
    pub posted: Posted,
    /// How many comments of our own were taken away that had become doubles.
    pub n_doubles: usize,
    /// Who the token turned out to speak for, when that was not expected.
    pub learned_author: Option<String>,
}

impl Words<'_> {
    /// The whole comment, after these earlier verdicts, in at most so many bytes.
    #[must_use]
    pub fn text(&self, earlier: Vec<Entry>, max_bytes: usize) -> String {
        let entries = history::prepend(earlier, self.entry.clone());
        let (marker, line) = (self.name.marker(), history::line(&entries));
        let older_verdicts = history::render_earlier(&entries);
        let footer = format!("About commit {}.", self.entry.commit);
        let frame = marker.len() + line.len() + footer.len() + older_verdicts.len() + 10;
        let body = (self.render)(max_bytes.saturating_sub(frame));
        format!("{marker}\n{line}\n\n{}\n\n{footer}\n\n{older_verdicts}", body.trim_end())
    }

    fn is_withheld(&self) -> bool {
        match self.policy {
            Policy::Always => false,
            Policy::OnChange => self.is_calm,
            Policy::Never => true,
        }
    }
}

/// Posts the comment on a pull request, or brings the one that is there up to date.
///
/// `author` is who the token speaks for; when the answer tells somebody else, that one's comment is
/// looked for, too.
///
/// # Errors
/// [`GitHubError`].
pub async fn post(
    client: &Client,
    number: u64,
    author: &str,
    words: &Words<'_>,
) -> Result<Outcome, GitHubError> {
    let marker = words.name.marker();
    let is_ours = |comment: &&Comment, author: &str| {
        let first_line = comment.body.as_deref().and_then(|body| body.lines().next());
        comment.is_by(author) && first_line.map(str::trim_end) == Some(&marker)
    };
    let comments = client.comments(number).await?;
    let mut own_comments: Vec<&Comment> =
        comments.iter().filter(|comment| is_ours(comment, author)).collect();
    own_comments.sort_by_key(|comment| comment.id);
    if let Some((first, doubles)) = own_comments.split_first() {
        return settle(client, number, words, first, doubles).await;
    }
    if words.is_withheld() {
        return Ok(Outcome { posted: Posted::Withheld, n_doubles: 0, learned_author: None });
    }
    let new_comment = create(client, number, words, Vec::new()).await?;
    let login = new_comment.user.as_ref().map(|user| user.login.clone());
    let learned_author = login.filter(|login| login != author);
    // Only now is it known who we are: an older comment of ours may be there after all.
    let older = learned_author.as_deref().and_then(|login| {
        let older = comments
            .iter()
            .filter(|comment| is_ours(comment, login) && comment.id != new_comment.id);
        older.min_by_key(|comment| comment.id)
    });
    let outcome = match older {
        Some(older) => settle(client, number, words, older, &[&new_comment]).await?,
        None => {
            let posted = Posted::Created(new_comment.html_url);
            Outcome { posted, n_doubles: 0, learned_author: None }
        }
    };
    Ok(Outcome { learned_author, ..outcome })
}

/// Brings a comment up to date and takes its doubles away.
async fn settle(
    client: &Client,
    number: u64,
    words: &Words<'_>,
    comment: &Comment,
    doubles: &[&Comment],
) -> Result<Outcome, GitHubError> {
    let posted = update(client, number, words, comment).await?;
    for double in doubles {
        client.delete_comment(double.id).await?;
    }
    Ok(Outcome { posted, n_doubles: doubles.len(), learned_author: None })
}

async fn update(
    client: &Client,
    number: u64,
    words: &Words<'_>,
    comment: &Comment,
) -> Result<Posted, GitHubError> {
    let body = comment.body.as_deref().unwrap_or_default();
    let earlier = history::parse(body);
    for (index, max_bytes) in RUNGS.into_iter().enumerate() {
        let text = words.text(earlier.clone(), max_bytes);
        if index == 0 && text.trim() == body.replace("\r\n", "\n").trim() {
            return Ok(Posted::Current(comment.html_url.clone()));
        }
        match client.update_comment(comment.id, &text).await {
            Ok(comment) => return Ok(Posted::Updated(comment.html_url)),
            Err(error) if error.status() == Some(422) && index + 1 < RUNGS.len() => {}
            // Somebody deleted it since it was listed.
            Err(error) if error.is_not_found() => break,
            Err(error) => return Err(error),
        }
    }
    let new_comment = create(client, number, words, earlier).await?;
    Ok(Posted::Created(new_comment.html_url))
}

async fn create(
    client: &Client,
    number: u64,
    words: &Words<'_>,
    earlier: Vec<Entry>,
) -> Result<Comment, GitHubError> {
    let mut limits = RUNGS.into_iter().peekable();
    loop {
        let max_bytes = limits.next().unwrap_or_default();
        let result = client.create_comment(number, &words.text(earlier.clone(), max_bytes)).await;
        match result {
            // GitHub counts otherwise than it says: the next limit is smaller.
            Err(error) if error.status() == Some(422) && limits.peek().is_some() => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellgate_core::digest::Digest;
    use cellgate_gate::verdict::Verdict;

    #[test]
    fn gates_have_plain_names() {
        assert_eq!("gate".parse::<GateName>().unwrap().marker(), "<!-- cellgate:gate -->");
        for text in ["", "Gate", "a b", "a--b", "-->", "ü", &"x".repeat(41)] {
            assert!(text.parse::<GateName>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_rung_keeps_the_marker_and_its_bound() {
        let name: GateName = "gate".parse().unwrap();
        let render = |max_bytes: usize| "x".repeat(max_bytes);
        let report = (Verdict::Drifted, Digest::of_bytes(b""));
        let entry = Entry::new(&"a".repeat(40), Some(report));
        let words = Words {
            name: &name,
            policy: Policy::Always,
            is_calm: false,
            entry: entry.clone(),
            render: &render,
        };
        let earlier: Vec<Entry> =
            (0..9).map(|n| Entry { commit: format!("{n:040}"), ..entry.clone() }).collect();
        for max_bytes in RUNGS {
            let text = words.text(earlier.clone(), max_bytes);
            assert!(text.starts_with("<!-- cellgate:gate -->\n<!-- cellgate-history "));
            assert!(text.len() <= max_bytes, "{} beyond {max_bytes}", text.len());
            assert_eq!(history::parse(&text).len(), 10);
        }
    }
}
