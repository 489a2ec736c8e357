//! Checks: check runs as the API has them.

use super::address::encode_segment;
use super::client::{Client, Repeat};
use super::error::GitHubError;
use http::Method;
use serde::{Deserialize, Serialize};

/// Annotations that one request may carry.
pub const MAX_ANNOTATIONS: usize = 50;

/// A check run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CheckRun {
    /// Its id.
    pub id: u64,
    /// Its name, by which rules require it.
    pub name: String,
    /// The commit that it is about.
    pub head_sha: String,
    /// `queued`, `in_progress` or `completed`.
    pub status: String,
    /// How it ended; absent while it runs.
    pub conclusion: Option<String>,
    /// Id that its maker gave it.
    pub external_id: Option<String>,
    /// The app that made it.
    pub app: Option<App>,
    /// Size of its output.
    pub output: OutputSize,
}

/// An app.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct App {
    /// Its name in addresses: `github-actions`.
    pub slug: Option<String>,
}

/// How much a check run says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct OutputSize {
    /// Annotations that have arrived.
    pub annotations_count: u64,
}

/// Check run to create or to update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckRunDraft {
    /// Its name.
    pub name: String,
    /// The commit; only when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_sha: Option<String>,
    /// Our own id for it, by which we find it again.
    pub external_id: String,
    /// `in_progress` or `completed`.
    pub status: &'static str,
    /// How it ended; with `completed` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<Conclusion>,
    /// Page with more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details_url: Option<String>,
    /// Its text and annotations.
    pub output: CheckOutput,
}

/// How a check run ended. `neutral` is missing on purpose: it does not block a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// It passed.
    Success,
    /// It did not.
    Failure,
    /// A person must act.
    ActionRequired,
    /// It was stopped.
    Cancelled,
    /// It took too long.
    TimedOut,
}

/// Text and annotations of a check run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckOutput {
    /// One line.
    pub title: String,
    /// Markdown, of at most 65,535 characters.
    pub summary: String,
    /// Remarks on lines, at most [`MAX_ANNOTATIONS`]; those of a later request are added.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<Annotation>,
}

/// A remark on lines of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Annotation {
    /// The file, from the repository's top.
    pub path: String,
    /// From 1.
    pub start_line: u32,
    /// The last line, not before the first.
    pub end_line: u32,
    /// From 1; on one line only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_column: Option<u32>,
    /// How much it weighs.
    pub annotation_level: Level,
    /// Plain text of at most 64 KB.
    pub message: String,
    /// At most 255 characters.
    pub title: String,
}

/// How much an annotation weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Worth knowing.
    Notice,
    /// Probably not meant.
    Warning,
    /// Wrong.
    Failure,
}

impl Client {
    /// Check runs of this name on a commit, older ones of the same name too.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn check_runs(&self, sha: &str, name: &str) -> Result<Vec<CheckRun>, GitHubError> {
        let (sha, name) = (encode_segment(sha), encode_segment(name));
        let path = format!("/commits/{sha}/check-runs?check_name={name}&filter=all");
        self.list(&path, Some("check_runs"), usize::MAX).await
    }

    /// Opens a check run, once: where the answer is lost, it is looked for before it is repeated.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn create_check_run(&self, draft: &CheckRunDraft) -> Result<CheckRun, GitHubError> {
        let sha = draft.head_sha.as_deref().unwrap_or_default();
        let open = async || self.send(Method::POST, "/check-runs", draft, Repeat::IfRefused).await;
        let look = async || {
            let found = self.check_runs(sha, &draft.name).await?;
            let is_it = |run: &CheckRun| run.external_id.as_deref() == Some(&draft.external_id);
            Ok(found.into_iter().find(is_it))
        };
        self.do_once(open, look).await
    }

    /// Changes a check run. Annotations are added to those that are there, once: where the answer
    /// is lost, they are counted before they are sent again.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn update_check_run(
        &self,
        run: &CheckRun,
        draft: &CheckRunDraft,
    ) -> Result<CheckRun, GitHubError> {
        let path = format!("/check-runs/{}", run.id);
        let n_added = u64::try_from(draft.output.annotations.len()).unwrap_or(u64::MAX);
        let repeat = if n_added == 0 { Repeat::Always } else { Repeat::IfRefused };
        let change = async || self.send(Method::PATCH, &path, draft, repeat).await;
        let look = async || {
            let current: CheckRun = self.get(&path).await?;
            let has_arrived =
                run.output.annotations_count + n_added <= current.output.annotations_count;
            Ok(has_arrived.then_some(current))
        };
        self.do_once(change, look).await
    }
}
