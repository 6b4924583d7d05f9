//! UDP: one thread and one socket a core. Cached and blocked names are answered right off the batch's buffers.
//!
//! In: datagrams. Out: for each a response from the address that was asked, or a counted drop; what must wait for the
//! resolver becomes a task of the runtime. A network that is sent too much gets less ([`rate`]).
//! Always: no error of one datagram ends the thread or touches another datagram. Fails by dropping, counted.
//! Keeps: RFC 1035 §4.2.1, RFC 6891 §6.2, RFC 5452 §9 (the response's source address).

use super::{Later, Shared, answer_later, begin_read, caught, counted, guarded, renew};
use crate::count::{Count, Counts};
use crate::dns::edns;
use crate::limits::{LOOKED_AHEAD, SOCKET_BYTES, STOP_GRACE, STOP_NOTICE, UDP_BATCH};
use crate::now::Now;
use crate::policy::Asker;
use crate::query::{self, Ahead, Begun, Peer, Read, Transport};
use crate::telemetry::counters::OwnCounters;
use crate::{clock, generation::Generation};
use rate::{Fate, Rate};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;
mod rate;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use portable as system;

/// The largest response over UDP.
const RESPONSE_BYTES: usize = edns::PAYLOAD_BYTES as usize;

/// With fewer queries than this there is too little to wait for together.
const FORESEEN: usize = 4;

/// One datagram received.
struct Incoming<'a> {
    /// `None` for an address of a family that is not the Internet's.
    source: Option<SocketAddr>,
    bytes: &'a [u8],
    /// It was longer than a query may be.
    cut: bool,
}

/// The way back for a response: to whom, and from which of our addresses and interfaces, where the system tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    to: SocketAddr,
    from: Option<(IpAddr, u32)>,
}

/// Opens a socket on `address` that shares it with the other workers' sockets.
pub(super) fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    socket.set_reuse_port(true)?;
    if address.is_ipv6() {
        // `0.0.0.0` and `[::]` may both be listed.
        socket.set_only_v6(true)?;
    }
    // As much as the kernel grants; less is no error.
    let _ = socket.set_recv_buffer_size(SOCKET_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BYTES);
    // A worker looks up this often to see whether it should stop.
    socket.set_read_timeout(Some(STOP_NOTICE))?;
    socket.set_write_timeout(Some(STOP_NOTICE))?;
    let socket = UdpSocket::from(socket);
    system::set_options(&socket, address)?;
    socket2::SockRef::from(&socket).bind(&address.into())?;
    Ok(socket)
}

/// Whether another program, or another server of ours, holds the port: sockets that share theirs would let two servers
/// take turns without a word.
pub(super) fn probe(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())
}

