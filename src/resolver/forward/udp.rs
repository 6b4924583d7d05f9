//! One exchange over UDP.
//!
//! Always: a socket and a port of its own for every exchange (`sockets`), and an unpredictable ID; what does not match is
//! ignored (RFC 5452 §9).

use crate::limits;
use crate::resolver::counters::Counters;
use crate::resolver::exchange::ExchangeError;
use crate::resolver::message::{self, Reply};
use crate::resolver::sockets::Sockets;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::time::timeout_at;

/// Sends `query` (its ID is replaced) to `server` and waits until `end` for the response.
pub(in crate::resolver) async fn exchange(
    sockets: &Arc<Sockets>,
    server: SocketAddr,
    query: &[u8],
    end: Instant,
    counters: &Counters,
) -> Result<Reply, ExchangeError> {
    let mut query = query.to_vec();
    message::set_id(&mut query, rand::random());
    let socket = sockets.open(server, end).await?;
    socket.send(&query)?;
    counters.upstream_queries.add();

    for _ in 0..limits::STRANGE_DATAGRAMS {
        let received = match timeout_at(end.into(), socket.hear()).await {
            Ok(received) => received?,
            Err(_) => return Err(ExchangeError::Timeout),
        };
        if message::answers(&query, &received) {
            return Ok(Reply::read(received)?);
        }
    }
    Err(ExchangeError::Forged)
}
