//! Connections over TLS, and whom they trust.
//!
//! Keeps: RFC 7858 (DNS over TLS; §4.2 pinned keys), strict privacy profile of RFC 8310 §5: no answer without a verified certificate or key.

use super::stream::Stream;
use super::tcp;
use crate::limits;
use crate::resolver::counters::Counters;
use crate::resolver::exchange::ExchangeError;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};
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

    /// A client configuration that offers one application protocol; an empty `alpn` offers none. Sessions are resumed by those who share
    /// it.
    pub(super) fn client(&self, alpn: &[u8], proof: Proof) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the ring provider has cipher suites for TLS 1.2 and 1.3");
        let roots = Arc::clone(&self.roots);
        let mut config = if proof.pins.is_empty() {
            builder.with_root_certificates(roots).with_no_client_auth()
        } else {
            let certificates = (!proof.key_alone).then(|| {
                WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
                    .build()
                    .expect("there are roots, and no revocation lists that could be wrong")
            });
            let pinned = Pinned {
                pins: proof.pins,
                certificates,
                algorithms: provider.signature_verification_algorithms,
            };
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(pinned))
                .with_no_client_auth()
        };
        if !alpn.is_empty() {
            config.alpn_protocols = vec![alpn.to_vec()];
        }
        Arc::new(config)
    }
}

/// What a server must show.
pub(super) struct Proof {
    /// SHA-256 digests of the keys it may have; empty: any.
    pub(super) pins: Vec<[u8; 32]>,
    /// The key counts, whoever signed its certificate and for whom.
    pub(super) key_alone: bool,
}

/// Checks the key of the server's certificate, and the certificate as well unless the key alone counts.
#[derive(Debug)]
struct Pinned {
    pins: Vec<[u8; 32]>,
    certificates: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(certificates) = &self.certificates {
            certificates.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        }
        let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        let digest: [u8; 32] = Sha256::digest(key.as_ref()).into();
        if self.pins.contains(&digest) {
            return Ok(ServerCertVerified::assertion());
        }
        let digest = data_encoding::BASE64.encode(&digest);
        Err(rustls::Error::General(format!(
            "the server's key is none of those pinned; it has pin-sha256={digest}"
        )))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
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
