//! Transport: one request over octocrab, with bounds on time and size.
//!
//! Gives status, headers and body of whatever was answered. Follows nothing, repeats nothing, and
//! adds no header: what is sent, and where the token goes, is decided in `client`.

use super::address::is_loopback;
use super::connect::{ConnectError, connector, tunnel, with_tls};
use super::pace::Limits;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::{Client as Http, Error as HttpError};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioExecutor;
use octocrab::{AuthState, Octocrab, OctocrabBuilder};
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Answer to a request.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Nothing came back, or not all.
#[derive(Debug)]
pub(super) enum Loss {
    /// No connection stood: nothing was asked.
    Unsent(String),
    /// The request was under way: it may have been obeyed.
    Cut(String),
    /// The answer is larger than its bound.
    TooLarge,
}

/// The way to GitHub, past the proxy that the environment names.
pub(super) struct Transport {
    direct: Octocrab,
    proxies: Matcher,
    connect: Duration,
    tunnel: Option<(Uri, Octocrab)>,
}

impl Transport {
    /// Sets the way up. `home` is where most requests go.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub(super) fn open(home: &Uri, limits: &Limits) -> Result<Self, ConnectError> {
        // Octocrab starts a task, which panics outside of a runtime.
        tokio::runtime::Handle::try_current()?;
        let proxies = Matcher::from_env();
        let tunnel = match proxies.intercept(home).filter(|_| !is_local(home)) {
            Some(proxy) => Some((proxy.uri().clone(), proxied_client(&proxy, limits.connect)?)),
            None => None,
        };
        let direct = direct_client(limits.connect)?;
        Ok(Self { direct, proxies, connect: limits.connect, tunnel })
    }

    /// Sends one request and reads its answer, of which at most `n_bytes` are taken.
    pub(super) async fn exchange(
        &self,
        request: Request<Vec<u8>>,
        limits: &Limits,
        n_bytes: usize,
    ) -> Result<Answer, Loss> {
        let octocrab =
            self.client_for(request.uri()).map_err(|error| Loss::Unsent(error.to_string()))?;
        let exchange = async {
            let reply = tokio::time::timeout(
                limits.read + self.connect,
                octocrab.send(request.map(Into::into)),
            );
            let response = match reply.await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => return Err(loss(&error)),
                Err(_) => return Err(Loss::Cut("no answer in time".to_owned())),
            };
            let (parts, mut incoming) = response.into_parts();
            let mut body = Vec::new();
            loop {
                let frame = match tokio::time::timeout(limits.read, incoming.frame()).await {
                    Ok(None) => break,
                    Ok(Some(Ok(frame))) => frame,
                    Ok(Some(Err(error))) => return Err(Loss::Cut(causes(&error))),
                    Err(_) => return Err(Loss::Cut("the answer stopped midway".to_owned())),
                };
                if let Some(data) = frame.data_ref() {
                    if body.len() + data.len() > n_bytes {
                        return Err(Loss::TooLarge);
                    }
                    body.extend_from_slice(data);
                }
            }
            Ok(Answer { status: parts.status, headers: parts.headers, body })
        };
        let to_loss = |_| Loss::Cut("the answer took too long".to_owned());
        tokio::time::timeout(limits.exchange, exchange).await.map_err(to_loss)?
    }

    /// The client whose connections lead to an address.
    fn client_for(&self, address: &Uri) -> Result<Octocrab, ConnectError> {
        let proxy = self.proxies.intercept(address).filter(|_| !is_local(address));
        let Some(proxy) = proxy else { return Ok(self.direct.clone()) };
        match &self.tunnel {
            Some((known, octocrab)) if known == proxy.uri() => Ok(octocrab.clone()),
            _ => proxied_client(&proxy, self.connect),
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

/// This machine is never reached by way of a proxy.
fn is_local(address: &Uri) -> bool {
    address.host().is_some_and(is_loopback)
}

/// A client over a kind of connection, which octocrab's types cannot name.
macro_rules! client {
    ($connector:expr) => {{
        let http = Http::builder(TokioExecutor::new()).build(with_tls($connector)?);
        // Without a token, redirects and repetition: those are `client`'s.
        let octocrab = OctocrabBuilder::new_empty().with_service(http).with_auth(AuthState::None);
        let Ok(client) = octocrab.build();
        Ok(client)
    }};
}

fn direct_client(connect: Duration) -> Result<Octocrab, ConnectError> {
    client!(connector(connect))
}

fn proxied_client(proxy: &Intercept, connect: Duration) -> Result<Octocrab, ConnectError> {
    client!(tunnel(proxy, connect))
}

fn loss(error: &octocrab::Error) -> Loss {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(source) = cause {
        if source.downcast_ref::<HttpError>().is_some_and(HttpError::is_connect) {
            return Loss::Unsent(causes(error));
        }
        cause = source.source();
    }
    Loss::Cut(causes(error))
}

/// The innermost causes of an error on one line; wrappers repeat each other.
fn causes(error: &dyn Error) -> String {
    let mut texts = Vec::new();
    let mut cause = error.source();
    while let Some(source) = cause {
        texts.push(source.to_string());
        cause = source.source();
    }
    texts.dedup();
    let n_texts = texts.len();
    let line = texts.split_off(n_texts.saturating_sub(2)).join(": ");
    if line.is_empty() { "the connection was cut".to_owned() } else { line }
}
