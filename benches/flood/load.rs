//! Three kinds of questions, each at a rate of its own, kept whatever comes back.
//!
//! Always: each question of a measurement has a socket and an ID that no other has, so that what became of it is known.

use crate::counted::kernel_drops;
use crate::peers::check::{Verdict, judge, right};
use crate::peers::config::Kind;
use crate::peers::names::Queries;
use crate::peers::process::Server;
use socket2::SockRef;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// With the IDs enough for a million questions.
const SOCKETS: usize = 16;
/// Answers that come so long after the last question are none.
const PATIENCE: Duration = Duration::from_secs(6);
/// Questions sent before answers are looked for.
const STEP: usize = 8;
/// Questions of one kind that may be sent at once to catch up; more are left out.
const CATCH_UP: u64 = 64;

/// Which questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Cached,
    Blocked,
    Uncached,
}

impl Of {
    pub const ALL: [Of; 3] = [Of::Cached, Of::Blocked, Of::Uncached];

    pub fn name(self) -> &'static str {
        ["cached", "blocked", "uncached"][self as usize]
    }
}

/// What became of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fate {
    pub sent: u64,
    pub right: u64,
    pub wrong: u64,
    /// SERVFAIL or another code.
    pub failed: u64,
}

#[derive(Default)]
pub struct Outcome {
    fates: [Fate; 3],
    /// Of right answers, in microseconds.
    times: [Vec<u32>; 3],
    pub seconds: f64,
    /// Responses that found no room in our sockets.
    pub lost: u64,
}

impl Outcome {
    pub fn of(&self, of: Of) -> &Fate {
        &self.fates[of as usize]
    }

    /// The time that `share` of the right answers do not exceed, in milliseconds.
    pub fn quantile(&self, of: Of, share: f64) -> f64 {
        let mut times = self.times[of as usize].clone();
        times.sort_unstable();
        let at = (share * times.len() as f64).ceil() as usize;
        times
            .get(at.saturating_sub(1))
            .map_or(f64::NAN, |&micros| f64::from(micros) / 1e3)
    }
}

pub struct Load<'a> {
    kind: Kind,
    queries: [&'a Queries; 2],
    sockets: Vec<UdpSocket>,
    /// Uncached names so far; none is asked for twice.
    names: u64,
    /// Questions of this measurement.
    sent: Vec<(Of, Instant)>,
    is_open: Vec<bool>,
    outcome: Outcome,
}

