//! The load: a thousand sockets, each with a source port of its own, and a rate that is kept whatever comes back.
//!
//! Questions go to the sockets in turn, and answers are looked for in the order of the questions, since servers answer in about that
//! order: so no call has to ask which sockets can be read, and a question costs two system calls. An answer that is late is found
//! when the turn comes to its socket again.

use crate::peers::check::{Verdict, judge, right};
use crate::peers::config::Kind;
use crate::peers::names::Queries;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Source ports.
pub const SOCKETS: usize = 1_000;
/// Longer than a server's answer takes under load, shorter than a turn through all sockets at the usual rates.
const HEAD_PATIENCE: Duration = Duration::from_millis(5);
/// Questions sent or answers taken before the other is looked after.
const STEP: usize = 8;
/// Questions that may be sent at once to catch up. More are left out: where this program was held up, the servers' buffers would overflow.
const CATCH_UP: u64 = 64;
/// Slots for the times of the questions whose answers are looked for; more than are ever outstanding.
const SLOTS: usize = 1 << 16;

/// When the next question is asked.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    PerSecond(f64),
    /// As soon as fewer than this many are waited for.
    Outstanding(u64),
}

/// What became of the questions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outcome {
    pub sent: u64,
    /// Right or wrong.
    pub answered: u64,
    /// NOERROR with something else than was asked for.
    pub wrong: u64,
    /// SERVFAIL or another code.
    pub failed: u64,
    pub seconds: f64,
}

struct Load<'a> {
    kind: Kind,
    queries: &'a Queries,
    first: usize,
    sockets: Vec<UdpSocket>,
    sent_at: Vec<Instant>,
    /// The question whose answer is looked for; those before it are answered, late or lost.
    head: u64,
    outcome: Outcome,
}

/// Asks `server`, beginning with question `first`.
pub fn load(
    kind: Kind,
    server: SocketAddr,
    queries: &Queries,
    first: usize,
    pace: Pace,
    duration: Duration,
) -> Outcome {
    let sockets = (0..SOCKETS).map(|_| {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
        socket.connect(server).expect("a socket can be connected");
        socket.set_nonblocking(true).expect("a socket can be made so");
        socket
    });
    let mut load = Load {
        kind,
        queries,
        first,
        sockets: sockets.collect(),
        sent_at: vec![Instant::now(); SLOTS],
        head: 0,
        outcome: Outcome::default(),
    };
    load.run(pace, duration);
    // What is still under way. Twice, since a server may have fallen behind.
    for _ in 0..2 {
        std::thread::sleep(Duration::from_millis(100));
        load.drain();
    }
    load.outcome
}

impl Load<'_> {
    fn run(&mut self, pace: Pace, duration: Duration) {
        let mut query = [0; 300];
        let start = Instant::now();
        let mut left_out = 0;
        loop {
            let now = Instant::now();
            let passed = now - start;
            if passed >= duration {
                self.outcome.seconds = passed.as_secs_f64();
                return;
            }
            let sent = self.outcome.sent;
            let due = match pace {
                Pace::PerSecond(rate) => {
                    let due = (passed.as_secs_f64() * rate) as u64 - left_out;
                    let late = due.saturating_sub(sent + CATCH_UP);
                    left_out += late;
                    due - late
                }
                Pace::Outstanding(most) => self.head + most,
            };
            for number in sent..due.min(sent + STEP as u64) {
                self.send(number, now, &mut query);
            }
            self.receive(now);
        }
    }

    fn send(&mut self, number: u64, now: Instant, query: &mut [u8; 300]) {
        let bytes = self.queries.get(self.question(number));
        query[..bytes.len()].copy_from_slice(bytes);
        // With the socket it tells the number of the question.
        let turn = (number / SOCKETS as u64) as u16;
        query[..2].copy_from_slice(&turn.to_be_bytes());
        // An error is one that the question before met, or a full buffer: a question that is lost.
        let _ = self.sockets[number as usize % SOCKETS].send(&query[..bytes.len()]);
        self.sent_at[number as usize % SLOTS] = now;
        self.outcome.sent += 1;
    }

    fn question(&self, number: u64) -> usize {
        (self.first + number as usize) % self.queries.len()
    }

    /// Takes the answers that are there.
    fn receive(&mut self, now: Instant) {
        for _ in 0..2 * STEP {
            if self.head == self.outcome.sent {
                return;
            }
            let socket = self.head as usize % SOCKETS;
            match self.take(socket) {
                Some(number) if number == self.head => self.head += 1,
                // A late one, or none that was asked for: that of the head may stand behind it.
                Some(_) => {}
                None if now.saturating_duration_since(self.sent_at[self.head as usize % SLOTS]) > HEAD_PATIENCE => {
                    self.head += 1;
                }
                None => return,
            }
        }
    }

    /// Takes one answer from a socket; the number of its question.
    fn take(&mut self, socket: usize) -> Option<u64> {
        let mut buffer = [0; 2048];
        let length = match self.sockets[socket].recv(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            // The server's port was closed for a moment, or is.
            Err(_) => return None,
        };
        self.outcome.answered += 1;
        let turn = u64::from(u16::from_be_bytes([buffer[0], buffer[1]]));
        let number = turn * SOCKETS as u64 + socket as u64;
        let blocked = self.queries.is_blocked(self.question(number));
        match judge(&buffer[..length], right(self.kind, blocked)) {
            Verdict::Right => {}
            Verdict::Wrong => self.outcome.wrong += 1,
            Verdict::Failed(_) => self.outcome.failed += 1,
        }
        Some(number)
    }

    fn drain(&mut self) {
        for socket in 0..SOCKETS {
            while self.take(socket).is_some() {}
        }
    }
}
