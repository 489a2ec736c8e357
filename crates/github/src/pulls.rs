//! Pulls: pull requests, their reviews, and what a person may do in the repository.

use super::address::encode_segment;
use super::client::Client;
use super::comments::Account;
use super::error::GitHubError;
use serde::Deserialize;

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// `open` or `closed`.
    pub state: String,
    /// Who opened it; absent for accounts that are gone.
    pub user: Option<Account>,
    /// Branch to merge.
    pub head: Side,
    /// Branch to merge into.
    pub base: Side,
}

/// One side of a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Side {
    /// The branch's newest commit.
    pub sha: String,
    /// The branch.
    #[serde(rename = "ref")]
    pub branch: String,
    /// The repository; absent when it was deleted.
    pub repo: Option<Named>,
}

/// A repository, by name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Named {
    /// `OWNER/NAME`.
    pub full_name: String,
}

/// A review of a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Review {
    /// Its id.
    pub id: u64,
    /// Who reviewed; absent for accounts that are gone.
    pub user: Option<Account>,
    /// `APPROVED`, `CHANGES_REQUESTED`, `COMMENTED`, `DISMISSED` or `PENDING`.
    pub state: String,
    /// The commit that was looked at.
    pub commit_id: Option<String>,
}

/// Role of a person in the repository, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Nothing.
    None,
    /// Read.
    Read,
    /// Sort issues.
    Triage,
    /// Push.
    Write,
    /// Push and settings that do not endanger.
    Maintain,
    /// Everything.
    Admin,
}

impl Role {
    /// The word that GitHub uses; `None` for a role of an organization's own making.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "none" => Self::None,
            "read" | "pull" => Self::Read,
            "triage" => Self::Triage,
            "write" | "push" => Self::Write,
            "maintain" => Self::Maintain,
            "admin" => Self::Admin,
            _ => return None,
        })
    }

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }
}

impl Pull {
    /// Whether its head is this commit of this repository, now, and it is open.
    #[must_use]
    pub fn is_at(&self, head_sha: &str, head_repository: &str) -> bool {
        let repository = self.head.repo.as_ref();
        self.state == "open"
            && self.head.sha == head_sha
            && repository.is_some_and(|r| r.full_name.eq_ignore_ascii_case(head_repository))
    }
}

impl Client {
    /// A pull request, as it is now.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn pull(&self, number: u64) -> Result<Pull, GitHubError> {
        self.get(&format!("/pulls/{number}")).await
    }

    /// The pull requests that a commit belongs to.
    ///
    /// # Edge cases
    /// A commit that the repository does not know has none.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn pulls_of_commit(&self, sha: &str) -> Result<Vec<Pull>, GitHubError> {
        let result = self.list(&format!("/commits/{}/pulls", encode_segment(sha)), None, 5).await;
        match result {
            Err(error) if matches!(error.status(), Some(404 | 422)) => Ok(Vec::new()),
            result => result,
        }
    }

    /// All open pull requests, those first that changed last.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn open_pulls(&self) -> Result<Vec<Pull>, GitHubError> {
        self.list("/pulls?state=open&sort=updated&direction=desc", None, usize::MAX).await
    }

    /// The open pull requests of a branch; `owner` is who the head's repository belongs to.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn open_pulls_of(&self, owner: &str, branch: &str) -> Result<Vec<Pull>, GitHubError> {
        let head = encode_segment(&format!("{owner}:{branch}"));
        self.list(&format!("/pulls?state=open&head={head}"), None, 5).await
    }

    /// The reviews of a pull request, the oldest first.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn reviews(&self, number: u64) -> Result<Vec<Review>, GitHubError> {
        self.list(&format!("/pulls/{number}/reviews"), None, usize::MAX).await
    }

    /// Role of a person in the repository.
    ///
    /// # Edge cases
    /// A custom role of an organization counts as the standard one that it extends. A login that
    /// does not exist has `Role::None`.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn role(&self, login: &str) -> Result<Role, GitHubError> {
        #[derive(Deserialize)]
        struct Answer {
            permission: String,
            role_name: Option<String>,
        }
        let path = format!("/collaborators/{}/permission", encode_segment(login));
        let answer: Answer = match self.get(&path).await {
            Err(error) if error.is_not_found() => return Ok(Role::None),
            answer => answer?,
        };
        let role = answer.role_name.as_deref().and_then(Role::parse);
        Ok(role.or_else(|| Role::parse(&answer.permission)).unwrap_or(Role::None))
    }
}
