//! Permission: which right an endpoint needs, and the line that grants it.
//!
//! # Sources
//! GitHub Docs, Permissions required for GitHub Apps; Workflow syntax, `permissions`.

use std::fmt;

/// A right of the workflow's token, as it stands under `permissions:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Comments and reviews of pull requests.
    PullRequestsWrite,
    /// Reading pull requests.
    PullRequestsRead,
    /// Check runs.
    ChecksWrite,
    /// Reading check runs.
    ChecksRead,
    /// Branches and files.
    ContentsWrite,
    /// Reading branches and files.
    ContentsRead,
    /// Running failed jobs again.
    ActionsWrite,
    /// Artifacts of other runs.
    ActionsRead,
    /// Deployments.
    DeploymentsWrite,
    /// Reading deployments.
    DeploymentsRead,
    /// Issues.
    IssuesWrite,
    /// Reading issues.
    IssuesRead,
}

impl Permission {
    /// The right that a call needs, told from its path below the repository.
    ///
    /// # Edge cases
    /// Conversation comments take `pull-requests: write` on a pull request and `issues: write` on
    /// an issue; the former is named, since comments of the gate stand on pull requests.
    #[must_use]
    pub fn needed_for(path: &str, is_reading: bool) -> Option<Self> {
        let mut parts = path.trim_start_matches('/').split('/');
        let (first, rest) = (parts.next()?, parts.collect::<Vec<_>>());
        let is_comment = rest.contains(&"comments");
        let right = |read, write| Some(if is_reading { read } else { write });
        match first {
            "issues" if is_comment => right(Self::PullRequestsRead, Self::PullRequestsWrite),
            "issues" => right(Self::IssuesRead, Self::IssuesWrite),
            "pulls" => right(Self::PullRequestsRead, Self::PullRequestsWrite),
            "check-runs" => right(Self::ChecksRead, Self::ChecksWrite),
            "commits" if rest.last() == Some(&"check-runs") => Some(Self::ChecksRead),
            "commits" if rest.last() == Some(&"pulls") => Some(Self::PullRequestsRead),
            "git" | "contents" | "compare" | "commits" => {
                right(Self::ContentsRead, Self::ContentsWrite)
            }
            "actions" => right(Self::ActionsRead, Self::ActionsWrite),
            "deployments" => right(Self::DeploymentsRead, Self::DeploymentsWrite),
            _ => None,
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PullRequestsWrite => "pull-requests: write",
            Self::PullRequestsRead => "pull-requests: read",
            Self::ChecksWrite => "checks: write",
            Self::ChecksRead => "checks: read",
            Self::ContentsWrite => "contents: write",
            Self::ContentsRead => "contents: read",
            Self::ActionsWrite => "actions: write",
            Self::ActionsRead => "actions: read",
            Self::DeploymentsWrite => "deployments: write",
            Self::DeploymentsRead => "deployments: read",
            Self::IssuesWrite => "issues: write",
            Self::IssuesRead => "issues: read",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, is_reading: bool, line: &str) {
        let line = Some(line).filter(|line| !line.is_empty()).map(str::to_owned);
        assert_eq!(Permission::needed_for(path, is_reading).map(|right| right.to_string()), line);
    }

    #[test]
    fn each_endpoint_names_its_right() {
        check("/issues/7/comments", false, "pull-requests: write");
        check("/issues/comments/9", false, "pull-requests: write");
        check("/issues/9", false, "issues: write");
        check("/pulls/7/reviews", true, "pull-requests: read");
        check("/check-runs", false, "checks: write");
        check("/commits/abc/check-runs", true, "checks: read");
        check("/commits/abc/pulls", true, "pull-requests: read");
        check("/git/refs/heads/x", false, "contents: write");
        check("/contents/cellgate.yaml", true, "contents: read");
        check("/actions/runs/1/artifacts", true, "actions: read");
        check("/actions/runs/1/rerun-failed-jobs", false, "actions: write");
        check("/deployments/1/statuses", false, "deployments: write");
        check("/nothing", false, "");
    }
}
