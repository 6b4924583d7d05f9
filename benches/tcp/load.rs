//! One connection on which so many queries are outstanding at any time.

use crate::peers::check::{Verdict, judge, right};
use crate::peers::config::Kind;
use crate::peers::names::Queries;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// An ID tells one query among so many.
pub const MOST_OUTSTANDING: usize = 1 << 15;
/// A server that says nothing for so long says nothing more.
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Outcome {
    pub answered: u64,
    /// Answered with something else than is right.
    pub bad: u64,
    pub seconds: f64,
}

/// Asks `server`, beginning with question `first`: as soon as responses come, as many new queries go out, in one piece.
pub fn load(
    kind: Kind,
    server: SocketAddr,
    queries: &Queries,
    first: usize,
    outstanding: usize,
    duration: Duration,
) -> Outcome {
    let mut stream = TcpStream::connect(server).expect("the server takes connections");
    stream.set_nodelay(true).expect("a stream of ours");
    stream.set_read_timeout(Some(PATIENCE)).expect("a stream of ours");
    let question = |number: u64| (first + number as usize) % queries.len();
    let (mut sent, mut answered, mut bad) = (0, 0, 0);
    let mut output = Vec::new();
    let mut input = vec![0; 1 << 18];
    let mut held = 0;
    let start = Instant::now();
    loop {
        let is_over = start.elapsed() >= duration;
        output.clear();
        while !is_over && sent - answered < outstanding as u64 {
            let query = queries.get(question(sent));
            output.extend((query.len() as u16).to_be_bytes());
            output.extend((sent as u16).to_be_bytes());
            output.extend(&query[2..]);
            sent += 1;
        }
        stream.write_all(&output).expect("the server reads");
        if answered == sent {
            break;
        }
        let read = stream.read(&mut input[held..]).unwrap_or(0);
        if read == 0 {
            println!("{}: {} queries were not answered", kind.name(), sent - answered);
            break;
        }
        let end = held + read;
        let mut at = 0;
        while let Some(response) = message(&input[at..end]) {
            at += 2 + response.len();
            answered += 1;
            // The newest query that has this ID.
            let id = u16::from_be_bytes([response[0], response[1]]);
            let number = sent - 1 - u64::from((sent as u16).wrapping_sub(1).wrapping_sub(id));
            let right = right(kind, queries.is_blocked(question(number)));
            bad += u64::from(judge(response, right) != Verdict::Right);
        }
        input.copy_within(at..end, 0);
        held = end - at;
    }
    Outcome {
        answered,
        bad,
        seconds: start.elapsed().as_secs_f64(),
    }
}

/// A whole message at the start.
fn message(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}
