//! Git: objects and branches of the repository, through the API.
//!
//! Objects are named by their content, so writing one twice is writing it once. A branch is moved
//! only forward from where it was seen.

use super::address::{encode_path, encode_segment};
use super::client::{Client, Repeat, endpoint};
use super::error::GitHubError;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::json;

/// The media type of a file as it is.
const RAW: &str = "application/vnd.github.raw+json";

#[derive(Deserialize)]
struct Object {
    sha: String,
}

#[derive(Deserialize)]
struct Reference {
    object: Object,
}

impl Client {
    /// The commit that a branch stands at; `None` when there is no such branch.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn branch(&self, name: &str) -> Result<Option<String>, GitHubError> {
        match self.get::<Reference>(&format!("/git/ref/heads/{}", encode_path(name))).await {
            Ok(reference) => Ok(Some(reference.object.sha)),
            Err(error) if error.is_not_found() => Ok(None),
            // An empty repository has no branch at all.
            Err(error) if error.status() == Some(409) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a branch.
    ///
    /// # Errors
    /// [`GitHubError::Moved`] when it is there already, at another commit; all others.
    pub async fn create_branch(&self, name: &str, sha: &str) -> Result<(), GitHubError> {
        let body = json!({"ref": format!("refs/heads/{name}"), "sha": sha});
        let result: Result<Reference, _> =
            self.send(Method::POST, "/git/refs", &body, Repeat::Always).await;
        match result {
            Ok(_) => Ok(()),
            // It may be ours, of an attempt whose answer was lost.
            Err(error) if error.status() == Some(422) => match self.branch(name).await? {
                Some(found) if found == sha => Ok(()),
                Some(_) => Err(GitHubError::Moved { reference: name.to_owned() }),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Moves a branch forward; never by force.
    ///
    /// # Errors
    /// [`GitHubError::Moved`] when somebody was faster; all others.
    pub async fn advance_branch(&self, name: &str, sha: &str) -> Result<(), GitHubError> {
        let place = format!("/git/refs/heads/{}", encode_path(name));
        let body = json!({"sha": sha, "force": false});
        let result: Result<Reference, _> =
            self.send(Method::PATCH, &place, &body, Repeat::Always).await;
        match result {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.status(), Some(409 | 422)) => {
                // Ours may be in it already, of an attempt whose answer was lost.
                match self.branch(name).await? {
                    Some(tip) if tip == sha || self.is_ancestor(sha, &tip).await? => Ok(()),
                    Some(_) => Err(GitHubError::Moved { reference: name.to_owned() }),
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Whether one commit is the other or comes before it.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn is_ancestor(&self, sha: &str, of: &str) -> Result<bool, GitHubError> {
        #[derive(Deserialize)]
        struct Comparison {
            status: String,
        }
        let place = format!("/compare/{}...{}?per_page=1", encode_segment(sha), encode_segment(of));
        match self.get::<Comparison>(&place).await {
            Ok(found) => Ok(matches!(found.status.as_str(), "ahead" | "identical")),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes a file's content and gives its name.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn create_blob(&self, content: &[u8]) -> Result<String, GitHubError> {
        let body = json!({"content": BASE64_STANDARD.encode(content), "encoding": "base64"});
        let blob: Object = self.send(Method::POST, "/git/blobs", &body, Repeat::Always).await?;
        Ok(blob.sha)
    }

    /// Writes a folder of files, by path and blob, over another one or alone; gives its name.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn create_tree(
        &self,
        base: Option<&str>,
        files: &[(String, String)],
    ) -> Result<String, GitHubError> {
        let entry = |(path, sha): &(String, String)| json!({"path": path, "mode": "100644", "type": "blob", "sha": sha});
        let mut body = json!({"tree": files.iter().map(entry).collect::<Vec<_>>()});
        if let Some(base) = base {
            body["base_tree"] = json!(base);
        }
        let tree: Object = self.send(Method::POST, "/git/trees", &body, Repeat::Always).await?;
        Ok(tree.sha)
    }

    /// Writes a commit and gives its name.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn create_commit(
        &self,
        message: &str,
        tree: &str,
        parents: &[&str],
    ) -> Result<String, GitHubError> {
        let body = json!({"message": message, "tree": tree, "parents": parents});
        let commit: Object = self.send(Method::POST, "/git/commits", &body, Repeat::Always).await?;
        Ok(commit.sha)
    }

    /// The folder that a commit holds.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub async fn tree_of(&self, commit: &str) -> Result<String, GitHubError> {
        #[derive(Deserialize)]
        struct Commit {
            tree: Object,
        }
        let found: Commit = self.get(&format!("/git/commits/{}", encode_segment(commit))).await?;
        Ok(found.tree.sha)
    }

    /// The bytes of a file at a branch or commit; `None` when it is not there.
    ///
    /// # Errors
    /// [`GitHubError::TooLarge`] beyond `n_bytes`; [`GitHubError::Malformed`] for a folder.
    pub async fn file_at(
        &self,
        file: &str,
        revision: &str,
        n_bytes: usize,
    ) -> Result<Option<Vec<u8>>, GitHubError> {
        let place = format!("/contents/{}?ref={}", encode_path(file), encode_segment(revision));
        let mut call = self.call(Method::GET, &self.repository_path(&place), None, Repeat::Always);
        call.accept = RAW;
        call.n_bytes = n_bytes;
        let answer = match self.answer(&call).await {
            Err(error) if error.is_not_found() => return Ok(None),
            answer => answer?,
        };
        let kind = answer.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(|kind| kind.contains("raw")) {
            let why = format!("`{}` is not a file", file.chars().take(200).collect::<String>());
            return Err(GitHubError::Malformed { endpoint: endpoint(&call), why });
        }
        Ok(Some(answer.body))
    }
}
