//! Whether a server answers as it should, before anything is measured; this also fills its cache.

use crate::peers::config::{BLOCKED, Kind};
use crate::peers::names::Queries;
use crate::peers::upstream::ADDRESS;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Few, so that no server's bound of outstanding questions is reached.
const OUTSTANDING: usize = 32;
const PATIENCE: Duration = Duration::from_secs(2);
/// A server that just started may lose some.
const TRIES: usize = 4;

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Right,
    /// NOERROR with something else.
    Wrong,
    /// SERVFAIL or another code.
    Failed(u8),
}

/// What the server should say.
pub fn right(kind: Kind, blocked: bool) -> Ipv4Addr {
    match kind == Kind::Bare || blocked {
        true => BLOCKED,
        false => ADDRESS,
    }
}

/// Judges a response to a query without EDNS: one record, whose address stands at the end.
#[inline]
pub fn judge(response: &[u8], right: Ipv4Addr) -> Verdict {
    if response.len() < 12 + 4 || response[2] & 0x80 == 0 {
        return Verdict::Wrong;
    }
    match response[3] & 0x0f {
        0 if response[6..8] == [0, 1] && response.ends_with(&right.octets()) => Verdict::Right,
        0 => Verdict::Wrong,
        code => Verdict::Failed(code),
    }
}

/// Asks the first `count` questions, each until it gets the right answer or after some tries; says which went wrong, and returns them.
pub fn check(kind: Kind, server: SocketAddr, queries: &Queries, count: usize) -> Vec<usize> {
    let count = count.min(queries.len());
    let mut open: Vec<usize> = (0..count).collect();
    let mut last: HashMap<usize, Verdict> = HashMap::new();
    for _ in 0..TRIES {
        ask(kind, server, queries, &open, &mut last);
        open.retain(|at| last.get(at) != Some(&Verdict::Right));
        if open.is_empty() {
            return open;
        }
    }
    println!(
        "{}: {} of {count} {} names are not answered rightly, such as",
        kind.name(),
        open.len(),
        queries.name
    );
    for at in open.iter().take(3) {
        let verdict = last
            .get(at)
            .map_or("no answer".to_owned(), |verdict| format!("{verdict:?}"));
        println!("    {}: {verdict}", queries.text(*at));
    }
    open
}

fn ask(kind: Kind, server: SocketAddr, queries: &Queries, open: &[usize], last: &mut HashMap<usize, Verdict>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
    socket.connect(server).expect("a socket can be connected");
    socket
        .set_read_timeout(Some(Duration::from_millis(20)))
        .expect("a timeout");
    let mut waiting: HashMap<u16, (usize, Instant)> = HashMap::new();
    let mut todo = open.iter().copied().enumerate().peekable();
    let mut buffer = [0; 4096];
    while todo.peek().is_some() || !waiting.is_empty() {
        while waiting.len() < OUTSTANDING
            && let Some((number, at)) = todo.next()
        {
            let mut query = queries.get(at).to_vec();
            query[..2].copy_from_slice(&(number as u16).to_be_bytes());
            let _ = socket.send(&query);
            waiting.insert(number as u16, (at, Instant::now()));
        }
        match socket.recv(&mut buffer) {
            Ok(length) if length > 2 => {
                let id = u16::from_be_bytes([buffer[0], buffer[1]]);
                if let Some((at, _)) = waiting.remove(&id) {
                    last.insert(at, judge(&buffer[..length], right(kind, queries.is_blocked(at))));
                }
            }
            _ => waiting.retain(|_, (_, sent)| sent.elapsed() < PATIENCE),
        }
    }
}
