//! Connect: connections that the certificates of the system vouch for, through the proxy that the
//! environment names.

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Intercept;
use std::time::Duration;

/// There is no way to the network.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The system has no certificates to trust.
    #[error("no certificates: {0}")]
    Certificates(#[source] std::io::Error),
    /// It was asked for outside of a runtime.
    #[error(transparent)]
    Runtime(#[from] tokio::runtime::TryCurrentError),
}

/// Plain connections, made within a time.
pub(crate) fn connector(connect: Duration) -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(connect));
    connector
}

/// Connections through a proxy, which is reached within a time.
pub(crate) fn tunnel(proxy: &Intercept, connect: Duration) -> Tunnel<HttpConnector> {
    let tunnel = Tunnel::new(proxy.uri().clone(), connector(connect));
    match proxy.basic_auth() {
        Some(header) => tunnel.with_auth(header.clone()),
        None => tunnel,
    }
}

/// Where TLS begins.
///
/// # Errors
/// [`ConnectError::Certificates`].
pub(crate) fn with_tls<C>(connector: C) -> Result<HttpsConnector<C>, ConnectError> {
    let builder =
        HttpsConnectorBuilder::new().with_native_roots().map_err(ConnectError::Certificates)?;
    Ok(builder.https_or_http().enable_http1().wrap_connector(connector))
}
