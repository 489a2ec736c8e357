//! Address: where GitHub's API lies, whose repository is asked about, and what may follow a link.
//!
//! Takes the runner's variables; gives checked values. Never asks the network.

use http::Uri;
use std::fmt;
use std::str::FromStr;

/// GitHub's own API, where `GITHUB_API_URL` is not set.
const PUBLIC_API: &str = "https://api.github.com";

/// An address or a name that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not the base address of an API.
    #[error(
        "`GITHUB_API_URL` is not the base address of an API: it must be `https://HOST[/PATH]` \
         without a query (plain http is taken for this machine alone)"
    )]
    Api,
    /// Not a repository's name.
    #[error("`{0}` is not a repository's `OWNER/NAME`; the runner sets `GITHUB_REPOSITORY`")]
    Repository(String),
    /// Not a page of this GitHub.
    #[error("the page's address does not lie on `{server}` or cannot be put into a link")]
    Page {
        /// Where it must lie.
        server: String,
    },
}

/// `OWNER/NAME` of a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepositoryName {
    owner: String,
    name: String,
}

impl RepositoryName {
    /// Who it belongs to.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Whether two names mean one repository: GitHub does not tell upper from lower case.
    #[must_use]
    pub fn is_same(&self, other: &str) -> bool {
        self.to_string().eq_ignore_ascii_case(other)
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl FromStr for RepositoryName {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let is_plain = |part: &str| {
            let letters = part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
            letters && (1..=100).contains(&part.len()) && part != "." && part != ".."
        };
        match text.split_once('/') {
            Some((owner, name)) if is_plain(owner) && is_plain(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            _ => Err(AddressError::Repository(text.chars().take(80).collect())),
        }
    }
}

/// The base address of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Api {
    base: Uri,
}

impl Api {
    /// Checks a base address; the public one for `None`.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, AddressError> {
        let text = text.filter(|text| !text.is_empty()).unwrap_or(PUBLIC_API);
        let base: Uri = text.trim_end_matches('/').parse().map_err(|_| AddressError::Api)?;
        let is_bare = base.query().is_none() && !base.authority().is_some_and(has_user);
        let is_safe = match base.scheme_str() {
            Some("https") => true,
            Some("http") => base.host().is_some_and(is_loopback),
            _ => false,
        };
        if is_bare && is_safe { Ok(Self { base }) } else { Err(AddressError::Api) }
    }

    /// The base address itself.
    pub(super) fn base(&self) -> &Uri {
        &self.base
    }

    /// The address of a path below the base; the path starts with `/`.
    pub(super) fn uri_of(&self, path: &str) -> Result<Uri, AddressError> {
        let base = self.base.to_string();
        format!("{}{path}", base.trim_end_matches('/')).parse().map_err(|_| AddressError::Api)
    }

    /// Whether an address lies where the token may go: same scheme, host and port.
    pub(super) fn is_home(&self, address: &Uri) -> bool {
        let port = |uri: &Uri| {
            uri.port_u16().or_else(|| match uri.scheme_str() {
                Some("https") => Some(443),
                Some("http") => Some(80),
                _ => None,
            })
        };
        let host = |uri: &Uri| uri.host().map(str::to_ascii_lowercase);
        self.base.scheme_str() == address.scheme_str()
            && host(&self.base).is_some()
            && host(&self.base) == host(address)
            && port(&self.base) == port(address)
            && !address.authority().is_some_and(has_user)
    }

    /// Whether a file may be fetched from an address, without the token.
    pub(super) fn may_fetch(&self, address: &Uri) -> bool {
        // A test's store is plain http on this machine, as its API is.
        let is_local = |uri: &Uri| uri.host().is_some_and(is_loopback);
        match address.scheme_str() {
            Some("https") => address.host().is_some(),
            Some("http") => self.base.scheme_str() == Some("http") && is_local(address),
            _ => false,
        }
    }
}

fn has_user(authority: &http::uri::Authority) -> bool {
    authority.as_str().contains('@')
}

/// Whether a host is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

