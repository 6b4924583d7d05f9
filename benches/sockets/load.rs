//! The load: queries from one or a thousand clients, and how many were answered; or how long single ones took.

use crate::calls;
use crate::messages::{Couple, Envelope, Inbox, Outbox};
use crate::server::{CORE_AT, RECORD};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

const CLIENTS: usize = 1_000;
/// Queries sent or responses taken by one call.
const BURST: u64 = 256;
/// Queries sent before answers are looked for, by a thousand sockets.
const PORTS_STEP: u64 = 8;
/// Queries that may be sent at once to catch up with a rate; more are left out.
const CATCH_UP: u64 = 256;
/// What has not come by then is lost.
const PATIENCE: Duration = Duration::from_millis(20);
/// For the response to the oldest of a thousand ports' queries.
const HEAD_PATIENCE: Duration = Duration::from_millis(5);

/// Where queries come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A thousand sockets, each with a port of its own: two system calls a query.
    Ports,
    /// A thousand addresses of loopback by one socket: to the server also a thousand clients, and no system call a query.
    Addresses,
    /// One client, such as a forwarder; queries of one length.
    One,
    /// One client, queries of 16 lengths.
    OneVaried,
    /// One client that sends trains of 64 (UDP_SEGMENT).
    OneTrains,
    /// And takes them (UDP_GRO), as a network card would that cuts them apart itself.
    OneTakesTrains,
}

/// When the next query is sent.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// As soon as fewer than this many are waited for.
    Outstanding(u64),
    PerSecond(f64),
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Outcome {
    pub sent: u64,
    pub answered: u64,
    pub seconds: f64,
}

/// One loading thread's state.
struct Load {
    source: Source,
    sockets: Vec<UdpSocket>,
    queries: Vec<Vec<u8>>,
    inbox: Inbox,
    outbox: Outbox,
    ways: Vec<Envelope>,
    outcome: Outcome,
    /// Ports: the query whose answer is looked for. Else: those answered or given up.
    done: u64,
}

/// Sends queries to a port of 127.0.0.1 from the core that the calling thread is kept to.
pub fn load(source: Source, pace: Pace, port: u16, duration: Duration) -> Outcome {
    let mut load = Load::new(source, port);
    load.run(pace, duration);
    // What is still under way.
    std::thread::sleep(Duration::from_millis(30));
    while load.receive(true) > 0 {}
    load.outcome
}

fn open(port: u16, connect: bool) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
    if connect {
        socket.connect(("127.0.0.1", port)).expect("a socket can be connected");
    }
    socket.set_nonblocking(true).expect("a socket can be made so");
    let options = socket2::SockRef::from(&socket);
    let _ = options.set_recv_buffer_size(4 << 20);
    let _ = options.set_send_buffer_size(4 << 20);
    socket
}

/// A query for A of `www.example.com`, or of a name some bytes longer.
fn query(core: usize, longer: usize) -> Vec<u8> {
    let mut query = b"\0\0\x01\0\0\x01\0\0\0\0\0\0".to_vec();
    query[CORE_AT] = core as u8;
    query.push(3 + longer as u8);
    query.extend(std::iter::repeat_n(b'w', 3 + longer));
    query.extend(b"\x07example\x03com\0\0\x01\0\x01");
    query
}

impl Load {
    fn new(source: Source, port: u16) -> Load {
        let sockets: Vec<UdpSocket> = match source {
            Source::Ports => (0..CLIENTS).map(|_| open(port, true)).collect(),
            Source::Addresses => {
                let socket = UdpSocket::bind("0.0.0.0:0").expect("a port can be bound");
                socket.set_nonblocking(true).expect("a socket can be made so");
                let options = socket2::SockRef::from(&socket);
                let _ = options.set_recv_buffer_size(4 << 20);
                vec![socket]
            }
            _ => vec![open(port, false)],
        };
        let takes_trains = source == Source::OneTakesTrains;
        if takes_trains {
            calls::set_option(&sockets[0], libc::SOL_UDP, libc::UDP_GRO, 1).expect("UDP_GRO");
        }
        let core = calls::core();
        // In an order that no two neighbours share, as the lengths of real names.
        let lengths = if source == Source::OneVaried { 16 } else { 1 };
        Load {
            source,
            sockets,
            queries: (0..lengths).map(|number| query(core, number * 7 % 16)).collect(),
            inbox: Inbox::new(BURST as usize, if takes_trains { 1 << 16 } else { 512 }, takes_trains),
            outbox: Outbox::default(),
            ways: (0..CLIENTS)
                .map(|client| {
                    let from = [127, 1, (client / 250) as u8, (client % 250 + 1) as u8];
                    Envelope::to(port, (source == Source::Addresses).then_some(from))
                })
                .collect(),
            outcome: Outcome::default(),
            done: 0,
        }
    }