/// Answers what comes in on `socket` until the listeners stop, then what has come in already.
pub(super) fn work(socket: &Arc<UdpSocket>, shared: &Arc<Shared>) {
    let counters = shared.service.counters.register();
    let mut generations = arc_swap::Cache::new(Arc::clone(&shared.service.generations));
    let mut worker = Worker {
        socket,
        shared,
        // No generation changes `[server]`: that takes a restart.
        rate: Rate::new(&generations.load().settings.server, shared.workers),
        counters,
        sources: Vec::with_capacity(UDP_BATCH),
        askers: Vec::with_capacity(UDP_BATCH),
    };
    let mut ahead = Ahead::default();
    let mut batch = system::Batch::new();
    while !shared.stopping.load(Ordering::Relaxed) {
        match batch.receive(socket, true) {
            Ok(received) => worker.answer(&mut batch, received, &mut ahead, generations.load()),
            // Nothing came for a while. An old generation is let go even so.
            Err(error) if is_pause(&error) => {
                generations.load();
            }
            Err(error) => {
                tracing::debug!(%error, "receiving failed");
                // What is wrong may last (no memory): do not spin.
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    }
    let deadline = clock::instant() + STOP_GRACE;
    while let Ok(received) = batch.receive(socket, false) {
        if received == 0 || clock::instant() > deadline {
            break;
        }
        worker.answer(&mut batch, received, &mut ahead, generations.load());
    }
}

fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// What one worker has beside its buffers.
struct Worker<'a> {
    socket: &'a Arc<UdpSocket>,
    shared: &'a Arc<Shared>,
    /// `None`: all may have as many responses as they ask for.
    rate: Option<Rate>,
    counters: Arc<OwnCounters>,
    /// Where the queries of a batch come from, and who that is.
    sources: Vec<IpAddr>,
    /// `None`: somebody who may not ask.
    askers: Vec<Option<Asker>>,
}

impl Worker<'_> {
    fn answer(&mut self, batch: &mut system::Batch, received: usize, ahead: &mut Ahead, generation: &Arc<Generation>) {
        let now = clock::now();
        let (datagrams, mut responses) = batch.parts();
        self.sources.clear();
        self.sources.extend((0..received).map(|index| {
            let source = datagrams.get(index).source;
            source.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |source| source.ip().to_canonical())
        }));
        generation.policy.clients(&self.sources, now.unix_s(), &mut self.askers);
        for start in (0..received).step_by(LOOKED_AHEAD) {
            let end = received.min(start + LOOKED_AHEAD);
            let mut reads = [None; LOOKED_AHEAD];
            let cache = &self.shared.service.cache;
            if end - start >= FORESEEN {
                // What is not read here, should that ever fail, is read when it is answered.
                caught(|| {
                    for (index, read) in (start..end).zip(&mut reads) {
                        *read = Some(query::read(cache, datagrams.get(index).bytes));
                    }
                    ahead.look(generation, cache, &mut reads);
                });
            }
            for (index, read) in (start..end).zip(reads) {
                self.answer_one(index, read, datagrams, &mut responses, generation, now);
            }
        }
        batch.send(self.socket, |error| {
            self.counters.add(Count::DroppedSend, 1);
            tracing::debug!(%error, "a response could not be sent");
        });
    }

    /// Answers datagram `index` of a batch. `read`: what was read of it, if anything was.
    #[inline]
    fn answer_one(
        &mut self,
        index: usize,
        read: Option<Read<'_>>,
        datagrams: system::Datagrams<'_>,
        responses: &mut system::Responses<'_>,
        generation: &Arc<Generation>,
        now: Now,
    ) {
        let incoming = datagrams.get(index);
        let Some(address) = incoming.source.filter(|source| source.port() != 0) else {
            // Nobody listens on port 0: the address is made up.
            self.counters.add(Count::DroppedSource, 1);
            return;
        };
        if incoming.cut {
            self.counters.add(Count::DroppedLong, 1);
            return;
        }
        let peer = Peer {
            address,
            transport: Transport::Udp,
        };
        let (asker, cache) = (self.askers[index], &self.shared.service.cache);
        let out = responses.room();
        let (begun, counts) = counted(&peer, || {
            let read = read.unwrap_or_else(|| query::read(cache, incoming.bytes));
            begin_read(self.shared, generation, &read, &peer, asker, now, out)
        });
        self.counters.add_all(counts);
        let begun = match self.fate(&begun, counts, &peer, now) {
            Fate::Send => begun,
            Fate::Drop => self.instead(begun, None),
            Fate::Instead(short) => {
                let out = responses.room();
                let shorten = || query::shorten(generation, incoming.bytes, &peer, now, short, out);
                self.instead(begun, Some(guarded(shorten)))
            }
        };
        match begun {
            Begun::Respond(len) => responses.keep(index, len),
            Begun::RespondAndRenew(len, renewal) => {
                responses.keep(index, len);
                renew(self.shared, renewal);
            }
            Begun::Drop => {}
            Begun::Pending(pending) => {
                let Some(route) = datagrams.route(index) else { return };
                let socket = Arc::clone(self.socket);
                let deliver = move |shared: &Shared, response: &[u8]| {
                    if response.is_empty() {
                        return;
                    }
                    if let Err(error) = system::send_one(&socket, &route, response) {
                        shared.service.counters.add(Count::DroppedSend.into());
                        tracing::debug!(%error, "a response could not be sent");
                    }
                };
                match answer_later(self.shared, pending, address.ip(), responses.room(), deliver) {
                    Later::Waits | Later::Drop => {}
                    Later::Respond(len) => responses.keep(index, len),
                }
            }
        }
    }

    /// Whether a response goes out. One that waits for the resolver is a response like others, and decided on now: later the
    /// packet's worker is not at hand, and what will not be sent need not be looked up.
    fn fate(&mut self, begun: &Begun, counts: Counts, peer: &Peer, now: Now) -> Fate {
        match (&mut self.rate, begun) {
            (None, _) | (_, Begun::Drop) => Fate::Send,
            (Some(rate), _) => rate.fate(peer.address.ip(), counts, now),
        }
    }

    /// What is left of a query whose network has had enough: the shorter response, or none.
    #[cold]
    fn instead(&self, begun: Begun, short: Option<(Begun, Counts)>) -> Begun {
        let (instead, counts) = short.unwrap_or((Begun::Drop, Count::DroppedOverRate.into()));
        self.counters.add_all(counts);
        if let Begun::RespondAndRenew(_, renewal) = begun {
            // The renewal is for all who ask, and nobody else will be told to do it.
            renew(self.shared, renewal);
        }
        instead
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::QUERY_BYTES;

    /// The same for both ways to the sockets: what comes in goes back to where it came from, at once or later.
    macro_rules! round_trip {
        ($system:ident) => {
            round_trip!($system, "127.0.0.1:0");
            // Here the system says which address was asked.
            round_trip!($system, "0.0.0.0:0");
        };
        ($system:ident, $address:literal) => {
            let address = $address.parse().unwrap();
            let socket = open(address).unwrap();
            $system::set_options(&socket, address).unwrap();
            let to = SocketAddr::from(([127, 0, 0, 1], socket.local_addr().unwrap().port()));
            let clients: Vec<UdpSocket> = (0..3).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
            let mut batch = $system::Batch::new();
            assert!(batch.receive(&socket, false).is_err(), "nothing has come in");
            let sizes = [
                0,
                1,
                40,
                QUERY_BYTES - 1,
                QUERY_BYTES,
                QUERY_BYTES + 1,
                QUERY_BYTES + 1000,
            ];
            for (turn, size) in sizes.into_iter().enumerate() {
                for (index, client) in clients.iter().enumerate() {
                    client.send_to(&vec![index as u8; size], to).unwrap();
                }
                let mut seen = 0;
                while seen < clients.len() {
                    let received = batch.receive(&socket, true).unwrap();
                    for index in 0..received {
                        let (datagrams, mut responses) = batch.parts();
                        let (incoming, out) = (datagrams.get(index), responses.room());
                        assert_eq!(incoming.cut, size > QUERY_BYTES);
                        assert_eq!(incoming.bytes.len(), size.min(QUERY_BYTES));
                        let client = &clients[seen + index];
                        assert_eq!(incoming.source, Some(client.local_addr().unwrap()));
                        assert!(out.len() >= crate::limits::MESSAGE_BYTES);
                        out[..3].copy_from_slice(&[turn as u8, (seen + index) as u8, 7]);
                        if turn % 2 == 0 {
                            responses.keep(index, 3);
                        } else {
                            let later = [turn as u8, (seen + index) as u8, 7];
                            $system::send_one(&socket, &datagrams.route(index).unwrap(), &later).unwrap();
                        }
                    }
                    batch.send(&socket, |error| panic!("{error}"));
                    seen += received;
                }
                for (index, client) in clients.iter().enumerate() {
                    let mut answer = [0; 10];
                    let (bytes, from) = client.recv_from(&mut answer).unwrap();
                    assert_eq!((&answer[..bytes], from), (&[turn as u8, index as u8, 7][..], to));
                }
            }
        };
    }

    #[test]
    fn datagrams_go_back_to_where_they_came_from_one_at_a_time() {
        round_trip!(portable);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn datagrams_go_back_to_where_they_came_from_by_the_batch() {
        round_trip!(linux);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_response_that_cannot_be_sent_costs_no_other_its_way() {
        let socket = open("127.0.0.1:0".parse().unwrap()).unwrap();
        let to = socket.local_addr().unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..3 {
            client.send_to(&[1], to).unwrap();
        }
        let mut batch = linux::Batch::new();
        let mut received = 0;
        while received < 3 {
            received = batch.receive(&socket, true).unwrap();
        }
        for index in 0..3 {
            let (_, mut responses) = batch.parts();
            responses.room()[0] = index as u8;
            responses.keep(index, 1);
        }
        batch.spoil(1);
        let mut failures = 0;
        batch.send(&socket, |_| failures += 1);
        assert_eq!(failures, 1);
        let mut answer = [0; 10];
        for expected in [0, 2] {
            assert_eq!(client.recv_from(&mut answer).unwrap().0, 1);
            assert_eq!(answer[0], expected);
        }
    }
}
