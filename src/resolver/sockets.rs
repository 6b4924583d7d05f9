//! Sockets towards other servers: how many are open at once, and how one waits.
//!
//! Each exchange over UDP has a socket of its own, so that its port is hard to guess. When servers keep silent, that is one for
//! each query that waits: without a bound they would take every file the process may open, and with them new TCP clients,
//! the control socket and the files that a reload reads.
//! Fails: who finds no socket free before its time is up has had no answer in time.

use super::exchange::ExchangeError;
use crate::limits::UPSTREAM_SOCKETS;
use socket2::SockRef;
use std::io::Read;
use std::sync::LazyLock;
use std::time::Instant;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout_at;

/// The process has one table of open files, so there is one bound for all resolvers in it.
static FREE: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(bound(open_files())));

/// Waits until a socket may be opened, in the order of asking; it may stay open as long as the permit lives.
pub(super) async fn permit(end: Instant) -> Result<SemaphorePermit<'static>, ExchangeError> {
    match timeout_at(end.into(), FREE.acquire()).await {
        Ok(Ok(permit)) => Ok(permit),
        // It is never closed.
        Ok(Err(_)) | Err(_) => Err(ExchangeError::Timeout),
    }
}

/// The same without waiting, for who has others open and must go on listening to them.
pub(super) fn try_permit() -> Option<SemaphorePermit<'static>> {
    FREE.try_acquire().ok()
}

/// The length of the next datagram of a connected socket, which is put in `buffer`. What the network says of the query (RFC 1122
/// §4.1.3.3) ends the wait as well: `UdpSocket::recv` waits for datagrams alone and would sleep over it.
pub(super) async fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> std::io::Result<usize> {
    socket
        .async_io(Interest::READABLE | Interest::ERROR, || {
            (&*SockRef::from(socket)).read(buffer)
        })
        .await
}

/// Files that this process may have open, `None` for any number.
fn open_files() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// Half of them: the rest is for clients and for files.
fn bound(open_files: Option<u64>) -> usize {
    let half = open_files.map_or(usize::MAX, |files| usize::try_from(files / 2).unwrap_or(usize::MAX));
    half.clamp(1, UPSTREAM_SOCKETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_files_are_left_to_others_and_one_socket_there_always_is() {
        assert_eq!(bound(Some(1024)), 512);
        assert_eq!(bound(Some(0)), 1);
        assert_eq!(bound(Some(u64::MAX)), UPSTREAM_SOCKETS);
        assert_eq!(bound(None), UPSTREAM_SOCKETS);
    }
}
