//! Connections over plain TCP.

use super::stream::Stream;
use crate::clock;
use crate::limits;
use crate::resolver::counters::Counters;
use crate::resolver::exchange::ExchangeError;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio::time::timeout_at;

/// Connects to the first of `servers` that listens, within [`UPSTREAM_CONNECT`](limits::UPSTREAM_CONNECT), no single one of
/// several taking all of it.
pub(super) async fn connect_socket(servers: &[SocketAddr], counters: &Counters) -> Result<TcpStream, ExchangeError> {
    let end = clock::instant() + limits::UPSTREAM_CONNECT;
    let mut failure = ExchangeError::Timeout;
    for (tried, &server) in servers.iter().enumerate() {
        counters.connections.add();
        let now = clock::instant();
        let share = end.saturating_duration_since(now) / (servers.len() - tried) as u32;
        match timeout_at((now + share).into(), TcpStream::connect(server)).await {
            Ok(Ok(stream)) => {
                // Queries are one write each and must not wait for another (RFC 7766 §8).
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(cause)) => failure = cause.into(),
            Err(_) => failure = ExchangeError::Timeout,
        }
    }
    Err(failure)
}

/// A plain TCP connection for exchanges.
pub(in crate::resolver) async fn connect(servers: &[SocketAddr], counters: &Counters) -> Result<Stream, ExchangeError> {
    connect_socket(servers, counters).await.map(Stream::start)
}
