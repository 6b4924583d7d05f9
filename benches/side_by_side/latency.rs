//! The time from a question to its answer at a rate that keeps no server busy.

use crate::peers::check::{Verdict, judge, right};
use crate::peers::config::Kind;
use crate::peers::names::Queries;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// A tenth of what the slowest server here can do, or less.
pub const PER_SECOND: u32 = 5_000;
/// An answer that takes longer is counted as none.
const PATIENCE: Duration = Duration::from_millis(500);

/// Times of right answers, in nanoseconds. Questions go out at even distances, whatever comes back; an answer is told by its ID.
///
/// Waits by asking over and over, not in the kernel: being woken would be measured as well.
pub fn latencies(kind: Kind, server: SocketAddr, queries: &Queries, first: usize, seconds: u64) -> Vec<u32> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
    socket.connect(server).expect("a socket can be connected");
    socket.set_nonblocking(true).expect("a socket can be made so");
    let count = seconds as usize * PER_SECOND as usize;
    let every = Duration::from_secs(1) / PER_SECOND;
    let mut sent_at: Vec<Instant> = Vec::with_capacity(count);
    let mut times = Vec::with_capacity(count);
    let mut buffer = [0; 4096];
    let start = Instant::now();
    let end = start + every * count as u32 + PATIENCE;
    loop {
        let now = Instant::now();
        if sent_at.len() < count && now >= start + every * sent_at.len() as u32 {
            let number = sent_at.len();
            let mut query = [0; 300];
            let bytes = queries.get((first + number) % queries.len());
            query[..bytes.len()].copy_from_slice(bytes);
            query[..2].copy_from_slice(&(number as u16).to_be_bytes());
            // Read again: what came before is not the server's time.
            sent_at.push(Instant::now());
            let _ = socket.send(&query[..bytes.len()]);
        }
        if let Ok(length) = socket.recv(&mut buffer) {
            let now = Instant::now();
            let Some(number) = number(&buffer[..length], sent_at.len()) else {
                continue;
            };
            let blocked = queries.is_blocked((first + number) % queries.len());
            let time = now - sent_at[number];
            if judge(&buffer[..length], right(kind, blocked)) == Verdict::Right && time < PATIENCE {
                times.push(time.as_nanos() as u32);
            }
        }
        let waiting = times.len() < sent_at.len() || sent_at.len() < count;
        if !waiting || now > end {
            return times;
        }
    }
}

/// The newest question sent that has the ID of this response.
fn number(response: &[u8], sent: usize) -> Option<usize> {
    let id = usize::from(u16::from_be_bytes([*response.first()?, *response.get(1)?]));
    let rounds = sent.checked_sub(id + 1)? >> 16;
    Some(id + (rounds << 16))
}
