//! UDP sockets towards other servers: one for each exchange, and how many are open at once.
//!
//! Always: a socket is connected to the one server it asks, and its port is one that the system picked for this exchange alone, so
//! that nobody else's datagrams are read and the port is hard to guess (RFC 5452 §9.2). What is done with a socket is not thrown
//! away but let go of its server and with it of its port: the next exchange connects it anew, from a new port. That is as
//! good as a new socket and costs a third.
//! When servers keep silent, there is a socket for each query that waits: without a bound they would take every file the process may
//! open, and with them new TCP clients, the control socket and the files that a reload reads.
//! Fails: who finds no socket free before its time is up has had no answer in time.

use super::exchange::ExchangeError;
use crate::limits::{IDLE_SOCKETS, UPSTREAM_DATAGRAM_BYTES, UPSTREAM_SOCKETS};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout_at;

/// The process has one table of open files, so there is one bound for all resolvers in it.
static FREE: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(bound(open_files())));

/// Waits until a socket may be opened, in the order of asking; it may stay open as long as the permit lives.
async fn permit(end: Instant) -> Result<SemaphorePermit<'static>, ExchangeError> {
    match timeout_at(end.into(), FREE.acquire()).await {
        Ok(Ok(permit)) => Ok(permit),
        // It is never closed.
        Ok(Err(_)) | Err(_) => Err(ExchangeError::Timeout),
    }
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

/// How many files are never taken by these sockets.
pub fn files_left() -> usize {
    let files = open_files().map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    files.saturating_sub(bound(open_files()))
}

/// How many may lie idle. They count among those open, and most of these are for work.
fn idle_bound() -> usize {
    (bound(open_files()) / 8).min(IDLE_SOCKETS)
}

/// Sockets that wait for their next exchange. They belong to the runtime in which they were opened, and so does this.
pub(super) struct Sockets {
    ipv4: Mutex<Vec<Open>>,
    ipv6: Mutex<Vec<Open>>,
    idle_bound: usize,
}

/// An open socket, counted among those of the process.
struct Open {
    fd: AsyncFd<OwnedFd>,
    _permit: SemaphorePermit<'static>,
}

impl Sockets {
    pub fn new() -> Arc<Sockets> {
        Arc::new(Sockets {
            ipv4: Mutex::default(),
            ipv6: Mutex::default(),
            idle_bound: idle_bound(),
        })
    }

    /// A socket connected to `server`, as soon as there may be one; not after `end`.
    pub async fn open(self: &Arc<Self>, server: SocketAddr, end: Instant) -> Result<Socket, ExchangeError> {
        let idle = self.idle(server).pop();
        let open = match idle {
            Some(open) => open,
            None => fresh(server, permit(end).await?)?,
        };
        Ok(self.connect(open, server)?)
    }

    /// The same at once or not at all, for who has others open and must go on listening to them.
    ///
    /// # Errors
    /// `QuotaExceeded` where the process has as many open as it may, else what the system says.
    pub fn try_open(self: &Arc<Self>, server: SocketAddr) -> std::io::Result<Socket> {
        let idle = self.idle(server).pop();
        let open = match idle {
            Some(open) => open,
            None => fresh(server, FREE.try_acquire().map_err(|_| ErrorKind::QuotaExceeded)?)?,
        };
        self.connect(open, server)
    }

    fn connect(self: &Arc<Self>, open: Open, server: SocketAddr) -> std::io::Result<Socket> {
        rustix::net::connect(&open.fd, &server)?;
        Ok(Socket {
            open: Some(open),
            server,
            sockets: Arc::clone(self),
        })
    }

    fn idle(&self, server: SocketAddr) -> MutexGuard<'_, Vec<Open>> {
        let idle = match server {
            SocketAddr::V4(_) => &self.ipv4,
            SocketAddr::V6(_) => &self.ipv6,
        };
        idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket that belongs to nobody yet. It is not bound: the system picks its port as it is connected.
fn fresh(server: SocketAddr, permit: SemaphorePermit<'static>) -> std::io::Result<Open> {
    let family = match server {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::DGRAM, flags, None)?;
    #[expect(
        deprecated,
        reason = "a type might name a descriptor that it does not own; OwnedFd owns it, so unsafe code has nothing to add"
    )]
    let fd = AsyncFd::with_interest(socket, anything())?;
    Ok(Open { fd, _permit: permit })
}

/// What the network says of a query (RFC 1122 §4.1.3.3) is waited for as well; a wait for datagrams alone would sleep over it. A wait
/// for room to write would be woken by each datagram that has left.
fn anything() -> Interest {
    Interest::READABLE | Interest::ERROR
}

/// A socket in use.
pub(super) struct Socket {
    /// `None` only as it is dropped.
    open: Option<Open>,
    server: SocketAddr,
    sockets: Arc<Sockets>,
}

impl Socket {
    fn fd(&self) -> &AsyncFd<OwnedFd> {
        &self.open.as_ref().expect("it is taken out as the socket is dropped").fd
    }

    /// Sends one datagram to the server.
    pub fn send(&self, bytes: &[u8]) -> std::io::Result<()> {
        rustix::net::send(self.fd(), bytes, SendFlags::empty())?;
        Ok(())
    }

    /// The next datagram from the server.
    pub async fn hear(&self) -> std::io::Result<Vec<u8>> {
        let fd = self.fd();
        fd.async_io(anything(), |_| self.receive()).await
    }

