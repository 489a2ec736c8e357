//! Client: every call to GitHub, by one bounded way.
//!
//! Takes a path below the API's base; gives typed answers. Bounds time, size, attempts, waiting and
//! pages; honors rate limits; repeats a call only where that cannot do a thing twice; follows the
//! redirects of renamed repositories; never sends the token to another host.

use super::address::{Api, RepositoryName};
use super::error::{Endpoint, GitHubError, message};
use super::pace::{Advice, Limits, Pace, advise, backoff};
use super::permission::Permission;
use super::transport::{Answer, Loss, Transport};
use cellgate_inputs::secret::Secret;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, USER_AGENT};
use http::{Method, Request, Uri};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// The version of the API that the types were written after.
const API_VERSION: &str = "2022-11-28";

/// Media type that requests for JSON accept.
const JSON: &str = "application/vnd.github+json";

/// Redirects that are followed in one call.
const N_REDIRECTS: usize = 3;

/// How often a thing is done that turns out not to be done.
const N_DEEDS: u32 = 3;

/// GitHub, asked about one repository with one token.
#[derive(Debug)]
pub struct Client {
    pub(super) api: Api,
    token: Secret,
    repository: RepositoryName,
    pace: Pace,
    pub(super) limits: Limits,
    transport: Transport,
    waited_ms: AtomicU64,
    n_requests: AtomicU32,
}

/// Whether doing a thing twice is the same as doing it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It is: a lost answer is asked for again.
    Always,
    /// It is not: a call is repeated only when GitHub says that it did nothing.
    IfRefused,
}

/// One call.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// Below the base, starting with `/`; with its query.
    pub(super) path: String,
    pub(super) body: Option<&'a serde_json::Value>,
    pub(super) repeat: Repeat,
    /// Media type that is asked for.
    pub(super) accept: &'static str,
    /// Whether a redirect to another host is followed, without the token.
    pub(super) may_leave: bool,
    /// Bytes of the answer that are taken at most.
    pub(super) n_bytes: usize,
}

impl Client {
    /// A client for the repository and with the token of this run: `GITHUB_API_URL`,
    /// `GITHUB_REPOSITORY` and `GITHUB_TOKEN`. Needs a runtime around it.
    ///
    /// # Errors
    /// [`GitHubError::Missing`], [`GitHubError::Address`], [`GitHubError::Setup`].
    pub fn from_env() -> Result<Self, GitHubError> {
        let variable = |name| std::env::var(name).ok().filter(|text: &String| !text.is_empty());
        let token = Secret::from_env("GITHUB_TOKEN").ok_or(GitHubError::Missing {
            name: "GITHUB_TOKEN",
            help: "give the step `env: {GITHUB_TOKEN: \"${{ github.token }}\"}`",
        })?;
        let repository = variable("GITHUB_REPOSITORY").ok_or(GitHubError::Missing {
            name: "GITHUB_REPOSITORY",
            help: "the runner sets it; elsewhere name `OWNER/NAME`",
        })?;
        let api = variable("GITHUB_API_URL");
        Self::new(api.as_deref(), repository.parse()?, token, Pace::real(), Limits::default())
    }

    /// A client of one's own making; `None` is GitHub's public API. Needs a runtime around it.
    ///
    /// # Errors
    /// [`GitHubError::Address`] for a base address that cannot be used, [`GitHubError::Setup`].
    pub fn new(
        api: Option<&str>,
        repository: RepositoryName,
        token: Secret,
        pace: Pace,
        limits: Limits,
    ) -> Result<Self, GitHubError> {
        let api = Api::parse(api)?;
        let transport = Transport::open(api.base(), &limits).map_err(GitHubError::Setup)?;
        let (waited_ms, n_requests) = (AtomicU64::new(0), AtomicU32::new(0));
        Ok(Self { api, token, repository, pace, limits, transport, waited_ms, n_requests })
    }

    /// The repository that is asked about.
    #[must_use]
    pub fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// How many requests have been sent, repeated ones and redirects among them.
    #[must_use]
    pub fn n_requests(&self) -> u32 {
        self.n_requests.load(Ordering::Relaxed)
    }

    /// The token's kind, by the prefix that GitHub gives it.
    pub(super) fn is_installation_token(&self) -> bool {
        self.token.reveal().starts_with("ghs_")
    }

