//! DNS over TCP: each message behind two bytes of length, queries pipelined, responses in the order they are ready.
//!
//! In: connections. Out: responses on them. One task a connection ([`connection`]), each with a place among those that are
//! open ([`places`]).
//! Always: memory of a connection is bounded and that of all of them together, one that waits holds no buffer, an idle or stalled one
//! is closed, and a new one finds room.
//! Fails by closing the connection, counted.
//! Keeps: RFC 1035 §4.2.2, RFC 7766 §6 (pipelining, out of order, idle, half-close), RFC 9210 §4.

mod buffers;
mod connection;
mod frames;
mod inbox;
mod places;
mod unsent;

pub(super) use places::Places;
pub(super) use unsent::Unsent;

use super::Shared;
use crate::count::Count;
use crate::query::{Peer, Transport};
use connection::Connection;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

/// Opens a listening socket.
pub(crate) fn open(address: SocketAddr) -> io::Result<TcpListener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a server just stopped linger; they are no reason not to start.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Accepts connections until told to stop, and then tells those that are open.
pub(super) async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    places: Arc<Places>,
    mut stop: watch::Receiver<bool>,
    alive: mpsc::Sender<Infallible>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, address)) => {
                // Without it responses are late, not wrong.
                let _ = stream.set_nodelay(true);
                let (place, closed) = places.enter(address.ip());
                shared.service.counters.add(closed.with(Count::TcpConnections));
                let (shared, alive) = (Arc::clone(&shared), alive.clone());
                let peer = Peer {
                    address,
                    transport: Transport::Tcp,
                };
                tokio::spawn(async move {
                    Connection::new(stream, peer, shared, place).serve().await;
                    drop(alive);
                });
            }
            // The client was gone before its turn came.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // Out of file descriptors or memory: an idle client's are given to the next one.
                tracing::warn!(%error, "accepting TCP connections fails; closing the idlest one");
                shared.service.counters.add(places.close_idlest());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    places.stop();
}
