//! Address: where a file may be fetched from.

use http::Uri;
use std::fmt;
use std::str::FromStr;

/// Longest address, in bytes.
const MAX_BYTES: usize = 2_000;

/// An address that may be asked: https, or http on this machine; without a user in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Uri);

/// The text is no address that may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an address to fetch from: `https://HOST/PATH` is needed, without a user in it")]
pub struct AddressError;

impl Address {
    /// The address to ask.
    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }

    /// Whether it lies on this machine.
    pub(super) fn is_local(&self) -> bool {
        self.0.host().is_some_and(|host| matches!(host, "127.0.0.1" | "localhost" | "[::1]"))
    }

    /// Where an answer leads on to.
    ///
    /// # Errors
    /// [`AddressError`] when it is no address, or leads from https to http.
    pub(super) fn resolve(&self, location: &str) -> Result<Self, AddressError> {
        let next = if location.starts_with('/') && !location.starts_with("//") {
            let authority = self.0.authority().ok_or(AddressError)?;
            let scheme = self.0.scheme_str().ok_or(AddressError)?;
            format!("{scheme}://{authority}{location}")
        } else {
            location.to_owned()
        };
        let next: Self = next.parse()?;
        let is_weaker =
            self.0.scheme_str() == Some("https") && next.0.scheme_str() != Some("https");
        if is_weaker { Err(AddressError) } else { Ok(next) }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if MAX_BYTES < text.len() {
            return Err(AddressError);
        }
        let address = Self(text.parse::<Uri>().map_err(|_| AddressError)?);
        let authority = address.0.authority().ok_or(AddressError)?;
        let is_safe = match address.0.scheme_str() {
            Some("https") => true,
            Some("http") => address.is_local(),
            _ => false,
        };
        let is_bare = !authority.as_str().contains('@');
        if is_safe && is_bare { Ok(address) } else { Err(AddressError) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Queries may hold what only their author should know.
        let uri = &self.0;
        let (scheme, path) = (uri.scheme_str().unwrap_or(""), uri.path());
        write!(f, "{scheme}://{}{path}", uri.host().unwrap_or(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_may_be_asked() {
        let is_taken = |text: &str| text.parse::<Address>().is_ok();
        assert!(is_taken("https://example.org/a.png?x=1"));
        assert!(is_taken("http://127.0.0.1:8080/a") && is_taken("http://[::1]:1/a"));
        for text in [
            "http://example.org/a",
            "ftp://example.org/a",
            "https://me:pass@example.org/",
            "/a",
            "",
        ] {
            assert!(!is_taken(text), "{text}");
        }
        assert!(!is_taken(&format!("https://example.org/{}", "a".repeat(MAX_BYTES))));
    }

    #[test]
    fn an_answer_leads_to_no_weaker_place() {
        let resolve = |from: &str, to: &str| {
            let from: Address = from.parse().unwrap();
            from.resolve(to).ok().map(|to| to.uri().to_string())
        };
        let https = "https://example.org/a";
        assert_eq!(resolve(https, "/b").as_deref(), Some("https://example.org/b"));
        assert_eq!(resolve(https, "https://other.org/c").as_deref(), Some("https://other.org/c"));
        assert_eq!(resolve(https, "http://127.0.0.1/c"), None);
        assert_eq!(resolve(https, "//other.org/c"), None);
        assert_eq!(resolve("http://localhost:1/a", "/b").as_deref(), Some("http://localhost:1/b"));
        assert_eq!(resolve("http://localhost:1/a", "http://example.org/"), None);
    }
}
