//! One exchange over UDP.
//!
//! Always: a socket of its own for every exchange, so that the system picks a fresh port, and an unpredictable ID; what does
//! not come from the server, or does not match, is ignored (RFC 5452 §9).

use crate::clock;
use crate::limits;
use crate::resolver::counters::Counters;
use crate::resolver::exchange::ExchangeError;
use crate::resolver::message::{self, Reply};
use crate::resolver::sockets;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::time::timeout_at;

/// Sends `query` (its ID is replaced) to `server` and waits until `end` for the response. Sent once more after
/// `again_after`, from the same socket, so that an answer to either is heard.
pub(in crate::resolver) async fn exchange(
    server: SocketAddr,
    query: &[u8],
    again_after: Option<Duration>,
    end: Instant,
    counters: &Counters,
) -> Result<Reply, ExchangeError> {
    let mut query = query.to_vec();
    message::set_id(&mut query, rand::random());
    let local: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let _permit = sockets::permit(end).await?;
    let socket = UdpSocket::bind(local).await?;
    // A connected socket takes datagrams from this server only, and hears when it is not there.
    socket.connect(server).await?;
    socket.send(&query).await?;
    counters.upstream_queries.add();

    let mut again_at = again_after.map(|wait| clock::instant() + wait).filter(|at| *at < end);
    let mut buffer = vec![0; limits::UPSTREAM_DATAGRAM_BYTES];
    let mut strangers = 0;
    loop {
        let until = again_at.unwrap_or(end);
        let received = match timeout_at(until.into(), sockets::receive(&socket, &mut buffer)).await {
            Ok(received) => received?,
            Err(_) if again_at.take().is_some() => {
                socket.send(&query).await?;
                counters.upstream_queries.add();
                continue;
            }
            Err(_) => return Err(ExchangeError::Timeout),
        };
        if message::answers(&query, &buffer[..received]) {
            buffer.truncate(received);
            return Ok(Reply::read(buffer)?);
        }
        strangers += 1;
        if strangers == limits::STRANGE_DATAGRAMS {
            return Err(ExchangeError::Forged);
        }
    }
}