impl<'a> Load<'a> {
    /// Asks `server` for names of these two sets, cached and blocked, and for others that no cache holds.
    pub fn new(kind: Kind, server: &Server, queries: [&'a Queries; 2]) -> Load<'a> {
        let sockets = (0..SOCKETS).map(|_| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
            socket.connect(server.address).expect("a socket can be connected");
            socket.set_nonblocking(true).expect("a socket can be made so");
            // As much as the kernel grants.
            let _ = SockRef::from(&socket).set_recv_buffer_size(4 << 20);
            socket
        });
        Load {
            kind,
            queries,
            sockets: sockets.collect(),
            names: 0,
            sent: Vec::new(),
            is_open: Vec::new(),
            outcome: Outcome::default(),
        }
    }

    /// Asks for uncached names, so many outstanding.
    pub fn outstanding(&mut self, most: u64, duration: Duration) -> Outcome {
        self.run(duration, |outcome, _| {
            let fate = outcome.of(Of::Uncached);
            let open = fate.sent - fate.right - fate.wrong - fate.failed;
            [0, 0, fate.sent + most.saturating_sub(open)]
        })
    }

    /// Asks so many questions of each kind a second.
    pub fn rates(&mut self, rates: [f64; 3], duration: Duration) -> Outcome {
        self.run(duration, |_, passed| rates.map(|rate| (passed * rate) as u64))
    }

    /// `due` tells how many of each kind should have been sent, from what has become of those before and the seconds passed.
    fn run(&mut self, duration: Duration, due: impl Fn(&Outcome, f64) -> [u64; 3]) -> Outcome {
        let drops = |sockets: &[UdpSocket]| -> u64 {
            let local = sockets.iter().filter_map(|socket| socket.local_addr().ok());
            local.map(kernel_drops).sum()
        };
        let before = drops(&self.sockets);
        let start = Instant::now();
        let mut left_out = [0; 3];
        while start.elapsed() < duration {
            let due = due(&self.outcome, start.elapsed().as_secs_f64());
            for of in Of::ALL {
                let at = of as usize;
                let sent = self.outcome.fates[at].sent;
                let late = (due[at] - left_out[at]).saturating_sub(sent + CATCH_UP);
                left_out[at] += late;
                for _ in sent..(due[at] - left_out[at]).min(sent + STEP as u64) {
                    self.send(of);
                }
            }
            self.receive();
        }
        self.outcome.seconds = start.elapsed().as_secs_f64();
        let end = Instant::now();
        while end.elapsed() < PATIENCE && self.is_open.contains(&true) {
            self.receive();
            std::thread::sleep(Duration::from_millis(1));
        }
        self.outcome.lost = drops(&self.sockets) - before;
        self.sent.clear();
        self.is_open.clear();
        std::mem::take(&mut self.outcome)
    }

    fn send(&mut self, of: Of) {
        let number = self.sent.len();
        assert!(number < SOCKETS << 16, "more questions than IDs");
        let mut query = [0; 300];
        let length = match of {
            Of::Uncached => self.uncached(&mut query),
            Of::Cached | Of::Blocked => {
                let queries = self.queries[of as usize];
                let bytes = queries.get(self.outcome.fates[of as usize].sent as usize % queries.len());
                query[..bytes.len()].copy_from_slice(bytes);
                bytes.len()
            }
        };
        query[..2].copy_from_slice(&((number / SOCKETS) as u16).to_be_bytes());
        self.sent.push((of, Instant::now()));
        let is_sent = self.sockets[number % SOCKETS].send(&query[..length]).is_ok();
        self.is_open.push(is_sent);
        self.outcome.fates[of as usize].sent += u64::from(is_sent);
    }

    /// Writes a query for a name of its own.
    fn uncached(&mut self, query: &mut [u8; 300]) -> usize {
        self.names += 1;
        let label = format!("n{}", self.names);
        let mut bytes = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, label.len() as u8];
        bytes.extend(label.as_bytes());
        bytes.extend(b"\x0cnobody-knows\x03com\0\0\x01\0\x01");
        query[..bytes.len()].copy_from_slice(&bytes);
        bytes.len()
    }

    /// Takes the answers that are there, but not more than a turn's.
    fn receive(&mut self) {
        for socket in 0..SOCKETS {
            for _ in 0..STEP {
                let mut buffer = [0; 2048];
                let Ok(length) = self.sockets[socket].recv(&mut buffer) else {
                    break;
                };
                self.judge(socket, &buffer[..length]);
            }
        }
    }

    fn judge(&mut self, socket: usize, response: &[u8]) {
        let id = usize::from(u16::from_be_bytes([response[0], response[1]]));
        let number = id * SOCKETS + socket;
        // One of the measurement before.
        let Some(is_open) = self.is_open.get_mut(number).filter(|is_open| **is_open) else {
            return;
        };
        *is_open = false;
        let (of, sent_at) = self.sent[number];
        let fate = &mut self.outcome.fates[of as usize];
        match judge(response, right(self.kind, of == Of::Blocked)) {
            Verdict::Right => {
                fate.right += 1;
                self.outcome.times[of as usize].push(sent_at.elapsed().as_micros() as u32);
            }
            Verdict::Wrong => fate.wrong += 1,
            Verdict::Failed(_) => fate.failed += 1,
        }
    }
}
