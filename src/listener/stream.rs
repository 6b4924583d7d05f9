//! DNS over TCP: each message behind two bytes of length, queries pipelined, responses in the order they are ready.
//!
//! In: connections. Out: responses on them. One task a connection, which reads no further while it cannot write, or while
//! [`TCP_IN_FLIGHT`] of its queries wait: a client that does not read is not read.
//! Always: memory of a connection is bounded, an idle or stalled one is closed, and a new one finds room.
//! Fails by closing the connection, counted.
//! Keeps: RFC 1035 §4.2.2, RFC 7766 §6 (pipelining, out of order, idle, half-close), RFC 9210 §4.

use super::connections::{Connections, Entry};
use super::{Later, SCRATCH, Shared, answer_later, begin, renew};
use crate::clock;
use crate::count::{Count, Counts};
use crate::dns::query::HEADER_BYTES;
use crate::limits::{QUERY_BYTES, TCP_IDLE, TCP_IN_FLIGHT, TCP_STALL, TCP_UNSENT_BYTES};
use crate::query::{Begun, Peer, Transport};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Opens a listening socket.
pub(super) fn open(address: SocketAddr) -> io::Result<TcpListener> {
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

/// Accepts connections until told to stop.
pub(super) async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    connections: Arc<Connections>,
    mut stop: watch::Receiver<bool>,
    alive: mpsc::Sender<Infallible>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((stream, address)) => {
                shared.service.counters.add(Count::TcpConnections.into());
                // Without it responses are late, not wrong.
                let _ = stream.set_nodelay(true);
                let (entry, closed) = connections.enter(address.ip());
                shared.service.counters.add(closed);
                let (shared, stop, alive) = (Arc::clone(&shared), stop.clone(), alive.clone());
                tokio::spawn(async move {
                    let peer = Peer {
                        address,
                        transport: Transport::Tcp,
                    };
                    let end = Connection::new(stream, peer, &shared, &entry).serve(stop).await;
                    shared.service.counters.add(end);
                    drop(alive);
                });
            }
            // The client was gone before its turn came.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // Out of file descriptors or memory: an idle client's are given to the next one.
                tracing::warn!(%error, "accepting TCP connections fails; closing the idlest one");
                shared.service.counters.add(connections.close_idlest());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// One connection being served.
struct Connection<'a, S> {
    stream: S,
    peer: Peer,
    shared: &'a Arc<Shared>,
    entry: &'a Entry,
    /// Bytes read and not yet understood: at most one query and what came behind it.
    input: Vec<u8>,
    /// Responses to write, each with its length.
    output: Vec<u8>,
    /// Queries that wait for the resolver.
    in_flight: usize,
    sender: mpsc::UnboundedSender<Vec<u8>>,
    /// Responses of queries that waited; empty where there is none. At most `in_flight`.
    ready: mpsc::UnboundedReceiver<Vec<u8>>,
    /// When the connection counts as idle.
    idle_at: Instant,
}