    /// A datagram that is there; `WouldBlock` where there is none.
    fn receive(&self) -> std::io::Result<Vec<u8>> {
        let mut buffer = [MaybeUninit::uninit(); UPSTREAM_DATAGRAM_BYTES];
        loop {
            let ((bytes, _), _, from) = rustix::net::recvfrom(self.fd(), &mut buffer, RecvFlags::empty())?;
            // Something may have come in for the server before this one.
            let from = from.and_then(|from| SocketAddr::try_from(from).ok());
            if from.is_some_and(|from| (from.ip(), from.port()) == (self.server.ip(), self.server.port())) {
                return Ok(bytes.to_vec());
            }
        }
    }

    /// Lets go of server and port. Afterwards nothing more can come in, and what has is thrown away. Says whether that worked.
    fn let_go(&self) -> bool {
        if !cfg!(target_os = "linux") || rustix::net::connect_unspec(self.fd()).is_err() {
            // Elsewhere the port would stay.
            return false;
        }
        let mut byte = [MaybeUninit::<u8>::uninit(); 1];
        for _ in 0..UNREAD {
            // An error that waited to be told is told once, and then of no account either.
            if let Err(Errno::WOULDBLOCK) = rustix::net::recv(self.fd(), &mut byte, RecvFlags::empty()) {
                // So that the next to listen waits at once; nothing is tried.
                let nothing: std::io::Result<()> = self.fd().try_io(anything(), |_| Err(ErrorKind::WouldBlock.into()));
                return nothing.is_err();
            }
        }
        false
    }
}

/// Datagrams that are read only to be thrown away; a socket that has more is closed.
const UNREAD: usize = 8;

impl Drop for Socket {
    fn drop(&mut self) {
        if !self.let_go() {
            return;
        }
        let Some(open) = self.open.take() else {
            return;
        };
        let mut idle = self.sockets.idle(self.server);
        // Where none is free somebody may wait for it, perhaps for another family or resolver.
        if FREE.available_permits() > 0 && idle.len() < self.sockets.idle_bound {
            idle.push(open);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use std::collections::HashSet;
    use std::net::UdpSocket;
    use std::time::Duration;

    #[test]
    fn half_of_the_files_are_left_to_others_and_one_socket_there_always_is() {
        assert_eq!(bound(Some(1024)), 512);
        assert_eq!(bound(Some(0)), 1);
        assert_eq!(bound(Some(u64::MAX)), UPSTREAM_SOCKETS);
        assert_eq!(bound(None), UPSTREAM_SOCKETS);
    }

    fn server() -> (UdpSocket, SocketAddr) {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let address = server.local_addr().unwrap();
        (server, address)
    }

    #[tokio::test]
    async fn a_socket_is_used_again_and_every_exchange_has_a_port_of_its_own() {
        let (server, address) = server();
        let sockets = Sockets::new();
        let mut ports = HashSet::new();
        for turn in 0..50_u8 {
            let socket = sockets.try_open(address).unwrap();
            socket.send(&[turn]).unwrap();
            let mut buffer = [0; 16];
            let (length, from) = server.recv_from(&mut buffer).unwrap();
            assert_eq!(buffer[..length], [turn]);
            ports.insert(from.port());
            // More than is listened to: the rest must not come up in the next exchange.
            server.send_to(&[turn, 1], from).unwrap();
            server.send_to(&[turn, 2], from).unwrap();
            assert_eq!(socket.hear().await.unwrap(), [turn, 1]);
            drop(socket);
            server.send_to(&[turn, 3], from).unwrap();
        }
        if cfg!(target_os = "linux") {
            assert_eq!(sockets.idle(address).len(), 1, "one after the other needs one");
        }
        assert!(ports.len() > 40, "{} ports for 50 exchanges", ports.len());
    }

    #[tokio::test]
    async fn what_another_server_sent_before_is_not_heard() {
        let (first, first_address) = server();
        let (second, second_address) = server();
        let sockets = Sockets::new();
        let socket = sockets.try_open(first_address).unwrap();
        socket.send(b"?").unwrap();
        let (_, from) = first.recv_from(&mut [0; 16]).unwrap();
        for _ in 0..UNREAD / 2 {
            first.send_to(b"forged", from).unwrap();
        }
        drop(socket);
        let socket = sockets.try_open(second_address).unwrap();
        socket.send(b"?").unwrap();
        let (_, from) = second.recv_from(&mut [0; 16]).unwrap();
        first.send_to(b"forged", from).unwrap();
        second.send_to(b"genuine", from).unwrap();
        assert_eq!(socket.hear().await.unwrap(), b"genuine");
    }

    #[tokio::test]
    async fn a_closed_port_is_heard_of_at_once_and_the_next_exchange_does_not_hear_of_it() {
        let (server, address) = server();
        let (gone, closed) = self::server();
        drop(gone);
        let sockets = Sockets::new();
        for heard in [true, false] {
            let socket = sockets.try_open(closed).unwrap();
            socket.send(b"?").unwrap();
            if heard {
                let started = clock::instant();
                assert_eq!(socket.hear().await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
                assert!(started.elapsed() < Duration::from_secs(1));
            }
            drop(socket);
            let socket = sockets.try_open(address).unwrap();
            socket.send(b"?").unwrap();
            let (_, from) = server.recv_from(&mut [0; 16]).unwrap();
            server.send_to(b"!", from).unwrap();
            assert_eq!(socket.hear().await.unwrap(), b"!");
        }
    }
}
