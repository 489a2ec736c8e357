//! Deployments: records on GitHub of which commit is deployed where.

use super::address::encode_segment;
use super::client::{Client, Repeat};
use super::error::GitHubError;
use http::Method;
use serde::Deserialize;
use serde_json::json;

/// Descriptions may have this many characters.
const MAX_DESCRIPTION: usize = 140;

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub id: u64,
    /// The commit.
    pub sha: String,
    /// Where to.
    pub environment: String,
    /// Its description.
    pub description: Option<String>,
}

/// How far a deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeploymentState {
    /// It runs.
    InProgress,
    /// It is active.
    Success,
    /// It failed, and what was there before is active.
    Failure,
    /// It failed for a reason outside of it, or its end is not known.
    Error,
}

impl DeploymentState {
    fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
        }
    }
}

impl Client {
    /// Tells GitHub of a deployment; the one of the same commit, place and description is taken
    /// where the answer was lost.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn create_deployment(
        &self,
        sha: &str,
        environment: &str,
        description: &str,
    ) -> Result<Deployment, GitHubError> {
        let description: String = description.chars().take(MAX_DESCRIPTION).collect();
        // What gates a deployment is cellgate itself: no other check is waited for.
        let body = json!({
            "ref": sha, "environment": environment, "description": description,
            "auto_merge": false, "required_contexts": [],
        });
        let (commit, place) = (encode_segment(sha), encode_segment(environment));
        let path = format!("/deployments?sha={commit}&environment={place}");
        let make = async || self.send(Method::POST, "/deployments", &body, Repeat::IfRefused).await;
        let look = async || {
            let deployments: Vec<Deployment> = self.list(&path, None, 1).await?;
            let is_it =
                |deployment: &Deployment| deployment.description.as_deref() == Some(&description);
            Ok(deployments.into_iter().find(is_it))
        };
        self.do_once(make, look).await
    }

    /// Tells how far a deployment is; `log` is a page with more.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn set_deployment_state(
        &self,
        deployment: u64,
        state: DeploymentState,
        description: &str,
        log: Option<&str>,
    ) -> Result<(), GitHubError> {
        let description: String = description.chars().take(MAX_DESCRIPTION).collect();
        let mut body = json!({"state": state.as_str(), "description": description});
        if let Some(log) = log {
            body["log_url"] = json!(log);
        }
        let path = format!("/deployments/{deployment}/statuses");
        self.send::<serde::de::IgnoredAny>(Method::POST, &path, &body, Repeat::Always)
            .await
            .map(|_| ())
    }
}
