//! Exchange: one question for the rest of a file, and its answer, bounded in size and time.
//!
//! Follows a few redirects, each to a place that may be asked; sends nothing but the range that is
//! missing.

use super::address::Address;
use super::error::FetchError;
use super::part::Part;
use super::wanted::{Limits, Wanted};
use crate::connect::{ConnectError, connector, tunnel, with_tls};
use http::header::{ACCEPT_ENCODING, CONTENT_RANGE, LOCATION, RANGE, USER_AGENT};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioExecutor;
use std::error::Error;

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;

/// Why nothing more came.
pub(super) enum Loss {
    /// It may come if it is asked for again.
    Again(String),
    /// It will not come.
    Final(FetchError),
}

impl From<FetchError> for Loss {
    fn from(error: FetchError) -> Self {
        Self::Final(error)
    }
}

/// Ways to the network.
#[derive(Debug)]
pub(super) struct Client {
    direct: Http<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    proxies: Matcher,
    limits: Limits,
}

impl Client {
    /// Sets the ways up.
    pub(super) fn open(limits: Limits) -> Result<Self, ConnectError> {
        let tls = with_tls(connector(limits.connect))?;
        let direct = Http::builder(TokioExecutor::new()).build(tls);
        Ok(Self { direct, proxies: Matcher::from_env(), limits })
    }

    /// Asks for the rest of a file and adds what comes; `n_came` counts it.
    pub(super) async fn ask(
        &self,
        wanted: &Wanted,
        part: &mut Part,
        n_came: &mut u64,
    ) -> Result<(), Loss> {
        let request =
            tokio::time::timeout(self.limits.whole, self.request_rest(wanted, part, n_came));
        request.await.unwrap_or_else(|_| Err(Loss::Again("it took too long".to_owned())))
    }

    async fn request_rest(
        &self,
        wanted: &Wanted,
        part: &mut Part,
        n_came: &mut u64,
    ) -> Result<(), Loss> {
        let response = self.follow(wanted, part.n_bytes()).await?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT if is_range_from(response.headers(), part.n_bytes()) => {}
            // The whole file, or a range that nobody asked for.
            StatusCode::OK => part.restart()?,
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE
                if part.n_bytes() > 0 =>
            {
                if is_complete(response.headers(), part.n_bytes()) {
                    return Ok(());
                }
                part.restart()?;
                return Err(Loss::Again("the rest is not what was asked for".to_owned()));
            }
            status if is_transient(status) => {
                return Err(Loss::Again(format!("status {}", status.as_u16())));
            }
            status => {
                let address = wanted.address.to_string();
                return Err(FetchError::Refused { address, status: status.as_u16() }.into());
            }
        }
        self.read_body(wanted, response.into_body(), part, n_came).await
    }

    /// Asks, and asks on where the answer leads to.
    async fn follow(&self, wanted: &Wanted, from: u64) -> Result<Response<Incoming>, Loss> {
        let mut address = wanted.address.clone();
        let redirect_error = |why: &str| {
            let address = wanted.address.to_string();
            Loss::Final(FetchError::Redirected { address, why: why.to_owned() })
        };
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(&address, from).await?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let location = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let location = location.ok_or_else(|| redirect_error("without saying where"))?;
            address = address
                .resolve(location)
                .map_err(|_| redirect_error("to a place that is not safe to ask"))?;
        }
        Err(redirect_error(&format!("more than {MAX_REDIRECTS} times")))
    }

    async fn send(&self, address: &Address, from: u64) -> Result<Response<Incoming>, Loss> {
        let retry = |why: String| Loss::Again(why);
        let mut request = Request::get(address.uri())
            .header(USER_AGENT, concat!("cellgate/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT_ENCODING, "identity");
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        let request = request.body(Empty::new()).map_err(|error| retry(error.to_string()))?;
        let proxy = self.proxies.intercept(address.uri()).filter(|_| !address.is_local());
        let exchange = match proxy {
            None => self.direct.request(request),
            Some(proxy) => {
                let tls = with_tls(tunnel(&proxy, self.limits.connect))
                    .map_err(|error| Loss::Final(FetchError::Client(error)))?;
                Http::builder(TokioExecutor::new()).build(tls).request(request)
            }
        };
        match tokio::time::timeout(self.limits.connect + self.limits.idle, exchange).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(retry(innermost_cause(&error))),
            Err(_) => Err(retry("no answer in time".to_owned())),
        }
    }

    /// Takes a body to its end.
    async fn read_body(
        &self,
        wanted: &Wanted,
        mut body: Incoming,
        part: &mut Part,
        n_came: &mut u64,
    ) -> Result<(), Loss> {
        loop {
            let frame = match tokio::time::timeout(self.limits.idle, body.frame()).await {
                Ok(None) => return Ok(()),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return Err(Loss::Again(innermost_cause(&error))),
                Err(_) => return Err(Loss::Again("the answer stopped midway".to_owned())),
            };
            let Some(bytes) = frame.data_ref() else { continue };
            if wanted.max_bytes < part.n_bytes() + bytes.len() as u64 {
                part.restart()?;
                let (address, max_bytes) = (wanted.address.to_string(), wanted.max_bytes);
                return Err(FetchError::TooLarge { address, max_bytes }.into());
            }
            part.add(bytes)?;
            *n_came += bytes.len() as u64;
        }
    }
}

/// Whether a part of a file begins where the rest is missing.
fn is_range_from(headers: &HeaderMap, n_bytes: u64) -> bool {
    let range = headers.get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let range = range.and_then(|range| range.strip_prefix("bytes "));
    let start = range.and_then(|range| range.split('-').next()?.parse::<u64>().ok());
    start == Some(n_bytes)
}

/// Whether nothing is missing: the answer to a range past the end states the length.
fn is_complete(headers: &HeaderMap, n_bytes: u64) -> bool {
    let range = headers.get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let length = range.and_then(|range| range.strip_prefix("bytes */")?.parse::<u64>().ok());
    length == Some(n_bytes)
}

/// Whether another answer may come later.
fn is_transient(status: StatusCode) -> bool {
    status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status)
}

/// The innermost cause of an error; wrappers repeat it.
fn innermost_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
