//! Exchanges over QUIC: one connection, a stream for each query.
//!
//! Keeps: RFC 9250 (DNS over dedicated QUIC connections: §4.1.1 ALPN, §4.2 one stream a query, two bytes of length and then
//! FIN, §4.2.1 ID 0).

use super::reuse::{Connection, Pulse};
use crate::clock;
use crate::limits;
use crate::resolver::counters::Counters;
use crate::resolver::exchange::ExchangeError;
use crate::resolver::message::{self, Reply};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::ClientConfig;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;
use tokio::time::timeout_at;

/// Application protocol of DNS over QUIC.
pub(super) const ALPN: &[u8] = b"doq";
/// RFC 9250 §8.4.
const DOQ_NO_ERROR: u32 = 0;
const DOQ_PROTOCOL_ERROR: u32 = 2;

/// A connection to one server, shared by exchanges.
#[derive(Clone)]
pub(super) struct Quic {
    connection: quinn::Connection,
    pulse: Arc<Pulse>,
}

impl Connection for Quic {
    fn is_usable(&self) -> bool {
        self.connection.close_reason().is_none() && !self.pulse.is_silent(clock::now().mono_ms)
    }
}

/// Connects to the first of `servers` that completes the handshake and proves to be `server_name`.
pub(super) async fn connect(
    servers: &[SocketAddr],
    server_name: &str,
    config: Arc<ClientConfig>,
    counters: &Counters,
) -> Result<Quic, ExchangeError> {
    let crypto = QuicClientConfig::try_from(config).map_err(|cause| ExchangeError::Tls(cause.to_string()))?;
    let mut client = quinn::ClientConfig::new(Arc::new(crypto));
    let mut transport = quinn::TransportConfig::default();
    // Both sides forget a connection that long silent.
    let idle = quinn::IdleTimeout::try_from(limits::UPSTREAM_IDLE).expect("seconds fit a QUIC timeout");
    transport.max_idle_timeout(Some(idle));
    // Servers of DNS over QUIC open no streams.
    transport.max_concurrent_bidi_streams(0u8.into());
    transport.max_concurrent_uni_streams(0u8.into());
    client.transport_config(Arc::new(transport));

    let end = clock::instant() + limits::UPSTREAM_CONNECT;
    let mut failure = ExchangeError::Timeout;
    for (tried, &server) in servers.iter().enumerate() {
        counters.connections.add();
        let now = clock::instant();
        let share = end.saturating_duration_since(now) / (servers.len() - tried) as u32;
        let connecting = connect_one(server, server_name, client.clone());
        match timeout_at((now + share).into(), connecting).await {
            Ok(Ok(connection)) => {
                return Ok(Quic {
                    connection,
                    pulse: Arc::default(),
                });
            }
            Ok(Err(error)) => failure = error,
            Err(_) => failure = ExchangeError::Timeout,
        }
    }
    Err(failure)
}

async fn connect_one(
    server: SocketAddr,
    server_name: &str,
    client: quinn::ClientConfig,
) -> Result<quinn::Connection, ExchangeError> {
    let local: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    // A socket of its own for each connection, hence a fresh port. It lives as long as the connection does.
    let endpoint = quinn::Endpoint::client(local)?;
    let connecting = endpoint
        .connect_with(client, server, server_name)
        .map_err(|cause| ExchangeError::Tls(cause.to_string()))?;
    connecting.await.map_err(lost)
}

impl Quic {
    /// Asks `query` (with ID 0) and waits until `end`.
    pub(super) async fn exchange(&self, query: &[u8], end: Instant) -> Result<Reply, ExchangeError> {
        let waiting = self.pulse.waiting();
        let asked = timeout_at(end.into(), self.ask(query)).await;
        waiting.end();
        asked.unwrap_or(Err(ExchangeError::Timeout))
    }

    async fn ask(&self, query: &[u8]) -> Result<Reply, ExchangeError> {
        let (mut send, mut receive) = self.connection.open_bi().await.map_err(lost)?;
        let length = u16::try_from(query.len()).expect("queries made here are a few hundred bytes long");
        let written = async {
            send.write_all(&length.to_be_bytes()).await?;
            send.write_all(query).await
        };
        written.await.map_err(|cause| match cause {
            quinn::WriteError::ConnectionLost(cause) => lost(cause),
            other => ExchangeError::Network(other.to_string()),
        })?;
        // RFC 9250 §4.2: the query is whole only with FIN.
        send.finish().map_err(|_| ExchangeError::Closed)?;
        let bytes = receive
            .read_to_end(limits::MESSAGE_BYTES + 2)
            .await
            .map_err(|cause| match cause {
                quinn::ReadToEndError::Read(quinn::ReadError::ConnectionLost(cause)) => lost(cause),
                other => ExchangeError::Network(other.to_string()),
            })?;
        self.pulse.heard();
        let response = bytes
            .split_first_chunk()
            .filter(|(length, rest)| usize::from(u16::from_be_bytes(**length)) == rest.len())
            .map(|(_, rest)| rest)
            .filter(|response| message::answers(query, response));
        let Some(response) = response else {
            self.connection
                .close(DOQ_PROTOCOL_ERROR.into(), b"the answer is not to the query");
            return Err(ExchangeError::Network("the answer is to another question".to_owned()));
        };
        Ok(Reply::read(response.to_vec())?)
    }
}

/// Why a connection was lost, as an exchange sees it.
fn lost(cause: quinn::ConnectionError) -> ExchangeError {
    use quinn::ConnectionError;
    match cause {
        ConnectionError::TimedOut => ExchangeError::Timeout,
        ConnectionError::Reset | ConnectionError::LocallyClosed => ExchangeError::Closed,
        ConnectionError::ApplicationClosed(close) if close.error_code == DOQ_NO_ERROR.into() => ExchangeError::Closed,
        ConnectionError::TransportError(error) => ExchangeError::Tls(error.to_string()),
        other => ExchangeError::Network(other.to_string()),
    }
}
