//! The servers that are compared: loops that understand nothing and answer with one constant record, as `yardstick_udp` does.
//!
//! In: words that say which. Out: the port on standard output; each line on standard input is replied to with five numbers: user and
//! system time so far in microseconds, datagrams received, system calls that received them, and how many were received on the core
//! that sent them. The end of standard input ends it.

use crate::calls;
use crate::messages::{Couple, Envelope, Inbox, Outbox};
use crate::ring;
use std::io::{BufRead, Write};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub const QUERY_BYTES: usize = 4096;
pub const RECORD: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\x1e\0\x04\0\0\0\0";
/// Where in a query its sender writes the core it is on: the first byte of the ID.
pub const CORE_AT: usize = 0;

/// What is different from the plain loop.
#[derive(Debug, Clone)]
pub struct Settings {
    pub batch: usize,
    /// Whether the kernel says, and is told, which of our addresses is used.
    pub pktinfo: bool,
    pub gro: bool,
    pub gso: Couple,
    /// SO_BUSY_POLL, in microseconds; with SO_PREFER_BUSY_POLL.
    pub busy: Option<libc::c_int>,
    pub prefer: bool,
    /// Asks over and over for so many microseconds before it waits in the kernel.
    pub spin: Option<u64>,
    pub workers: usize,
    /// Whether each of two workers is kept to a core.
    pub pin: bool,
    pub steer: Steer,
    pub ring: Option<ring::Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steer {
    Hash,
    IncomingCpu,
    Bpf,
}

impl Settings {
    pub fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Settings {
        let mut settings = Settings {
            batch: 64,
            pktinfo: true,
            gro: false,
            gso: Couple::Nothing,
            busy: None,
            prefer: false,
            spin: None,
            workers: 1,
            pin: false,
            steer: Steer::Hash,
            ring: None,
        };
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let number = || value.parse().unwrap_or_else(|_| panic!("{word}: not a number"));
            match key {
                "batch" => settings.batch = number() as usize,
                "bare" => settings.pktinfo = false,
                "gro" => settings.gro = true,
                "gso" => settings.gso = Couple::Neighbours,
                "sorted" => settings.gso = Couple::Sorted,
                "busy" => settings.busy = Some(number() as libc::c_int),
                "prefer" => settings.prefer = true,
                "spin" => settings.spin = Some(number()),
                "two" => settings.workers = 2,
                "pin" => settings.pin = true,
                "incoming" => settings.steer = Steer::IncomingCpu,
                "bpf" => settings.steer = Steer::Bpf,
                "ring" => settings.ring = Some(ring::Kind::parse(value)),
                _ => panic!("{word}: no such setting"),
            }
        }
        settings
    }
}

/// What was received, and where.
#[derive(Default)]
pub struct Counters {
    pub datagrams: AtomicU64,
    pub calls: AtomicU64,
    pub at_home: AtomicU64,
}

static COUNTERS: Counters = Counters {
    datagrams: AtomicU64::new(0),
    calls: AtomicU64::new(0),
    at_home: AtomicU64::new(0),
};

/// Adds what one call received.
pub fn count(datagrams: u64, at_home: u64) {
    COUNTERS.datagrams.fetch_add(datagrams, Relaxed);
    COUNTERS.calls.fetch_add(1, Relaxed);
    COUNTERS.at_home.fetch_add(at_home, Relaxed);
}

/// Answers until standard input ends.
pub fn serve(settings: &Settings) {
    if settings.workers == 1 {
        calls::keep_to_core(0);
    }
    let mut address = SocketAddr::from(([127, 0, 0, 1], 0));
    let sockets: Vec<UdpSocket> = (0..settings.workers)
        .map(|worker| {
            let socket = open(settings, address, worker);
            address = socket.local_addr().expect("it is bound");
            socket
        })
        .collect();
    if settings.steer == Steer::Bpf {
        calls::steer_by_core(&sockets[0]).unwrap_or_else(|error| panic!("SO_ATTACH_REUSEPORT_CBPF: {error}"));
    }
    println!("{}", address.port());
    for (worker, socket) in sockets.into_iter().enumerate() {
        let settings = settings.clone();
        std::thread::spawn(move || {
            if settings.pin {
                calls::keep_to_core(worker);
            }
            match &settings.ring {
                Some(kind) => ring::answer(&socket, *kind),
                None if settings.gro || settings.gso != Couple::Nothing => answer_trains(&socket, &settings),
                None => answer(&socket, &settings),
            }
        });
    }
    for _ in std::io::stdin().lock().lines() {
        let (user, system) = calls::usage();
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        println!(
            "{user} {system} {} {} {}",
            count(&COUNTERS.datagrams),
            count(&COUNTERS.calls),
            count(&COUNTERS.at_home)
        );
        std::io::stdout().flush().expect("somebody listens");
    }
}

