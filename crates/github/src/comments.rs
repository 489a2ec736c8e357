//! Comments: those of a pull request's conversation, and reactions to them.

use super::client::{Client, Repeat};
use super::error::GitHubError;
use http::Method;
use serde::Deserialize;
use serde_json::json;

/// A comment of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Comment {
    /// Its id.
    pub id: u64,
    /// Text of the comment; anybody may write anything.
    pub body: Option<String>,
    /// Who wrote it; absent for accounts that are gone.
    pub user: Option<Account>,
    /// Where people see it.
    pub html_url: String,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Account {
    /// Its login; an app's ends with `[bot]`.
    pub login: String,
}

/// Reaction to a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// Seen.
    Eyes,
    /// Done.
    Rocket,
    /// Not understood.
    Confused,
}

impl Reaction {
    fn as_str(self) -> &'static str {
        match self {
            Self::Eyes => "eyes",
            Self::Rocket => "rocket",
            Self::Confused => "confused",
        }
    }
}

impl Comment {
    /// Whether this login wrote it.
    #[must_use]
    pub fn is_by(&self, login: &str) -> bool {
        self.user.as_ref().is_some_and(|user| user.login == login)
    }

    /// Whether its text is this one; GitHub trims what it is given.
    fn has_text(&self, text: &str) -> bool {
        let normalize = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
        self.body.as_deref().is_some_and(|body| normalize(body) == normalize(text))
    }
}

impl Client {
    /// Who the token speaks for.
    ///
    /// # Edge cases
    /// An app's token may not ask this; a workflow's own is known by its prefix to be
    /// `github-actions[bot]`'s or another app's, whose first comment will tell.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn login(&self) -> Result<String, GitHubError> {
        const WORKFLOW: &str = "github-actions[bot]";
        if self.is_installation_token() {
            return Ok(WORKFLOW.to_owned());
        }
        match self.get_global::<Account>("/user").await {
            Ok(account) => Ok(account.login),
            Err(error) if error.is_forbidden() => Ok(WORKFLOW.to_owned()),
            Err(error) => Err(error),
        }
    }

    /// Every comment of an issue's or a pull request's conversation, the oldest first.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn comments(&self, number: u64) -> Result<Vec<Comment>, GitHubError> {
        self.list(&format!("/issues/{number}/comments"), None, usize::MAX).await
    }

    /// Posts a comment, once: where the answer is lost, it is looked for before it is repeated.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn create_comment(&self, number: u64, body: &str) -> Result<Comment, GitHubError> {
        let path = format!("/issues/{number}/comments");
        let payload = json!({"body": body});
        let post = async || self.send(Method::POST, &path, &payload, Repeat::IfRefused).await;
        let look = async || {
            let found = self.comments(number).await?;
            Ok(found.into_iter().rev().find(|comment: &Comment| comment.has_text(body)))
        };
        self.do_once(post, look).await
    }

    /// Replaces a comment's text.
    ///
    /// # Errors
    /// [`GitHubError`]; [`GitHubError::is_not_found`] when somebody has deleted it.
    pub async fn update_comment(&self, id: u64, body: &str) -> Result<Comment, GitHubError> {
        let path = format!("/issues/comments/{id}");
        self.send(Method::PATCH, &path, &json!({"body": body}), Repeat::Always).await
    }

    /// Deletes a comment; one that is gone already counts as deleted.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn delete_comment(&self, id: u64) -> Result<(), GitHubError> {
        let path = format!("/issues/comments/{id}");
        match self.execute(Method::DELETE, &path, Repeat::Always).await {
            Err(error) if error.is_not_found() => Ok(()),
            result => result,
        }
    }

    /// Reacts to a comment; the same reaction twice is one.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn react(&self, id: u64, reaction: Reaction) -> Result<(), GitHubError> {
        let path = format!("/issues/comments/{id}/reactions");
        let payload = json!({"content": reaction.as_str()});
        self.send::<serde::de::IgnoredAny>(Method::POST, &path, &payload, Repeat::Always)
            .await
            .map(|_| ())
    }
}