    fn run(&mut self, pace: Pace, duration: Duration) {
        let start = Instant::now();
        let (mut left_out, mut moved) = (0, start);
        loop {
            let now = Instant::now();
            let passed = now - start;
            if passed >= duration {
                self.outcome.seconds = passed.as_secs_f64();
                return;
            }
            let sent = self.outcome.sent;
            let due = match pace {
                Pace::Outstanding(most) => self.done + most,
                Pace::PerSecond(rate) => {
                    let due = (passed.as_secs_f64() * rate) as u64 - left_out;
                    let late = due.saturating_sub(sent + CATCH_UP);
                    left_out += late;
                    due - late
                }
            };
            let step = if self.source == Source::Ports {
                PORTS_STEP
            } else {
                BURST
            };
            // Trains are whole.
            let least = if matches!(pace, Pace::Outstanding(_)) && self.sockets.len() == 1 {
                BURST
            } else {
                1
            };
            if due >= sent + least {
                self.send(due.min(sent + step) - sent);
            }
            if self.receive(false) > 0 {
                moved = now;
            } else if self.source == Source::Ports {
                if now - moved > HEAD_PATIENCE && self.done < self.outcome.sent {
                    self.done += 1;
                }
            } else if now - moved > PATIENCE {
                self.done = self.outcome.sent;
                moved = now;
            }
        }
    }

    fn send(&mut self, count: u64) {
        let first = self.outcome.sent as usize;
        self.outcome.sent += count;
        if self.source == Source::Ports {
            for number in first..first + count as usize {
                // An error is a full buffer or one that the query before met: a query that is lost.
                let _ = self.sockets[number % CLIENTS].send(&self.queries[0]);
            }
            return;
        }
        self.outbox.clear();
        for number in first..first + count as usize {
            let query = &self.queries[number % self.queries.len()];
            self.outbox.push(&[query], &self.ways[number % CLIENTS]);
        }
        let couple = match self.source {
            Source::OneTrains | Source::OneTakesTrains => Couple::Neighbours,
            _ => Couple::Nothing,
        };
        self.outbox.send(&self.sockets[0], couple);
    }

    /// Takes responses that are there, at the end from all sockets; their number.
    fn receive(&mut self, all: bool) -> u64 {
        let before = self.outcome.answered;
        if self.source == Source::Ports {
            let mut buffer = [0; 512];
            if all {
                for socket in &self.sockets {
                    while let Ok(bytes) = socket.recv(&mut buffer) {
                        self.outcome.answered += u64::from(is_response(&buffer[..bytes]));
                    }
                }
                return 0;
            }
            for _ in 0..2 * PORTS_STEP {
                if self.done == self.outcome.sent {
                    break;
                }
                let Ok(bytes) = self.sockets[self.done as usize % CLIENTS].recv(&mut buffer) else {
                    break;
                };
                self.done += 1;
                self.outcome.answered += u64::from(is_response(&buffer[..bytes]));
            }
        } else {
            let received = self.inbox.receive(&self.sockets[0], false).unwrap_or(0);
            for index in 0..received {
                let (bytes, envelope) = self.inbox.datagram(index);
                let size = envelope.joined().unwrap_or(bytes.len()).max(1);
                for response in bytes.chunks(size) {
                    self.outcome.answered += u64::from(is_response(response));
                    self.done += 1;
                }
            }
            self.done = self.done.min(self.outcome.sent);
        }
        self.outcome.answered - before
    }
}

fn is_response(bytes: &[u8]) -> bool {
    bytes.len() > 12 && bytes[2] & 0x80 != 0 && bytes.ends_with(RECORD)
}

/// Times of single queries in nanoseconds, sent at even distances, each after the one before was answered. Asks over and over for the
/// response: being woken would be measured as well.
pub fn latencies(port: u16, per_second: u32, duration: Duration) -> Vec<u32> {
    let socket = open(port, true);
    let query = query(calls::core(), 0);
    let every = Duration::from_secs(1) / per_second;
    let count = (duration.as_secs_f64() * f64::from(per_second)) as u32;
    let mut times = Vec::with_capacity(count as usize);
    let mut buffer = [0; 512];
    let start = Instant::now();
    for number in 0..count {
        while Instant::now() < start + every * number {
            std::hint::spin_loop();
        }
        let sent = Instant::now();
        let _ = socket.send(&query);
        while sent.elapsed() < PATIENCE {
            if socket
                .recv(&mut buffer)
                .is_ok_and(|bytes| is_response(&buffer[..bytes]))
            {
                times.push(sent.elapsed().as_nanos() as u32);
                break;
            }
        }
    }
    times
}
