//! Error: why GitHub did not do what was asked, in words that say what to do next.

use super::address::AddressError;
use super::connect::ConnectError;
use super::permission::Permission;
use cellgate_gate::report::findings::neutralize_line;
use std::fmt;
use std::time::Duration;

/// Method and path of a request, without the base of its address. Holds no token and shows none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `GET`, `POST`, `PATCH`, `PUT` or `DELETE`.
    pub method: &'static str,
    /// The path, with its query.
    pub path: String,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path: String = self.path.chars().take(200).collect();
        write!(f, "`{} {}`", self.method, neutralize_line(&path))
    }
}

/// GitHub did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitHubError {
    /// A variable of the runner is missing.
    #[error("`{name}` is not set: {help}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// Advice on what to do.
        help: &'static str,
    },
    /// An address or a name cannot be used.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The token may not do it.
    #[error(
        "the token may not call {endpoint}: {message}; {}",
        .permission.map_or_else(
            || "give the job the permission that it needs".to_owned(),
            |right| format!("add `{right}` to the job's `permissions:`"),
        )
    )]
    Forbidden {
        /// Endpoint of the request.
        endpoint: Endpoint,
        /// GitHub's words.
        message: String,
        /// The right that is missing.
        permission: Option<Permission>,
    },
    /// GitHub refused.
    #[error("{endpoint} was answered with {status}: {message}")]
    Refused {
        /// Endpoint of the request.
        endpoint: Endpoint,
        /// The HTTP status.
        status: u16,
        /// GitHub's words.
        message: String,
    },
    /// The rate limit is used up for longer than is waited.
    #[error(
        "GitHub limits how often it is asked: {endpoint} is answered again in {} s, which is \
         longer than is waited; run the job again then",
        .wait.as_secs()
    )]
    Limited {
        /// Endpoint of the request.
        endpoint: Endpoint,
        /// How long it would take.
        wait: Duration,
    },
    /// GitHub did not answer, and nothing was done.
    #[error("{endpoint} got no answer after {n_attempts} attempts: {why}")]
    Unreachable {
        /// Endpoint of the request.
        endpoint: Endpoint,
        /// How often it was tried.
        n_attempts: u32,
        /// Cause of the last failure.
        why: String,
    },
    /// The answer was lost: the deed may be done or not.
    #[error("the answer to {endpoint} was lost, so it may be done or not: {why}")]
    AnswerLost {
        /// Endpoint of the request.
        endpoint: Endpoint,
        /// Cause of the loss.
        why: String,
    },
    /// An answer is larger than what is read.
    #[error("the answer to {endpoint} has more than the {limit} bytes that are read")]
    TooLarge {
        /// Endpoint of the request.
        endpoint: Endpoint,
        /// Bytes that are read at most.
        limit: usize,
    },
    /// A list has more pages than are read.
    #[error("the list {endpoint} has more than the {limit} pages that are read")]
    TooManyPages {
        /// Endpoint of the request.
        endpoint: Endpoint,
        /// Pages that are read at most.
        limit: usize,
    },
    /// An answer is not what GitHub documents.
    #[error("the answer to {endpoint} cannot be understood: {why}")]
    Malformed {
        /// Endpoint of the request.
        endpoint: Endpoint,
        /// Fault of the answer.
        why: String,
    },
    /// Somebody else changed the branch in the meantime.
    #[error("`{reference}` was moved by somebody else in the meantime")]
    Moved {
        /// The branch.
        reference: String,
    },
    /// The way to GitHub cannot be set up.
    #[error("no connection to GitHub can be set up: {0}")]
    Setup(#[source] ConnectError),
}

impl GitHubError {
    /// Whether what was asked about is not there, or hidden from the token.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether the token lacks a right.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Forbidden { .. })
    }

    /// The status of a refusal.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Forbidden { .. } => Some(403),
            _ => None,
        }
    }
}

/// GitHub's words about a refusal, on one bounded line; strangers may have written some of them.
pub(super) fn message(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Refusal {
        message: String,
        #[serde(default)]
        errors: Vec<serde_json::Value>,
    }
    const MAX_CHARS: usize = 400;
    let text = match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => {
            let details = refusal.errors.iter().take(5).map(|error| {
                let message = error.get("message").and_then(|message| message.as_str());
                message.map_or_else(|| error.to_string(), str::to_owned)
            });
            std::iter::once(refusal.message).chain(details).collect::<Vec<_>>().join("; ")
        }
        Err(_) if body.is_empty() => "no words".to_owned(),
        Err(_) => String::from_utf8_lossy(&body[..body.len().min(4 * MAX_CHARS)]).into_owned(),
    };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    neutralize_line(&line).chars().take(MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_is_named_with_its_line() {
        let error = GitHubError::Forbidden {
            endpoint: Endpoint { method: "POST", path: "/repos/o/t/check-runs".to_owned() },
            message: "Resource not accessible by integration".to_owned(),
            permission: Some(Permission::ChecksWrite),
        };
        assert_eq!(
            error.to_string(),
            "the token may not call `POST /repos/o/t/check-runs`: Resource not accessible by \
             integration; add `checks: write` to the job's `permissions:`"
        );
    }

    #[test]
    fn words_of_a_refusal_are_one_harmless_line() {
        let body =
            br###"{"message": "no\n::error::x", "errors": [{"message": "##[set-output]"}]}"###;
        assert_eq!(message(body), "no ::error::x; # #[set-output]");
        assert_eq!(message(b""), "no words");
        assert!(message(&[b'x'; 300_000]).len() <= 400);
    }
}
