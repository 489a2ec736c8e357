//! Pages: lists that come in several answers, followed by the links that the answers give.

use super::client::{Client, Repeat, endpoint, malformed_answer, resolve_address};
use super::error::GitHubError;
use super::transport::Answer;
use http::header::LINK;
use http::{Method, Uri};
use serde::de::DeserializeOwned;

impl Client {
    /// Reads a list, all of its pages, of which each is `{key: [...]}` or a bare array.
    ///
    /// # Errors
    /// [`GitHubError::TooManyPages`] where it has more than `n_pages`, beside all others.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        key: Option<&str>,
        n_pages: usize,
    ) -> Result<Vec<T>, GitHubError> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let first_path = self.repository_path(&format!("{path}{separator}per_page=100"));
        let mut call = self.call(Method::GET, &first_path, None, Repeat::Always);
        let mut next = None;
        let mut entries = Vec::new();
        for _ in 0..n_pages.min(self.limits.n_pages) {
            let (answer, address) = self.answer_from(&call, next).await?;
            let page: serde_json::Value = self.parse(&call, &answer.body)?;
            let page = match key {
                Some(key) => page.get(key).cloned().unwrap_or_default(),
                None => page,
            };
            let page: Vec<T> =
                serde_json::from_value(page).map_err(|error| malformed_answer(&call, &error))?;
            entries.extend(page);
            match next_page(&answer, &address) {
                None => return Ok(entries),
                Some(link) if self.api.is_home(&link) => {
                    call.path = link.path_and_query().map_or_else(String::new, ToString::to_string);
                    next = Some(link);
                }
                Some(_) => {
                    let why = "the next page is on another host".to_owned();
                    return Err(GitHubError::Malformed { endpoint: endpoint(&call), why });
                }
            }
        }
        let limit = n_pages.min(self.limits.n_pages);
        Err(GitHubError::TooManyPages { endpoint: endpoint(&call), limit })
    }
}

/// The address of the next page, as the answer gives it.
fn next_page(answer: &Answer, from: &Uri) -> Option<Uri> {
    let links = answer.headers.get(LINK)?.to_str().ok()?;
    let next = links.split(',').find(|link| {
        let mut parameters = link.split(';').skip(1).map(str::trim);
        parameters.any(|parameter| parameter == "rel=\"next\"" || parameter == "rel=next")
    })?;
    let target = next.split(';').next()?.trim().strip_prefix('<')?.strip_suffix('>')?;
    resolve_address(target, from)
}