fn open(settings: &Settings, address: SocketAddr, worker: usize) -> UdpSocket {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).expect("UDP sockets can be made");
    socket.set_reuse_port(true).expect("SO_REUSEPORT");
    let _ = socket.set_recv_buffer_size(4 << 20);
    let _ = socket.set_send_buffer_size(4 << 20);
    let wait = Some(Duration::from_millis(200));
    socket.set_read_timeout(wait).expect("a time limit");
    socket.set_write_timeout(wait).expect("a time limit");
    let socket = UdpSocket::from(socket);
    let set = |name: &str, level, option, value| {
        calls::set_option(&socket, level, option, value).unwrap_or_else(|error| panic!("{name}: {error}"));
    };
    set(
        "IP_PKTINFO",
        libc::IPPROTO_IP,
        libc::IP_PKTINFO,
        settings.pktinfo.into(),
    );
    set(
        "IP_MTU_DISCOVER",
        libc::IPPROTO_IP,
        libc::IP_MTU_DISCOVER,
        libc::IP_PMTUDISC_OMIT,
    );
    if settings.gro {
        set("UDP_GRO", libc::SOL_UDP, libc::UDP_GRO, 1);
    }
    if let Some(micros) = settings.busy {
        set("SO_BUSY_POLL", libc::SOL_SOCKET, libc::SO_BUSY_POLL, micros);
    }
    if settings.prefer {
        set("SO_PREFER_BUSY_POLL", libc::SOL_SOCKET, libc::SO_PREFER_BUSY_POLL, 1);
    }
    if settings.steer == Steer::IncomingCpu {
        set(
            "SO_INCOMING_CPU",
            libc::SOL_SOCKET,
            libc::SO_INCOMING_CPU,
            worker as libc::c_int,
        );
    }
    socket2::SockRef::from(&socket)
        .bind(&address.into())
        .expect("loopback can be bound");
    socket
}

/// Makes the head of a query that of a response with one record.
pub fn turn_round(query: &mut [u8]) {
    query[2] |= 0x80;
    query[3] |= 0x80;
    query[7] = 1;
}

fn receive(socket: &UdpSocket, inbox: &mut Inbox, spin: Option<u64>) -> usize {
    if let Some(micros) = spin {
        let end = Instant::now() + Duration::from_micros(micros);
        while Instant::now() < end {
            if let Ok(received) = inbox.receive(socket, false) {
                return received;
            }
        }
    }
    // Nothing came within the time limit, or a response met a closed port.
    inbox.receive(socket, true).unwrap_or(0)
}

/// The plain loop, with batches of another size, without control messages, or with another way of waiting.
fn answer(socket: &UdpSocket, settings: &Settings) {
    let mut inbox = Inbox::new(settings.batch, QUERY_BYTES, settings.pktinfo);
    let mut outbox = Outbox::default();
    loop {
        let received = receive(socket, &mut inbox, settings.spin);
        let core = calls::core();
        let mut at_home = 0;
        outbox.clear();
        for index in 0..received {
            let (query, envelope) = inbox.datagram(index);
            at_home += u64::from(usize::from(query[CORE_AT]) == core);
            outbox.push(&[query, RECORD], &envelope.back());
            turn_round(outbox.last());
        }
        outbox.send(socket, Couple::Nothing);
        count(received as u64, at_home);
    }
}

/// With datagrams that the kernel joined, or that it shall cut apart.
fn answer_trains(socket: &UdpSocket, settings: &Settings) {
    let bytes = if settings.gro { 1 << 16 } else { QUERY_BYTES };
    let mut inbox = Inbox::new(settings.batch, bytes, true);
    let mut outbox = Outbox::default();
    loop {
        let received = receive(socket, &mut inbox, None);
        outbox.clear();
        let mut datagrams = 0;
        for index in 0..received {
            let (bytes, envelope) = inbox.datagram(index);
            let size = envelope.joined().unwrap_or(bytes.len()).max(1);
            let way: Envelope = envelope.back();
            for query in bytes.chunks(size) {
                outbox.push(&[query, RECORD], &way);
                turn_round(outbox.last());
                datagrams += 1;
            }
        }
        outbox.send(socket, settings.gso);
        count(datagrams, 0);
    }
}