/// What a connection wakes up for.
enum Event {
    Read(io::Result<usize>),
    Ready(Vec<u8>),
    Idle,
    Close,
    Stop,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Connection<'a, S> {
    fn new(stream: S, peer: Peer, shared: &'a Arc<Shared>, entry: &'a Entry) -> Connection<'a, S> {
        let (sender, ready) = mpsc::unbounded_channel();
        Connection {
            stream,
            peer,
            shared,
            entry,
            input: Vec::new(),
            output: Vec::new(),
            in_flight: 0,
            sender,
            ready,
            idle_at: (clock::instant() + TCP_IDLE).into(),
        }
    }

    /// Serves until either side has had enough; returns what to count.
    async fn serve(mut self, mut stop: watch::Receiver<bool>) -> Counts {
        // No more will be read: the client has closed its half, or the server stops.
        let mut ended = false;
        loop {
            let taken = self.take_queries();
            if self.flush().await.is_err() {
                return Count::DroppedSend.into();
            }
            match taken {
                Taken::All => {}
                Taken::Some => continue,
                Taken::NotDns => return Count::TcpClosedError.into(),
            }
            if ended && self.in_flight == 0 {
                let _ = tokio::time::timeout(TCP_STALL, self.stream.shutdown()).await;
                return Counts::NONE;
            }
            let may_read = !ended && self.in_flight < TCP_IN_FLIGHT;
            let idle = self.in_flight == 0;
            let event = tokio::select! {
                // What has come in is read before a stop is heeded.
                biased;
                Some(response) = self.ready.recv() => Event::Ready(response),
                read = read_some(&mut self.stream, &mut self.input), if may_read => Event::Read(read),
                _ = self.entry.closed() => Event::Close,
                _ = stop.wait_for(|stop| *stop), if !ended => Event::Stop,
                _ = tokio::time::sleep_until(self.idle_at), if idle => Event::Idle,
            };
            match event {
                Event::Read(Ok(0)) => ended = true,
                Event::Read(Ok(_)) => {}
                // Reset by the client, most often.
                Event::Read(Err(_)) => return Counts::NONE,
                Event::Ready(response) => self.collect_ready(&response),
                Event::Idle => return Count::TcpClosedIdle.into(),
                // Counted by whoever asked for it.
                Event::Close => return Counts::NONE,
                Event::Stop => ended = true,
            }
        }
    }

    /// Begins every whole query in `input`, as long as there is room for what comes of it.
    fn take_queries(&mut self) -> Taken {
        let input = std::mem::take(&mut self.input);
        let mut rest = input.as_slice();
        let taken = loop {
            let Some((length, behind)) = rest.split_first_chunk::<2>() else {
                break Taken::All;
            };
            let length = usize::from(u16::from_be_bytes(*length));
            if length > QUERY_BYTES {
                self.shared
                    .service
                    .counters
                    .add(Counts::one(Count::QueriesTcp).with(Count::DroppedLong));
                break Taken::NotDns;
            }
            let Some((query, behind)) = behind.split_at_checked(length) else {
                break Taken::All;
            };
            if self.in_flight >= TCP_IN_FLIGHT {
                break Taken::All;
            }
            if self.output.len() >= TCP_UNSENT_BYTES {
                break Taken::Some;
            }
            rest = behind;
            if length < HEADER_BYTES {
                self.shared
                    .service
                    .counters
                    .add(Counts::one(Count::QueriesTcp).with(Count::DroppedShort));
                break Taken::NotDns;
            }
            self.answer(query);
        };
        let left = rest.len();
        self.input = input;
        self.input.drain(..self.input.len() - left);
        taken
    }

    fn answer(&mut self, query: &[u8]) {
        self.active();
        let generation = self.shared.service.generations.load_full();
        let now = clock::now();
        SCRATCH.with_borrow_mut(|out| {
            let (begun, counts) = begin(self.shared, &generation, query, &self.peer, now, out);
            self.shared.service.counters.add(counts);
            match begun {
                Begun::Respond(len) => self.collect(&out[..len]),
                Begun::RespondAndRenew(len, renewal) => {
                    self.collect(&out[..len]);
                    renew(self.shared, renewal);
                }
                Begun::Drop => {}
                Begun::Pending(pending) => {
                    let sender = self.sender.clone();
                    let deliver = move |shared: &Shared, response: &[u8]| {
                        if sender.send(response.to_vec()).is_err() && !response.is_empty() {
                            // The connection is gone.
                            shared.service.counters.add(Count::DroppedSend.into());
                        }
                    };
                    match answer_later(self.shared, pending, self.peer.address.ip(), out, deliver) {
                        Later::Waits => self.in_flight += 1,
                        Later::Respond(len) => self.collect(&out[..len]),
                        Later::Drop => {}
                    }
                }
            }
        });
    }

    /// Puts a response, if it is one, behind those to be written.
    fn collect(&mut self, response: &[u8]) {
        if let Ok(length @ 1..) = u16::try_from(response.len()) {
            self.output.extend_from_slice(&length.to_be_bytes());
            self.output.extend_from_slice(response);
        }
    }

    /// Takes in a response that was waited for, and others that are there by now.
    fn collect_ready(&mut self, first: &[u8]) {
        self.in_flight -= 1;
        self.collect(first);
        while self.output.len() < TCP_UNSENT_BYTES
            && let Ok(response) = self.ready.try_recv()
        {
            self.in_flight -= 1;
            self.collect(&response);
        }
    }

    /// Writes what there is. A client that takes nothing for [`TCP_STALL`] has gone.
    async fn flush(&mut self) -> io::Result<()> {
        let mut written = 0;
        while written < self.output.len() {
            match tokio::time::timeout(TCP_STALL, self.stream.write(&self.output[written..])).await {
                Ok(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(Ok(bytes)) => written += bytes,
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
            self.active();
        }
        self.output.clear();
        // Many responses at once are rare; what they took is given back.
        self.output.shrink_to(OUTPUT_KEPT_BYTES);
        Ok(())
    }

    fn active(&mut self) {
        self.idle_at = (clock::instant() + TCP_IDLE).into();
        self.entry.active();
    }
}

/// How far [`Connection::take_queries`] came.
enum Taken {
    /// Nothing is left that could be taken before something comes in or gets ready.
    All,
    /// The output must be written first.
    Some,
    /// This is not DNS.
    NotDns,
}

/// What an idle connection's output buffer may keep.
const OUTPUT_KEPT_BYTES: usize = 4096;

/// Reads what is there, but no more than one query and a bit.
async fn read_some(stream: &mut (impl AsyncRead + Unpin), input: &mut Vec<u8>) -> io::Result<usize> {
    // Most queries are far below 100 bytes; one that is longer gets room as it comes.
    input.reserve(512);
    stream.read_buf(input).await
}