    /// Reads one thing; `path` lies below the repository.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, GitHubError> {
        let call = self.call(Method::GET, &self.repository_path(path), None, Repeat::Always);
        self.request_json(&call).await
    }

    /// Reads one thing; `path` lies below the base.
    pub(super) async fn get_global<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<T, GitHubError> {
        self.request_json(&self.call(Method::GET, path, None, Repeat::Always)).await
    }

    /// Changes one thing; `path` lies below the repository.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
        repeat: Repeat,
    ) -> Result<T, GitHubError> {
        let body = self.to_json(&method, path, body)?;
        self.request_json(&self.call(method, &self.repository_path(path), Some(&body), repeat))
            .await
    }

    /// Changes one thing whose answer is not read; `path` lies below the repository.
    pub(super) async fn execute(
        &self,
        method: Method,
        path: &str,
        repeat: Repeat,
    ) -> Result<(), GitHubError> {
        self.answer(&self.call(method, &self.repository_path(path), None, repeat)).await.map(|_| ())
    }

    /// Does a thing once that must not be done twice: where the answer is lost, the thing is looked
    /// for before it is done again.
    pub(super) async fn do_once<T>(
        &self,
        action: impl AsyncFn() -> Result<T, GitHubError>,
        look: impl AsyncFn() -> Result<Option<T>, GitHubError>,
    ) -> Result<T, GitHubError> {
        let mut n_lost = 0;
        loop {
            let result = action().await;
            let Err(lost @ GitHubError::AnswerLost { .. }) = result else { return result };
            n_lost += 1;
            // Lists lag a little behind changes.
            self.wait(backoff(n_lost)).await;
            match look().await? {
                Some(found) => return Ok(found),
                None if n_lost == N_DEEDS => return Err(lost),
                None => {}
            }
        }
    }

    /// The whole path of something below the repository.
    pub(super) fn repository_path(&self, path: &str) -> String {
        format!("/repos/{}{path}", self.repository)
    }

    /// A call for JSON.
    pub(super) fn call<'a>(
        &self,
        method: Method,
        path: &str,
        body: Option<&'a serde_json::Value>,
        repeat: Repeat,
    ) -> Call<'a> {
        let (path, n_bytes) = (path.to_owned(), self.limits.n_bytes);
        Call { method, path, body, repeat, accept: JSON, may_leave: false, n_bytes }
    }

    fn to_json(
        &self,
        method: &Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<serde_json::Value, GitHubError> {
        serde_json::to_value(body).map_err(|error| GitHubError::Malformed {
            endpoint: Endpoint { method: method_name(method), path: path.to_owned() },
            why: error.to_string(),
        })
    }

    async fn request_json<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, GitHubError> {
        let answer = self.answer(call).await?;
        self.parse(call, &answer.body)
    }

    pub(super) fn parse<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        body: &[u8],
    ) -> Result<T, GitHubError> {
        serde_json::from_slice(body).map_err(|error| malformed_answer(call, &error))
    }

    /// The answer to a call, which is a success.
    pub(super) async fn answer(&self, call: &Call<'_>) -> Result<Answer, GitHubError> {
        self.answer_from(call, None).await.map(|(answer, _)| answer)
    }

    /// The answer to a call, with the address that gave it in the end.
    pub(super) async fn answer_from(
        &self,
        call: &Call<'_>,
        address: Option<Uri>,
    ) -> Result<(Answer, Uri), GitHubError> {
        let mut address = match address {
            Some(address) => address,
            None => self.api.uri_of(&call.path)?,
        };
        for _ in 0..=N_REDIRECTS {
            let answer = self.exchange_with_retries(call, &address).await?;
            let keeps_method = matches!(answer.status.as_u16(), 307 | 308);
            match answer.status.as_u16() {
                200..=299 => return Ok((answer, address)),
                301 | 302 | 307 | 308 if keeps_method || call.method == Method::GET => {
                    address = self.redirect_target(call, &answer, &address)?;
                }
                _ => return Err(self.refusal(call, &answer)),
            }
        }
        let why = "it is redirected again and again".to_owned();
        Err(GitHubError::Malformed { endpoint: endpoint(call), why })
    }

    /// Where a redirect leads, if the way there is open to this call.
    fn redirect_target(
        &self,
        call: &Call<'_>,
        answer: &Answer,
        from: &Uri,
    ) -> Result<Uri, GitHubError> {
        let target = answer.headers.get(LOCATION).and_then(|text| text.to_str().ok());
        let target = target.and_then(|text| resolve_address(text, from));
        let may_leave = |uri: &Uri| call.may_leave && self.api.may_fetch(uri);
        let is_open = |uri: &Uri| self.api.is_home(uri) || may_leave(uri);
        target.filter(is_open).ok_or_else(|| GitHubError::Malformed {
            endpoint: endpoint(call),
            why: "it is redirected to another host".to_owned(),
        })
    }

    /// Asks until the answer is final, or attempts or patience are used up.
    async fn exchange_with_retries(
        &self,
        call: &Call<'_>,
        address: &Uri,
    ) -> Result<Answer, GitHubError> {
        let n_attempts = self.limits.n_attempts.max(1);
        let mut attempt = 0;
        loop {
            let outcome = self.exchange(call, address).await;
            let is_last = n_attempts <= attempt + 1;
            let (wait, why) = match outcome {
                Ok(answer) => {
                    let now = self.pace.now();
                    let advice = advise(answer.status, &answer.headers, &answer.body, now, attempt);
                    match advice {
                        Advice::Take => return Ok(answer),
                        Advice::Limited(wait) if is_last || !self.has_patience(wait) => {
                            return Err(GitHubError::Limited { endpoint: endpoint(call), wait });
                        }
                        Advice::Limited(wait) => (wait, String::new()),
                        Advice::Stumbled(wait) => {
                            let why = format!("it was answered with {}", answer.status);
                            if call.repeat == Repeat::IfRefused {
                                return Err(self.answer_lost(call, why));
                            }
                            (wait, why)
                        }
                    }
                }
                Err(Loss::TooLarge) => {
                    let limit = call.n_bytes;
                    return Err(GitHubError::TooLarge { endpoint: endpoint(call), limit });
                }
                Err(Loss::Cut(why)) if call.repeat == Repeat::IfRefused => {
                    return Err(self.answer_lost(call, why));
                }
                Err(Loss::Cut(why) | Loss::Unsent(why)) => (backoff(attempt), why),
            };
            attempt += 1;
            if is_last || !self.has_patience(wait) {
                let endpoint = endpoint(call);
                return Err(GitHubError::Unreachable { endpoint, n_attempts: attempt, why });
            }
            self.wait(wait).await;
        }
    }

    fn answer_lost(&self, call: &Call<'_>, why: String) -> GitHubError {
        GitHubError::AnswerLost { endpoint: endpoint(call), why }
    }

    fn has_patience(&self, wait: Duration) -> bool {
        let past_wait = Duration::from_millis(self.waited_ms.load(Ordering::Relaxed));
        past_wait.saturating_add(wait) <= self.limits.patience
    }

    /// Waits, on the account of this client's patience.
    pub(super) async fn wait(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.waited_ms.fetch_add(ms, Ordering::Relaxed);
        self.pace.wait(time).await;
    }

    /// Sends one request; the token goes along only where it belongs.
    async fn exchange(&self, call: &Call<'_>, address: &Uri) -> Result<Answer, Loss> {
        self.n_requests.fetch_add(1, Ordering::Relaxed);
        let to_loss = |error: http::Error| Loss::Unsent(error.to_string());
        let mut request = Request::builder().method(call.method.clone()).uri(address.clone());
        request = request.header(USER_AGENT, concat!("cellgate/", env!("CARGO_PKG_VERSION")));
        if self.api.is_home(address) {
            let text = format!("Bearer {}", self.token.reveal());
            let mut token = HeaderValue::from_str(&text).map_err(|_| {
                Loss::Unsent("the token holds letters that no token has".to_owned())
            })?;
            token.set_sensitive(true);
            request = request.header(AUTHORIZATION, token).header(ACCEPT, call.accept);
            request = request.header("x-github-api-version", API_VERSION);
        }
        let body = match call.body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                body.to_string().into_bytes()
            }
            None => Vec::new(),
        };
        let request = request.body(body).map_err(to_loss)?;
        self.transport.exchange(request, &self.limits, call.n_bytes).await
    }

    /// Why GitHub refused, with the right that is missing where that is the reason.
    fn refusal(&self, call: &Call<'_>, answer: &Answer) -> GitHubError {
        let (endpoint, status) = (endpoint(call), answer.status.as_u16());
        let message = message(&answer.body);
        if status != 403 || !message.contains("not accessible") {
            return GitHubError::Refused { endpoint, status, message };
        }
        let prefix = self.repository_path("");
        let repository_path =
            call.path.strip_prefix(&prefix).map(|path| path.split('?').next().unwrap_or(path));
        let is_reading = call.method == Method::GET;
        let permission = repository_path.and_then(|path| Permission::needed_for(path, is_reading));
        GitHubError::Forbidden { endpoint, message, permission }
    }
}

/// Endpoint of a call, for a message.
pub(super) fn endpoint(call: &Call<'_>) -> Endpoint {
    Endpoint { method: method_name(&call.method), path: call.path.clone() }
}

fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::PUT => "PUT",
        _ => "DELETE",
    }
}

pub(super) fn malformed_answer(call: &Call<'_>, error: &serde_json::Error) -> GitHubError {
    GitHubError::Malformed { endpoint: endpoint(call), why: error.to_string() }
}

/// An address that may be given relative to another.
pub(super) fn resolve_address(text: &str, from: &Uri) -> Option<Uri> {
    if text.starts_with('/') && !text.starts_with("//") {
        let (scheme, authority) = (from.scheme_str()?, from.authority()?);
        return format!("{scheme}://{authority}{text}").parse().ok();
    }
    let uri: Uri = text.parse().ok()?;
    uri.scheme().is_some().then_some(uri)
}
