//! Connections over TLS, and whom they trust.
//!
//! Keeps: RFC 7858 (DNS over TLS, strict privacy profile of RFC 8310 §5: no answer without a verified certificate).

use super::stream::Stream;
use super::tcp;
use crate::limits;
use crate::resolver::counters::Counters;
use crate::resolver::exchange::ExchangeError;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// The certificate authorities that encrypted upstreams are checked against.
#[derive(Debug, Clone)]
pub struct Trust {
    roots: Arc<RootCertStore>,
}

/// A certificate cannot serve as an authority.
#[derive(Debug, thiserror::Error)]
#[error("a certificate authority cannot be used: {0}")]
pub struct BadAuthority(#[from] rustls::Error);

impl Trust {
    /// The authorities that browsers trust, as they were when the program was built.
    pub fn public() -> Trust {
        Trust {
            roots: Arc::new(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()),
        }
    }

    /// Those and more: of a company, of a test.
    pub fn public_and(extra: impl IntoIterator<Item = CertificateDer<'static>>) -> Result<Trust, BadAuthority> {
        let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        for certificate in extra {
            roots.add(certificate)?;
        }
        Ok(Trust { roots: Arc::new(roots) })
    }

    /// A client configuration that offers one application protocol; an empty `alpn` offers none.
    pub(super) fn client(&self, alpn: &[u8]) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the ring provider has cipher suites for TLS 1.2 and 1.3")
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        if !alpn.is_empty() {
            config.alpn_protocols = vec![alpn.to_vec()];
        }
        Arc::new(config)
    }
}

/// A TLS session with a server that proved to be `server_name` (sent as SNI unless it is an address).
pub(super) async fn handshake(
    servers: &[SocketAddr],
    server_name: ServerName<'static>,
    config: Arc<ClientConfig>,
    counters: &Counters,
) -> Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>, ExchangeError> {
    let socket = tcp::connect_socket(servers, counters).await?;
    let handshake = TlsConnector::from(config).connect(server_name, socket);
    match timeout(limits::UPSTREAM_CONNECT, handshake).await {
        Ok(Ok(stream)) => Ok(stream),
        // rustls tells why inside an I/O error of its own.
        Ok(Err(cause)) if cause.get_ref().is_some() => Err(ExchangeError::Tls(cause.to_string())),
        Ok(Err(cause)) => Err(cause.into()),
        Err(_) => Err(ExchangeError::Timeout),
    }
}

/// A connection for DNS over TLS.
pub(super) async fn connect(
    servers: &[SocketAddr],
    server_name: ServerName<'static>,
    config: Arc<ClientConfig>,
    counters: &Counters,
) -> Result<Stream, ExchangeError> {
    handshake(servers, server_name, config, counters)
        .await
        .map(Stream::start)
}
