//! Runs: workflow runs, what they left behind, and running their failed jobs again.

use super::address::encode_segment;
use super::client::{Client, Repeat, endpoint};
use super::error::GitHubError;
use cellgate_core::digest::Digest;
use http::Method;
use serde::Deserialize;

/// A workflow run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: u64,
    /// The workflow's name; whoever writes the workflow chooses it.
    pub name: Option<String>,
    /// The workflow's file: `.github/workflows/gate.yml`.
    pub path: Option<String>,
    /// The event that started it.
    pub event: String,
    /// The commit that it ran for.
    pub head_sha: String,
    /// `queued`, `in_progress`, `completed` and others.
    pub status: Option<String>,
    /// How it ended; absent while it runs.
    pub conclusion: Option<String>,
    /// Which attempt it is, from 1.
    pub run_attempt: u64,
}

/// A file, or several in an archive, that a run left behind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Artifact {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its size as it is kept.
    pub size_in_bytes: u64,
    /// Whether it is gone.
    pub expired: bool,
    /// `sha256:` and the digest of what is kept; absent for old ones.
    pub digest: Option<String>,
}

impl Client {
    /// A workflow run, as it is now.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn run(&self, id: u64) -> Result<Run, GitHubError> {
        self.get(&format!("/actions/runs/{id}")).await
    }

    /// The runs for a commit, the newest first.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn runs_of(&self, head_sha: &str) -> Result<Vec<Run>, GitHubError> {
        let path = format!("/actions/runs?head_sha={}", encode_segment(head_sha));
        self.list(&path, Some("workflow_runs"), usize::MAX).await
    }

    /// Runs the failed jobs of a run again, once: where the answer is lost, the run is looked at.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn rerun_failed_jobs(&self, id: u64) -> Result<(), GitHubError> {
        let path = format!("/actions/runs/{id}/rerun-failed-jobs");
        let rerun = async || self.execute(Method::POST, &path, Repeat::IfRefused).await;
        let look = async || {
            let is_over = self.run(id).await?.status.as_deref() == Some("completed");
            Ok((!is_over).then_some(()))
        };
        self.do_once(rerun, look).await
    }

    /// Artifacts of a run under a name, the newest first.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn artifacts(&self, run: u64, name: &str) -> Result<Vec<Artifact>, GitHubError> {
        let path = format!("/actions/runs/{run}/artifacts?name={}", encode_segment(name));
        let mut found: Vec<Artifact> = self.list(&path, Some("artifacts"), 5).await?;
        found.retain(|artifact| artifact.name == name);
        found.sort_by_key(|artifact| std::cmp::Reverse(artifact.id));
        Ok(found)
    }

    /// The bytes of an artifact as they are kept: an archive, or the one file itself.
    ///
    /// The store is another host; the token does not go there.
    ///
    /// # Errors
    /// [`GitHubError::TooLarge`] beyond `n_bytes`; [`GitHubError::Malformed`] when the bytes are
    /// not those that the artifact's digest names; all others.
    pub async fn download(
        &self,
        artifact: &Artifact,
        n_bytes: usize,
    ) -> Result<Vec<u8>, GitHubError> {
        let path = self.repository_path(&format!("/actions/artifacts/{}/zip", artifact.id));
        let mut call = self.call(Method::GET, &path, None, Repeat::Always);
        call.n_bytes = n_bytes;
        call.may_leave = true;
        if usize::try_from(artifact.size_in_bytes).map_or(true, |size| size > n_bytes) {
            return Err(GitHubError::TooLarge { endpoint: endpoint(&call), limit: n_bytes });
        }
        let body = self.answer(&call).await?.body;
        let digest = artifact.digest.as_deref().and_then(|digest| digest.strip_prefix("sha256:"));
        match digest {
            Some(digest) if digest != Digest::of_bytes(&body).to_string() => {
                let why = "its bytes are not those that its digest names".to_owned();
                Err(GitHubError::Malformed { endpoint: endpoint(&call), why })
            }
            _ => Ok(body),
        }
    }
}