/// One part of a path, every letter that could end it escaped.
pub(super) fn encode_segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    // A lone dot would be taken for a folder by whoever tidies the path on the way.
    match out.as_str() {
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => out,
    }
}

/// A path of several parts, its slashes kept.
pub(super) fn encode_path(text: &str) -> String {
    text.split('/').map(encode_segment).collect::<Vec<_>>().join("/")
}

/// Checks a link to a page of results: it must lie on this GitHub and hold plain letters alone.
///
/// # Errors
/// [`AddressError::Page`].
pub fn check_page_link(text: &str, server: &str) -> Result<String, AddressError> {
    let server = server.trim_end_matches('/');
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#=&%+".contains(c);
    let rest = text.strip_prefix(server).filter(|rest| rest.starts_with('/'));
    let is_sound = rest.is_some() && text.chars().all(is_plain) && text.len() <= 2000;
    if is_sound && (server.starts_with("https://") || server.starts_with("http://127.0.0.1")) {
        Ok(text.to_owned())
    } else {
        Err(AddressError::Page { server: server.chars().take(200).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_reached_safely_or_not_at_all() {
        let addresses = ["https://api.github.com", "https://ghe.example.org/api/v3/"];
        for text in addresses.iter().chain(&["http://127.0.0.1:8787", "http://localhost:1/api/v3"])
        {
            assert!(Api::parse(Some(text)).is_ok(), "{text}");
        }
        for text in ["http://api.github.com", "ftp://x", "https://", "x", "https://u@h", "//h"] {
            assert!(Api::parse(Some(text)).is_err(), "{text}");
        }
        assert_eq!(Api::parse(None).unwrap(), Api::parse(Some("https://api.github.com/")).unwrap());
    }

    #[test]
    fn paths_lie_below_the_base() {
        let api = Api::parse(Some("https://ghe.example.org/api/v3/")).unwrap();
        assert_eq!(api.uri_of("/user").unwrap(), "https://ghe.example.org/api/v3/user");
        let public_api = Api::parse(None).unwrap();
        assert_eq!(public_api.uri_of("/user?a=b").unwrap(), "https://api.github.com/user?a=b");
    }

    #[test]
    fn the_token_stays_at_home() {
        let api = Api::parse(Some("https://api.github.com")).unwrap();
        let is_home = |text: &str| api.is_home(&text.parse().unwrap());
        assert!(is_home("https://api.github.com:443/repositories/1"));
        assert!(is_home("https://API.github.com/x"));
        for text in [
            "http://api.github.com/x",
            "https://api.github.com:444/x",
            "https://api.github.com.evil.org/x",
            "https://evil.org/api.github.com",
            "https://api.github.com@evil.org/x",
            "/x",
        ] {
            assert!(!is_home(text), "{text}");
        }
    }

    #[test]
    fn parts_of_a_path_cannot_leave_it() {
        assert_eq!(encode_segment("a/b?c#d e%"), "a%2Fb%3Fc%23d%20e%25");
        assert_eq!(encode_path("heads/feature/x ü"), "heads/feature/x%20%C3%BC");
        assert_eq!(encode_path("../x"), "%2E%2E/x");
    }

    #[test]
    fn repositories_have_an_owner_and_a_name() {
        assert_eq!("octo/toy".parse::<RepositoryName>().unwrap().owner(), "octo");
        for text in ["", "octo", "octo/", "/toy", "a/b/c", "a b/c", "../..", "o/t?x"] {
            assert!(text.parse::<RepositoryName>().is_err(), "{text}");
        }
        assert!("Octo/Toy".parse::<RepositoryName>().unwrap().is_same("octo/toy"));
    }

    #[test]
    fn pages_lie_on_this_github() {
        let server = "https://github.com";
        assert!(
            check_page_link("https://github.com/o/t/actions/runs/1/artifacts/2", server).is_ok()
        );
        for text in [
            "https://github.com.evil.org/x",
            "https://evil.org/",
            "https://github.com",
            "https://github.com/x)[y](https://evil.org",
            "javascript:alert(1)",
        ] {
            assert!(check_page_link(text, server).is_err(), "{text}");
        }
    }
}
